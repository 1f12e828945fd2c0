"""Which versions are where."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final


@dataclass(frozen=True, kw_only=True, slots=True)
class GridCell:
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
    newer_count: int
    """How many versions of the main branch are newer, counted up to MOST_NEWER."""

    @property
    def newer_count_text(self) -> str:
        return f"{self.newer_count - 1}+" if self.newer_count == MAX_NEWER_COUNT else str(self.newer_count)


MAX_NEWER_COUNT: Final = 100


@dataclass(frozen=True, kw_only=True, slots=True)
class DeploymentPeriod:
    """A time during which a version was in an environment; it goes on if it has no end."""

    version: str
    instance: str | None
    since: datetime
    until: datetime | None
    is_release: bool
