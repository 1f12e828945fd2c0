"""Claims of deliveries from a long queue, most of which wait for another one of their webhook and pair."""

import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from sqlalchemy import Connection, insert

from tests.databases import on_sqlite, open_kept
from treaty.store import tables
from treaty.store.engine.database import Database
from treaty.store.webhooks import due_deliveries
from treaty.store.webhooks.due_deliveries import ClaimRequest

NOW = datetime(2026, 3, 1, tzinfo=UTC)
WEBHOOKS = ("first", "busy", "failing", "last")
Delivery = dict[str, Any]


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    with closing(open_kept(database_url, connections=1)) as opened:
        opened.write(add_webhooks)
        yield opened


def add_webhooks(db: Connection) -> None:
    times = {"created_at": NOW, "updated_at": NOW}
    names = [{"id": number, "name": f"{number}", "display_name": "", **times} for number in range(1, 31)]
    db.execute(insert(tables.pacticipant), names)
    request = {"method": "POST", "url": "", "headers": "", "events": "[]", "is_enabled": True, "failures": 0}
    for number, name in enumerate(WEBHOOKS, start=1):
        failing_since = NOW if name == "failing" else None
        db.execute(
            insert(tables.webhook), {"id": number, "uuid": name, "failing_since": failing_since, **request, **times}
        )


def add_deliveries(db: Connection, deliveries: list[Delivery]) -> None:
    common = {"event": "", "context": "{}", "status": "not_run", "attempts": 0, "created_at": NOW}
    db.execute(insert(tables.triggered_webhook), [{**common, **delivery} for delivery in deliveries])


def delivery(number: int, webhook: int | None, pair: tuple[int, int], due_in: float | None) -> Delivery:
    """Build a delivery that is due in so many seconds, or is done."""
    due_at = None if due_in is None else NOW + timedelta(seconds=due_in)
    consumer, provider = pair
    ids = {"webhook_id": webhook, "consumer_id": consumer, "provider_id": provider}
    return {"id": number, "uuid": f"{number}", "due_at": due_at, **ids}


def claim_request(limit: int, *busy: str) -> ClaimRequest:
    return ClaimRequest(
        owner="test",
        now=NOW,
        until=NOW + timedelta(minutes=1),
        limit=limit,
        latest=NOW + timedelta(days=1),
        busy_webhooks=busy,
    )


def expect(deliveries: list[Delivery], *busy: str) -> list[str]:
    """Return the UUIDs of all deliveries that can be claimed, those to failing webhooks last."""
    open_ones = [each for each in deliveries if each["due_at"] is not None]
    first_ids: dict[tuple[Any, ...], int] = {}
    for each in open_ones:
        first_ids.setdefault((each["webhook_id"], each["consumer_id"], each["provider_id"]), each["id"])
    chosen = []
    for each in open_ones:
        webhook = each["webhook_id"]
        name = WEBHOOKS[webhook - 1] if webhook else ""
        is_next = webhook is None or first_ids[webhook, each["consumer_id"], each["provider_id"]] == each["id"]
        if is_next and each["due_at"] <= NOW and name not in busy:
            chosen.append((name == "failing", each["due_at"], each["id"]))
    return [str(number) for *_, number in sorted(chosen)]


@pytest.mark.parametrize("count", [700, 400, 100])
def test_each_delivery_that_waits_for_none_is_claimed_in_its_order(database: Database, count: int) -> None:
    chance = random.Random(count)  # noqa: S311 - a repeatable choice, not a secret
    pairs = [(chance.randint(1, 30), chance.randint(1, 30)) for _ in range(8)]
    deliveries = [
        delivery(
            number,
            chance.choice([1, 2, 3, 4, *([None] if number % 50 == 0 else [])]),
            chance.choice(pairs),
            # The first of many pairs are retried later, and some deliveries have the same time.
            chance.choice([60, None]) if number < 60 else chance.choice([None, *range(-60, 0)]),
        )
        for number in range(1, count)
    ]
    database.write(lambda db: add_deliveries(db, deliveries))

    def claim(limit: int) -> list[str]:
        return database.write(lambda db: due_deliveries.claim(db, claim_request(limit, "busy")))

    expected = expect(deliveries, "busy")
    assert len(expected) > 5
    assert [claim(3), claim(1000), claim(1000)] == [expected[:3], expected[3:], []]
    assert not database.read(lambda db: due_deliveries.has_due(db, claim_request(1, "busy")))
    others = expect(deliveries, "first", "failing", "last")
    assert database.read(lambda db: due_deliveries.has_due(db, claim_request(1))) == bool(set(others) - set(expected))


@on_sqlite
def test_deliveries_that_wait_for_one_that_is_retried_are_not_read(database: Database) -> None:
    def count_steps(waiting: range) -> int:
        """Return how many steps SQLite's virtual machine takes to look for due deliveries."""
        database.write(
            lambda db: add_deliveries(db, [delivery(number, 1, (1, 2), -1 - 1 / number) for number in waiting])
        )
        taken: list[None] = []

        def read(db: Connection) -> None:
            driver = cast("sqlite3.Connection", db.connection.dbapi_connection)
            driver.set_progress_handler(lambda: taken.append(None), 1)
            assert not due_deliveries.has_due(db, claim_request(5))
            driver.set_progress_handler(None, 1)

        database.read(read)
        return len(taken)

    database.write(lambda db: add_deliveries(db, [delivery(1, 1, (1, 2), 600)]))
    few = count_steps(range(2, 500))
    assert count_steps(range(500, 5000)) < 1.1 * few
