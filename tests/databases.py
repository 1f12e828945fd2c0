"""Databases with all tables and nothing in them, of which each costs a test next to nothing.

For SQLite a file is copied. A database of PostgreSQL takes many times as long to make as to empty, so a worker has one,
which its tests use one after the other.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import psycopg
from psycopg import sql

from tests.postgres import Maintenance
from treaty.store.engine.database import open_database
from treaty.store.migrations import migrate
from treaty.store.tables import metadata

_SIGNATURE: Final = "SELECT count(*), max(oid::bigint) FROM pg_class WHERE relnamespace = 'public'::regnamespace"
_OWNERS: Final = """
    SELECT sequence.relname, owner.relname FROM pg_depend
    JOIN pg_class AS sequence ON sequence.oid = objid AND sequence.relkind = 'S'
    JOIN pg_class AS owner ON owner.oid = refobjid
    WHERE pg_depend.classid = 'pg_class'::regclass AND deptype IN ('a', 'i')
"""
_COUNTED: Final = "SELECT sequencename FROM pg_sequences WHERE last_value IS NOT NULL"
_USED: Final = sql.SQL(" UNION ALL ").join(
    sql.SQL("SELECT {} WHERE EXISTS (SELECT FROM {})").format(sql.Literal(name), sql.Identifier(name))
    for name in metadata.tables
)


def migrated(url: str) -> None:
    """Make the tables of an empty database."""
    database = open_database(url, connections=1)
    migrate(database)
    database.close()


def copy(original: Path, path: Path) -> str:
    """Copy a database of SQLite, and give the URL of the copy."""
    shutil.copyfile(original, path)
    return f"sqlite:///{path}"


class Lender:
    """Lends one database of PostgreSQL to one test after the other, as if it were new each time.

    It gets another name each time, so that what a test has left running does not find it any more.
    """

    def __init__(self, server_url: str) -> None:
        self._maintenance = Maintenance(server_url)
        self._mine: _Mine | None = None

    @contextmanager
    def database(self) -> Iterator[str]:
        """Give the URL of a database with all tables and nothing in them."""
        mine = self._mine or self._made()
        yield mine.url
        mine.url = self._maintenance.rename(mine.url)
        if not mine.empty():
            self._drop(mine)

    def close(self) -> None:
        """Drop the database."""
        if self._mine:
            self._drop(self._mine)
        self._maintenance.close()

    def _made(self) -> "_Mine":
        url = self._maintenance.create()
        self._maintenance.plan_quickly(url)
        migrated(url)
        self._mine = _Mine(url)
        return self._mine

    def _drop(self, mine: "_Mine") -> None:
        self._maintenance.drop(mine.url)
        self._mine = None


class _Mine:
    """A database whose tables are known."""

    def __init__(self, url: str) -> None:
        self.url = url
        with psycopg.connect(url) as db:
            self._signature = db.execute(_SIGNATURE).fetchone()
            self._owners: dict[str, str] = dict(db.execute(_OWNERS).fetchall())

    def empty(self) -> bool:
        """Take out all that a test has left; or say that it has changed the tables, which is not undone."""
        with psycopg.connect(self.url, autocommit=True) as db:
            if db.execute(_SIGNATURE).fetchone() != self._signature:
                return False
            if left := self._left(db):
                names = sql.SQL(", ").join(map(sql.Identifier, sorted(left)))
                db.execute(sql.SQL("TRUNCATE {} RESTART IDENTITY CASCADE").format(names))
        return True

    def _left(self, db: psycopg.Connection) -> set[str]:
        """Name the tables that hold something, and those that have given numbers."""
        return {name for (name,) in db.execute(_USED)} | {
            self._owners[sequence] for (sequence,) in db.execute(_COUNTED)
        }
