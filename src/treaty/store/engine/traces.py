"""What was asked of the database for an answer, and what it said: while it says the same, the answer is the same.

So nothing that is kept can be out of date: the database is asked again each time, and all in one transaction. What is
spared is to make the answer of it once more. It must depend on the question and on the database alone.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, Generic, NamedTuple, TypeVar

from sqlalchemy import Connection, Executable

T = TypeVar("T")


class _LoggedQuery(NamedTuple):
    """A statement, for the driver or for SQLAlchemy, with its parameters, and what it found."""

    ask: str | Executable
    params: Any
    is_one: bool
    """Whether only the first row was looked at."""
    found: Any


class QueryLog:
    """Everything that was asked, in its order."""

    __slots__ = ("_said", "has_writes")

    def __init__(self) -> None:
        self._said: list[_LoggedQuery] = []
        self.has_writes = False
        """Whether something was not only asked but changed."""

    def record(self, ask: str, values: Any, found: Any, *, is_one: bool = False) -> None:
        """Note what the driver found."""
        self._said.append(_LoggedQuery(ask, tuple(values), is_one, found))

    def record_executed(self, statement: Executable, params: Mapping[str, Any], found: Any, *, is_one: bool) -> None:
        """Note what SQLAlchemy found."""
        own = {name: list(value) if isinstance(value, list) else value for name, value in params.items()}
        self._said.append(_LoggedQuery(statement, own, is_one, found))

    def is_unchanged(self, db: Connection) -> bool:
        """Ask everything again. Says whether it was found again."""
        driver: Any = db.connection.dbapi_connection
        for ask, params, is_one, found in self._said:
            if isinstance(ask, str):
                cursor = driver.execute(ask, params)
                said = cursor.fetchone() if is_one else cursor.fetchall()
            else:
                result = db.execute(ask, params)
                said = result.first() if is_one else result.all()
            if said != found:
                return False
        return True

    @property
    def row_count(self) -> int:
        """How many rows were found."""
        return sum(1 if one.is_one else len(one.found) for one in self._said)


class _Current(threading.local):
    query_log: QueryLog | None = None


CURRENT: Final = _Current()
"""The trace that this thread makes, if it makes one."""


@contextmanager
def recording_queries() -> Iterator[QueryLog]:
    """Note everything that this thread asks."""
    trace = CURRENT.query_log = QueryLog()
    try:
        yield trace
    finally:
        CURRENT.query_log = None


class _Kept(NamedTuple, Generic[T]):
    thing: T
    query_log: QueryLog
    size: int


MAX_SEEN_KEYS: Final = 4096
"""How many questions are known to have been asked before. What is asked but once is not kept."""
MAX_ENTRY_BYTES: Final = 2**20
"""Bytes of what is kept of one answer, at most."""
_ROW: Final = 400
"""Bytes that a row takes, about."""


class ResponseCache(Generic[T]):
    """Keeps what was made of what the database said, those asked for last, up to a size in bytes."""

    def __init__(self, size: int, size_of: Callable[[T], int]) -> None:
        self._most = size
        self._size_of = size_of
        self._size = 0
        self._kept: OrderedDict[Hashable, _Kept[T]] = OrderedDict()
        self._seen: set[int] = set()
        self._seen_before: set[int] = set()
        self._lock = threading.Lock()

    def get_or_compute(self, db: Connection, question: Hashable, make: Callable[[], T]) -> T:
        """Give what was made for a question while the database says the same to it, or else make it."""
        kept = self._kept.get(question)
        if kept is not None and kept.query_log.is_unchanged(db):
            with self._lock:
                if question in self._kept:
                    self._kept.move_to_end(question)
            return kept.thing
        if kept is None and self._is_new(question):
            return make()
        with recording_queries() as trace:
            thing = make()
        self._keep(question, thing, trace)
        return thing

    def _is_new(self, question: Hashable) -> bool:
        asked = hash(question)
        if asked in self._seen or asked in self._seen_before:
            return False
        self._seen.add(asked)
        if len(self._seen) > MAX_SEEN_KEYS:
            self._seen, self._seen_before = set(), self._seen
        return True

    def _keep(self, question: Hashable, thing: T, query_log: QueryLog) -> None:
        size = 1000 + self._size_of(thing) + _ROW * query_log.row_count
        with self._lock:
            if old := self._kept.pop(question, None):
                self._size -= old.size
            if query_log.has_writes or size > MAX_ENTRY_BYTES:
                return
            self._kept[question] = _Kept(thing, query_log, size)
            self._size += size
            while self._size > self._most:
                self._size -= self._kept.popitem(last=False)[1].size
