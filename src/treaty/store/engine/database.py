"""Connections and transactions, and the few verbs with which the store's modules ask and tell.

Writes are one transaction each and are run again when they lose a race, so what they are given may touch nothing but
the database. SQLite runs in WAL mode, one connection a thread, and a write takes the lock when it begins. On PostgreSQL
a read sees one snapshot, so that a decision never mixes two states.
"""

import random
import sqlite3
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache, partial
from math import ceil
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar, cast

from sqlalchemy import URL, Connection, Dialect, Engine, Executable, create_engine, event, make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.sql import ClauseElement

from treaty.errors import DatabaseReplaced, Invalid, InvalidSetting, Problem
from treaty.store.engine.database_files import DatabaseFiles, check_exists, find_path, forbid_creation
from treaty.store.engine.prepared import SQLITE, PreparedStatement, prepare

if TYPE_CHECKING:
    from sqlalchemy.sql.compiler import SQLCompiler

T = TypeVar("T")
N = TypeVar("N", bound=tuple[Any, ...])

MAX_ATTEMPTS: Final = 12
BUSY_TIMEOUT_SECONDS: Final = 10
STATEMENT_CACHE_SIZE: Final = 512
"""How many statements SQLite keeps ready; there are more than the driver keeps on its own."""


class Busy(Exception):
    """A write lost its race every time; nothing was written and it may be sent again."""


class Database(Protocol):
    """A place where Treaty keeps its data."""

    engine: Engine
    is_local: bool
    """Whether statements are so short that they run where the request is."""

    def read_once(self, work: Callable[[Connection], T], *, within: Connection | None = None) -> T: ...

    def read(self, work: Callable[[Connection], T]) -> T: ...

    def write(self, work: Callable[[Connection], T]) -> T: ...

    def checkpoint(self) -> None:
        """Bring what was written to where it stays, so that no write has to, and keep nobody waiting."""
        ...

    def close(self) -> None: ...


def open_database(
    url: str, *, connections: int = 8, wait: float = 5.0, must_exist: bool = False, may_create: bool = True
) -> Database:
    """Open the database behind a URL: `sqlite:///file` or `postgresql://…`.

    Raises WrongSetting for a URL that names neither, and, with `must_exist`, for a SQLite file that is not there.
    Unless it `may_create` a SQLite file, connecting raises DatabaseReplaced where there is none.
    """
    parsed = _parsed(url)
    if parsed.get_backend_name() == "sqlite":
        if must_exist:
            check_exists(parsed)
        return Sqlite(parsed if may_create else forbid_creation(parsed))
    if parsed.get_backend_name() == "postgresql":
        return Postgresql(parsed.set(drivername="postgresql+psycopg"), connections=connections, wait=wait)
    raise InvalidSetting(
        f"database_url: '{parsed.get_backend_name()}' is not a database that Treaty knows; use sqlite or postgresql"
    )


def _parsed(url: str) -> URL:
    try:
        return make_url("postgresql" + url.removeprefix("postgres") if url.startswith("postgres://") else url)
    except Exception as error:
        raise InvalidSetting(
            "database_url: cannot be read as an URL such as sqlite:///treaty.sqlite or postgresql://…"
        ) from error


class Sqlite:
    """A file, or memory of this process for trying things out."""

    is_local = True

    def __init__(self, url: URL) -> None:
        self.engine = create_engine(
            url,
            isolation_level="AUTOCOMMIT",
            connect_args={"timeout": BUSY_TIMEOUT_SECONDS, "cached_statements": STATEMENT_CACHE_SIZE},
        )
        event.listen(self.engine, "connect", _prepare_sqlite)
        self._mine = threading.local()
        self._all: list[Connection] = []
        self._connecting = threading.Lock()
        self._files: DatabaseFiles | None = None
        self._is_rescued = False

    def read_once(self, work: Callable[[Connection], T], *, within: Connection | None = None) -> T:
        """Run what asks a single question."""
        return work(within or self._connection())

    def read(self, work: Callable[[Connection], T]) -> T:
        """Run what only asks, within one state of the data. Raises DatabaseReplaced."""
        if self._files is not None:
            self._files.check_if_due()
        return self._within("BEGIN", work)

    def write(self, work: Callable[[Connection], T]) -> T:
        """Run what changes something, whole or not at all.

        Raises DatabaseReplaced, also when a file was replaced while the transaction ran: the commit went to a file that
        is lost, so it must not be acknowledged.
        """
        try:
            return _run_again(lambda: self._write_checked(work))
        except DatabaseReplaced:
            self._rescue()
            raise

    def _write_checked(self, work: Callable[[Connection], T]) -> T:
        self._check_files()  # so that a refused write is not found in a file that is put back
        try:
            result = self._within("BEGIN IMMEDIATE", work)
        except (DBAPIError, sqlite3.Error):
            self._check_files()  # a more useful reason than SQLite's own
            raise
        self._check_files()
        return result

    def _check_files(self) -> None:
        if self._files is not None:
            self._files.check()

    def _rescue(self) -> None:
        """Copy the write-ahead log to the database file once, as closing would: the file may only have been moved."""
        if not self._is_rescued:
            self._is_rescued = True
            with suppress(DBAPIError, sqlite3.Error):
                self.checkpoint()

    def checkpoint(self) -> None:
        """Bring what is in the log into the file, as far as nobody has to wait for it."""
        self._connection().exec_driver_sql("PRAGMA wal_checkpoint(PASSIVE)").close()

    def close(self) -> None:
        """Close every connection; whoever is still working fails."""
        for connection in self._all:
            connection.close()
        self.engine.dispose()

    def _within(self, begin: str, work: Callable[[Connection], T]) -> T:
        connection = self._connection()
        driver: sqlite3.Connection = connection.connection.dbapi_connection  # type: ignore[assignment]  # as SQLAlchemy types it for any driver
        driver.execute(begin)
        try:
            result = work(connection)
            driver.execute("COMMIT")
        except BaseException:
            if driver.in_transaction:
                driver.execute("ROLLBACK")
            raise
        return result

    def _connection(self) -> Connection:
        connection: Connection | None = getattr(self._mine, "connection", None)
        if connection is None:
            connection = self._mine.connection = self._connected()
        return connection

    def _connected(self) -> Connection:
        """Connect, and remember the files that the first connection opened."""
        with self._connecting:
            self._check_files()  # to connect would create a file that is missing
            connection = self._new_connection()
            self._all.append(connection)
            if self._files is None:
                self._files = _opened_files(connection)
            self._check_files()
            return connection

    def _new_connection(self) -> Connection:
        try:
            return self.engine.connect()
        except (DBAPIError, sqlite3.Error) as error:
            path = find_path(self.engine.url)
            if path is None or path.exists():
                raise
            raise DatabaseReplaced(str(path)) from error


