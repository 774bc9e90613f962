"""Calls that may hang, kept apart from the event loop and from the process's end."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import ParamSpec, TypeVar

ArgumentsT = ParamSpec("ArgumentsT")
ResultT = TypeVar("ResultT")


async def run_aside(
    function: Callable[ArgumentsT, ResultT], *given: ArgumentsT.args, **named: ArgumentsT.kwargs
) -> ResultT:
    """A call that may hang, in a thread that holds up neither the time limit nor the end of the process."""
    loop = asyncio.get_running_loop()
    result: asyncio.Future[ResultT] = loop.create_future()

    def settle(value: ResultT | None, error: Exception | None) -> None:
        if result.done():
            return
        if error is not None:
            result.set_exception(error)
        else:
            result.set_result(value)  # type: ignore[arg-type]  # None only if that is what the function gives

    def run() -> None:
        value, error = None, None
        try:
            value = function(*given, **named)
        except Exception as caught:  # noqa: BLE001 - whatever it is, it is raised where the call is waited for
            error = caught
        with suppress(RuntimeError):  # nobody waits any more
            loop.call_soon_threadsafe(settle, value, error)

    threading.Thread(target=run, daemon=True).start()
    return await result
