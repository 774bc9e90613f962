"""The whole command line: what `app` can do, and the sandbox, which stands beside it."""

from __future__ import annotations

import json
import shlex
import signal
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli import cli
from app.cli import main as run_command_line
from app.core.settings import Settings
from app.demo import Neighbors
from app.serving import serve_until_stopped

if TYPE_CHECKING:
    from sandbox.running import Place, Sandbox

FIRST_PORT = 8100
USER_NUMBER = 3  # of no team, so that the top folder is the user's own; the pages of consent begin with another one

FAULTS = """\
What goes wrong is asked for there, too; simulators/README.md has all of it:
  curl -d '{{"kind": "rate_limited", "seconds": 2, "times": 1}}' {url}/simulator/faults
  curl -d '{{"advance_seconds": 14401}}' {url}/simulator/clock
  curl -d '{{"user": 1}}' {url}/simulator/revoke
  curl -X DELETE {url}/simulator/faults"""


def main() -> None:
    """Runs the command line."""
    run_command_line()


@cli.command(name="sandbox")
def run_sandbox(
    port: Annotated[
        int, typer.Option(help="Port of the first simulator, the others follow; 0 for any that are free.", min=0)
    ] = FIRST_PORT,
) -> None:
    """Run simulators of providers with sample files on this machine, until Ctrl-C or SIGTERM.

    Each is one address for all of a provider's hosts, holds made-up users and files in memory, needs no registration
    anywhere, and goes wrong when it is asked to. The first lines say where they are and what to set.
    """
    from sandbox.running import opening_ports, running_sandbox  # noqa: PLC0415 - no other command needs simulators

    for number in (signal.SIGTERM, signal.SIGINT):  # a script's background has the second one ignored
        signal.signal(number, signal.default_int_handler)
    with suppress(KeyboardInterrupt), opening_ports(port) as listeners, running_sandbox(listeners) as sandbox:
        print(describe_sandbox(sandbox), flush=True)
        sandbox.wait()
    print("Stopped.", flush=True)


@cli.command(name="demo")
def run_demo() -> None:
    """Serve the API with a demo application, and the sandbox beside it, until Ctrl-C or SIGTERM.

    The application has an account on a folder of this machine and one at each simulated provider; those that
    KLOUDLESS_CONNECTORS names are left alone. What the simulators hold is made anew at each start.
    """
    from sandbox.running import opening_ports, running_sandbox  # noqa: PLC0415 - as above

    with opening_ports(FIRST_PORT, is_movable=True) as listeners, running_sandbox(listeners) as sandbox:
        neighbors = Neighbors(
            connectors=sandbox.build_settings(),
            credentials={place.simulator.service: place.consent(USER_NUMBER) for place in sandbox.places},
        )
        serve_until_stopped(Settings(), has_demo=True, neighbors=neighbors)


def describe_sandbox(sandbox: Sandbox) -> str:
    """Where everything is, and what to do with it."""
    settings = json.dumps(sandbox.build_settings())
    return "\n".join(
        [
            *(_describe_place(place) for place in sandbox.places),
            "",
            "To lead a server there, and the command line beside it:",
            f"  export KLOUDLESS_CONNECTORS={shlex.quote(settings)}",
            "",
            FAULTS.format(url=sandbox.places[0].url),
            "",
        ]
    )


def _describe_place(place: Place) -> str:
    users = ", ".join(f"{user.name} <{user.email}>" for user in place.world.users)
    told = place.build_settings()
    return (
        f"{place.simulator.title}: {place.url}    what it knows: {place.url}/simulator\n"
        f"  client {told['client_id']}, secret {told['client_secret']}; users {users}"
    )
