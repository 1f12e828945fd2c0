"""The driver executes every statement, whatever its parameters are."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from functools import partial
from typing import Any

import pytest
from sqlalchemy import Connection, bindparam, insert, literal, select, update

from treaty.store.engine.database import (
    Database,
    execute,
    fetch_all,
    fetch_column,
    fetch_first,
    fetch_one,
    fetch_rows,
    fetch_scalar,
    open_database,
)
from treaty.store.engine.inserts import add_rows
from treaty.store.engine.prepared import MAX_LIST_LENGTH, MAX_PLACEHOLDERS, MIN_ARRAY_LENGTH
from treaty.store.tables import environment, event

pytestmark = pytest.mark.each_on_postgresql  # the cases are statements

Ask = Callable[[Callable[[Connection], Any]], Any]
NOON = datetime(2024, 5, 6, 12, 0, 0, 123, tzinfo=UTC)
ADD = insert(environment).values(
    {
        name: bindparam(name)
        for name in ("uuid", "name", "display_name", "is_production", "contacts", "created_at", "updated_at")
    }
)
NAMED = select(environment.c.name, environment.c.is_production, environment.c.created_at, environment.c.contacts).where(
    environment.c.name == bindparam("name")
)
SET_TIME = (
    update(environment)
    .where(environment.c.name == bindparam("place"))
    .values(created_at=bindparam("created_at", type_=environment.c.created_at.type))
)
AMONG = (
    select(environment.c.name)
    .where(environment.c.name.in_(bindparam("names", expanding=True)))
    .order_by(environment.c.name)
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    name: str
    is_production: bool
    created_at: datetime
    contacts: str | None


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    database = open_database(database_url, connections=2)
    for name in "abcde":
        database.write(lambda db, name=name: execute(db, ADD, place(name)))  # type: ignore[misc]  # a default binds the name
    yield database
    database.close()


@pytest.fixture(params=["read", "read_once"])
def ask(database: Database, request: pytest.FixtureRequest) -> Ask:
    """A way of asking."""
    way: Ask = getattr(database, request.param)
    return way


def place(name: str, **more: object) -> dict[str, Any]:
    columns = {"uuid": name * 8, "name": name, "display_name": name.upper(), "is_production": name == "a"}
    return {**columns, "contacts": None, "created_at": NOON, "updated_at": NOON, **more}


def test_a_row_becomes_a_noun_with_python_values(ask: Ask) -> None:
    place = ask(lambda db: fetch_one(db, NAMED, {"name": "a"}, Place))
    assert place == Place(name="a", is_production=True, created_at=NOON, contacts=None)
    assert place is not None
    assert place.is_production is True


def test_a_missing_row_is_none(ask: Ask) -> None:
    assert ask(lambda db: fetch_one(db, NAMED, {"name": "z"}, Place)) is None
    assert ask(lambda db: fetch_first(db, NAMED, {"name": "z"})) is None
    assert ask(lambda db: fetch_scalar(db, NAMED, {"name": "z"})) is None


def test_parameters_may_be_the_attributes_of_an_object(ask: Ask) -> None:
    parameters = Place(name="b", is_production=False, created_at=NOON, contacts=None)
    assert ask(lambda db: fetch_all(db, NAMED, parameters, Place)) == [parameters]


LENGTHS = [0, 1, 2, 3, 5, 7, MAX_PLACEHOLDERS, 9, MIN_ARRAY_LENGTH, 11, MAX_LIST_LENGTH, MAX_LIST_LENGTH + 1]
VALUES: dict[str, list[Any]] = {
    "name": [*"abcde", *(f"other-{number}" for number in range(MAX_LIST_LENGTH))],
    "id": [*range(1, 1 + max(LENGTHS))],
    "created_at": [NOON + timedelta(days=number) for number in range(max(LENGTHS))],
}


@pytest.mark.parametrize("column_name", VALUES)
def test_a_list_may_have_any_length(database: Database, ask: Ask, column_name: str) -> None:
    for days, name in enumerate("abcde"):
        created_at = NOON + timedelta(days=days)
        database.write(partial(execute, statement=SET_TIME, params={"place": name, "created_at": created_at}))
    listed = environment.c[column_name].in_(bindparam("values", expanding=True))
    for count in LENGTHS:
        for condition, names in ((listed, [*"abcde"][:count]), (~listed, [*"abcde"][count:])):
            statement = select(environment.c.name).where(condition).order_by(environment.c.name)
            values = VALUES[column_name][:count]
            assert ask(partial(fetch_column, statement=statement, params={"values": values})) == names
            assert ask(partial(fetch_column, statement=statement, params={"values": tuple(values)})) == names


def test_a_statement_may_have_short_and_long_lists(ask: Ask) -> None:
    is_named = environment.c.name.in_(bindparam("names", expanding=True))
    is_excluded = environment.c.id.in_(bindparam("excluded", expanding=True))
    statement = select(environment.c.name).where(is_named, ~is_excluded).order_by(environment.c.name)
    long_names = [*"abcd", *(f"other-{number}" for number in range(20))]
    for names, excluded in ((long_names, [1]), ([*"abcd"], [1, *range(100, 120)]), (long_names, [1, *range(100, 120)])):
        params = {"names": names, "excluded": excluded}
        assert ask(partial(fetch_column, statement=statement, params=params)) == ["b", "c", "d"]


@pytest.mark.parametrize("count", [0, 1, 3, MAX_LIST_LENGTH + 1])
def test_a_list_may_be_part_of_the_statement(ask: Ask, count: int) -> None:
    statement = (
        select(environment.c.name)
        .where(environment.c.id.in_(bindparam("ids", expanding=True, literal_execute=True)))
        .where(environment.c.name > bindparam("after"))
        .order_by(environment.c.name)
    )
    for ids in ([*range(1, count + 1)], [*range(2, count + 2)]):
        params = {"ids": ids, "after": "a"}
        expected = [name for number, name in enumerate("abcde", 1) if number in ids and name > "a"]
        assert ask(partial(fetch_column, statement=statement, params=params)) == expected


def test_a_list_may_hold_the_same_twice(ask: Ask) -> None:
    assert ask(lambda db: fetch_column(db, AMONG, {"names": ["b", "a", "b"]})) == ["a", "b"]


def test_times_of_any_zone_are_returned_in_utc(database: Database, ask: Ask) -> None:
    elsewhere = NOON.astimezone(timezone(timedelta(hours=5)))
    database.write(lambda db: execute(db, ADD, place("far", created_at=elsewhere)))
    row = ask(lambda db: fetch_first(db, NAMED, {"name": "far"}))
    assert row.created_at.isoformat() == NOON.isoformat()


def test_columns_of_the_same_name_are_found_by_their_place(ask: Ask) -> None:
    other = environment.alias("other")
    statement = (
        select(environment.c.name, other.c.name, literal(7).label("number"))
        .join(other, other.c.name == bindparam("other"))
        .where(environment.c.name == bindparam("name"))
    )
    (row,) = ask(lambda db: fetch_rows(db, statement, {"name": "a", "other": "b"}))
    assert tuple(row) == ("a", "b", 7)
    assert row.number == 7


def test_a_change_returns_the_number_of_matched_rows(database: Database, ask: Ask) -> None:
    statement = update(environment).where(environment.c.name > bindparam("after")).values(contacts=bindparam("said"))
    assert database.write(lambda db: execute(db, statement, {"after": "c", "said": "us"})) == 2
    assert ask(lambda db: fetch_first(db, NAMED, {"name": "e"})).contacts == "us"


def test_an_insertion_can_return_the_id_of_its_row(database: Database, ask: Ask) -> None:
    number = database.write(lambda db: fetch_scalar(db, ADD.returning(environment.c.id), place("new")))
    assert number == ask(
        lambda db: fetch_scalar(
            db, select(environment.c.id).where(environment.c.name == bindparam("name")), {"name": "new"}
        )
    )


def test_rows_that_are_added_together_may_lack_numbers(database: Database) -> None:
    numbers = [7, None, -1, 2**31 - 1]
    columns = {column.name: None for column in event.columns if column.name != "id"} | {"created_at": NOON}
    rows = [{**columns, "name": str(index), "verification": number} for index, number in enumerate(numbers)]
    database.write(lambda db: add_rows(db, event, rows))
    listed = select(event.c.verification).order_by(event.c.name)
    assert database.read(lambda db: fetch_column(db, listed, {})) == numbers
