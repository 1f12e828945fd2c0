"""Servers that start at the same time, with a database that has no tables yet."""

import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path
from threading import Barrier

import psycopg
import pytest

from tests import postgres
from tests.waiting import PATIENCE
from treaty import app
from treaty.errors import UnusableDatabase
from treaty.settings import Settings
from treaty.store.engine import database as engine
from treaty.store.engine.database import Database
from treaty.store.engine.health import check
from treaty.store.migrations import HEAD, revision

SERVERS = 4


@contextmanager
def empty_database(kind: str, request: pytest.FixtureRequest, path: Path) -> Iterator[str]:
    if kind == "sqlite":
        yield f"sqlite:///{path}"
        return
    with postgres.database(request.getfixturevalue("postgres_url")) as url:
        yield url


def start_together(url: str) -> list[Database]:
    """Open a database in several threads at the same moment, each as a server does when it starts."""
    settings = Settings(
        database_url=url, database_max_connections=2, database_startup_timeout=timedelta(seconds=PATIENCE)
    )
    barrier = Barrier(SERVERS)

    def start(_: int) -> Database:
        barrier.wait()
        return app.open_server_database(settings)

    with ThreadPoolExecutor(SERVERS) as threads:
        return list(threads.map(start, range(SERVERS)))


@pytest.mark.parametrize(("kind", "rounds"), [("sqlite", 4), ("postgresql", 1)])
def test_all_servers_start_and_find_the_same_tables(
    kind: str, rounds: int, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    for number in range(rounds):
        with empty_database(kind, request, tmp_path / f"{number}.sqlite") as url:
            for database in start_together(url):
                with closing(database):
                    assert database.read(revision) == HEAD
                    database.write(check)


@contextmanager
def migration_elsewhere(url: str) -> Iterator[Callable[[], None]]:
    """Hold the lock of a server that creates the tables, and yield the function that releases it."""
    if url.startswith("postgresql"):
        with psycopg.connect(url, autocommit=True) as server:
            server.execute("SELECT pg_advisory_lock(7247001)")
            yield server.close
        return
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)) as server:
        server.execute("PRAGMA journal_mode = WAL")
        server.execute("BEGIN IMMEDIATE")
        yield server.rollback


@contextmanager
def change_of_journal(url: str) -> Iterator[Callable[[], None]]:
    """Hold the lock of a server that is about to turn a new SQLite file into one with a write-ahead log."""
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)) as server:
        server.execute("BEGIN EXCLUSIVE")
        yield server.rollback


def describe_lock(url: str) -> str:
    if url.startswith("postgresql"):
        return "another server is creating or upgrading the tables of postgresql://treaty:***@"
    return f"{url.removeprefix('sqlite:///')} is locked by another process, such as a server that is creating"


def test_a_server_reports_that_another_one_creates_the_tables_and_comes_up_after_it(empty_database_url: str) -> None:
    """However long that takes: the lock is released once the server has reported it for the second time."""
    lines: list[str] = []
    settings = Settings(database_url=empty_database_url, database_startup_timeout=timedelta(seconds=PATIENCE))
    with migration_elsewhere(empty_database_url) as release:

        def report(line: str) -> None:
            lines.append(line)
            if len(lines) == 2:
                release()

        with closing(app.open_server_database(settings, report=report)) as database:
            assert database.read(revision) == HEAD
            database.write(check)
    assert len(lines) == 2
    assert lines[0].startswith(describe_lock(empty_database_url))
    assert [line.rpartition(". ")[2] for line in lines] == [f"Trying again in {n} seconds." for n in ("0.5", "1.0")]


def test_waiting_for_another_server_ends_with_a_next_step(empty_database_url: str) -> None:
    lines: list[str] = []
    settings = Settings(database_url=empty_database_url, database_startup_timeout=timedelta(seconds=0.1))
    with migration_elsewhere(empty_database_url), pytest.raises(UnusableDatabase) as raised:
        app.open_server_database(settings, report=lines.append)
    assert len(lines) == 1
    assert describe_lock(empty_database_url) in str(raised.value)
    assert "Try again when that server has started" in str(raised.value)


def test_a_server_waits_while_another_one_changes_the_journal_of_a_new_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "BUSY_TIMEOUT_SECONDS", 0)  # SQLite reports this lock after the time, or at once
    url = f"sqlite:///{tmp_path / 'treaty.sqlite'}"
    lines: list[str] = []
    settings = Settings(database_url=url, database_startup_timeout=timedelta(seconds=PATIENCE))
    with change_of_journal(url) as release:

        def report(line: str) -> None:
            lines.append(line)
            release()

        with closing(app.open_server_database(settings, report=report)) as database:
            assert database.read(revision) == HEAD
    assert len(lines) == 1
    assert f"{tmp_path / 'treaty.sqlite'} is locked by another program." in lines[0]


def test_the_busy_timeout_of_sqlite_is_back_after_the_migrations(tmp_path: Path) -> None:
    settings = Settings(database_url=f"sqlite:///{tmp_path / 'treaty.sqlite'}")
    with closing(app.open_server_database(settings)) as database:
        (milliseconds,) = database.read_once(lambda db: db.exec_driver_sql("PRAGMA busy_timeout").all()[0])
    assert milliseconds == engine.BUSY_TIMEOUT_SECONDS * 1000
