"""The dashboard: the pacts that matter, and how they stand."""

from collections.abc import Sequence
from operator import attrgetter
from typing import Final

from treaty.model.integration import DashboardItem
from treaty.model.page import Page
from treaty.store import integrations, pacticipants
from treaty.web import urls
from treaty.web.media import HAL, TEXT
from treaty.web.paging import wanted_page
from treaty.web.represent.dashboard import Dashboard
from treaty.web.routing import Call, Permission, Router

router = Router()

FIRST_PAGE: Final = (1, 30)


@router.get(urls.DASHBOARD, permission=Permission.READ, produces=(HAL, TEXT), is_cached=True)
def show_dashboard(call: Call) -> Dashboard:
    """Show a page of the pacts that matter, the liveliest first."""
    return _by_activity(integrations.dashboard(call.db, _page(call)))


@router.get(urls.PAIR_DASHBOARD, permission=Permission.READ, produces=(HAL, TEXT), is_cached=True)
def show_dashboard_of_pair(call: Call, provider: str, consumer: str) -> Dashboard:
    """Show the pacts that matter between a consumer and a provider, the liveliest first."""
    page = _page(call)
    pacticipants.get(call.db, consumer, "consumer")
    pacticipants.get(call.db, provider, "provider")
    return _by_activity(integrations.dashboard(call.db, page, pair=(consumer, provider)))


def _page(call: Call) -> Page:
    return wanted_page(call, FIRST_PAGE)


def _by_activity(items: Sequence[DashboardItem]) -> Dashboard:
    return Dashboard(sorted(items, key=attrgetter("last_activity"), reverse=True))
