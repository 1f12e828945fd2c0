"""Whether the database answers."""

from typing import Final

from sqlalchemy import Connection, literal, select

from treaty.store.database import run

_ASK: Final = select(literal(value=True))


def ask(db: Connection) -> None:
    """Ask the database for nothing in particular; raises what the driver raises when it does not answer."""
    run(db, _ASK, {})
