"""Queries for many ids: expanding parameters, in batches that keep each statement short."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection, Executable

from treaty.store.engine.database import execute, fetch_rows

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
