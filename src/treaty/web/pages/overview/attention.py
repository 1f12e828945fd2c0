"""What needs attention: a few causes on the overview, and all of them on a page of their own."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from operator import attrgetter
from typing import Final

from sqlalchemy import Connection

from treaty.model.overview.attention import Attention, AttentionKind, CauseGroup, group_by_cause
from treaty.model.overview.overview import (
    IntegrationSummary,
    Overview,
    OverviewFilter,
    UnverifiedTogether,
    merge_environments,
)
from treaty.model.paging import Page
from treaty.model.webhooks.deliveries import TriggeredWebhook
from treaty.model.webhooks.webhooks import Webhook
from treaty.store.engine.snapshots import reuse
from treaty.store.overview import overview
from treaty.store.overview.unverified_pairs import list_unverified_pairs
from treaty.store.webhooks import triggered_webhooks, webhooks
from treaty.web import urls
from treaty.web.http.page_queries import read_choice, read_rows_page
from treaty.web.http.request import Request
from treaty.web.http.results import HtmlPage
from treaty.web.http.router import Router
from treaty.web.security.permissions import Permission

router = Router()

MAX_GROUPS: Final = 4
"""Maximum number of causes of each kind on the overview."""
MAX_COUNTED: Final = 200
"""The overview counts versions without a result up to this number: counting all of them takes long in large systems."""
MAX_GROUPS_OF_KIND: Final = 25
"""Maximum number of causes of each kind on the page of all kinds."""
GROUPS_PER_PAGE: Final = 50
MAX_NAMES: Final = 20
"""Maximum number of applications that a cause names on the page of all causes."""
_MAX_PAIRS: Final = 10_000
OVERDUE_AFTER: Final = timedelta(days=1)
"""Time after which a changed pact without a verification result is overdue."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AttentionView:
    """What needs attention, as a page shows it."""

    together: Attention[UnverifiedTogether]
    failed: Attention[IntegrationSummary]
    overdue: Attention[IntegrationSummary]
    webhooks: list[Webhook]
    webhook_count: int
    outcomes: Mapping[str, TriggeredWebhook]
    """The latest deliveries to failing webhooks, by their UUIDs."""

    @property
    def total(self) -> int:
        return self.together.total + self.failed.total + self.overdue.total + self.webhook_count

    @property
    def has_more(self) -> bool:
        return self.together.has_more


@router.page(urls.ATTENTION, permission=Permission.READ, is_original=False)
def show_attention(request: Request) -> HtmlPage:
    """Show everything that needs attention, or all problems of one kind."""
    kind, page = read_choice(AttentionKind, request.option("kind")), read_rows_page(request, GROUPS_PER_PAGE)
    limit = MAX_GROUPS_OF_KIND if kind is None else None
    loaded = overview.load_overview(
        request.db, OverviewFilter(), Page(1, 1), limit=limit, overdue_since=request.now - OVERDUE_AFTER
    )
    view = load_attention(request.db, loaded, limit=limit, max_counted=_MAX_PAIRS)
    context = {"attention": view, "kind": kind.value if kind else None, "names_shown": MAX_NAMES, "page": page}
    return HtmlPage("attention.html", context)


def load_attention(db: Connection, loaded: Overview, *, limit: int | None, max_counted: int) -> AttentionView:
    """Load the problems that the overview has not loaded; `limit` is the maximum number of causes of each kind."""
    failing = webhooks.list_failing(db)
    return AttentionView(
        together=_load_together(db, limit, max_counted),
        failed=loaded.failed,
        overdue=loaded.overdue,
        webhooks=failing[:limit],
        webhook_count=len(failing),
        outcomes=triggered_webhooks.load_latest(db) if failing else {},
    )


def _load_together(db: Connection, limit: int | None, max_counted: int) -> Attention[UnverifiedTogether]:
    groups, total, has_more = reuse(db, ("together", max_counted), lambda: _group_together(db, max_counted))
    return Attention(groups[:limit], total, has_more)


def _group_together(db: Connection, max_counted: int) -> tuple[list[CauseGroup[UnverifiedTogether]], int, bool]:
    pairs = list_unverified_pairs(db, limit=max_counted + 1)
    merged = merge_environments(pairs[:max_counted])
    groups = group_by_cause(merged, provider=attrgetter("key_of_provider"), consumer=attrgetter("key_of_consumer"))
    # Production comes first, then the largest groups.
    groups.sort(key=lambda group: not any(pair.is_production for pair in group.items))
    return groups, len(merged), len(pairs) > max_counted
