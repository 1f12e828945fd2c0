"""The page of a consumer and its provider: their pacts by branch, tag or environment, and how each stands."""

from typing import Final

from treaty.model.overview.history import PublicationInHistory, View
from treaty.model.paging import Page as Part
from treaty.model.paging import Paged
from treaty.store.overview import history
from treaty.store.pacticipants import pacticipants
from treaty.store.webhooks import triggered_webhooks
from treaty.web import urls
from treaty.web.http.page_queries import choice, columns_of, part_of
from treaty.web.http.request import Call
from treaty.web.http.results import Page
from treaty.web.http.router import Router
from treaty.web.security.permissions import Permission

router = Router()

SIZE: Final = 50
ROWS: Final = 20
COLUMNS: Final = 10
"""Of the grid, on a page."""
_IN_TURN: Final = (View.BRANCH, View.TAG, View.ALL)


@router.page(urls.PAIR_DASHBOARD, permission=Permission.READ)
def show_pair(call: Call, provider: str, consumer: str) -> Page:
    """Show the pacts of a pair, by default by branch, or whatever there is."""
    facts: dict[str, object] = {
        "consumer": consumer,
        "provider": provider,
        "missing": _missing(call, consumer, provider),
    }
    if facts["missing"]:
        return Page("pair.html", facts)
    webhooks = triggered_webhooks.latest_of_pair(call.db, consumer=consumer, provider=provider)
    if call.option("view") == "grid":
        page, columns = part_of(call, ROWS), columns_of(call, COLUMNS)
        grid = history.grid(call.db, consumer, provider, page, columns)
        shown = {"view": "grid", "grid": grid, "columns": columns, "found": grid.publications, "page": page}
        return Page("pair.html", {**facts, **shown, "webhooks": webhooks})
    page, wanted = part_of(call, SIZE), choice(View, call.option("view"))
    view, found = _found(call, (consumer, provider), page, wanted)
    return Page("pair.html", {**facts, "view": view.value, "found": found, "page": page, "webhooks": webhooks})


def _missing(call: Call, *names: str) -> str | None:
    return next((name for name in names if pacticipants.find(call.db, name) is None), None)


def _found(
    call: Call, pair: tuple[str, str], page: Part, wanted: View | None
) -> tuple[View, Paged[PublicationInHistory]]:
    """Find the pacts of a view: the one that is wanted, or the first that has any."""
    for view in (wanted,) if wanted else _IN_TURN:
        found = history.publications(call.db, *pair, page, view)
        if found.total or view is wanted:
            return view, found
    return View.ALL, Paged([], page, 0)
