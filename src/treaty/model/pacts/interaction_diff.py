"""The difference between two pacts for the web pages: interaction by interaction, with lines side by side."""

from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from enum import Enum
from itertools import groupby, starmap, zip_longest
from typing import Final

from treaty.model.pacts.interactions import Interaction
from treaty.model.pacts.value_changes import NO_VALUE_CHANGES, ValueChanges, list_value_changes

CONTEXT_LINES: Final = 3
"""Unchanged lines shown around each change."""
MAX_LINES: Final = 1500
"""Lines compared per interaction; `SequenceMatcher` takes quadratic time."""


class ChangeKind(Enum):
    """How an interaction differs between two pacts."""

    NEW = "new"
    GONE = "gone"
    CHANGED = "changed"
    SAME = "same"


@dataclass(frozen=True, slots=True)
class LinePair:
    """Two lines side by side. A side is None if it has no line, and both sides are None where lines are left out."""

    old: str | None
    new: str | None
    omitted: int = 0
    """Number of unchanged lines that it stands for."""

    @property
    def is_gap(self) -> bool:
        return self.omitted > 0

    @property
    def is_same(self) -> bool:
        return self.old == self.new


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """An interaction that was added, removed or changed."""

    kind: ChangeKind
    id: str
    """The id of the interaction in the newer pact that has it."""
    description: str
    states: tuple[str, ...]
    rows: tuple[LinePair, ...]
    values: ValueChanges = NO_VALUE_CHANGES
    """The values of a changed interaction that differ."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Changes:
    """The changes from one pact to another: a page of them, and their number."""

    shown: Sequence[Change]
    counts: Mapping[ChangeKind, int]
    """Number of changes of each kind, on all pages."""

    @property
    def total(self) -> int:
        return sum(self.counts.values())


_Pair = tuple[Interaction | None, Interaction | None]
"""An interaction of the old pact and its counterpart in the new one; None where there is none."""


def diff_interactions(
    old: Sequence[Interaction],
    new: Sequence[Interaction],
    *,
    offset: int = 0,
    limit: int | None = None,
    expanded: str | None = None,
    check_deadline: Callable[[], object] = bool,
) -> Changes:
    """Compare two pacts: changes in the order of the new one, then removed interactions.

    Compares the lines of the requested page only, and leaves out those far from any change, except in the interaction
    with the id `expanded`. `check_deadline` is called for each interaction, and raises an
    exception to abandon the comparison.
    """
    pairs = _pair_changed(old, new, check_deadline)
    end = None if limit is None else offset + limit
    counts = Counter(_kind(*pair) for pair in pairs)
    return Changes(shown=[_describe(*pair, expanded, check_deadline) for pair in pairs[offset:end]], counts=counts)


def _kind(old: Interaction | None, new: Interaction | None) -> ChangeKind:
    if new is None:
        return ChangeKind.GONE
    return ChangeKind.NEW if old is None else ChangeKind.CHANGED


def _pair_changed(
    old: Sequence[Interaction], new: Sequence[Interaction], check_deadline: Callable[[], object]
) -> list[_Pair]:
    # A queue for each name: names need not be unique, and interactions with the same name are paired in their order.
    unpaired: dict[tuple[object, ...], deque[Interaction]] = {}
    for interaction in old:
        unpaired.setdefault(_name(interaction), deque()).append(interaction)
    pairs: list[_Pair] = []
    for interaction in new:
        check_deadline()
        namesakes = unpaired.get(_name(interaction))
        counterpart = namesakes.popleft() if namesakes else None
        if counterpart is None or counterpart.digest != interaction.digest:
            pairs.append((counterpart, interaction))
    return [*pairs, *((interaction, None) for namesakes in unpaired.values() for interaction in namesakes)]


def _describe(
    old: Interaction | None, new: Interaction | None, expanded: str | None, check_deadline: Callable[[], object]
) -> Change:
    check_deadline()
    if new is None:
        assert old is not None  # noqa: S101 - a pair has at least one interaction
        return _build_change(ChangeKind.GONE, old, [LinePair(line, None) for line in _list_lines(old)])
    if old is None:
        return _build_change(ChangeKind.NEW, new, [LinePair(None, line) for line in _list_lines(new)])
    rows = [*_align(_list_lines(old), _list_lines(new))]
    shown_rows = rows if new.id == expanded else [*_collapse(rows)]
    return _build_change(ChangeKind.CHANGED, new, shown_rows, list_value_changes(old.item, new.item))


def _name(interaction: Interaction) -> tuple[object, ...]:
    """Return the properties that identify an interaction across pacts."""
    return (interaction.kind, interaction.description, tuple(state.name for state in interaction.states))


def _list_lines(interaction: Interaction) -> list[str]:
    return interaction.source.splitlines()[:MAX_LINES]


def _build_change(
    kind: ChangeKind,
    interaction: Interaction,
    rows: Sequence[LinePair],
    values: ValueChanges = NO_VALUE_CHANGES,
) -> Change:
    return Change(
        kind=kind,
        id=interaction.id,
        description=interaction.description,
        states=tuple(state.title for state in interaction.states),
        rows=tuple(rows),
        values=values,
    )


def _align(old: Sequence[str], new: Sequence[str]) -> Iterator[LinePair]:
    # Most lines of a changed interaction are equal: without those at both ends there is little left to compare.
    start = _count_equal(old, new)
    end = min(_count_equal(old[::-1], new[::-1]), min(len(old), len(new)) - start)
    old_middle, new_middle = old[start : len(old) - end], new[start : len(new) - end]
    yield from map(LinePair, old[:start], new[:start])
    for _, old_start, old_end, new_start, new_end in SequenceMatcher(None, old_middle, new_middle).get_opcodes():
        yield from starmap(LinePair, zip_longest(old_middle[old_start:old_end], new_middle[new_start:new_end]))
    yield from map(LinePair, old[len(old) - end :], new[len(new) - end :])


def _count_equal(old: Sequence[str], new: Sequence[str]) -> int:
    differing = (index for index, (before, after) in enumerate(zip(old, new, strict=False)) if before != after)
    return next(differing, min(len(old), len(new)))


def _collapse(rows: Sequence[LinePair]) -> Iterator[LinePair]:
    """Replace each run of lines far from any change with one gap."""
    changed = (index for index, row in enumerate(rows) if not row.is_same)
    shown = {near for index in changed for near in range(index - CONTEXT_LINES, index + CONTEXT_LINES + 1)}
    for is_shown, group in groupby(enumerate(rows), lambda item: item[0] in shown):
        run = [row for _, row in group]
        yield from run if is_shown else [LinePair(None, None, len(run))]
