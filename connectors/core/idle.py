"""Limits silence instead of duration: for streams that may take as long as they like while something moves."""

from __future__ import annotations

import asyncio
import math
from types import TracebackType


class IdleWatch:
    """A block that waits for something raises TimeoutError when nothing moved for `seconds`; may be entered again.

    Entering and moving only write down a time. One timer at a time looks at it, because a timer for every chunk of a
    stream costs more than handing the chunk on.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._loop = asyncio.get_running_loop()
        self._task: asyncio.Task[object] | None = None  # the one that waits now
        self._cancelling_count = 0
        self._until = math.inf
        self._timer: asyncio.TimerHandle | None = None
        self._has_cancelled = False

    def __enter__(self) -> None:
        task = asyncio.current_task(self._loop)
        if task is None:
            raise AssertionError("only a task can be watched")
        self._task = task
        self._cancelling_count = task.cancelling()
        self.move()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        task, self._task = self._task, None
        if self._has_cancelled and task is not None:
            self._has_cancelled = False
            if task.uncancel() <= self._cancelling_count and kind is asyncio.CancelledError:
                raise TimeoutError from error

    def move(self) -> None:
        """Something happened: the silence begins anew."""
        self._until = self._loop.time() + self.seconds
        if self._timer is None:
            self._timer = self._loop.call_at(self._until, self._look)

    def rest(self) -> None:
        """Silence does not count until the next `move`."""
        self._until = math.inf

    def close(self) -> None:
        """Ends the timer; entering or moving starts it again."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        self._timer = None
        if self._task is None:
            return
        now = self._loop.time()
        if self._until <= now:
            self._has_cancelled = True
            self._task.cancel()
        else:
            self._timer = self._loop.call_at(min(self._until, now + self.seconds), self._look)
