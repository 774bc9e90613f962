"""The state of one simulated Drive: files, lists in the middle, uploads under way, channels."""

from __future__ import annotations

from dataclasses import dataclass, field

from simulators.core.world import World
from simulators.gdrive.blobs import BlobWriter
from simulators.gdrive.channels import Channels
from simulators.gdrive.pages import Pages
from simulators.gdrive.records import Blob
from simulators.gdrive.service_accounts import ServiceAccounts
from simulators.gdrive.sessions import Sessions
from simulators.gdrive.store import Store

ACCESS_SECONDS = 3600


@dataclass(slots=True)
class Drive:
    """`drive_ids` remembers which request made which shared drive."""

    world: World
    store: Store
    pages: Pages
    channels: Channels
    sessions: Sessions
    service_accounts: ServiceAccounts
    drive_ids: dict[tuple[int, str], str] = field(default_factory=dict)

    async def aclose(self) -> None:
        """Gives back what is under way, and the world."""
        self.sessions.close()
        await self.world.aclose()

    def begin_blob(self) -> BlobWriter:
        return BlobWriter(self.world.contents.begin())

    def keep_blob(self, data: bytes) -> Blob:
        writer = self.begin_blob()
        writer.write(data)
        return writer.finish()


def build_drive(world: World) -> Drive:
    """A Drive without files; its access tokens live for an hour, as Google's do."""
    world.grants.access_seconds = ACCESS_SECONDS
    store = Store(world)
    return Drive(
        world=world,
        store=store,
        pages=Pages(world.clock),
        channels=Channels(store, world.notices),
        sessions=Sessions(world.clock),
        service_accounts=ServiceAccounts(world),
    )
