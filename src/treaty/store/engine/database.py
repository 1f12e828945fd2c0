"""Connections, transactions, and the functions with which the store's modules execute statements.

A write is one transaction, which runs again if it loses a race with another write. The function that it runs may
therefore have no side effects outside of the database. SQLite runs in WAL mode with one connection per thread, and a
write takes the write lock when it begins. On PostgreSQL a read sees one snapshot, so a decision never mixes two states.
"""

import random
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import lru_cache, partial
from math import ceil
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final, NoReturn, Protocol, TypeVar, cast

from sqlalchemy import URL, Connection, Engine, Executable, create_engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import NullPool
from sqlalchemy.sql import ClauseElement

from treaty.errors import DatabaseReplaced, Invalid, InvalidSetting, Problem
from treaty.store.engine import query_log
from treaty.store.engine.database_faults import describe_first_line, is_error_in_statement
from treaty.store.engine.database_files import DatabaseFiles, create_private, find_path, forbid_creation
from treaty.store.engine.database_urls import parse_url
from treaty.store.engine.file_checks import check_file
from treaty.store.engine.postgresql_sql import build_postgresql_dialect
from treaty.store.engine.prepared import SQLITE, PreparedStatement, prepare

if TYPE_CHECKING:
    from sqlalchemy.sql.compiler import SQLCompiler

T = TypeVar("T")
N = TypeVar("N", bound=tuple[Any, ...])

MAX_ATTEMPTS: Final = 12
"""Attempts of a transaction that loses its race each time. With the random pauses between them, they take about 0.4
seconds."""
BUSY_TIMEOUT_SECONDS: Final = 10
"""Seconds for which SQLite waits for the write lock of another process, and for which a transaction is repeated."""
DEFAULT_CACHE_BYTES: Final = 16 * 2**20
"""Memory for pages of a SQLite file in the connection of the main thread, which has the event loop and so handles
nearly all requests, or runs a command."""
_OTHER_CACHE_SHARE: Final = 8
"""The part of it, as a divisor, for the connection of each other thread. A server has up to twenty, most of them for
background work and rare requests; the system's own cache holds the same pages."""
_IMPATIENT_TIMEOUT_MS: Final = 10
"""Milliseconds for which SQLite waits for that lock in a thread that must not be blocked."""
PREPARE_AFTER: Final = 2
"""Executions after which a connection to PostgreSQL prepares a statement. Until then, each execution plans it."""
MAX_PREPARED: Final = 500
"""Prepared statements of a connection. A busy server has about 200, more than the driver would keep."""
STATEMENT_CACHE_SIZE: Final = 512
"""Number of prepared statements per SQLite connection. Treaty has more than the driver's default of 128."""


class Busy(Exception):
    """A transaction lost its race in every attempt, or no connection was free; nothing was written."""


class Unavailable(Busy):
    """The database cannot be used at the moment, as while it restarts or its disk is full.

    The text is the reason for the log, and the cause is the driver's error. If the connection was lost during a commit,
    it is unknown whether that write was committed.
    """


class Database(Protocol):
    """A database with its connections."""

    engine: Engine
    is_local: bool
    """Whether statements are short enough to run on the event loop."""

    def read_once(self, work: Callable[[Connection], T], *, within: Connection | None = None) -> T:
        """Run a function that executes a single query, outside of a transaction or `within` one that is open."""
        ...

    def read(self, work: Callable[[Connection], T]) -> T:
        """Run a function that only executes queries; all of them see the same state of the data."""
        ...

    def write(self, work: Callable[[Connection], T]) -> T:
        """Run a function in a transaction, again if it loses a race. Raises Busy after MAX_ATTEMPTS."""
        ...

    def forbid_waiting(self) -> None:
        """Raise Busy in this thread, such as that of the event loop, instead of waiting for a lock of a local file."""
        ...

    def write_in_snapshot(self, work: Callable[[Connection], T]) -> T:
        """Write as `write` does; all queries of the function see the same state of the data."""
        ...

    def checkpoint(self) -> None:
        """Move committed data to its final place without blocking anyone, so that no write has to do so."""
        ...

    def erase_deleted_data(self) -> bool:
        """Overwrite the data that was deleted or replaced, which otherwise remains in a file for some time.

        Returns False if other processes have prevented this.
        """
        ...

    def close(self) -> None: ...


