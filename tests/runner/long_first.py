"""Cases that may take longer than others begin first: no process of a parallel run is left with one at its end."""

from __future__ import annotations

import pytest


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts first what has a longer time limit of its own; all else stays as it was shuffled."""
    items.sort(key=read_seconds_max, reverse=True)


def read_seconds_max(item: pytest.Item) -> float:
    """The limit that a case's mark gives it; 0 for those with the limit of all."""
    mark = item.get_closest_marker("timeout")
    return float(mark.args[0]) if mark else 0.0
