"""Cache of responses, revalidated by running their queries again.

A cached response is never older than the database: before it is returned, all queries that it was computed from run
again, in one transaction. The cache saves what follows the queries, most of all rendering. See decision 9 for the
alternatives.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from datetime import datetime
from typing import Final, Generic, NamedTuple, TypeVar

from sqlalchemy import Connection

from treaty.store.engine.query_log import QueryLog, logged_queries

T = TypeVar("T")

MAX_ENTRY_BYTES: Final = 2**20
"""Size of an entry from which on it is not cached, so that a few large ones do not evict all others."""
MAX_REQUESTED: Final = 8192
"""Number of keys that are remembered, by their hashes, as requested before."""
_ENTRY_BYTES: Final = 1000
_ROW_BYTES: Final = 400
"""Memory that an entry and each row of its query log take, roughly, besides the response itself."""


class _Entry(NamedTuple, Generic[T]):
    value: T
    queries: QueryLog
    size: int


class ResponseCache(Generic[T]):
    """The least recently used values are evicted when all together exceed a size in bytes."""

    def __init__(self, max_bytes: int, size_of: Callable[[T], int]) -> None:
        self._max_bytes = max_bytes
        self._size_of = size_of
        self._bytes = 0
        self._requested: set[int] = set()
        self._entries: OrderedDict[Hashable, _Entry[T]] = OrderedDict()
        self._lock = threading.Lock()

    def get_or_compute(self, db: Connection, key: Hashable, compute: Callable[[], T], *, now: datetime) -> T:
        """Return the cached value if its queries still return the same rows; otherwise compute it.

        It is cached from the second request on. Raises whatever `compute` raises; nothing is cached then.
        The value must depend on nothing but the key, the rows that the store's functions return within `compute`, and
        whether these have expired (`limit_validity`).
        """
        entry = self._find(key)
        if entry is not None and entry.queries.is_valid_at(now) and entry.queries.is_unchanged(db):
            return entry.value
        if entry is None and self._is_first_request(key):
            return compute()
        with logged_queries() as queries:
            value = compute()
        self._store(key, _Entry(value, queries, self._entry_size(value, queries)))
        return value

    def _is_first_request(self, key: Hashable) -> bool:
        """Whether the key is new. Many requests are never repeated, so their queries are not worth logging."""
        key_hash = hash(key)
        if key_hash in self._requested:
            return False
        if len(self._requested) >= MAX_REQUESTED:
            self._requested.clear()
        self._requested.add(key_hash)
        return True

    def _find(self, key: Hashable) -> _Entry[T] | None:
        with self._lock:
            entry = self._entries.get(key)
            if entry is not None:
                self._entries.move_to_end(key)
            return entry

    def _entry_size(self, value: T, queries: QueryLog) -> int:
        return _ENTRY_BYTES + self._size_of(value) + _ROW_BYTES * queries.row_count

    def _store(self, key: Hashable, entry: _Entry[T]) -> None:
        with self._lock:
            if outdated := self._entries.pop(key, None):
                self._bytes -= outdated.size
            if entry.size > MAX_ENTRY_BYTES:
                return
            self._entries[key] = entry
            self._bytes += entry.size
            while self._bytes > self._max_bytes:
                _, evicted = self._entries.popitem(last=False)
                self._bytes -= evicted.size
