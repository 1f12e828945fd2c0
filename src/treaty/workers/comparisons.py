"""Compares pacts with the contracts of provider versions in the background, from a queue in the database.

A task is claimed for a while, and removed when all its pairs have been compared. If its process is killed, the claim
expires, and another worker starts again: pairs that were compared already take one query each.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import structlog
from sqlalchemy import Connection

from treaty.model.audit import Actor
from treaty.store import audit
from treaty.store.engine.database import Database
from treaty.store.provider_contracts import due_tasks
from treaty.store.provider_contracts.due_tasks import Task
from treaty.workers.polling import PollingWorker

if TYPE_CHECKING:
    from treaty.model.provider_contracts.comparisons import PairKey

log = structlog.get_logger("treaty.workers.comparisons")

CLAIM_TIME: Final = timedelta(seconds=60)
"""Time after which a task of a killed process is claimed by another one."""
_ACTOR: Final = Actor(credential_name="comparer")


def _utc_now() -> datetime:
    return datetime.now(UTC)


class ComparisonWorker(PollingWorker):
    """Works off the queue of comparisons. `stop` waits for the current pair only: claims expire, so no task is lost."""

    name = "comparer"
    poll_seconds = 5.0

    def __init__(self, database: Database, *, clock: Callable[[], datetime] = _utc_now) -> None:
        super().__init__()
        self._database = database
        self._clock = clock

    def step(self) -> None:
        """Work off all tasks."""
        while not self._is_stopping.is_set() and self.work_once():
            pass

    def work_once(self) -> bool:
        """Work off one task, and return whether there was one."""
        now = self._clock()
        # Polling only reads: a write would lock SQLite each time.
        if not self._database.read(lambda db: due_tasks.has_due(db, now=now)):
            return False
        until = now + CLAIM_TIME
        task = self._database.write(lambda db: due_tasks.claim(db, now=now, until=until))
        if task is None:
            return False
        pairs = self._database.read(lambda db: _list_pairs(db, task, now=now))
        with audit.acting_as(_ACTOR):
            remaining = self._compare(pairs, base_url=task.base_url, now=now, is_expired=lambda: self._must_stop(until))
        if remaining and not self._is_stopping.is_set():
            # Too many pairs for one claim: those that are compared already are quick the next time.
            log.info("compare", remaining=len(remaining))
            return True
        if not remaining:
            self._database.write(lambda db: due_tasks.end(db, task, until=until))
        return True

    def _compare(
        self, pairs: "Sequence[PairKey]", *, base_url: str, now: datetime, is_expired: Callable[[], bool]
    ) -> "list[PairKey]":
        """Reuse what earlier comparisons say about pairs, compare the others, and return those without a result."""
        # They take 4 MiB with the engine, which servers without documents of providers do not need.
        from treaty.actions.provider_contracts.comparisons import compare_pairs  # noqa: PLC0415
        from treaty.actions.provider_contracts.narrowing import reuse_comparisons  # noqa: PLC0415

        candidates = reuse_comparisons(self._database, pairs, base_url=base_url, now=now, is_expired=is_expired)
        return compare_pairs(self._database, candidates, base_url=base_url, now=now, is_expired=is_expired)

    def _must_stop(self, until: datetime) -> bool:
        return self._is_stopping.is_set() or self._clock() > until - CLAIM_TIME / 4


def _list_pairs(db: Connection, task: Task, *, now: datetime) -> "list[PairKey]":
    from treaty.store.provider_contracts import comparisons  # noqa: PLC0415 - see `ComparisonWorker._compare`

    if task.version_id is not None and task.content_id is not None:
        return comparisons.list_pair(db, task.version_id, task.content_id)
    if task.version_id is not None:
        return comparisons.list_pairs_of_version(db, task.version_id, now=now)
    return [] if task.content_id is None else comparisons.list_pairs_of_content(db, task.content_id, now=now)
