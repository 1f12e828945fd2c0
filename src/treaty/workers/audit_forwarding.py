"""Forwards the audit trail to a collector: as JSON lines by HTTPS, or as syslog messages (RFC 5424).

An event is forwarded at least once: after its transaction, and again if it is unknown whether the collector got it. Its
UUID identifies repetitions. A lease ensures that one process of several forwards.
"""

import socket
import uuid
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final
from urllib.parse import SplitResult, urlsplit

import structlog
from sqlalchemy import Connection

from treaty import outgoing
from treaty.model.audit import AuditEvent
from treaty.model.webhooks.deliveries import NoResponse, OutgoingRequest
from treaty.settings import Settings
from treaty.store import audit_forwarding
from treaty.store.engine import leases
from treaty.store.engine.database import Database
from treaty.workers.polling import PollingWorker

RenderEvent = Callable[[AuditEvent], bytes]

POLL_SECONDS: Final = 2.0
BATCH_SIZE: Final = 200
"""Events that are sent together."""
LEASE: Final = "audit-forwarding"
LEASE_DURATION: Final = timedelta(minutes=3)
"""Longer than a batch can take, so that no two processes forward it."""
MAX_PAUSE_SECONDS: Final = 60.0
SYSLOG_TIMEOUT_SECONDS: Final = 15.0
_SYSLOG_PORTS: Final = {"syslog+tls": 6514, "syslog+tcp": 601}
_FACILITY_AUDIT: Final = 13
_SEVERITY_NOTICE: Final = 5

log = structlog.get_logger("treaty.audit")


class CollectorFailure(Exception):
    """The collector did not take a batch. The message says why."""


class AuditForwarder(PollingWorker):
    """Forwards new audit events, in batches, from the moment at which forwarding was first configured."""

    name = "audit"

    def __init__(
        self,
        database: Database,
        settings: Settings,
        url: str,
        render: RenderEvent,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        super().__init__()
        self.poll_seconds = POLL_SECONDS
        self._database = database
        self._send = _choose_sender(settings, url)
        self._render = render
        self._clock = clock
        self._owner = str(uuid.uuid4())
        self._failures = 0

    def wake(self) -> None:
        """Do nothing: most requests that wake workers end later than the step would begin."""

    def step(self) -> None:
        """Forward all events that are missing at the collector, unless another process does so."""
        if not self._database.read(audit_forwarding.has_begun):
            self._database.write(self._begin)
        # A read comes first, because on SQLite even a write that changes nothing makes other writes wait.
        if not self._list_missing(limit=1):
            return
        # The events of a batch are listed with the lease: another process may have forwarded some of them before.
        while self._database.write(self._claim):
            events = self._list_missing()
            if not self._forward(events) or len(events) < BATCH_SIZE:
                return

    def stop(self, timeout: float | None = None) -> None:
        """Stop after the current batch, and leave the rest to another process at once."""
        super().stop(timeout)
        if self._failures == 0:
            self._database.write(self._release)

    def _list_missing(self, limit: int = BATCH_SIZE) -> list[AuditEvent]:
        return self._database.read(partial(audit_forwarding.list_missing, limit=limit))

    def _forward(self, events: Sequence[AuditEvent]) -> bool:
        """Send events and mark them; return whether to go on."""
        if not events or self._is_stopping.is_set():
            return False
        try:
            self._send([(event, self._render(event)) for event in events])
        except CollectorFailure as failure:
            self._note_failure(str(failure), len(events))
            return False
        self._database.write(partial(audit_forwarding.mark, events=events))
        self._note_success()
        return True

    def _note_failure(self, reason: str, waiting: int) -> None:
        self._failures += 1
        self.poll_seconds = min(2.0**self._failures, MAX_PAUSE_SECONDS)
        if self._failures == 1:  # one line for an outage, not one for each attempt
            log.warning("audit events cannot be forwarded", reason=reason, waiting=waiting)

    def _note_success(self) -> None:
        if self._failures:
            log.info("audit events are forwarded again")
        self._failures = 0
        self.poll_seconds = POLL_SECONDS

    def _begin(self, db: Connection) -> None:
        if not audit_forwarding.has_begun(db):
            audit_forwarding.begin(db, now=self._clock())

    def _claim(self, db: Connection) -> bool:
        now = self._clock()
        return leases.claim(db, LEASE, owner=self._owner, now=now, until=now + LEASE_DURATION)

    def _release(self, db: Connection) -> None:
        leases.end(db, LEASE, owner=self._owner, until=self._clock())


RenderedEvents = Sequence[tuple[AuditEvent, bytes]]
Sender = Callable[[RenderedEvents], None]


def _choose_sender(settings: Settings, url: str) -> Sender:
    if urlsplit(url).scheme in _SYSLOG_PORTS:
        return partial(_send_syslog, settings, urlsplit(url))
    return partial(_send_http, settings, url)


def _send_http(settings: Settings, url: str, events: RenderedEvents) -> None:
    """Send events as JSON lines. Raises CollectorFailure."""
    headers = {"content-type": "application/x-ndjson"}
    if settings.audit_forward_token is not None:
        headers["authorization"] = f"Bearer {settings.audit_forward_token.get_secret_value()}"
    body = b"".join(text + b"\n" for _, text in events)
    # The administrator chose this host, so it may have a private address, unlike those of webhooks.
    of_collector = replace(
        settings,
        webhook_host_whitelist=(urlsplit(url).hostname or "",),
        webhook_scheme_whitelist=("http", "https"),
    )
    response = outgoing.send(OutgoingRequest(method="POST", url=url, headers=headers, body=body), of_collector)
    if isinstance(response, NoResponse):
        raise CollectorFailure(f"{response.kind}: {response.reason}")
    if not 200 <= response.status < 300:  # noqa: PLR2004 - the class of successful statuses
        raise CollectorFailure(f"the collector answered with status {response.status}")


def _send_syslog(settings: Settings, url: SplitResult, events: RenderedEvents) -> None:
    """Send events as syslog messages over one connection, each after its length (RFC 6587). Raises CollectorFailure."""
    address = (url.hostname or "", url.port or _SYSLOG_PORTS[url.scheme])
    try:
        with ExitStack() as stack:
            stream = stack.enter_context(socket.create_connection(address, timeout=SYSLOG_TIMEOUT_SECONDS))
            if url.scheme == "syslog+tls":
                context = outgoing.build_ssl_context(settings.webhook_certificates, settings.disable_ssl_verification)
                stream = stack.enter_context(context.wrap_socket(stream, server_hostname=url.hostname))
            for event, text in events:
                message = _syslog_message(event, text)
                stream.sendall(b"%d %b" % (len(message), message))
    except (OSError, ValueError) as error:
        raise CollectorFailure(f"{type(error).__name__}: {error}") from error


def _syslog_message(event: AuditEvent, text: bytes) -> bytes:
    priority = _FACILITY_AUDIT * 8 + _SEVERITY_NOTICE
    header = f"<{priority}>1 {event.at.isoformat(timespec='milliseconds')} {_host_name()} treaty - {event.uuid} - "
    return header.encode() + text


def _host_name() -> str:
    name = socket.gethostname()
    return name if name.isascii() and name.isprintable() and name and " " not in name else "-"
