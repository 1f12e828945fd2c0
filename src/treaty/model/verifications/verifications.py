"""Verifications: what a provider's version said about a pact's content."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from treaty.model.versions import Tag


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
    is_wip: bool
    """Whether the pact was fetched as work in progress."""
    created_at: datetime

    @property
    def pact_title(self) -> str:
        return f"Pact between {self.consumer} ({self.consumer_version}) and {self.provider}"


@dataclass(frozen=True, slots=True)
class TaggedVerification:
    """A verification result with the tags that its provider's version has now."""

    verification: Verification
    tags: Sequence[Tag]


@dataclass(frozen=True, kw_only=True, slots=True)
class VerificationSummary:
    """What providers say about all pacts of a consumer's version."""

    consumer: str
    version: str
    latest: Sequence[Verification]
    """The latest result for each pact that has one, by the names of the providers."""
    unknown: Sequence[str]
    """The providers without a result."""

    @property
    def is_success(self) -> bool:
        return not self.unknown and all(one.success for one in self.latest)

    def providers(self, *, success: bool) -> list[str]:
        """List the providers whose latest result is a success, or a failure."""
        return [one.provider for one in self.latest if one.success is success]


@dataclass(frozen=True, kw_only=True, slots=True)
class NewVerification:
    """A verification result that is to be published."""

    consumer: str
    provider: str
    sha: str
    provider_version: str
    success: bool
    build_url: str | None
    verified_at: datetime
    verified_by: str | None
    test_results: str | None
    is_wip: bool
    was_pending: bool | None
    metadata: str | None
    """The segment of the URL that it was published to, encoded."""
    created_at: datetime

    @staticmethod
    def tags_json(tags: Sequence[str]) -> str | None:
        """Write the tags that the provider's version has at this moment, for those who ask later."""
        return json.dumps(list(tags), ensure_ascii=False) if tags else None
