"""Decisions about many applications look at the versions in question, whatever else these have ever published."""

import sqlite3
from pathlib import Path
from typing import cast

import pytest
from sqlalchemy import Connection

from treaty.store import matrix_rows
from treaty.store.database import open_database
from treaty.store.matrix_rows import Scope
from treaty.store.migrations import migrate


@pytest.mark.parametrize("count", [1, 2, 10, 50, 400])
def test_publications_are_found_by_their_version(tmp_path: Path, count: int) -> None:
    ids = list(range(1, count + 2))
    scope = Scope(
        versions=ids,
        pacticipants=[],
        everyone=ids,
        specified=ids[:1],
        is_of_one=False,
        only_latest=True,
        limit=None,
    )
    database = open_database(f"sqlite:///{tmp_path / 'treaty.sqlite'}")
    migrate(database)

    def plan(db: Connection) -> list[str]:
        executed: list[str] = []
        driver = cast("sqlite3.Connection", db.connection.dbapi_connection)
        driver.set_trace_callback(executed.append)
        matrix_rows.of(db, scope)
        driver.set_trace_callback(None)
        return [row[3] for row in driver.execute(f"EXPLAIN QUERY PLAN {executed[0]}")]

    steps = [one for one in database.read(plan) if "publication" in one]
    database.close()
    assert steps == ["SEARCH publication USING INDEX sqlite_autoindex_publication_1 (consumer_version_id=?)"]