def open_database(
    url: str,
    *,
    connections: int = 8,
    wait: float = 5.0,
    cache_bytes: int = DEFAULT_CACHE_BYTES,
    must_exist: bool = False,
    may_create: bool = True,
) -> Database:
    """Open the database at a URL: `sqlite:///file` or `postgresql://…`.

    `connections` and `wait` (seconds until a connection is free or made) concern PostgreSQL, and `cache_bytes` concerns
    the pages of SQLite. Raises InvalidSetting for
    any other URL, and UnusableDatabase for a SQLite file that is not Treaty's or, with `must_exist`, is missing.
    Without `may_create`, connecting raises DatabaseReplaced if the file is missing.
    """
    parsed = parse_url(url)
    if parsed.get_backend_name() == "sqlite":
        check_file(parsed, must_exist=must_exist)
        parsed = parsed.set(drivername="sqlite")
        return Sqlite(parsed if may_create else forbid_creation(parsed), cache_bytes=cache_bytes)
    if parsed.get_backend_name() == "postgresql":
        return Postgresql(parsed.set(drivername="postgresql+psycopg"), connections=connections, wait=wait)
    raise InvalidSetting(
        f"database_url: '{parsed.get_backend_name()}' is not a database that Treaty supports; use sqlite or postgresql"
    )


class Sqlite:
    """A SQLite file, or a database in the memory of this process to try Treaty out.

    SQLAlchemy's transactions are not used: `_run_transaction` begins them itself, since a write must be IMMEDIATE.
    """

    is_local = True

    def __init__(self, url: URL, *, cache_bytes: int) -> None:
        self.engine = create_engine(
            url,
            isolation_level="AUTOCOMMIT",
            connect_args={"timeout": BUSY_TIMEOUT_SECONDS, "cached_statements": STATEMENT_CACHE_SIZE},
        )
        event.listen(self.engine, "connect", partial(_configure_sqlite, cache_bytes))
        self._thread_local = threading.local()
        self._connections: list[Connection] = []
        self._connecting = threading.Lock()
        self._files: DatabaseFiles | None = None
        self._is_rescued = False

    def read_once(self, work: Callable[[Connection], T], *, within: Connection | None = None) -> T:
        if within is not None:
            return work(within)
        try:
            return work(self._connection())
        except (DBAPIError, sqlite3.Error) as error:
            _raise_failure(error)

    def read(self, work: Callable[[Connection], T]) -> T:
        """Run queries in one transaction. Raises DatabaseReplaced."""
        if self._files is not None:
            self._files.check_if_due()
        try:
            return self._run_transaction("BEGIN", work)
        except (DBAPIError, sqlite3.Error) as error:
            _raise_failure(error)

    def write(self, work: Callable[[Connection], T]) -> T:
        """Run a function in a transaction that holds the write lock from its beginning.

        Raises DatabaseReplaced, also if a file was replaced while the transaction ran: the commit went to a file that
        is lost, so it must not be acknowledged.
        """
        try:
            return _retry_lost_races(lambda: self._write_checked(work), can_wait=self._can_wait())
        except DatabaseReplaced:
            self._rescue()
            raise

    def write_in_snapshot(self, work: Callable[[Connection], T]) -> T:
        """Write as `write` does: no other transaction writes meanwhile."""
        return self.write(work)

    def _write_checked(self, work: Callable[[Connection], T]) -> T:
        self._check_files()  # so that a file that is moved back does not contain a write that was refused
        try:
            # A deferred transaction that upgrades from reading to writing fails at once if another write was first,
            # whatever the busy timeout. An immediate one waits its turn before it reads anything.
            result = self._run_transaction("BEGIN IMMEDIATE", work)
        except (DBAPIError, sqlite3.Error):
            self._check_files()  # a missing file explains the failure better than SQLite's error
            raise
        self._check_files()
        return result

    def _check_files(self) -> None:
        if self._files is not None:
            self._files.check()

    def _rescue(self) -> None:
        """Copy the write-ahead log into the database file, once.

        The file may only have been moved, and the log beside its old path would be lost.
        """
        if not self._is_rescued:
            self._is_rescued = True
            with suppress(DBAPIError, sqlite3.Error):
                self.checkpoint()

    def forbid_waiting(self) -> None:
        self._thread_local.can_wait = False
        self._connection().exec_driver_sql(f"PRAGMA busy_timeout = {_IMPATIENT_TIMEOUT_MS}").close()

    def _can_wait(self) -> bool:
        return getattr(self._thread_local, "can_wait", True)

    def checkpoint(self) -> None:
        """Copy the write-ahead log into the database file, up to what a reader or writer still uses."""
        self._connection().exec_driver_sql("PRAGMA wal_checkpoint(PASSIVE)").close()

    def erase_deleted_data(self) -> bool:
        """Write the whole file again, and empty the write-ahead log. Needs free disk space for a copy."""
        connection = self._connection()
        # A copy in memory, as for other temporary data, could be too large.
        for statement in ("PRAGMA temp_store = FILE", "VACUUM", "PRAGMA temp_store = MEMORY"):
            connection.exec_driver_sql(statement).close()
        # The log stays as it is while another connection reads from it.
        is_busy, *_ = connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").all()[0]
        return not is_busy

    def close(self) -> None:
        """Close every connection. Statements that still run in other threads fail."""
        for connection in self._connections:
            connection.close()
        self.engine.dispose()

    def _run_transaction(self, begin: str, work: Callable[[Connection], T]) -> T:
        connection = self._connection()
        driver: sqlite3.Connection = connection.connection.dbapi_connection  # type: ignore[assignment]  # as SQLAlchemy types it for any driver
        driver.execute(begin)
        try:
            result = work(connection)
            driver.execute("COMMIT")
        except BaseException:  # also KeyboardInterrupt: the connection is used again and must not stay in a transaction
            if driver.in_transaction:  # some errors, such as a full disk, have already rolled back
                driver.execute("ROLLBACK")
            raise
        return result

    def _connection(self) -> Connection:
        """Return this thread's connection, which stays open: its prepared statements and page cache are reused."""
        connection: Connection | None = getattr(self._thread_local, "connection", None)
        if connection is None:
            connection = self._thread_local.connection = self._add_connection()
        return connection

    def _add_connection(self) -> Connection:
        """Connect. The first connection's files are those that all later checks compare with."""
        with self._connecting:
            self._check_files()  # connecting would create a missing file
            if self._files is None:
                create_private(self.engine.url)
            connection = self._connect()
            self._connections.append(connection)
            if self._files is None:
                self._files = _find_open_files(connection)
            self._check_files()
            return connection

    def _connect(self) -> Connection:
        try:
            return self.engine.connect()
        except (DBAPIError, sqlite3.Error) as error:
            path = find_path(self.engine.url)
            if path is None or path.exists():
                raise
            raise DatabaseReplaced(str(path)) from error


