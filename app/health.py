"""Asks a running server whether it is well: `python -m app.health [--ready]`. Light, because it is run often."""

from __future__ import annotations

import http.client
import os
import sys
from typing import NamedTuple

CALL_SECONDS_MAX = 4.0
HTTP_OK = 200
BODY_BYTES_MAX = 65536
STATUS = b'"status":'  # what both answers have
LOOPBACK = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - who listens everywhere is asked here


class Answer(NamedTuple):
    """Whether it is well, in words too."""

    is_well: bool
    text: str


def ask(host: str, port: int, *, is_ready: bool = False) -> Answer:
    """Asks the server that listens there whether it answers, or whether it can serve."""
    connection = http.client.HTTPConnection(LOOPBACK.get(host, host), port, timeout=CALL_SECONDS_MAX)
    try:
        connection.request("GET", "/ready" if is_ready else "/health")
        reply = connection.getresponse()
        body = reply.read(BODY_BYTES_MAX)
    except (OSError, http.client.HTTPException) as error:
        return Answer(is_well=False, text=f"No server answers on {host}:{port} ({error!r}).")
    finally:
        connection.close()
    if reply.status != HTTP_OK or STATUS not in body:
        return Answer(is_well=False, text=f"What listens on {host}:{port} is not well: it answers {reply.status}.")
    return Answer(is_well=True, text=f"The server on {host}:{port} is well.")


def main() -> int:
    """Asks the server that the environment's settings name; the exit status."""
    port = os.environ.get("KLOUDLESS_PORT") or "8000"
    answer = ask(os.environ.get("KLOUDLESS_HOST") or "127.0.0.1", int(port), is_ready="--ready" in sys.argv[1:])
    sys.stdout.write(answer.text + "\n")
    return 0 if answer.is_well else 1


if __name__ == "__main__":
    sys.exit(main())
