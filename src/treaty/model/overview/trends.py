"""How contracts fared over some days: results, healthy integrations, deployments, and the wait for the first result.

Days are those of UTC. Everything is computed from publications and results that still exist: the clean-up and deletion
of old data also change what these say about the past.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from statistics import median
from typing import Final

TREND_DAYS: Final = 30

Pair = tuple[int, int]
"""Ids of a consumer and a provider."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PublishedPact:
    """A publication of a pact, as far as trends depend on it."""

    pair: Pair
    at: datetime
    order: tuple[int, int]
    """Position of the consumer version, and revision: the highest publication is the latest pact."""
    content_id: int


@dataclass(frozen=True, kw_only=True, slots=True)
class RecordedResult:
    """A result, as far as trends depend on it."""

    pair: Pair
    at: datetime
    number: int
    content_id: int
    version_id: int
    is_comparison: bool
    success: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class FirstResult:
    """A content that was published first at some time, and when it got its first result."""

    pair: Pair
    published_at: datetime
    verified_at: datetime | None

    @property
    def wait(self) -> timedelta | None:
        return None if self.verified_at is None else max(timedelta(0), self.verified_at - self.published_at)


@dataclass(frozen=True, kw_only=True, slots=True)
class ResultDay:
    """Numbers of results on a day."""

    day: date
    passed: int
    failed: int

    @property
    def total(self) -> int:
        return self.passed + self.failed


@dataclass(frozen=True, kw_only=True, slots=True)
class HealthDay:
    """Integrations at the end of a day: those with a pact, and those whose latest pact has been verified."""

    day: date
    healthy: int
    total: int

    @property
    def share(self) -> float | None:
        return self.healthy / self.total if self.total else None


@dataclass(frozen=True, kw_only=True, slots=True)
class WaitDay:
    """Contents that were published first on a day, and the median of the time until their first result."""

    day: date
    published: int
    verified: int
    median_wait: timedelta | None


@dataclass(frozen=True, kw_only=True, slots=True)
class DeploymentWeek:
    """Number of deployments and releases in a week that begins on a Monday."""

    start: date
    count: int

    @property
    def end(self) -> date:
        return self.start + timedelta(days=7)


def day_of(at: datetime) -> date:
    return at.astimezone(UTC).date()


def start_of(day: date) -> datetime:
    return datetime.combine(day, datetime.min.time(), UTC)


def list_days(now: datetime) -> list[date]:
    """List the days of the trends that end now, the oldest first."""
    return [day_of(now) - timedelta(days=ago) for ago in range(TREND_DAYS - 1, -1, -1)]


def list_weeks(days: Sequence[date]) -> list[date]:
    """List the Mondays of the weeks that these days are in."""
    return sorted({day - timedelta(days=day.weekday()) for day in days})


def count_results(results: Iterable[RecordedResult], days: Sequence[date]) -> list[ResultDay]:
    """Count passed and failed results by day."""
    counts = Counter((day_of(result.at), result.success) for result in results)
    return [ResultDay(day=day, passed=counts[day, True], failed=counts[day, False]) for day in days]


def count_deployments(deployments: Iterable[datetime], days: Sequence[date]) -> list[DeploymentWeek]:
    """Count deployments by week."""
    counts = Counter(day_of(at) - timedelta(days=day_of(at).weekday()) for at in deployments)
    return [DeploymentWeek(start=start, count=counts[start]) for start in list_weeks(days)]


def compute_waits(contents: Iterable[FirstResult], days: Sequence[date]) -> list[WaitDay]:
    """Compute the median time from the first publication of a content to its first result, by day of publication."""
    by_day: dict[date, list[FirstResult]] = defaultdict(list)
    for content in contents:
        by_day[day_of(content.published_at)].append(content)
    return [_compute_wait(day, by_day[day]) for day in days]


def _compute_wait(day: date, contents: Sequence[FirstResult]) -> WaitDay:
    waits = [content.wait for content in contents if content.wait is not None]
    return WaitDay(day=day, published=len(contents), verified=len(waits), median_wait=median_wait(waits))


def median_wait(waits: Sequence[timedelta]) -> timedelta | None:
    """Return the median of some times; None without any."""
    return timedelta(seconds=median(wait.total_seconds() for wait in waits)) if waits else None


# Health: the history of publications and results is replayed


@dataclass(slots=True)
class _ContentState:
    """The results for a content up to some time: a version passes if the newest result of each kind does."""

    newest: RecordedResult | None = None
    by_kind: dict[tuple[int, bool], RecordedResult] = field(default_factory=dict)

    def add(self, result: RecordedResult) -> None:
        key = (result.version_id, result.is_comparison)
        self.by_kind[key] = max(self.by_kind.get(key, result), result, key=_time_of_result)
        self.newest = max(self.newest or result, result, key=_time_of_result)

    @property
    def is_verified(self) -> bool:
        if self.newest is None:
            return False
        kinds = (self.by_kind.get((self.newest.version_id, is_comparison)) for is_comparison in (False, True))
        return all(result.success for result in kinds if result is not None)


def _time_of_result(result: RecordedResult) -> tuple[datetime, int]:
    return (result.at, result.number)


def replay(
    pacts: Iterable[PublishedPact], results: Iterable[RecordedResult], days: Sequence[date]
) -> Iterator[tuple[date, Mapping[Pair, bool]]]:
    """Yield each day with the pairs that had a pact at its end, and whether their latest pact had been verified then.

    Publications and results from before the first day are the state with which it begins.
    """
    latest: dict[Pair, PublishedPact] = {}
    contents: dict[int, _ContentState] = defaultdict(_ContentState)
    waiting_pacts = sorted(pacts, key=lambda pact: pact.at, reverse=True)
    waiting_results = sorted(results, key=_time_of_result, reverse=True)
    for day in days:
        end = start_of(day + timedelta(days=1))
        while waiting_pacts and waiting_pacts[-1].at < end:
            pact = waiting_pacts.pop()
            if pact.pair not in latest or latest[pact.pair].order <= pact.order:
                latest[pact.pair] = pact
        while waiting_results and waiting_results[-1].at < end:
            result = waiting_results.pop()
            contents[result.content_id].add(result)
        yield day, {pair: contents[pact.content_id].is_verified for pair, pact in latest.items()}


def compute_health(states: Iterable[tuple[date, Mapping[Pair, bool]]], quiet: Mapping[Pair, bool]) -> list[HealthDay]:
    """Count healthy integrations by day; `quiet` are those without any publication or result on these days."""
    healthy_quiet = sum(quiet.values())
    return [
        HealthDay(day=day, healthy=sum(pairs.values()) + healthy_quiet, total=len(pairs) + len(quiet))
        for day, pairs in states
    ]
