"""The network: who consumes what of whom in the whole system, or around one application."""

from collections import defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from treaty.model.overview.overview import PactState


@dataclass(frozen=True, kw_only=True, slots=True)
class NetworkEdge:
    """A consumer and a provider, and how the pact between them stands."""

    consumer: str
    provider: str
    state: PactState


def list_applications(lines: Iterable[NetworkEdge]) -> list[str]:
    """List the applications between which lines are, each once, in the order in which they appear."""
    return list(dict.fromkeys(name for one in lines for name in (one.consumer, one.provider)))


def compute_distances(name: str, lines: Iterable[NetworkEdge]) -> Mapping[str, int]:
    """Say how many steps away from an application the others are, whichever way the lines lead."""
    beside: dict[str, list[str]] = defaultdict(list)
    for one in lines:
        beside[one.consumer].append(one.provider)
        beside[one.provider].append(one.consumer)
    steps, waiting = {name: 0}, deque([name])
    while waiting:
        here = waiting.popleft()
        for other in beside[here]:
            if other not in steps:
                steps[other] = steps[here] + 1
                waiting.append(other)
    return steps


def choose_depth(steps: Mapping[str, int], most: int) -> int:
    """Choose how many steps are looked around, at least one, so that no more applications than that are found."""
    depths = sorted(steps.values())
    return max(depths[-1] if len(depths) <= most else depths[most] - 1, 1)


def select_within(lines: Sequence[NetworkEdge], steps: Mapping[str, int], depth: int) -> list[NetworkEdge]:
    """Keep the lines between applications that are so many steps away at most."""
    near = {name for name, distance in steps.items() if distance <= depth}
    return [one for one in lines if one.consumer in near and one.provider in near]


def compute_worst_states(lines: Iterable[NetworkEdge]) -> Mapping[str, PactState]:
    """Say of each application how the worst of its lines stands."""
    order = {state: at for at, state in enumerate(PactState)}
    found: dict[str, PactState] = {}
    for one in lines:
        for name in (one.consumer, one.provider):
            found[name] = min(found.get(name, one.state), one.state, key=order.__getitem__)
    return found
