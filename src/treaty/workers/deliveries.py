"""The worker: sends what is owed to webhooks. Each process of a server has one; the database shares the work out.

One thread asks the database what is due and notes what came of it; others send, and never touch the database. What is
claimed belongs to a worker for some seconds, and it says so again as long as it is at it: when its process is killed,
another takes over.
"""

import random
import threading
import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog
from sqlalchemy import Connection

from treaty import outgoing
from treaty.actions.webhooks import deliveries as delivery_actions
from treaty.actions.webhooks.deliveries import Send
from treaty.model.audit import Actor
from treaty.model.webhooks.deliveries import Attempt, Delivery, DeliveryStatus, NoResponse
from treaty.model.webhooks.parameters import ParameterUrls
from treaty.settings import Settings
from treaty.store import audit
from treaty.store.engine.database import Database
from treaty.store.webhooks import deliveries
from treaty.store.webhooks.deliveries import ClaimRequest

LEASE_TIME: Final = timedelta(seconds=10)
POLL_SECONDS: Final = 0.4
ERROR_PAUSE_SECONDS: Final = 3.0
_ACTOR: Final = Actor(credential_name="worker")

log = structlog.get_logger("treaty.workers.deliveries")


class DeliveryWorker:
    """Sends what is owed, from when it is started until it is stopped."""

    def __init__(
        self,
        database: Database,
        settings: Settings,
        addresses: ParameterUrls,
        *,
        send: Send = outgoing.send,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._database = database
        self._settings = settings
        self._addresses = addresses
        self._send = send
        self._clock = clock
        self._owner = str(uuid.uuid4())
        self._news = threading.Event()
        self._is_stopping = threading.Event()
        self._under_way: dict[str, tuple[Delivery, Future[Attempt]]] = {}
        self._settling = settings.webhook_settling_time
        self._renewed_at = clock()
        self._thread: threading.Thread | None = None
        self._senders: ThreadPoolExecutor | None = None

    def start(self) -> None:
        """Begin to work."""
        if not self._settings.webhook_redact_sensitive_data:
            log.warning("webhook_redact_sensitive_data", reason="logs of webhooks show the secrets that are sent")
        self._is_stopping.clear()
        self._senders = ThreadPoolExecutor(self._settings.webhook_concurrency, thread_name_prefix="treaty-sender")
        self._thread = threading.Thread(target=self._work, name="treaty-worker", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """Tell that something is owed."""
        self._news.set()

    def stop(self) -> None:
        """Take nothing on any more, and let what is under way end."""
        self._is_stopping.set()
        self._news.set()
        if self._thread is not None:
            self._thread.join(self._settings.webhook_total_timeout.total_seconds() + ERROR_PAUSE_SECONDS)
        if self._senders is not None:
            self._senders.shutdown(wait=False)

    def _work(self) -> None:
        while not self._is_stopping.is_set() or self._under_way:
            pause = max(0.05, min(POLL_SECONDS, self._settling.total_seconds()))
            try:
                self._step()
            except Exception:
                log.exception("worker")
                pause = ERROR_PAUSE_SECONDS
            self._news.wait(pause)
            self._news.clear()

    def _step(self) -> None:
        self._note_done()
        self._renew()
        if not self._is_stopping.is_set():
            self._take_on()

    def _note_done(self) -> None:
        """Note what came of attempts, in one transaction: the disk takes longer to keep one than to send another.

        Where that fails each is noted on its own, so that one that cannot be noted holds up no other.
        """
        done = [(owed, _made(owed, future)) for owed, future in self._under_way.values() if future.done()]
        if len(done) > 1:
            with suppress(Exception):
                self._note(done)
                return
        for one in done:
            self._note_if_possible(*one)

    def _note_if_possible(self, owed: Delivery, made: Attempt) -> None:
        """Note what came of an attempt; where that fails it is tried again, and the others' turn comes."""
        try:
            self._note([(owed, made)])
        except Exception:
            log.exception("note", webhook=owed.webhook, delivery=owed.uuid)

    def _note(self, done: Sequence[tuple[Delivery, Attempt]]) -> None:
        ordered = sorted(done, key=lambda one: one[0].webhook)  # two workers that note at once do not wait in a circle
        jitter = random.uniform(0.9, 1.1)  # noqa: S311 - only spreads out who tries again
        with audit.acting_as(_ACTOR):
            statuses = self._database.write(
                lambda db: [
                    delivery_actions.record_attempt(
                        db, owed, made, owner=self._owner, jitter=jitter, settings=self._settings
                    )
                    for owed, made in ordered
                ]
            )
        for (owed, made), status in zip(ordered, statuses, strict=True):
            del self._under_way[owed.uuid]
            if status is not DeliveryStatus.SUCCESS:
                _warn(owed, made, status)

    def _renew(self) -> None:
        now = self._clock()
        if self._under_way and now - self._renewed_at > LEASE_TIME / 4:
            uuids = list(self._under_way)
            self._database.write(
                lambda db: deliveries.renew_claims(db, uuids, owner=self._owner, until=now + LEASE_TIME)
            )
            self._renewed_at = now

    def _take_on(self) -> None:
        now = self._clock()
        wanted = self._wanted((), now=now)
        if wanted.limit <= 0 or not self._database.read(lambda db: deliveries.has_due(db, wanted)):
            return
        found = self._database.write(lambda db: self._taken_on(db, now=now))
        if not self._under_way:
            self._renewed_at = now
        for owed in found:
            self._begin(owed)
        if found:
            self._news.set()

    def _taken_on(self, db: Connection, *, now: datetime) -> list[Delivery]:
        """Claim a quarter after the other, until no sender is free or nothing is due."""
        found: list[Delivery] = []
        while (wanted := self._wanted(found, now=now)).limit > 0 and (more := delivery_actions.claim(db, wanted)):
            found += more
        return found

    def _wanted(self, taken: Sequence[Delivery], *, now: datetime) -> ClaimRequest:
        """Say what can be taken on besides what already was.

        One webhook has a quarter of the senders at most, and all that are failing have half: so they hold up no others.
        """
        working = [*(owed for owed, _ in self._under_way.values()), *taken]
        failing = sum(owed.is_failing for owed in working)
        share = max(1, self._settings.webhook_concurrency // 4)
        counted = Counter(owed.webhook for owed in working)
        return ClaimRequest(
            owner=self._owner,
            now=now - self._settling,
            until=now + LEASE_TIME,
            limit=min(share, self._settings.webhook_concurrency - len(working)),
            busy_webhooks=tuple(webhook for webhook, count in counted.items() if count >= share),
            includes_failing=failing <= self._settings.webhook_concurrency // 4,
        )

    def _begin(self, owed: Delivery) -> None:
        assert self._senders is not None  # noqa: S101 - it is working
        future = self._senders.submit(
            delivery_actions.attempt_delivery, owed, settings=self._settings, addresses=self._addresses, send=self._send
        )
        self._under_way[owed.uuid] = (owed, future)
        future.add_done_callback(lambda _done: self._news.set())


def _warn(owed: Delivery, made: Attempt, status: DeliveryStatus) -> None:
    log.warning("webhook", webhook=owed.webhook, delivery=owed.uuid, status=status.value, answer=made.status)


def _made(owed: Delivery, future: "Future[Attempt]") -> Attempt:
    try:
        return future.result()
    except Exception as error:
        log.exception("webhook", webhook=owed.webhook, delivery=owed.uuid)
        now = datetime.now(UTC)
        return Attempt(request=None, outcome=NoResponse(type(error).__name__, ""), started_at=now, finished_at=now)
