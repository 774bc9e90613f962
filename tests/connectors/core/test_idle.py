from __future__ import annotations

import asyncio

import pytest

from connectors.core.idle import IdleWatch

SECONDS = 0.1
LONG_SECONDS = 30.0


class TestSilence:
    async def test_timeout_when_nothing_moves(self) -> None:
        watch = IdleWatch(SECONDS)
        with pytest.raises(TimeoutError), watch:
            await asyncio.sleep(LONG_SECONDS)

    async def test_timeout_again_when_entered_again(self) -> None:
        watch = IdleWatch(SECONDS)
        for _ in range(2):
            with pytest.raises(TimeoutError), watch:
                await asyncio.sleep(LONG_SECONDS)

    async def test_timeout_when_it_moves_and_then_stops(self) -> None:
        watch = IdleWatch(SECONDS)
        started = asyncio.get_running_loop().time()

        async def move() -> None:
            for _ in range(5):
                await asyncio.sleep(SECONDS / 2)
                watch.move()

        mover = asyncio.create_task(move())
        with pytest.raises(TimeoutError), watch:
            await asyncio.sleep(LONG_SECONDS)
        await mover
        assert asyncio.get_running_loop().time() - started >= 3 * SECONDS

    async def test_silence_between_blocks_does_not_count(self) -> None:
        watch = IdleWatch(SECONDS)
        for _ in range(3):
            await asyncio.sleep(SECONDS * 1.5)
            with watch:
                await asyncio.sleep(0)

    async def test_rest_does_not_count_until_the_next_move(self) -> None:
        watch = IdleWatch(SECONDS)
        with watch:
            watch.rest()
            await asyncio.sleep(SECONDS * 3)

    async def test_timeout_when_it_moves_after_a_rest_and_then_stops(self) -> None:
        watch = IdleWatch(SECONDS)
        asyncio.get_running_loop().call_later(SECONDS / 2, watch.rest)
        asyncio.get_running_loop().call_later(SECONDS * 3, watch.move)
        started = asyncio.get_running_loop().time()
        with pytest.raises(TimeoutError), watch:
            await asyncio.sleep(LONG_SECONDS)
        assert asyncio.get_running_loop().time() - started >= 3 * SECONDS

    async def test_another_task_may_wait_each_time(self) -> None:
        watch = IdleWatch(SECONDS)

        async def wait() -> None:
            with watch:
                await asyncio.sleep(LONG_SECONDS)

        for _ in range(2):
            with pytest.raises(TimeoutError):
                await asyncio.create_task(wait())


class TestCancelling:
    async def test_cancelled_and_not_timed_out_when_somebody_else_cancels(self) -> None:
        watch = IdleWatch(LONG_SECONDS)
        entered = asyncio.Event()

        async def wait() -> None:
            with watch:
                entered.set()
                await asyncio.sleep(LONG_SECONDS)

        task = asyncio.create_task(wait())
        await entered.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    async def test_task_is_not_left_cancelling_after_a_timeout(self) -> None:
        watch = IdleWatch(SECONDS)
        with pytest.raises(TimeoutError), watch:
            await asyncio.sleep(LONG_SECONDS)
        task = asyncio.current_task()
        assert task is not None
        assert task.cancelling() == 0
        await asyncio.sleep(0)

    async def test_other_errors_pass(self) -> None:
        with pytest.raises(ValueError, match="other"), IdleWatch(SECONDS):
            raise ValueError("other")

    async def test_refused_outside_of_a_task(self) -> None:
        result: asyncio.Future[BaseException] = asyncio.get_running_loop().create_future()

        def enter() -> None:
            try:
                with IdleWatch(SECONDS):
                    pass
            except AssertionError as error:
                result.set_result(error)

        asyncio.get_running_loop().call_soon(enter)
        assert "task" in str(await result)


async def test_no_timer_is_left_when_closed() -> None:
    watch = IdleWatch(SECONDS)
    with watch:
        await asyncio.sleep(0)
    watch.close()
    watch.close()
    with pytest.raises(TimeoutError), watch:
        await asyncio.sleep(LONG_SECONDS)
