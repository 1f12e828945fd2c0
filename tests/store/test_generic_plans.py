"""PostgreSQL plans a frequent statement once, and not again for each execution."""

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from sqlalchemy import Column, Connection, bindparam, func, select, text

from tests.databases import open_kept
from treaty.model.decisions.queries import LatestBy
from treaty.store.decisions import matrix_rows
from treaty.store.decisions.matrix_rows import MatrixScope
from treaty.store.engine.database import Database, fetch_column, fetch_scalar
from treaty.store.engine.prepared import MAX_PLACEHOLDERS, MIN_ARRAY_LENGTH
from treaty.store.tables import version

pytestmark = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
EXECUTIONS = 15
"""A connection prepares a statement after two, and PostgreSQL then plans it for five more before it compares costs."""
PLANNED_BEFORE_COMPARING = 5
ADDITION = """
    INSERT INTO pacticipant (id, name, display_name, created_at, updated_at) VALUES (1, 'Shop', 'Shop', now(), now());
    INSERT INTO version (pacticipant_id, number, position, created_at, updated_at)
        SELECT 1, position, position, now(), now() FROM generate_series(1, 5000) AS position;
    ANALYZE version;
"""
NEWEST = (
    select(version.c.number.label("newest_number"))
    .where(version.c.pacticipant_id == bindparam("pacticipant"))
    .order_by(version.c.position.desc())
    .limit(1)
)
HISTORY = """
    SET LOCAL session_replication_role = replica;
    INSERT INTO pacticipant (id, name, display_name, created_at, updated_at)
        SELECT id, id, id, now(), now() FROM generate_series(1, 40) AS id;
    INSERT INTO version (id, pacticipant_id, number, position, created_at, updated_at)
        SELECT id, 1 + (id - 1) / 600, id, id, now(), now() FROM generate_series(1, 12000) AS id;
    INSERT INTO integration (consumer_id, provider_id, created_at)
        SELECT id, 20 + id, now() FROM generate_series(1, 20) AS id;
    INSERT INTO content (id, consumer_id, provider_id, sha, body, created_at)
        SELECT id, id, 20 + id, id, '{}', now() FROM generate_series(1, 20) AS id;
    INSERT INTO publication (
        id, consumer_id, provider_id, consumer_version_id, content_id, revision, position, is_current, created_at
    )
        SELECT id, 1 + (id - 1) / 600, 21 + (id - 1) / 600, id, 1 + (id - 1) / 600, 1, id, true, now()
        FROM generate_series(1, 12000) AS id;
    ANALYZE;
"""
"""Twenty consumers with 600 pacts each, all for a provider of their own."""
LIMIT = 15
PAIR = MatrixScope(
    version_ids=[],
    whole_pacticipant_ids=[1, 21],
    pacticipant_ids=[1, 21],
    specified_pacticipant_ids=[1, 21],
    is_single_pacticipant=False,
    latest_by=LatestBy.CONSUMER_VERSION_AND_PROVIDER_VERSION,
    limit=LIMIT,
)
READ_PUBLICATIONS = """
    SELECT coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0)
    FROM pg_stat_xact_user_tables WHERE relname = 'publication'
"""
PLANS = "SELECT generic_plans FROM pg_prepared_statements WHERE statement LIKE '%newest_number%'"


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    with closing(open_kept(database_url, connections=1)) as opened:
        yield opened


def test_a_constant_limit_allows_a_generic_plan(database: Database) -> None:
    database.write(lambda db: db.execute(text(ADDITION)))

    def count_generic_plans(db: Connection) -> int:
        for _ in range(EXECUTIONS):
            assert fetch_scalar(db, NEWEST, {"pacticipant": 1}) == "5000"
        return int(db.execute(text(PLANS)).scalar_one())

    assert database.read(count_generic_plans) > 0


