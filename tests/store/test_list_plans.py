"""A page of a list is found by index, in its order, without reading the rows of other pages."""

import sqlite3
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import pytest
from sqlalchemy import Connection, insert

from bench import system
from tests.databases import open_new
from tests.store.plans import plans
from treaty.model.overview.overview import OverviewFilter
from treaty.model.paging import Page
from treaty.store import tables
from treaty.store.engine.database import Database
from treaty.store.overview import overview, pending, running_pairs, unverified_pairs
from treaty.store.pacticipants import integrations, pacticipants
from treaty.store.versions import details
from treaty.store.webhooks import due_deliveries
from treaty.store.webhooks.due_deliveries import ClaimRequest

PAGE = Page(1, 100)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = open_new(tmp_path / "treaty.sqlite")
    yield database
    database.close()


def first_plan(database: Database, ask: Callable[[Connection], object]) -> list[str]:
    """Return the query plan of the first statement of a list on SQLite."""
    _, steps = plans(database, ask)
    return next(iter(steps.values()))


LISTS = {
    "pacticipants": lambda db: pacticipants.list_matching(db, page=PAGE),
    "versions": lambda db: details.list_all(db, "Till", PAGE),
    "versions on a branch": lambda db: details.list_on_branch(db, "Till", "main", PAGE),
    "versions with a tag": lambda db: details.list_with_tag(db, "Till", "dev", PAGE),
    "integrations": lambda db: integrations.list_by_activity(db, like=None, page=PAGE),
}


@pytest.mark.parametrize("ask", LISTS.values(), ids=LISTS)
def test_a_page_is_read_in_the_order_of_an_index(database: Database, ask: Callable[[Connection], object]) -> None:
    # Names that are the same but for case, few as they are, are put in order once they have been found.
    steps = [step for step in first_plan(database, ask) if "RIGHT PART" not in step and "LAST TERM" not in step]
    assert not [step for step in steps if "TEMP B-TREE" in step]
    assert not [step for step in steps if step.startswith("SCAN") and "INDEX" not in step]


def test_the_overview_counts_states_without_reading_results(database: Database) -> None:
    """Rows of results are spread over their table, and SQLite reads each page again after a write."""
    _, steps_by_statement = plans(database, overview.load_states)
    steps = [step for steps in steps_by_statement.values() for step in steps]
    assert "SEARCH newest_result USING COVERING INDEX ix_verification_newest (content_id=?)" in steps
    assert not [step for step in steps if step.startswith("SEARCH verification")]


RUNNING = {
    "unverified pairs": unverified_pairs.list_unverified,
    "environments of pairs": lambda db: running_pairs.load_environments(db, {(1, 2), (2, 3)}),
    "pending pacts": lambda db: pending.list_pending(db, "", PAGE),
}


CHOSEN = {
    "in an environment": OverviewFilter(environment="production"),
    "on a branch": OverviewFilter(branch="main"),
    "in an environment, on a branch": OverviewFilter(environment="production", branch="main"),
}


@pytest.mark.parametrize("overview_filter", CHOSEN.values(), ids=CHOSEN)
def test_states_of_chosen_pacts_are_found_in_indexes(database: Database, overview_filter: OverviewFilter) -> None:
    """Rows of pacts and results are spread over their tables, and SQLite reads each page again after a write."""
    database.write(lambda db: system.fill(db, system.System(applications=10, integrations=15, versions=20, webhooks=1)))
    _, steps_by_statement = plans(database, lambda db: overview.list_network_edges(db, overview_filter))
    _, states, *_ = steps_by_statement.values()
    pacts = [step for step in states if step.startswith(("SCAN publication", "SEARCH publication"))]
    assert len(pacts) == 1
    assert pacts[0].startswith("SEARCH publication USING COVERING INDEX ix_publication_current (consumer_version_id=?")
    results = [step for step in states if step.startswith(("SEARCH verification", "SEARCH verdict"))]
    assert results
    assert all("ix_verification_between" in step or "ix_verification_newest" in step for step in results)
    assert not [step for step in states if step.startswith(("SCAN verification", "SCAN live_provider"))]


def test_a_filter_of_pacts_by_tag_is_tested_once_for_each_pair(database: Database) -> None:
    filter_ = OverviewFilter(words=("till",))
    _, steps_by_statement = plans(database, lambda db: overview.list_by_tag(db, filter_, (), PAGE))
    steps = next(iter(steps_by_statement.values()))
    assert [step for step in steps if step.startswith("LIST SUBQUERY")]
    assert not [step for step in steps if step.startswith("CORRELATED LIST SUBQUERY")]


