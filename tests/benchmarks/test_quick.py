"""Shows that the benchmarks run; says nothing about the numbers."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.benchmarks.__main__ import main
from tests.servers.missing import skipping_when_missing
from tests.servers.nginx import find_nginx


@pytest.fixture(scope="module", autouse=True)
def _nginx() -> None:
    with skipping_when_missing():
        find_nginx()


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("streaming", ("download x1", "download x4", "upload x1", "upload x4")),
        ("listing", ("decode upstream", "ids", "encode", "whole")),
    ],
)
def test_table_is_written_when_run_quickly(name: str, rows: tuple[str, ...], tmp_path: Path) -> None:
    output = tmp_path / "results.md"
    assert main(["--quick", "--only", name, "--output", str(output)]) == 0
    text = output.read_text()
    for row in rows:
        assert f"| {row}" in text
    assert f"`python -m tests.benchmarks --quick --only {name}`" in text
    assert str(tmp_path) not in text
