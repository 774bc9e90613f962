"""The state of one simulated Drive: files, lists in the middle, uploads under way, channels."""

from __future__ import annotations

from dataclasses import dataclass, field

from simulators.core.world import World
from simulators.gdrive.blobs import BlobWriter
from simulators.gdrive.channels import Channels
from simulators.gdrive.pages import Pages
from simulators.gdrive.records import Blob
from simulators.gdrive.sessions import Sessions
from simulators.gdrive.store import Store


@dataclass(slots=True)
class Drive:
    world: World
    store: Store
    pages: Pages
    channels: Channels
    sessions: Sessions
    drive_ids: dict[tuple[int, str], str] = field(default_factory=dict)
    consents: set[tuple[str, int]] = field(default_factory=set)

    def begin_blob(self) -> BlobWriter:
        return BlobWriter(self.world.contents.begin())

    def keep_blob(self, data: bytes) -> Blob:
        writer = self.begin_blob()
        writer.write(data)
        return writer.finish()


def build_drive(world: World) -> Drive:
    store = Store(world)
    return Drive(
        world=world,
        store=store,
        pages=Pages(world.clock),
        channels=Channels(store, world.notices),
        sessions=Sessions(world.clock),
    )
