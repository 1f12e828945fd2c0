"""Finds events that no request causes, such as overdue verifications, and enqueues digests that are due.

Each server process has a worker, and all of them find the same. Locks and marks in the database ensure that each event
is enqueued once, and is in one digest, even if a process is killed.
"""

import json
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final

import structlog

from treaty.model.audit import Actor
from treaty.settings import Settings
from treaty.store import audit
from treaty.store.engine.database import Database
from treaty.store.webhooks import digests, notices
from treaty.store.webhooks.digests import CollectingWebhook
from treaty.workers.polling import PollingWorker

SEARCH_SECONDS: Final = 60.0
"""Seconds between two searches for overdue verifications and unused contracts."""
LOOK_BACK: Final = timedelta(days=30)
"""Period before the start that the first search of a process covers, for events that were due while no server ran."""
OVERLAP: Final = timedelta(hours=1)
"""Overlap of searches, because transactions end after the time that they record."""
_ACTOR: Final = Actor(credential_name="notices")

log = structlog.get_logger("treaty.workers.notices")


class NoticeWorker(PollingWorker):
    """Enqueues the deliveries of events that time causes. `stop` waits for the current transaction."""

    name = "notices"
    poll_seconds = 15.0

    def __init__(
        self, database: Database, settings: Settings, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        super().__init__()
        self._database = database
        self._settings = settings
        self._clock = clock
        self._searched_at: datetime | None = None
        self._searched_until: datetime | None = None
        """Publications until this time have been searched for overdue verifications."""

    def step(self) -> None:
        """Enqueue the digests that are due, and search for events now and then."""
        now = self._clock()
        if self._searched_at is None or (now - self._searched_at).total_seconds() >= SEARCH_SECONDS:
            with audit.acting_as(_ACTOR):
                self.report_overdue(now)
                self.report_unused(now)
            self._searched_at = now
        with audit.acting_as(_ACTOR):
            self.send_digests(now)

    def wake(self) -> None:
        """Do nothing: requests cause no work that is due at once."""

    def report_overdue(self, now: datetime) -> None:
        """Report the verifications that have become overdue."""
        age = self._settings.verification_overdue_after
        if not age:
            return
        until = now - age
        after = until - LOOK_BACK if self._searched_until is None else self._searched_until - OVERLAP
        for pact in self._database.read(partial(notices.list_published, after=after, until=until)):
            if self._is_stopping.is_set():
                return
            # Searching only reads: a write would lock SQLite each time.
            if self._database.read(partial(notices.list_overdue, pact=pact)):
                # Takes 2 MiB with all that enqueues deliveries, and few servers have webhooks for such events.
                from treaty.actions.webhooks.notices import report_overdue  # noqa: PLC0415

                report = partial(report_overdue, pact=pact, base_url=self._find_base_url(), now=now)
                count = self._database.write(report)
                log.info("verification_overdue", consumer=pact.consumer, provider=pact.provider, events=count)
        self._searched_until = until

    def report_unused(self, now: datetime) -> None:
        """Report the contracts that have become unused, and remove the marks of those that are in use again."""
        age = self._settings.contract_unused_after
        if not age:
            return
        before = now - age
        for use in self._database.read(partial(notices.list_changed_uses, before=before)):
            if self._is_stopping.is_set():
                return
            from treaty.actions.webhooks.notices import report_use  # noqa: PLC0415 - see `report_overdue`

            report = partial(report_use, use=use, before=before, base_url=self._find_base_url(), now=now)
            if self._database.write(report):
                log.info("contract_unused", consumer=use.consumer, provider=use.provider)

    def send_digests(self, now: datetime) -> None:
        """Enqueue the digests whose first event is as old as their interval."""
        for collecting in self._database.read(digests.list_collecting):
            if _is_due(collecting, now):
                from treaty.actions.webhooks.digests import EventsTaken, enqueue_digest  # noqa: PLC0415 - likewise

                with suppress(EventsTaken):
                    self._database.write(partial(enqueue_digest, webhook=collecting.uuid, now=now))

    def _find_base_url(self) -> str:
        """Return the URL of the server in links: the configured one, else that of the latest delivery."""
        if self._settings.base_urls:
            return self._settings.base_urls[0]
        context = self._database.read(notices.find_last_context)
        return "" if context is None else str(json.loads(context).get("base_url", ""))


def _is_due(collecting: CollectingWebhook, now: datetime) -> bool:
    return collecting.seconds is None or now - collecting.since >= timedelta(seconds=collecting.seconds)
