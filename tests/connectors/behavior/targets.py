"""All targets: each connector's folder of tests has a target.py with its TARGETS."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from tests.connectors.behavior.target import Target

HERE = Path(__file__).parent

TARGETS: tuple[Target, ...] = tuple(
    target
    for module in sorted(HERE.parent.glob("*/target.py"))
    if module.parent != HERE
    for target in import_module(f"tests.connectors.{module.parent.name}.target").TARGETS
)


def find_target(name: str) -> Target:
    """The target of that name."""
    (found,) = (target for target in TARGETS if target.name == name)
    return found
