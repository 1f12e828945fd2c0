"""Removes old data from a database in use.

One read finds the data to remove, and many short transactions remove it, with pauses in which requests can write. The
size of each transaction follows from how long the previous ones took. A lease admits one cleaner at a time to a
database; if its process is killed, another cleaner can start when the lease has expired, a minute later.
"""

import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final, TypeVar

import structlog
from sqlalchemy import Connection

from treaty.actions.maintenance.cleanup import (
    LEASE_DURATION,
    claim_cleanup,
    list_old_versions,
    plan_cleanup,
    release_cleanup,
    remove_audit_events,
    remove_branches,
    remove_contents,
    remove_decisions,
    remove_ended_overrides,
    remove_overwritten_rows,
    remove_unused_contracts,
    remove_versions,
)
from treaty.model.audit import Actor
from treaty.model.maintenance.retention import CleanupPlan, RemovalCounts, RemovedCounts, Retention, compute_cutoff
from treaty.store import audit
from treaty.store.decisions import records
from treaty.store.engine.database import Database
from treaty.store.maintenance import removal, retention
from treaty.store.maintenance.removal import VersionBatch
from treaty.store.provider_contracts import contracts
from treaty.workers.batch_sizes import MIN_PAUSE_SECONDS, BatchSizer

EVENT_PAGE_SIZE: Final = 10_000
"""Audit events listed in one read. The trail may have millions, and their ids are in memory."""
TRANSACTIONS_PER_CHECKPOINT: Final = 4
"""SQLite's write-ahead log would otherwise grow during the clean-up, and the final checkpoint would take long."""

T = TypeVar("T")

log = structlog.get_logger("treaty.workers.cleanup")


class CleanupInProgress(Exception):
    """Another process is cleaning the database."""


class CleanupStopped(Exception):
    """The process is shutting down, and the clean-up ended early. What it had removed is committed."""


