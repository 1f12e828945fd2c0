"""PostgreSQL plans a frequent statement once, and not again for each execution."""

from collections.abc import Iterator
from contextlib import closing

import pytest
from sqlalchemy import Connection, bindparam, select, text

from tests.databases import open_kept
from treaty.store.engine.database import Database, fetch_scalar
from treaty.store.tables import version

pytestmark = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
EXECUTIONS = 15
"""psycopg prepares a statement after five, and PostgreSQL then plans it for five more before it compares costs."""
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
