"""Whatever Google Drive answers makes sense, or is refused as what makes none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.core.connector import Connector
from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.sharing import Notice
from connectors.core.stack import Runtime
from connectors.gdrive.channels import read_notice
from tests.connectors.foreign import LATIN, OPERATIONS, check_spoiled
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
