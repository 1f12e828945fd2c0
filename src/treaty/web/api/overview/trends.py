"""Trends of the last 30 days: handler and representation."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from typing_extensions import TypedDict

from treaty.errors import NotFound
from treaty.model.overview import trends as model
from treaty.model.overview.trends import DeploymentWeek, HealthDay, RecordedResult, ResultDay, WaitDay
from treaty.store.overview import trends as store
from treaty.store.overview.trends import History, TrendFilter
from treaty.web import urls
from treaty.web.hal import represent
from treaty.web.hal.documents import Hal, Link
from treaty.web.hal.shapes import Omittable
from treaty.web.http.queries import QueryParameter
from treaty.web.http.request import Request
from treaty.web.http.router import Router
from treaty.web.security.permissions import Permission

router = Router()

_FILTERS: Final = ("application", "consumer", "provider")


@dataclass(frozen=True, slots=True)
class TrendSubject:
    """The subject of trends: the names in the query, and their ids."""

    names: Mapping[str, str]
    trend_filter: TrendFilter


@dataclass(frozen=True, kw_only=True, slots=True)
class Trends:
    """The trends of everything, of an application, or of a pair, by day and by week."""

    subject: TrendSubject
    days: Sequence[date]
    recorded: Sequence[RecordedResult]
    """The results that are counted, and earlier results of the same pairs."""
    results: Sequence[ResultDay]
    health: Sequence[HealthDay]
    waits: Sequence[WaitDay]
    median_wait: timedelta | None
    weeks: Sequence[DeploymentWeek]


class TrendsDay(TypedDict):
    day: date
    passed: int
    failed: int
    integrations: int
    healthyIntegrations: int
    newContents: int
    newContentsWithResult: int
    medianSecondsUntilResult: float | None


class TrendsWeek(TypedDict):
    start: date
    deployments: int


class OverviewTrendsLinks(TypedDict):
    self: Link


class OverviewTrendsDocument(TypedDict):
    medianSecondsUntilResult: Omittable[float]
    days: list[TrendsDay]
    weeks: list[TrendsWeek]
    _links: OverviewTrendsLinks


@router.get(
    urls.TRENDS,
    permission=Permission.READ,
    is_slow=True,
    query=(
        QueryParameter("application", "The name of a pacticipant: only its integrations."),
        QueryParameter("consumer", "The name of a consumer: only its integrations."),
        QueryParameter("provider", "The name of a provider: only its integrations."),
    ),
    response=OverviewTrendsDocument,
)
def show_trends(request: Request) -> Trends:
    """Show the results, healthy integrations and deployments of the last 30 days, and how long results took."""
    return load_trends(request)


def load_trends(request: Request) -> Trends:
    """Load the trends of the subject in the query. Raises NotFound for an unknown application."""
    subject, days = read_subject(request), model.list_days(request.now)
    since, trend_filter = model.start_of(days[0]), subject.trend_filter
    history = store.load_history(request.db, since=since)
    results = [result for result in history.results if trend_filter.matches(result.pair)]
    first_results = [
        first for first in store.list_first_results(request.db, since=since) if trend_filter.matches(first.pair)
    ]
    deployment_times = store.list_deployment_times(
        request.db,
        since=model.start_of(model.list_weeks(days)[0]),
        until=model.start_of(days[-1] + timedelta(days=1)),
        pacticipants=trend_filter.pacticipants,
    )
    return Trends(
        subject=subject,
        days=days,
        recorded=results,
        results=model.count_results(results, days),
        health=_compute_health(history, trend_filter, days),
        waits=model.compute_waits(first_results, days),
        median_wait=model.median_wait([first.wait for first in first_results if first.wait is not None]),
        weeks=model.count_deployments(deployment_times, days),
    )


def read_subject(request: Request) -> TrendSubject:
    """Read the subject of the trends. Raises NotFound for an unknown application."""
    names = {name: value for name in _FILTERS if (value := request.option(name))}
    ids = store.find_ids(request.db, frozenset(names.values()))
    for name in names.values():
        if name not in ids:
            raise NotFound.named("pacticipant", name)
    return TrendSubject(names, TrendFilter(**{name: ids[value] for name, value in names.items()}))


def _compute_health(history: History, trend_filter: TrendFilter, days: Sequence[date]) -> list[HealthDay]:
    pacts = [pact for pact in history.pacts if trend_filter.matches(pact.pair)]
    quiet = {pair: is_verified for pair, is_verified in history.quiet.items() if trend_filter.matches(pair)}
    return model.compute_health(model.replay(pacts, history.results, days), quiet)


@represent.register
def trends(shown: Trends) -> Hal:
    return Hal(
        {
            "medianSecondsUntilResult": _seconds(shown.median_wait),
            "days": [_render_day(*facts) for facts in zip(shown.results, shown.health, shown.waits, strict=True)],
            "weeks": [{"start": week.start, "deployments": week.count} for week in shown.weeks],
        },
        links={"self": Link(urls.URL_WITH_QUERY_PLACEHOLDER)},
    )


def _render_day(results: ResultDay, health: HealthDay, waits: WaitDay) -> TrendsDay:
    return {
        "day": results.day,
        "passed": results.passed,
        "failed": results.failed,
        "integrations": health.total,
        "healthyIntegrations": health.healthy,
        "newContents": waits.published,
        "newContentsWithResult": waits.verified,
        "medianSecondsUntilResult": _seconds(waits.median_wait),
    }


def _seconds(duration: timedelta | None) -> float | None:
    return None if duration is None else duration.total_seconds()
