"""Computes the comparisons of former versions of the engine again, after an upgrade of the server.

A lease ensures that one process of several does it. The work is taken from the database some comparisons at a time, so
that it continues after a restart, and pauses in between leave the processor to requests.
"""

import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Final

import structlog

from treaty.model.audit import Actor
from treaty.store import audit
from treaty.store.engine.database import Database
from treaty.store.provider_contracts.engines import list_former_engines
from treaty.workers.polling import PollingWorker

if TYPE_CHECKING:
    from treaty.model.provider_contracts.comparisons import NewComparison
    from treaty.model.provider_contracts.recomparisons import Recomparison, WaitingComparison

BATCH_SIZE: Final = 20
"""Comparisons whose inputs are in memory together, and whose results are stored in one transaction."""
REPORT_SECONDS: Final = 10.0
"""Seconds between lines about the progress in the log."""
_ACTOR: Final = Actor(credential_name="recomparer")

log = structlog.get_logger("treaty.workers.recomparisons")


class RecomparisonWorker(PollingWorker):
    """Computes outdated comparisons again, and applies accepted results. `stop` waits for the current batch."""

    name = "recomparer"
    poll_seconds = 60.0

    def __init__(self, database: Database, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        super().__init__()
        self._database = database
        self._clock = clock
        self._owner = str(uuid.uuid4())

    def step(self) -> None:
        """Do what there is to do, unless another process does."""
        if not self._database.read(list_former_engines):
            return
        # Takes 4 MiB with the engine, which is of use after some upgrades only.
        from treaty.actions.provider_contracts.recomparisons import release_recomparing  # noqa: PLC0415

        if not self._claim():
            return
        try:
            with audit.acting_as(_ACTOR):
                self._apply_accepted()
                self._recompute_all()
        finally:
            self._database.write(lambda db: release_recomparing(db, owner=self._owner, now=self._clock()))

    def _claim(self) -> bool:
        from treaty.actions.provider_contracts.recomparisons import claim_recomparing  # noqa: PLC0415 - see `step`

        return self._database.write(lambda db: claim_recomparing(db, owner=self._owner, now=self._clock()))

    def _apply_accepted(self) -> None:
        from treaty.actions.provider_contracts.recomparisons import apply_accepted  # noqa: PLC0415 - see `step`
        from treaty.store.provider_contracts import recomparisons  # noqa: PLC0415 - likewise

        apply = partial(apply_accepted, limit=BATCH_SIZE, now=self._clock())
        while not self._is_stopping.is_set() and self._database.read(lambda db: recomparisons.list_accepted(db, 1)):
            self._database.write(apply)

    def _recompute_all(self) -> None:
        from treaty.actions.provider_contracts.recomparisons import record_recomparisons  # noqa: PLC0415 - see `step`

        reported_at, has_worked = time.monotonic(), False
        while not self._is_stopping.is_set() and (waiting := self._list_waiting()):
            started = time.monotonic()
            recomputed = [_recompute(item) for item in waiting]
            self._database.write(partial(record_recomparisons, recomputed=recomputed, now=self._clock()))
            has_worked = True
            if not self._claim():
                return
            if time.monotonic() - reported_at > REPORT_SECONDS:
                reported_at = time.monotonic()
                self._report()
            self._is_stopping.wait(time.monotonic() - started)
        if has_worked:
            self._report()

    def _list_waiting(self) -> "list[WaitingComparison]":
        from treaty.store.provider_contracts import recomparisons  # noqa: PLC0415 - see `step`

        return self._database.read(lambda db: recomparisons.list_waiting(db, BATCH_SIZE))

    def _report(self) -> None:
        from treaty.store.provider_contracts import recomparisons  # noqa: PLC0415 - see `step`

        progress = self._database.read(recomparisons.load_progress)
        counts = {name: getattr(progress, name) for name in ("total", "remaining", "changed", "failed")}
        log.info("recompare", engine=progress.engine, **counts)


def _recompute(waiting: "WaitingComparison") -> "Recomparison":
    from treaty.model.provider_contracts.recomparisons import Recomparison  # noqa: PLC0415 - see `RecomparisonWorker.step`

    return Recomparison(waiting.outdated, _try_to_compare(waiting))


def _try_to_compare(waiting: "WaitingComparison") -> "NewComparison | None":
    """Compare again. After a fault of the program, the former result stays."""
    from treaty.model.provider_contracts.comparisons import compare_contents  # noqa: PLC0415 - likewise

    try:
        return compare_contents(waiting.inputs)
    except Exception:
        outdated = waiting.outdated
        log.exception("recompare", consumer=outdated.consumer, provider=outdated.provider, sha=outdated.sha)
        return None
