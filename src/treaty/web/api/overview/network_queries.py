"""The requested part of the network: query parameters shared by the page and the exports, and its edges."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from treaty.model.overview.network import NetworkEdge, choose_depth, compute_distances, list_applications, select_within
from treaty.model.overview.overview import OverviewFilter, PactState
from treaty.store.overview import overview
from treaty.web.http.page_queries import read_choice
from treaty.web.http.queries import QueryParameter
from treaty.web.http.request import Request
from treaty.web.http.strict_queries import check_choice

MAX_EDGES: Final = 6000
"""Maximum number of edges in a drawing; beyond it the user has to filter."""
MAX_NEARBY: Final = 150
"""Maximum number of applications around a focus, unless the query gives a depth."""
DEPTHS: Final = (1, 2, 3)
NETWORK_PARAMETERS: Final = (
    QueryParameter("focus", "The name of the application around which others are shown."),
    QueryParameter("depth", "Steps around the focus; by default, as many as fit.", Literal["1", "2", "3", "all"]),
    QueryParameter("label", "A label of applications."),
    QueryParameter("environment", "The name of an environment."),
    QueryParameter("branch", "A branch of consumers, whose latest pact counts."),
    QueryParameter("state", "The state of pacts.", PactState),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class NetworkQuery:
    """The query for a part of the network."""

    focus: str | None
    """Application around which others are shown; None for the whole system."""
    depth: int | None
    """Number of steps around the focus; None for as many as fit."""
    is_unlimited: bool
    """Whether to show everything that is connected with the focus, whatever its size."""
    filter: OverviewFilter


@dataclass(frozen=True, kw_only=True, slots=True)
class NetworkView:
    """The edges that a query selects, with what a page shows about them."""

    edges: Sequence[NetworkEdge]
    counts: Mapping[PactState, int]
    """Number of edges by state, counted before the filter by state."""
    all_names: Sequence[str]
    """Names of all applications that match the filter, connected with the focus or not."""
    depth: int | None
    """Number of steps shown around the focus; None if that is everything."""
    is_truncated: bool
    """Whether there are more than MAX_EDGES."""

    @property
    def names(self) -> list[str]:
        return list_applications(self.edges)

    @property
    def edges_by_consumer(self) -> Mapping[str, Sequence[NetworkEdge]]:
        edges: dict[str, list[NetworkEdge]] = {}
        for edge in self.edges:
            edges.setdefault(edge.consumer, []).append(edge)
        return edges


def parse_query(request: Request) -> NetworkQuery:
    """Parse the query parameters. Raises Invalid for unknown values, which `read_query` ignores."""
    check_choice(request, "depth", [*map(str, DEPTHS), "all"])
    check_choice(request, "state", (state.value for state in PactState))
    return read_query(request)


def read_query(request: Request, focus: str | None = None) -> NetworkQuery:
    """Read the query parameters; `focus`, if given, takes precedence over the parameter."""
    depth = request.option("depth") or ""
    return NetworkQuery(
        focus=focus or request.option("focus"),
        depth=int(depth) if depth in map(str, DEPTHS) else None,
        is_unlimited=depth == "all",
        filter=OverviewFilter(
            label=request.option("label"),
            environment=request.option("environment"),
            branch=request.option("branch"),
            state=read_choice(PactState, request.option("state")),
        ),
    )


def load_view(request: Request, query: NetworkQuery) -> NetworkView:
    """Load the edges that a query selects."""
    # The state is filtered last, so that counts cover all states and distances do not depend on it.
    edges = overview.list_network_edges(request.db, replace(query.filter, state=None))
    depth, nearby = (None, edges) if query.focus is None else _select_nearby(edges, query.focus, query)
    selected = [edge for edge in nearby if query.filter.state in {None, edge.state}]
    return NetworkView(
        edges=selected[:MAX_EDGES],
        counts=Counter(edge.state for edge in nearby),
        all_names=sorted(list_applications(edges), key=str.lower),
        depth=depth,
        is_truncated=len(selected) > MAX_EDGES,
    )


def _select_nearby(
    edges: Sequence[NetworkEdge], focus: str, query: NetworkQuery
) -> tuple[int | None, Sequence[NetworkEdge]]:
    """Select the edges around the focus. Returns them with their depth: None if everything connected is included."""
    distances = compute_distances(focus, edges)
    max_distance = max(distances.values())
    default_depth = max_distance if query.is_unlimited else choose_depth(distances, MAX_NEARBY)
    depth = min(query.depth or default_depth, max(max_distance, 1))
    is_everything = depth >= max_distance and not query.depth
    return (None if is_everything else depth), select_within(edges, distances, depth)
