"""Sealing every stored secret anew after the keys were rotated. A module's secrets are one line in `RESEALERS`."""

from __future__ import annotations

from app.accounts.service import reseal_credentials
from app.applications.belongings import reseal_service_keys
from app.applications.service import reseal_keys
from app.core.state import State
from app.idempotency.service import reseal_replies
from app.links.service import reseal_tokens
from app.tasks.service import reseal_requests
from app.transfers.service import reseal_states as reseal_transfers
from app.uploads.service import reseal_states

RESEALERS = (
    reseal_keys,
    reseal_service_keys,
    reseal_credentials,
    reseal_states,
    reseal_tokens,
    reseal_replies,
    reseal_requests,
    reseal_transfers,
)
"""Each seals its secrets with the newest key, says how many were not, and is safe to repeat."""


async def reseal_all(state: State) -> int:
    """Seals what an older key sealed; returns how many secrets that were."""
    return sum([await reseal(state) for reseal in RESEALERS])
