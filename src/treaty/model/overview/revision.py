"""The revision of all data, by which an open page finds out that it may be outdated."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Revision:
    """A text that changes with every change of what pages show, and when the latest change was made."""

    text: str
    changed_at: datetime | None
    """None if nothing has been recorded yet."""
