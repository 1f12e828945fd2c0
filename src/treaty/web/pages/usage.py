"""The page of what a provider's consumers expect, and of who uses an operation, a field or a provider state."""

from dataclasses import replace
from typing import Final

from treaty.errors import Invalid
from treaty.model.usage.expectations import BODIES, Place
from treaty.model.usage.usage import (
    PARTS,
    Term,
    UsageQuery,
    describe_expectation,
)
from treaty.store import deployments
from treaty.store.pacticipants import pacticipants
from treaty.store.usage import queries
from treaty.web import urls
from treaty.web.http.page_queries import read_rows_page
from treaty.web.http.request import Request
from treaty.web.http.results import HtmlPage
from treaty.web.http.router import Router
from treaty.web.security.permissions import Permission

router = Router()

PAGE_SIZE: Final = 20


@router.page(urls.USAGE_PAGE, permission=Permission.READ, is_original=False)
def show_usage(request: Request, name: str) -> HtmlPage:
    """Show who uses what the query asks for; without a query, all operations that consumers expect."""
    pacticipants.get(request.db, name)
    query, page = _read_query(request, name), read_rows_page(request, PAGE_SIZE)
    context = {
        "name": name,
        "tab": "usage",
        "query": query,
        "page": page,
        "parts": PARTS,
        "problems": (),
        "describe_expectation": describe_expectation,
        "environments": {each.name: each for each in deployments.list_in_pipeline(request.db)},
    }
    try:
        query.check()
    except Invalid as error:
        problems = error.problems if query.criteria else ()
        expected = queries.list_operations(request.db, name, page)
        return HtmlPage("usage.html", {**context, "problems": problems, "usage": None, "expected": expected})
    usage = queries.find_usage(request.db, query, page)
    return HtmlPage("usage.html", {**context, "usage": usage, "expected": None})


def _read_query(request: Request, name: str) -> UsageQuery:
    """Read the form. Blank fields count as absent, since browsers send all fields."""
    query = UsageQuery(
        provider=name,
        **{key: request.option(key) for key in ("operation", "pointer", "field", "state", "text", "part")},
    )
    return query if query.part in PARTS else replace(query, part=None)


def criterion_of(term: Term) -> dict[str, str]:
    """Return the query for a term, as parameters of the page."""
    match term.place:
        case Place.OPERATION:
            return {"operation": term.name}
        case Place.STATE:
            return {"state": term.name}
        case Place.MESSAGE | Place.DESCRIPTION:
            return {"text": term.name}
        case place if place in BODIES and term.name:
            return {"pointer": term.name, "part": place.value.partition(".")[0]}
        case _:
            return {"field": term.name}
