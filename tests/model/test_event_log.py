"""Cursors of the event log, and which events a filter matches."""

import base64
from datetime import UTC, datetime, timedelta

import pytest

from treaty.errors import CursorExpired, Invalid
from treaty.model.webhooks.event_log import (
    Cursor,
    EventFilter,
    LogState,
    NewEvent,
    check_cursor,
    compute_check,
    parse_cursor,
)

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def encode(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


@pytest.mark.parametrize("log", ["", "a", "ab", "abc", "???>>>"])
@pytest.mark.parametrize("position", [0, 1, 2**63 - 1])
def test_a_cursor_survives_its_encoding(log: str, position: int) -> None:
    cursor = Cursor(log, position, compute_check(NOON))
    assert parse_cursor(cursor.encode()) == cursor


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense",
        "ä",
        encode("1.a.1"),
        encode("1.a.1.2.3"),
        encode("2.a.1.0"),
        encode("1.a.x.0"),
        encode("1.a.1.x"),
        encode("1.a.+1.0"),
        encode("1.a.01.0"),
        encode("1.a.-1.0"),
        encode(f"1.a.{2**63}.0"),
        encode(f"1.a.{2**63 + 1}.0"),
        encode("1.a.1.0").replace("M", "M "),
        encode("1.ab.1.0") + "=",
        encode("1.a.1.0")[:-1] + "x",
        base64.urlsafe_b64encode(b"1.\xff.1.0").decode().rstrip("="),
    ],
)
def test_an_invalid_cursor_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        parse_cursor(text)


STATE = LogState(log="a", position=5, position_at=NOON, first_position=3, has_waiting=False)


@pytest.mark.parametrize(
    ("cursor", "event_at"),
    [
        (STATE.start, None),
        (STATE.end, NOON),
        (Cursor("a", 2, 0), None),
        (Cursor("a", 5, 0), NOON),
        # The event of the cursor was removed, and all that follow it are there.
        (Cursor("a", 2, compute_check(NOON)), None),
    ],
)
def test_a_cursor_is_valid_while_all_events_after_it_are_there(cursor: Cursor, event_at: datetime | None) -> None:
    check_cursor(cursor, STATE, event_at)


@pytest.mark.parametrize(
    ("cursor", "event_at", "reason"),
    [
        (Cursor("b", 5, 0), NOON, "another database"),
        (Cursor("A", 5, 0), NOON, "another database"),
        (Cursor("a", 6, 0), None, "restored from a backup"),
        (STATE.end, NOON + timedelta(microseconds=1), "restored from a backup"),
        (STATE.end, NOON - timedelta(microseconds=1), "restored from a backup"),
        (Cursor("a", 1, 0), None, "^1 of the events after the cursor was removed"),
        (Cursor("a", 0, 0), None, "^2 of the events after the cursor were removed"),
    ],
)
def test_a_cursor_after_which_events_are_missing_has_expired(
    cursor: Cursor, event_at: datetime | None, reason: str
) -> None:
    with pytest.raises(CursorExpired, match=reason):
        check_cursor(cursor, STATE, event_at)


def test_the_start_of_a_log_without_events_is_its_end() -> None:
    state = LogState(log="a", position=5, position_at=None, first_position=None, has_waiting=False)
    assert state.start == state.end == Cursor("a", 5, 0)


@pytest.mark.parametrize(
    ("event_filter", "is_match"),
    [
        (EventFilter(), True),
        (EventFilter(names=("x", "contract_published")), True),
        (EventFilter(names=("x",)), False),
        (EventFilter(consumer="Shop"), True),
        (EventFilter(consumer="Prices"), False),
        (EventFilter(provider="Prices"), True),
        (EventFilter(provider="Shop"), False),
        (EventFilter(names=("x",), consumer="Shop", provider="Prices"), False),
        (EventFilter(names=("contract_published",), consumer="Shop", provider="Prices"), True),
    ],
)
def test_a_filter_matches_events_that_meet_all_its_conditions(event_filter: EventFilter, is_match: bool) -> None:  # noqa: FBT001
    event = NewEvent(name="contract_published", consumer="Shop", provider="Prices")
    assert event_filter.matches(event) is is_match
