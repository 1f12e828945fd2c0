"""Which versions are where."""

from dataclasses import dataclass
from datetime import datetime


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
