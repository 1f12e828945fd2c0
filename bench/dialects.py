"""Logging of executed statements for recordings, and their replay by the floor, on SQLite and on PostgreSQL."""

import asyncio
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from enum import Enum
from typing import Any, Final, NamedTuple, Protocol, cast

import psycopg
from psycopg import IsolationLevel
from sqlalchemy import Engine, event

from treaty.store.engine.database import Database

THREADS: Final = 8
"""Threads of the floor, each with a connection: as many as the application has by default."""
MAX_ATTEMPTS: Final = 12
"""Attempts of a transaction that loses a race: as many as the application makes."""


class Access(Enum):
    """Method of `Database` that ran the statements. It determines the kind of transaction."""

    READ_ONCE = "read_once"
    READ = "read"
    WRITE = "write"
    WRITE_IN_SNAPSHOT = "write_in_snapshot"


class Execution(NamedTuple):
    """A statement that the driver executed, with its parameters, or with a row of parameters for each execution."""

    sql: str
    parameters: Sequence[Any]
    has_rows: bool = False


Transactions = Sequence[tuple[Access, Sequence[Execution]]]


class Replayer(Protocol):
    """Executes transactions with the driver alone, on connections with the settings of the application."""

    async def replay(self, transactions: Transactions) -> None:
        """Execute transactions in their order."""

    def close(self) -> None:
        """Close the connections."""


class Dialect(Protocol):
    """SQLite or PostgreSQL."""

    def log_executions(self, engine: Engine) -> list[Execution]:
        """Return the list to which new connections of an engine append their executions. A process has only one."""
        ...

    def make_repeatable(self, sql: str) -> str:
        """Make inserts into the usage index ignore existing rows, since the floor repeats the recorded ids."""
        ...

    def open_replayer(self, database: Database) -> Replayer: ...


def find_dialect(database: Database) -> Dialect:
    """Return the dialect of a database."""
    return SqliteDialect() if database.engine.dialect.name == "sqlite" else PostgresDialect()


_EXECUTIONS: Final[list[Execution]] = []


class _SqliteCursor(sqlite3.Cursor):
    """A cursor that logs its executions."""

    def execute(self, sql: str, parameters: Any = (), /) -> "_SqliteCursor":
        _EXECUTIONS.append(Execution(sql, _copy(parameters)))
        super().execute(sql, parameters)
        return self

    def executemany(self, sql: str, rows: Any, /) -> "_SqliteCursor":
        rows = list(rows)
        _EXECUTIONS.append(Execution(sql, tuple(map(_copy, rows)), has_rows=True))
        super().executemany(sql, rows)
        return self


class _SqliteConnection(sqlite3.Connection):
    """A connection whose cursors log their executions."""

    def cursor(self, factory: Any = _SqliteCursor) -> Any:
        return super().cursor(factory)

    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        cursor: sqlite3.Cursor = self.cursor().execute(sql, parameters)
        return cursor


def _copy(parameters: Sequence[Any]) -> tuple[Any, ...]:
    """Copy parameters. Unlike `memoryview`, the copies can be sent to another process."""
    return tuple(bytes(value) if isinstance(value, memoryview) else value for value in parameters)


def _log_executions(engine: Engine, **options: Any) -> list[Execution]:
    """Have an engine connect with these options of the driver, whose classes log executions, and return the log."""

    def set_options(_dialect: object, _record: object, _arguments: object, driver_options: dict[str, Any]) -> None:
        driver_options.update(options)

    event.listen(engine, "do_connect", set_options)
    return _EXECUTIONS


class SqliteDialect:
    """SQLite. Statements run on the event loop, as those of the application do."""

    def log_executions(self, engine: Engine) -> list[Execution]:
        return _log_executions(engine, factory=_SqliteConnection)

    def make_repeatable(self, sql: str) -> str:
        return sql.replace("INSERT INTO usage_", "INSERT OR IGNORE INTO usage_", 1)

    def open_replayer(self, database: Database) -> Replayer:
        return _SqliteReplayer(database)


