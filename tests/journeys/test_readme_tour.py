"""README's tour, pasted into a shell, prints what README shows."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.journeys.tour import README, mask, read_steps, run_steps

STEPS_COUNT_MIN = 10


@pytest.mark.timeout(600)  # a browser may have to be installed first
@pytest.mark.usefixtures("_curl")
def test_tour_prints_what_readme_shows_when_it_is_pasted(tmp_path: Path) -> None:
    steps = read_steps(README.read_text())
    assert len(steps) >= STEPS_COUNT_MIN
    for step, printed in zip(steps, run_steps(steps, tmp_path), strict=True):
        assert mask(printed) == mask(step.shown), f"after\n{step.commands}"


def test_only_what_differs_from_run_to_run_is_hidden_when_masked() -> None:
    text = '{"id":"AWn9JmTzkW0zCxu_P4CSuWDLyd1RvKwrQ4-vPlRJ","name":"hello.txt","size":12} http://127.0.0.1:8000/v1/a'
    assert mask(text) == '{"id":"<id>","name":"hello.txt","size":12} <server>/v1/a'
    assert mask("2026-11-23T08:00:00.5Z 3f2a9c1e-0a4b-4d59-9f5e-3a0c2b1d4e5f") == "<time> <request id>"
