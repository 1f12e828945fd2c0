"""Pages of long lists."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

T_co = TypeVar("T_co", covariant=True)

MAX_OFFSET: Final = 2**31 - 1
"""As far as a database counts; no list is longer."""


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a list: which one, counted from 1, and how many items it has at most."""

    number: int
    size: int
    is_requested: bool = True
    """Whether the client asked for pages; who did not is given the whole list, unless it is longer than a page."""

    @property
    def limit(self) -> int:
        return min(self.size, MAX_OFFSET)

    @property
    def offset(self) -> int:
        return min((self.number - 1) * self.size, MAX_OFFSET)


@dataclass(frozen=True, slots=True)
class Paged(Generic[T_co]):
    """A list, whole or by the page."""

    items: Sequence[T_co]
    page: Page | None
    """Which part this is; None for the whole."""
    total: int
    """How many items the whole list has."""
