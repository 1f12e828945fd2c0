"""Decisions about many applications look at the versions in question, whatever else these have ever published."""

from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Connection

from tests.databases import open_new
from tests.store.plans import plans
from treaty.model.decisions.queries import LatestBy, MatrixQuery
from treaty.store.decisions import matrix_rows, matrix_summary
from treaty.store.decisions.matrix_rows import MatrixScope


def count_by_version(db: Connection, scope: MatrixScope) -> object:
    return matrix_summary.count_by_version(db, scope, has_contracts=False)


@pytest.mark.parametrize("count", [1, 2, 10, 50, 400])
@pytest.mark.parametrize("load", [matrix_rows.list_rows, count_by_version])
def test_publications_are_found_by_their_version(
    tmp_path: Path, load: Callable[[Connection, MatrixScope], object], count: int
) -> None:
    ids = list(range(1, count + 2))
    scope = MatrixScope(
        version_ids=ids,
        whole_pacticipant_ids=[],
        pacticipant_ids=ids,
        specified_pacticipant_ids=ids[:1],
        is_single_pacticipant=False,
        latest_by=LatestBy.CONSUMER_VERSION_AND_PROVIDER_VERSION,
        limit=None,
    )
    database = open_new(tmp_path / "treaty.sqlite")

    _, steps_by_statement = plans(database, lambda db: load(db, scope))
    database.close()
    (steps,) = steps_by_statement.values()
    (results,) = [step for step in steps if "SEARCH verification" in step]
    assert "INDEX ix_verification_between (content_id=? AND provider_version_id=? AND is_latest=?)" in results
    assert [step for step in steps if "publication" in step] == [
        "SEARCH publication USING INDEX ix_publication_current (consumer_version_id=? AND is_current=?)"
    ]


def test_contents_are_counted_by_the_integrations_of_their_consumers(tmp_path: Path) -> None:
    ids = list(range(1, 51))
    scope = MatrixScope(
        version_ids=[],
        whole_pacticipant_ids=ids,
        pacticipant_ids=ids,
        specified_pacticipant_ids=ids,
        is_single_pacticipant=False,
        latest_by=LatestBy.CONSUMER_VERSION_AND_PROVIDER_VERSION,
        limit=1,
    )
    query = MatrixQuery(selectors=(), latest_by=scope.latest_by, limit=scope.limit)
    database = open_new(tmp_path / "treaty.sqlite")
    _, steps_by_statement = plans(database, lambda db: matrix_summary.summarize(db, scope, query, [], []))
    database.close()
    (steps,) = steps_by_statement.values()
    # Not by each consumer with each provider: the integrations found have both.
    (pairs,) = [step for step in steps if "SEARCH integration" in step]
    assert pairs.endswith("(consumer_id=?)")
    (contents,) = [step for step in steps if "SEARCH content" in step]
    assert contents.endswith("(consumer_id=? AND provider_id=?)")


def test_the_newest_publications_of_a_pair_are_found_in_the_order_of_an_index(tmp_path: Path) -> None:
    scope = MatrixScope(
        version_ids=[],
        whole_pacticipant_ids=[1, 2],
        pacticipant_ids=[1, 2],
        specified_pacticipant_ids=[1, 2],
        is_single_pacticipant=False,
        latest_by=LatestBy.CONSUMER_VERSION_AND_PROVIDER_VERSION,
        limit=100,
        pair=(1, 2),
    )
    query = MatrixQuery(selectors=(), latest_by=scope.latest_by, success=frozenset({False}), limit=scope.limit)

    def list_newest(db: Connection) -> None:
        matrix_rows.list_rows(db, scope)
        matrix_summary.summarize(db, scope, query, [], [])

    database = open_new(tmp_path / "treaty.sqlite")
    _, steps_by_statement = plans(database, list_newest)
    database.close()
    rows, _, failures = steps_by_statement.values()
    for steps in (rows, failures):
        (found_at,) = [at for at, step in enumerate(steps) if "publication USING" in step and "PRIMARY KEY" not in step]
        assert steps[found_at].endswith("COVERING INDEX ix_publication_newest (provider_id=? AND consumer_id=?)")
        assert not any("ORDER BY" in step for step in steps[found_at : steps.index("SCAN anon_1")])
