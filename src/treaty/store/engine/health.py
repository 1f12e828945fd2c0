"""Whether the database answers."""

import sqlite3
from typing import Final

from sqlalchemy import Connection, literal, make_url, select
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from treaty.errors import DatabaseReplaced
from treaty.store.engine.database import Busy, execute

DATABASE_ERRORS: Final = (SQLAlchemyError, sqlite3.Error, Busy, DatabaseReplaced)
"""What is raised when the database does not answer."""
_ASK: Final = select(literal(value=True))


def check(db: Connection) -> None:
    """Ask the database for nothing in particular; raises one of `UNANSWERED` when it does not answer."""
    execute(db, _ASK, {})


def describe_error(error: Exception, *, database_url: str) -> str:
    """Say why the database did not answer, without the password that it was asked with."""
    cause: BaseException = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    if isinstance(error, Busy):
        cause = error.__cause__ or error
    lines = str(cause).strip().splitlines()
    text = f"{type(cause).__name__} - {lines[0] if lines else 'no answer'}"
    password = make_url(database_url).password
    return text.replace(str(password), "*****") if password else text
