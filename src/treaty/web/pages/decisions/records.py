"""Pages of recorded decisions: the list, each decision as it was answered, and trends."""

import shlex
from collections.abc import Collection, Iterable, Mapping
from datetime import date, datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode

from treaty.errors import Invalid
from treaty.model.decisions.causes import DESCRIPTIONS, Cause
from treaty.model.decisions.records import DecisionFilter
from treaty.model.decisions.trends import EnvironmentTrend
from treaty.model.paging import Page
from treaty.store import deployments
from treaty.store.decisions import records
from treaty.store.overview import overview
from treaty.web import urls
from treaty.web.api.audit import read_time
from treaty.web.api.decisions.recording import load_document
from treaty.web.api.decisions.records import ANSWERS, load_trends
from treaty.web.http.page_queries import read_rows_page
from treaty.web.http.request import Request
from treaty.web.http.results import HtmlPage
from treaty.web.http.router import Router
from treaty.web.pages import get_display_names
from treaty.web.pages.decisions.verdicts import CauseView, ReasonView
from treaty.web.pages.overview.charts import Chart, Column, draw_chart
from treaty.web.security.permissions import Permission

router = Router()

PAGE_SIZE: Final = 50
_SUGGESTED_NAMES: Final = Page(1, 500)
"""Names of applications that the filter suggests."""


@router.page(urls.DECISIONS, permission=Permission.READ, is_original=False)
def show_decisions(request: Request) -> HtmlPage:
    """Show the recorded decisions that match the filters, the newest first."""
    page, decision_filter = read_rows_page(request, PAGE_SIZE), _read_filter(request)
    environments = deployments.list_in_pipeline(request.db)
    return HtmlPage(
        "decisions.html",
        {
            "decisions": records.list_page(request.db, decision_filter, page),
            "decision_filter": decision_filter,
            "is_filtered": decision_filter != DecisionFilter(),
            "page": page,
            "environments": environments,
            "display_names": get_display_names(environments),
            "names": overview.list_names_like(request.db, "", _SUGGESTED_NAMES).items,
            "describe_causes": _describe_causes,
        },
    )


def _read_filter(request: Request) -> DecisionFilter:
    """Read the filters in the query; invalid ones count as absent, as on other pages."""
    answer = request.option("deployable")
    return DecisionFilter(
        environment=request.option("environment"),
        pacticipant=request.option("pacticipant"),
        version=request.option("version"),
        answers=frozenset({ANSWERS[answer]}) if answer is not None and answer in ANSWERS else None,
        since=_read_time(request, "since"),
        until=_read_time(request, "until"),
    )


def _read_time(request: Request, name: str) -> datetime | None:
    try:
        return read_time(request, name)
    except Invalid:
        return None


def _describe_causes(causes: Iterable[str]) -> list[str]:
    return [_describe_cause(cause) for cause in dict.fromkeys(causes)]


def _describe_cause(cause: str) -> str:
    # A later version of Treaty may have written the record.
    return DESCRIPTIONS[Cause(cause)].title if cause in {each.value for each in Cause} else cause


@router.page(urls.DECISION, permission=Permission.READ, is_original=False)
def show_decision(request: Request, uuid: str) -> HtmlPage:
    """Show a recorded decision as it was answered."""
    recorded = records.get(request.db, uuid)
    document = load_document(recorded.document, request.base_url)
    own = {name for name, _ in recorded.versions}
    return HtmlPage(
        "decision.html",
        {
            "recorded": recorded,
            "document": document,
            "display_names": get_display_names(deployments.list_in_pipeline(request.db)),
            "reasons": [_build_reason(reason, request.base_url, own) for reason in document["reasons"]],
            "question_today": _find_matrix_query(document["question"]),
            "command_today": _build_command(document["question"]),
        },
    )


def _build_reason(reason: Mapping[str, Any], base_url: str, own: Collection[str]) -> ReasonView:
    next_step: Mapping[str, Any] = reason.get("next") or {}
    return ReasonView(
        severity=reason["type"],
        text=reason["text"].removeprefix("WARN: "),
        next=next_step.get("text"),
        cause=_build_cause(reason, next_step, base_url, own) if "cause" in reason else None,
    )


def _build_cause(
    reason: Mapping[str, Any], next_step: Mapping[str, Any], base_url: str, own: Collection[str]
) -> CauseView:
    sides = [side for role in ("consumer", "provider") if (side := reason.get(role)) and side["name"] not in own]
    counterpart: Mapping[str, Any] = sides[0] if len(sides) == 1 else reason["subject"]
    act: Mapping[str, Any] = reason.get("act") or {}
    since = reason.get("since")
    href = next_step.get("href")
    return CauseView(
        title=_describe_cause(reason["cause"]),
        help=reason["help"]["href"].removeprefix(base_url),
        counterpart=counterpart["name"],
        counterpart_number=counterpart.get("version"),
        name=reason["subject"]["name"],
        number=reason["subject"]["version"],
        exists=reason["cause"] != Cause.VERSION_NEVER_BUILT.value,
        problem=reason["problem"],
        since=None if since is None else datetime.fromisoformat(since),
        actor=act.get("pacticipant"),
        contacts=tuple(contact["name"] for contact in act.get("contacts") or ()),
        next=next_step.get("text", ""),
        links=(("Show where", href.removeprefix(base_url)),) if href else (),
        command=next_step.get("command"),
    )


def _find_matrix_query(question: Mapping[str, Any]) -> str | None:
    """Return the query of the page that answers a question today; None for sets, which have no page."""
    selectors = question.get("selectors") or question.get("versions") or []
    if "selectors" not in question and len(selectors) != 1:
        return None
    query = [
        *((f"q[][{name}]", _write(value)) for selector in selectors for name, value in selector.items()),
        ("latestby", "cvpv"),
        ("environment", question["environment"]),
        *(
            (f"ignore[][{name}]", _write(value))
            for each in question.get("ignore") or []
            for name, value in each.items()
        ),
    ]
    return urlencode(query)


def _write(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _build_command(question: Mapping[str, Any]) -> str | None:
    """Return the command that asks about a set again; None for other questions."""
    if "selectors" in question:
        return None
    members = [word for each in question["versions"] for word in ("--set", f"{each['pacticipant']}@{each['version']}")]
    return shlex.join(["pact-broker", "can-i-deploy", *members, "--to-environment", question["environment"]])


# Trends


@router.page(urls.DECISION_TRENDS, permission=Permission.READ, is_original=False)
def show_trends(request: Request) -> HtmlPage:
    """Show the trends of recorded decisions over the last 30 days."""
    trends = load_trends(request).trends
    return HtmlPage(
        "decision_trends.html",
        {
            "trends": [(trend, _draw_days(trend)) for trend in trends],
            "display_names": get_display_names(deployments.list_in_pipeline(request.db)),
            "describe_cause": _describe_cause,
        },
    )


def _draw_days(trend: EnvironmentTrend) -> Chart:
    return draw_chart(
        [
            Column(
                f"{day.day}: {day.yes} yes, {day.no} no, {day.unknown} not yet",
                _list_path(trend.environment, day.day) if day.total else None,
                (("yes", day.yes), ("no", day.no), ("unknown", day.unknown)),
            )
            for day in trend.days
        ]
    )


def _list_path(environment: str, day: date) -> str:
    """Return the path of the list of the decisions on a day (UTC)."""
    period = {"since": day.isoformat(), "until": (day + timedelta(days=1)).isoformat()}
    return f"{urls.DECISIONS.fill()}?{urlencode({'environment': environment, **period})}"
