"""How pacts and versions fared over time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from treaty.model.decisions.matrix import VersionSummary
from treaty.model.overview.overview import PactState
from treaty.model.paging import Paged


class PairView(Enum):
    """Which pacts of a pair are shown."""

    BRANCH = "branch"
    """The newest of each branch of the consumer."""
    TAG = "tag"
    """The newest with each tag."""
    ENVIRONMENT = "environment"
    """Those of the consumer's versions that are in an environment."""
    ALL = "all"


@dataclass(frozen=True, kw_only=True, slots=True)
class PublicationInHistory:
    """A pact of a pair, and the newest result for its content."""

    version: str
    version_summary: VersionSummary
    """Where the consumer's version stands."""
    published_at: datetime
    sha: str
    state: PactState
    verification: int | None
    provider_version: str | None
    provider_version_summary: VersionSummary | None
    verified_at: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class ResultInHistory:
    """A result for the content of a pact."""

    number: int
    provider_version: str
    success: bool
    created_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class PairGrid:
    """Which of a provider's versions verified which of a consumer's, and how that went."""

    publications: Paged[PublicationInHistory]
    """The consumer's versions, newest first: a row each."""
    versions: Sequence[tuple[str, VersionSummary]]
    """Those of the provider's versions that verified anything of the pair, newest first: a column each."""
    has_more_versions: bool
    results: Mapping[tuple[str, str], ResultInHistory]
    """The latest results, by the sha of the content and the provider's version."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ResultTotals:
    """How many results of each kind there are."""

    verified: int
    failed: int
    unknown: int

    @property
    def total(self) -> int:
        return self.verified + self.failed + self.unknown

    @property
    def state(self) -> PactState:
        if self.failed:
            return PactState.FAILED
        return PactState.UNKNOWN if self.unknown else PactState.VERIFIED
