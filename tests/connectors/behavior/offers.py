"""Chooses the cases by declared capability, and lists at the end of a run which were left out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import pytest

from tests.connectors.behavior.target import Target

NOT_OFFERED = pytest.StashKey[list[str]]()
_REPORTED = "not_offered"  # from a worker of a parallel run


def find_missing(needs: Iterable[str], target: Target) -> list[str]:
    """Which of the capabilities the target does not declare; a name that is no capability is an error."""
    return [need for need in needs if not getattr(target.capabilities, need)]


def remove_not_offered(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Takes out the cases that need what their target does not declare, or cost much and were run; remembers them."""
    kept = []
    not_offered = config.stash.setdefault(NOT_OFFERED, [])
    for item in items:
        target = _find_target(item)
        needs = [need for mark in item.iter_markers("needs") for need in mark.args]
        missing = find_missing(needs, target) if target else []
        case = f"{item.path.stem}::{getattr(item, 'originalname', None) or item.name}"
        if target and missing:
            not_offered.append(f"not offered: {target.name}: {case}: needs {', '.join(missing)}")
        elif target and target.is_repeat and any(item.iter_markers("costly")):
            not_offered.append(f"not repeated: {target.name}: {case}: too costly to come again")
        else:
            kept.append(item)
    items[:] = kept


def _find_target(item: pytest.Item) -> Target | None:
    callspec = getattr(item, "callspec", None)
    target = callspec.params.get("target") if callspec else None
    return target if isinstance(target, Target) else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves only the cases that apply."""
    remove_not_offered(config, items)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A worker hands its list to the process that reports."""
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output[_REPORTED] = session.config.stash.get(NOT_OFFERED, [])


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:
    """Takes a worker's list; all workers have the same."""
    reported: Sequence[str] = getattr(node, "workeroutput", {}).get(_REPORTED, ())
    node.config.stash[NOT_OFFERED] = list(reported)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Prints the list."""
    lines = terminalreporter.config.stash.get(NOT_OFFERED, [])
    if lines:
        terminalreporter.section("behaviours not offered")
        for line in sorted(set(lines)):
            terminalreporter.line(line)
