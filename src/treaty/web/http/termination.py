"""The time between SIGTERM and the shutdown of a server, in which load balancers notice that it is not ready."""

import asyncio
import signal
import threading
from collections.abc import Callable
from datetime import timedelta
from multiprocessing import parent_process
from types import FrameType

import structlog

log = structlog.get_logger("treaty.web")


def delay_termination(delay: timedelta, begin_draining: Callable[[], None]) -> None:
    """Have SIGTERM call a function at once, and begin the shutdown only after the delay.

    Runs on the event loop, after the server has installed its own handler of the signal. A second SIGTERM shuts down
    at once, and so do SIGINT, with which people end a server in a terminal, and the end of the first process, whose
    port a new one needs.
    """
    if threading.current_thread() is not threading.main_thread():
        return  # signals are handled in the main thread only
    loop, shut_down = asyncio.get_running_loop(), signal.getsignal(signal.SIGTERM)
    if not callable(shut_down):
        return
    seconds = delay.total_seconds()
    is_draining = False

    def drain() -> None:
        log.info("shutdown", reason=f"The server shuts down in {seconds:g} seconds, and is no longer ready.")
        begin_draining()
        loop.call_later(seconds, shut_down, signal.SIGTERM, None)

    def handle(number: int, frame: FrameType | None) -> None:
        nonlocal is_draining
        if is_draining or not seconds or _is_orphan():
            begin_draining()
            shut_down(number, frame)
        else:
            is_draining = True
            loop.call_soon_threadsafe(drain)

    signal.signal(signal.SIGTERM, handle)


def _is_orphan() -> bool:
    parent = parent_process()
    return parent is not None and not parent.is_alive()
