"""Which OAuth client speaks for an application at a service: its own, or else the operator's, if there is one."""

from __future__ import annotations

from app.applications.belongings import find_own_client, list_own_services
from app.core.state import State
from connectors.core.manifest import Manifest, OAuth2
from connectors.core.oauth_settings import OAuthClient


def explain_missing_client(service: str) -> str:
    """What to do where there is no client."""
    return (
        f"no OAuth client is set up for {service!r}: the operator sets client_id and client_secret for it in "
        "KLOUDLESS_CONNECTORS, or the application registers a service key of its own "
        '(the README\'s "Going live" tells how)'
    )


async def list_connectable(state: State, application_id: str | None) -> list[Manifest]:
    """What an application's people may connect themselves, in the order of their titles; without one, anybody's."""
    missing = await list_missing_clients(state, application_id)
    manifests = [
        service.manifest
        for service in state.registry
        if not service.manifest.added_by_operator_only and service.manifest.service not in missing
    ]
    return sorted(manifests, key=lambda manifest: manifest.title.lower())


async def list_missing_clients(state: State, application_id: str | None) -> set[str]:
    """Services with consents for which neither the operator nor the application has an OAuth client."""
    missing = {
        service.manifest.service
        for service in state.registry
        if isinstance(service.manifest.auth, OAuth2) and service.client is None
    }
    return missing - await list_own_services(state, application_id) if missing and application_id else missing


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
