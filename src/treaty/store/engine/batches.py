"""Queries for many ids: expanding parameters, in batches that keep each statement short."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection, Executable

from treaty.store.engine.database import execute, fetch_rows, fetch_rows_of_each

BATCH_SIZE: Final = 500
"""Number of ids in one statement. SQLite and PostgreSQL limit the number of parameters, at 32,766 and 65,535."""


def split(ids: Collection[Any]) -> Iterator[Sequence[Any]]:
    """Split ids into sorted batches."""
    ordered = sorted(ids)
    return (ordered[start : start + BATCH_SIZE] for start in range(0, len(ordered), BATCH_SIZE))


def execute_in_batches(
    db: Connection,
    statement: Executable,
    ids: Collection[Any],
    params: Mapping[str, object] | None = None,
    *,
    parameter: str = "ids",
) -> None:
    """Execute a statement that changes data for all ids, which it takes as the expanding parameter `parameter`."""
    for batch in split(ids):
        execute(db, statement, {**(params or {}), parameter: batch})


def fetch_in_batches(
    db: Connection,
    statement: Executable,
    ids: Collection[Any],
    params: Mapping[str, object] | None = None,
    *,
    parameter: str = "ids",
) -> Iterator[Any]:
    """Fetch the rows for all ids, which the statement takes as the expanding parameter `parameter`.

    Rows come in the order of their batches, so a statement's own order holds within a batch only.
    """
    for batch in split(ids):
        yield from fetch_rows(db, statement, {**(params or {}), parameter: batch})


def fetch_in_batches_for_each(
    db: Connection,
    statement: Executable,
    requests: Sequence[tuple[Collection[Any], Mapping[str, object]]],
    *,
    parameter: str = "ids",
) -> list[list[Any]]:
    """Fetch the rows for each of several requests, which are ids and the other parameters of the statement."""
    batches = [
        (index, {**params, parameter: batch}) for index, (ids, params) in enumerate(requests) for batch in split(ids)
    ]
    rows_of_each: list[list[Any]] = [[] for _ in requests]
    rows_of_batches = fetch_rows_of_each(db, [(statement, params) for _, params in batches])
    for (index, _), rows in zip(batches, rows_of_batches, strict=True):
        rows_of_each[index] += rows
    return rows_of_each
