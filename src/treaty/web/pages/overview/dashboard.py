"""The page of a consumer and its provider: their pacts by branch, tag or environment, each with its state."""

from collections.abc import Mapping
from typing import Final

from treaty.actions.pacticipants.integrations import change_policy
from treaty.model.overview.history import PairView, PublicationInHistory
from treaty.model.pacticipants.integrations import IntegrationPolicy
from treaty.model.paging import Page, Paged
from treaty.store.overview import history, running_pairs
from treaty.store.pacticipants import former_names, integrations, pacticipants
from treaty.store.webhooks import triggered_webhooks
from treaty.web import urls
from treaty.web.http.page_queries import read_choice, read_columns_page, read_rows_page
from treaty.web.http.request import Request
from treaty.web.http.results import HtmlPage, Redirect
from treaty.web.http.router import Router
from treaty.web.pages import redirect
from treaty.web.security.permissions import Permission

router = Router()

PAGE_SIZE: Final = 50
ROWS_PER_PAGE: Final = 20
COLUMNS_PER_PAGE: Final = 10
"""Rows and columns of the grid on one page."""
_DEFAULT_VIEWS: Final = (PairView.BRANCH, PairView.TAG, PairView.ALL)
"""Views in the order of preference: consumers that use neither branches nor tags still get a page with pacts."""


@router.page(urls.PAIR_DASHBOARD, permission=Permission.READ)
def show_pair(request: Request, provider: str, consumer: str) -> HtmlPage:
    """Show the pacts of a pair: in the requested view, or in the first default view that has any."""
    names = {"consumer": consumer, "provider": provider}
    missing = next((name for name in (consumer, provider) if pacticipants.find(request.db, name) is None), None)
    if missing is not None:
        former_names.check_not_former(request.db, consumer, provider)
        return HtmlPage("pair.html", {**names, "missing": missing})
    webhooks = triggered_webhooks.list_latest_of_pair(request.db, consumer=consumer, provider=provider)
    policy = integrations.find_policy(request.db, consumer=consumer, provider=provider)
    running = running_pairs.list_of_pair(request.db, consumer, provider)
    shared = {**names, "missing": None, "webhooks": webhooks, "policy": policy, "running": running}
    if request.option("view") == "grid":
        return _show_grid(request, consumer, provider, shared)
    page = read_rows_page(request, PAGE_SIZE)
    view, pacts = _load_pacts(request, (consumer, provider), page, read_choice(PairView, request.option("view")))
    return HtmlPage("pair.html", {**shared, "view": view.value, "pacts": pacts, "page": page})


@router.form(urls.EDIT_FIRST_DEPLOYMENTS, permission=Permission.MANAGE_PACTICIPANT)
def change_first_deployments(request: Request, provider: str, consumer: str) -> Redirect:
    """Change whether the consumer may be deployed while the provider is deployed nowhere."""
    # Any other value means that the environment decides.
    allows = {"allow": True, "deny": False}.get(request.form.text("firstDeployments"))
    change_policy(request.db, IntegrationPolicy(consumer=consumer, provider=provider, allows_first_deployments=allows))
    return redirect(request, urls.PAIR_DASHBOARD.fill(provider=provider, consumer=consumer), done="saved")


def _show_grid(request: Request, consumer: str, provider: str, shared: Mapping[str, object]) -> HtmlPage:
    page, columns = read_rows_page(request, ROWS_PER_PAGE), read_columns_page(request, COLUMNS_PER_PAGE)
    grid = history.load_grid(request.db, consumer, provider, page, columns)
    context = {"view": "grid", "grid": grid, "columns": columns, "pacts": grid.publications, "page": page}
    return HtmlPage("pair.html", {**shared, **context})


def _load_pacts(
    request: Request, pair: tuple[str, str], page: Page, requested_view: PairView | None
) -> tuple[PairView, Paged[PublicationInHistory]]:
    for view in (requested_view,) if requested_view else _DEFAULT_VIEWS:
        pacts = history.list_publications(request.db, *pair, page, view)
        if pacts.total or view is requested_view:
            return view, pacts
    return PairView.ALL, Paged([], page, 0)
