"""The cleaner: takes old data out of a database that is in use, by hand or by schedule.

What is to go is found in one read, and goes in many short writes with pauses between them, so that no request waits
long: each takes as much as went within the goal before. One cleaner at a time works on a database; when it is killed,
another may begin a minute later.
"""

import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final, TypeVar

import structlog
from cronsim import CronSim, CronSimError
from sqlalchemy import Connection

from treaty.actions.maintenance import cleanup
from treaty.errors import InvalidSetting
from treaty.model.audit import Actor
from treaty.model.maintenance.retention import CleanupPlan, RemovedCounts, Retention, RowCounts, compute_cutoff
from treaty.store import audit
from treaty.store.engine.database import Database
from treaty.store.maintenance import removal
from treaty.store.maintenance.removal import VersionBatch

T = TypeVar("T")

TRANSACTION_GOAL_SECONDS: Final = 0.03
"""Seconds that a transaction may keep others from writing."""
INITIAL_BATCH_SIZE: Final = 5
"""How much the first transaction of a kind removes, before it is known how long that takes."""
MAX_BATCH_SIZE: Final = 250
EVENT_PAGE_SIZE: Final = 10_000
"""Events of the audit trail that are looked for at once."""
MIN_PAUSE_SECONDS: Final = 0.01
TRANSACTIONS_PER_CHECKPOINT: Final = 4
"""Transactions."""
COOLDOWN: Final = timedelta(seconds=5)
"""After a clean-up by schedule: the clocks of the other processes strike at the same time, and need not clean again."""

log = structlog.get_logger("treaty.workers.cleanup")


class CleanupInProgress(Exception):
    """Somebody else is cleaning."""


class CleanupStopped(Exception):
    """The cleaner was asked to stop."""


