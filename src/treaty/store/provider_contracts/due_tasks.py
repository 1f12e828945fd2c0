"""Claiming queued comparisons. Workers poll with these queries, so the module imports no rules of comparisons."""

from datetime import datetime
from typing import Final, NamedTuple

from sqlalchemy import Connection, bindparam, delete, func, select, update

from treaty.store.engine.database import execute, fetch_first, fetch_scalar
from treaty.store.tables import comparison_task


class Task(NamedTuple):
    """A queued comparison: of a content, of a provider version, or of both with each other."""

    id: int
    version_id: int | None
    content_id: int | None
    base_url: str


RENEW_TASK: Final = (
    update(comparison_task).where(comparison_task.c.id == bindparam("_id")).values(due_at=bindparam("until"))
)
_DUE: Final = (
    select(comparison_task.c.id, comparison_task.c.version_id, comparison_task.c.content_id, comparison_task.c.base_url)
    .where(comparison_task.c.due_at <= bindparam("now"))
    .order_by(comparison_task.c.due_at, comparison_task.c.id)
    .limit(1)
)
_CLAIM_DUE: Final = _DUE.with_for_update(skip_locked=True)
_HAS_DUE: Final = select(func.count()).select_from(_DUE.subquery())
_END: Final = delete(comparison_task).where(
    comparison_task.c.id == bindparam("_id"), comparison_task.c.due_at == bindparam("until")
)


def has_due(db: Connection, *, now: datetime) -> bool:
    """Whether a worker can claim a task."""
    return bool(fetch_scalar(db, _HAS_DUE, {"now": now}))


def claim(db: Connection, *, now: datetime, until: datetime) -> Task | None:
    """Claim the oldest due task until a time, after which another worker may claim it."""
    row = fetch_first(db, _CLAIM_DUE, {"now": now})
    if row is None:
        return None
    execute(db, RENEW_TASK, {"_id": row.id, "until": until})
    return Task(*row)


def end(db: Connection, task: Task, *, until: datetime) -> None:
    """Remove a task that was claimed until a time, unless it has been enqueued again since."""
    execute(db, _END, {"_id": task.id, "until": until})
