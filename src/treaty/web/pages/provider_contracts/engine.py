"""The page about the comparison engine: which verdicts a newer one would change, and a form to accept them."""

from typing import Final

from treaty.actions.provider_contracts.recomparisons import accept_engine
from treaty.errors import Conflict
from treaty.store.provider_contracts import recomparisons
from treaty.web import urls
from treaty.web.http.page_queries import read_rows_page
from treaty.web.http.request import Request
from treaty.web.http.results import HtmlPage, Redirect
from treaty.web.http.router import Router
from treaty.web.pages import redirect
from treaty.web.security.permissions import Permission

router = Router()

PAGE_SIZE: Final = 20
_CONFLICT: Final = 409


@router.page(urls.COMPARISON_ENGINE_PAGE, permission=Permission.READ, is_original=False)
def show_engine(request: Request) -> HtmlPage:
    """Show what the server's engine has computed again, and the verdicts that it would change."""
    return _build_page(request)


def _build_page(request: Request, problem: str | None = None, *, status: int = 200) -> HtmlPage:
    page = read_rows_page(request, PAGE_SIZE)
    context = {
        "report": recomparisons.load_report(request.db, page),
        "page": page,
        "problem": problem,
        "may_accept": request.has_permission(Permission.ACCEPT_ENGINE),
    }
    return HtmlPage("comparison_engine.html", context, status)


@router.form(urls.COMPARISON_ENGINE_PAGE, permission=Permission.ACCEPT_ENGINE)
def accept_results(request: Request) -> HtmlPage | Redirect:
    """Accept the results of the server's engine."""
    try:
        accept_engine(request.db, request.form.text("engine"), base_url=request.base_url, now=request.now)
    except Conflict as error:
        return _build_page(request, str(error), status=_CONFLICT)
    request.has_queued = True
    return redirect(request, urls.COMPARISON_ENGINE_PAGE.fill(), done="accepted")
