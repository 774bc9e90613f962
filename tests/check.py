"""Checks what no linter can: `python -m tests.check`. With `--write` the generated documentation is rewritten first."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence

from tests.architecture.documents import SECTIONS, list_documented_folders, list_folders
from tests.architecture.schema import empty_databases, find_differences, find_heads


def main(arguments: Sequence[str]) -> int:
    """Prints what disagrees and returns 1, or returns 0."""
    if "--write" in arguments:
        for section in SECTIONS:
            section.write()
        return 0
    problems = [*check_documents(), *check_migrations()]
    for problem in problems:
        print(problem)
    print(f"{len(problems)} disagreements between code, documentation and migrations")
    return 1 if problems else 0


def check_documents() -> Iterator[str]:
    """What the documentation says and the code does not."""
    for section in SECTIONS:
        try:
            if not section.is_current():
                yield f"{section.file}: the part {section.marker!r} is out of date; `make fix` rewrites it"
        except (OSError, ValueError) as error:
            yield str(error)
    try:
        documented = list_documented_folders()
    except (OSError, ValueError) as error:
        yield str(error)
        return
    if documented != list_folders():
        yield f"README.md: the map names {sorted(documented)}, there are {sorted(list_folders())}"


def check_migrations() -> Iterator[str]:
    """What the models say and the migrations do not make."""
    heads = find_heads()
    if len(heads) != 1:
        yield f"migrations/: one head is needed, there are {heads}"
        return
    with empty_databases() as databases:
        for kind, url in databases.items():
            yield from (f"migrations/ on {kind}: {difference}" for difference in find_differences(url))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
