"""A page of a list is found by index, in its order: what is on other pages is not looked at."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection

from tests.databases import open_new
from tests.store.plans import plans
from treaty.model.paging import Page
from treaty.store.engine.database import Database
from treaty.store.overview import overview
from treaty.store.pacticipants import integrations, pacticipants
from treaty.store.versions import details

PAGE = Page(1, 100)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = open_new(tmp_path / "treaty.sqlite")
    yield database
    database.close()


def first_plan(database: Database, ask: Callable[[Connection], object]) -> list[str]:
    """Say how SQLite carries out the first statement of a list."""
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
    steps = [one for one in first_plan(database, ask) if "RIGHT PART" not in one and "LAST TERM" not in one]
    assert not [one for one in steps if "TEMP B-TREE" in one]
    assert not [one for one in steps if one.startswith("SCAN") and "INDEX" not in one]


def test_the_overview_counts_states_without_reading_results(database: Database) -> None:
    """Rows of results are spread over their table, and SQLite reads each page again after a write."""
    _, found = plans(database, overview.load_states)
    steps = [step for of_statement in found.values() for step in of_statement]
    assert "SEARCH verdict USING COVERING INDEX ix_verification_newest (content_id=?)" in steps
    assert not [step for step in steps if step.startswith("SEARCH verification")]


def test_the_dashboard_looks_only_at_the_consumers_of_its_pages(database: Database) -> None:
    steps = first_plan(database, lambda db: integrations.list_dashboard_items(db, PAGE))
    # To find those consumers it looks at integrations, which a history does not add to, and at what it has found.
    assert {one for one in steps if one.startswith("SCAN")} == {"SCAN integration", "SCAN first", "SCAN shown"}
