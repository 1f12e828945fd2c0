"""What is pending, in progress, or stale: what waits for a verification, since when, and what ends it."""

from datetime import timedelta
from typing import Final

from treaty.model.overview.pending import DEFAULT_RECENT_DAYS, DEFAULT_STALE_DAYS, MAX_DAYS
from treaty.store.overview import pending
from treaty.web import urls
from treaty.web.http.page_queries import read_number, read_rows_page
from treaty.web.http.request import Request
from treaty.web.http.results import HtmlPage
from treaty.web.http.router import Router
from treaty.web.security.permissions import Permission

router = Router()

PAGE_SIZE: Final = 50


@router.page(urls.PENDING, permission=Permission.READ, is_original=False)
def show_pending(request: Request) -> HtmlPage:
    """Show pending pacts; with `wip` the work in progress of some days; with `stale` stale integrations."""
    part, page = request.option("q") or "", read_rows_page(request, PAGE_SIZE)
    context: dict[str, object] = {"page": page, "days": None}
    if request.option("stale") is not None:
        days = read_number(request, "stale", DEFAULT_STALE_DAYS, MAX_DAYS)
        before = request.now - timedelta(days=days)
        stale = pending.list_stale(request.db, part, page, before=before)
        return HtmlPage("pending.html", {**context, "view": "stale", "days": days, "found": stale})
    if request.option("wip") is not None:
        days = read_number(request, "wip", DEFAULT_RECENT_DAYS, MAX_DAYS)
        wip = pending.list_wip(request.db, part, page, since=request.now - timedelta(days=days))
        return HtmlPage("pending.html", {**context, "view": "wip", "days": days, "found": wip})
    pacts = pending.list_pending(request.db, part, page)
    return HtmlPage("pending.html", {**context, "view": "pending", "found": pacts})
