"""How many tasks wait and run, as metrics tell it."""

from __future__ import annotations

from datetime import timedelta

from app.core.clock import now
from app.tasks import service
from tests.app.tasks.serving import Bench, Script, do_nothing


def test_open_tasks_are_counted_by_kind_and_state(bench: Bench) -> None:
    bench.create("first")
    bench.create("first")
    bench.create("second")
    assert bench.api.run(bench.claim()) is not None
    depths = bench.api.run(service.measure_depths(bench.state))
    assert depths.counts == {("first", "started"): 1, ("first", "pending"): 1, ("second", "pending"): 1}


def test_lateness_is_that_of_the_task_that_waits_longest_for_a_server(bench: Bench) -> None:
    assert bench.api.run(service.measure_depths(bench.state)).late_seconds == 0
    bench.set(bench.create(), due_at=now() + timedelta(hours=1))
    assert bench.api.run(service.measure_depths(bench.state)).late_seconds == 0
    bench.set(bench.create(), due_at=now() - timedelta(minutes=10))
    assert 600 <= bench.api.run(service.measure_depths(bench.state)).late_seconds < 900


def test_ended_task_is_counted_once_by_whoever_ended_it(bench: Bench) -> None:
    def count() -> float | None:
        labels = {"kind": "counted", "state": "finished"}
        return bench.state.metrics.registry.get_sample_value("kloudless_tasks_ended_total", labels)

    before = count() or 0
    bench.create("counted")
    assert bench.serve(Script(do_nothing))
    assert count() == before + 1
    assert bench.api.run(service.measure_depths(bench.state)).counts == {}
