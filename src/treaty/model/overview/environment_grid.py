"""Which versions are where."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final


@dataclass(frozen=True, kw_only=True, slots=True)
class Cell:
    """A version in an environment."""

    pacticipant: str
    environment: str
    """Its uuid."""
    version: str
    instance: str | None
    since: datetime
    is_release: bool
    """Whether it was released, and is supported, there; else it is deployed."""
    has_main_branch: bool
    """Whether it is known which branch of the pacticipant is the main one."""
    is_on_main_branch: bool
    newer: int
    """How many versions of the main branch are newer, counted up to MOST_NEWER."""

    @property
    def newer_in_words(self) -> str:
        return f"{self.newer - 1}+" if self.newer == MOST_NEWER else str(self.newer)


MOST_NEWER: Final = 100


@dataclass(frozen=True, kw_only=True, slots=True)
class Stay:
    """A time during which a version was in an environment; it goes on if it has no end."""

    version: str
    instance: str | None
    since: datetime
    until: datetime | None
    is_release: bool
