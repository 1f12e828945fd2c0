"""What needs attention, grouped by cause: many problems of one application are one line."""

from collections import defaultdict
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from heapq import heapify, heappop, heapreplace
from typing import Generic, TypeVar

T = TypeVar("T")


class AttentionKind(Enum):
    """Kinds of problems, the most urgent first; the values are those of the query parameter `kind`."""

    TOGETHER = "together"
    """Versions run together without a successful result."""
    FAILED = "failed"
    """The newest result of the latest pact of a pair is a failure."""
    OVERDUE = "overdue"
    """A changed pact has had no result for a day."""
    WEBHOOKS = "webhooks"
    """A webhook has failed several times in a row."""


@dataclass(frozen=True, slots=True)
class CauseGroup(Generic[T]):
    """Problems with the same cause: those of one provider, or those of one consumer."""

    is_of_provider: bool
    items: Sequence[T]


@dataclass(frozen=True, slots=True)
class Attention(Generic[T]):
    """Problems of one kind: some groups of them, and how many there are."""

    groups: Sequence[CauseGroup[T]] = ()
    total: int = 0
    has_more: bool = False
    """Whether there are more than `total`, because counting stopped there."""
    group_count: int = 0
    """Number of all groups, of which `groups` are a part."""

    @property
    def unlisted(self) -> int:
        return self.total - sum(len(group.items) for group in self.groups)


ShownGroups = Mapping[AttentionKind, slice]
"""Which groups of each kind to load, by their indexes; of a kind that is missing, none."""

_Heap = list[tuple[int, bool, int, int]]
"""Groups by their size (negative), whether they are of a consumer, the index of their first item, and their number."""


def group_by_cause(
    items: Sequence[T],
    *,
    provider: Callable[[T], Hashable],
    consumer: Callable[[T], Hashable],
) -> list[CauseGroup[T]]:
    """Group problems by the application that most of them have in common, so that there are few groups.

    The largest group comes first; a provider comes before a consumer with as many, because it has to verify. Among
    equals, the order of the items decides.
    """
    providers = _number_groups(map(provider, items))
    consumers = [len(items) + number for number in _number_groups(map(consumer, items))]
    members: dict[int, dict[int, None]] = defaultdict(dict)
    for numbers in (providers, consumers):
        for index, number in enumerate(numbers):
            members[number][index] = None
    # Each dictionary begins with its lowest index.
    heap: _Heap = [
        (-len(indexes), number >= len(items), next(iter(indexes)), number) for number, indexes in members.items()
    ]
    heapify(heap)
    groups: list[CauseGroup[T]] = []
    while (largest := _pop_largest(heap, members)) is not None:
        is_of_provider = largest < len(items)
        indexes = members.pop(largest)
        groups.append(CauseGroup(is_of_provider, [items[index] for index in indexes]))
        others = consumers if is_of_provider else providers
        for index in indexes:
            del members[others[index]][index]
    return groups


def _number_groups(keys: Iterable[Hashable]) -> list[int]:
    """Replace each key by the number of different keys before its first occurrence: numbers are quicker to look up."""
    numbers: dict[Hashable, int] = {}
    return [numbers.setdefault(key, len(numbers)) for key in keys]


def _pop_largest(heap: _Heap, members: Mapping[int, Collection[int]]) -> int | None:
    """Remove the largest group. Sizes in the heap are those before other groups took some of the members."""
    while heap:
        size, is_of_consumer, first, number = heap[0]
        current_size = len(members[number])
        if current_size == -size:
            heappop(heap)
            return number
        if current_size:
            heapreplace(heap, (-current_size, is_of_consumer, first, number))
        else:
            heappop(heap)
    return None
