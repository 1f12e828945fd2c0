"""Requests that were refused, in the audit trail: the first of a kind at once, and within a minute how many there were.

So whoever tries a thousand passwords is seen, and fills no disk.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from threading import Lock, Timer
from typing import Final

import structlog
from sqlalchemy import Connection

from treaty.model.audit import Action, Actor
from treaty.store import audit
from treaty.store.engine.database import Database
from treaty.web import urls
from treaty.web.http.request import Request

_REFUSED: Final = {401, 403, 429}
COUNT_INTERVAL: Final = timedelta(minutes=1)
MAX_KINDS: Final = 100
"""Kinds of refusals within a minute that each process tells apart; the others are counted together."""
_SIGNS_IN: Final = "authorization"

log = structlog.get_logger("treaty.audit")


@dataclass(frozen=True, slots=True)
class _Kind:
    """What refusals have in common that are counted together."""

    action: Action
    status: int
    address: str | None
    user: str | None
    failed_login_user: str | None


@dataclass(slots=True)
class _Counted:
    kind: _Kind
    actor: Actor
    """Who was refused first."""
    count: int = 0
    """How often after the first time."""


class DeniedRequests:
    """Notes who was refused."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = Lock()
        self._counted: dict[_Kind, _Counted] = {}
        self._began_at: datetime | None = None
        self._timer: Timer | None = None

    def note(self, call: Request, status: int) -> None:
        """Note a refusal, or count it to one that was noted. That it could not be noted makes it no less refused."""
        with self._lock:
            due = [*self._due(call.now), *self._new(call, status)]
        self._write_if_possible(due, at=call.now)

    def close(self) -> None:
        """Note what was counted and is not noted yet."""
        with self._lock:
            began_at, timer = self._began_at, self._timer
            self._timer = None
            due = list(self._due(None))
        if timer:
            timer.cancel()
        if began_at is not None:
            self._write_if_possible(due, at=began_at)

    def _due(self, now: datetime | None) -> Iterator[_Counted]:
        """Begin a new minute when the last one is over, and give what was counted in it."""
        if now is None or self._began_at is None or now - self._began_at >= COUNT_INTERVAL:
            counted, self._counted, self._began_at = self._counted, {}, now
            yield from (one for one in counted.values() if one.count)

    def _new(self, call: Request, status: int) -> Iterator[_Counted]:
        """Give a refusal that is the first of its kind; count any other."""
        kind = _Kind(_action(call), status, call.address, call.caller.user, call.failed_login_user)
        if kind not in self._counted and len(self._counted) >= MAX_KINDS:
            kind = replace(kind, address=None, user=None, failed_login_user=None)
        found = self._counted.get(kind)
        if found is not None:
            found.count += 1
            self._wait()
            return
        actor = replace(call.actor, address=kind.address, user=kind.user)
        self._counted[kind] = _Counted(kind, actor)
        yield _Counted(kind, actor, 1)

    def _wait(self) -> None:
        """See to it that what was counted is noted, also if nobody else comes."""
        if self._timer is None:
            self._timer = Timer(COUNT_INTERVAL.total_seconds(), self.close)
            self._timer.daemon = True
            self._timer.start()

    def _write_if_possible(self, due: Sequence[_Counted], *, at: datetime) -> None:
        try:
            if due:
                self._database.write(lambda db: _write(db, due, at=at))
        except Exception:
            log.exception("refusal")


def _write(db: Connection, due: Sequence[_Counted], *, at: datetime) -> None:
    for one in due:
        with audit.acting_as(one.actor, at=at):
            audit.record(
                db, one.kind.action, resource=one.kind.failed_login_user, status=one.kind.status, count=one.count
            )


def _action(call: Request) -> Action:
    tries = _SIGNS_IN in call.headers or _is_sign_in(call)
    return Action.SIGN_IN_FAILURE if tries and not call.caller.is_known else Action.ACCESS_REFUSAL


def is_denied(call: Request, status: int) -> bool:
    """Whether a response denies something, or rejects a credential."""
    return status in _REFUSED or (_is_sign_in(call) and status == _REJECTED[call.route])


_REJECTED: Final = {urls.SIGN_IN.template: 400, urls.SETUP.template: 404}
"""The status with which each form rejects a password or a setup link."""


def _is_sign_in(call: Request) -> bool:
    return call.method == "POST" and call.route in _REJECTED
