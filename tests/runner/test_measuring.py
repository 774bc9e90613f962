"""The coverage of `make test` tells which lines ran."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from coverage import Coverage

from tests.run import build_variables, collect

PROGRAM = '''"""A docstring."""

from __future__ import annotations

import contextlib
from enum import Enum


def decorate(function):
    return function


@decorate
@decorate
def choose(
    number: int,
    other: int = 2,
) -> str:
    """Another docstring."""
    match number:
        case 1:
            return "one"
        case 2 | 3:
            return (
                "two or three"
            )
        case _:
            pass
    if number == 4:
        return "four"
    elif number == 5:
        return "five"
    else:
        number += other
    for count in range(3):
        if count == number:
            break
    else:
        number = 0
    while number < 0:
        number += 1
    return "many"


class Colour(Enum):
    """Not a statement."""

    RED = 1
    GREEN = 2

    @property
    def is_red(self) -> bool:
        return self is Colour.RED


def fail(kind) -> int:
    try:
        with contextlib.suppress(KeyError), contextlib.suppress(IndexError):
            raise kind
    except TypeError:
        return 1
    except (ValueError, IndexError):
        return 2
    else:
        return 3
    finally:
        print("at last")


async def never() -> None:
    async with decorate(None):
        yield 1
    async for one in decorate([]):
        yield one


choose(1), choose(3), choose(9)
assert (fail(TypeError), fail(ValueError)) == (1, 2)
assert Colour.RED.is_red
print([
    number for number in range(3)
])
'''


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A measured folder with a program, and with a module that nobody imports."""
    folder = tmp_path / "measured"
    folder.mkdir()
    (folder / "program.py").write_text(PROGRAM)
    (folder / "idle.py").write_text("NUMBER = 1\n")
    return folder


def run(package: Path, *arguments: str, variables: Mapping[str, str]) -> None:
    """Runs the program with what measures it."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("COVERAGE", "MEASURED"))}
    subprocess.run(
        [sys.executable, *arguments], cwd=package.parent, env={**environment, **variables}, check=True, timeout=60
    )


def read_missing(package: Path, data_path: Path) -> dict[str, list[int]]:
    """The statements of each file that did not run, as coverage reports them."""
    coverage = Coverage(data_file=str(data_path), config_file=False)
    coverage.load()
    return {path.name: coverage.analysis2(str(path))[3] for path in sorted(package.iterdir()) if path.suffix == ".py"}


def test_lines_are_those_that_a_tracer_sees_when_a_program_runs(package: Path, tmp_path: Path) -> None:
    traced, noted, results = tmp_path / "traced", tmp_path / "noted", tmp_path / "results"
    results.mkdir()
    tracing = ("-m", "coverage", "run", f"--data-file={traced}", "--source=measured")
    run(package, *tracing, "-m", "measured.program", variables={})
    run(package, "-c", "import measured.program", variables=build_variables(results, [package]))
    collect(results, [package], noted)
    missing = read_missing(package, noted)
    assert missing == read_missing(package, traced)
    assert missing["idle.py"] == [1]
    assert len(missing["program.py"]) > 5


def test_child_is_measured_when_a_measured_process_starts_it(package: Path, tmp_path: Path) -> None:
    results, noted = tmp_path / "results", tmp_path / "noted"
    results.mkdir()
    parent = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import measured.idle'], check=True)"
    run(package, "-c", parent, variables=build_variables(results, [package]))
    collect(results, [package], noted)
    assert read_missing(package, noted)["idle.py"] == []
