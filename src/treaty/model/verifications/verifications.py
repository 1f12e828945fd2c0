"""Verifications: results of verifying a pact's content against a provider version."""

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
    """Consumer version of the pact through which the result was found; others may share its content."""
    provider: str
    provider_version: str
    sha: str
    success: bool
    build_url: str | None
    verified_at: datetime
    verified_by: str | None
    """Name and version of the verifier, as a flat JSON object."""
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
    """Results of all pacts of a consumer version."""

    consumer: str
    version: str
    latest: Sequence[Verification]
    """The latest result of each verified pact, ordered by provider."""
    unknown: Sequence[str]
    """Names of the providers without a result."""

    @property
    def is_success(self) -> bool:
        return not self.unknown and all(result.success for result in self.latest)

    def providers(self, *, success: bool) -> list[str]:
        """List the providers whose latest result is a success, or a failure."""
        return [result.provider for result in self.latest if result.success is success]


@dataclass(frozen=True, kw_only=True, slots=True)
class NewVerification:
    """A verification result to publish."""

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
    """Whether the pact was pending for the provider when it was fetched; None if the URL does not tell."""
    metadata: str | None
    """Encoded metadata of the URL to which it was published."""
    created_at: datetime

    @staticmethod
    def tags_json(tags: Sequence[str]) -> str | None:
        """Serialize the tags that the provider version has now, on which work in progress depends later."""
        return json.dumps(list(tags), ensure_ascii=False) if tags else None
