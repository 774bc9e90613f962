"""What `make audit` says of pip-audit's answer: never that all is well when nothing was looked up."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.audit import judge

FINE = {"name": "fine", "version": "1.0", "vulns": []}
FAULTY = {"name": "faulty", "version": "2.0", "vulns": [{"id": "CVE-1", "fix_versions": ["2.1"], "aliases": []}]}
SKIPPED = {"name": "skipped", "skip_reason": "not found"}


@pytest.mark.parametrize(
    ("packages", "status", "words"),
    [
        ([FINE], 0, "1 packages were looked up."),
        ([FINE, FAULTY], 1, "faulty 2.0: CVE-1, mended in 2.1"),
        ([FINE, SKIPPED], 0, "not looked up: skipped: not found"),
        ([SKIPPED, SKIPPED], 0, "Nothing was looked up: not found"),
        ([], 0, "Nothing was looked up: no package is named"),
    ],
)
def test_verdict_follows_the_report(packages: list[dict[str, Any]], status: int, words: str) -> None:
    verdict = judge(json.dumps({"dependencies": packages, "fixes": []}), "")
    assert verdict.status == status
    assert words in verdict.text


def test_reason_is_told_when_there_is_no_report() -> None:
    assert judge("", "Traceback\nConnectionError: refused\n") == ("Nothing was looked up: ConnectionError: refused", 0)
