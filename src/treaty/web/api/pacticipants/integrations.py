"""Integrations: listing and removing them, and graphs of them."""

import csv
import io
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Final, Literal, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from treaty.actions.pacticipants import integrations as integration_actions
from treaty.model.pacticipants.integrations import Integration, IntegrationPolicy, build_graph, list_connected
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
    list_placeholder,
    render_item,
)
from treaty.web.hal.shapes import NameOnly
from treaty.web.http.bodies import Body, with_example
from treaty.web.http.media_types import CSV, GRAPHVIZ, HAL
from treaty.web.http.queries import QueryParameter
from treaty.web.http.request import Request
from treaty.web.http.results import Deleted, Updated
from treaty.web.http.router import Router
from treaty.web.security.permissions import Permission

router = Router()


@dataclass(frozen=True, slots=True)
class Integrations:
    """A list of integrations."""

    paged: Paged[Integration]


@dataclass(frozen=True, slots=True)
class ConnectedIntegrations:
    """The integrations that are connected with a pacticipant."""

    pacticipant: str
    integrations: Sequence[Integration]


@dataclass(frozen=True, slots=True)
class NumericGraph:
    """Integrations as a graph in CSV."""

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


ConnectedIntegrationsLinks = TypedDict("ConnectedIntegrationsLinks", {"self": Link, "pb:pacticipant": Link})


class ConnectedIntegrationsDocument(TypedDict):
    integrations: list[IntegrationDocument]
    _links: ConnectedIntegrationsLinks


_MAX_PACTICIPANTS: Final = QueryParameter(
    "maxPacticipants", "The maximum number of pacticipants.", Annotated[int, Field(ge=0)]
)


@router.get(
    urls.INTEGRATIONS,
    permission=Permission.READ,
    produces=(GRAPHVIZ, HAL),
    options_last=False,
    is_cacheable=True,
    query=SEARCH_PARAMETERS,
    response=IntegrationsDocument,
)
def list_integrations(request: Request) -> Integrations:
    """List integrations, the most recently changed contracts first."""
    name_part = request.option("q")
    paged = integrations.list_by_activity(request.db, like=name_part, page=read_page(request))
    if name_part and not paged.total:
        # The original broker returns no `page` member for a search without results, even if a page was requested.
        return Integrations(Paged([], None, 0))
    return Integrations(paged)


@router.delete(urls.INTEGRATIONS, permission=Permission.DELETE_PACT, produces=(GRAPHVIZ, HAL), options_last=False)
def remove_everything(request: Request) -> Deleted:
    """Remove all pacticipants with everything that belongs to them, and all webhooks. Environments stay."""
    integration_actions.remove_everything(request.db)
    return Deleted()


class FirstDeploymentsBody(Body):
    """The policy of an integration for first deployments."""

    model_config = with_example({"firstDeployments": "allow"})

    first_deployments: Literal["allow", "deny"] | None = None
    """Whether the consumer may be deployed before the provider, while this is deployed nowhere. Without it, the
    environment decides."""


PolicyLinks = TypedDict("PolicyLinks", {"self": Link, "pb:pair-matrix": Link})


class FirstDeploymentsDocument(TypedDict):
    consumer: NameOnly
    provider: NameOnly
    firstDeployments: Literal["allow", "deny"] | None
    _links: PolicyLinks


@router.get(urls.FIRST_DEPLOYMENTS, permission=Permission.READ, response=FirstDeploymentsDocument)
def show_first_deployments(request: Request, provider: str, consumer: str) -> IntegrationPolicy:
    """Show whether a consumer may be deployed while its provider is deployed nowhere."""
    return integrations.get_policy(request.db, consumer=consumer, provider=provider)


@router.put(
    urls.FIRST_DEPLOYMENTS,
    permission=Permission.MANAGE_PACTICIPANT,
    body=FirstDeploymentsBody,
    response=FirstDeploymentsDocument,
)
def put_first_deployments(request: Request, provider: str, consumer: str) -> Updated:
    """Change whether a consumer may be deployed while its provider is deployed nowhere."""
    choice = request.body(FirstDeploymentsBody).first_deployments
    allows = None if choice is None else choice == "allow"
    policy = IntegrationPolicy(consumer=consumer, provider=provider, allows_first_deployments=allows)
    return Updated(integration_actions.change_policy(request.db, policy))


@router.delete(urls.INTEGRATION, permission=Permission.DELETE_PACT, options_last=False)
def remove_integration(request: Request, provider: str, consumer: str) -> Deleted:
    """Remove the pacts, results and webhooks of a consumer and a provider."""
    integration_actions.remove_integration(request.db, consumer=consumer, provider=provider)
    return Deleted()


