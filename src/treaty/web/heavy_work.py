"""Runs work that takes seconds of processor time without starving other requests."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Final, TypeVar

from treaty.errors import Overloaded

T = TypeVar("T")

MAX_RUNNING: Final = 2
MAX_WAITING: Final = 8


class HeavyWork:
    """Threads of its own for heavy work, so that the threads of other requests stay free."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(MAX_RUNNING, thread_name_prefix="treaty-heavy")
        self._count = 0

    async def run(self, work: Callable[[], T]) -> T:
        """Run the work in a thread, after earlier work. Raises Overloaded if too much is waiting already."""
        if self._count >= MAX_RUNNING + MAX_WAITING:
            raise Overloaded("Several requests about large pacts are being processed. Send the request again.")
        self._count += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, copy_context().run, work)
        finally:
            self._count -= 1

    def close(self) -> None:
        self._threads.shutdown()
