"""The overview: all integrations with their states, and the problems that need attention."""

from collections.abc import Sequence
from typing import Final

from treaty.model.overview.overview import OverviewFilter, OverviewSorting, PactState
from treaty.model.paging import Page
from treaty.store import deployments
from treaty.store.overview import overview
from treaty.store.pacticipants import labels
from treaty.web import urls
from treaty.web.http.page_queries import read_choice, read_rows_page
from treaty.web.http.request import Request
from treaty.web.http.results import HtmlPage
from treaty.web.http.router import Router
from treaty.web.pages.overview.attention import FIRST_GROUPS, MAX_COUNTED, OVERDUE_AFTER, load_attention
from treaty.web.security.permissions import Permission

router = Router()

PAGE_SIZE: Final = 50
PAGE_SIZE_BY_TAG: Final = 30
LABELS_PAGE: Final = Page(1, 500)


@router.page(urls.INDEX, permission=Permission.READ, aliases=[urls.RELATIONSHIPS_PAGE])
def show_overview(request: Request) -> HtmlPage:
    """Show the integrations that match the filter, or the first steps if there are none at all."""
    # The original's links to its page by tag: `tags=true` for all tags, or `tags[]=` for each tag.
    tags = request.query.get("tags")
    if tags == "true" or isinstance(tags, list):
        return _show_by_tag(request, [tag for tag in tags if isinstance(tag, str) and tag] if tags != "true" else [])
    overview_filter, page = _read_filter(request), read_rows_page(request, PAGE_SIZE)
    sort = request.option("sort") or ""
    sorting = read_choice(OverviewSorting, sort.removeprefix("-")) or OverviewSorting.CONSUMER
    is_reversed = sort.startswith("-")
    # Warnings concern the whole system, so they appear on the first page only, and not beside a filtered list.
    shows_warnings = overview_filter.is_empty and page.number == 1
    loaded = overview.load_overview(
        request.db,
        overview_filter,
        page,
        sorting,
        is_reversed=is_reversed,
        groups=FIRST_GROUPS if shows_warnings else overview.NO_GROUPS,
        overdue_since=request.now - OVERDUE_AFTER,
        max_counted=MAX_COUNTED,
    )
    if overview_filter.is_empty and not loaded.counts:
        return HtmlPage("first_run.html", {"address": request.base_url})
    attention = load_attention(request.db, loaded.problems, FIRST_GROUPS) if shows_warnings else None
    context = {
        "filter": overview_filter,
        "counts": {state: loaded.counts.get(state, 0) for state in PactState},
        "integration_count": (
            loaded.integrations.total if overview_filter.is_empty else overview.count_integrations(request.db)
        ),
        "total": loaded.integrations.total,
        "integrations": loaded.integrations.items,
        "page": page,
        "sorting": sorting,
        "is_reversed": is_reversed,
        "environments": deployments.list_in_pipeline(request.db),
        "labels": labels.list_names(request.db, LABELS_PAGE).items,
        "attention": attention if attention and attention.total else None,
    }
    return HtmlPage("overview.html", context)


def _show_by_tag(request: Request, tags: Sequence[str]) -> HtmlPage:
    overview_filter, page = _read_filter(request), read_rows_page(request, PAGE_SIZE_BY_TAG)
    tags = [*tags, *([tag] if (tag := request.option("tag")) else [])]
    context = {
        "filter": overview_filter,
        "tags": tags,
        "pacts": overview.list_by_tag(request.db, overview_filter, tags, page),
        "page": page,
        "labels": labels.list_names(request.db, LABELS_PAGE).items,
    }
    return HtmlPage("overview_by_tag.html", context)


def _read_filter(request: Request) -> OverviewFilter:
    # `search` is the original's name of the parameter `q`.
    return OverviewFilter(
        words=tuple((request.option("q") or request.option("search") or "").split()[: overview.MAX_WORDS]),
        label=request.option("label"),
        environment=request.option("environment"),
        branch=request.option("branch"),
        state=read_choice(PactState, request.option("state")),
    )
