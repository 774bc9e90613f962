"""A storage in memory that fails, waits or lies when a test wants it."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from connectors.core.errors import ConnectorError
from connectors.core.manifest import Capabilities
from connectors.core.resources import ByteRange, Download, File, Part, RawId, UploadSession
from tests.connectors.core.fakes import build_manifest
from tests.connectors.core.memory import MemoryConnector

MANIFEST = build_manifest(capabilities=Capabilities(start_upload=True))
CHUNK = b"x" * 1000


class FaultyConnector(MemoryConnector):
    """`faults` makes an operation fail; `download_error` ends a download in the middle; `is_open` says one is read."""

    manifest = MANIFEST

    def __init__(self) -> None:
        super().__init__()
        self.reset()

    def reset(self) -> None:
        """Forgets what was scripted."""
        self.faults.clear()
        self.download_error: BaseException | None = None
        self.is_open = threading.Event()
        self.is_closed = threading.Event()
        self.part_bytes = 4
        self.finish_error_after: ConnectorError | None = None

    @asynccontextmanager
    async def open_download(
        self,
        file: RawId,  # noqa: ARG002 - all files are the same
        *,
        byte_range: ByteRange | None = None,  # noqa: ARG002 - as file
        if_match: str | None = None,  # noqa: ARG002 - as file
    ) -> AsyncIterator[Download]:
        self._fail("open_download")

        async def read() -> AsyncIterator[bytes]:
            yield CHUNK
            if self.download_error is not None:
                raise self.download_error
            while True:
                yield CHUNK

        try:
            self.is_open.set()
            yield Download(read(), size_bytes=10**12)
        finally:
            self.is_closed.set()

    async def finish_upload(self, session: UploadSession, parts: list[Part]) -> File:
        file = await super().finish_upload(session, parts)
        if self.finish_error_after is not None:
            raise self.finish_error_after
        return file