def _find_open_files(connection: Connection) -> DatabaseFiles | None:
    """Return the files that a connection has open, or None for a database in memory."""
    # Reading a page opens the write-ahead log. From here on all files exist until the last connection is closed.
    connection.exec_driver_sql("PRAGMA schema_version").close()
    path = connection.exec_driver_sql("PRAGMA database_list").all()[0][2]
    return DatabaseFiles(path) if path else None


def _configure_sqlite(cache_bytes: int, connection: sqlite3.Connection, _record: object) -> None:
    for pragma in (
        "journal_mode = WAL",  # readers do not block the writer, nor the writer readers
        "synchronous = FULL",  # an acknowledged write survives a power failure; NORMAL might lose the last commits
        "foreign_keys = ON",  # off by default in SQLite
        f"cache_size = -{_share_cache(cache_bytes) // 1024}",
        "temp_store = MEMORY",
    ):
        connection.execute(f"PRAGMA {pragma}").close()


def _share_cache(cache_bytes: int) -> int:
    return cache_bytes if threading.current_thread() is threading.main_thread() else cache_bytes // _OTHER_CACHE_SHARE


def _connection_timeouts(url: URL, wait: float) -> dict[str, int]:
    """Build libpq's parameters for timeouts, in seconds; the URL's own take precedence.

    Without keepalives, a server that disappears without closing its connections would block threads for hours.
    """
    defaults = {"connect_timeout": ceil(wait), "keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3}
    return {name: value for name, value in defaults.items() if name not in url.query}


def _configure_postgresql(connection: Any, _record: object) -> None:
    """Turn JIT compilation off: it takes longer than the short statements here.

    A pooler such as PgBouncer may run each transaction on another connection to the database, which has neither the
    settings nor the prepared statements of this one. It is detected by the process id: a pooler makes up its own.
    """
    connection.autocommit = True  # in a transaction, a rollback would undo the setting
    (process_id,) = connection.execute("SELECT pg_backend_pid()").fetchone()
    if process_id == connection.info.backend_pid:
        connection.execute("SET jit = off")
        connection.prepare_threshold = PREPARE_AFTER
        connection.prepared_max = MAX_PREPARED
    else:
        connection.prepare_threshold = None
    connection.autocommit = False


class Postgresql:
    """A PostgreSQL server. Statements wait for the network, so they run in threads."""

    is_local = False

    def __init__(self, url: URL, *, connections: int, wait: float) -> None:
        self._timeouts = _connection_timeouts(url, wait)
        self.engine = create_engine(
            url,
            pool_size=connections,
            max_overflow=0,  # PostgreSQL limits connections, so the setting is a maximum
            pool_timeout=wait,
            pool_recycle=3600,  # firewalls and load balancers drop old connections silently
            connect_args=self._timeouts,
        )
        event.listen(self.engine, "connect", _configure_postgresql)
        self._snapshot_engine = self.engine.execution_options(
            isolation_level="REPEATABLE READ", postgresql_readonly=True
        )
        self._writing_snapshot_engine = self.engine.execution_options(isolation_level="REPEATABLE READ")
        self._autocommit_engine = self.engine.execution_options(isolation_level="AUTOCOMMIT")
        self._driver_error = self.engine.dialect.loaded_dbapi.Error
        dialect_class: Any = type(self.engine.dialect)
        dialect = build_postgresql_dialect(dialect_class)
        event.listen(self.engine, "connect", lambda _, record: record.info.update({_DIALECT_KEY: dialect}))

    def read_once(self, work: Callable[[Connection], T], *, within: Connection | None = None) -> T:
        """Run a function that executes a single query; without the round trips of a transaction if none is open."""
        return work(within) if within is not None else _retry_lost_races(lambda: self._run_in_autocommit(work))

    def _run_in_autocommit(self, work: Callable[[Connection], T]) -> T:
        with self._autocommit_engine.connect() as connection:
            return self._run(connection, work)

    def _run(self, db: Connection, work: Callable[[Connection], T]) -> T:
        """Run a function, and raise the driver's errors as SQLAlchemy's, since statements bypass SQLAlchemy."""
        try:
            return work(db)
        except self._driver_error as error:
            raise self._wrap_error(db, error) from error

    def _wrap_error(self, db: Connection, error: Any) -> DBAPIError:
        """Wrap the driver's error as SQLAlchemy would, and discard the connection if it is unusable.

        A connection is also unusable if it has statements that were prepared before a migration altered their table.
        """
        is_lost = error.sqlstate == _OUTDATED_PLAN or db.dialect.is_disconnect(
            error, db.connection.dbapi_connection, None
        )
        if is_lost:
            db.invalidate()
        wrapped_error: DBAPIError = DBAPIError.instance(
            None, None, error, self._driver_error, connection_invalidated=is_lost, dialect=db.dialect
        )
        return wrapped_error

    def read(self, work: Callable[[Connection], T]) -> T:
        """Run queries in one read-only transaction, which sees one snapshot."""
        return _retry_lost_races(lambda: self._run_transaction(self._snapshot_engine, work))

    def write(self, work: Callable[[Connection], T]) -> T:
        """Run a function in a transaction. Actions lock the rows that their decisions depend on."""
        return _retry_lost_races(lambda: self._run_transaction(self.engine, work))

    def forbid_waiting(self) -> None:
        """Do nothing: nothing here runs on the event loop."""

    def write_in_snapshot(self, work: Callable[[Connection], T]) -> T:
        """Run a function in a transaction whose queries see one snapshot, for writes of what they have read."""
        return _retry_lost_races(lambda: self._run_transaction(self._writing_snapshot_engine, work))

    def checkpoint(self) -> None:
        """Do nothing: PostgreSQL makes its own checkpoints."""

    def erase_deleted_data(self) -> bool:
        """Do nothing: PostgreSQL's own vacuum does so, and neither queries nor dumps contain deleted data."""
        return True

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()

    @contextmanager
    def connect_separately(self) -> Iterator[Connection]:
        """Open a connection beside the others, in autocommit mode, for statements that cannot be in a transaction."""
        engine = create_engine(
            self.engine.url, poolclass=NullPool, isolation_level="AUTOCOMMIT", connect_args=self._timeouts
        )
        with engine.connect() as connection:
            yield connection

    def _run_transaction(self, engine: Engine, work: Callable[[Connection], T]) -> T:
        with engine.connect() as connection, connection.begin():
            return self._run(connection, work)


def _retry_lost_races(attempt: Callable[[], T], *, can_wait: bool = True) -> T:
    """Run a transaction until it no longer loses a race. Raises Busy after MAX_ATTEMPTS or BUSY_TIMEOUT_SECONDS.

    Without `can_wait`, the first lost race raises Busy.
    """
    last = time.monotonic() + (BUSY_TIMEOUT_SECONDS if can_wait else 0)
    for number in range(MAX_ATTEMPTS):
        try:
            return attempt()
        except (DBAPIError, sqlite3.Error) as error:
            _check_index_size(error)
            if not _is_lost_race(error):
                _raise_failure(error)
            if number == MAX_ATTEMPTS - 1 or time.monotonic() > last:
                raise Busy from error
        except PoolTimeout as error:  # every connection was in use for as long as a client should wait
            raise Busy from error
        # Exponential backoff with full jitter, so that the transactions that collided do not collide again.
        time.sleep(random.uniform(0, 0.002 * 2 ** min(number, 6)))  # noqa: S311 - not a secret
    raise Busy


def _raise_failure(error: DBAPIError | sqlite3.Error) -> NoReturn:
    """Raise Busy for a lock, Unavailable for another fault of the database, or the error, which is the statement's."""
    if getattr(error, "sqlite_errorname", "").startswith(_LOCKS_OF_SQLITE):
        raise Busy from error
    if is_error_in_statement(error):
        raise error
    raise Unavailable(describe_first_line(error)) from error


def _check_index_size(error: DBAPIError | sqlite3.Error) -> None:
    """Raise Invalid if a text was too long for an index of PostgreSQL, which is the client's mistake."""
    if isinstance(error, DBAPIError) and getattr(error.orig, "sqlstate", None) == "54000":  # program limit exceeded
        raise Invalid(Problem((), "a name in the request is too long")) from error


_OUTDATED_PLAN: Final = "0A000"
"""SQLSTATE of "cached plan must not change result type": a migration altered a table of a prepared statement."""
_LOST_RACE_SQLSTATES: Final = {"40001", "40P01", "23505", "23503", "23502", "55P03", "57P01"}
"""Serialization failure, deadlock, unique or foreign key lost to another write, missing value, lock not available,
server stopping.

A value is missing where a statement finds an id by a name that another write has changed or removed. A unique key
counts, because a row that does not exist yet cannot be locked: two writes that add the same pacticipant collide on its
key, and the second then finds it in its next attempt.
"""
_LOCKS_OF_SQLITE: Final = ("SQLITE_BUSY", "SQLITE_LOCKED")
_LOST_RACES_ON_SQLITE: Final = (
    *_LOCKS_OF_SQLITE,
    "SQLITE_CONSTRAINT_UNIQUE",
    "SQLITE_CONSTRAINT_PRIMARYKEY",
    "SQLITE_CONSTRAINT_FOREIGNKEY",
)


def _is_lost_race(error: DBAPIError | sqlite3.Error) -> bool:
    cause = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(cause, sqlite3.Error):
        return getattr(cause, "sqlite_errorname", "").startswith(_LOST_RACES_ON_SQLITE)
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return True  # a transaction whose connection was lost is repeated on another connection
    return getattr(cause, "sqlstate", None) in _LOST_RACE_SQLSTATES


Params = object
"""A mapping, or an object with an attribute for each of the statement's parameters."""


def fetch_one(db: Connection, statement: Executable, params: Params, kind: type[T]) -> T | None:
    """Return the first row as a `kind`, whose fields have the columns' names, or None."""
    row = fetch_first(db, statement, params)
    return None if row is None else kind(**row._asdict())


def fetch_all(db: Connection, statement: Executable, params: Params, kind: type[T]) -> list[T]:
    """Return all rows, each as a `kind`, whose fields have the columns' names."""
    return [kind(**row._asdict()) for row in fetch_rows(db, statement, params)]


def fetch_first(db: Connection, statement: Executable, params: Params) -> Any:
    """Return the first row, or None."""
    prepared, values = _prepare(db, statement, params)
    return prepared.first(db, values)


def fetch_rows(db: Connection, statement: Executable, params: Params) -> Sequence[Any]:
    """Return all rows as named tuples."""
    prepared, values = _prepare(db, statement, params)
    return prepared.all(db, values)


def fetch_rows_of_each(db: Connection, queries: Sequence[tuple[Executable, Params]]) -> list[Sequence[Any]]:
    """Run queries, and return the rows of each as named tuples.

    If they are `pipelined`, they take PostgreSQL one round trip together.
    """
    if db.dialect.name == "sqlite":
        return [fetch_rows(db, statement, params) for statement, params in queries]
    prepared = [_prepare(db, statement, params) for statement, params in queries]
    rows_of_each = query_log.fetch_each(db, [(query.sql, query.values(values)) for query, values in prepared])
    return [query.convert_all(rows) for (query, _), rows in zip(prepared, rows_of_each, strict=True)]


@contextmanager
def pipelined(db: Connection) -> Iterator[None]:
    """Send the statements within the context to PostgreSQL without waiting for each, which saves their round trips.

    A query waits for its own rows, and so for all statements before it. A statement that fails raises its error at the
    next query, or at the end of the context. The number of rows that `execute` returns is not known within it.
    """
    if db.dialect.name == "sqlite":
        yield
        return
    with query_log.driver_of(db).pipeline():
        yield


def fetch_tuples(db: Connection, statement: Executable, params: Params, kind: type[N]) -> list[N]:
    """Return all rows, each as a named tuple of a `kind` whose fields are in the order of the columns.

    This is the fastest way to read long lists.
    """
    prepared, values = _prepare(db, statement, params)
    # The constructor of a named tuple counts its arguments each time.
    return prepared.all(db, values, partial(tuple.__new__, kind))


def fetch_column(db: Connection, statement: Executable, params: Params) -> list[Any]:
    """Return the first column of all rows."""
    prepared, values = _prepare(db, statement, params)
    return prepared.all(db, values, itemgetter(0))


def fetch_scalar(db: Connection, statement: Executable, params: Params) -> Any:
    """Return the first column of the first row, or None."""
    row = fetch_first(db, statement, params)
    return None if row is None else row[0]


def execute(db: Connection, statement: Executable, params: Params) -> int:
    """Execute a statement that changes data, and return the number of rows."""
    prepared, values = _prepare(db, statement, params)
    return prepared.run(db, values)


def execute_many(db: Connection, statement: Executable, rows: Sequence[Mapping[str, Any]]) -> None:
    """Execute a statement that changes data for each row of parameters, with few round trips."""
    if rows:
        _prepare(db, statement, rows[0])[0].run_many(db, rows)


_DIALECT_KEY: Final = "treaty_dialect"
"""Key in a connection's `info` of the dialect for statements that bypass SQLAlchemy."""


def _prepare(db: Connection, statement: Executable, params: Params) -> tuple[PreparedStatement, Mapping[str, Any]]:
    """Return the prepared statement for parameters, and these as a mapping."""
    # Nearly all are dictionaries, and the check for other mappings takes as long as a short statement.
    values = params if type(params) is dict else _read_attributes(statement, params)
    dialect = SQLITE if db.dialect.name == "sqlite" else db.info[_DIALECT_KEY]
    return prepare(statement, values, dialect), values


def _read_attributes(statement: Executable, params: Params) -> Mapping[str, Any]:
    if isinstance(params, Mapping):
        return params
    return {name: getattr(params, name) for name in _parameter_names(statement)}


@lru_cache(maxsize=1024)
def _parameter_names(statement: Executable) -> tuple[str, ...]:
    assert isinstance(statement, ClauseElement)  # noqa: S101 - true of every statement of Treaty
    binds = cast("SQLCompiler", statement.compile()).binds
    return tuple(name for name, bind in binds.items() if bind.required)
