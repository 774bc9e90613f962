"""All subjects: each connector's folder of tests that has a faulty.py has its SUBJECTS there."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from tests.connectors.faulty.subject import Subject

HERE = Path(__file__).parent

SUBJECTS: tuple[Subject, ...] = tuple(
    subject
    for module in sorted(HERE.parent.glob("*/faulty.py"))
    for subject in import_module(f"tests.connectors.{module.parent.name}.faulty").SUBJECTS
)
