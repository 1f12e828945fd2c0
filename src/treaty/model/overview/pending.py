"""Pacts that are pending, work in progress, and integrations that are stale."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

DEFAULT_STALE_DAYS: Final = 30
DEFAULT_RECENT_DAYS: Final = 30
MAX_DAYS: Final = 3650


@dataclass(frozen=True, kw_only=True, slots=True)
class PendingPact:
    """A pact at the head of a branch of its consumer, which the provider's main branch has not verified yet."""

    consumer: str
    provider: str
    branch: str | None
    """None for a consumer without a main branch: its latest pact counts."""
    version: str
    since: datetime
    """When its content was published first."""
    provider_branch: str | None
    """The provider's main branch, whose success ends the pending state; None if a success of any version does."""
    success: bool | None
    """The newest result of any version of the provider; None without one."""
    provider_version: str | None
    verified_at: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class StaleIntegration:
    """An integration for which nothing has been published for long: neither a pact nor a result."""

    consumer: str
    provider: str
    version: str | None
    """The consumer version with the latest pact; None if all pacts have been deleted."""
    published_at: datetime | None
    provider_version: str | None
    verified_at: datetime | None
    """When the newest result for any pact of the pair was recorded."""
    active_at: datetime | None
    """When anything was published last."""
