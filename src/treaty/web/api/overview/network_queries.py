"""Which part of the network is wanted, read from a query string: by the page, and by whatever exports it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from treaty.model.overview.network import Line, fitting_depth, names, steps_from, within
from treaty.model.overview.overview import Filter, State
from treaty.store.overview import overview
from treaty.web.http.page_queries import choice
from treaty.web.http.request import Call

MOST_LINES: Final = 6000
"""How many lines are drawn; beyond, somebody has to choose."""
MOST_AROUND: Final = 150
"""How many applications are shown around one, unless somebody says how far to look."""
DEPTHS: Final = (1, 2, 3)


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """What is asked for."""

    focus: str | None
    depth: int | None
    """How many steps around the focus; None for as many as fit."""
    is_whole: bool
    """Whether everything around the focus is wanted, however much it is."""
    filter: Filter


@dataclass(frozen=True, kw_only=True, slots=True)
class Shown:
    """What is shown."""

    lines: Sequence[Line]
    counts: Mapping[State, int]
    """How many lines there are of each state, whichever state is asked for."""
    everything: Sequence[str]
    """The names of all applications with this filter, near the focus or not."""
    depth: int | None
    """How many steps around the focus are shown; None where that is everything."""
    is_cut: bool

    @property
    def names(self) -> list[str]:
        return names(self.lines)

    @property
    def by_consumer(self) -> Mapping[str, Sequence[Line]]:
        """Group the lines by their consumers."""
        found: dict[str, list[Line]] = {}
        for one in self.lines:
            found.setdefault(one.consumer, []).append(one)
        return found


def read(call: Call, focus: str | None = None) -> Wanted:
    """Read what is asked for."""
    depth = call.option("depth") or ""
    return Wanted(
        focus=focus or call.option("focus"),
        depth=int(depth) if depth in {str(one) for one in DEPTHS} else None,
        is_whole=depth == "all",
        filter=Filter(
            label=call.option("label"),
            environment=call.option("environment"),
            branch=call.option("branch"),
            state=choice(State, call.option("state")),
        ),
    )


def find(call: Call, wanted: Wanted) -> Shown:
    """Find the lines that are asked for."""
    every = overview.every_line(call.db, without_state(wanted.filter))
    depth, near = (None, every) if wanted.focus is None else _around(every, wanted.focus, wanted)
    chosen = [one for one in near if wanted.filter.state in {None, one.state}]
    return Shown(
        lines=chosen[:MOST_LINES],
        counts=Counter(one.state for one in near),
        everything=sorted(names(every), key=str.lower),
        depth=depth,
        is_cut=len(chosen) > MOST_LINES,
    )


def without_state(given: Filter) -> Filter:
    """Leave out which state is asked for."""
    return Filter(label=given.label, environment=given.environment, branch=given.branch)


def _around(every: Sequence[Line], focus: str, wanted: Wanted) -> tuple[int | None, Sequence[Line]]:
    steps = steps_from(focus, every)
    farthest = max(steps.values())
    fitting = farthest if wanted.is_whole else fitting_depth(steps, MOST_AROUND)
    depth = min(wanted.depth or fitting, max(farthest, 1))
    return (None if depth >= farthest and not wanted.depth else depth), within(every, steps, depth)
