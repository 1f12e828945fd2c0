"""Finding applications, versions and environments by name."""

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
def search(call: Request) -> HtmlPage | Redirect:
    """List what a text is found in; but for suggestions, go on to an application that has it for its name."""
    wanted = (call.option("q") or "").strip()
    is_suggestion = call.option("suggest") is not None
    page = read_rows_page(call, MAX_SUGGESTIONS if is_suggestion else PAGE_SIZE)
    found = overview.list_names_like(call.db, wanted, page)
    if wanted and found.items == [wanted] and not is_suggestion:
        return redirect(call, urls.PACTICIPANT.fill(pacticipant=wanted))
    part = wanted.lower()
    places = [one for one in deployments.list_all(call.db) if part and part in one.display_name.lower()]
    facts = {"wanted": wanted, "found": found, "page": page, "environments": places}
    return HtmlPage(
        "search.html", {**facts, "versions": overview.list_versions_with_number(call.db, wanted) if wanted else []}
    )
