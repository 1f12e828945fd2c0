"""For histories of any length, pacts for verification are found by index, and heads come before publications."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Connection, insert

from tests.databases import open_new
from tests.store.plans import plans
from treaty.model.decisions.consumer_selectors import (
    AllWithTag,
    ConsumerVersionSelector,
    Deployed,
    EveryBranch,
    InEnvironment,
    LatestFromBranch,
    LatestWithTag,
    MainBranch,
    OverallLatest,
    Released,
)
from treaty.model.decisions.verifiable_pacts import VerifiablePactsQuery
from treaty.settings import Settings
from treaty.store import tables
from treaty.store.decisions import verifiable_pacts
from treaty.store.engine.database import Database

TODAY = datetime(2024, 5, 6, tzinfo=UTC)
TIMES = {"created_at": TODAY, "updated_at": TODAY}


def selectors(consumer: str | None) -> tuple[ConsumerVersionSelector, ...]:
    return (
        OverallLatest(consumer=consumer),
        MainBranch(consumer=consumer),
        LatestFromBranch(branch="main", consumer=consumer),
        EveryBranch(consumer=consumer),
        LatestWithTag(tag="dev", fallback_tag="prod", consumer=consumer),
        AllWithTag(tag="dev", consumer=consumer),
        Deployed(consumer=consumer),
        Deployed(environment="live", consumer=consumer),
        Released(consumer=consumer),
        InEnvironment(environment="live", consumer=consumer),
    )


WANTED = [
    VerifiablePactsQuery(),
    VerifiablePactsQuery(selectors=selectors(None), branch="main", wip_since=TODAY),
    VerifiablePactsQuery(selectors=selectors("Foo"), tags=("main", "dev"), wip_since=TODAY),
]


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """A database with one pact between Foo and Bar."""
    database = open_new(tmp_path / "treaty.sqlite")
    pair = {"consumer_id": 1, "provider_id": 2, "created_at": TODAY}
    current = {"revision": 1, "position": 1, "is_current": True}
    rows = [
        (tables.pacticipant, {"id": 1, "name": "Foo", "display_name": "Foo", **TIMES}),
        (tables.pacticipant, {"id": 2, "name": "Bar", "display_name": "Bar", **TIMES}),
        (tables.version, {"id": 1, "pacticipant_id": 1, "number": "1", "position": 1, **TIMES}),
        (tables.content, {"id": 1, "sha": "0", "body": b"{}", **pair}),
        (tables.publication, {"id": 1, "consumer_version_id": 1, "content_id": 1, **current, **pair}),
        (tables.integration, {"latest_publication_id": 1, **pair}),
    ]
    with database.engine.connect() as db:
        for table, values in rows:
            db.execute(insert(table), values)
        db.commit()
    yield database
    database.close()


def plans_for(database: Database, query: VerifiablePactsQuery) -> dict[str, list[str]]:
    """Return the query plan of each statement of a request on SQLite."""

    def ask(db: Connection) -> int:
        return len(verifiable_pacts.list_of_provider(db, "Bar", query, today=TODAY, settings=Settings()).pacts)

    count, steps = plans(database, ask)
    assert count == 1
    return steps


@pytest.mark.parametrize("query", WANTED)
def test_every_statement_uses_indexes_from_the_versions_to_their_pacts(database, query):
    steps_by_statement = plans_for(database, query)
    assert len(steps_by_statement) >= 5
    for statement, steps in steps_by_statement.items():
        wrong = [step for step in steps if step.startswith("SCAN") or "ix_publication_newest (provider_id=?)" in step]
        assert not wrong, statement
