"""Upgrades of PostgreSQL while other servers use the tables: they block neither reads nor writes for long."""

import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta

import psycopg
import pytest
from sqlalchemy import Connection, event, text

from tests import postgres
from tests.waiting import PATIENCE, eventually
from treaty import app
from treaty.settings import Settings
from treaty.store.engine.database import Postgresql, open_database
from treaty.store.migrations import HEAD, migrate, revision, run_migrations

BEFORE = "0019"
"""The last revision before those that are checked here."""
IS_BUILDING = (
    "SELECT FROM pg_stat_activity"
    " WHERE query LIKE '%INDEX CONCURRENTLY%ix_version_number%' AND wait_event_type = 'Lock'"
)


@pytest.fixture
def url(postgres_url: str) -> Iterator[str]:
    """A database with the tables of an earlier version."""
    with postgres.database(postgres_url) as url:
        with closing(open_database(url)) as database:
            database.write(lambda db: run_migrations(db, BEFORE))
        yield url


@pytest.fixture
def database(url: str) -> Iterator[Postgresql]:
    with closing(open_database(url, connections=1)) as database:
        assert isinstance(database, Postgresql)
        yield database


def test_no_migration_reads_or_rewrites_a_table_under_a_lock_that_blocks_writes(database: Postgresql) -> None:
    """An index built in the transaction takes a ShareLock; a table that is written again gets another file."""
    locks: list[str] = []
    files = list_files(database)

    def look(db: Connection) -> None:
        rows = db.exec_driver_sql(
            "SELECT relname FROM pg_locks JOIN pg_class ON pg_class.oid = relation"
            " WHERE pid = pg_backend_pid() AND mode = 'ShareLock'"
        )
        locks.extend(name for (name,) in rows if name in files)

    event.listen(database.engine, "commit", look)
    migrate(database)
    event.remove(database.engine, "commit", look)
    assert database.read(revision) == HEAD
    assert locks == []
    after = list_files(database)
    assert {name: after[name] for name in files if name in after} == files


def list_files(database: Postgresql) -> dict[str, int]:
    query = "SELECT relname, relfilenode FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
    return {row.relname: row.relfilenode for row in database.read(lambda db: db.execute(text(query)).all())}


def test_writes_go_on_while_an_index_is_built_and_an_interrupted_index_is_built_again(
    url: str, database: Postgresql
) -> None:
    database.write(lambda db: run_migrations(db, "0028"))
    for _ in range(10):  # the driver prepares frequent queries, whose snapshots would block the index
        assert database.read(revision) == "0028"
    with psycopg.connect(url, autocommit=True) as other:
        other.execute("CREATE INDEX ix_version_number ON version (number text_pattern_ops)")
        other.execute("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'ix_version_number'::regclass")
        with psycopg.connect(url) as writer:  # whose transaction the index has to wait for
            writer.execute("UPDATE version SET number = number")
            thread = threading.Thread(target=migrate, args=[database], daemon=True)
            thread.start()
            eventually(lambda: other.execute(IS_BUILDING).fetchall())
            other.execute("SELECT set_config('lock_timeout', %s, false)", [f"{PATIENCE}s"])
            other.execute("UPDATE version SET number = number")
            assert thread.is_alive()
            writer.rollback()
        thread.join(PATIENCE)
        assert database.read(revision) == HEAD
        (validity,) = other.execute(
            "SELECT indisvalid FROM pg_index WHERE indexrelid = 'ix_version_number'::regclass"
        ).fetchall()
    assert validity == (True,)


def test_a_migration_gives_way_to_a_long_transaction_and_continues_after_it(url: str) -> None:
    lines: list[str] = []
    settings = Settings(
        database_url=url, database_max_connections=1, database_startup_timeout=timedelta(seconds=PATIENCE)
    )
    with psycopg.connect(url) as backup, psycopg.connect(url, autocommit=True) as other:
        backup.execute("SELECT * FROM self_verification").fetchall()

        def report(line: str) -> None:
            lines.append(line)
            # The migration has released the table, so that statements of others no longer wait behind it.
            other.execute("SET lock_timeout = 1")
            other.execute("SELECT * FROM self_verification").fetchall()
            backup.rollback()

        with closing(app.open_server_database(settings, report=report)) as database:
            assert database.read(revision) == HEAD
    (line,) = lines
    assert "cannot be upgraded while a long transaction, such as a backup, uses them. Trying again" in line
