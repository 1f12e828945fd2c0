"""Finding applications, versions and environments by name."""

from typing import Final

from treaty.store import deployments
from treaty.store.overview import overview
from treaty.web import urls
from treaty.web.http.page_queries import part_of
from treaty.web.http.request import Call
from treaty.web.http.results import Page, Redirected
from treaty.web.http.router import Router
from treaty.web.pages import sent_on
from treaty.web.security.permissions import Permission

router = Router()

SIZE: Final = 50
SUGGESTIONS: Final = 8


@router.page(urls.SEARCH, permission=Permission.READ)
def search(call: Call) -> Page | Redirected:
    """List what a text is found in; but for suggestions, go on to an application that has it for its name."""
    wanted = (call.option("q") or "").strip()
    is_suggestion = call.option("suggest") is not None
    page = part_of(call, SUGGESTIONS if is_suggestion else SIZE)
    found = overview.names_like(call.db, wanted, page)
    if wanted and found.items == [wanted] and not is_suggestion:
        return sent_on(call, urls.PACTICIPANT.fill(pacticipant=wanted))
    part = wanted.lower()
    places = [one for one in deployments.every(call.db) if part and part in one.display_name.lower()]
    facts = {"wanted": wanted, "found": found, "page": page, "environments": places}
    return Page("search.html", {**facts, "versions": overview.versions_numbered(call.db, wanted) if wanted else []})
