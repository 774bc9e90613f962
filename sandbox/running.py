"""All simulators on this machine, each at a port of its own, in a thread beside whatever else the process does."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, ExitStack, contextmanager
from dataclasses import dataclass
from threading import Event, Thread

import uvicorn
from starlette.applications import Starlette

from simulators.core.grants import Grant
from simulators.core.simulator import Simulator
from simulators.core.world import SANDBOX_CLIENT, World, build_world
from simulators.registry import SIMULATORS

HOST = "127.0.0.1"  # nobody else's: whoever reaches a simulator may do everything there
GRACE_SECONDS = 1
STOP_SECONDS_MAX = 20.0


@dataclass(frozen=True, slots=True)
class Place:
    """One simulator that runs, or is about to: connections wait until it does."""

    simulator: Simulator
    world: World
    url: str

    def build_settings(self) -> dict[str, str]:
        """What the service's connector is told, so that it comes here instead of to the provider."""
        return {
            "endpoint": self.url,
            "authorize_url": f"{self.url}{self.simulator.authorize_path}",
            "token_url": f"{self.url}{self.simulator.token_path}",
            "revoke_url": f"{self.url}{self.simulator.revoke_path}",
            "client_id": SANDBOX_CLIENT.client_id,
            "client_secret": SANDBOX_CLIENT.client_secret,
        }

    def consent(self, user_number: int) -> dict[str, str]:
        """The tokens that this user's consent to the sandbox client gives, without a page of consent."""
        grant = Grant(client_id=SANDBOX_CLIENT.client_id, user_number=user_number, scopes=self.simulator.scopes)
        tokens = self.world.grants.issue(grant)
        return {"access_token": tokens.access_token, "refresh_token": tokens.refresh_token or ""}


@dataclass(frozen=True, slots=True)
class Sandbox:
    """All of them."""

    places: Sequence[Place]
    ended: Event

    def wait(self) -> None:
        """Returns when the simulators have ended, which they do not by themselves.

        Ctrl-C may interrupt it. A thread's `join` that is interrupted takes the thread for ended in Python 3.11.
        """
        self.ended.wait()

    def build_settings(self) -> dict[str, dict[str, str]]:
        """What connectors are told, by service."""
        return {place.simulator.service: place.build_settings() for place in self.places}


@contextmanager
def running_sandbox(listeners: Mapping[str, socket.socket]) -> Iterator[Sandbox]:
    """Serves every simulator on its listener until the block ends; then all that they held is gone."""
    places, apps, servers = [], [], []
    for simulator in SIMULATORS:
        world, listener = build_world(), listeners[simulator.service]
        places.append(Place(simulator, world, f"http://{HOST}:{listener.getsockname()[1]}"))
        apps.append(app := simulator.build(world))
        servers.append((_build_server(app), listener))

    async def serve() -> None:
        async with AsyncExitStack() as stack:
            for app in apps:
                await stack.enter_async_context(app.router.lifespan_context(app))
            await asyncio.gather(*(server.serve(sockets=[listener]) for server, listener in servers))

    def run() -> None:
        try:
            asyncio.run(serve())
        finally:
            ended.set()

    thread, ended = Thread(target=run, name="sandbox"), Event()
    thread.start()
    try:
        yield Sandbox(places, ended)
    finally:
        for server, _ in servers:
            server.should_exit = True
        thread.join(STOP_SECONDS_MAX)


def _build_server(app: Starlette) -> uvicorn.Server:
    return uvicorn.Server(
        uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            lifespan="off",  # several servers share a loop: what they hold is given back when all have ended
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=GRACE_SECONDS,
        )
    )


@contextmanager
def opening_ports(first_port: int, *, is_movable: bool = False) -> Iterator[dict[str, socket.socket]]:
    """A listener for each simulator, at ports that follow each other; OSError says which one is taken.

    A movable one goes to any free port instead.
    """
    with ExitStack() as stack:
        listeners = {}
        for number, simulator in enumerate(SIMULATORS):
            # With the protocol named, asyncio switches off the delay of small packets: 40 ms a request.
            listener = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP))
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            _bind(listener, first_port + number if first_port else 0, is_movable=is_movable)
            listener.listen()
            listeners[simulator.service] = listener
        yield listeners


def _bind(listener: socket.socket, port: int, *, is_movable: bool) -> None:
    try:
        listener.bind((HOST, port))
    except OverflowError as error:
        raise ValueError(f"There is no port {port}; choose a smaller --port.") from error
    except OSError as error:
        if is_movable and error.errno == errno.EADDRINUSE:
            listener.bind((HOST, 0))
            return
        raise OSError(f"Cannot listen on {HOST}:{port}: {error.strerror}. Choose another --port.") from error
