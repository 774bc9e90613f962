"""What every simulator has beside its own files: a clock, people, consents, faults, bytes, notices to the outside."""

from __future__ import annotations

from dataclasses import dataclass, field

from simulators.core.clock import Clock
from simulators.core.contents import Contents
from simulators.core.faults import Faults
from simulators.core.grants import Client, Grants
from simulators.core.notices import Notices
from simulators.core.users import Users

SANDBOX_CLIENT = Client(client_id="sandbox-client", client_secret="sandbox-secret", name="Sandbox application")  # noqa: S106 - opens nothing but a simulator
"""A client that every simulator knows, so that nobody has to register anything to try things out."""


@dataclass(slots=True, kw_only=True)
class World:
    """One simulator's surroundings; `close` gives all of it back."""

    clock: Clock
    grants: Grants
    users: Users = field(default_factory=Users)
    faults: Faults = field(default_factory=Faults)
    contents: Contents = field(default_factory=Contents)
    notices: Notices = field(default_factory=Notices)

    async def aclose(self) -> None:
        """Ends what runs and removes what was stored."""
        await self.notices.aclose()
        self.contents.close()


def build_world(*, users: Users | None = None, rotates_refresh_tokens: bool = False) -> World:
    """Surroundings with the sample users, or these, and the sandbox client registered."""
    clock = Clock()
    grants = Grants(clock=clock, rotates_refresh_tokens=rotates_refresh_tokens)
    grants.register(SANDBOX_CLIENT)
    return World(clock=clock, grants=grants, users=users or Users())
