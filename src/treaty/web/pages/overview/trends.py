"""How are we doing? Trends of the last 30 days, and the rows behind each bar."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import Enum
from typing import Any, Final
from urllib.parse import urlencode

from treaty.model.overview import trends as model
from treaty.model.overview.trends import DeploymentWeek, HealthDay, Pair, RecordedResult, ResultDay, WaitDay
from treaty.model.paging import Page, Paged
from treaty.model.wording import format_duration
from treaty.store.overview import trends as store
from treaty.store.overview.trends import TrendFilter
from treaty.web import urls
from treaty.web.api.overview.trends import TrendSubject, load_trends, read_subject
from treaty.web.http.page_queries import read_choice, read_rows_page
from treaty.web.http.request import Request
from treaty.web.http.results import HtmlPage
from treaty.web.http.router import Router
from treaty.web.pages.overview.charts import Chart, Column, draw_chart
from treaty.web.security.permissions import Permission

router = Router()

PAGE_SIZE: Final = 50
ROWS_PER_PAGE: Final = 15
"""Applications or pairs on a page of trends, each with a chart."""


class TrendRows(Enum):
    """What the rows behind a bar are; the values are those of the query parameter `show`."""

    RESULTS = "results"
    HEALTH = "health"
    WAITS = "waits"
    DEPLOYMENTS = "deployments"


class Grouping(Enum):
    """What has a chart of its own below; the values are those of the query parameter `by`."""

    APPLICATION = "application"
    PAIR = "pair"


@dataclass(frozen=True, kw_only=True, slots=True)
class GroupTrend:
    """The results of an application as a provider, or of a pair."""

    consumer: str | None
    provider: str
    passed: int
    failed: int
    chart: Chart


def _build_path(subject: Mapping[str, str], show: TrendRows, since: date) -> str:
    query = {"show": show.value, "day": since.isoformat(), **subject}
    return f"{urls.TREND_ROWS.fill()}?{urlencode(query)}"


@router.page(urls.TRENDS, permission=Permission.READ, is_original=False)
def show_trends(request: Request) -> HtmlPage:
    """Show the trends of everything, of an application, or of a pair."""
    trends = load_trends(request)
    subject = trends.subject.names
    grouping = read_choice(Grouping, request.option("by")) or Grouping.APPLICATION
    page = read_rows_page(request, ROWS_PER_PAGE)
    return HtmlPage(
        "trends.html",
        {
            "subject": subject,
            "health": trends.health,
            "health_chart": _draw_health(trends.health, subject),
            "results": trends.results,
            "results_chart": _draw_results(trends.results, subject),
            "waits": trends.waits,
            "waits_chart": _draw_waits(trends.waits, subject),
            "median_wait": trends.median_wait,
            "weeks": trends.weeks,
            "weeks_chart": _draw_weeks(trends.weeks, subject),
            "by": grouping.value,
            "page": page,
            "groups": _group_results(request, trends.recorded, trends.days, grouping, page),
        },
    )


def _draw_weeks(weeks: Sequence[DeploymentWeek], subject: Mapping[str, str]) -> Chart:
    columns = [
        Column(
            f"Week from {week.start}: {week.count} deployments",
            _build_path(subject, TrendRows.DEPLOYMENTS, week.start) if week.count else None,
            [("neutral", week.count)],
        )
        for week in weeks
    ]
    return draw_chart(columns)


def _draw_health(health: Sequence[HealthDay], subject: Mapping[str, str]) -> Chart:
    columns = [
        Column(
            f"{day.day}: {day.healthy} of {day.total} integrations healthy",
            _build_path(subject, TrendRows.HEALTH, day.day) if day.total else None,
            [("yes", day.healthy / day.total), ("no", 1 - day.healthy / day.total)] if day.total else [],
        )
        for day in health
    ]
    return draw_chart(columns, maximum=1)


def _draw_results(days: Sequence[ResultDay], subject: Mapping[str, str], *, maximum: float | None = None) -> Chart:
    columns = [
        Column(
            f"{day.day}: {day.passed} passed, {day.failed} failed",
            _build_path(subject, TrendRows.RESULTS, day.day) if day.total else None,
            [("yes", day.passed), ("no", day.failed)],
        )
        for day in days
    ]
    return draw_chart(columns, maximum=maximum)


def _draw_waits(days: Sequence[WaitDay], subject: Mapping[str, str]) -> Chart:
    columns = [
        Column(
            f"{day.day}: {_describe_wait(day)}",
            _build_path(subject, TrendRows.WAITS, day.day) if day.published else None,
            [("neutral", day.median_wait.total_seconds() if day.median_wait else 0)],
        )
        for day in days
    ]
    return draw_chart(columns)


def _describe_wait(day: WaitDay) -> str:
    if day.median_wait is None:
        return f"{day.published} new contents, none with a result"
    wait = format_duration(day.median_wait.total_seconds()).removeprefix("about ")
    return f"first result after {wait} (median of {day.verified} of {day.published} new contents)"


def _group_results(
    request: Request, results: Iterable[RecordedResult], days: Sequence[date], grouping: Grouping, page: Page
) -> Paged[GroupTrend]:
    """Group the results by provider or by pair, those with the most failures first."""
    first = model.start_of(days[0])
    by_pair: dict[tuple[int | None, int], list[RecordedResult]] = defaultdict(list)
    for result in results:
        if result.at >= first:
            consumer, provider = result.pair
            by_pair[consumer if grouping is Grouping.PAIR else None, provider].append(result)
    counted = sorted(
        ((key, members, sum(not member.success for member in members)) for key, members in by_pair.items()),
        key=lambda each: (-each[2], -len(each[1]), each[0][1], each[0][0] or 0),
    )
    names = store.load_names(request.db) if counted else {}
    shown = counted[page.offset : page.offset + page.limit]
    groups = [_build_group(key, members, failed, days, names) for key, members, failed in shown]
    return Paged(groups, page, len(counted))


def _build_group(
    key: tuple[int | None, int],
    members: Sequence[RecordedResult],
    failed: int,
    days: Sequence[date],
    names: Mapping[int, str],
) -> GroupTrend:
    consumer, provider = (None if id_ is None else names[id_] for id_ in key)
    query = {"consumer": consumer, "provider": provider} if consumer is not None else {"provider": provider}
    subject = {name: value for name, value in query.items() if value is not None}
    chart = _draw_results(model.count_results(members, days), subject)
    return GroupTrend(
        consumer=consumer, provider=provider or "", passed=len(members) - failed, failed=failed, chart=chart
    )


# The rows behind a bar


@router.page(urls.TREND_ROWS, permission=Permission.READ, is_original=False)
def show_rows(request: Request) -> HtmlPage:
    """Show the rows behind a bar: those of a day, or of a week."""
    subject, page = read_subject(request), read_rows_page(request, PAGE_SIZE)
    show = read_choice(TrendRows, request.option("show")) or TrendRows.RESULTS
    day = _read_day(request)
    days = 7 if show is TrendRows.DEPLOYMENTS else 1
    since, until = model.start_of(day), model.start_of(day + timedelta(days=days))
    context = {"show": show.value, "day": day, "subject": subject.names, "page": page}
    return HtmlPage("trend_rows.html", {**context, "rows": _load_rows(request, subject, show, page, since, until)})


def _read_day(request: Request) -> date:
    text = request.option("day")
    try:
        return date.fromisoformat(text or "")
    except ValueError:
        return model.day_of(request.now)


def _load_rows(
    request: Request, subject: TrendSubject, show: TrendRows, page: Page, since: datetime, until: datetime
) -> Paged[Any]:
    match show:
        case TrendRows.RESULTS:
            return store.list_results(request.db, subject.trend_filter, page, since=since, until=until)
        case TrendRows.DEPLOYMENTS:
            return store.list_deployments(request.db, subject.trend_filter, page, since=since, until=until)
        case TrendRows.WAITS:
            results = store.list_first_results(request.db, since=since)
            matching = [
                first for first in results if first.published_at < until and subject.trend_filter.matches(first.pair)
            ]
            matching.sort(key=lambda first: (first.pair, first.published_at))
            matching.sort(key=lambda first: (first.wait is not None, -(first.wait or timedelta(0))))
            return _name_pairs(store.load_names(request.db), [(first.pair, first) for first in matching], page)
        case TrendRows.HEALTH:
            return _load_unhealthy(request, subject.trend_filter, page, since)


def _load_unhealthy(request: Request, trend_filter: TrendFilter, page: Page, since: datetime) -> Paged[Any]:
    history = store.load_history(request.db, since=since)
    [(_, states)] = model.replay(history.pacts, history.results, [model.day_of(since)])
    both = {**history.quiet, **states}
    names = store.load_names(request.db)
    unhealthy = [(pair, None) for pair, is_verified in both.items() if not is_verified and trend_filter.matches(pair)]
    unhealthy.sort(key=lambda row: [(names[id_].lower(), names[id_]) for id_ in row[0]])
    return _name_pairs(names, unhealthy, page)


def _name_pairs(names: Mapping[int, str], pairs: Sequence[tuple[Pair, Any]], page: Page) -> Paged[Any]:
    shown = pairs[page.offset : page.offset + page.limit]
    rows = [
        {"consumer": names[consumer], "provider": names[provider], "value": value}
        for (consumer, provider), value in shown
    ]
    return Paged(rows, page, len(pairs))
