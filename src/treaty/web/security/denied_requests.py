"""Denied requests in the audit trail: the first of a kind at once, and the number of the others once a minute.

So a thousand guessed passwords are visible, but do not fill the disk.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from threading import Lock, Timer
from typing import Final

import structlog
from sqlalchemy import Connection

from treaty.model.accounts.access import CredentialType
from treaty.model.audit import Action, Actor
from treaty.store import audit
from treaty.store.engine.database import Database
from treaty.store.engine.health import log_failure
from treaty.web import urls
from treaty.web.http.request import Request

_DENIED_STATUSES: Final = {401, 403, 429}
_REJECTED_STATUSES: Final = {urls.SIGN_IN.template: 400, urls.SIGN_IN_CODE.template: 400, urls.SETUP.template: 404}
"""The status with which each form rejects a password, a code or a setup link."""
COUNT_INTERVAL: Final = timedelta(minutes=1)
MAX_KINDS: Final = 100
"""Kinds of denials that each process distinguishes within a minute; it counts the others together.

Otherwise a client could create as many rows as it makes up names.
"""

log = structlog.get_logger("treaty.audit")


@dataclass(frozen=True, slots=True)
class _Kind:
    """The properties that denials have in common if they are counted together."""

    action: Action
    status: int
    address: str | None
    user: str | None
    failed_login_user: str | None


@dataclass(slots=True)
class _Denials:
    kind: _Kind
    actor: Actor
    """The actor of the first denied request."""
    count: int = 0
    """Denials after the first one."""


class DeniedRequests:
    """Records denied requests in the audit trail."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = Lock()
        self._denials: dict[_Kind, _Denials] = {}
        self._interval_start: datetime | None = None
        self._timer: Timer | None = None

    def note(self, request: Request, status: int) -> None:
        """Record a denial, or count it. A failure to do so is logged, and the request stays denied."""
        with self._lock:
            due = [*self._end_interval_if_due(request.now), *self._count(request, status)]
        self._write(due, at=request.now)

    def close(self) -> None:
        """Record the denials that have only been counted so far."""
        with self._lock:
            interval_start, timer = self._interval_start, self._timer
            self._timer = None
            due = list(self._end_interval_if_due(None))
        if timer:
            timer.cancel()
        if interval_start is not None:
            self._write(due, at=interval_start)

    def _end_interval_if_due(self, now: datetime | None) -> Iterator[_Denials]:
        """Start a new interval if the current one is over (or `now` is None), and yield its counted denials."""
        if now is None or self._interval_start is None or now - self._interval_start >= COUNT_INTERVAL:
            ended, self._denials, self._interval_start = self._denials, {}, now
            yield from (denials for denials in ended.values() if denials.count)

    def _count(self, request: Request, status: int) -> Iterator[_Denials]:
        """Yield a denial that is the first of its kind; count any other."""
        kind = _Kind(_choose_action(request), status, request.address, request.caller.user, request.failed_login_user)
        if kind not in self._denials and len(self._denials) >= MAX_KINDS:
            kind = replace(kind, address=None, user=None, failed_login_user=None)
        denials = self._denials.get(kind)
        if denials is not None:
            denials.count += 1
            self._start_timer()
            return
        actor = replace(request.actor, address=kind.address, user=kind.user)
        self._denials[kind] = _Denials(kind, actor)
        yield _Denials(kind, actor, 1)

    def _start_timer(self) -> None:
        """Record the counted denials after the interval, even if no further request is denied."""
        if self._timer is None:
            self._timer = Timer(COUNT_INTERVAL.total_seconds(), self.close)
            self._timer.daemon = True
            self._timer.start()

    def _write(self, due: Sequence[_Denials], *, at: datetime) -> None:
        try:
            if due:
                self._database.write(lambda db: _record(db, due, at=at))
        except Exception as error:  # noqa: BLE001 - a request is denied all the same
            log_failure(log, "refusal", error)


def _record(db: Connection, due: Sequence[_Denials], *, at: datetime) -> None:
    for denials in due:
        kind = denials.kind
        with audit.acting_as(denials.actor, at=at):
            audit.record(db, kind.action, resource=kind.failed_login_user, status=kind.status, count=denials.count)


def _choose_action(request: Request) -> Action:
    if request.caller.kind is CredentialType.SESSION and request.failed_login_user is not None:
        return Action.SIGN_IN_FAILURE  # a wrong password or code on entering them again
    has_credentials = "authorization" in request.headers or _is_sign_in(request)
    return Action.SIGN_IN_FAILURE if has_credentials and not request.caller.is_known else Action.ACCESS_REFUSAL


def is_denied(request: Request, status: int) -> bool:
    """Whether a response denies access, or rejects a password, a code or a setup link in a form."""
    if request.awaits_password:
        return False
    return status in _DENIED_STATUSES or (_is_sign_in(request) and status == _REJECTED_STATUSES[request.route])


def _is_sign_in(request: Request) -> bool:
    return request.method == "POST" and request.route in _REJECTED_STATUSES
