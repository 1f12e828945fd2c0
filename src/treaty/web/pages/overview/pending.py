"""What is pending, in progress, or stale: what waits for a verification, since when, and what ends it."""

from typing import Final

from treaty.model.overview.pending import MAX_DAYS
from treaty.web import urls
from treaty.web.api.overview.pending import load_pending
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
    page = read_rows_page(request, PAGE_SIZE)
    listed = load_pending(request, page, _read_days)
    view = listed.view.value
    context = {
        "page": page,
        "days": listed.days,
        "max_days": MAX_DAYS,
        "is_ignored": listed.days is not None and (request.option(view) or "").lstrip("0") != str(listed.days),
        "view": view,
        "found": listed.paged,
    }
    return HtmlPage("pending.html", context)


def _read_days(request: Request, name: str, default: int) -> int:
    return read_number(request, name, default, MAX_DAYS)