class _SqliteReplayer:
    _BEGIN: Final = {
        Access.READ: "BEGIN",
        Access.WRITE: "BEGIN IMMEDIATE",
        Access.WRITE_IN_SNAPSHOT: "BEGIN IMMEDIATE",
    }

    def __init__(self, database: Database) -> None:
        self._pooled = database.engine.raw_connection()
        self._connection: Any = self._pooled.driver_connection

    async def replay(self, transactions: Transactions) -> None:
        for access, executions in transactions:
            begin = self._BEGIN.get(access)
            if begin:
                self._connection.execute(begin)
            _execute(self._connection, executions)
            if begin:
                self._connection.execute("COMMIT")

    def close(self) -> None:
        self._pooled.close()


def _execute(connection: Any, executions: Sequence[Execution]) -> None:
    for sql, parameters, has_rows in executions:
        if has_rows:
            connection.cursor().executemany(sql, parameters)
            continue
        cursor = connection.execute(sql, parameters)
        if cursor.description:
            cursor.fetchall()


class _PostgresCursor(psycopg.Cursor[Any]):
    """A cursor that logs its executions."""

    def execute(self, query: Any, params: Any = None, **options: Any) -> "_PostgresCursor":
        _EXECUTIONS.append(Execution(query, tuple(params or ())))
        super().execute(query, params, **options)
        return self

    def executemany(self, query: Any, params_seq: Any, **options: Any) -> None:
        rows = list(params_seq)
        _EXECUTIONS.append(Execution(query, tuple(map(tuple, rows)), has_rows=True))
        super().executemany(query, rows, **options)


class PostgresDialect:
    """PostgreSQL. Statements run in threads, since the event loop must not wait for another process."""

    def log_executions(self, engine: Engine) -> list[Execution]:
        return _log_executions(engine, cursor_factory=_PostgresCursor)

    def make_repeatable(self, sql: str) -> str:
        return f"{sql} ON CONFLICT DO NOTHING" if sql.startswith("INSERT INTO usage_") else sql

    def open_replayer(self, database: Database) -> Replayer:
        return _PostgresReplayer(database)


class _PostgresReplayer:
    """A pool of threads, each with a connection."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._threads = ThreadPoolExecutor(THREADS)
        self._own = threading.local()
        self._sessions: list[_PostgresSession] = []

    async def replay(self, transactions: Transactions) -> None:
        await asyncio.get_running_loop().run_in_executor(self._threads, self._run, transactions)

    def _run(self, transactions: Transactions) -> None:
        session: _PostgresSession | None = getattr(self._own, "session", None)
        if session is None:
            session = self._own.session = _PostgresSession(self._database)
            self._sessions.append(session)
        for access, executions in transactions:
            session.run(access, executions)

    def close(self) -> None:
        self._threads.shutdown()
        for session in self._sessions:
            session.close()


class _PostgresSession:
    """A connection, and the access for which it is prepared."""

    _ISOLATION: Final = {
        Access.READ: (IsolationLevel.REPEATABLE_READ, True),
        Access.WRITE: (IsolationLevel.READ_COMMITTED, False),
        Access.WRITE_IN_SNAPSHOT: (IsolationLevel.REPEATABLE_READ, False),
    }

    def __init__(self, database: Database) -> None:
        self._pooled = database.engine.raw_connection()
        self._connection: psycopg.Connection[Any] = cast("psycopg.Connection[Any]", self._pooled.driver_connection)
        self._access: Access | None = None

    def close(self) -> None:
        self._prepare(Access.WRITE)
        self._pooled.close()

    def run(self, access: Access, executions: Sequence[Execution]) -> None:
        """Run a transaction, and repeat it if it loses a race."""
        self._prepare(access)
        for _ in range(MAX_ATTEMPTS - 1):
            try:
                with self._transaction():
                    _execute(self._connection, executions)
            except (psycopg.IntegrityError, psycopg.OperationalError):
                continue
            return
        with self._transaction():
            _execute(self._connection, executions)

    def _prepare(self, access: Access) -> None:
        if access is self._access:
            return
        self._connection.autocommit = access is Access.READ_ONCE
        if access in self._ISOLATION:
            self._connection.isolation_level, self._connection.read_only = self._ISOLATION[access]
        self._access = access

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        try:
            yield
            self._connection.commit()
        except BaseException:
            self._connection.rollback()
            raise
