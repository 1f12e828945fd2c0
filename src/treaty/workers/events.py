"""Removes old events from the event log, and assigns positions to events that no client has asked for."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final

from treaty.actions.webhooks.event_log import assign_positions, remove_old_events
from treaty.model.maintenance.retention import compute_cutoff
from treaty.store.engine.database import Database
from treaty.store.webhooks import event_log
from treaty.workers.polling import PollingWorker

BATCH_SIZE: Final = 250
"""Events that a transaction changes. On SQLite other writes wait for it."""
PAUSE_SECONDS: Final = 0.05
"""Pause between two transactions, in which others can write."""


class EventLogWorker(PollingWorker):
    """Maintains the event log once an hour, in short transactions. `max_age` 0 keeps all events."""

    name = "events"
    poll_seconds = 3600.0

    def __init__(
        self, database: Database, max_age: timedelta, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        super().__init__()
        self._database = database
        self._max_age = max_age
        self._clock = clock

    def wake(self) -> None:
        """Do nothing: requests for events assign positions themselves."""

    def step(self) -> None:
        """Assign the missing positions, and remove the events that are too old."""
        # The reads come first, because on SQLite even a write that changes nothing makes other writes wait.
        while self._database.read(event_log.has_waiting) and not self._is_stopping.wait(PAUSE_SECONDS):
            self._database.write(partial(assign_positions, limit=BATCH_SIZE))
        if not self._max_age:
            return
        before = compute_cutoff(self._clock(), self._max_age)
        list_old = partial(event_log.list_old_positions, before=before, limit=BATCH_SIZE)
        while (positions := self._database.read(list_old)) and not self._is_stopping.wait(PAUSE_SECONDS):
            self._database.write(partial(remove_old_events, until=positions[-1]))
