"""Verifications: what a provider's version said about a pact's content."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Verification:
    """A verification result."""

    number: int
    consumer: str
    consumer_version: str
    """The version of the pact in whose context it is read."""
    provider: str
    provider_version: str
    sha: str
    success: bool
    build_url: str | None
    verified_at: datetime
    verified_by: str | None
    """A JSON object, flat."""
    test_results: str | None
    """Any JSON, as the verifier sent it."""
    created_at: datetime

    @property
    def pact_title(self) -> str:
        return f"Pact between {self.consumer} ({self.consumer_version}) and {self.provider}"
