"""Search for applications, versions, environments, branches, labels, webhooks, and what pacts and documents contain."""

from typing import Final

from treaty.model.usage.usage import describe_place
from treaty.model.versions import MIN_PREFIX_LENGTH
from treaty.store import deployments
from treaty.store.overview import overview
from treaty.store.overview import search as search_store
from treaty.store.usage import documents, queries
from treaty.store.versions import prefixes
from treaty.web import urls
from treaty.web.http.page_queries import read_rows_page
from treaty.web.http.request import Request
from treaty.web.http.results import HtmlPage, Redirect
from treaty.web.http.router import Router
from treaty.web.pages import redirect
from treaty.web.pages.usage import criterion_of
from treaty.web.security.permissions import Permission

router = Router()

PAGE_SIZE: Final = 50
MAX_SUGGESTIONS: Final = 8
MAX_FOUND: Final = 50
"""Branches, labels, webhooks, and names in pacts that are listed of each kind."""


@router.page(urls.SEARCH, permission=Permission.READ)
def search(request: Request) -> HtmlPage | Redirect:
    """List matches for a text, or redirect to the only match: an application of this name, or a version.

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
        for environment in deployments.list_in_pipeline(request.db)
        if query and lowercase_query in environment.display_name.lower()
    ]
    versions = prefixes.search(request.db, query, MAX_FOUND)
    context = {"query": query, "names": names, "page": page, "environments": environments, "versions": versions}
    words = _search_words(request, "" if is_suggestion else query)
    is_only_hit = len(versions) == 1 and not (names.items or environments or any(words[kind] for kind in _KINDS))
    if is_only_hit and not is_suggestion and len(query) >= MIN_PREFIX_LENGTH:
        name, number = versions[0]
        return redirect(request, urls.VERSION.fill(pacticipant=name, version=number))
    return HtmlPage("search.html", {**context, **words})


_KINDS: Final = ("branches", "labels", "webhooks", "terms", "documented")


def _search_words(request: Request, query: str) -> dict[str, object]:
    """Search by words: too much work for each letter that is typed."""
    has_webhooks = request.has_permission(Permission.READ_WEBHOOK)
    return {
        "branches": search_store.list_branches(request.db, query, MAX_FOUND),
        "labels": search_store.list_labels(request.db, query, MAX_FOUND),
        "webhooks": search_store.list_webhooks(request.db, query, MAX_FOUND) if has_webhooks else (),
        "terms": queries.search(request.db, query, MAX_FOUND),
        "documented": documents.search(request.db, query, MAX_FOUND),
        "criterion_of": criterion_of,
        "describe_place": describe_place,
    }
