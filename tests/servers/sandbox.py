"""Every simulator on a socket, its answers judged, and what leads a server of ours there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from sandbox.running import Place
from simulators.core.users import User
from simulators.registry import SIMULATORS
from tests.servers import dropbox, gdrive
from tests.servers.shared import Shared


@contextmanager
def running_gdrive() -> Iterator[gdrive.Place]:
    """Whatever asks here is a connector of ours, so that what is wrong with its requests counts like a wrong answer."""
    with gdrive.running_place() as place:
        place.listening.request_problems = place.listening.problems
        yield place


RUNNING: Mapping[str, Callable[[], AbstractContextManager[dropbox.Place | gdrive.Place]]] = {
    "dropbox": dropbox.running_place,
    "gdrive": running_gdrive,
}
SERVICES = [simulator.service for simulator in SIMULATORS]
FIRST_NUMBER = 1000  # of users that tests make


@dataclass(frozen=True)
class Judged:
    """One simulator without any files, and what was found wrong with its answers."""

    place: Place
    problems: list[str]
    numbers: Iterator[int]

    def add_user(self) -> User:
        """Somebody new, whose place is empty."""
        number = next(self.numbers)
        user = User(number=number, email=f"user{number}@example.com", given_name="Some", surname=f"Body {number}")
        self.place.world.users.add(user)
        return user

    def build_account(self) -> dict[str, Any]:
        """The body that connects the account of somebody new."""
        tokens = self.place.consent(self.add_user().number)
        return {
            "service": self.place.simulator.service,
            "token": tokens["access_token"],
            "refresh_token": tokens["refresh_token"],
        }


Sandbox = Mapping[str, Judged]


@contextmanager
def running_sandbox() -> Iterator[Sandbox]:
    """All of them, by service; afterwards every answer has been found right."""
    with ExitStack() as stack:
        sandbox = {}
        for simulator in SIMULATORS:
            running = stack.enter_context(RUNNING[simulator.service]())
            place = Place(simulator, running.world, running.url)
            sandbox[simulator.service] = Judged(place, running.listening.problems, count(FIRST_NUMBER))
        yield sandbox


def build_connectors(sandbox: Sandbox) -> dict[str, dict[str, str]]:
    """The setting that leads a server's connectors there."""
    return {service: judged.place.build_settings() for service, judged in sandbox.items()}


@contextmanager
def _running(_: Path) -> Iterator[Sandbox]:
    with running_sandbox() as sandbox:
        yield sandbox


SHARED_SANDBOX = Shared(_running)
