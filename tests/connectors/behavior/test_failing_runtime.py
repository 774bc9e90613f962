from __future__ import annotations

import httpx
import pytest

from connectors.core.call import INTENT, Intent, Repeat, Work
from tests.connectors.behavior.faults import PATIENT, FailingRuntime, PatientRuntime
from tests.connectors.behavior.targets import TARGETS


@pytest.mark.parametrize(
    ("repeat", "is_body_replayable", "runs_count", "faults_count"),
    [
        (Repeat.SAFE, True, 9, 3),
        (Repeat.UNSAFE, True, 9, 3),
        (Repeat.IDEMPOTENT, True, 12, 3),  # the doubtful ones are done twice
        (Repeat.UNSAFE, False, 9, 0),
    ],
)
async def test_every_third_call_fails_once_and_is_repeated_when_it_can_be(
    repeat: Repeat, is_body_replayable: bool, runs_count: int, faults_count: int
) -> None:
    runtime = FailingRuntime()
    send = runtime.build_send_work(TARGETS[0].manifest, "1", classify_exception=lambda _: None)
    runs: list[int] = []

    async def run() -> int:
        runs.append(1)
        return 42

    intent = Intent(operation="test", repeat=repeat, is_body_replayable=is_body_replayable)
    assert [await send(Work(run=run, intent=intent)) for _ in range(9)] == [42] * 9
    assert (len(runs), runtime.faults_count) == (runs_count, faults_count)


@pytest.mark.parametrize(
    ("repeat", "is_body_replayable", "sent_count", "faults_count"),
    [
        (Repeat.SAFE, True, 9, 3),
        (Repeat.UNSAFE, True, 9, 3),
        (Repeat.IDEMPOTENT, True, 12, 3),
        (Repeat.UNSAFE, False, 9, 0),
    ],
)
@pytest.mark.parametrize("users_host", [None, "files.example.com"])
async def test_every_third_request_fails_once_and_is_repeated_when_it_can_be(
    repeat: Repeat, is_body_replayable: bool, sent_count: int, faults_count: int, users_host: str | None
) -> None:
    sent: list[httpx.Request] = []

    async def transport(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        return httpx.Response(200, content=b"fine")

    runtime = FailingRuntime(
        transport=transport if users_host is None else None,
        guarded_transport=transport if users_host else None,
    )
    send = runtime.build_send(TARGETS[0].manifest, "1", users_host=users_host)
    intent = Intent(operation="test", repeat=repeat, is_body_replayable=is_body_replayable)
    for _ in range(9):
        request = httpx.Request("GET", "https://files.example.com/", extensions={INTENT: intent})
        assert (await send(request)).content == b"fine"
    assert (len(sent), runtime.faults_count) == (sent_count, faults_count)


async def test_patient_one_goes_on_when_a_request_fails_many_times_in_a_row() -> None:
    sent: list[httpx.Request] = []

    async def transport(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        return httpx.Response(503 if len(sent) < PATIENT.attempts_max else 200, content=b"fine")

    send = PatientRuntime(transport=transport).build_send(TARGETS[0].manifest, "1")
    request = httpx.Request(
        "GET", "https://files.example.com/", extensions={INTENT: Intent(operation="test", repeat=Repeat.SAFE)}
    )
    assert (await send(request)).content == b"fine"
    assert len(sent) == PATIENT.attempts_max
