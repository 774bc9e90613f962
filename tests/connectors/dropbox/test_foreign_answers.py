"""Whatever Dropbox answers makes sense, or is refused as what makes none."""

from __future__ import annotations

import hashlib
import hmac
from typing import Literal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from connectors.core.connector import Connector
from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.sharing import Notice
from connectors.core.stack import Runtime
from connectors.dropbox.notices import SIGNATURE_HEADER, read_notice
from tests.connectors.dropbox.conftest import CLEO
from tests.connectors.dropbox.target import open_account
from tests.connectors.foreign import LATIN, OPERATIONS, PIECES, check_spoiled
from tests.fuzzing import fuzz, spoiled
from tests.servers.dropbox import Place


@pytest.mark.parametrize("name", OPERATIONS)
def test_answer_of_dropbox_makes_sense_or_is_refused(place: Place, name: str) -> None:
    def open_it(runtime: Runtime) -> Connector:
        return open_account(place, CLEO, runtime)

    check_spoiled(open_it, name)


NOTICE = b'{"list_folder": {"accounts": ["dbid:AAH4f99T0taONIb-OurWxbNQ6ywGRopQngc"]}, "delta": {"users": [1]}}'
SECRET = "secret"


@fuzz(200)
@given(
    body=spoiled([NOTICE], PIECES),
    method=st.sampled_from(["GET", "POST"]),
    signature=st.none() | LATIN,
    challenge=st.none() | st.text(max_size=20),
)
@example(b"[" * 100_000, "POST", None, None)
@example(b'{"list_folder": ' * 20_000, "POST", None, None)
def test_notice_is_read_or_refused_whatever_it_holds(
    body: bytes, method: Literal["GET", "POST"], signature: str | None, challenge: str | None
) -> None:
    good = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    headers = {SIGNATURE_HEADER: good if signature is None else signature}
    notice = Notice(
        method=method, query={} if challenge is None else {"challenge": challenge}, headers=headers, body=body
    )
    try:
        hints = read_notice(notice, SECRET)
    except ConnectorError as error:
        assert error.kind in {ErrorKind.PERMISSION_DENIED, ErrorKind.UNEXPECTED}  # noqa: PT017 - refusing is right
        return
    assert hints.reply == challenge if method == "GET" else signature in {None, good}
