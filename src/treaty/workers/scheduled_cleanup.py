"""Removes old data from the database of a server by a schedule."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog
from cronsim import CronSim, CronSimError

from treaty.errors import InvalidSetting
from treaty.model.maintenance.retention import Retention
from treaty.store.engine.database import Database
from treaty.store.engine.health import log_failure

COOLDOWN: Final = timedelta(seconds=5)
"""Time after a scheduled clean-up in which no other process starts one: all have the same schedule."""

log = structlog.get_logger("treaty.workers.cleanup")


def check_schedule(schedule: str) -> None:
    """Raise InvalidSetting if a schedule is not a valid cron expression."""
    try:
        CronSim(schedule, datetime.now(UTC))
    except CronSimError as error:
        raise InvalidSetting(
            f"database_clean_cron_schedule: '{schedule}' is not a valid cron expression such as '15 2 * * *': {error}"
        ) from error


class ScheduledCleaner:
    """Runs clean-ups by a schedule in a thread, from `start` until `stop`."""

    def __init__(  # noqa: PLR0913 - what to clean, how, and when; most of it by name
        self,
        database: Database,
        retention: Retention,
        schedule: str,
        *,
        is_dry: bool,
        audit_max_age: timedelta = timedelta(0),
        decision_max_age: timedelta = timedelta(0),
        cleans_data: bool = True,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._database = database
        self._retention = retention
        self._schedule = schedule
        self._is_dry = is_dry
        self._audit_max_age = audit_max_age
        self._decision_max_age = decision_max_age
        self._cleans_data = cleans_data
        self._clock = clock
        self._is_stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the thread that waits for the scheduled times."""
        if self._cleans_data:
            log.info("schedule", schedule=self._schedule)
        self._is_stopping.clear()
        self._thread = threading.Thread(target=self._work, name="treaty-cleaner", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """Do nothing: unlike deliveries, clean-ups run at scheduled times only."""

    def stop(self) -> None:
        """Stop the thread after the current transaction, and wait for it."""
        self._is_stopping.set()
        if self._thread is not None:
            self._thread.join()

    def _work(self) -> None:
        for due in CronSim(self._schedule, self._clock()):
            if self._is_stopping.wait(max(0.0, (due - self._clock()).total_seconds())):
                return
            try:
                self._run()
            except Exception as error:  # noqa: BLE001 - the next clean-up may succeed, as when the database is back
                log_failure(log, "clean", error)

    def _run(self) -> None:
        # Takes 2 MiB, which the server does not need until then.
        from treaty.workers.cleanup import Cleaner, CleanupInProgress, CleanupStopped  # noqa: PLC0415

        cleaner = Cleaner(
            self._database,
            self._retention,
            audit_max_age=self._audit_max_age,
            decision_max_age=self._decision_max_age,
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
                cleaner.clean_history()
        except CleanupStopped:
            return
        except CleanupInProgress:
            log.info("Clean was not performed as a clean is already in progress. Exiting.")
            return
        log.info("clean", **{kind: counts.gone for section in result.values() for kind, counts in section.items()})
