"""Credentials that are not stored yet: the first calls with them say whether they work, and whose they are."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime

from app.accounts.callers import build_connector, find_service
from app.accounts.credentials import merge_grant, read_token, seal_credentials
from app.accounts.renewing import refresh_grant
from app.accounts.rows import AccountRow
from app.core.state import State
from connectors.core.manifest import OAuth2
from connectors.core.resources import Identity, Probe
from connectors.core.tokens import SingleFlightTokens, Token

KEY_BYTES = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """Who it is, what can be done there, and the credentials as they are now, since tokens may have been renewed."""

    identity: Identity
    probe: Probe
    credentials: dict[str, str] = field(repr=False)


async def try_credentials(state: State, *, application_id: str, service: str, credentials: dict[str, str]) -> Tried:
    """Makes the first calls; ConnectorError says what is wrong."""
    trial = Trial(state, application_id=application_id, service=service, credentials=credentials)
    identity, probe = await trial.connector.get_identity(), await trial.connector.probe()
    return Tried(identity=identity, probe=probe, credentials=trial.credentials)


class Trial:
    """Credentials with a connector; tokens are renewed before there is an account to keep them."""

    def __init__(self, state: State, *, application_id: str, service: str, credentials: dict[str, str]) -> None:
        moment = datetime.fromtimestamp(0, UTC)
        self.credentials = credentials
        self.row = AccountRow(
            id=0,
            application_id=application_id,
            service=service,
            identity_key="",
            label="",
            sealed_credentials=seal_credentials(state, credentials, application_id=application_id, service=service),
            is_active=True,
            is_enabled=True,
            is_admin=False,
            is_verified=False,
            scope="",
            custom_properties={},
            storage_region=None,
            learned={},
            token_expires_at=None,
            refresh_token_expires_at=None,
            grant_ended_at=None,
            created_at=moment,
            modified_at=moment,
        )
        self.tokens = SingleFlightTokens(self._renew, token=read_token(credentials))
        has_tokens = isinstance(find_service(state, service).manifest.auth, OAuth2)
        # A key of its own: what is remembered of one try would else be believed of the next one's account.
        account_key = f"try:{secrets.token_hex(KEY_BYTES)}"
        self.connector = build_connector(
            state, self.row, tokens=self.tokens if has_tokens else None, account_key=account_key
        )
        self._state = state

    async def _renew(self) -> Token:
        grant = await refresh_grant(self._state, self.row, self.credentials)
        self.credentials = merge_grant(self.credentials, grant)
        return read_token(self.credentials)
