"""Whether a transaction was committed whose connection was lost while it was."""

import time
from typing import Final

from sqlalchemy import Connection, text

from treaty.store.engine.database import Unavailable

_STATUS: Final = text("SELECT pg_xact_status(CAST(:id AS xid8))")
_MAX_WAIT_SECONDS: Final = 10.0
_PAUSE_SECONDS: Final = 0.1


def find_transaction_id(db: Connection) -> str | None:
    """Return the id of the open transaction, which has written. None on SQLite, where a commit has a result."""
    if db.dialect.name != "postgresql":
        return None
    return str(db.execute(text("SELECT CAST(pg_current_xact_id() AS text)")).scalar_one())


def is_committed(db: Connection, transaction_id: str) -> bool:
    """Return whether a recent transaction was committed. Also right on a promoted standby.

    PostgreSQL notices the end of a connection only after the statement that runs. Raises Unavailable if it has not
    ended in time, as while a commit waits for a standby.
    """
    end = time.monotonic() + _MAX_WAIT_SECONDS
    while (status := db.execute(_STATUS, {"id": transaction_id}).scalar()) == "in progress":
        if time.monotonic() > end:
            raise Unavailable("the transaction whose connection was lost has not ended")
        time.sleep(_PAUSE_SECONDS)
    return status == "committed"
