"""The first use of a database by a process: it may not be up yet, and other processes may start at the same time."""

import time
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, repeat
from typing import Final, TypeVar

from treaty.errors import UnusableDatabase
from treaty.store.engine import health
from treaty.store.engine.database import Database
from treaty.store.engine.database_faults import explain_error

T = TypeVar("T")

RETRY_SECONDS: Final = 3.0
"""Pause before each retry of the original broker."""
_FIRST_PAUSES: Final = (0.5, 1.0, 2.0)


def wait_for(
    attempt: Callable[[], T], database: Database, pauses: Iterable[float], *, report: Callable[[str], None]
) -> T:
    """Try to use a database, and try again after each of the pauses while the fault is temporary.

    `report` receives a line for each failed attempt but the last. Raises UnusableDatabase.
    """
    for pause in pauses:
        try:
            return _explain_faults(attempt, database)
        except UnusableDatabase as fault:
            if not fault.is_temporary:
                raise
            report(f"{fault.reason} Trying again in {pause:.1f} seconds.")
        time.sleep(pause)
    return _explain_faults(attempt, database)


def _explain_faults(attempt: Callable[[], T], database: Database) -> T:
    try:
        return attempt()
    except health.DATABASE_ERRORS as error:
        raise explain_error(error, database.engine.url) from error


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
