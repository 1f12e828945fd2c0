"""What one process remembers about passwords: those being verified, those verified lately, and recorded successes.

All of it is in memory and may be lost; the counters that limit guessing are in the database, for all processes.
"""

import time
from collections import Counter, OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Final

from treaty.model.accounts.throttling import PAIR_LIMIT, compute_counter_keys
from treaty.web.security.request_credentials import BasicCredentials

VERIFICATION_LIFETIME: Final = 300.0
"""Seconds for which a verified password need not be hashed again."""
TRUST_RECORD_INTERVAL: Final = 86_400.0
"""Seconds after which the success of an account from an address is recorded again."""
MAX_ENTRIES: Final = 1000
"""Entries of each cache. The oldest are dropped first, which costs one more verification or write."""


class PendingVerifications:
    """Passwords that are being verified. Requests with the same credentials wait for each other."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._credential_locks: dict[bytes, Lock] = {}
        self._request_counts: Counter[bytes] = Counter()
        self._counts_by_pair: dict[str, Counter[bytes]] = {}

    def may_exhaust_limit(self, credentials: BasicCredentials, address: str | None) -> bool:
        """Whether so many different passwords of a name are pending for an address that they may exhaust the limit."""
        counts_by_pair = self._counts_by_pair
        if not counts_by_pair:  # the usual case, checked first because computing the pair's key takes longer
            return False
        pending = counts_by_pair.get(_pair_key(credentials, address), ())
        return len(pending) >= PAIR_LIMIT.allowed_failures

    @contextmanager
    def add(self, credentials: BasicCredentials, address: str | None) -> Iterator[Lock]:
        """Count credentials as pending. Yields the lock that all requests with the same credentials share."""
        key, pair = credentials.cache_key, _pair_key(credentials, address)
        with self._lock:
            credential_lock = self._credential_locks.setdefault(key, Lock())
            pair_counts = self._counts_by_pair.setdefault(pair, Counter())
            self._request_counts[key] += 1
            pair_counts[key] += 1
        try:
            yield credential_lock
        finally:
            with self._lock:
                if _decrement(self._request_counts, key):
                    del self._credential_locks[key]
                if _decrement(pair_counts, key) and not pair_counts:
                    del self._counts_by_pair[pair]


def _decrement(counts: Counter[bytes], key: bytes) -> bool:
    """Decrement a count. At zero, remove the key and return True."""
    counts[key] -= 1
    return not counts[key] and not counts.pop(key)


def _pair_key(credentials: BasicCredentials, address: str | None) -> str:
    return compute_counter_keys(credentials.name, address, is_known=True).pair


class VerifiedPasswords:
    """Passwords that were verified lately, each with the hash that it matched.

    Hashing takes long on purpose. An entry counts only for the same hash, so a changed password is verified again.
    """

    def __init__(self) -> None:
        self._entries: OrderedDict[bytes, tuple[str, float]] = OrderedDict()

    def has_any(self, credentials: BasicCredentials) -> bool:
        """Whether a password was verified lately. It may have been changed since."""
        entry = self._entries.get(credentials.cache_key)
        return entry is not None and entry[1] + VERIFICATION_LIFETIME > time.monotonic()

    def has(self, credentials: BasicCredentials, password_hash: str | None, *, since: float = 0.0) -> bool:
        """Whether a password was verified against this hash lately, and not before `since` (of the monotonic clock)."""
        entry = self._entries.get(credentials.cache_key)
        if entry is None or entry[0] != password_hash:
            return False
        return entry[1] >= max(since, time.monotonic() - VERIFICATION_LIFETIME)

    def forget(self, credentials: BasicCredentials) -> None:
        self._entries.pop(credentials.cache_key, None)

    def add(self, credentials: BasicCredentials, password_hash: str) -> None:
        self._entries[credentials.cache_key] = password_hash, time.monotonic()
        while len(self._entries) > MAX_ENTRIES:
            self._entries.popitem(last=False)


class RecordedSuccesses:
    """Pairs of account and address whose success was recorded lately, so that not every request writes."""

    def __init__(self) -> None:
        self._due_at: OrderedDict[str, float] = OrderedDict()

    def mark_if_due(self, pair: str) -> bool:
        """Return whether a success must be recorded now; if so, regard it as recorded."""
        if self._due_at.get(pair, 0.0) > time.monotonic():
            return False
        self._due_at[pair] = time.monotonic() + TRUST_RECORD_INTERVAL
        while len(self._due_at) > MAX_ENTRIES:
            self._due_at.popitem(last=False)
        return True
