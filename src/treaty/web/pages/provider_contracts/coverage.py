"""The page of what consumers use of a provider version, and what its self-verification has exercised."""

from typing import Final

from treaty.errors import NotFound
from treaty.store.provider_contracts import coverage
from treaty.web import urls
from treaty.web.http.request import Request
from treaty.web.http.results import HtmlPage
from treaty.web.http.router import Router
from treaty.web.security.permissions import Permission

router = Router()

MAX_OPERATIONS: Final = 500
"""Operations of a document on the page; clients get all of them."""


@router.page(urls.COVERAGE, permission=Permission.READ, is_original=False)
def show_coverage(request: Request, provider: str, version: str) -> HtmlPage:
    """Show which operations of a provider version consumers use, and which its self-verification has exercised."""
    loaded = coverage.load(request.db, provider, version)
    if loaded is None:
        raise NotFound
    return HtmlPage("coverage.html", {"name": provider, "coverage": loaded, "max_operations": MAX_OPERATIONS})
