"""Integrations: listing them, taking them away, and graphs of them."""

import csv
import io
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from treaty.actions.pacticipants import integrations as integration_actions
from treaty.model.pacticipants.integrations import Integration, nodes, of_group
from treaty.model.paging import Paged
from treaty.store.pacticipants import integrations, pacticipants
from treaty.web import urls
from treaty.web.api.paging import page_links, page_state, wanted_page
from treaty.web.hal import represent
from treaty.web.hal.documents import Hal, Item, Link, Long, Place, View, item, part
from treaty.web.hal.patterns import Pattern, blank, words
from treaty.web.http.media_types import CSV, GRAPH, HAL
from treaty.web.http.request import Call
from treaty.web.http.results import Deleted
from treaty.web.http.router import Router
from treaty.web.security.permissions import Permission

router = Router()


@dataclass(frozen=True, slots=True)
class Integrations:
    """A list of integrations."""

    paged: Paged[Integration]


@dataclass(frozen=True, slots=True)
class Graph:
    """Integrations as rows of numbers."""

    integrations: Iterable[Integration]


@router.get(urls.INTEGRATIONS, permission=Permission.READ, produces=(GRAPH, HAL), options_last=False, is_kept=True)
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
    integration_actions.remove_everything(call.db)
    return Deleted()


@router.delete(urls.INTEGRATION, permission=Permission.DELETE_PACT, options_last=False)
def remove_integration(call: Call, provider: str, consumer: str) -> Deleted:
    """Remove all that is between a consumer and a provider."""
    integration_actions.remove_integration(call.db, consumer=consumer, provider=provider)
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


@represent.register
def integration_list(page: Integrations) -> Hal:
    return Long(
        state=page_state(page.paged),
        embedded={"integrations": part("integrations")},
        links={
            "self": Link(urls.HERE, "All integrations"),
            **page_links(page.paged, urls.INTEGRATIONS.fill()),
        },
        lists=("integrations",),
        write=lambda view: [_item(one.consumer, one.provider, view) for one in page.paged.items],
    )


@lru_cache(maxsize=4096)
def _item(consumer: str, provider: str, view: View) -> Item:
    """Show a pair. It is remembered, as it is always shown alike."""
    return item(_pattern(view).filled(words(consumer=consumer, provider=provider)).encode())


@lru_cache(maxsize=64)
def _pattern(view: View) -> Pattern:
    return Pattern(_integration(blank("consumer"), blank("provider")), view)


def _integration(consumer: str, provider: str) -> Hal:
    pair = {"consumer": consumer, "provider": provider}
    return Hal(
        state={"consumer": {"name": consumer}, "provider": {"name": provider}},
        links={
            "pb:dashboard": Link(urls.PAIR_DASHBOARD.fill(**pair), "BETA: Pacts to show on the dashboard"),
            "pb:matrix": Link(
                urls.PAIR_MATRIX.fill(**pair), f"Matrix of pacts/verification results for {consumer} and {provider}"
            ),
            "pb:group": Link(urls.GROUP.fill(pacticipant=consumer)),
            "pb:delete_integration": Link(
                urls.INTEGRATION.fill(**pair), f"Delete the integration between {consumer} and {provider}"
            ),
        },
    )


@represent.register_text
def as_dots(page: Integrations, _place: Place) -> str:
    lines = [f"  {one.consumer.replace(' ', '_')} -> {one.provider.replace(' ', '_')}\n" for one in page.paged.items]
    head = "digraph { ranksep=3; ratio=auto; overlap=false; node [  shape = plaintext, fontname = Helvetica ];\n"
    return f"{head}{''.join(lines)}}}\n"


@represent.register_text
def as_numbers(graph: Graph, _place: Place) -> str:
    """Write a line for each pacticipant: its id and name, three constants, its place, and the ids of its providers."""
    found = nodes(graph.integrations)
    most = max((len(node.providers) for node in found), default=0)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    for place, node in enumerate(found, start=1):
        padding = [0] * (most - len(node.providers))
        writer.writerow([node.id, node.name, 1, 1, 0, place, *node.providers, *padding])
    return text.getvalue()
