"""Finds databases whose webhooks were stored before all their secrets were encrypted, and their logs."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import Connection, bindparam, delete, exists, insert, select, update

from treaty.store.engine.database import execute, fetch_rows, fetch_scalar
from treaty.store.tables import lease, webhook, webhook_execution

MARK: Final = "plain-secrets"
"""Name of the lease that marks such a database; a migration adds it."""
_FIND: Final = select(lease.c.name).where(lease.c.name == bindparam("lease"))
_ADD: Final = insert(lease).values(name=bindparam("lease"), owner="", until=datetime(1970, 1, 1, tzinfo=UTC))
_REMOVE: Final = delete(lease).where(lease.c.name == bindparam("lease"))
_HAS_WEBHOOKS: Final = select(exists().where(webhook.c.id.is_not(None)))
_LOGS: Final = (
    select(webhook_execution.c.id, webhook_execution.c.logs)
    .where(webhook_execution.c.id > bindparam("after"))
    .order_by(webhook_execution.c.id)
    .limit(bindparam("row_limit"))
)
_CHANGE: Final = (
    update(webhook_execution)
    .where(webhook_execution.c.id == bindparam("execution"))
    .values(logs=bindparam("changed_logs"))
)


def may_have_any(db: Connection) -> bool:
    """Whether the database has webhooks, or is marked."""
    return bool(fetch_scalar(db, _HAS_WEBHOOKS, {})) or is_marked(db)


def is_marked(db: Connection) -> bool:
    return fetch_scalar(db, _FIND, {"lease": MARK}) is not None


def add_mark(db: Connection) -> None:
    if not is_marked(db):
        execute(db, _ADD, {"lease": MARK})


def remove_mark(db: Connection) -> None:
    execute(db, _REMOVE, {"lease": MARK})


def change_logs(db: Connection, change: Callable[[str], str], *, after: int, limit: int) -> int | None:
    """Change the logs of the next attempts after an id. Returns the last id, or None if there are no more attempts."""
    rows = fetch_rows(db, _LOGS, {"after": after, "row_limit": limit})
    for row in rows:
        changed = change(row.logs)
        if changed != row.logs:
            execute(db, _CHANGE, {"execution": row.id, "changed_logs": changed})
    return rows[-1].id if len(rows) == limit else None
