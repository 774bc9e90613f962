"""Which OAuth client speaks for an application at a service: its own, or else the operator's."""

from __future__ import annotations

from app.applications.belongings import find_own_client
from app.core.state import State
from connectors.core.oauth_settings import OAuthClient


def explain_missing_client(service: str) -> str:
    """What to do where there is no client."""
    return (
        f"no OAuth client is set up for {service!r}: the operator sets client_id and client_secret for it in "
        "KLOUDLESS_CONNECTORS, or the application registers a service key of its own"
    )


async def find_client(state: State, application_id: str, service: str) -> OAuthClient | None:
    """The client for a new consent."""
    own = await find_own_client(state, application_id, service)
    return own or _find_operators(state, service)


async def find_same_client(state: State, application_id: str, service: str, *, client_id: str) -> OAuthClient | None:
    """The client that a consent was given to: no other one can renew its tokens."""
    own = await find_own_client(state, application_id, service)
    return next((each for each in (own, _find_operators(state, service)) if each and each.client_id == client_id), None)


def _find_operators(state: State, service: str) -> OAuthClient | None:
    found = state.registry.find(service)
    return None if found is None else found.client
