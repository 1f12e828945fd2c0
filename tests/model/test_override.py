"""Overrides: while they are active, and the results that they are about."""

from datetime import UTC, datetime, timedelta

import pytest

from treaty.model.decisions.overrides import Override, describe_expiry, describe_override

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
TICK = timedelta(microseconds=1)


def override(
    *, counterpart: str | None = None, created_by: str | None = None, revoked_at: datetime | None = None
) -> Override:
    return Override(
        uuid="u",
        pacticipant="Shop",
        version="1",
        environment="test",
        environment_uuid="e",
        counterpart=counterpart,
        reason="urgent",
        created_by=created_by,
        created_at=NOON - timedelta(days=1),
        expires_at=NOON,
        revoked_at=revoked_at,
    )


@pytest.mark.parametrize(
    ("now", "revoked_at", "state"),
    [
        (NOON - TICK, None, "active"),
        (NOON, None, "expired"),
        (NOON + TICK, None, "expired"),
        (NOON - TICK, NOON - TICK, "revoked"),
        (NOON, NOON - TICK, "revoked"),
    ],
)
def test_an_override_is_active_until_it_expires_or_is_revoked(
    now: datetime, revoked_at: datetime | None, state: str
) -> None:
    shown = override(revoked_at=revoked_at)
    assert (shown.get_state(now), shown.is_active_at(now)) == (state, state == "active")


@pytest.mark.parametrize(
    ("counterpart", "sides", "is_covered"),
    [
        (None, [("Shop", "1"), ("Prices", "2")], True),
        (None, [("Prices", "2"), ("Shop", "1")], True),
        (None, [("Shop", "2"), ("Prices", "2")], False),
        (None, [("Prices", "1"), ("Stock", None)], False),
        ("Prices", [("Shop", "1"), ("Prices", None)], True),
        ("Prices", [("Shop", "1"), ("Stock", "2")], False),
        ("Shop", [("Shop", "1"), ("Prices", "2")], False),
        ("Shop", [("Shop", "1"), ("Shop", "1")], True),
    ],
)
def test_an_override_covers_pairs_of_its_version_and_its_counterpart(
    counterpart: str | None, sides: list[tuple[str, str | None]], *, is_covered: bool
) -> None:
    assert override(counterpart=counterpart).covers(sides) is is_covered


@pytest.mark.parametrize(
    ("shown", "text"),
    [
        (override(), "Shop (1) is overridden for test until 2026-01-01 12:00 UTC"),
        (override(counterpart="Prices"), "Shop (1) with Prices is overridden for test until 2026-01-01 12:00 UTC"),
    ],
)
def test_everyone_may_read_until_when_an_override_applies(shown: Override, text: str) -> None:
    assert describe_expiry(shown) == text
    assert describe_override(shown) == f"{text}: urgent"


def test_the_author_of_an_override_is_named() -> None:
    assert describe_override(override(created_by="Ada")).endswith(" UTC by Ada: urgent")
