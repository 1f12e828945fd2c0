"""The grid of environments: which versions are deployed or released to each, and since when."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

MAX_NEWER_COUNT: Final = 100
"""Newer versions of the main branch are counted up to here, so that a cell costs a bounded number of index entries."""


@dataclass(frozen=True, kw_only=True, slots=True)
class GridCell:
    """A version that is deployed or released to an environment now."""

    pacticipant: str
    environment: str
    """UUID of the environment."""
    version: str
    instance: str | None
    """Application instance; None for releases, which have none."""
    since: datetime
    is_release: bool
    """Whether it is a supported release; otherwise it is deployed."""
    has_main_branch: bool
    """Whether the pacticipant has a main branch to compare the version with."""
    is_on_main_branch: bool
    newer_count: int
    """Number of newer versions on the main branch, at most MAX_NEWER_COUNT."""
    lacks_decision: bool = False
    """Whether no yes had been recorded before, although the environment records decisions."""

    @property
    def newer_count_text(self) -> str:
        return f"{self.newer_count - 1}+" if self.newer_count == MAX_NEWER_COUNT else str(self.newer_count)


@dataclass(frozen=True, kw_only=True, slots=True)
class DeploymentPeriod:
    """A time during which a version was deployed or released to an environment; `until` is None while it still is."""

    version: str
    instance: str | None
    since: datetime
    until: datetime | None
    is_release: bool
    lacks_decision: bool = False
