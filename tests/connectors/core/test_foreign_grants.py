"""Whatever a provider's sign-in answers: tokens that fit into a header, or an error that tells nothing secret."""

from __future__ import annotations

import asyncio
import json

import httpx
from hypothesis import example, given
from hypothesis import strategies as st

from connectors.core.errors import ConnectorError
from tests.connectors.core.test_oauth import GOOD, Flow
from tests.connectors.foreign import ODD, PIECES
from tests.fuzzing import fuzz, spoiled

SECRET = "a-secret-that-was-said"
SAMPLE = json.dumps({**GOOD, "error_description": SECRET}).encode()
REFUSAL = json.dumps({"error": "invalid_grant", "error_description": SECRET}).encode()
NAMES = ("access_token", "refresh_token", "expires_in", "token_type", "error", "error_description")


def check(status: int, body: bytes) -> None:
    async def exchange() -> None:
        flow = Flow(*(httpx.Response(status, content=body) for _ in range(9)))
        grant = await flow.flow.refresh("r")
        for token in (grant.access_token, grant.refresh_token or "x"):
            assert token.isascii()
            assert token.isprintable()
            assert " " not in token
        assert grant.expires_at is None or grant.expires_at > flow.clock.now()

    try:
        asyncio.run(exchange())
    except ConnectorError as error:
        assert SECRET not in str(error)  # noqa: PT017 - refusing is one of two right outcomes


@fuzz(100)
@given(status=st.sampled_from([200, 400, 401, 403, 429, 500]), body=spoiled([SAMPLE, REFUSAL], PIECES))
@example(200, b"[" * 100_000)
def test_answer_of_a_sign_in_is_read_or_refused_when_it_is_spoiled(status: int, body: bytes) -> None:
    check(status, body)


@fuzz(100)
@given(
    status=st.sampled_from([200, 400, 401]),
    values=st.dictionaries(st.sampled_from(NAMES), st.one_of(st.sampled_from(ODD), st.text(max_size=20))),
)
def test_answer_of_a_sign_in_is_read_or_refused_when_any_value_is_odd(status: int, values: dict[str, object]) -> None:
    check(status, json.dumps({**GOOD, **values}).encode())
