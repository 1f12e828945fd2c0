"""Databases with all tables and nothing in them, of which each costs a test next to nothing.

For SQLite a file is copied. A database of PostgreSQL takes many times as long to make as to empty, so a worker has one,
which its tests use one after the other. The connections to it that were opened with `open_kept` stay open, too.
"""

import shutil
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, TypeVar

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import Connection, event

from tests.postgres import Maintenance
from treaty.store.engine.database import Database, open_database
from treaty.store.migrations import migrate
from treaty.store.tables import metadata

T = TypeVar("T")

on_sqlite: Final = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
"""Runs a test on SQLite alone, because its statements are not what it tests."""

_SIGNATURE: Final = "SELECT count(*), max(oid::bigint) FROM pg_class WHERE relnamespace = 'public'::regnamespace"
_OTHERS: Final = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
_RESTART: Final = """
    SELECT setval(seqrelid::regclass, seqstart, false) FROM pg_sequence
    WHERE pg_sequence_last_value(seqrelid) IS NOT NULL
"""
_USED: Final = sql.SQL(" UNION ALL ").join(
    sql.SQL("SELECT {name}, pg_table_size({name}) WHERE EXISTS (SELECT FROM {table})").format(
        name=sql.Literal(table.name), table=sql.Identifier(table.name)
    )
    for table in reversed(metadata.sorted_tables)
)
_LARGE: Final = 1_000_000
"""Bytes of a table that is truncated. Smaller ones are emptied row by row, which is faster, but leaves dead rows."""
_ATTEMPTS: Final = 20
_MAX_USES: Final = 25
"""Tests that use the same connections. Each application listens to their pool, and goes on listening."""


def migrated(url: str) -> None:
    """Make the tables of an empty database."""
    database = open_database(url, connections=1)
    migrate(database)
    database.close()


def copy(original: Path, path: Path) -> str:
    """Copy a database of SQLite, and give the URL of the copy."""
    shutil.copyfile(original, path)
    return f"sqlite:///{path}"


def create_missing_file(url: str) -> None:
    """Create the file of a SQLite database with all tables, for its owner alone as a server does, if it is missing."""
    path = Path(url.removeprefix("sqlite:///"))
    if url.startswith("sqlite:////") and path.parent.is_dir() and not path.exists():
        path.touch(0o600)
        path.write_bytes(_empty_sqlite())


@cache
def _empty_sqlite() -> bytes:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "treaty.sqlite"
        migrated(f"sqlite:///{path}")
        return path.read_bytes()


class _Kept:
    """A database of PostgreSQL whose connections stay open: connecting takes longer than most tests."""

    is_local = False

    def __init__(self, url: str, connections: int) -> None:
        self._database = open_database(url, connections=connections)
        self.connections = connections
        self.uses = 1
        self.engine = self._database.engine
        self.pids: set[int] = set()
        """The processes of the server that answer its connections."""
        self.is_free = False
        event.listen(self.engine, "connect", lambda driver, _: self.pids.add(driver.info.backend_pid))

    def read_once(self, work: Callable[[Connection], T], *, within: Connection | None = None) -> T:
        return self._database.read_once(work, within=within)

    def read(self, work: Callable[[Connection], T]) -> T:
        return self._database.read(work)

    def write(self, work: Callable[[Connection], T]) -> T:
        return self._database.write(work)

    def forbid_waiting(self) -> None:
        self._database.forbid_waiting()

    def write_in_snapshot(self, work: Callable[[Connection], T]) -> T:
        return self._database.write_in_snapshot(work)

    def checkpoint(self) -> None:
        self._database.checkpoint()

    def erase_deleted_data(self) -> bool:
        return self._database.erase_deleted_data()

    def close(self) -> None:
        """Let the next test have it."""
        self.is_free = True

    def dispose(self) -> None:
        self._database.close()


_kept: defaultdict[str, list[_Kept]] = defaultdict(list)


