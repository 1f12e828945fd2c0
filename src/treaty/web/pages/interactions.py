"""The page of all interactions that a provider's consumers expect, by path."""

from typing import Final

from treaty.store import deployments
from treaty.store.pacticipants import pacticipants
from treaty.store.usage import interactions
from treaty.web import urls
from treaty.web.http.page_queries import read_rows_page
from treaty.web.http.request import Request
from treaty.web.http.results import HtmlPage
from treaty.web.http.router import Router
from treaty.web.security.permissions import Permission

router = Router()

PAGE_SIZE: Final = 20
"""Operations on a page."""
MAX_INTERACTIONS: Final = 12
"""Interactions that a page lists of each operation, unless it shows a single one."""


@router.page(urls.INTERACTIONS_PAGE, permission=Permission.READ, is_original=False)
def show_interactions(request: Request, name: str) -> HtmlPage:
    """Show the interactions of pacts in use, searched with `q`."""
    pacticipants.get(request.db, name)
    query, operation = (request.option("q") or "").strip(), request.option("operation")
    page = read_rows_page(request, PAGE_SIZE)
    listed = interactions.list_interactions(
        request.db, name, page, text=query, operation=operation, max_interactions=MAX_INTERACTIONS
    )
    names = {environment.name: environment for environment in deployments.list_in_pipeline(request.db)}
    context = {"name": name, "tab": "interactions", "query": query, "operation": operation, "environments": names}
    return HtmlPage("interactions.html", {**context, "page": page, "listed": listed})
