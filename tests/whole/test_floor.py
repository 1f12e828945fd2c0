"""The floor of the benchmarks executes the same statements as the application, on SQLite and on PostgreSQL."""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import closing
from functools import partial

import pytest
from sqlalchemy import Connection, func, select

from bench import histories
from bench.dialects import Access
from bench.floor import Floor, build_floor
from bench.histories import History
from bench.operations import OPERATIONS, RequestTemplate
from bench.recording import Recording, record, send_request
from bench.wire import build_unique_value, encode_request
from tests import databases
from treaty.settings import Settings
from treaty.store.engine.database import Database, open_database
from treaty.store.tables import metadata
from treaty.web.application import Server, build_application

TINY: History = History(name="tiny", pairs=1, versions=60, bystanders=0)
READS = ("get-pact", "can-i-deploy", "for-verification-first")
WRITES = ("publish-verification", "publish-same", "publish-new")
REQUESTS: Mapping[str, RequestTemplate] = {
    operation.name: operation.build_request(TINY, 0) for operation in OPERATIONS if operation.name in READS + WRITES
}
CLIENTS = 8


@pytest.fixture
def recordings(database_url: str) -> dict[str, Recording]:
    database = databases.open_kept(database_url)
    database.write(partial(histories.fill, history=TINY))
    database.write(histories.continue_all_ids)
    return record(database_url, REQUESTS, "localhost")


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    with closing(open_database(database_url)) as database:
        yield database


def test_the_floor_adds_the_rows_that_the_application_adds(recordings: dict[str, Recording], database: Database):
    assert all(_accesses(recordings[name]) == [Access.READ] for name in READS)
    assert all(_accesses(recordings[name]) == [Access.WRITE] for name in WRITES)
    with (
        closing(build_application(Settings(database_url="sqlite://", open_access=True), database)) as application,
        closing(build_floor(database, recordings)) as floor,
    ):
        for name, recording in recordings.items():
            _send(application, name, "new", database)  # the first of equal requests may add other events
            added, (status, _, _) = _send(application, name, "app", database)
            assert status == recording.status
            assert _send(floor, name, "flr", database) == (added, (recording.status, recording.headers, recording.body))
            assert (name in WRITES) == bool(added)


def _accesses(recording: Recording) -> list[Access]:
    return [transaction.access for transaction in recording.transactions]


def test_the_floor_serves_many_clients_at_once(recordings: dict[str, Recording], database: Database):
    async def send_all(floor: Floor) -> list[int]:
        requests = [
            send_request(floor, _build_request(name, "one", number)) for number in range(CLIENTS) for name in REQUESTS
        ]
        return [status for status, _, _ in await asyncio.gather(*requests)]

    before = _count_rows(database)
    with closing(build_floor(database, recordings)) as floor:
        statuses = asyncio.run(send_all(floor))
    assert statuses == [recordings[name].status for _ in range(CLIENTS) for name in REQUESTS]
    assert _count_rows(database)["version"] - before["version"] == len(WRITES) * CLIENTS


def _send(
    app: Server | Floor, name: str, prefix: str, database: Database
) -> tuple[dict[str, int], tuple[int, tuple[tuple[bytes, bytes], ...], bytes]]:
    """Send a request, and return the number of rows that each table has gained, with the response."""
    before = _count_rows(database)
    response = asyncio.run(send_request(app, _build_request(name, prefix, list(REQUESTS).index(name))))
    after = _count_rows(database)
    return {table: after[table] - before[table] for table in after if after[table] > before[table]}, response


def _build_request(name: str, prefix: str, number: int) -> bytes:
    template = REQUESTS[name]
    return encode_request(template.method, template.path, name, "localhost", template.body).render(
        build_unique_value(prefix, number)
    )


def _count_rows(database: Database) -> dict[str, int]:
    """Count the rows of each table but those of the usage index, whose recorded rows the floor does not repeat."""
    names = [table.name for table in metadata.sorted_tables if not table.name.startswith("usage_")]

    def count(db: Connection) -> dict[str, int]:
        return {
            name: db.execute(select(func.count()).select_from(metadata.tables[name])).scalar_one() for name in names
        }

    return database.read(count)
