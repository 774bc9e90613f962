"""Servers that a test process starts once, when one of its tests first asks, and ends with itself."""

from __future__ import annotations

import atexit
import shutil
import tempfile
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Generic, TypeVar

from tests.servers.missing import ServerMissingError, skip_without

ServerT = TypeVar("ServerT")


class Shared(Generic[ServerT]):
    """The process's own server of one kind. `running` starts it in a folder that is gone afterwards.

    Works in fixtures as well as in whatever opens a target of the behavior suite, in every thread, with or without an
    event loop running; the first call blocks while the server starts.
    """

    def __init__(self, running: Callable[[Path], AbstractContextManager[ServerT]]) -> None:
        self._running = running
        self._starting = threading.Lock()
        self._stack = ExitStack()
        self._found: ServerT | Exception | None = None

    def get(self) -> ServerT:
        """The server. Skips the case when it cannot be had, as told in missing.py; what failed once is not repeated."""
        with self._starting:
            found = self._found = self._start() if self._found is None else self._found
        if isinstance(found, ServerMissingError):
            skip_without(found.server, found.reason)
        if isinstance(found, Exception):
            raise found
        return found

    def stop(self) -> None:
        """Ends it if it was started; `get` starts another one."""
        with self._starting:
            self._found = None
            self._stack.close()

    def _start(self) -> ServerT | Exception:
        atexit.register(self.stop)
        folder = Path(tempfile.mkdtemp(prefix="kloudless-server-"))
        self._stack.callback(shutil.rmtree, folder)
        try:
            return self._stack.enter_context(self._running(folder))
        except Exception as error:  # noqa: BLE001 - whatever it is, all who ask shall hear it
            return error
