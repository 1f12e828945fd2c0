"""The page of a consumer and its provider: their pacts by branch, tag or environment, and how each stands."""

from typing import Final

from treaty.model.overview.history import PairView, PublicationInHistory
from treaty.model.paging import Page as Part
from treaty.model.paging import Paged
from treaty.store.overview import history
from treaty.store.pacticipants import pacticipants
from treaty.store.webhooks import triggered_webhooks
from treaty.web import urls
from treaty.web.http.page_queries import read_choice, read_columns_page, read_rows_page
from treaty.web.http.request import Request
from treaty.web.http.results import HtmlPage
from treaty.web.http.router import Router
from treaty.web.security.permissions import Permission

router = Router()

PAGE_SIZE: Final = 50
ROWS_PER_PAGE: Final = 20
COLUMNS_PER_PAGE: Final = 10
"""Of the grid, on a page."""
_IN_TURN: Final = (PairView.BRANCH, PairView.TAG, PairView.ALL)


@router.page(urls.PAIR_DASHBOARD, permission=Permission.READ)
def show_pair(call: Request, provider: str, consumer: str) -> HtmlPage:
    """Show the pacts of a pair, by default by branch, or whatever there is."""
    facts: dict[str, object] = {
        "consumer": consumer,
        "provider": provider,
        "missing": _missing(call, consumer, provider),
    }
    if facts["missing"]:
        return HtmlPage("pair.html", facts)
    webhooks = triggered_webhooks.list_latest_of_pair(call.db, consumer=consumer, provider=provider)
    if call.option("view") == "grid":
        page, columns = read_rows_page(call, ROWS_PER_PAGE), read_columns_page(call, COLUMNS_PER_PAGE)
        grid = history.load_grid(call.db, consumer, provider, page, columns)
        shown = {"view": "grid", "grid": grid, "columns": columns, "found": grid.publications, "page": page}
        return HtmlPage("pair.html", {**facts, **shown, "webhooks": webhooks})
    page, wanted = read_rows_page(call, PAGE_SIZE), read_choice(PairView, call.option("view"))
    view, found = _found(call, (consumer, provider), page, wanted)
    return HtmlPage("pair.html", {**facts, "view": view.value, "found": found, "page": page, "webhooks": webhooks})


def _missing(call: Request, *names: str) -> str | None:
    return next((name for name in names if pacticipants.find(call.db, name) is None), None)


def _found(
    call: Request, pair: tuple[str, str], page: Part, wanted: PairView | None
) -> tuple[PairView, Paged[PublicationInHistory]]:
    """Find the pacts of a view: the one that is wanted, or the first that has any."""
    for view in (wanted,) if wanted else _IN_TURN:
        found = history.list_publications(call.db, *pair, page, view)
        if found.total or view is wanted:
            return view, found
    return PairView.ALL, Paged([], page, 0)
