"""The overview: who depends on whom, and how that stands."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from sqlalchemy import Connection

from treaty.model.overview.overview import Overview, OverviewFilter, OverviewSorting, PactState
from treaty.model.paging import Page as Part
from treaty.store import deployments
from treaty.store.overview import overview
from treaty.store.pacticipants import labels
from treaty.store.webhooks import webhooks
from treaty.web import urls
from treaty.web.http.page_queries import read_choice, read_rows_page
from treaty.web.http.request import Request
from treaty.web.http.results import HtmlPage
from treaty.web.http.router import Router
from treaty.web.security.permissions import Permission

router = Router()

PAGE_SIZE: Final = 50
PAGE_SIZE_BY_TAG: Final = 30
MAX_WARNINGS: Final = 4
"""How many of a kind need attention at once."""
OVERDUE_AFTER: Final = timedelta(days=1)
"""How long a pact may have changed without being verified."""
LABELS_PAGE: Final = Part(1, 500)


@router.page(urls.INDEX, permission=Permission.READ, aliases=[urls.RELATIONSHIPS_PAGE])
def show_overview(call: Request) -> HtmlPage:
    """Show all integrations that a filter leaves, or how to begin where there are none."""
    tags = call.query.get("tags")
    if tags == "true" or isinstance(tags, list):
        return _show_by_tag(call, [one for one in tags if isinstance(one, str) and one] if tags != "true" else [])
    wanted, page = _filter(call), read_rows_page(call, PAGE_SIZE)
    sort = call.option("sort") or ""
    sorting, is_reversed = (
        read_choice(OverviewSorting, sort.removeprefix("-")) or OverviewSorting.CONSUMER,
        sort.startswith("-"),
    )
    needs_attention = wanted.is_empty and page.number == 1
    survey = overview.load_overview(
        call.db,
        wanted,
        page,
        sorting,
        is_reversed=is_reversed,
        limit=MAX_WARNINGS if needs_attention else 0,
        overdue_since=call.now - OVERDUE_AFTER,
    )
    if wanted.is_empty and not survey.counts:
        return HtmlPage("first_run.html", {"address": call.base_url})
    facts = {
        "wanted": wanted,
        "counts": {state: survey.counts.get(state, 0) for state in PactState},
        "everything": overview.count_integrations(call.db),
        "total": survey.integrations.total,
        "rows": survey.integrations.items,
        "page": page,
        "sorting": sorting,
        "is_reversed": is_reversed,
        "environments": deployments.list_all(call.db),
        "labels": labels.list_names(call.db, LABELS_PAGE).items,
    }
    shown = _attention(call.db, survey) if needs_attention else {"attention": False}
    return HtmlPage("overview.html", {**facts, **shown})


def _show_by_tag(call: Request, tags: Sequence[str]) -> HtmlPage:
    """Show the latest pact of each pair, the latest with each tag (or with some tags), and those that run anywhere."""
    wanted, page = _filter(call), read_rows_page(call, PAGE_SIZE_BY_TAG)
    tags = [*tags, *([tag] if (tag := call.option("tag")) else [])]
    return HtmlPage(
        "overview_by_tag.html",
        {
            "wanted": wanted,
            "tags": tags,
            "found": overview.list_by_tag(call.db, wanted, tags, page),
            "page": page,
            "labels": labels.list_names(call.db, LABELS_PAGE).items,
        },
    )


def _filter(call: Request) -> OverviewFilter:
    return OverviewFilter(
        words=tuple((call.option("q") or call.option("search") or "").split()[: overview.MAX_WORDS]),
        label=call.option("label"),
        environment=call.option("environment"),
        branch=call.option("branch"),
        state=read_choice(PactState, call.option("state")),
    )


def _attention(db: Connection, survey: Overview) -> dict[str, object]:
    """Find what runs unproven, what broke last, what waits for long, and which webhooks fail."""
    found: dict[str, Sequence[object]] = {
        "together": overview.list_unverified_pairs(db, limit=MAX_WARNINGS),
        "failed": survey.failed,
        "overdue": survey.overdue,
        "webhooks": [one for one in webhooks.list_all(db) if one.failing_since][:MAX_WARNINGS],
    }
    return {**found, "attention": any(found.values())}
