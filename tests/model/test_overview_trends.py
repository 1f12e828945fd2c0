"""Trends of the overview: days and weeks, waits for results, and the health of integrations in the past."""

from datetime import date, datetime, timedelta, timezone

import pytest

from treaty.model.overview.trends import (
    TREND_DAYS,
    FirstResult,
    HealthDay,
    PublishedPact,
    RecordedResult,
    compute_health,
    compute_waits,
    count_deployments,
    count_results,
    list_days,
    list_weeks,
    median_wait,
    replay,
    start_of,
)

SUNDAY, MONDAY, TUESDAY = date(2026, 3, 1), date(2026, 3, 2), date(2026, 3, 3)
DAYS = [SUNDAY, MONDAY, TUESDAY]
PAIR, OTHER = (1, 2), (3, 1)
TICK = timedelta(microseconds=1)
EAST = timezone(timedelta(hours=3))


def noon(day: date) -> datetime:
    return start_of(day) + timedelta(hours=12)


def result(
    at: datetime,
    *,
    success: bool = True,
    number: int = 1,
    content: int = 1,
    version: int = 1,
    is_comparison: bool = False,
) -> RecordedResult:
    return RecordedResult(
        pair=PAIR,
        at=at,
        number=number,
        content_id=content,
        version_id=version,
        is_comparison=is_comparison,
        success=success,
    )


def test_the_last_days_end_today() -> None:
    days = list_days(datetime(2026, 3, 3, 1, tzinfo=EAST))
    assert (len(days), days[-1], days[-2]) == (TREND_DAYS, MONDAY, SUNDAY)


def test_weeks_begin_on_mondays() -> None:
    assert list_weeks([*DAYS, MONDAY + timedelta(days=6)]) == [date(2026, 2, 23), MONDAY]


def test_results_are_counted_by_the_day_in_utc() -> None:
    results = [
        result(start_of(MONDAY) - TICK),
        result(start_of(MONDAY)),
        result(noon(MONDAY)),
        result(noon(MONDAY), success=False),
        result(datetime(2026, 3, 3, 2, tzinfo=EAST)),
    ]
    counts = count_results(results, [MONDAY, TUESDAY])
    assert [(count.day, count.passed, count.failed, count.total) for count in counts] == [
        (MONDAY, 3, 1, 4),
        (TUESDAY, 0, 0, 0),
    ]


def test_deployments_are_counted_by_week() -> None:
    weeks = count_deployments([noon(SUNDAY), noon(MONDAY), noon(TUESDAY)], DAYS)
    assert [(week.start, week.end, week.count) for week in weeks] == [
        (date(2026, 2, 23), MONDAY, 1),
        (MONDAY, date(2026, 3, 9), 2),
    ]


def first_result(published_at: datetime, wait: timedelta | None) -> FirstResult:
    verified_at = None if wait is None else published_at + wait
    return FirstResult(pair=PAIR, published_at=published_at, verified_at=verified_at)


def test_waits_are_those_of_contents_published_on_a_day() -> None:
    contents = [
        first_result(noon(MONDAY), timedelta(hours=1)),
        first_result(noon(MONDAY), timedelta(hours=3)),
        first_result(noon(MONDAY), None),
        first_result(noon(TUESDAY), None),
    ]
    waits = compute_waits(contents, DAYS)
    assert [(wait.day, wait.published, wait.verified, wait.median_wait) for wait in waits] == [
        (SUNDAY, 0, 0, None),
        (MONDAY, 3, 2, timedelta(hours=2)),
        (TUESDAY, 1, 0, None),
    ]


@pytest.mark.parametrize(("wait", "expected"), [(-TICK, timedelta(0)), (timedelta(0), timedelta(0)), (TICK, TICK)])
def test_nothing_waits_less_than_no_time(wait: timedelta, expected: timedelta) -> None:
    """Results that were imported may be older than the publication."""
    assert first_result(noon(MONDAY), wait).wait == expected


def test_the_median_is_the_middle_of_the_waits() -> None:
    assert median_wait([]) is None
    assert median_wait([timedelta(seconds=seconds) for seconds in (9, 1, 2)]) == timedelta(seconds=2)


def pact(at: datetime, *, content: int = 1, order: int = 1) -> PublishedPact:
    return PublishedPact(pair=PAIR, at=at, order=(order, 1), content_id=content)


MIDNIGHT = start_of(MONDAY)


@pytest.mark.parametrize(
    ("pacts", "results", "verified"),
    [
        ([], [], [None, None, None]),
        ([pact(noon(MONDAY))], [], [None, False, False]),
        ([pact(MIDNIGHT - TICK)], [result(MIDNIGHT)], [False, True, True]),
        ([pact(MIDNIGHT)], [result(MIDNIGHT - TICK)], [None, True, True]),
        # Another content has no result.
        ([pact(noon(SUNDAY)), pact(noon(TUESDAY), content=2, order=2)], [result(noon(SUNDAY))], [True, True, False]),
        # The order of versions decides which pact is the latest, not the time.
        ([pact(noon(SUNDAY), order=2), pact(noon(MONDAY), content=2, order=1)], [result(noon(SUNDAY))], [True] * 3),
        ([pact(noon(SUNDAY)), pact(noon(MONDAY), content=2)], [result(noon(SUNDAY))], [True, False, False]),
        # The newest result counts.
        ([pact(noon(SUNDAY))], [result(noon(MONDAY), success=False), result(noon(SUNDAY))], [True, False, False]),
        (
            [pact(noon(SUNDAY))],
            [result(noon(SUNDAY), number=2, success=False), result(noon(SUNDAY), number=1)],
            [False] * 3,
        ),
        # The results of both kinds count, if they are about the same version of the provider.
        (
            [pact(noon(SUNDAY))],
            [result(noon(SUNDAY), success=False), result(noon(MONDAY), is_comparison=True)],
            [False] * 3,
        ),
        ([pact(noon(SUNDAY))], [result(noon(SUNDAY)), result(noon(MONDAY), is_comparison=True)], [True] * 3),
        (
            [pact(noon(SUNDAY))],
            [result(noon(SUNDAY), success=False), result(noon(MONDAY), version=2, is_comparison=True)],
            [False, True, True],
        ),
    ],
)
def test_each_day_has_the_pairs_with_their_state_at_its_end(
    pacts: list[PublishedPact], results: list[RecordedResult], verified: list[bool | None]
) -> None:
    states = list(replay(pacts, results, DAYS))
    assert [day for day, _ in states] == DAYS
    assert [pairs.get(PAIR) for _, pairs in states] == verified


def test_integrations_without_events_count_as_they_are() -> None:
    days = compute_health([(SUNDAY, {}), (MONDAY, {PAIR: True, (5, 6): False})], {OTHER: True, (7, 8): False})
    assert [(day.healthy, day.total, day.share) for day in days] == [(1, 2, 0.5), (2, 4, 0.5)]
    assert HealthDay(day=SUNDAY, healthy=0, total=0).share is None
