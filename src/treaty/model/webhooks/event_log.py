"""The event log: every webhook event, in an order that clients can follow, whether or not a webhook is subscribed."""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from treaty.errors import CursorExpired, Invalid
from treaty.model.wording import choose_form

START: Final = "start"
"""Instead of a cursor: the oldest event that is retained."""
LATEST: Final = "latest"
"""Instead of a cursor: the end of the log."""
_FORMAT: Final = "1"
"""Of cursors. A cursor of another format is refused."""
MALFORMED: Final = (
    "must be a cursor that GET /events has returned, unchanged; or 'start' for the oldest event that is retained, or "
    "'latest' for the end of the log"
)
_RESUME: Final = (
    "Continue with after=start, which returns every event that is retained, perhaps some of them again; or with "
    "after=latest, which skips them."
)


@dataclass(frozen=True, kw_only=True, slots=True)
class NewEvent:
    """An event to add to the log."""

    name: str
    """In `events.EVENT_TYPES`."""
    consumer: str | None = None
    consumer_version: str | None = None
    provider: str | None = None
    provider_version: str | None = None
    sha: str | None = None
    """Hash of the pact's content."""
    verification: int | None = None
    """Number of the result."""
    details: Mapping[str, Any] = field(default_factory=dict)
    """Further values, as the API shows them. They must not contain secrets."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LoggedEvent(NewEvent):
    """An event of the log."""

    position: int
    created_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class EventFilter:
    """Which events a client wants. Empty names and None mean all."""

    names: tuple[str, ...] = ()
    consumer: str | None = None
    provider: str | None = None

    def matches(self, event: NewEvent) -> bool:
        return (
            (not self.names or event.name in self.names)
            and self.consumer in {None, event.consumer}
            and self.provider in {None, event.provider}
        )


# Cursors


@dataclass(frozen=True, slots=True)
class Cursor:
    """A position in the log. Clients see it as an opaque text."""

    log: str
    """UUID of the log: positions in the log of another database mean nothing here."""
    position: int
    check: int
    """Microseconds of the time of the event at the position; 0 if there is none.

    After an older backup was restored, the log continues with other events at the same positions.
    """

    def encode(self) -> str:
        text = f"{_FORMAT}.{self.log}.{self.position}.{self.check}"
        return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


@dataclass(frozen=True, kw_only=True, slots=True)
class LogState:
    """The state of the log in one snapshot of the database."""

    log: str
    position: int
    """The latest position that was assigned; 0 if there is none."""
    position_at: datetime | None
    """Time of the event at that position; None if it was removed."""
    first_position: int | None
    """The position of the oldest event that is retained; None if there is none."""
    has_waiting: bool
    """Whether there are events that have no position yet."""

    @property
    def end(self) -> Cursor:
        return Cursor(self.log, self.position, compute_check(self.position_at))

    @property
    def start(self) -> Cursor:
        return Cursor(self.log, self.retained_after, 0)

    @property
    def retained_after(self) -> int:
        """The position before the oldest event that is retained."""
        return self.position if self.first_position is None else self.first_position - 1


def compute_check(at: datetime | None) -> int:
    """Return the `check` of a cursor at an event with this time."""
    return 0 if at is None else round(at.timestamp() * 1_000_000)


def cursor_at(log: str, event: LoggedEvent) -> Cursor:
    return Cursor(log, event.position, compute_check(event.created_at))


def parse_cursor(text: str) -> Cursor:
    """Parse a cursor. Raises Invalid if Treaty has not issued it."""
    try:
        decoded = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()
        _, log, position, check = decoded.split(".")
        cursor = Cursor(log, int(position), int(check))
    except (ValueError, binascii.Error) as error:
        raise Invalid.member("after", MALFORMED) from error
    # Encoding it again finds other formats, numbers such as `+1`, and other ways to write the same bytes.
    if cursor.encode() != text or not 0 <= cursor.position < 2**63:
        raise Invalid.member("after", MALFORMED)
    return cursor


def check_cursor(cursor: Cursor, state: LogState, event_at: datetime | None) -> None:
    """Raise CursorExpired if events after a cursor are missing, or are not those that follow it.

    `event_at` is the time of the event at the cursor's position; None if there is none any more.
    """
    if cursor.log != state.log:
        raise CursorExpired(f"The cursor is from the event log of another database. {_RESUME}")
    if cursor.position > state.position or _is_of_other_event(cursor, event_at):
        raise CursorExpired(
            f"The database was restored from a backup that is older than the cursor, so the log no longer contains the "
            f"events that follow it. {_RESUME}"
        )
    if cursor.position < state.retained_after:
        missing = state.retained_after - cursor.position
        raise CursorExpired(
            f"{missing} of the events after the cursor {choose_form(missing, 'was', 'were')} removed, because they are "
            f"older than event_log_max_age allows. {_RESUME}"
        )


def _is_of_other_event(cursor: Cursor, event_at: datetime | None) -> bool:
    return bool(cursor.check) and event_at is not None and compute_check(event_at) != cursor.check
