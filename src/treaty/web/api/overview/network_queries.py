"""Which part of the network is wanted, read from a query string: by the page, and by whatever exports it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from treaty.model.overview.network import NetworkEdge, choose_depth, compute_distances, list_applications, select_within
from treaty.model.overview.overview import OverviewFilter, PactState
from treaty.store.overview import overview
from treaty.web.http.page_queries import read_choice
from treaty.web.http.queries import QueryParameter
from treaty.web.http.request import Request

MAX_LINES: Final = 6000
"""How many lines are drawn; beyond, somebody has to choose."""
MAX_NEARBY: Final = 150
"""How many applications are shown around one, unless somebody says how far to look."""
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
    """What is asked for."""

    focus: str | None
    depth: int | None
    """How many steps around the focus; None for as many as fit."""
    is_whole: bool
    """Whether everything around the focus is wanted, however much it is."""
    filter: OverviewFilter


@dataclass(frozen=True, kw_only=True, slots=True)
class NetworkView:
    """What is shown."""

    lines: Sequence[NetworkEdge]
    counts: Mapping[PactState, int]
    """How many lines there are of each state, whichever state is asked for."""
    everything: Sequence[str]
    """The names of all applications with this filter, near the focus or not."""
    depth: int | None
    """How many steps around the focus are shown; None where that is everything."""
    is_truncated: bool

    @property
    def names(self) -> list[str]:
        return list_applications(self.lines)

    @property
    def by_consumer(self) -> Mapping[str, Sequence[NetworkEdge]]:
        """Group the lines by their consumers."""
        found: dict[str, list[NetworkEdge]] = {}
        for one in self.lines:
            found.setdefault(one.consumer, []).append(one)
        return found


def read_query(call: Request, focus: str | None = None) -> NetworkQuery:
    """Read what is asked for."""
    depth = call.option("depth") or ""
    return NetworkQuery(
        focus=focus or call.option("focus"),
        depth=int(depth) if depth in {str(one) for one in DEPTHS} else None,
        is_whole=depth == "all",
        filter=OverviewFilter(
            label=call.option("label"),
            environment=call.option("environment"),
            branch=call.option("branch"),
            state=read_choice(PactState, call.option("state")),
        ),
    )


def find_view(call: Request, wanted: NetworkQuery) -> NetworkView:
    """Find the lines that are asked for."""
    every = overview.list_lines(call.db, without_state(wanted.filter))
    depth, near = (None, every) if wanted.focus is None else _around(every, wanted.focus, wanted)
    chosen = [one for one in near if wanted.filter.state in {None, one.state}]
    return NetworkView(
        lines=chosen[:MAX_LINES],
        counts=Counter(one.state for one in near),
        everything=sorted(list_applications(every), key=str.lower),
        depth=depth,
        is_truncated=len(chosen) > MAX_LINES,
    )


def without_state(given: OverviewFilter) -> OverviewFilter:
    """Leave out which state is asked for."""
    return OverviewFilter(label=given.label, environment=given.environment, branch=given.branch)


def _around(every: Sequence[NetworkEdge], focus: str, wanted: NetworkQuery) -> tuple[int | None, Sequence[NetworkEdge]]:
    steps = compute_distances(focus, every)
    farthest = max(steps.values())
    fitting = farthest if wanted.is_whole else choose_depth(steps, MAX_NEARBY)
    depth = min(wanted.depth or fitting, max(farthest, 1))
    return (None if depth >= farthest and not wanted.depth else depth), select_within(every, steps, depth)
