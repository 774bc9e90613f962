"""What a check is and what it finds. A check looks and changes nothing; what it says holds no secret."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal, ParamSpec, TypeVar

from msgspec import Struct

from app.core.settings import Settings

ArgumentsT = ParamSpec("ArgumentsT")
ResultT = TypeVar("ResultT")

Status = Literal["ok", "warning", "failed", "skipped"]


class Finding(Struct, frozen=True, kw_only=True):
    """How one thing is, and what to do if it is not well."""

    name: str = ""  # the check's, put in by whoever runs it
    status: Status
    text: str
    advice: str = ""


def well(text: str) -> Finding:
    """Nothing to do."""
    return Finding(status="ok", text=text)


def warn(text: str, advice: str) -> Finding:
    """Works, but will not always, or is not safe."""
    return Finding(status="warning", text=text, advice=advice)


def fail(text: str, advice: str) -> Finding:
    """Does not work."""
    return Finding(status="failed", text=text, advice=advice)


def skip(text: str) -> Finding:
    """There is nothing to look at."""
    return Finding(status="skipped", text=text)


@dataclass(frozen=True, slots=True)
class Check:
    """One thing to look at; left out when one that it needs did not go well."""

    name: str
    run: Callable[[Settings], Awaitable[Finding]]
    needs: tuple[str, ...] = ()


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
