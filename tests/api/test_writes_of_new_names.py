"""Writes that add the same application wait for one another, before they read the data that they decide on.

The row of an application is the lock of everything that belongs to it, and one that does not exist has no row. On
SQLite, all writes wait for one another.
"""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event

import pytest
from sqlalchemy import Connection, func, select, text

from tests.api import golden
from tests.api.client import Api
from tests.api.merging import PARTS, WAYS, Merge, list_descriptions
from tests.api.writes import CONSUMER, PROVIDER, WRITES, World
from tests.scale import choose
from treaty.store.engine.database import Database, open_database
from treaty.store.pacticipants import pacticipants
from treaty.store.tables import pacticipant

WAIT_SECONDS = 60
ROUNDS = choose(6, slow=15, long=500)
NAMES = [CONSUMER, PROVIDER, "New", "Imported"]
METHODS = {route.handler.__name__: route.method for kind, route in golden.routes() if kind == "api"}


pytestmark = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    database = open_database(database_url)
    yield database
    database.close()


@contextmanager
def holding(database: Database, names: list[str]) -> Iterator[None]:
    """Hold a write that is about to add these applications."""
    is_held, may_end = Event(), Event()

    def hold(db: Connection) -> None:
        pacticipants.lock(db, names)
        is_held.set()
        may_end.wait(WAIT_SECONDS)

    with ThreadPoolExecutor(1) as thread:
        holder = thread.submit(database.write, hold)
        try:
            assert is_held.wait(WAIT_SECONDS)
            yield
        finally:
            may_end.set()
            holder.result(WAIT_SECONDS)


def is_waiting(database: Database) -> bool:
    query = text(
        "SELECT count(*) FROM pg_locks JOIN pg_stat_activity USING (pid)"
        " WHERE NOT granted AND datname = current_database()"
    )
    return bool(database.read(lambda db: db.execute(query).scalar()))


def count_applications(database: Database) -> int:
    return int(database.read(lambda db: db.execute(select(func.count()).select_from(pacticipant)).scalar_one()))


@pytest.mark.parametrize("route", sorted(WRITES))
def test_a_write_waits_for_another_one_that_adds_the_same_application(api: Api, database: Database, route: str) -> None:
    path, body = WRITES[route](World(api))
    is_patch = METHODS[route] == "PATCH" and "/pacts/" not in path
    content_type = "application/merge-patch+json" if is_patch else "application/json"
    with ThreadPoolExecutor(1) as thread:
        with holding(database, NAMES):
            answer = thread.submit(api.request, METHODS[route], path, body, type=content_type)
            end = time.monotonic() + WAIT_SECONDS
            while not answer.done() and not is_waiting(database):
                assert time.monotonic() < end
                time.sleep(0.005)
            assert count_applications(database) == 0, "added without waiting"
        assert answer.result(WAIT_SECONDS).status < 500


@pytest.mark.parametrize("merge", WAYS)
def test_parts_that_jobs_merge_into_a_new_pair_are_all_kept(make_api: Callable[..., Api], merge: Merge) -> None:
    apis = [make_api() for _ in PARTS]
    with ThreadPoolExecutor(len(PARTS)) as threads:
        for _ in range(ROUNDS):
            statuses = threads.map(lambda job: merge(*job).status, zip(apis, PARTS, strict=True))
            assert set(statuses) <= {200, 201}
            assert list_descriptions(apis[0]) == ["a", "b", "c", "shared"]
            for name in ("Till", "Ledger"):
                assert apis[0].delete(f"/pacticipants/{name}").status == 204
