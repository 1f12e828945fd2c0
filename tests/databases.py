"""Databases with all tables and no rows, which take a test little time.

For SQLite, a file is copied. A PostgreSQL database takes much longer to create than to empty, so each worker has one,
which its tests use in turn. Connections that were opened with `open_kept` stay open for the next test, too.
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
"""Runs a test on SQLite alone, because it does not test statements."""

_SIGNATURE: Final = "SELECT count(*), max(oid::bigint) FROM pg_class WHERE relnamespace = 'public'::regnamespace"
_OTHER_PROCESSES: Final = (
    "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
)
_RESTART_SEQUENCES: Final = """
    SELECT setval(seqrelid::regclass, seqstart, false) FROM pg_sequence
    WHERE pg_sequence_last_value(seqrelid) IS NOT NULL
"""
_NONEMPTY_TABLES: Final = sql.SQL(" UNION ALL ").join(
    sql.SQL("SELECT {name}, pg_table_size({name}) WHERE EXISTS (SELECT FROM {table})").format(
        name=sql.Literal(table.name), table=sql.Identifier(table.name)
    )
    for table in reversed(metadata.sorted_tables)
)
_LARGE: Final = 1_000_000
"""Bytes from which a table is truncated. For smaller ones, DELETE is faster, but leaves dead rows."""
_ATTEMPTS: Final = 20
_MAX_USES: Final = 25
"""Tests that share connections. Each application adds listeners to their pool, which are never removed."""


def migrated(url: str) -> None:
    """Create the tables of an empty database."""
    database = open_database(url, connections=1)
    migrate(database)
    database.close()


def copy(original: Path, path: Path) -> str:
    """Copy a SQLite database, and return the URL of the copy."""
    shutil.copyfile(original, path)
    return f"sqlite:///{path}"


def create_missing_file(url: str) -> None:
    """Create the file of a SQLite database with all tables if it is missing. Only its owner can read it."""
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


class _PooledDatabase:
    """A PostgreSQL database whose connections stay open, since connecting takes longer than most tests."""

    is_local = False

    def __init__(self, url: str, connections: int) -> None:
        self._database = open_database(url, connections=connections)
        self.connections = connections
        self.uses = 1
        self.engine = self._database.engine
        self.pids: set[int] = set()
        """Ids of the server processes of its connections."""
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
        """Release the database for the next test."""
        self.is_free = True

    def dispose(self) -> None:
        self._database.close()


_kept: defaultdict[str, list[_PooledDatabase]] = defaultdict(list)


class _CompiledStatements(dict[tuple[Any, ...], Any]):
    """SQLAlchemy's cache of compiled statements for all SQLite databases.

    Each database has a dialect object of its own, which is the first part of a key, but all of them compile to the same
    SQL, so the keys are stored without it.
    """

    def get(self, key: tuple[Any, ...], default: Any = None) -> Any:
        return super().get(key[1:], default)

    def __setitem__(self, key: tuple[Any, ...], compiled: Any) -> None:
        super().__setitem__(key[1:], compiled)


_compiled: Final = _CompiledStatements()


def open_kept(url: str, *, connections: int = 8) -> Database:
    """Open a database like `open_database`. When it is closed, its connections stay open for the next test."""
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
    kept.append(_PooledDatabase(url, connections))
    return kept[-1]


def open_new(path: Path) -> Database:
    """Create a SQLite file with all tables, and open it. A copy takes a tenth of the time of migrations."""
    url = f"sqlite:///{path}"
    create_missing_file(url)
    return open_kept(url)


class Lender:
    """Lends a PostgreSQL database to one test after the other, empty each time.

    If a test leaves connections open, they are terminated, and the database is renamed so that they cannot reconnect.
    """

    def __init__(self, server_url: str) -> None:
        self._maintenance = Maintenance(server_url)
        self._lent: _LentDatabase | None = None

    @contextmanager
    def database(self) -> Iterator[str]:
        """Yield the URL of a database with all tables and no rows."""
        lent = self._lent or self._create()
        yield lent.url
        if not lent.is_released():
            lent.close()
            lent.url = self._maintenance.rename(lent.url)
        if not lent.delete_rows():
            self._drop(lent)

    def close(self) -> None:
        """Drop the database."""
        if self._lent:
            self._drop(self._lent)
        self._maintenance.close()

    def _create(self) -> "_LentDatabase":
        url = self._maintenance.create()
        self._maintenance.plan_quickly(url)
        migrated(url)
        self._lent = _LentDatabase(url)
        return self._lent

    def _drop(self, lent: "_LentDatabase") -> None:
        lent.close()
        self._maintenance.drop(lent.url)
        self._lent = None


class _LentDatabase:
    """The database of a lender, with the signature of its tables, by which changes of the schema are recognized."""

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

    def is_released(self) -> bool:
        """Return whether the test has closed all of its connections, apart from pooled ones.

        This is checked several times, since a server process ends some time after its client has disconnected.
        """
        kept = _kept[self.url]
        if not kept or not all(database.is_free for database in kept):
            return False
        for _ in range(_ATTEMPTS):
            others = {pid for (pid,) in self._db.execute(_OTHER_PROCESSES)}
            if others <= set[int]().union(*(database.pids for database in kept)):
                return True
            time.sleep(0.002)
        return False

    def delete_rows(self) -> bool:
        """Delete all rows. Return False if the test has changed the schema, which cannot be undone."""
        if self._db.execute(_SIGNATURE).fetchone() != self._signature:
            return False
        nonempty = self._db.execute(_NONEMPTY_TABLES).fetchall()
        names = [sql.Identifier(name) for name, _ in nonempty]
        if any(size > _LARGE for _, size in nonempty):
            self._db.execute(sql.SQL("TRUNCATE {} CASCADE").format(sql.SQL(", ").join(names)))
        else:
            for name in names:  # those that refer to others come first
                self._db.execute(sql.SQL("DELETE FROM {}").format(name))
        self._db.execute(_RESTART_SEQUENCES)
        return True
