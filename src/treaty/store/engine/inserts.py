"""Adds many rows to a table with a single statement."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Final

from sqlalchemy import ARRAY, Connection, Insert, Table, bindparam, func, insert, select

from treaty.store.engine.database import execute, execute_many

BATCH_SIZE: Final = 5000
"""Rows in a statement, so that none becomes very large."""


def add_rows(db: Connection, table: Table, rows: Sequence[Mapping[str, object]]) -> None:
    """Add rows, which have a value for each column of the table apart from generated ids.

    PostgreSQL gets each column as an array, which takes a fraction of the time of a statement for each row. SQLite is
    as fast with a statement for each row, since it prepares that once.
    """
    if db.dialect.name == "sqlite":
        execute_many(db, _insert_row(table), rows)
        return
    for start in range(0, len(rows), BATCH_SIZE):
        batch = rows[start : start + BATCH_SIZE]
        execute(db, _insert_arrays(table), {name: [row[name] for row in batch] for name in _list_columns(table)})


def _list_columns(table: Table) -> list[str]:
    return [column.name for column in table.columns if not column.identity]


@cache
def _insert_row(table: Table) -> Insert:
    return insert(table).values({name: bindparam(name) for name in _list_columns(table)})


@cache
def _insert_arrays(table: Table) -> Insert:
    names = _list_columns(table)
    arrays = (func.unnest(bindparam(name, type_=ARRAY(table.columns[name].type))) for name in names)
    return insert(table).from_select(names, select(*arrays))
