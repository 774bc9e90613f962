"""Every line of SECURITY.md is proved by a test that exists, and the check of it can fail."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.architecture.security import find_compared_secrets, find_unproved, list_threats

OWASP = tuple(f"API{number}" for number in range(1, 11))
TABLE = "| Threat | What stands against it | Proof |\n| --- | --- | --- |\n"


def test_every_line_names_tests_that_exist() -> None:
    assert list(find_unproved()) == []


@pytest.mark.parametrize("risk", OWASP)
def test_every_risk_of_the_list_for_apis_has_a_line(risk: str) -> None:
    assert any(threat.what.split(" ")[0] == risk for threat in list_threats())


def test_no_secret_is_compared_with_an_operator() -> None:
    assert list(find_compared_secrets()) == []


@pytest.mark.parametrize(
    ("proof", "fault"),
    [
        ("`tests/test_a.py::test_b`", None),
        ("`tests/test_a.py::TestC::test_d`", None),
        ("we looked", "names no test"),
        ("`tests/test_a.py::test_c`", "there is no tests/test_a.py::test_c"),
        ("`tests/test_a.py::TestC::test_b`", "there is no tests/test_a.py::TestC::test_b"),
        ("`tests/test_a.py::TestC`", "there is no tests/test_a.py::TestC"),
        ("`tests/test_b.py::test_b`", "there is no tests/test_b.py::test_b"),
        ("`tests/test_a.py::test_b`, `tests/test_a.py::test_c`", "there is no tests/test_a.py::test_c"),
    ],
)
def test_line_is_named_when_its_proof_is_missing(tmp_path: Path, proof: str, fault: str | None) -> None:
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_a.py").write_text(
        "def test_b():\n    pass\n\nclass TestC:\n    async def test_d(self):\n        pass\n"
    )
    (tmp_path / "SECURITY.md").write_text(f"{TABLE}| Fire | Water | {proof} |\n")
    assert list(find_unproved(tmp_path)) == ([f"Fire: {fault}"] if fault else [])


@pytest.mark.parametrize("code", ["password == given", "row.secret != x", "x == self.api_key", "signature == made"])
def test_comparison_is_named_when_it_is_of_a_secret(tmp_path: Path, code: str) -> None:
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "a.py").write_text(f"is_same = {code}\n")
    assert len(list(find_compared_secrets(tmp_path))) == 1