def _opened_files(connection: Connection) -> DatabaseFiles | None:
    """Return the files that a connection has open, or None for a database in memory."""
    # Reading a page opens the write-ahead log, so all files exist from here on until the last connection is closed.
    connection.exec_driver_sql("PRAGMA schema_version").close()
    path = connection.exec_driver_sql("PRAGMA database_list").all()[0][2]
    return DatabaseFiles(path) if path else None


def _prepare_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    for pragma in (
        "journal_mode = WAL",
        "synchronous = FULL",
        "foreign_keys = ON",
        "cache_size = -65536",
        "temp_store = MEMORY",
    ):
        connection.execute(f"PRAGMA {pragma}").close()


def _patience(url: URL, wait: float) -> dict[str, int]:
    """Give a server up that does not answer, and notice one that is gone, unless the URL says how long to wait."""
    usual = {"connect_timeout": ceil(wait), "keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3}
    return {name: value for name, value in usual.items() if name not in url.query}


def _prepare_postgresql(connection: Any, _record: object) -> None:
    """Spare short statements the compiler, which takes longer than they do."""
    connection.autocommit = True
    connection.execute("SET jit = off")
    connection.autocommit = False


class Postgresql:
    """A server; statements wait for it, so they run in threads."""

    is_local = False

    def __init__(self, url: URL, *, connections: int, wait: float) -> None:
        self.engine = create_engine(
            url,
            pool_size=connections,
            max_overflow=0,
            pool_timeout=wait,
            pool_recycle=3600,
            connect_args=_patience(url, wait),
        )
        event.listen(self.engine, "connect", _prepare_postgresql)
        self._reading = self.engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        self._glancing = self.engine.execution_options(isolation_level="AUTOCOMMIT")
        self._error = self.engine.dialect.loaded_dbapi.Error
        dialect = _positional(self.engine)
        event.listen(self.engine, "connect", lambda _, record: record.info.update({_DIALECT: dialect}))

    def read_once(self, work: Callable[[Connection], T], *, within: Connection | None = None) -> T:
        """Run what asks a single question, without the way there and back that a transaction takes."""
        return work(within) if within is not None else _run_again(lambda: self._at_once(work))

    def _at_once(self, work: Callable[[Connection], T]) -> T:
        with self._glancing.connect() as connection:
            return self._told(connection, work)

    def _told(self, db: Connection, work: Callable[[Connection], T]) -> T:
        """Run something; what the driver says of a failure is said as SQLAlchemy does."""
        try:
            return work(db)
        except self._error as error:
            raise self._failure(db, error) from error

    def _failure(self, db: Connection, error: Any) -> DBAPIError:
        """Say as SQLAlchemy does what failed. What was prepared for a table that has changed since is lost, too."""
        is_lost = error.sqlstate == _OUTDATED or db.dialect.is_disconnect(error, db.connection.dbapi_connection, None)
        if is_lost:
            db.invalidate()
        said: DBAPIError = DBAPIError.instance(
            None, None, error, self._error, connection_invalidated=is_lost, dialect=db.dialect
        )
        return said

    def read(self, work: Callable[[Connection], T]) -> T:
        """Run what only asks, within one state of the data."""
        return _run_again(lambda: self._within(self._reading, work))

    def write(self, work: Callable[[Connection], T]) -> T:
        """Run what changes something, whole or not at all."""
        return _run_again(lambda: self._within(self.engine, work))

    def checkpoint(self) -> None:
        """Leave it to PostgreSQL, which does so by itself."""

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()

    def _within(self, engine: Engine, work: Callable[[Connection], T]) -> T:
        with engine.connect() as connection, connection.begin():
            return self._told(connection, work)


def _run_again(attempt: Callable[[], T]) -> T:
    for number in range(MAX_ATTEMPTS):
        try:
            return attempt()
        except (DBAPIError, sqlite3.Error) as error:
            _check_size(error)
            if not _is_lost_race(error):
                raise
            if number == MAX_ATTEMPTS - 1:
                raise Busy from error
        except PoolTimeout as error:
            raise Busy from error
        time.sleep(random.uniform(0, 0.002 * 2 ** min(number, 6)))  # noqa: S311 - only spreads out who lost
    raise Busy


def _check_size(error: DBAPIError | sqlite3.Error) -> None:
    """Tell a text that is too long for an index of PostgreSQL from a failure. Raises Invalid."""
    if isinstance(error, DBAPIError) and getattr(error.orig, "sqlstate", None) == "54000":
        raise Invalid(Problem((), "a name in the request is too long")) from error


_OUTDATED: Final = "0A000"
"""What PostgreSQL says of a prepared statement whose columns have become others."""
_LOST: Final = {"40001", "40P01", "23505", "23503", "55P03", "57P01"}
"""Serialization failure, deadlock, unique or foreign key lost to another write, lock not available, server stopping."""
_LOST_ON_SQLITE: Final = (
    "SQLITE_BUSY",
    "SQLITE_LOCKED",
    "SQLITE_CONSTRAINT_UNIQUE",
    "SQLITE_CONSTRAINT_PRIMARYKEY",
    "SQLITE_CONSTRAINT_FOREIGNKEY",
)


def _is_lost_race(error: DBAPIError | sqlite3.Error) -> bool:
    cause = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(cause, sqlite3.Error):
        return getattr(cause, "sqlite_errorname", "").startswith(_LOST_ON_SQLITE)
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return True
    return getattr(cause, "sqlstate", None) in _LOST


Params = object
"""A mapping, or an object whose attributes are named as the statement's parameters are."""


def fetch_one(db: Connection, statement: Executable, params: Params, kind: type[T]) -> T | None:
    """Find one row and make a `kind` of it, whose fields are named as the columns are."""
    row = fetch_first(db, statement, params)
    return None if row is None else kind(**row._asdict())


def fetch_all(db: Connection, statement: Executable, params: Params, kind: type[T]) -> list[T]:
    """List all rows, each as a `kind`."""
    return [kind(**row._asdict()) for row in fetch_rows(db, statement, params)]


def fetch_first(db: Connection, statement: Executable, params: Params) -> Any:
    """Find the first row, or None."""
    values = _values(statement, params)
    return _prepared(db, statement, values).first(db, values)


def fetch_rows(db: Connection, statement: Executable, params: Params) -> Sequence[Any]:
    """List all rows as they are."""
    values = _values(statement, params)
    return _prepared(db, statement, values).all(db, values)


def fetch_tuples(db: Connection, statement: Executable, params: Params, kind: type[N]) -> list[N]:
    """List all rows as tuples of a kind whose fields are in the order of the columns: for lists that are long."""
    values = _values(statement, params)
    return _prepared(db, statement, values).all(db, values, partial(tuple.__new__, kind))


def fetch_column(db: Connection, statement: Executable, params: Params) -> list[Any]:
    """List the first column of all rows."""
    values = _values(statement, params)
    return _prepared(db, statement, values).all(db, values, itemgetter(0))


def fetch_scalar(db: Connection, statement: Executable, params: Params) -> Any:
    """Find the first column of the first row, or None."""
    row = fetch_first(db, statement, params)
    return None if row is None else row[0]


def execute(db: Connection, statement: Executable, params: Params) -> int:
    """Change something; return the number of rows."""
    values = _values(statement, params)
    return _prepared(db, statement, values).run(db, values)


_DIALECT: Final = "treaty_dialect"
"""Where a connection has how statements are written that SQLAlchemy does not execute."""


def _positional(engine: Engine) -> Dialect:
    """Make a dialect for statements whose parameters are found by their places."""
    dialect: Any = type(engine.dialect)
    made: Dialect = dialect(paramstyle="format")
    return made


def _prepared(db: Connection, statement: Executable, values: Mapping[str, Any]) -> PreparedStatement:
    dialect = SQLITE if db.dialect.name == "sqlite" else db.info[_DIALECT]
    return prepare(statement, values, dialect)


def _values(statement: Executable, params: Params) -> Mapping[str, Any]:
    if type(params) is dict or isinstance(params, Mapping):  # to ask for a Mapping takes as long as a short statement
        return params
    return {name: getattr(params, name) for name in _names(statement)}


@lru_cache(maxsize=1024)
def _names(statement: Executable) -> tuple[str, ...]:
    assert isinstance(statement, ClauseElement)  # noqa: S101 - every statement of ours is one
    binds = cast("SQLCompiler", statement.compile()).binds
    return tuple(name for name, bind in binds.items() if bind.required)
