"""Pagination of long lists."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

T_co = TypeVar("T_co", covariant=True)

MAX_OFFSET: Final = 2**31 - 1
"""Largest LIMIT and OFFSET: both are bound as 32-bit integers on PostgreSQL, and no list is longer."""


@dataclass(frozen=True, slots=True)
class Page:
    """A page of a list: its number, counted from 1, and the maximum number of its items."""

    number: int
    size: int
    is_requested: bool = True
    """Whether the client asked for a page. Without that it gets the whole list, unless the list exceeds one page."""

    @property
    def limit(self) -> int:
        return min(self.size, MAX_OFFSET)

    @property
    def offset(self) -> int:
        return min((self.number - 1) * self.size, MAX_OFFSET)


@dataclass(frozen=True, slots=True)
class Paged(Generic[T_co]):
    """A list, complete or one page of it."""

    items: Sequence[T_co]
    page: Page | None
    """The page that the items are; None for the complete list."""
    total: int
    """Number of items in the complete list."""
