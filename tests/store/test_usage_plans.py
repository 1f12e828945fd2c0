"""Queries of the usage index, and searches, read indexed rows only: never all terms, interactions or versions."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection

from bench import usage
from tests.databases import open_new
from tests.store.plans import plans
from treaty.store.engine.database import Database
from treaty.store.usage import waiting
from treaty.store.versions import prefixes

LARGE_TABLES = ("usage_", "version", "occurring", "met", "own")
QUERIES = {**usage.QUERIES, "beginning of a version": lambda db: prefixes.search(db, "fad5", 10)}


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    path: Path = tmp_path_factory.mktemp("usage") / "treaty.sqlite"
    database = open_new(path)
    usage.build(database, usage.Size(interactions=200, largest=1, others=1, contents=4))
    yield database
    database.close()


@pytest.mark.parametrize("ask", QUERIES.values(), ids=QUERIES)
def test_no_large_table_is_read_completely(database: Database, ask: Callable[[Connection], object]) -> None:
    _, statements = plans(database, ask)
    assert statements
    for statement, steps in statements.items():
        complete = [step for step in steps if step.startswith(tuple(f"SCAN {name}" for name in LARGE_TABLES))]
        assert not [step for step in complete if "VIRTUAL TABLE INDEX" not in step], statement


def test_the_beginning_of_a_version_is_a_range_of_an_index(database: Database) -> None:
    _, statements = plans(database, QUERIES["beginning of a version"])
    assert any("number>? AND number<?" in step for steps in statements.values() for step in steps)


def test_waiting_contents_are_searched_in_indexes(database: Database) -> None:
    """Workers search all contents every ten minutes, and their rows are as large as pacts."""
    has_any, statements = plans(database, waiting.has_any)
    assert has_any is False
    ((first, *others),) = statements.values()
    assert first.startswith("SCAN content USING COVERING INDEX")
    assert not [step for step in others if step.startswith("SCAN")]
