"""Overrides: a person accepts the risk of deploying a version to an environment, for a reason and for a time.

An override turns a no of its version and its environment into a yes. It is no evidence: the results stay as they are,
and the answer names the override together with all that it overrides.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

MAX_REASON_LENGTH: Final = 1000
"""Number of characters: every answer that depends on an override repeats the reason."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Override:
    """An override of the decisions about a version and an environment."""

    uuid: str
    pacticipant: str
    version: str
    environment: str
    environment_uuid: str
    counterpart: str | None
    """The only pacticipant whose missing or failed results with the version are overridden; None for all."""
    reason: str
    created_by: str | None
    """The name of the user; None on a server with open access."""
    created_at: datetime
    expires_at: datetime
    revoked_by: str | None = None
    revoked_at: datetime | None = None

    def is_active_at(self, now: datetime) -> bool:
        return self.revoked_at is None and now < self.expires_at

    def get_state(self, now: datetime) -> str:
        """Return `active`, `expired` or `revoked`."""
        if self.revoked_at is not None:
            return "revoked"
        return "active" if self.is_active_at(now) else "expired"

    def covers(self, sides: Sequence[tuple[str, str | None]]) -> bool:
        """Whether the override is about a pair: the consumer and the provider, each with its version."""
        own = (self.pacticipant, self.version)
        if own not in sides:
            return False
        others = list(sides)
        others.remove(own)  # once: a version may have a pact with itself
        return self.counterpart is None or self.counterpart in [name for name, _ in others]


def describe_override(override: Override) -> str:
    """Return the text of an override, without what it overrides."""
    author = f" by {override.created_by}" if override.created_by else ""
    return f"{describe_expiry(override)}{author}: {override.reason}"


def describe_expiry(override: Override) -> str:
    """Describe until when an override applies. Unlike the reason and the author, that can be shown to all users."""
    pair = f" with {override.counterpart}" if override.counterpart else ""
    until = f"{override.expires_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    return f"{override.pacticipant} ({override.version}){pair} is overridden for {override.environment} until {until}"
