"""Servers that start at the same time, with a database that has no tables yet."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Barrier

import pytest

from tests import postgres
from treaty import app
from treaty.settings import Settings
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
    settings = Settings(database_url=url, database_max_connections=2)
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
