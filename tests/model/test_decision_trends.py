"""Trends of decisions about environments: answers by day, their causes, and the time until the next yes."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from treaty.model.decisions.trends import (
    TREND_DAYS,
    AnsweredQuestion,
    EnvironmentTrend,
    compute_trends,
    list_days,
    trend_start,
)

NOON = datetime(2026, 3, 3, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def question(at: datetime, *, deployable: bool | None, **members: Any) -> AnsweredQuestion:
    defaults = {"environment": "test", "environment_uuid": "t", "pacticipants": ["Shop"], "causes": []}
    return AnsweredQuestion(at=at, deployable=deployable, **{**defaults, **members})


def compute(*questions: AnsweredQuestion) -> EnvironmentTrend:
    (trend,) = compute_trends(questions, now=NOON)
    return trend


def test_a_trend_begins_with_the_first_of_its_days() -> None:
    days = list_days(NOON)
    assert (len(days), days[-1]) == (TREND_DAYS, NOON.date())
    assert trend_start(NOON) == datetime(2026, 3, 3, tzinfo=UTC) - timedelta(days=TREND_DAYS - 1)


def test_answers_are_counted_by_day() -> None:
    answers = (True, True, False, None, None, None)
    trend = compute(
        question(NOON - timedelta(days=1), deployable=False), *(question(NOON, deployable=answer) for answer in answers)
    )
    *_, yesterday, today = trend.days
    assert (yesterday.yes, yesterday.no, yesterday.unknown, yesterday.total) == (0, 1, 0, 1)
    assert (today.yes, today.no, today.unknown, today.total) == (2, 1, 3, 6)
    assert (trend.total, trend.not_yes, trend.share_of_no) == (7, 5, 5 / 7)


def test_without_decisions_the_share_of_no_is_zero() -> None:
    trend = compute(question(NOON - timedelta(days=TREND_DAYS), deployable=False))
    assert (trend.total, trend.share_of_no) == (0, 0.0)


def test_causes_are_counted_once_for_each_decision_the_most_frequent_first() -> None:
    causes: tuple[list[str], ...] = (["b", "b", "c"], ["a", "c"], ["c"], [])
    trend = compute(*(question(NOON, deployable=False, causes=each) for each in causes))
    assert list(trend.causes.items()) == [("c", 3), ("a", 1), ("b", 1)]


def test_environments_are_in_the_order_of_their_latest_names() -> None:
    questions = [
        question(NOON, deployable=True, environment=name, environment_uuid=uuid)
        for name, uuid in (("z", "1"), ("b", "2"), ("a", "1"), ("b", "0"))
    ]
    trends = compute_trends(questions, now=NOON)
    assert [(trend.environment, trend.environment_uuid) for trend in trends] == [("a", "1"), ("b", "0"), ("b", "2")]


@pytest.mark.parametrize(
    ("answers", "waits"),
    [
        ("y", []),
        ("n", []),
        ("ny", [1]),
        ("uy", [1]),
        ("nuny", [3]),
        ("nyy", [1]),
        ("nynnny", [1, 3]),
    ],
)
def test_a_wait_lasts_from_the_first_answer_that_is_not_yes_to_the_next_yes(answers: str, waits: list[int]) -> None:
    meaning = {"y": True, "n": False, "u": None}
    trend = compute(*(question(NOON + HOUR * hour, deployable=meaning[answer]) for hour, answer in enumerate(answers)))
    assert trend.waits == len(waits)
    assert trend.until_yes == (HOUR * (sum(waits) / len(waits)) if waits else None)


def test_each_application_waits_on_its_own() -> None:
    trend = compute(
        question(NOON, deployable=False, pacticipants=["Shop", "Shop", "Web"]),
        question(NOON + HOUR, deployable=True, pacticipants=["Other"]),
        question(NOON + 2 * HOUR, deployable=True, pacticipants=["Web"]),
        question(NOON + 4 * HOUR, deployable=True, pacticipants=["Shop", "Web"]),
    )
    assert (trend.waits, trend.until_yes) == (2, 3 * HOUR)
