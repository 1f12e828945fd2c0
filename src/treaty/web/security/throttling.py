"""Throttling within one process, where counting in the database would itself be the load to avoid."""

from collections import OrderedDict
from dataclasses import replace
from datetime import datetime
from threading import Lock
from typing import Final

from treaty.errors import Throttled
from treaty.model.accounts.throttling import PAIR_LIMIT, FailureCounter, normalize_source

_MAX_ADDRESSES: Final = 10_000


class SetupThrottle:
    """Counts invalid setup links by address.

    A link has 256 random bits and cannot be guessed, so this only limits the load. Processes need not share it.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._counters: OrderedDict[str, FailureCounter] = OrderedDict()

    def count_failure(self, address: str | None, now: datetime) -> None:
        """Count an invalid link. Raises Throttled if there were too many before it."""
        source, _ = normalize_source(address)
        with self._lock:
            counter = self._counters.pop(source, None)
            if counter is None or counter.is_expired(now):
                counter = FailureCounter(key=source, count=0, latest=now)
            seconds = PAIR_LIMIT.remaining_wait(counter, now)
            self._counters[source] = counter if seconds else replace(counter, count=counter.count + 1, latest=now)
            while len(self._counters) > _MAX_ADDRESSES:
                self._counters.popitem(last=False)
        if seconds:
            raise Throttled(seconds, "Too many invalid setup links from this address.")
