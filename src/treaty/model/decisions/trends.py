"""Trends of recorded decisions: how many there were, how many were a no, why, and how long it took until the yes."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from statistics import median
from typing import Final

TREND_DAYS: Final = 30
"""Days of a trend, in UTC. The last one is the current day."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AnsweredQuestion:
    """A recorded decision, as far as trends depend on it."""

    environment_uuid: str
    environment: str
    at: datetime
    deployable: bool | None
    causes: Sequence[str]
    pacticipants: list[str] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True, slots=True)
class DayCounts:
    """Numbers of decisions on a day, by their answers."""

    day: date
    yes: int = 0
    no: int = 0
    unknown: int = 0

    @property
    def total(self) -> int:
        return self.yes + self.no + self.unknown


@dataclass(frozen=True, kw_only=True, slots=True)
class EnvironmentTrend:
    """The decisions about an environment."""

    environment: str
    """The latest name."""
    environment_uuid: str
    days: Sequence[DayCounts]
    causes: Mapping[str, int]
    """Number of decisions with each cause, the most frequent first."""
    until_yes: timedelta | None
    """Median time from the first decision that is not yes to the next yes for the same application."""
    waits: int
    """Number of times from which the median is computed."""

    @property
    def total(self) -> int:
        return sum(day.total for day in self.days)

    @property
    def not_yes(self) -> int:
        return sum(day.no + day.unknown for day in self.days)

    @property
    def share_of_no(self) -> float:
        """The share of decisions that are not yes, between 0 and 1."""
        return self.not_yes / self.total if self.total else 0.0


def list_days(now: datetime) -> list[date]:
    """List the days of a trend that ends now."""
    today = now.astimezone(UTC).date()
    return [today - timedelta(days=ago) for ago in range(TREND_DAYS - 1, -1, -1)]


def trend_start(now: datetime) -> datetime:
    """Return the beginning of the first day of a trend."""
    return datetime.combine(list_days(now)[0], datetime.min.time(), UTC)


def compute_trends(questions: Iterable[AnsweredQuestion], *, now: datetime) -> list[EnvironmentTrend]:
    """Compute the trend of each environment, in order of their names, from decisions with the oldest first."""
    by_environment: dict[str, list[AnsweredQuestion]] = {}
    for question in questions:
        by_environment.setdefault(question.environment_uuid, []).append(question)
    days = list_days(now)
    trends = [_compute_trend(each, days) for each in by_environment.values()]
    return sorted(trends, key=lambda trend: (trend.environment, trend.environment_uuid))


def _compute_trend(questions: Sequence[AnsweredQuestion], days: Sequence[date]) -> EnvironmentTrend:
    answers = Counter((question.at.astimezone(UTC).date(), question.deployable) for question in questions)
    causes = Counter(cause for question in questions for cause in set(question.causes))
    waits = _list_waits(questions)
    return EnvironmentTrend(
        environment=questions[-1].environment,
        environment_uuid=questions[-1].environment_uuid,
        days=[
            DayCounts(day=day, yes=answers[day, True], no=answers[day, False], unknown=answers[day, None])
            for day in days
        ],
        causes=dict(sorted(causes.items(), key=lambda item: (-item[1], item[0]))),
        until_yes=timedelta(seconds=median(wait.total_seconds() for wait in waits)) if waits else None,
        waits=len(waits),
    )


def _list_waits(questions: Iterable[AnsweredQuestion]) -> list[timedelta]:
    """List the times from the first decision that is not yes to the next yes, of each application."""
    waits: list[timedelta] = []
    blocked_since: dict[str, datetime] = {}
    for question in questions:
        for name in set(question.pacticipants):
            if question.deployable is not True:
                blocked_since.setdefault(name, question.at)
            elif name in blocked_since:
                waits.append(question.at - blocked_since.pop(name))
    return waits
