"""Pending pacts, work in progress, and stale integrations: handler and representation."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Annotated, Final, Literal, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from treaty.model.overview.pending import (
    DEFAULT_RECENT_DAYS,
    DEFAULT_STALE_DAYS,
    MAX_DAYS,
    PendingPact,
    StaleIntegration,
)
from treaty.model.paging import Page, Paged
from treaty.store.overview import pending
from treaty.web import urls
from treaty.web.api.paging import PAGE_PARAMETERS, PageLinks, PageState, filtered_page_links, page_state, read_page
from treaty.web.hal import represent
from treaty.web.hal.documents import Hal, Link
from treaty.web.hal.shapes import Omittable
from treaty.web.http.queries import QueryParameter
from treaty.web.http.request import Request
from treaty.web.http.router import Router
from treaty.web.http.strict_queries import parse_number
from treaty.web.security.permissions import Permission

router = Router()

PAGE_SIZE: Final = 100


class PendingView(Enum):
    """The kind of list; the values are those of the query parameters that select it."""

    PENDING = "pending"
    WIP = "wip"
    STALE = "stale"


@dataclass(frozen=True, kw_only=True, slots=True)
class PendingList:
    """A page of pending pacts, of work in progress, or of stale integrations."""

    view: PendingView
    days: int | None
    """Period in which work in progress was published, or in which nothing was published for stale integrations."""
    paged: Paged[PendingPact] | Paged[StaleIntegration]
    filters: Mapping[str, str]


class LatestResult(TypedDict):
    success: bool
    providerVersion: str | None
    recordedAt: datetime | None


PactLinks = TypedDict("PactLinks", {"pb:pact-version": Link, "pb:consumer": Link, "pb:provider": Link})


class PendingPactDocument(TypedDict):
    consumer: str
    provider: str
    consumerVersion: str
    branch: str | None
    since: datetime
    providerBranch: str | None
    latestResult: LatestResult | None
    _links: PactLinks


PairLinks = TypedDict("PairLinks", {"pb:pact-version": NotRequired[Link], "pb:consumer": Link, "pb:provider": Link})


class StaleIntegrationDocument(TypedDict):
    consumer: str
    provider: str
    activeAt: datetime | None
    consumerVersion: str | None
    publishedAt: datetime | None
    providerVersion: str | None
    resultRecordedAt: datetime | None
    _links: PairLinks


class PendingLinks(PageLinks):
    self: Link


class PendingDocument(PageState):
    view: Literal["pending", "wip", "stale"]
    days: Omittable[int]
    pacts: NotRequired[list[PendingPactDocument]]
    integrations: NotRequired[list[StaleIntegrationDocument]]
    _links: PendingLinks


_Days = Annotated[int, Field(ge=1, le=MAX_DAYS)]


@router.get(
    urls.PENDING,
    permission=Permission.READ,
    is_slow=True,
    query=(
        QueryParameter("q", "A part of the name of the consumer or of the provider; case-insensitive."),
        QueryParameter("wip", "List the work in progress of so many days instead of pending pacts.", _Days),
        QueryParameter(
            "stale",
            "List the integrations without a pact or a result for so many days instead of pending pacts.",
            _Days,
        ),
        *PAGE_PARAMETERS,
    ),
    response=PendingDocument,
)
def list_pending(request: Request) -> PendingList:
    """List pending pacts of main branches, the oldest first; or work in progress; or stale integrations."""
    return load_pending(request, read_page(request, default=(1, PAGE_SIZE)), _parse_days)


def _parse_days(request: Request, name: str, default: int) -> int:
    return parse_number(request, name, default=default, maximum=MAX_DAYS)


def load_pending(request: Request, page: Page, read_days: Callable[[Request, str, int], int]) -> PendingList:
    """Load a page of the list that the query selects; `read_days` reads a parameter with a default."""
    part = request.option("q") or ""
    filters = {name: value for name in ("q", "wip", "stale") if (value := request.option(name)) is not None}
    if request.option("stale") is not None:
        days = read_days(request, "stale", DEFAULT_STALE_DAYS)
        stale = pending.list_stale(request.db, part, page, before=request.now - timedelta(days=days))
        return PendingList(view=PendingView.STALE, days=days, paged=stale, filters=filters)
    if request.option("wip") is not None:
        days = read_days(request, "wip", DEFAULT_RECENT_DAYS)
        wip = pending.list_wip(request.db, part, page, since=request.now - timedelta(days=days))
        return PendingList(view=PendingView.WIP, days=days, paged=wip, filters=filters)
    pacts = pending.list_pending(request.db, part, page)
    return PendingList(view=PendingView.PENDING, days=None, paged=pacts, filters=filters)


@represent.register
def pending_list(listed: PendingList) -> Hal:
    items = [
        _render_pact(item) if isinstance(item, PendingPact) else _render_stale(item) for item in listed.paged.items
    ]
    name = "integrations" if listed.view is PendingView.STALE else "pacts"
    return Hal(
        {"view": listed.view.value, "days": listed.days, name: items, **page_state(listed.paged)},
        links=filtered_page_links(listed.paged, urls.PENDING.fill(), listed.filters),
    )


def _render_pact(pact: PendingPact) -> PendingPactDocument:
    result: LatestResult | None = None
    if pact.success is not None:
        result = {
            "success": pact.success,
            "providerVersion": pact.provider_version,
            "recordedAt": pact.verified_at,
        }
    return {
        "consumer": pact.consumer,
        "provider": pact.provider,
        "consumerVersion": pact.version,
        "branch": pact.branch,
        "since": pact.since,
        "providerBranch": pact.provider_branch,
        "latestResult": result,
        "_links": {
            "pb:pact-version": _link_to_pact(pact.consumer, pact.provider, pact.version),
            "pb:consumer": _link_to_pacticipant(pact.consumer),
            "pb:provider": _link_to_pacticipant(pact.provider),
        },
    }


def _render_stale(stale: StaleIntegration) -> StaleIntegrationDocument:
    links: PairLinks = {
        "pb:consumer": _link_to_pacticipant(stale.consumer),
        "pb:provider": _link_to_pacticipant(stale.provider),
    }
    if stale.version is not None:
        links["pb:pact-version"] = _link_to_pact(stale.consumer, stale.provider, stale.version)
    return {
        "consumer": stale.consumer,
        "provider": stale.provider,
        "activeAt": stale.active_at,
        "consumerVersion": stale.version,
        "publishedAt": stale.published_at,
        "providerVersion": stale.provider_version,
        "resultRecordedAt": stale.verified_at,
        "_links": links,
    }


def _link_to_pact(consumer: str, provider: str, version: str) -> Link:
    return Link(urls.PACT.fill(provider=provider, consumer=consumer, version=version))


def _link_to_pacticipant(name: str) -> Link:
    return Link(urls.PACTICIPANT.fill(pacticipant=name), name=name)
