"""What changed from one pact to another, interaction by interaction, as lines side by side."""

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from enum import Enum
from typing import Final

from treaty.model.pacts.interactions import Interaction

CONTEXT_LINES: Final = 3
"""How many lines are shown around those that changed."""
MAX_LINES: Final = 1500
"""Lines of an interaction that are compared."""


class ChangeKind(Enum):
    """What became of an interaction, or of a line."""

    NEW = "new"
    GONE = "gone"
    CHANGED = "changed"
    SAME = "same"


@dataclass(frozen=True, slots=True)
class LinePair:
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

    kind: ChangeKind
    description: str
    states: tuple[str, ...]
    rows: tuple[LinePair, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Changes:
    """The changes from one pact to another, of which a part is worked out."""

    shown: Sequence[Change]
    counts: Mapping[ChangeKind, int]
    """How many there are of each kind, shown or not."""

    @property
    def total(self) -> int:
        return sum(self.counts.values())


_Pair = tuple[Interaction | None, Interaction | None]
"""An interaction of the old pact, and what it became in the new one."""


def diff_interactions(
    old: Sequence[Interaction],
    new: Sequence[Interaction],
    *,
    offset: int = 0,
    limit: int | None = None,
    check_deadline: Callable[[], object] = bool,
) -> Changes:
    """Compare two pacts: changes in the order of the new one, then what is gone. Lines are compared for a part of them.

    `go_on` is called often; it may raise.
    """
    pairs = _changed(old, new, check_deadline)
    end = None if limit is None else offset + limit
    counts = Counter(_kind(*pair) for pair in pairs)
    return Changes(shown=[_told(*pair, check_deadline) for pair in pairs[offset:end]], counts=counts)


def _kind(old: Interaction | None, new: Interaction | None) -> ChangeKind:
    if new is None:
        return ChangeKind.GONE
    return ChangeKind.NEW if old is None else ChangeKind.CHANGED


def _changed(
    old: Sequence[Interaction], new: Sequence[Interaction], check_deadline: Callable[[], object]
) -> list[_Pair]:
    before = _by_name(old)
    found: list[_Pair] = []
    for one in new:
        check_deadline()
        others = before.get(_name(one))
        other = others.popleft() if others else None
        if other is None or other.digest != one.digest:
            found.append((other, one))
    return [*found, *((one, None) for others in before.values() for one in others)]


def _told(old: Interaction | None, new: Interaction | None, check_deadline: Callable[[], object]) -> Change:
    check_deadline()
    if new is None:
        assert old is not None  # noqa: S101 - one of the two is there
        return _change(ChangeKind.GONE, old, [LinePair(line, None) for line in _lines(old)])
    if old is None:
        return _change(ChangeKind.NEW, new, [LinePair(None, line) for line in _lines(new)])
    return _change(ChangeKind.CHANGED, new, [*_compared(_lines(old), _lines(new))])


def _by_name(interactions: Iterable[Interaction]) -> dict[tuple[object, ...], deque[Interaction]]:
    found: dict[tuple[object, ...], deque[Interaction]] = {}
    for one in interactions:
        found.setdefault(_name(one), deque()).append(one)
    return found


def _name(one: Interaction) -> tuple[object, ...]:
    """By what an interaction is known again: its kind, its description and its states."""
    return (one.kind, one.description, tuple(state.name for state in one.states))


def _lines(one: Interaction) -> list[str]:
    return one.source.splitlines()[:MAX_LINES]


def _change(kind: ChangeKind, one: Interaction, rows: Sequence[LinePair]) -> Change:
    states = tuple(state.name for state in one.states)
    return Change(kind=kind, description=one.description, states=states, rows=tuple(_near(rows)))


def _compared(old: Sequence[str], new: Sequence[str]) -> Iterator[LinePair]:
    for _, a, b, c, d in SequenceMatcher(None, old, new).get_opcodes():
        for at in range(max(b - a, d - c)):
            yield LinePair(old[a + at] if a + at < b else None, new[c + at] if c + at < d else None)


def _near(rows: Sequence[LinePair]) -> Iterator[LinePair]:
    """Leave out what is far from any change."""
    changed = (at for at, row in enumerate(rows) if not row.is_same)
    near = {at for place in changed for at in range(place - CONTEXT_LINES, place + CONTEXT_LINES + 1)}
    is_left_out = False
    for at, row in enumerate(rows):
        if at in near:
            yield row
        elif not is_left_out:
            yield LinePair(None, None)
        is_left_out = at not in near
