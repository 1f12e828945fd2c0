"""Contents that no publication has indexed: those of an upgraded database, and those that a killed process has left."""

import threading
from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, text

from tests.api.client import Api, Clock
from tests.api.usage import consumers, count_rows, interaction, publish, remove_consumer, usage
from tests.databases import open_kept
from tests.waiting import eventually
from treaty.actions.usage import LEASE_DURATION, IndexingStep, claim_indexing, index_steps, plan_steps
from treaty.store.engine.database import Database
from treaty.store.usage import contents
from treaty.store.usage import waiting as waiting_contents
from treaty.workers.usage import IndexingWorker

TABLES = ("usage_expectation", "usage_occurrence", "usage_content", "usage_interaction", "usage_term")


@pytest.fixture
def rows(api: Api, database: Database) -> dict[str, int]:
    """The rows of a complete index, in which two contents share interactions."""
    publish(api, "Web Shop", "1", *(interaction(f"/a{number}", {f"f{number}": 1}) for number in range(60)))
    publish(api, "Web Shop", "2", *(interaction(f"/a{number}", {f"f{number}": 1}) for number in range(50)))
    publish(api, "Till", "1", interaction(providerState="an order exists"))
    return count_rows(database)


def empty(database: Database) -> None:
    """Make the index as it is right after the upgrade of a database."""

    def delete(db: Connection) -> None:
        for table in TABLES:
            db.execute(text(f"DELETE FROM {table}"))  # noqa: S608

    database.write(delete)


def test_an_upgraded_database_is_indexed(api: Api, database: Database, rows: dict[str, int]) -> None:
    empty(database)
    answer = usage(api, field="f55")
    assert answer["verdict"] == "unknown"
    assert answer["basis"]["indexedContents"] == 0
    assert [pact["consumer"] for pact in answer["basis"]["waitingPacts"]] == ["Till", "Web Shop"]
    assert "treaty_usage_indexed_contents 0.0" in api.get("/metrics/prometheus", accept="*/*").text
    assert IndexingWorker(database).index_all() == 3
    assert count_rows(database) == rows
    assert consumers(api, field="f45") == ["Web Shop"]
    assert usage(api, field="f55")["formerConsumers"] == [{"consumer": "Web Shop", "version": "1"}]
    assert consumers(api, text="exists") == ["Till"]
    assert "treaty_usage_indexed_contents 3.0" in api.get("/metrics/prometheus", accept="*/*").text


def test_contents_that_older_rules_have_indexed_are_indexed_again(
    api: Api, database: Database, rows: dict[str, int]
) -> None:
    database.write(lambda db: db.execute(text("UPDATE usage_content SET format = 0")))
    assert usage(api, field="f60")["verdict"] == "unknown"
    assert IndexingWorker(database).index_all() == 3
    assert count_rows(database) == rows
    assert consumers(api, pointer="/f7") == ["Web Shop"]


def test_the_index_of_a_content_begun_by_a_killed_process_is_completed(
    api: Api, database: Database, rows: dict[str, int]
) -> None:
    empty(database)
    begun = next(
        content
        for content in database.read(lambda db: waiting_contents.list_contents(db, 9))
        if content.consumer == "Web Shop"
    )
    body = database.read(lambda db: contents.find_body(db, begun.id))
    assert body is not None
    first_step, *_ = plan_steps(begun, body)
    assert database.write(lambda db: index_steps(db, [first_step])) == 0
    assert usage(api, field="f60")["verdict"] == "unknown"
    assert IndexingWorker(database).index_all() == 3
    assert count_rows(database) == rows


def test_contents_that_are_removed_meanwhile_are_left_out(api: Api, database: Database, rows: dict[str, int]) -> None:
    empty(database)

    def plan(db: Connection) -> list[IndexingStep]:
        waiting = waiting_contents.list_contents(db, 9)
        return [step for content in waiting for step in plan_steps(content, contents.find_body(db, content.id) or b"")]

    planned = database.read(plan)
    remove_consumer(api)
    assert database.write(lambda db: index_steps(db, planned)) == 1
    assert count_rows(database)["usage_content"] == 1
    assert rows["usage_content"] == 3


@pytest.fixture
def other_database(database_url: str) -> Iterator[Database]:
    opened = open_kept(database_url, connections=1)
    yield opened
    opened.close()


def test_several_workers_do_not_index_a_content_twice(
    api: Api, database: Database, other_database: Database, rows: dict[str, int]
) -> None:
    empty(database)
    workers = [IndexingWorker(indexed_database) for indexed_database in (database, other_database)]
    counts: list[int] = []
    threads = [threading.Thread(target=lambda worker=worker: counts.append(worker.index_all())) for worker in workers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(counts) == 3
    assert count_rows(database) == rows
    assert consumers(api, field="f45") == ["Web Shop"]


def test_a_worker_continues_with_the_oldest_contents_after_the_claim_of_another_expires(
    database: Database, rows: dict[str, int], monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    empty(database)
    monkeypatch.setattr("treaty.workers.usage.NEWEST_IDS", 0)
    assert database.write(lambda db: claim_indexing(db, owner="a killed process", now=clock()))
    worker = IndexingWorker(database, clock=clock)
    worker.step()
    assert count_rows(database)["usage_content"] == 0
    clock.now += LEASE_DURATION
    worker.step()
    assert count_rows(database) == rows


def test_publications_and_the_worker_run_at_the_same_time(api: Api, database: Database, rows: dict[str, int]) -> None:
    empty(database)
    worker = IndexingWorker(database)
    worker.start()
    try:
        for version in range(3, 9):
            publish(api, "Till", str(version), interaction(body={f"new{version}": 1}))
        eventually(lambda: usage(api, field="new8")["basis"]["isComplete"])
    finally:
        worker.stop()
    assert consumers(api, field="new8") == ["Till"]
    assert count_rows(database)["usage_content"] == rows["usage_content"] + 6
