"""Whatever Google Drive answers makes sense, or is refused as what makes none."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.core.clock import ManualClock
from connectors.core.connector import Connector
from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.manifest import ACCESS_TOKEN
from connectors.core.service import AccountContext, Options, Registry
from connectors.core.sharing import Notice
from connectors.core.stack import Runtime
from connectors.gdrive.channels import read_notice
from connectors.gdrive.manifest import MANIFEST
from connectors.gdrive.service import build_service
from tests.connectors.foreign import LATIN, OPERATIONS, UNEXPLAINED, Kept, Replaying, check_spoiled
from tests.connectors.gdrive.target import open_account
from tests.fuzzing import fuzz
from tests.servers.gdrive import Place


@pytest.mark.parametrize("name", OPERATIONS)
def test_answer_of_drive_makes_sense_or_is_refused(place: Place, name: str) -> None:
    def open_it(runtime: Runtime) -> Connector:
        return open_account(place, runtime)

    check_spoiled(open_it, name)


SECRET = "secret"
HEADERS = ("x-goog-channel-token", "x-goog-channel-id", "x-goog-resource-state", "x-goog-message-number")


@fuzz(200)
@given(headers=st.dictionaries(st.sampled_from(HEADERS), st.one_of(LATIN, st.just(SECRET), st.just("sync"))))
def test_notice_is_read_or_refused_whatever_it_holds(headers: dict[str, str]) -> None:
    notice = Notice(method="POST", query={}, headers=headers, body=b"")
    try:
        hints = read_notice(notice, SECRET)
    except ConnectorError as error:
        assert error.kind is ErrorKind.PERMISSION_DENIED  # noqa: PT017 - refusing is one of two right outcomes
        return
    assert headers["x-goog-channel-token"] == SECRET
    assert set(hints.subscription_ids) <= {headers["x-goog-channel-id"]}


@pytest.mark.parametrize("ends_at", ["", "soon", "-1", "9" * 18, "9" * 5000, " 7 ", "\u0663"])
async def test_subscription_is_refused_when_its_end_makes_no_sense(ends_at: str) -> None:
    answers = [{"startPageToken": "1"}, {"id": "a", "resourceId": "b", "expiration": ends_at}]
    kept = [Kept(status=200, headers=[], body=json.dumps(answer).encode()) for answer in answers]
    runtime = Runtime(clock=ManualClock(), transport=Replaying(kept))
    context = AccountContext(
        account_key="1", application_id="tests", credentials={ACCESS_TOKEN: "a token"}, runtime=runtime
    )
    connector = Registry([build_service(Options())]).open(MANIFEST.service, context)
    with pytest.raises(ConnectorError, check=lambda error: UNEXPLAINED not in error.message) as caught:
        await connector.subscribe(url="https://us.example.com/notices", secret=SECRET, seconds=3600)
    assert caught.value.kind is ErrorKind.UNEXPECTED
