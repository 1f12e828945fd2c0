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

from treaty.actions import cleaning
from treaty.errors import WrongSetting
from treaty.model.audit import Actor
from treaty.model.retention import Amount, Plan, Removed, Retention, oldest
from treaty.store import audit, removal
from treaty.store.database import Database
from treaty.store.removal import Batch

T = TypeVar("T")

GOAL: Final = 0.03
"""Seconds that a transaction may keep others from writing."""
FIRST_SIZE: Final = 5
"""How much the first transaction of a kind removes, before it is known how long that takes."""
MOST_SIZE: Final = 250
EVENTS_AT_ONCE: Final = 10_000
"""Events of the audit trail that are looked for at once."""
LEAST_PAUSE: Final = 0.01
CHECKPOINT_EVERY: Final = 4
"""Transactions."""
REST: Final = timedelta(seconds=5)
"""After a clean-up by schedule: the clocks of the other processes strike at the same time, and need not clean again."""

log = structlog.get_logger("treaty.cleaner")


class AlreadyCleaning(Exception):
    """Somebody else is cleaning."""


class Stopped(Exception):
    """The cleaner was asked to stop."""


class Pace:
    """How much to remove in a transaction, by how long the last ones took."""

    def __init__(self) -> None:
        self._size = FIRST_SIZE
        self._taken = 0

    def parts(self, items: Sequence[T]) -> Iterator[Sequence[T]]:
        """Take items, each time as many as seems right by then."""
        start = 0
        while start < len(items):
            part = items[start : start + self._size]
            self._taken = len(part)
            yield part
            start += len(part)

    def note(self, seconds: float) -> None:
        """Take less at once after a transaction that was too long; after a short one more, but never much more.

        One with less than could be taken says nothing about more.
        """
        fitting = max(1, int(self._taken * GOAL / max(seconds, 0.001)))
        if seconds > GOAL:
            self._size = min(self._size, fitting)
        elif self._taken == self._size:
            self._size = min(fitting, self._size * 3 // 2 + 1, MOST_SIZE)


Cleaned = Mapping[str, Mapping[str, Amount]]
"""Removed and remaining rows by kind: old data under `clean`, overwritten data under `overwritten`, and `audit`."""


def check_schedule(schedule: str) -> None:
    """Raise WrongSetting for what is no cron expression."""
    try:
        CronSim(schedule, _utc_now())
    except CronSimError as error:
        raise WrongSetting(
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
        rest: timedelta = timedelta(),
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
        self._rest = rest
        self._owner = str(uuid.uuid4())
        self._begun_at = clock()
        self._writes = 0

    def plan(self) -> Plan:
        """Say what would go."""
        now = self._clock()
        before = self._audit_before()
        return self._database.read(lambda db: cleaning.plan(db, self._retention, now=now, audit_before=before))

    def _audit_before(self) -> datetime | None:
        return oldest(self._clock(), self._audit_max_age) if self._audit_max_age else None

    def clean(self) -> Cleaned:
        """Remove what nothing keeps, and then what was overwritten; say how much. Raises AlreadyCleaning."""
        with self._alone():
            events = self._remove_audit()
            cleaned = {"clean": self._clean_old(), "overwritten": self._clean_overwritten()}
            left = self._database.read(audit.count)
            return {**cleaned, "audit": {"audit_events": Amount(gone=events, kept=left)}}

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
            self._database.write(lambda db: cleaning.end(db, owner=self._owner, until=until))

    def _begin(self) -> None:
        now = self._clock()
        if not self._database.write(lambda db: cleaning.begin(db, owner=self._owner, now=now)):
            raise AlreadyCleaning
        self._begun_at = now

    def _write(self, pace: Pace, work: Callable[[Connection], T]) -> T:
        """Write a little, then let others write. It counts for how long they were kept from it."""
        began: list[float] = []

        def begun(db: Connection) -> T:
            began.append(time.perf_counter())
            return work(db)

        with audit.by(self._actor, at=self._clock()):
            result = self._database.write(begun)
        seconds = time.perf_counter() - began[-1]
        pace.note(seconds)
        self._writes += 1
        if self._writes % CHECKPOINT_EVERY == 0:
            self._database.checkpoint()
        if self._pause(max(LEAST_PAUSE, 2 * seconds)):
            raise Stopped
        if self._clock() - self._begun_at > cleaning.LEASE_TIME / 4:
            self._begin()
        return result

    def _remove_audit(self) -> int:
        before = self._audit_before()
        if before is None:
            return 0
        total, pace = 0, Pace()
        while found := self._database.read(lambda db: audit.old(db, before=before, most=EVENTS_AT_ONCE)):
            total += sum(self._write(pace, partial(cleaning.remove_audit, ids=part)) for part in pace.parts(found))
        return total

    def _clean_old(self) -> dict[str, Amount]:
        removed = Removed()
        for part in (self._remove_branches, self._remove_versions, self._remove_contents):
            for one in part():
                removed += one
        return self._amounts(asdict(removed))

    def _amounts(self, gone: Mapping[str, int]) -> dict[str, Amount]:
        remaining = self._database.read(removal.amounts)
        return {name: Amount(gone=number, kept=remaining[name]) for name, number in gone.items()}

    def _remove_branches(self) -> Iterator[Removed]:
        now, pace = self._clock(), Pace()
        found = self._database.read(lambda db: cleaning.stale_branches(db, self._retention, now=now))
        for pacticipant, names in _by_pacticipant((one.pacticipant, one.name) for one in found):
            for part in pace.parts(names):
                yield self._write(
                    pace,
                    partial(
                        cleaning.remove_branches, kept=self._retention, pacticipant=pacticipant, names=part, now=now
                    ),
                )

    def _remove_versions(self) -> Iterator[Removed]:
        now, pace = self._clock(), Pace()
        found = self._database.read(lambda db: cleaning.old_versions(db, self._retention, now=now))
        for pacticipant, old in found.items():
            for part in pace.parts([version.number for version in old]):
                batch = Batch(pacticipant=pacticipant, numbers=part, found_at=now)
                yield self._write(
                    pace, partial(cleaning.remove_versions, kept=self._retention, batch=batch, now=self._clock())
                )

    def _remove_contents(self) -> Iterator[Removed]:
        pace = Pace()
        for (consumer, provider), ids in self._database.read(removal.orphans).items():
            for part in pace.parts(ids):
                yield self._write(
                    pace, partial(cleaning.remove_contents, consumer=consumer, provider=provider, ids=part)
                )

    def _clean_overwritten(self) -> dict[str, Amount]:
        if self._retention.overwritten_max_age is None:
            return {}
        before = removal.cutoff(self._retention, self._clock())
        gone = Counter(dict.fromkeys((*removal.OVERWRITTEN, "webhook_executions"), 0))
        for kind in removal.OVERWRITTEN:
            gone.update(self._remove_overwritten(kind, before))
        gone["pact_versions"] = sum(removed.pact_versions for removed in self._remove_contents())
        return self._amounts(gone)

    def _remove_overwritten(self, kind: str, before: datetime) -> Counter[str]:
        limit, pace = self._retention.limit, Pace()
        found = self._database.read(lambda db: removal.overwritten_ids(db, kind, before=before, limit=limit))
        gone: Counter[str] = Counter()
        for part in pace.parts(found):
            gone.update(self._write(pace, partial(cleaning.remove_overwritten, kind=kind, ids=part)))
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
            except Stopped:
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
            rest=REST,
        )
        if self._is_dry and self._cleans_data:
            plan = cleaner.plan()
            log.info("clean", dry_run=True, versions=len(plan.versions), branches=len(plan.branches))
            return
        try:
            result = cleaner.clean() if self._cleans_data else {}
            if not self._cleans_data:
                cleaner.clean_audit()
        except AlreadyCleaning:
            log.info("Clean was not performed as a clean is already in progress. Exiting.")
            return
        log.info("clean", **{what: one.gone for part in result.values() for what, one in part.items()})
