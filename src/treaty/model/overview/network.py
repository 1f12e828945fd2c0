"""The network: the integrations of the whole system, or those around one application, as a graph."""

from collections import defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from treaty.model.overview.overview import PactState


class NetworkEdge(NamedTuple):  # a system has thousands, which take several times as long to create as dataclasses
    """A consumer, its provider, and the state of the pact between them."""

    consumer: str
    provider: str
    state: PactState


def list_applications(edges: Iterable[NetworkEdge]) -> list[str]:
    """List the applications of some edges, without duplicates, in the order of their first appearance."""
    return list(dict.fromkeys(name for edge in edges for name in (edge.consumer, edge.provider)))


def compute_distances(start: str, edges: Iterable[NetworkEdge]) -> Mapping[str, int]:
    """Compute the number of steps from an application to each connected one, ignoring the direction of edges."""
    neighbours: dict[str, list[str]] = defaultdict(list)
    for edge in edges:
        neighbours[edge.consumer].append(edge.provider)
        neighbours[edge.provider].append(edge.consumer)
    distances, queue = {start: 0}, deque([start])
    while queue:
        name = queue.popleft()
        for neighbour in neighbours[name]:
            if neighbour not in distances:
                distances[neighbour] = distances[name] + 1
                queue.append(neighbour)
    return distances


def choose_depth(distances: Mapping[str, int], max_applications: int) -> int:
    """Choose the largest depth that shows at most `max_applications`.

    It is at least 1, even if that shows more: an application without its direct neighbours would be of no use.
    """
    depths = sorted(distances.values())
    return max(depths[-1] if len(depths) <= max_applications else depths[max_applications] - 1, 1)


def select_within(edges: Sequence[NetworkEdge], distances: Mapping[str, int], depth: int) -> list[NetworkEdge]:
    """Select the edges whose applications are both at most `depth` steps away."""
    nearby = {name for name, distance in distances.items() if distance <= depth}
    return [edge for edge in edges if edge.consumer in nearby and edge.provider in nearby]


def compute_worst_states(edges: Iterable[NetworkEdge]) -> Mapping[str, PactState]:
    """Compute the worst state among the edges of each application."""
    # PactState lists the states from worst to best.
    states = list(PactState)
    ranks = {state: rank for rank, state in enumerate(states)}
    worst_ranks: dict[str, int] = {}
    for consumer, provider, state in edges:
        rank = ranks[state]
        for name in (consumer, provider):
            if rank < worst_ranks.get(name, len(states)):
                worst_ranks[name] = rank
    return {name: states[rank] for name, rank in worst_ranks.items()}
