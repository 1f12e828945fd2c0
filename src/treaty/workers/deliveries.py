"""Sends queued deliveries. Each server process has a worker; the database distributes the deliveries among them.

One thread claims due deliveries and records attempts; a pool of sender threads sends them and never uses the database.
A worker renews its claims while it is sending. If its process is killed, they expire and another worker takes over.
"""

import random
import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import structlog
from sqlalchemy import Connection

from treaty.model.audit import Actor
from treaty.settings import Settings
from treaty.store import audit
from treaty.store.engine.database import Database, Unavailable
from treaty.store.engine.health import log_failure
from treaty.store.webhooks import due_deliveries
from treaty.store.webhooks.due_deliveries import ClaimRequest
from treaty.workers.polling import ERROR_PAUSE_SECONDS, PollingWorker

if TYPE_CHECKING:
    from treaty.actions.webhooks.deliveries import Send
    from treaty.model.webhooks.deliveries import Attempt, Delivery, NoResponse, OutgoingRequest, WebhookResponse
    from treaty.model.webhooks.parameters import ParameterUrls

LEASE_TIME: Final = timedelta(seconds=10)
"""How long a claim lasts unless it is renewed."""
MAX_JITTER: Final = 1.1
CLOCK_TOLERANCE: Final = timedelta(minutes=1)
"""Difference between the clocks of servers up to which retries keep their schedule."""
POLL_SECONDS: Final = 0.4
MIN_POLL_SECONDS: Final = 0.05
_ACTOR: Final = Actor(credential_name="worker")

log = structlog.get_logger("treaty.workers.deliveries")


def send(request: "OutgoingRequest", settings: Settings) -> "WebhookResponse | NoResponse":
    """Send a request once. Failures are returned instead of raised."""
    # Takes 2 MiB with the HTTP client, which servers without webhooks do not need.
    from treaty import outgoing  # noqa: PLC0415

    return outgoing.send(request, settings)


