"""Shows that the benchmarks run; says nothing about the numbers."""

from __future__ import annotations

from pathlib import Path

from tests.benchmarks.__main__ import BENCHMARKS, main
from tests.servers.missing import skipping_when_missing
from tests.servers.nginx import find_nginx


def test_all_tables_are_written_when_run_quickly(tmp_path: Path) -> None:
    with skipping_when_missing():
        find_nginx()
    output = tmp_path / "results.md"
    assert main(["--quick", "--output", str(output)]) == 0
    text = output.read_text()
    for benchmark in BENCHMARKS.values():
        _, _, table = text.partition(f"## {benchmark.title}\n")
        assert table.lstrip().startswith("| ")
    for row in ("download x1", "upload x4", "encode", "metadata of one file", "sha256", "two: CPU µs"):
        assert row in text
    assert "`python -m tests.benchmarks --quick`" in text
    assert str(tmp_path) not in text
