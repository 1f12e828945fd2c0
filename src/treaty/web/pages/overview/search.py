"""Search for applications, versions and environments by name."""

from typing import Final

from treaty.store import deployments
from treaty.store.overview import overview
from treaty.web import urls
from treaty.web.http.page_queries import read_rows_page
from treaty.web.http.request import Request
from treaty.web.http.results import HtmlPage, Redirect
from treaty.web.http.router import Router
from treaty.web.pages import redirect
from treaty.web.security.permissions import Permission

router = Router()

PAGE_SIZE: Final = 50
MAX_SUGGESTIONS: Final = 8


@router.page(urls.SEARCH, permission=Permission.READ)
def search(request: Request) -> HtmlPage | Redirect:
    """List matches for a text, or redirect to the application if its name is the only match and equals the text.

    Suggestions while typing (`suggest`) never redirect: the script reads them from the page.
    """
    query = (request.option("q") or "").strip()
    is_suggestion = request.option("suggest") is not None
    page = read_rows_page(request, MAX_SUGGESTIONS if is_suggestion else PAGE_SIZE)
    names = overview.list_names_like(request.db, query, page)
    if query and names.items == [query] and not is_suggestion:
        return redirect(request, urls.PACTICIPANT.fill(pacticipant=query))
    lowercase_query = query.lower()
    environments = [
        environment
        for environment in deployments.list_all(request.db)
        if query and lowercase_query in environment.display_name.lower()
    ]
    versions = overview.list_versions_with_number(request.db, query) if query else []
    context = {"query": query, "names": names, "page": page, "environments": environments, "versions": versions}
    return HtmlPage("search.html", context)
