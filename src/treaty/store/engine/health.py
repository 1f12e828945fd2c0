"""Checks that the database responds."""

import sqlite3
from typing import Any, Final

from sqlalchemy import Connection, literal, select
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from treaty.errors import DatabaseReplaced
from treaty.store.engine.database import Busy, execute
from treaty.store.engine.database_faults import describe_first_line
from treaty.store.engine.database_urls import parse_url

DATABASE_ERRORS: Final = (SQLAlchemyError, sqlite3.Error, Busy, DatabaseReplaced)
"""Errors that mean that the database does not respond."""
_SELECT_TRUE: Final = select(literal(value=True))


def check(db: Connection) -> None:
    """Execute a trivial query. Raises one of DATABASE_ERRORS if the database does not respond."""
    execute(db, _SELECT_TRUE, {})


def log_failure(log: Any, event: str, error: Exception, **fields: str) -> None:
    """Log an unexpected error with its traceback. Without a database, the reason says more than a traceback."""
    if isinstance(error, Busy):
        log.error(event, reason=str(error) or describe_first_line(error), **fields)
    else:
        log.error(event, exc_info=error, **fields)


def describe_error(error: Exception, *, database_url: str) -> str:
    """Describe why the database did not respond; the password of its URL is redacted."""
    cause: BaseException = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    if isinstance(error, Busy):  # its cause has the reason, such as an exhausted connection pool
        cause = error.__cause__ or error
    lines = str(cause).strip().splitlines()
    text = f"{type(cause).__name__} - {lines[0] if lines else 'no answer'}"
    password = parse_url(database_url).password
    return text.replace(str(password), "*****") if password else text
