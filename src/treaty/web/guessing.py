"""Wrong passwords: how many are looked at, by account and address, before the next one has to wait."""

from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil
from threading import Lock
from typing import Final

from treaty.errors import Throttled
from treaty.model.access import key_of

FREE: Final = 5
"""Wrong passwords of one account from one address that cost nothing."""
FREE_OF_ADDRESS: Final = 100
"""Wrong passwords from one address, whatever the account."""
LONGEST_WAIT: Final = 300
_FORGOTTEN: Final = timedelta(minutes=15)
_MOST: Final = 10_000
"""Pairs that are remembered; those that were quiet longest are forgotten first."""

Key = tuple[str, ...]


@dataclass(slots=True)
class _Failures:
    count: int
    latest: datetime


class Throttle:
    """Counts wrong passwords. An account is never locked: from another address it is as if nothing had happened."""

    def __init__(self) -> None:
        self._failures: OrderedDict[Key, _Failures] = OrderedDict()
        self._lock = Lock()

    def check(self, name: str, address: str | None, *, now: datetime) -> None:
        """Raises Throttled where the next password has to wait."""
        with self._lock:
            waits = [self._wait(key, free, now) for key, free in _keys(name, address)]
        if max(waits) > 0:
            raise Throttled(ceil(max(waits)))

    def _wait(self, key: Key, free: int, now: datetime) -> float:
        found = self._failures.get(key)
        if found is None or found.count < free:
            return 0
        if now - found.latest > _FORGOTTEN:
            del self._failures[key]
            return 0
        seconds: int = min(1 << min(found.count - free, 20), LONGEST_WAIT)
        return (found.latest - now).total_seconds() + seconds

    def note_failure(self, name: str, address: str | None, *, now: datetime) -> None:
        with self._lock:
            for key, _ in _keys(name, address):
                before = self._failures.pop(key, None)
                is_over = before is None or now - before.latest > _FORGOTTEN
                self._failures[key] = _Failures(1 if is_over or before is None else before.count + 1, now)
            while len(self._failures) > _MOST:
                self._failures.popitem(last=False)

    def note_success(self, name: str, address: str | None) -> None:
        with self._lock:
            self._failures.pop((address or "", key_of(name)), None)


def _keys(name: str, address: str | None) -> tuple[tuple[Key, int], tuple[Key, int]]:
    return ((address or "", key_of(name)[:200]), FREE), ((address or "",), FREE_OF_ADDRESS)
