"""Integrations: listing them, taking them away, and graphs of them."""

import re

from treaty.actions import integrating
from treaty.model.integration import of_group
from treaty.model.page import Paged
from treaty.store import integrations, pacticipants
from treaty.web import urls
from treaty.web.media import CSV, GRAPH, HAL
from treaty.web.paging import wanted_page
from treaty.web.represent.integrations import Graph, Integrations
from treaty.web.routing import Call, Deleted, Permission, Router

router = Router()


@router.get(urls.INTEGRATIONS, permission=Permission.READ, produces=(GRAPH, HAL), options_last=False, is_cached=True)
def list_integrations(call: Call) -> Integrations:
    """List integrations, those whose contracts changed last first."""
    part = call.option("q")
    page = integrations.every_by_activity(call.db, like=part, page=wanted_page(call))
    if part and not page.total:
        # The original has no page to tell of when nothing was found.
        return Integrations(Paged([], None, 0))
    return Integrations(page)


@router.delete(urls.INTEGRATIONS, permission=Permission.DELETE_PACT, produces=(GRAPH, HAL), options_last=False)
def remove_everything(call: Call) -> Deleted:
    """Remove all pacticipants with all that hangs on them, and all webhooks. Environments stay."""
    integrating.remove_everything(call.db)
    return Deleted()


@router.delete(urls.INTEGRATION, permission=Permission.DELETE_PACT, options_last=False)
def remove_integration(call: Call, provider: str, consumer: str) -> Deleted:
    """Remove all that is between a consumer and a provider."""
    integrating.remove_integration(call.db, consumer=consumer, provider=provider)
    return Deleted()


@router.get(urls.GROUP, permission=Permission.READ, produces=(CSV,))
def show_group(call: Call, pacticipant: str) -> Graph:
    """Show all integrations that a pacticipant is connected with."""
    pacticipants.get(call.db, pacticipant)
    return Graph(of_group(integrations.every_integration(call.db), pacticipant, _enough(call)))


def _enough(call: Call) -> int | None:
    wanted = call.option("maxPacticipants") or ""
    return int(wanted) if re.fullmatch("[0-9]{1,9}", wanted) else None


@router.get(urls.RELATIONSHIPS, permission=Permission.READ, produces=(CSV,))
def show_relationships(call: Call) -> Graph:
    """Show all integrations that have a pact."""
    return Graph(integrations.every_with_pacts(call.db))
