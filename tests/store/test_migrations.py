"""Migrations make exactly the tables that the code knows, from any earlier revision."""

from contextlib import closing

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import ForeignKeyConstraint, inspect, text

from treaty.errors import InvalidSetting
from treaty.store.engine.database import open_database
from treaty.store.migrations import HEAD, migrate, revision
from treaty.store.tables import add_postgresql_options, metadata


@pytest.fixture
def database(empty_database_url):
    database = open_database(empty_database_url)
    yield database
    database.close()


@pytest.mark.filterwarnings("ignore:.*expression-based index")  # which the next test looks at
def test_migrations_make_exactly_the_tables_that_the_code_knows(database):
    migrate(database)
    add_postgresql_options()
    with database.engine.connect() as connection:
        options = {
            "compare_type": True,
            "include_name": lambda name, *_: not str(name).startswith("usage_text"),
            "include_object": lambda item, *_: connection.dialect.name != "sqlite" or not is_added_key(item),
        }
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, metadata) == []


def is_added_key(item):
    """Whether SQLAlchemy cannot read a foreign key from SQLite: it was added with its column (see the next test)."""
    return isinstance(item, ForeignKeyConstraint) and item.column_keys == ["newest_result_id"]


def test_a_foreign_key_that_was_added_to_a_table_of_sqlite_clears_its_column(tmp_path):
    with closing(open_database(f"sqlite:///{tmp_path}/treaty.sqlite")) as database:
        migrate(database)
        keys = database.read(lambda db: db.execute(text("PRAGMA foreign_key_list(integration)")).mappings().all())
    (key,) = [key for key in keys if key["from"] == "newest_result_id"]
    assert (key["table"], key["to"], key["on_delete"]) == ("verification", "id", "SET NULL")


def test_one_version_runs_in_a_place_also_by_the_database(database):
    migrate(database)
    with database.engine.connect() as connection:
        names = inspect(connection).get_table_names()
        assert "deployed_version" in names
        query = {
            "sqlite": "SELECT sql FROM sqlite_master WHERE name = 'uq_deployed_version_running'",
            "postgresql": "SELECT indexdef FROM pg_indexes WHERE indexname = 'uq_deployed_version_running'",
        }
        index = connection.execute(text(query[connection.dialect.name])).scalar_one().lower()
    assert "unique" in index
    assert "coalesce(application_instance" in index
    assert "undeployed_at is null" in index


def test_the_first_migration_reports_that_the_database_was_empty(database):
    assert [migrate(database), migrate(database)] == [True, False]
    assert database.read(revision) == HEAD


def test_a_database_that_a_newer_treaty_wrote_is_left_alone(database):
    migrate(database)
    database.write(lambda db: db.execute(text("UPDATE alembic_version SET version_num = '9999'")))
    with pytest.raises(InvalidSetting, match="revision 9999"):
        migrate(database)


def test_the_database_of_the_original_broker_is_left_alone(database):
    database.write(lambda db: db.execute(text("CREATE TABLE schema_info (version integer)")))
    with pytest.raises(InvalidSetting, match="another program"):
        migrate(database)