@pytest.mark.parametrize("ask", RUNNING.values(), ids=RUNNING)
def test_running_versions_and_pacts_are_found_by_their_application(
    database: Database, ask: Callable[[Connection], object]
) -> None:
    """SQLite has no statistics here: it would read all versions of an environment, or all publications, for each."""
    database.write(lambda db: system.fill(db, system.System(applications=10, integrations=15, versions=20, webhooks=1)))
    _, steps_by_statement = plans(database, ask)
    steps = [step for steps in steps_by_statement.values() for step in steps]
    assert [step for step in steps if "publication" in step]
    assert not [step for step in steps if step.startswith("SCAN publication")]
    assert not [step for step in steps if step.startswith("SEARCH provider_runs") and "(environment_id" in step]
    assert not [step for step in steps if step.startswith("SCAN running_provider")]


def test_the_dashboard_looks_only_at_the_consumers_of_its_pages(database: Database) -> None:
    steps = first_plan(database, lambda db: integrations.list_dashboard_items(db, PAGE))
    # To find those consumers it looks at the nearest pacticipants, at integrations if these are not enough, and at the
    # consumers that it has found.
    assert {step for step in steps if step.startswith("SCAN")} == {
        "SCAN consumer USING INDEX ix_pacticipant_lower_name",
        "SCAN nearest",
        "SCAN nearest_names",
        "SCAN integration",
        "SCAN all_names",
        "SCAN first",
        "SCAN shown",
    }


def test_the_dashboard_reads_no_more_for_more_integrations(database: Database) -> None:
    database.write(lambda db: add_integrations(db, range(2, 500)))
    few = count_steps(database)
    database.write(lambda db: add_integrations(db, range(500, 3000)))
    assert count_steps(database) < 1.1 * few


def add_integrations(db: Connection, ids: range) -> None:
    """Add consumers with these ids, each with the same pact with the first pacticipant."""
    times = {"created_at": datetime(2024, 1, 1, tzinfo=UTC), "updated_at": datetime(2024, 1, 1, tzinfo=UTC)}
    pair = {"consumer_id": 2, "provider_id": 1}
    names = [{"id": number, "name": f"{number:04d}", "display_name": "", **times} for number in ids]
    created = {"created_at": times["created_at"]}
    if 2 in ids:
        names.append({"id": 1, "name": "provider", "display_name": "", **times})
    db.execute(insert(tables.pacticipant), names)
    if 2 in ids:
        db.execute(insert(tables.version), {"id": 1, "pacticipant_id": 2, "number": "1", "position": 1, **times})
        db.execute(insert(tables.content), {"id": 1, **pair, "sha": "1", "body": b"{}", **created})
        pact = {"consumer_version_id": 1, "content_id": 1, "revision": 1, "position": 1, "is_current": True}
        db.execute(insert(tables.publication), {"id": 1, **pair, **pact, **created})
    db.execute(
        insert(tables.integration),
        [{"consumer_id": number, "provider_id": 1, "latest_publication_id": 1, **created} for number in ids],
    )


def count_steps(database: Database) -> int:
    """Return how many steps SQLite's virtual machine takes for a page of the dashboard."""
    taken: list[None] = []

    def read(db: Connection) -> None:
        driver = cast("sqlite3.Connection", db.connection.dbapi_connection)
        driver.set_progress_handler(lambda: taken.append(None), 1)
        assert integrations.list_dashboard_items(db, Page(1, 10))
        driver.set_progress_handler(None, 1)

    database.read(read)
    return len(taken)


def test_due_deliveries_are_read_in_their_order_until_there_are_enough(database: Database) -> None:
    """The queue may be long, and a worker reads it whenever a delivery has been sent."""
    now = datetime.now(UTC)
    claim_request = ClaimRequest(owner="test", now=now, until=now, latest=now, limit=5, busy_webhooks=("busy",))
    _, steps_by_statement = plans(database, lambda db: due_deliveries.claim(db, claim_request))
    # The others are for long queues, most of which wait: tests/store/test_due_deliveries.py.
    in_order = [steps for sql, steps in steps_by_statement.items() if not sql.startswith("WITH RECURSIVE")]
    assert (len(in_order), len(steps_by_statement)) == (3, 5)
    for steps in in_order:
        assert steps[0].startswith("SEARCH triggered_webhook USING INDEX ix_triggered_webhook_due (due_at")
        assert not [step for step in steps if "TEMP B-TREE" in step or step.startswith("SCAN")]