CleanupResult = Mapping[str, Mapping[str, RemovalCounts]]
"""Removed and remaining rows by kind: old data under `clean`, overwritten data under `overwritten`, `audit`, and
`decisions`."""


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Cleaner:
    """Cleans a database once."""

    def __init__(  # noqa: PLR0913 - what to clean, how, and when; most of it by name
        self,
        database: Database,
        retention: Retention,
        *,
        audit_max_age: timedelta = timedelta(0),
        decision_max_age: timedelta = timedelta(0),
        name: str = "cleaner",
        clock: Callable[[], datetime] = _utc_now,
        pause: Callable[[float], bool | None] = time.sleep,
        cooldown: timedelta = timedelta(),
    ) -> None:
        """Prepare a clean-up.

        `audit_max_age`, `decision_max_age`: ages at which audit events and recorded decisions are removed; 0 keeps
        them.
        `name`: the name of the cleaner in the audit trail.
        `pause`: waits for some seconds, and returns true if the clean-up has to stop.
        `cooldown`: time after the clean-up in which no other may start.
        """
        self._database = database
        self._retention = retention
        self._audit_max_age = audit_max_age
        self._decision_max_age = decision_max_age
        self._actor = Actor(credential_name=name)
        self._clock = clock
        self._pause = pause
        self._cooldown = cooldown
        self._owner = str(uuid.uuid4())
        self._claimed_at = clock()
        self._transaction_count = 0

    def plan(self) -> CleanupPlan:
        """Return the preview of the clean-up."""
        now = self._clock()
        audit_before, decisions_before = self._cutoff(self._audit_max_age), self._cutoff(self._decision_max_age)
        return self._database.read(
            lambda db: plan_cleanup(
                db, self._retention, now=now, audit_before=audit_before, decisions_before=decisions_before
            )
        )

    def _cutoff(self, max_age: timedelta) -> datetime | None:
        return compute_cutoff(self._clock(), max_age) if max_age else None

    def clean(self) -> CleanupResult:
        """Remove old audit events and decisions, then versions and branches that are not retained, then other old data.

        Raises CleanupInProgress if another process is cleaning, and CleanupStopped if `pause` returned true.
        """
        with self._lease():
            removed_events, removed_decisions = self._remove_audit(), self._remove_decisions()
            self._remove_ended_overrides()
            counts = {"clean": self._clean_old(), "overwritten": self._clean_overwritten()}
            self._remove_unused_contracts()
            remaining_events = self._database.read(audit.count_events)
            remaining_decisions = self._database.read(records.count)
            return {
                **counts,
                "audit": {"audit_events": RemovalCounts(gone=removed_events, kept=remaining_events)},
                "decisions": {"decisions": RemovalCounts(gone=removed_decisions, kept=remaining_decisions)},
            }

    def clean_history(self) -> int:
        """Remove only old audit events, decisions and ended overrides; return the number of events and decisions.

        Raises as `clean` does.
        """
        with self._lease():
            self._remove_ended_overrides()
            return self._remove_audit() + self._remove_decisions()

    @contextmanager
    def _lease(self) -> Iterator[None]:
        self._claim()
        try:
            yield
        finally:
            until = self._clock() + self._cooldown
            self._database.write(lambda db: release_cleanup(db, owner=self._owner, until=until))

    def _claim(self) -> None:
        now = self._clock()
        if not self._database.write(lambda db: claim_cleanup(db, owner=self._owner, now=now)):
            raise CleanupInProgress
        self._claimed_at = now

    def _write(self, sizer: BatchSizer, work: Callable[[Connection], T]) -> T:
        """Run a transaction, and then pause so that others can write.

        The duration counts from when the transaction has its lock (on SQLite), because only then does it block others.
        """
        start_times: list[float] = []

        def timed_work(db: Connection) -> T:
            # A transaction that lost a race runs again; its last run counts.
            start_times.append(time.perf_counter())
            return work(db)

        with audit.acting_as(self._actor, at=self._clock()):
            result = self._database.write(timed_work)
        seconds = time.perf_counter() - start_times[-1]
        sizer.record_duration(seconds)
        self._transaction_count += 1
        if self._transaction_count % TRANSACTIONS_PER_CHECKPOINT == 0:
            self._database.checkpoint()
        # Twice as long as the transaction, so that others can write at least two thirds of the time.
        if self._pause(max(MIN_PAUSE_SECONDS, 2 * seconds)):
            raise CleanupStopped
        # Long before the lease expires: a single slow transaction must not lose it.
        if self._clock() - self._claimed_at > LEASE_DURATION / 4:
            self._claim()
        return result

    def _remove_audit(self) -> int:
        before = self._cutoff(self._audit_max_age)
        if before is None:
            return 0
        total, sizer = 0, BatchSizer()
        while ids := self._database.read(lambda db: audit.list_old_ids(db, before=before, limit=EVENT_PAGE_SIZE)):
            total += sum(self._write(sizer, partial(remove_audit_events, ids=batch)) for batch in sizer.batches(ids))
        return total

    def _remove_decisions(self) -> int:
        before = self._cutoff(self._decision_max_age)
        if before is None:
            return 0
        total, sizer = 0, BatchSizer()
        while ids := self._database.read(lambda db: records.list_old_ids(db, before=before, limit=EVENT_PAGE_SIZE)):
            removed = sum(self._write(sizer, partial(remove_decisions, ids=batch)) for batch in sizer.batches(ids))
            total += removed
            if not removed:
                break
        return total

    def _remove_ended_overrides(self) -> None:
        """Remove overrides that ended as long ago as the oldest events, which have the same content."""
        before = self._cutoff(self._audit_max_age)
        if before is not None:
            self._write(BatchSizer(), partial(remove_ended_overrides, before=before))

    def _clean_old(self) -> dict[str, RemovalCounts]:
        # Branches first: a version may be kept only for its branch. Contents last: the others leave them orphaned.
        total = RemovedCounts()
        for remove_kind in (self._remove_branches, self._remove_versions, self._remove_contents):
            for counts in remove_kind():
                total += counts
        return self._with_remaining(asdict(total))

    def _with_remaining(self, removed: Mapping[str, int]) -> dict[str, RemovalCounts]:
        remaining = self._database.read(removal.count_rows)
        return {name: RemovalCounts(gone=count, kept=remaining[name]) for name, count in removed.items()}

    def _remove_branches(self) -> Iterator[RemovedCounts]:
        now, sizer = self._clock(), BatchSizer()
        branches = self._database.read(lambda db: retention.list_stale_branches(db, self._retention, now=now))
        # A transaction locks one pacticipant, so the branches of each are removed together.
        names_by_pacticipant: dict[str, list[str]] = {}
        for branch in branches:
            names_by_pacticipant.setdefault(branch.pacticipant, []).append(branch.name)
        for pacticipant, names in names_by_pacticipant.items():
            for batch in sizer.batches(names):
                remove = partial(remove_branches, policy=self._retention, pacticipant=pacticipant, names=batch, now=now)
                yield self._write(sizer, remove)

    def _remove_versions(self) -> Iterator[RemovedCounts]:
        planned_at, sizer = self._clock(), BatchSizer()
        versions_by_pacticipant = self._database.read(lambda db: list_old_versions(db, self._retention, now=planned_at))
        for pacticipant, versions in versions_by_pacticipant.items():
            for numbers in sizer.batches([version.number for version in versions]):
                batch = VersionBatch(pacticipant=pacticipant, numbers=numbers, planned_at=planned_at)
                yield self._write(
                    sizer, partial(remove_versions, policy=self._retention, batch=batch, now=self._clock())
                )

    def _remove_contents(self) -> Iterator[RemovedCounts]:
        sizer = BatchSizer()
        for (consumer, provider), ids in self._database.read(removal.list_orphans).items():
            for batch in sizer.batches(ids):
                yield self._write(sizer, partial(remove_contents, consumer=consumer, provider=provider, ids=batch))

    def _remove_unused_contracts(self) -> None:
        sizer = BatchSizer()
        for provider in self._database.read(contracts.list_providers_with_unused):
            self._write(sizer, partial(remove_unused_contracts, provider=provider))

    def _clean_overwritten(self) -> dict[str, RemovalCounts]:
        if self._retention.overwritten_max_age is None:
            return {}
        before = removal.compute_overwritten_cutoff(self._retention, self._clock())
        # Zeros for all kinds, because the report has a line for each.
        total = Counter(dict.fromkeys((*removal.OVERWRITTEN_KINDS, "webhook_executions"), 0))
        for kind in removal.OVERWRITTEN_KINDS:
            total.update(self._remove_overwritten(kind, before))
        # Overwritten publications may have left contents without any.
        total["pact_versions"] = sum(counts.pact_versions for counts in self._remove_contents())
        return self._with_remaining(total)

    def _remove_overwritten(self, kind: str, before: datetime) -> Counter[str]:
        limit, sizer = self._retention.limit, BatchSizer()
        ids = self._database.read(lambda db: removal.list_overwritten_ids(db, kind, before=before, limit=limit))
        total: Counter[str] = Counter()
        for batch in sizer.batches(ids):
            total.update(self._write(sizer, partial(remove_overwritten_rows, kind=kind, ids=batch)))
        return total