LENGTHS = [1, 2, MAX_PLACEHOLDERS, MAX_PLACEHOLDERS + 1, MIN_ARRAY_LENGTH, 16, 100]
"""Ascending: all arrays have the same statement, whose plan for any array must not seem expensive for the shortest."""
CUSTOM_PLANS = "SELECT max(custom_plans) FROM pg_prepared_statements WHERE statement LIKE '%listed_number%'"


@pytest.mark.parametrize("column", [version.c.number, version.c.position], ids=["texts", "numbers"])
def test_a_list_of_any_length_allows_a_generic_plan(database: Database, column: Column[Any]) -> None:
    database.write(lambda db: db.execute(text(ADDITION)))
    newer = version.alias("newer")
    expensive = select(func.count()).where(newer.c.position > version.c.position).scalar_subquery()
    statement = (
        select(version.c.number.label("listed_number"), expensive.label("newer"))
        .where(version.c.pacticipant_id == bindparam("pacticipant"))
        .where(column.in_(bindparam("values", expanding=True)))
    )
    to_value = str if column is version.c.number else int

    def count_custom_plans(db: Connection) -> int:
        for count in LENGTHS:
            for number in range(EXECUTIONS):
                values = [to_value(value) for value in range(number + 1, number + 1 + count)]
                assert len(fetch_column(db, statement, {"pacticipant": 1, "values": values})) == count
        return int(db.execute(text(CUSTOM_PLANS)).scalar_one())

    assert database.read(count_custom_plans) == PLANNED_BEFORE_COMPARING


@pytest.mark.parametrize(
    ("scope", "publications"),
    [
        # The 600 of the pair, and the newest of them again.
        pytest.param(PAIR, 800, id="of both directions"),
        # Twice as many as rows, since the newest are selected first and then described, and a few that are read ahead.
        pytest.param(PAIR._replace(pair=(1, 21)), 2 * (LIMIT + 2), id="of one direction"),
    ],
)
def test_the_newest_rows_of_a_pair_are_found_without_reading_those_of_others(
    database: Database, scope: MatrixScope, publications: int
) -> None:
    database.write(lambda db: db.execute(text(HISTORY)))

    def count_read_publications(db: Connection) -> int:
        db.execute(text("SET LOCAL join_collapse_limit = 8"))  # the default, which other tests do without
        # PostgreSQL counts the rows of earlier transactions, too, until it writes its statistics.
        before = int(db.execute(text(READ_PUBLICATIONS)).scalar_one())
        for _ in range(EXECUTIONS):
            assert len(matrix_rows.list_rows(db, scope)) == LIMIT + 1
        return int(db.execute(text(READ_PUBLICATIONS)).scalar_one()) - before

    assert database.read(count_read_publications) <= EXECUTIONS * publications


UNEQUAL_PAIRS = """
    DELETE FROM publication WHERE id <= 590;
    UPDATE publication SET consumer_id = 2, provider_id = 22 WHERE id > 600;
    ANALYZE publication;
"""
"""Ten publications of a pair, and thousands of another."""
CUSTOM_PLANS_OF_ROWS = "SELECT custom_plans FROM pg_prepared_statements WHERE statement LIKE 'WITH newest%'"


def test_the_rows_of_a_pair_with_few_publications_have_a_generic_plan(database: Database) -> None:
    database.write(lambda db: db.execute(text(HISTORY)))
    database.write(lambda db: db.execute(text(UNEQUAL_PAIRS)))

    def count_custom_plans(db: Connection) -> int:
        db.execute(text("DEALLOCATE ALL"))  # what other tests have prepared
        db.execute(text("SET LOCAL join_collapse_limit = 8"))  # the default, which other tests do without
        for _ in range(EXECUTIONS):
            assert len(matrix_rows.list_rows(db, PAIR._replace(pair=(1, 21)))) == 10
        return int(db.execute(text(CUSTOM_PLANS_OF_ROWS)).scalar_one())

    assert database.read(count_custom_plans) == PLANNED_BEFORE_COMPARING
