"""Waiting for events with a timeout that is long enough for slow and busy machines.

A passing test waits no longer than the event takes, so the timeout only affects failing tests.
"""

import time
from collections.abc import Callable
from typing import Final, TypeVar

PATIENCE: Final = 120.0
"""Timeout in seconds."""
INTERVAL: Final = 0.05

T = TypeVar("T")


def eventually(look: Callable[[], T], explain: Callable[[], object] = lambda: "", seconds: float = PATIENCE) -> T:
    """Call a function until it returns a true value, and return the value.

    Raises:
        AssertionError: The time is over. The message is the explanation, or the last value.
    """
    end = time.monotonic() + seconds
    while not (value := look()):
        assert time.monotonic() < end, f"waited {seconds:.0f} s: {explain() or value!r}"
        time.sleep(INTERVAL)
    return value
