"""Providers that send callers elsewhere: nobody goes there, and no secret does."""

from __future__ import annotations

import ssl

import pytest
import trustme

from connectors.core.clock import ManualClock
from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.guard import AddressGuard
from connectors.core.guarded_transport import GuardedTransport
from connectors.core.service import Registry
from connectors.core.stack import Runtime
from connectors.core.transport import TransportSettings
from tests.connectors.faulty.operations import CHANGING, READING, STORING, Operation, Stage
from tests.connectors.faulty.subject import Subject
from tests.connectors.faulty.trial import LOOPBACK, LyingTrial
from tests.servers import lies
from tests.servers.origin import Origin, Seen, reply

STATUSES = (301, 302, 303, 307, 308)
TOKEN = "only-the-browser-may-know"
NOT_FOLLOWED = frozenset({ErrorKind.UNEXPECTED, ErrorKind.UNSUPPORTED, ErrorKind.WRONG_TYPE})


def is_write(seen: Seen) -> bool:
    """It changes something."""
    return seen.method not in {"GET", "HEAD", "OPTIONS", "PROPFIND"}


async def resolve_here(_host: str) -> list[str]:
    return ["127.0.0.1"]


@pytest.mark.operations(*READING, *STORING, *CHANGING)
async def test_nobody_goes_there_when_one_request_is_redirected_to_another_host(trial: LyingTrial) -> None:
    async with Origin() as elsewhere:
        told = [lies.redirect(status, elsewhere.url(f"/login?token={TOKEN}")) for status in STATUSES]
        async for lie, outcome in trial.sweep(*told):
            (seen,) = outcome.lied
            if outcome.error is None:
                is_needed = bool(seen.get_all("authorization")) and (trial.operation.is_reading or is_write(seen))
                is_sent_again = outcome.count(seen) > 1  # such as a move, to the next free name
                assert not is_needed or is_sent_again, f"{lie.name}: {seen.method} {seen.target}"
                continue
            assert outcome.error.kind in NOT_FOLLOWED, f"{lie.name}: {seen.method} {seen.target}: {outcome.error}"
            assert TOKEN not in str(outcome.error)
            assert not outcome.leftovers
        assert elsewhere.requests == []


@pytest.mark.operations(*(each for each in READING if each.name in {"list folder", "download"}))
@pytest.mark.parametrize("status", STATUSES)
async def test_nothing_is_sent_in_the_clear_when_a_safe_host_asks_for_it(
    case: tuple[Subject, Operation], status: int
) -> None:
    subject, operation = case
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    settings = TransportSettings(ca_pem=authority.cert_pem.bytes())
    transport = GuardedTransport(AddressGuard([LOOPBACK], resolve_here), settings)
    runtime = Runtime(clock=ManualClock(), guarded_transport=transport)
    place = subject.make_place()
    async with Origin() as clear, Origin(tls=context) as safe:
        safe.fallback = reply(status, headers=(f"Location: {clear.url('/')}",))
        registry = Registry([subject.build_service()])
        stage = Stage(subject.open(place, f"https://localhost:{safe.port}", runtime, registry), place)
        with pytest.raises(ConnectorError) as raised:
            await operation.run(stage)
        await transport.aclose()
        assert raised.value.kind in NOT_FOLLOWED
        assert safe.requests
        assert clear.requests == []
