"""Waiting for what must happen, however slow and busy the machine is.

A passing test waits no longer than the event takes, so the limits below only decide how long a failing one takes.
"""

import time
from collections.abc import Callable
from typing import Final, TypeVar

PATIENCE: Final = 120.0
"""Seconds until something that has not happened counts as failed."""
INTERVAL: Final = 0.05

T = TypeVar("T")


def eventually(look: Callable[[], T], explain: Callable[[], object] = lambda: "", seconds: float = PATIENCE) -> T:
    """Call a function until it returns something true, and return that.

    Raises:
        AssertionError: It has not within the time; the message is the explanation and the last value.
    """
    end = time.monotonic() + seconds
    while not (value := look()):
        assert time.monotonic() < end, f"waited {seconds:.0f} s: {explain() or value!r}"
        time.sleep(INTERVAL)
    return value
