"""Work that takes seconds: a few requests run at a time, some wait, and others are refused."""

import asyncio
from functools import partial
from threading import Barrier, Event

import pytest

from tests.waiting import PATIENCE
from treaty.errors import Overloaded
from treaty.web.heavy_work import MAX_RUNNING, MAX_WAITING, HeavyWork


def test_two_heavy_requests_run_at_a_time_eight_wait_and_more_are_refused():
    work = HeavyWork()
    has_started, is_released = Barrier(MAX_RUNNING + 1), Event()
    started: list[int] = []

    def slow(number: int) -> int:
        started.append(number)
        if not is_released.is_set():
            has_started.wait(PATIENCE)
            assert is_released.wait(PATIENCE)
        return number

    async def run() -> list[int]:
        limit = MAX_RUNNING + MAX_WAITING
        accepted = [asyncio.create_task(work.run(partial(slow, number))) for number in range(limit)]
        await asyncio.to_thread(has_started.wait, 60)
        with pytest.raises(Overloaded):
            await work.run(partial(slow, limit))
        assert len(started) == MAX_RUNNING
        is_released.set()
        return await asyncio.gather(*accepted)

    assert asyncio.run(run()) == list(range(10))
    work.close()


def test_heavy_work_that_fails_makes_room_for_other_work():
    work = HeavyWork()

    def fail() -> None:
        raise ZeroDivisionError

    async def run() -> None:
        for _ in range(MAX_RUNNING + MAX_WAITING + 1):
            with pytest.raises(ZeroDivisionError):
                await work.run(fail)

    asyncio.run(run())
    work.close()
