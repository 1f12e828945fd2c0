"""Integrations: listing them, taking them away, and graphs of them."""

import csv
import io
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from treaty.actions.pacticipants import integrations as integration_actions
from treaty.model.pacticipants.integrations import Integration, build_graph, list_connected
from treaty.model.paging import Paged
from treaty.store.pacticipants import integrations, pacticipants
from treaty.web import urls
from treaty.web.api.paging import SEARCH_PARAMETERS, PageLinks, PageState, page_links, page_state, read_page
from treaty.web.hal import represent
from treaty.web.hal.documents import (
    DocumentWithLists,
    Hal,
    Link,
    LinkContext,
    RenderContext,
    RenderedItem,
    build_item,
    list_placeholder,
)
from treaty.web.hal.patterns import DocumentTemplate, placeholder, template_values
from treaty.web.hal.shapes import NameOnly
from treaty.web.http.media_types import CSV, GRAPHVIZ, HAL
from treaty.web.http.queries import QueryParameter
from treaty.web.http.request import Request
from treaty.web.http.results import Deleted
from treaty.web.http.router import Router
from treaty.web.security.permissions import Permission

router = Router()


@dataclass(frozen=True, slots=True)
class Integrations:
    """A list of integrations."""

    paged: Paged[Integration]


@dataclass(frozen=True, slots=True)
class NumericGraph:
    """Integrations as rows of numbers."""

    integrations: Iterable[Integration]


IntegrationLinks = TypedDict(
    "IntegrationLinks",
    {"pb:dashboard": Link, "pb:matrix": Link, "pb:group": Link, "pb:delete_integration": NotRequired[Link]},
)


class IntegrationDocument(TypedDict):
    consumer: NameOnly
    provider: NameOnly
    _links: IntegrationLinks


class ListedIntegrations(TypedDict):
    integrations: list[IntegrationDocument]


class IntegrationsLinks(PageLinks):
    self: Link


class IntegrationsDocument(PageState):
    _embedded: ListedIntegrations
    _links: IntegrationsLinks


@router.get(
    urls.INTEGRATIONS,
    permission=Permission.READ,
    produces=(GRAPHVIZ, HAL),
    options_last=False,
    is_cacheable=True,
    query=SEARCH_PARAMETERS,
    response=IntegrationsDocument,
)
def list_integrations(call: Request) -> Integrations:
    """List integrations, those whose contracts changed last first."""
    part = call.option("q")
    page = integrations.list_by_activity(call.db, like=part, page=read_page(call))
    if part and not page.total:
        # The original has no page to tell of when nothing was found.
        return Integrations(Paged([], None, 0))
    return Integrations(page)


@router.delete(urls.INTEGRATIONS, permission=Permission.DELETE_PACT, produces=(GRAPHVIZ, HAL), options_last=False)
def remove_everything(call: Request) -> Deleted:
    """Remove all pacticipants with all that hangs on them, and all webhooks. Environments stay."""
    integration_actions.remove_everything(call.db)
    return Deleted()


@router.delete(urls.INTEGRATION, permission=Permission.DELETE_PACT, options_last=False)
def remove_integration(call: Request, provider: str, consumer: str) -> Deleted:
    """Remove all that is between a consumer and a provider."""
    integration_actions.remove_integration(call.db, consumer=consumer, provider=provider)
    return Deleted()


@router.get(
    urls.GROUP,
    permission=Permission.READ,
    produces=(CSV,),
    query=(QueryParameter("maxPacticipants", "The maximum number of pacticipants.", Annotated[int, Field(ge=0)]),),
)
def show_group(call: Request, pacticipant: str) -> NumericGraph:
    """Show all integrations that a pacticipant is connected with."""
    pacticipants.get(call.db, pacticipant)
    return NumericGraph(list_connected(integrations.list_all(call.db), pacticipant, _enough(call)))


def _enough(call: Request) -> int | None:
    wanted = call.option("maxPacticipants") or ""
    return int(wanted) if re.fullmatch("[0-9]{1,9}", wanted) else None


@router.get(urls.RELATIONSHIPS, permission=Permission.READ, produces=(CSV,))
def show_relationships(call: Request) -> NumericGraph:
    """Show all integrations that have a pact."""
    return NumericGraph(integrations.list_with_pacts(call.db))


@represent.register
def integration_list(page: Integrations) -> Hal:
    return DocumentWithLists(
        state=page_state(page.paged),
        embedded={"integrations": list_placeholder("integrations")},
        links={
            "self": Link(urls.URL_PLACEHOLDER, "All integrations"),
            **page_links(page.paged, urls.INTEGRATIONS.fill()),
        },
        lists=("integrations",),
        render_items=lambda view: [_item(one.consumer, one.provider, view) for one in page.paged.items],
    )


@lru_cache(maxsize=4096)
def _item(consumer: str, provider: str, view: LinkContext) -> RenderedItem:
    """Show a pair. It is remembered, as it is always shown alike."""
    return build_item(_pattern(view).fill(template_values(consumer=consumer, provider=provider)).encode())


@lru_cache(maxsize=64)
def _pattern(view: LinkContext) -> DocumentTemplate:
    return DocumentTemplate(_integration(placeholder("consumer"), placeholder("provider")), view)


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
def integrations_as_dot(page: Integrations, _place: RenderContext) -> str:
    lines = [f"  {one.consumer.replace(' ', '_')} -> {one.provider.replace(' ', '_')}\n" for one in page.paged.items]
    head = "digraph { ranksep=3; ratio=auto; overlap=false; node [  shape = plaintext, fontname = Helvetica ];\n"
    return f"{head}{''.join(lines)}}}\n"


@represent.register_text
def graph_as_numbers(graph: NumericGraph, _place: RenderContext) -> str:
    """Write a line for each pacticipant: its id and name, three constants, its place, and the ids of its providers."""
    found = build_graph(graph.integrations)
    most = max((len(node.providers) for node in found), default=0)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    for place, node in enumerate(found, start=1):
        padding = [0] * (most - len(node.providers))
        writer.writerow([node.id, node.name, 1, 1, 0, place, *node.providers, *padding])
    return text.getvalue()
