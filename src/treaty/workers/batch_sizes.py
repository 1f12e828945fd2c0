"""Sizes of the transactions of background work, so that each blocks other writers only for a moment."""

from collections.abc import Iterator, Sequence
from typing import Final, TypeVar

T = TypeVar("T")

TRANSACTION_GOAL_SECONDS: Final = 0.03
"""Seconds that a transaction may block other writers. On SQLite it blocks all of them."""
INITIAL_BATCH_SIZE: Final = 5
"""Rows that the first transaction of a kind changes, before any duration has been measured."""
MAX_BATCH_SIZE: Final = 250
MIN_PAUSE_SECONDS: Final = 0.01
"""Pause between two transactions, in which others can write."""


class BatchSizer:
    """Adapts the number of rows in a transaction to the durations of the previous ones."""

    def __init__(self) -> None:
        self._size = INITIAL_BATCH_SIZE
        self._batch_length = 0

    def batches(self, items: Sequence[T]) -> Iterator[Sequence[T]]:
        """Split items into batches of the size that is right at the time when each batch is taken."""
        start = 0
        while start < len(items):
            batch = items[start : start + self._size]
            self._batch_length = len(batch)
            yield batch
            start += len(batch)

    def record_duration(self, seconds: float) -> None:
        """Shrink at once after a transaction that was too long; grow gradually after a short one.

        A short transaction with fewer rows than allowed, such as the last of a kind, is no reason to grow.
        """
        fitting = max(1, int(self._batch_length * TRANSACTION_GOAL_SECONDS / max(seconds, 0.001)))
        if seconds > TRANSACTION_GOAL_SECONDS:
            self._size = min(self._size, fitting)
        elif self._batch_length == self._size:
            self._size = min(fitting, self._size * 3 // 2 + 1, MAX_BATCH_SIZE)