@router.get(
    urls.CONNECTED_INTEGRATIONS,
    permission=Permission.READ,
    is_cacheable=True,
    query=(_MAX_PACTICIPANTS,),
    response=ConnectedIntegrationsDocument,
)
def list_connected_integrations(request: Request, pacticipant: str) -> ConnectedIntegrations:
    """List all integrations that are connected with a pacticipant, directly or through others."""
    pacticipants.get(request.db, pacticipant)
    connected = list_connected(integrations.list_all(request.db), pacticipant, _max_pacticipants(request))
    return ConnectedIntegrations(pacticipant, connected)


@router.get(
    urls.GROUP,
    permission=Permission.READ,
    produces=(CSV,),
    query=(_MAX_PACTICIPANTS,),
)
def show_group(request: Request, pacticipant: str) -> NumericGraph:
    """Show all integrations that are connected with a pacticipant, directly or through others."""
    pacticipants.get(request.db, pacticipant)
    return NumericGraph(list_connected(integrations.list_all(request.db), pacticipant, _max_pacticipants(request)))


def _max_pacticipants(request: Request) -> int | None:
    """Read the size limit of the graph. Like the original broker, ignore values that are not numbers."""
    limit = request.option("maxPacticipants") or ""
    return int(limit) if re.fullmatch("[0-9]{1,9}", limit) else None


@router.get(urls.RELATIONSHIPS, permission=Permission.READ, produces=(CSV,))
def show_relationships(request: Request) -> NumericGraph:
    """Show all integrations that have a pact."""
    return NumericGraph(integrations.list_with_pacts(request.db))


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
        render_items=lambda context: [
            _list_item(integration.consumer, integration.provider, context) for integration in page.paged.items
        ],
    )


@represent.register
def integration_policy(policy: IntegrationPolicy) -> Hal:
    pair = {"consumer": policy.consumer, "provider": policy.provider}
    document = Hal(
        state={"consumer": {"name": policy.consumer}, "provider": {"name": policy.provider}},
        links={
            "self": Link(urls.FIRST_DEPLOYMENTS.fill(**pair), "Policy for first deployments"),
            "pb:pair-matrix": Link(urls.PAIR_MATRIX.fill(**pair), "Matrix of the consumer and the provider"),
        },
    )
    choices = {True: "allow", False: "deny", None: None}
    # Unlike other members, it is present if it is null.
    document |= {"firstDeployments": choices[policy.allows_first_deployments]}
    return document


@represent.register
def connected_integrations(connected: ConnectedIntegrations) -> Hal:
    name = connected.pacticipant
    return Hal(
        state={
            "integrations": [
                _integration(integration.consumer, integration.provider) for integration in connected.integrations
            ]
        },
        links={
            "self": Link(urls.URL_WITH_QUERY_PLACEHOLDER, f"Network of {name}"),
            "pb:pacticipant": Link(urls.PACTICIPANT.fill(pacticipant=name), "Pacticipant", name=name),
        },
    )


@lru_cache(maxsize=4096)
def _list_item(consumer: str, provider: str, context: LinkContext) -> RenderedItem:
    """Render an integration. The document depends on the two names only, so the cache entry stays valid."""
    return render_item(context, _integration(consumer, provider))


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
def integrations_as_dot(page: Integrations, _context: RenderContext) -> str:
    # Graphviz identifiers cannot contain spaces. The original broker replaces nothing else either.
    edges = [
        f"  {integration.consumer.replace(' ', '_')} -> {integration.provider.replace(' ', '_')}\n"
        for integration in page.paged.items
    ]
    head = "digraph { ranksep=3; ratio=auto; overlap=false; node [  shape = plaintext, fontname = Helvetica ];\n"
    return f"{head}{''.join(edges)}}}\n"


@represent.register_text
def graph_as_csv(graph: NumericGraph, _context: RenderContext) -> str:
    """Write a line for each pacticipant: id, name, three constants, line number, and the ids of its providers.

    All lines have the same number of columns; missing providers are 0.
    """
    nodes = build_graph(graph.integrations)
    max_providers = max((len(node.providers) for node in nodes), default=0)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    for line_number, node in enumerate(nodes, start=1):
        padding = [0] * (max_providers - len(node.providers))
        writer.writerow([node.id, node.name, 1, 1, 0, line_number, *node.providers, *padding])
    return text.getvalue()