class DeliveryWorker(PollingWorker):
    """Sends queued deliveries between `start` and `stop`."""

    name = "worker"

    def __init__(
        self,
        database: Database,
        settings: Settings,
        parameter_urls: "ParameterUrls",
        *,
        send: "Send" = send,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        super().__init__()
        self._database = database
        self._settings = settings
        self._parameter_urls = parameter_urls
        self._send = send
        self._clock = clock
        self._owner = str(uuid.uuid4())
        self._in_progress: dict[str, tuple[Delivery, Future[Attempt]]] = {}
        self._settling_time = settings.webhook_settling_time
        retries = (MAX_JITTER * delay for delay in settings.webhook_retry_schedule)
        self._longest_wait = max([LEASE_TIME, *retries]) + CLOCK_TOLERANCE
        self.poll_seconds = max(MIN_POLL_SECONDS, min(POLL_SECONDS, self._settling_time.total_seconds()))
        self._renewed_at = clock()
        self._senders: ThreadPoolExecutor | None = None

    def start(self) -> None:
        """Start the thread and the senders."""
        if not self._settings.webhook_redact_sensitive_data:
            log.warning("webhook_redact_sensitive_data", reason="logs of webhooks show the secrets that are sent")
        self._senders = ThreadPoolExecutor(self._settings.webhook_concurrency, thread_name_prefix="treaty-sender")
        super().start()

    def stop(self, timeout: float | None = None) -> None:
        """Stop claiming, and wait until deliveries in progress have been recorded."""
        super().stop(timeout or self._settings.webhook_total_timeout.total_seconds() + ERROR_PAUSE_SECONDS)
        if self._senders is not None:
            self._senders.shutdown(wait=False)

    def is_busy(self) -> bool:
        """Whether deliveries are in progress, which are recorded even after `stop`."""
        return bool(self._in_progress)

    def step(self) -> None:
        """Record what was sent, renew the claims on what is being sent, and send what is due."""
        self._record_finished()
        self._renew_claims()
        if not self._is_stopping.is_set():
            self._claim_and_send()

    def _record_finished(self) -> None:
        """Record finished attempts in one transaction: committing to disk takes longer than sending a request.

        If that fails, record each attempt on its own, so that one that cannot be recorded does not block the others.
        Raises Unavailable.
        """
        finished = [
            (delivery, _get_attempt(delivery, future))
            for delivery, future in self._in_progress.values()
            if future.done()
        ]
        if len(finished) > 1:
            try:
                self._record(finished)
            except Unavailable:
                raise
            except Exception:  # noqa: BLE001, S110 - each is reported below
                pass
            else:
                return
        for delivery, attempt in finished:
            # What cannot be recorded stays in progress, so the next step tries again.
            try:
                self._record([(delivery, attempt)])
            except Unavailable:
                raise
            except Exception as error:  # noqa: BLE001 - whatever it is, the others are recorded
                log_failure(log, "note", error, webhook=delivery.webhook, delivery=delivery.uuid)

    def _record(self, finished: "Sequence[tuple[Delivery, Attempt]]") -> None:
        from treaty.actions.webhooks.deliveries import record_attempt  # noqa: PLC0415 - see `_claim_all`
        from treaty.model.webhooks.deliveries import DeliveryStatus  # noqa: PLC0415 - likewise

        # Workers update rows of webhooks in the same order, so that they cannot deadlock.
        ordered = sorted(finished, key=lambda pair: pair[0].webhook)
        jitter = random.uniform(2 - MAX_JITTER, MAX_JITTER)  # noqa: S311 - only spreads retries over time
        with audit.acting_as(_ACTOR):
            statuses = self._database.write(
                lambda db: [
                    record_attempt(db, delivery, attempt, owner=self._owner, jitter=jitter, settings=self._settings)
                    for delivery, attempt in ordered
                ]
            )
        for (delivery, attempt), status in zip(ordered, statuses, strict=True):
            del self._in_progress[delivery.uuid]
            if status is not DeliveryStatus.SUCCESS:
                log.warning(
                    "webhook",
                    webhook=delivery.webhook,
                    delivery=delivery.uuid,
                    status=status.value,
                    answer=attempt.status,
                )

    def _renew_claims(self) -> None:
        now = self._clock()
        if self._in_progress and now - self._renewed_at > LEASE_TIME / 4:
            uuids = list(self._in_progress)
            self._database.write(
                lambda db: due_deliveries.renew_claims(db, uuids, owner=self._owner, until=now + LEASE_TIME)
            )
            self._renewed_at = now

    def _claim_and_send(self) -> None:
        now = self._clock()
        claim_request = self._build_claim_request((), now=now)
        # Polling only reads: a write would lock SQLite each time.
        if claim_request.limit <= 0 or not self._database.read(lambda db: due_deliveries.has_due(db, claim_request)):
            return
        claimed = self._database.write(lambda db: self._claim_all(db, now=now))
        if not self._in_progress:
            self._renewed_at = now
        for delivery in claimed:
            self._begin(delivery)
        if claimed:
            self._wake_up.set()

    def _claim_all(self, db: Connection, *, now: datetime) -> "list[Delivery]":
        """Claim a share at a time, until no sender is free or nothing is due."""
        # Takes 2 MiB, which servers without webhooks do not need.
        from treaty.actions.webhooks.deliveries import claim  # noqa: PLC0415

        claimed: list[Delivery] = []
        while (claim_request := self._build_claim_request(claimed, now=now)).limit > 0:
            share = claim(db, claim_request)
            if not share:
                break
            claimed += share
        return claimed

    def _build_claim_request(self, claimed: "Sequence[Delivery]", *, now: datetime) -> ClaimRequest:
        """Build the next claim, besides the deliveries in progress and those that were just claimed.

        A single webhook uses at most a quarter of the senders and failing webhooks together at most half, so that slow
        receivers do not delay the deliveries to others.
        """
        busy = [*(delivery for delivery, _ in self._in_progress.values()), *claimed]
        failing_count = sum(delivery.is_failing for delivery in busy)
        share = max(1, self._settings.webhook_concurrency // 4)
        count_by_webhook = Counter(delivery.webhook for delivery in busy)
        return ClaimRequest(
            owner=self._owner,
            now=now - self._settling_time,
            until=now + LEASE_TIME,
            latest=now + self._longest_wait,
            limit=min(share, self._settings.webhook_concurrency - len(busy)),
            busy_webhooks=tuple(webhook for webhook, count in count_by_webhook.items() if count >= share),
            includes_failing=failing_count <= self._settings.webhook_concurrency // 4,
        )

    def _begin(self, delivery: "Delivery") -> None:
        from treaty.actions.webhooks.deliveries import attempt_delivery  # noqa: PLC0415 - see `_claim_all`

        assert self._senders is not None  # noqa: S101 - set by `start`, before the thread runs
        future = self._senders.submit(
            attempt_delivery,
            delivery,
            settings=self._settings,
            parameter_urls=self._parameter_urls,
            send=self._send,
        )
        self._in_progress[delivery.uuid] = (delivery, future)
        future.add_done_callback(lambda _future: self._wake_up.set())


def _get_attempt(delivery: "Delivery", future: "Future[Attempt]") -> "Attempt":
    """Return a finished attempt. An unexpected error counts as a failed attempt, so that the delivery is retried."""
    try:
        return future.result()
    except Exception as error:
        from treaty.model.webhooks.deliveries import Attempt, NoResponse  # noqa: PLC0415 - see `_claim_all`

        log.exception("webhook", webhook=delivery.webhook, delivery=delivery.uuid)
        now = datetime.now(UTC)
        return Attempt(request=None, outcome=NoResponse(type(error).__name__, ""), started_at=now, finished_at=now)
