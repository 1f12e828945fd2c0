"""Recorded decisions, and their trends."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, Any, Final, Literal, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from treaty.errors import Invalid
from treaty.model.decisions.records import DecisionFilter, RecordedDecision
from treaty.model.decisions.trends import TREND_DAYS, EnvironmentTrend, compute_trends, trend_start
from treaty.model.paging import Paged
from treaty.store.decisions import records
from treaty.store.versions import aliases
from treaty.web import urls
from treaty.web.api.audit import read_time
from treaty.web.api.decisions.matrix import MatrixSummary, ReasonDocument
from treaty.web.api.decisions.recording import load_document
from treaty.web.api.paging import (
    PAGE_PARAMETERS,
    PageLinks,
    PageState,
    filtered_page_links,
    page_state,
    read_page,
)
from treaty.web.hal import represent
from treaty.web.hal.documents import Hal, Link
from treaty.web.hal.shapes import JsonObject, NameOnly
from treaty.web.http.queries import QueryParameter
from treaty.web.http.request import Request
from treaty.web.http.router import Router
from treaty.web.security.permissions import Permission

router: Final = Router()

PAGE_SIZE: Final = 50
MAX_PAGE_SIZE: Final = 200
ANSWERS: Final[Mapping[str, bool | None]] = {"true": True, "false": False, "unknown": None}
"""Values of the parameter `deployable`."""


@dataclass(frozen=True, slots=True)
class DecisionPage:
    """A page of recorded decisions, and the filters by which it was selected."""

    paged: Paged[RecordedDecision]
    filters: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class DecisionTrends:
    """The trends of all environments with recorded decisions."""

    trends: Sequence[EnvironmentTrend]


class VersionInDecision(TypedDict):
    pacticipant: str
    version: str


class EnvironmentInDecision(NameOnly):
    uuid: str


class DecisionCaller(TypedDict):
    user: str | None
    token: str | None


class DecisionState(TypedDict):
    uuid: str
    createdAt: datetime
    environment: EnvironmentInDecision
    versions: list[VersionInDecision]
    deployable: bool | None
    causes: list[str]
    caller: DecisionCaller
    client: str | None


RecordLinks = TypedDict(
    "RecordLinks",
    {"self": Link, "pb:environment": NotRequired[Link], "pb:pacticipant-version": NotRequired[list[Link]]},
)


class ListedDecision(DecisionState):
    _links: RecordLinks


class RecordedDecisionDocument(ListedDecision):
    question: JsonObject
    reasons: list[ReasonDocument]
    summary: NotRequired[MatrixSummary]
    leaveOut: NotRequired[list[VersionInDecision]]
    leaveOutIsSmallest: NotRequired[bool]
    order: NotRequired[list[VersionInDecision] | None]
    rows: list[JsonObject]
    rowCount: int


class DecisionListLinks(PageLinks):
    self: Link


class RecordedDecisionsDocument(PageState):
    decisions: list[ListedDecision]
    _links: DecisionListLinks


class CauseCount(TypedDict):
    cause: str
    count: int


class TrendDay(TypedDict):
    day: date
    yes: int
    no: int
    unknown: int


class TrendDocument(EnvironmentInDecision):
    decisions: int
    notYes: int
    shareOfNo: float
    secondsUntilYes: float | None
    waits: int
    causes: list[CauseCount]
    days: list[TrendDay]


class TrendsLinks(TypedDict):
    self: Link


class TrendsDocument(TypedDict):
    days: int
    environments: list[TrendDocument]
    _links: TrendsLinks


FILTERS: Final = ("environment", "pacticipant", "version", "deployable", "since", "until")


@router.get(
    urls.DECISIONS,
    permission=Permission.READ,
    query=(
        QueryParameter("environment", "The name or the UUID of an environment."),
        QueryParameter("pacticipant", "The name of a pacticipant, as it was recorded."),
        QueryParameter("version", "The number of a version."),
        QueryParameter("deployable", "The answer.", Literal["true", "false", "unknown"]),
        QueryParameter(
            "since", "The start of the period, inclusive.", Annotated[str, Field(examples=["2026-01-31T09:00:00Z"])]
        ),
        QueryParameter(
            "until", "The end of the period, exclusive.", Annotated[str, Field(examples=["2026-02-28T09:00:00Z"])]
        ),
        *PAGE_PARAMETERS,
    ),
    response=RecordedDecisionsDocument,
)
def list_recorded_decisions(request: Request) -> DecisionPage:
    """List the recorded decisions, the newest first."""
    page = read_page(request, default=(1, PAGE_SIZE))
    if page.size > MAX_PAGE_SIZE:
        raise Invalid.member("size", f"must be less than or equal to {MAX_PAGE_SIZE}")
    filters = {name: value for name in FILTERS if (value := request.option(name))}
    return DecisionPage(records.list_page(request.db, read_filter(request), page), filters)


def read_filter(request: Request) -> DecisionFilter:
    """Read the filters in the query. Raises Invalid."""
    deployable = request.option("deployable")
    if deployable is not None and deployable not in ANSWERS:
        raise Invalid.member("deployable", "must be true, false or unknown")
    pacticipant, version = request.option("pacticipant"), request.option("version")
    if pacticipant is not None and version is not None:
        version = aliases.find_leading(request.db, pacticipant, version) or version
    return DecisionFilter(
        environment=request.option("environment"),
        pacticipant=pacticipant,
        version=version,
        answers=None if deployable is None else frozenset({ANSWERS[deployable]}),
        since=read_time(request, "since"),
        until=read_time(request, "until"),
    )


@router.get(urls.DECISION, permission=Permission.READ, response=RecordedDecisionDocument)
def show_recorded_decision(request: Request, uuid: str) -> RecordedDecision:
    """Show a recorded decision, with the facts as they were."""
    return records.get(request.db, uuid)


@router.get(urls.DECISION_TRENDS, permission=Permission.READ, is_slow=True, response=TrendsDocument)
def show_decision_trends(request: Request) -> DecisionTrends:
    """Show the trends of recorded decisions over the last 30 days, for each environment."""
    return load_trends(request)


def load_trends(request: Request) -> DecisionTrends:
    questions = records.list_since(request.db, trend_start(request.now))
    return DecisionTrends(compute_trends(questions, now=request.now))


def _build_state(recorded: RecordedDecision) -> DecisionState:
    return {
        "uuid": recorded.uuid,
        "createdAt": recorded.created_at,
        "environment": {"name": recorded.environment, "uuid": recorded.environment_uuid},
        "versions": [{"pacticipant": name, "version": number} for name, number in recorded.versions],
        "deployable": recorded.deployable,
        "causes": list(recorded.causes),
        "caller": {"user": recorded.who, "token": recorded.token},
        "client": recorded.client,
    }


def _build_links(recorded: RecordedDecision) -> RecordLinks:
    return {
        "self": Link(urls.DECISION.fill(uuid=recorded.uuid), "Recorded decision"),
        "pb:environment": Link(urls.ENVIRONMENT.fill(uuid=recorded.environment_uuid), name=recorded.environment),
        "pb:pacticipant-version": [
            Link(urls.VERSION.fill(pacticipant=name, version=number), name=f"{name} ({number})")
            for name, number in recorded.versions
            if number
        ],
    }


def _render_listed(recorded: RecordedDecision) -> dict[str, Any]:
    return {**_build_state(recorded), "_links": _build_links(recorded)}


@represent.register
def recorded_decision(recorded: RecordedDecision) -> Hal:
    document = Hal()
    # Unlike members of other documents, these are present if they are null.
    document |= {**_build_state(recorded), **load_document(recorded.document), "_links": _build_links(recorded)}
    return document


@represent.register
def decision_page(page: DecisionPage) -> Hal:
    return Hal(
        {"decisions": [_render_listed(recorded) for recorded in page.paged.items], **page_state(page.paged)},
        links=filtered_page_links(page.paged, urls.DECISIONS.fill(), page.filters),
    )


@represent.register
def decision_trends(trends: DecisionTrends) -> Hal:
    return Hal(
        {"days": TREND_DAYS, "environments": [_render_trend(trend) for trend in trends.trends]},
        links={"self": Link(urls.DECISION_TRENDS.fill(), "Trends of recorded decisions")},
    )


def _render_trend(trend: EnvironmentTrend) -> TrendDocument:
    return {
        "name": trend.environment,
        "uuid": trend.environment_uuid,
        "decisions": trend.total,
        "notYes": trend.not_yes,
        "shareOfNo": trend.share_of_no,
        "secondsUntilYes": None if trend.until_yes is None else trend.until_yes.total_seconds(),
        "waits": trend.waits,
        "causes": [{"cause": cause, "count": count} for cause, count in trend.causes.items()],
        "days": [{"day": day.day, "yes": day.yes, "no": day.no, "unknown": day.unknown} for day in trend.days],
    }
