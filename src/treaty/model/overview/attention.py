"""What needs attention, grouped by cause: many problems of one application are one line."""

from collections import defaultdict
from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
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

_Key = tuple[bool, Hashable]
"""Whether it is the provider, and its value."""
_Heap = list[tuple[int, bool, int, _Key]]
"""Groups by their size (negative), whether they are of a consumer, and their order."""


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
    keys: list[tuple[_Key, _Key]] = [((True, provider(item)), (False, consumer(item))) for item in items]
    members: dict[_Key, dict[int, None]] = defaultdict(dict)
    for index, both in enumerate(keys):
        for key in both:
            members[key][index] = None
    # Each dictionary begins with its lowest index.
    heap: _Heap = [(-len(indexes), not key[0], next(iter(indexes)), key) for key, indexes in members.items()]
    heapify(heap)
    groups: list[CauseGroup[T]] = []
    while (largest := _pop_largest(heap, members)) is not None:
        indexes = list(members[largest])
        groups.append(CauseGroup(largest[0], [items[index] for index in indexes]))
        for index in indexes:
            for key in keys[index]:
                del members[key][index]
    return groups


def _pop_largest(heap: _Heap, members: Mapping[_Key, Collection[int]]) -> _Key | None:
    """Remove the largest group. Sizes in the heap are those before other groups took some of the members."""
    while heap:
        size, is_of_consumer, first, key = heap[0]
        current_size = len(members[key])
        if current_size == -size:
            heappop(heap)
            return key
        if current_size:
            heapreplace(heap, (-current_size, is_of_consumer, first, key))
        else:
            heappop(heap)
    return None