class BatchSizer:
    """How much to remove in a transaction, by how long the last ones took."""

    def __init__(self) -> None:
        self._size = INITIAL_BATCH_SIZE
        self._taken = 0

    def batches(self, items: Sequence[T]) -> Iterator[Sequence[T]]:
        """Take items, each time as many as seems right by then."""
        start = 0
        while start < len(items):
            part = items[start : start + self._size]
            self._taken = len(part)
            yield part
            start += len(part)

    def record_duration(self, seconds: float) -> None:
        """Take less at once after a transaction that was too long; after a short one more, but never much more.

        One with less than could be taken says nothing about more.
        """
        fitting = max(1, int(self._taken * TRANSACTION_GOAL_SECONDS / max(seconds, 0.001)))
        if seconds > TRANSACTION_GOAL_SECONDS:
            self._size = min(self._size, fitting)
        elif self._taken == self._size:
            self._size = min(fitting, self._size * 3 // 2 + 1, MAX_BATCH_SIZE)


CleanupResult = Mapping[str, Mapping[str, RowCounts]]
"""Removed and remaining rows by kind: old data under `clean`, overwritten data under `overwritten`, and `audit`."""


def check_schedule(schedule: str) -> None:
    """Raise WrongSetting for what is no cron expression."""
    try:
        CronSim(schedule, _utc_now())
    except CronSimError as error:
        raise InvalidSetting(
            f"database_clean_cron_schedule: '{schedule}' is no cron expression such as '15 2 * * *': {error}"
        ) from error


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
        name: str = "cleaner",
        clock: Callable[[], datetime] = _utc_now,
        pause: Callable[[float], bool | None] = time.sleep,
        cooldown: timedelta = timedelta(),
    ) -> None:
        """`pause` waits for some seconds, and says whether to stop; nobody cleans during the rest afterwards.

        The audit trail stays for so many days, or for ever where they are 0; the cleaner stands in it by its name.
        """
        self._database = database
        self._retention = retention
        self._audit_max_age = audit_max_age
        self._actor = Actor(credential_name=name)
        self._clock = clock
        self._pause = pause
        self._rest = cooldown
        self._owner = str(uuid.uuid4())
        self._begun_at = clock()
        self._writes = 0

    def plan(self) -> CleanupPlan:
        """Say what would go."""
        now = self._clock()
        before = self._audit_before()
        return self._database.read(lambda db: cleanup.plan_cleanup(db, self._retention, now=now, audit_before=before))

    def _audit_before(self) -> datetime | None:
        return compute_cutoff(self._clock(), self._audit_max_age) if self._audit_max_age else None

    def clean(self) -> CleanupResult:
        """Remove what nothing keeps, and then what was overwritten; say how much. Raises AlreadyCleaning."""
        with self._alone():
            events = self._remove_audit()
            cleaned = {"clean": self._clean_old(), "overwritten": self._clean_overwritten()}
            left = self._database.read(audit.count_events)
            return {**cleaned, "audit": {"audit_events": RowCounts(gone=events, kept=left)}}

    def clean_audit(self) -> int:
        """Remove what is old of the audit trail, and nothing else; say how much. Raises AlreadyCleaning."""
        with self._alone():
            return self._remove_audit()

    @contextmanager
    def _alone(self) -> Iterator[None]:
        self._begin()
        try:
            yield
        finally:
            until = self._clock() + self._rest
            self._database.write(lambda db: cleanup.release_cleanup(db, owner=self._owner, until=until))

    def _begin(self) -> None:
        now = self._clock()
        if not self._database.write(lambda db: cleanup.claim_cleanup(db, owner=self._owner, now=now)):
            raise CleanupInProgress
        self._begun_at = now

    def _write(self, pace: BatchSizer, work: Callable[[Connection], T]) -> T:
        """Write a little, then let others write. It counts for how long they were kept from it."""
        began: list[float] = []

        def begun(db: Connection) -> T:
            began.append(time.perf_counter())
            return work(db)

        with audit.acting_as(self._actor, at=self._clock()):
            result = self._database.write(begun)
        seconds = time.perf_counter() - began[-1]
        pace.record_duration(seconds)
        self._writes += 1
        if self._writes % TRANSACTIONS_PER_CHECKPOINT == 0:
            self._database.checkpoint()
        if self._pause(max(MIN_PAUSE_SECONDS, 2 * seconds)):
            raise CleanupStopped
        if self._clock() - self._begun_at > cleanup.LEASE_DURATION / 4:
            self._begin()
        return result

    def _remove_audit(self) -> int:
        before = self._audit_before()
        if before is None:
            return 0
        total, pace = 0, BatchSizer()
        while found := self._database.read(lambda db: audit.list_old_ids(db, before=before, limit=EVENT_PAGE_SIZE)):
            total += sum(
                self._write(pace, partial(cleanup.remove_audit_events, ids=part)) for part in pace.batches(found)
            )
        return total

    def _clean_old(self) -> dict[str, RowCounts]:
        removed = RemovedCounts()
        for part in (self._remove_branches, self._remove_versions, self._remove_contents):
            for one in part():
                removed += one
        return self._amounts(asdict(removed))

    def _amounts(self, gone: Mapping[str, int]) -> dict[str, RowCounts]:
        remaining = self._database.read(removal.count_rows)
        return {name: RowCounts(gone=number, kept=remaining[name]) for name, number in gone.items()}

    def _remove_branches(self) -> Iterator[RemovedCounts]:
        now, pace = self._clock(), BatchSizer()
        found = self._database.read(lambda db: cleanup.list_stale_branches(db, self._retention, now=now))
        for pacticipant, names in _by_pacticipant((one.pacticipant, one.name) for one in found):
            for part in pace.batches(names):
                yield self._write(
                    pace,
                    partial(
                        cleanup.remove_branches, kept=self._retention, pacticipant=pacticipant, names=part, now=now
                    ),
                )

    def _remove_versions(self) -> Iterator[RemovedCounts]:
        now, pace = self._clock(), BatchSizer()
        found = self._database.read(lambda db: cleanup.list_old_versions(db, self._retention, now=now))
        for pacticipant, old in found.items():
            for part in pace.batches([version.number for version in old]):
                batch = VersionBatch(pacticipant=pacticipant, numbers=part, found_at=now)
                yield self._write(
                    pace, partial(cleanup.remove_versions, kept=self._retention, batch=batch, now=self._clock())
                )

    def _remove_contents(self) -> Iterator[RemovedCounts]:
        pace = BatchSizer()
        for (consumer, provider), ids in self._database.read(removal.list_orphans).items():
            for part in pace.batches(ids):
                yield self._write(
                    pace, partial(cleanup.remove_contents, consumer=consumer, provider=provider, ids=part)
                )

    def _clean_overwritten(self) -> dict[str, RowCounts]:
        if self._retention.overwritten_max_age is None:
            return {}
        before = removal.cutoff(self._retention, self._clock())
        gone = Counter(dict.fromkeys((*removal.OVERWRITTEN_KINDS, "webhook_executions"), 0))
        for kind in removal.OVERWRITTEN_KINDS:
            gone.update(self._remove_overwritten(kind, before))
        gone["pact_versions"] = sum(removed.pact_versions for removed in self._remove_contents())
        return self._amounts(gone)

    def _remove_overwritten(self, kind: str, before: datetime) -> Counter[str]:
        limit, pace = self._retention.limit, BatchSizer()
        found = self._database.read(lambda db: removal.list_overwritten_ids(db, kind, before=before, limit=limit))
        gone: Counter[str] = Counter()
        for part in pace.batches(found):
            gone.update(self._write(pace, partial(cleanup.remove_overwritten_rows, kind=kind, ids=part)))
        return gone


