"""Many processes that all need the same account's next access token at the same moment.

    python -m tests.journeys.renewing COUNT ACCOUNT_ID PROVIDER_URL    (settings in the environment)

Each forks from one that has everything imported. The exit status is how many were not answered.
"""

from __future__ import annotations

import asyncio
import os
import sys

from app.accounts.callers import build_connector, load_row
from app.core.settings import Settings
from app.core.state import State, build_state
from connectors.core.connector import Connector
from connectors.core.service import Registry
from tests.app.consenting import build_service

CALLS_COUNT = 5  # at once, in each process


def main() -> int:
    """Starts them, lets all of them go at once, and waits; how many failed."""
    count, account_id, url = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    go_reader, go_writer = os.pipe()
    ready_reader, ready_writer = os.pipe()
    children = []
    for _ in range(count):
        process_id = os.fork()
        if process_id == 0:
            os.close(go_writer)
            os._exit(asyncio.run(_call(account_id, url, go_reader, ready_writer)))
        children.append(process_id)
    os.close(ready_writer)
    for _ in children:
        os.read(ready_reader, 1)
    os.close(go_writer)  # all of them read the end of it
    return sum(os.waitpid(process_id, 0)[1] != 0 for process_id in children)


async def _call(account_id: int, url: str, go_reader: int, ready_writer: int) -> int:
    state = build_state(Settings(), registry=Registry([build_service(url)]))
    try:
        connectors = [await _open(state, account_id) for _ in range(CALLS_COUNT)]
        os.write(ready_writer, b".")
        os.read(go_reader, 1)
        await asyncio.gather(*(connector.get_quota() for connector in connectors))
    finally:
        await state.aclose()
    return 0


async def _open(state: State, account_id: int) -> Connector:
    row = await load_row(state, account_id)
    if row is None:
        raise AssertionError("there is no such account")
    return build_connector(state, row)


if __name__ == "__main__":
    sys.exit(main())
