"""What needs attention: a few causes on the overview, and all of them on a page of their own."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from sqlalchemy import Connection

from treaty.model.overview.attention import Attention, AttentionKind, ShownGroups
from treaty.model.overview.overview import IntegrationSummary, PairProblems, UnverifiedTogether
from treaty.model.webhooks.deliveries import TriggeredWebhook
from treaty.model.webhooks.webhooks import Webhook
from treaty.store.overview import overview
from treaty.store.webhooks import triggered_webhooks, webhooks
from treaty.web import urls
from treaty.web.http.page_queries import read_choice, read_rows_page
from treaty.web.http.request import Request
from treaty.web.http.results import HtmlPage
from treaty.web.http.router import Router
from treaty.web.security.permissions import Permission

router = Router()

FIRST_GROUPS: Final = dict.fromkeys(AttentionKind, slice(4))
"""The causes of each kind on the overview."""
MAX_COUNTED: Final = 200
"""Versions without a result are counted up to this number, except on their own page: counting all of them takes long in
large systems."""
_GROUPS_OF_ALL_KINDS: Final = dict.fromkeys(AttentionKind, slice(10))
"""The causes of each kind on the page of all kinds."""
GROUPS_PER_PAGE: Final = 50
MAX_NAMES: Final = 10
"""Maximum number of applications that a cause names on the page of all causes."""
_NO_GROUPS: Final = slice(0)
OVERDUE_AFTER: Final = timedelta(days=1)
"""Time after which a changed pact without a verification result is overdue."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AttentionView:
    """What needs attention, as a page shows it."""

    pairs: PairProblems
    webhooks: list[Webhook]
    webhook_count: int
    outcomes: Mapping[str, TriggeredWebhook]
    """The latest deliveries to failing webhooks, by their UUIDs."""

    @property
    def together(self) -> Attention[UnverifiedTogether]:
        return self.pairs.together

    @property
    def failed(self) -> Attention[IntegrationSummary]:
        return self.pairs.failed

    @property
    def overdue(self) -> Attention[IntegrationSummary]:
        return self.pairs.overdue

    @property
    def total(self) -> int:
        return self.together.total + self.failed.total + self.overdue.total + self.webhook_count

    @property
    def has_failures(self) -> bool:
        """Whether something failed, rather than being late or without a result."""
        return self.pairs.has_failures or bool(self.webhook_count)

    @property
    def has_more(self) -> bool:
        return self.together.has_more


@router.page(urls.ATTENTION, permission=Permission.READ, is_original=False)
def show_attention(request: Request) -> HtmlPage:
    """Show everything that needs attention, or all problems of one kind."""
    kind, page = read_choice(AttentionKind, request.option("kind")), read_rows_page(request, GROUPS_PER_PAGE)
    groups = {kind: slice(page.offset, page.offset + page.limit)} if kind else _GROUPS_OF_ALL_KINDS
    # The page of this kind counts all of its problems, which takes long in large systems; the others show that there
    # are more.
    max_counted = None if kind is AttentionKind.TOGETHER else MAX_COUNTED
    overdue_since = request.now - OVERDUE_AFTER
    pairs = overview.load_problems(request.db, groups, overdue_since=overdue_since, max_counted=max_counted)
    view = load_attention(request.db, pairs, groups)
    context = {"attention": view, "kind": kind.value if kind else None, "names_shown": MAX_NAMES, "page": page}
    return HtmlPage("attention.html", context)


def load_attention(db: Connection, pairs: PairProblems, groups: ShownGroups) -> AttentionView:
    """Add failing webhooks to the problems of pairs: some of them, and the number of all."""
    failing = webhooks.list_failing(db)
    shown = failing[groups.get(AttentionKind.WEBHOOKS, _NO_GROUPS)]
    return AttentionView(
        pairs=pairs,
        webhooks=shown,
        webhook_count=len(failing),
        outcomes=triggered_webhooks.load_latest_of_failing(db) if shown else {},
    )
