"""Verification results of pacts and versions over time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from treaty.model.decisions.matrix import VersionSummary
from treaty.model.overview.overview import PactState
from treaty.model.paging import Paged


class PairView(Enum):
    """Which pacts of a consumer and a provider a page shows."""

    BRANCH = "branch"
    """The newest pact of each branch of the consumer, and those of versions that run in an environment."""
    TAG = "tag"
    """The newest pact with each tag."""
    ENVIRONMENT = "environment"
    """The pacts of consumer versions that are deployed or released to an environment."""
    ALL = "all"


@dataclass(frozen=True, kw_only=True, slots=True)
class PublicationInHistory:
    """A published pact with the newest result for its content."""

    version: str
    version_summary: VersionSummary
    """Branches, tags and environments of the consumer version."""
    published_at: datetime
    sha: str
    state: PactState
    verification: int | None
    """Number of the result in its URL; None if the content has no result."""
    is_comparison: bool
    """Whether the result is that of comparing the content with a provider contract, instead of a verifier's."""
    provider_version: str | None
    provider_version_summary: VersionSummary | None
    verified_at: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class ResultInHistory:
    """A verification result for the content of a pact."""

    number: int
    provider_version: str
    success: bool
    created_at: datetime
    is_comparison: bool
    """Whether it is the result of comparing the content with a provider contract, instead of a verifier's."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PairGrid:
    """Results of provider versions for the pacts of consumer versions."""

    publications: Paged[PublicationInHistory]
    """The rows: pacts by consumer version, newest first."""
    versions: Sequence[tuple[str, VersionSummary]]
    """The columns: provider versions with a result for any pact of the consumer, newest first."""
    has_more_versions: bool
    results: Mapping[tuple[str, str], ResultInHistory]
    """The latest results, by content SHA and provider version: versions with the same content share their results."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ResultTotals:
    """Numbers of results by outcome."""

    verified: int
    failed: int
    unknown: int
    """Pacts without a result."""

    @property
    def total(self) -> int:
        return self.verified + self.failed + self.unknown

    @property
    def state(self) -> PactState:
        if self.failed:
            return PactState.FAILED
        return PactState.UNKNOWN if self.unknown else PactState.VERIFIED
