"""The first connection of a process to its database, which may not be up yet."""

import time
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, repeat
from typing import Final

from treaty.errors import UnusableDatabase
from treaty.store.engine import health
from treaty.store.engine.database import Database
from treaty.store.engine.database_faults import explain_error

RETRY_SECONDS: Final = 3.0
"""Pause before each retry of the original broker."""
_FIRST_PAUSES: Final = (0.5, 1.0, 2.0)


def connect(database: Database, pauses: Iterable[float], *, report: Callable[[str], None]) -> None:
    """Connect to a database, and try again after each of the pauses while the fault is temporary.

    `report` receives a line for each failed attempt but the last. Raises UnusableDatabase.
    """
    for pause in pauses:
        fault = _find_fault(database)
        if fault is None:
            return
        if not fault.is_temporary:
            raise fault
        report(f"{fault.reason} Trying again in {pause:.1f} seconds.")
        time.sleep(pause)
    if fault := _find_fault(database):
        raise fault


def _find_fault(database: Database) -> UnusableDatabase | None:
    try:
        database.read_once(health.check)
    except health.DATABASE_ERRORS as error:
        return explain_error(error, database.engine.url)
    return None


def plan_pauses(timeout: float, max_retries: int | None) -> Iterator[float]:
    """Yield the pauses between attempts, in seconds: `max_retries` of them, or as many as fit into the timeout."""
    if max_retries is not None:
        yield from repeat(RETRY_SECONDS, max_retries)
        return
    end = time.monotonic() + timeout
    for pause in chain(_FIRST_PAUSES, repeat(RETRY_SECONDS)):
        remaining = end - time.monotonic()
        if remaining <= 0:
            return
        yield min(pause, remaining)