def _by_pacticipant(pairs: Iterable[tuple[str, str]]) -> Iterable[tuple[str, list[str]]]:
    """Gather what belongs to the same pacticipant, so that few transactions do."""
    found: dict[str, list[str]] = {}
    for pacticipant, name in pairs:
        found.setdefault(pacticipant, []).append(name)
    return found.items()


class ScheduledCleaner:
    """Cleans by a schedule, from when it is started until it is stopped."""

    def __init__(  # noqa: PLR0913 - what to clean, how, and when; most of it by name
        self,
        database: Database,
        retention: Retention,
        schedule: str,
        *,
        is_dry: bool,
        audit_max_age: timedelta = timedelta(0),
        cleans_data: bool = True,
        clock: Callable[[], datetime] = _utc_now,
    ) -> None:
        self._database = database
        self._retention = retention
        self._schedule = schedule
        self._is_dry = is_dry
        self._audit_max_age = audit_max_age
        self._cleans_data = cleans_data
        self._clock = clock
        self._is_stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Wait for the time to come."""
        log.info("schedule", schedule=self._schedule)
        self._is_stopping.clear()
        self._thread = threading.Thread(target=self._work, name="treaty-cleaner", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """Do nothing: the schedule alone says when."""

    def stop(self) -> None:
        """End after the transaction that is under way."""
        self._is_stopping.set()
        if self._thread is not None:
            self._thread.join()

    def _work(self) -> None:
        for due in CronSim(self._schedule, self._clock()):
            if self._is_stopping.wait(max(0.0, (due - self._clock()).total_seconds())):
                return
            try:
                self._run()
            except CleanupStopped:
                return
            except Exception:
                log.exception("clean")

    def _run(self) -> None:
        cleaner = Cleaner(
            self._database,
            self._retention,
            audit_max_age=self._audit_max_age,
            clock=self._clock,
            pause=self._is_stopping.wait,
            cooldown=COOLDOWN,
        )
        if self._is_dry and self._cleans_data:
            plan = cleaner.plan()
            log.info("clean", dry_run=True, versions=len(plan.versions), branches=len(plan.branches))
            return
        try:
            result = cleaner.clean() if self._cleans_data else {}
            if not self._cleans_data:
                cleaner.clean_audit()
        except CleanupInProgress:
            log.info("Clean was not performed as a clean is already in progress. Exiting.")
            return
        log.info("clean", **{what: one.gone for part in result.values() for what, one in part.items()})
