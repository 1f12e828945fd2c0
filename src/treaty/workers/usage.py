"""Indexes contents of pacts that no publication has indexed: those of an upgraded database, imported and large ones.

A lease ensures that one process of several indexes. Each transaction takes a few steps, so that others can write; a
content is marked when all its steps are done, so that a killed process leaves nothing wrong behind.
"""

import json
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Final

import structlog
from sqlalchemy import Connection

from treaty.store.engine.database import Database
from treaty.store.usage import waiting
from treaty.store.usage.waiting import WaitingContent
from treaty.workers.batch_sizes import MIN_PAUSE_SECONDS, BatchSizer
from treaty.workers.polling import PollingWorker

if TYPE_CHECKING:
    from treaty.actions.usage import IndexingStep

NEWEST_IDS: Final = 1000
"""Ids below the newest one among which a look searches. All are searched at the start, and now and then."""
LOOKS_PER_SEARCH: Final = 40
"""Looks between two searches of all contents."""
PAGE_SIZE: Final = 100
"""Contents that are listed at a time."""
REPORT_SECONDS: Final = 10.0
"""Seconds between lines about the progress in the log."""

STEPS_PLANNED: Final = 50
"""Steps from which on they are taken before further contents are read."""

log = structlog.get_logger("treaty.workers.usage")


class LeaseLost(Exception):
    """Another process has taken over, because this one was suspended for long."""


class IndexingWorker(PollingWorker):
    """Indexes waiting contents. `stop` waits for the current transaction."""

    name = "usage"
    poll_seconds = 15.0

    def __init__(self, database: Database, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        super().__init__()
        self._database = database
        self._clock = clock
        self._owner = str(uuid.uuid4())
        self._look_count = 0
        self._claimed_at = clock()

    def step(self) -> None:
        """Index what waits, if anything does."""
        if self._has_waiting() and not self.index_all():
            # Another process is indexing, or was killed and still has the lease. Then all contents are searched again,
            # since it may have left any of them.
            self._look_count = 0

    def _has_waiting(self) -> bool:
        is_search = self._look_count % LOOKS_PER_SEARCH == 0
        self._look_count += 1
        if is_search:
            return self._database.read(lambda db: waiting.has_any(db) or waiting.find_document(db) is not None)
        return self._database.read(
            lambda db: bool(waiting.list_contents(db, 1, after=waiting.find_newest_content(db) - NEWEST_IDS))
        )

    def index_all(self) -> int:
        """Index all waiting contents and documents, and return their number; 0 if another process does it."""
        # Takes 1 MiB with the rules of the index; most of the time, publications have indexed everything themselves.
        from treaty.actions.usage import release_indexing  # noqa: PLC0415

        if not self._claim():
            return 0
        try:
            return self._index_waiting() + self._index_documents()
        finally:
            self._database.write(lambda db: release_indexing(db, owner=self._owner, now=self._clock()))

    def _claim(self) -> bool:
        from treaty.actions.usage import claim_indexing  # noqa: PLC0415 - see `index_all`

        now = self._claimed_at = self._clock()
        return self._database.write(lambda db: claim_indexing(db, owner=self._owner, now=now))

    def _index_waiting(self) -> int:
        total, sizer, reported_at = 0, BatchSizer(), time.monotonic()
        while listed := self._database.read(lambda db: waiting.list_contents(db, PAGE_SIZE)):
            indexed = sum(self._index(sizer, batch) for steps in self._plan(listed) for batch in sizer.batches(steps))
            total += indexed
            if not indexed:  # stopping, or all were removed meanwhile
                break
            if time.monotonic() - reported_at > REPORT_SECONDS:
                reported_at = time.monotonic()
                self._report()
        self._report()
        return total

    def _index_documents(self) -> int:
        """Index the documents of providers that an older Treaty has stored."""
        from treaty.actions.usage import index_document_of_provider  # noqa: PLC0415 - see `index_all`
        from treaty.model.usage.documents import index_document  # noqa: PLC0415 - likewise
        from treaty.store.usage import documents  # noqa: PLC0415 - likewise

        total = 0
        while not self._is_stopping.is_set() and (document_id := self._database.read(waiting.find_document)):
            document = self._database.read(partial(documents.find, document_id=document_id))
            if document is not None:
                indexed = index_document(json.loads(document.body))
                self._database.write(partial(index_document_of_provider, document_id=document_id, indexed=indexed))
                total += 1
            self._is_stopping.wait(MIN_PAUSE_SECONDS)
        return total

    def _plan(self, listed: Sequence[WaitingContent]) -> "Iterator[Sequence[IndexingStep]]":
        """Plan the steps for contents, some at a time. Within a transaction, that would block writers for longer."""
        from treaty.actions.usage import plan_steps  # noqa: PLC0415 - see `index_all`
        from treaty.store.usage import contents  # noqa: PLC0415 - likewise

        steps: list[IndexingStep] = []
        for content in listed:
            if self._is_stopping.is_set():
                return
            body = self._database.read(partial(contents.find_body, content_id=content.id))
            steps += () if body is None else plan_steps(content, body)
            if len(steps) >= STEPS_PLANNED:
                yield steps
                steps = []
        yield steps

    def _index(self, sizer: BatchSizer, steps: "Sequence[IndexingStep]") -> int:
        """Take steps in a transaction, pause so that others can write, and return the number of completed contents."""
        from treaty.actions.usage import LEASE_DURATION, index_steps  # noqa: PLC0415 - see `index_all`

        if self._is_stopping.is_set():
            return 0
        start_times: list[float] = []

        def timed_work(db: Connection) -> int:
            start_times.append(time.perf_counter())
            return index_steps(db, steps)

        completed = self._database.write(timed_work)
        seconds = time.perf_counter() - start_times[-1]
        sizer.record_duration(seconds)
        self._is_stopping.wait(max(MIN_PAUSE_SECONDS, seconds))
        if self._clock() - self._claimed_at > LEASE_DURATION / 4 and not self._claim():
            raise LeaseLost
        return completed

    def _report(self) -> None:
        from treaty.store.usage import contents  # noqa: PLC0415 - see `index_all`

        progress = self._database.read(contents.count_contents)
        log.info("usage-index", indexed=progress.indexed, contents=progress.contents)