class _CompiledStatements(dict[tuple[Any, ...], Any]):
    """SQLAlchemy's cache of compiled statements for all SQLite databases.

    Each database has a dialect of its own, which is the first part of a key, but they all compile alike.
    """

    def get(self, key: tuple[Any, ...], default: Any = None) -> Any:
        return super().get(key[1:], default)

    def __setitem__(self, key: tuple[Any, ...], compiled: Any) -> None:
        super().__setitem__(key[1:], compiled)


_compiled: Final = _CompiledStatements()


def open_kept(url: str, *, connections: int = 8) -> Database:
    """Open a test's database as `open_database` does. Its connections stay open for the next test when it is closed."""
    if url.startswith("sqlite"):
        opened = open_database(url)
        opened.engine.update_execution_options(compiled_cache=_compiled)
        return opened
    kept = _kept[url]
    for database in [database for database in kept if database.is_free and database.connections == connections]:
        if database.uses < _MAX_USES:
            database.is_free = False
            database.uses += 1
            return database
        kept.remove(database)
        database.dispose()
    kept.append(_Kept(url, connections))
    return kept[-1]


def open_new(path: Path) -> Database:
    """Create a file of SQLite with all tables, and open it. Copying a file takes a tenth of the time of migrations."""
    url = f"sqlite:///{path}"
    create_missing_file(url)
    return open_kept(url)


class Lender:
    """Lends one database of PostgreSQL to one test after the other, as if it were new each time.

    What a test has left running is put out, and the database gets another name, so that it is not found any more.
    """

    def __init__(self, server_url: str) -> None:
        self._maintenance = Maintenance(server_url)
        self._mine: _Mine | None = None

    @contextmanager
    def database(self) -> Iterator[str]:
        """Give the URL of a database with all tables and nothing in them."""
        mine = self._mine or self._create()
        yield mine.url
        if not mine.is_left_alone():
            mine.close()
            mine.url = self._maintenance.rename(mine.url)
        if not mine.empty():
            self._drop(mine)

    def close(self) -> None:
        """Drop the database."""
        if self._mine:
            self._drop(self._mine)
        self._maintenance.close()

    def _create(self) -> "_Mine":
        url = self._maintenance.create()
        self._maintenance.plan_quickly(url)
        migrated(url)
        self._mine = _Mine(url)
        return self._mine

    def _drop(self, mine: "_Mine") -> None:
        mine.close()
        self._maintenance.drop(mine.url)
        self._mine = None


class _Mine:
    """A database whose tables are known."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._connection: psycopg.Connection | None = None
        self._signature = self._db.execute(_SIGNATURE).fetchone()

    @property
    def _db(self) -> psycopg.Connection:
        if self._connection is None:
            self._connection = psycopg.connect(self.url, autocommit=True)
        return self._connection

    def close(self) -> None:
        """Close all connections of this process."""
        for database in _kept.pop(self.url, []):
            database.dispose()
        if self._connection:
            self._connection.close()
            self._connection = None

    def is_left_alone(self) -> bool:
        """Whether only databases that are kept were connected to this one, and all of them were closed.

        A process of the server ends some time after its client has disconnected.
        """
        kept = _kept[self.url]
        if not kept or not all(database.is_free for database in kept):
            return False
        for _ in range(_ATTEMPTS):
            others = {pid for (pid,) in self._db.execute(_OTHERS)}
            if others <= set[int]().union(*(database.pids for database in kept)):
                return True
            time.sleep(0.002)
        return False

    def empty(self) -> bool:
        """Take out all that a test has left; or say that it has changed the tables, which is not undone."""
        if self._db.execute(_SIGNATURE).fetchone() != self._signature:
            return False
        used = self._db.execute(_USED).fetchall()
        names = [sql.Identifier(name) for name, _ in used]
        if any(size > _LARGE for _, size in used):
            self._db.execute(sql.SQL("TRUNCATE {} CASCADE").format(sql.SQL(", ").join(names)))
        else:
            for name in names:  # those that refer to others come first
                self._db.execute(sql.SQL("DELETE FROM {}").format(name))
        self._db.execute(_RESTART)
        return True
