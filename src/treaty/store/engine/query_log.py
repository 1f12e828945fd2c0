"""Runs queries with the database's driver, and can log them, so that a response can be revalidated later."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from typing import Any, Final, NamedTuple, Protocol

from sqlalchemy import Connection

RawRow = tuple[Any, ...]


class Cursor(Protocol):
    """Runs statements and returns their rows, as in both drivers."""

    @property
    def rowcount(self) -> int: ...

    def execute(self, sql: str, values: Sequence[Any], /) -> object: ...

    def fetchmany(self, size: int, /) -> list[RawRow]: ...

    def fetchall(self) -> list[RawRow]: ...

    def executemany(self, sql: str, rows: Sequence[Sequence[Any]], /) -> object: ...


class Driver(Protocol):
    """A connection of SQLite's or PostgreSQL's driver."""

    def execute(self, sql: str, values: Sequence[Any], /) -> Cursor: ...

    def cursor(self) -> Cursor: ...

    def pipeline(self) -> AbstractContextManager[object]:
        """Send statements without waiting for the results of earlier ones. Only PostgreSQL's driver has it."""
        ...


def driver_of(db: Connection) -> Driver:
    """Return the driver's connection."""
    return db.connection.dbapi_connection  # type: ignore[return-value]  # as SQLAlchemy types it for any driver


class _LoggedQuery(NamedTuple):
    sql: str
    values: Sequence[Any]
    only_first: bool
    rows: list[RawRow]


class QueryLog:
    """The queries that a response was computed from, with the rows that they returned."""

    __slots__ = ("_queries", "valid_until")

    def __init__(self) -> None:
        self._queries: list[_LoggedQuery] = []
        self.valid_until: datetime | None = None
        """When a row expires that the response depends on; None if none does."""

    def add(self, sql: str, values: Sequence[Any], *, only_first: bool, rows: list[RawRow]) -> None:
        """Log a query. The values are copied, since the caller may change its lists afterwards."""
        self._queries.append(_LoggedQuery(sql, tuple(values), only_first, rows))

    def is_valid_at(self, now: datetime) -> bool:
        return self.valid_until is None or now < self.valid_until

    def is_unchanged(self, db: Connection) -> bool:
        """Run the queries again, in their order, and return whether each returns the same rows.

        It stops at the first difference: later queries may have been chosen by the rows of earlier ones.
        """
        cursor = driver_of(db).cursor()
        for sql, values, only_first, rows in self._queries:
            cursor.execute(sql, values)
            if (cursor.fetchmany(1) if only_first else cursor.fetchall()) != rows:
                return False
        return True

    @property
    def row_count(self) -> int:
        """Number of rows in the log."""
        return sum(len(query.rows) for query in self._queries)


class _Current(threading.local):
    """The log of the request that this thread handles. Handlers are synchronous, so a thread has one at a time."""

    log: QueryLog | None = None


_CURRENT: Final = _Current()


@contextmanager
def logged_queries() -> Iterator[QueryLog]:
    """Log all queries that this thread runs within the context. Contexts are not nested."""
    log = _CURRENT.log = QueryLog()
    try:
        yield log
    finally:
        _CURRENT.log = None


def limit_validity(until: datetime) -> None:
    """Note that the response of this thread is only valid until a time, at which a row expires without a write."""
    if log := _CURRENT.log:
        log.valid_until = until if log.valid_until is None else min(until, log.valid_until)


def fetch(db: Connection, sql: str, values: Sequence[Any], *, only_first: bool) -> list[RawRow]:
    """Run a query, and return its rows as the driver returns them.

    All queries of the store's modules end here. A query that did not would be missing from the log, and a cached
    response could be outdated.
    """
    cursor = driver_of(db).execute(sql, values)
    rows = cursor.fetchmany(1) if only_first else cursor.fetchall()
    if log := _CURRENT.log:
        log.add(sql, values, only_first=only_first, rows=rows)
    return rows


def fetch_each(db: Connection, queries: Sequence[tuple[str, Sequence[Any]]]) -> list[list[RawRow]]:
    """Run queries on PostgreSQL, and return the rows of each. `pipelined` queries take one round trip together."""
    driver = driver_of(db)
    cursors = [driver.execute(sql, values) for sql, values in queries]
    rows_of_each = [cursor.fetchall() for cursor in cursors]
    if log := _CURRENT.log:
        for (sql, values), rows in zip(queries, rows_of_each, strict=True):
            log.add(sql, values, only_first=False, rows=rows)
    return rows_of_each
