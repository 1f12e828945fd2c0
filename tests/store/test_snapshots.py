"""Values that are reused while the database has not changed: never after a write of any connection."""

import pytest
from sqlalchemy import insert

from treaty.store.engine.database import open_database
from treaty.store.engine.snapshots import MAX_VALUES, reuse
from treaty.store.overview.overview import count_integrations
from treaty.store.tables import label, pacticipant

ATTEMPTS = 100


def add(database, name):
    from datetime import UTC, datetime  # noqa: PLC0415 - used here alone

    now = datetime.now(UTC)
    row = {"name": name, "display_name": name, "created_at": now, "updated_at": now}
    database.write(lambda db: db.execute(insert(pacticipant), row))


def load(database, key="names"):
    """Count pacticipants, and say whether they were counted again."""
    counted = []

    def count(db):
        counted.append(len(db.execute(pacticipant.select()).all()))
        return counted[-1]

    return database.read(lambda db: reuse(db, key, lambda: count(db))), bool(counted)


def load_again(database, key="names"):
    """Load until nothing is counted again; a write to any database of the server has it counted."""
    return next(loaded for loaded in (load(database, key) for _ in range(ATTEMPTS)) if not loaded[1])


@pytest.mark.parametrize("is_other", [False, True])
def test_a_value_is_computed_again_after_a_write_of_any_connection(database_url, is_other):
    database, other = open_database(database_url), open_database(database_url)
    try:
        assert load(database) == (0, True)
        assert load_again(database) == (0, False)
        for number in range(3):
            add(other if is_other else database, f"App {number}")
            assert load(database) == (number + 1, True)
            assert load_again(database) == (number + 1, False)
    finally:
        database.close()
        other.close()


def test_a_write_that_is_rolled_back_or_not_visible_yet_leaves_the_value_right(database_url):
    database, other = open_database(database_url), open_database(database_url)
    try:
        add(database, "App")
        assert load(database) == (1, True)

        def fail(db):
            db.execute(label.delete())
            db.execute(pacticipant.delete())
            assert load(other)[0] == 1
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            database.write(fail)
        assert load(other)[0] == 1
        assert load(database)[0] == 1
    finally:
        database.close()
        other.close()


def test_a_connection_keeps_a_few_values(database_url):
    database = open_database(database_url, connections=1)
    try:
        keys = [f"key {number}" for number in range(MAX_VALUES + 1)]
        assert all(load(database, key)[1] for key in keys)
        assert load_again(database, keys[-1]) == (0, False)
        assert load(database, keys[0]) == (0, True)
        assert database.read(count_integrations) == 0
    finally:
        database.close()
