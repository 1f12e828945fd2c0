"""The dashboard: the latest pacts by pair, tag and environment, with their verification status."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from operator import attrgetter
from typing import Final

from typing_extensions import TypedDict

from treaty.model.pacticipants.integrations import DashboardItem, LatestResult
from treaty.store.pacticipants import integrations, pacticipants
from treaty.web import urls
from treaty.web.api.overview import text_tables
from treaty.web.api.paging import PAGE_PARAMETERS, read_page
from treaty.web.api.verifications import ResultSummary
from treaty.web.hal import represent
from treaty.web.hal.documents import (
    DocumentWithLists,
    Hal,
    Link,
    LinkContext,
    RenderContext,
    RenderedItem,
    list_placeholder,
    render_item,
)
from treaty.web.hal.shapes import JsonObject, NamedHead, SelfLinked
from treaty.web.http.media_types import HAL, TEXT
from treaty.web.http.request import Request
from treaty.web.http.router import Router
from treaty.web.security.permissions import Permission

router = Router()

DEFAULT_PAGE: Final = (1, 30)


@dataclass(frozen=True, slots=True)
class Dashboard:
    """A page of the dashboard."""

    items: Sequence[DashboardItem]


class DashboardVersion(TypedDict):
    number: str
    branch: str | None
    headBranchNames: list[str]


class DashboardConsumerVersion(DashboardVersion, SelfLinked):
    """A consumer's version, with its link."""


class DashboardConsumer(SelfLinked):
    name: str
    version: DashboardConsumerVersion


class DashboardProvider(SelfLinked):
    name: str
    version: DashboardVersion | None


class PactReference(SelfLinked):
    createdAt: datetime


DashboardLinks = TypedDict("DashboardLinks", {"pb:webhook-status": Link})


class DashboardItemDocument(TypedDict):
    consumer: DashboardConsumer
    provider: DashboardProvider
    pact: PactReference
    pactTags: list[NamedHead]
    latestVerificationResult: ResultSummary | None
    latestVerificationResultTags: list[NamedHead]
    verificationStatus: str
    webhookStatus: str
    latestWebhookExecution: JsonObject | None
    _links: DashboardLinks


class DashboardDocument(TypedDict):
    items: list[DashboardItemDocument]


@router.get(
    urls.DASHBOARD,
    permission=Permission.READ,
    produces=(HAL, TEXT),
    is_cacheable=True,
    query=PAGE_PARAMETERS,
    response=DashboardDocument,
)
def show_dashboard(request: Request) -> Dashboard:
    """Show a page of the latest pacts by pair, tag and environment, the most recently active first."""
    return Dashboard(integrations.list_dashboard_items(request.db, read_page(request, DEFAULT_PAGE)))


@router.get(
    urls.PAIR_DASHBOARD,
    permission=Permission.READ,
    produces=(HAL, TEXT),
    is_cacheable=True,
    query=PAGE_PARAMETERS,
    response=DashboardDocument,
)
def show_dashboard_of_pair(request: Request, provider: str, consumer: str) -> Dashboard:
    """Show the latest pacts of a consumer and a provider by tag and environment, the most recently active first."""
    # The page is validated before the names are looked up: 400 takes precedence over 404, as in the original broker.
    page = read_page(request, DEFAULT_PAGE)
    pacticipants.get(request.db, consumer, "consumer")
    pacticipants.get(request.db, provider, "provider")
    return Dashboard(integrations.list_dashboard_items(request.db, page, pair=(consumer, provider)))


def _sort_by_activity(items: Sequence[DashboardItem]) -> Sequence[DashboardItem]:
    return sorted(items, key=attrgetter("last_activity"), reverse=True)


@represent.register
def dashboard(page: Dashboard) -> Hal:
    return DocumentWithLists(
        {"items": list_placeholder("items")},
        lists=("items",),
        render_items=lambda view: [_render_item(item, view) for item in _sort_by_activity(page.items)],
    )


@lru_cache(maxsize=2048)
def _render_item(item: DashboardItem, view: LinkContext) -> RenderedItem:
    # Cached by value: few items change between two requests for the dashboard.
    return render_item(view, _build_item(item))


def _build_item(item: DashboardItem) -> DashboardItemDocument:
    pair = {"consumer": item.consumer, "provider": item.provider}
    result = item.result
    return {
        "consumer": _consumer(item),
        "provider": _provider(item),
        "pact": {"createdAt": item.created_at, **_self(urls.PACT.fill(version=item.consumer_version, **pair))},
        "pactTags": _tags(item.consumer, item.consumer_version, item.tags),
        "latestVerificationResult": None if result is None else _result(item, result),
        "latestVerificationResultTags": []
        if result is None
        else _tags(item.provider, result.provider_version, result.tags),
        "verificationStatus": item.verification_status,
        "webhookStatus": "none",
        "latestWebhookExecution": None,
        "_links": {
            "pb:webhook-status": Link(
                urls.PACT_WEBHOOKS_STATUS.fill(**pair),
                f"Status of webhooks for {item.consumer}/{item.provider} pact",
            ),
        },
    }


def _consumer(item: DashboardItem) -> DashboardConsumer:
    name, number = item.consumer, item.consumer_version
    version: DashboardConsumerVersion = {
        **_version(number, item.branches),
        **_self(urls.VERSION.fill(pacticipant=name, version=number)),
    }
    return {"name": name, "version": version, **_self(urls.PACTICIPANT.fill(pacticipant=name))}


def _provider(item: DashboardItem) -> DashboardProvider:
    result = item.result
    return {
        "name": item.provider,
        "version": None if result is None else _version(result.provider_version, result.branches),
        **_self(urls.PACTICIPANT.fill(pacticipant=item.provider)),
    }


def _version(number: str, branches: Sequence[str]) -> DashboardVersion:
    return {"number": number, "branch": branches[-1] if branches else None, "headBranchNames": list(branches)}


def _result(item: DashboardItem, result: LatestResult) -> ResultSummary:
    path = urls.LATEST_VERIFICATION_OF_PACT.fill(
        provider=item.provider, consumer=item.consumer, version=item.consumer_version
    )
    return {"success": result.success, "verifiedAt": result.created_at, **_self(path)}


def _tags(pacticipant: str, version: str, names: Sequence[str]) -> list[NamedHead]:
    return [
        {
            "name": name,
            "latest": True,
            **_self(urls.VERSION_TAG.fill(pacticipant=pacticipant, version=version, tag=name)),
        }
        for name in names
    ]


def _self(path: str) -> SelfLinked:
    return {"_links": {"self": Link(path)}}


COLUMN_TITLES: Final = ("CONSUMER_NAME", "C_VERSION", "C_TAGS", "PROVIDER_NAME", "P_VERSION", "P_TAGS", "SUCCESS")


@represent.register_text
def dashboard_as_text(page: Dashboard, _context: RenderContext) -> str:
    # Unlike the document, the original's table is ordered by names and versions.
    return text_tables.draw_table(COLUMN_TITLES, [_cells(item) for item in page.items]) + "\n"


def _cells(item: DashboardItem) -> Sequence[str]:
    result = item.result
    return (
        item.consumer,
        item.consumer_version,
        ", ".join(item.tags),
        item.provider,
        result.provider_version if result else "",
        ", ".join(result.tags) if result else "",
        item.verification_status,
    )
