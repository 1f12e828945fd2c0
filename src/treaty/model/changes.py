"""What changed from one pact to another, interaction by interaction, as lines side by side."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from enum import Enum
from typing import Final

from treaty.model.interaction import Interaction

CONTEXT: Final = 3
"""How many lines are shown around those that changed."""
MOST_LINES: Final = 1500
"""Lines of an interaction that are compared."""


class Kind(Enum):
    """What became of an interaction, or of a line."""

    NEW = "new"
    GONE = "gone"
    CHANGED = "changed"
    SAME = "same"


@dataclass(frozen=True, slots=True)
class Row:
    """Two lines side by side; None where one side has none. Neither side has one where lines are left out."""

    old: str | None
    new: str | None

    @property
    def is_gap(self) -> bool:
        return self.old is None and self.new is None

    @property
    def is_same(self) -> bool:
        return self.old == self.new


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """An interaction that is in one of two pacts, or in both but not the same."""

    kind: Kind
    description: str
    states: tuple[str, ...]
    rows: tuple[Row, ...]


def changes(
    old: Sequence[Interaction], new: Sequence[Interaction], *, go_on: Callable[[], object] = bool
) -> list[Change]:
    """List what changed, in the order of the new pact, then what is gone. `go_on` is called often; it may raise."""
    before = _by_name(old)
    found = []
    for one in new:
        go_on()
        others = before.get(_name(one), [])
        other = others.pop(0) if others else None
        if other is None:
            found.append(_change(Kind.NEW, one, [Row(None, line) for line in _lines(one)]))
        elif other.source != one.source:
            found.append(_change(Kind.CHANGED, one, [*_compared(_lines(other), _lines(one))]))
    gone = [one for others in before.values() for one in others]
    return [*found, *(_change(Kind.GONE, one, [Row(line, None) for line in _lines(one)]) for one in gone)]


def _by_name(interactions: Iterable[Interaction]) -> dict[tuple[object, ...], list[Interaction]]:
    found: dict[tuple[object, ...], list[Interaction]] = {}
    for one in interactions:
        found.setdefault(_name(one), []).append(one)
    return found


def _name(one: Interaction) -> tuple[object, ...]:
    """By what an interaction is known again: its kind, its description and its states."""
    return (one.kind, one.description, tuple(state.name for state in one.states))


def _lines(one: Interaction) -> list[str]:
    return one.source.splitlines()[:MOST_LINES]


def _change(kind: Kind, one: Interaction, rows: Sequence[Row]) -> Change:
    states = tuple(state.name for state in one.states)
    return Change(kind=kind, description=one.description, states=states, rows=tuple(_near(rows)))


def _compared(old: Sequence[str], new: Sequence[str]) -> Iterator[Row]:
    for _, a, b, c, d in SequenceMatcher(None, old, new).get_opcodes():
        for at in range(max(b - a, d - c)):
            yield Row(old[a + at] if a + at < b else None, new[c + at] if c + at < d else None)


def _near(rows: Sequence[Row]) -> Iterator[Row]:
    """Leave out what is far from any change."""
    changed = (at for at, row in enumerate(rows) if not row.is_same)
    near = {at for place in changed for at in range(place - CONTEXT, place + CONTEXT + 1)}
    is_left_out = False
    for at, row in enumerate(rows):
        if at in near:
            yield row
        elif not is_left_out:
            yield Row(None, None)
        is_left_out = at not in near
