"""The overview: how things stand between all consumers and providers, and what needs somebody's attention."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from treaty.model.decisions.matrix import VersionSummary
from treaty.model.paging import Paged
from treaty.model.webhooks.deliveries import DeliveryStatus


class PactState(Enum):
    """How a pact stands, by the newest result for its content."""

    FAILED = "failed"
    PENDING = "pending"
    """It failed while it was pending, which breaks nobody's build."""
    CHANGED = "changed"
    """It has no result, but an earlier pact of the two has: it changed since it was last verified."""
    UNKNOWN = "unknown"
    VERIFIED = "verified"
    NO_PACT = "no-pact"
    """There is no pact any more."""


def compute_pact_state(*, success: bool | None, was_pending: bool | None) -> PactState:
    """Say how a pact stands, given its newest result."""
    if success is None:
        return PactState.UNKNOWN
    if success:
        return PactState.VERIFIED
    return PactState.PENDING if was_pending else PactState.FAILED


@dataclass(frozen=True, kw_only=True, slots=True)
class OverviewFilter:
    """Which integrations are shown, and by which of their pacts."""

    words: tuple[str, ...] = ()
    """One of these stands in the name of the consumer or the provider."""
    label: str | None = None
    """The consumer or the provider has it."""
    environment: str | None = None
    """The pact shown is that of the consumer's version there, rather than the latest."""
    branch: str | None = None
    """The pact shown is the latest of the consumer's branch of this name."""
    state: PactState | None = None

    @property
    def is_empty(self) -> bool:
        return self == OverviewFilter()


class OverviewSorting(Enum):
    """What the overview can be sorted by."""

    CONSUMER = "consumer"
    PROVIDER = "provider"
    PUBLISHED = "published"
    VERIFIED = "verified"
    STATE = "state"


@dataclass(frozen=True, kw_only=True, slots=True)
class EnvironmentReference:
    """An environment where a version is."""

    name: str
    is_production: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class IntegrationSummary:
    """A consumer and a provider with the pact that is shown of them, and its newest result."""

    consumer: str
    provider: str
    version: str | None
    published_at: datetime | None
    state: PactState
    provider_version: str | None
    verified_at: datetime | None
    environments: Sequence[EnvironmentReference]
    """Where the consumer's version is."""
    webhooks: DeliveryStatus | None
    """The worst of the latest deliveries; None when there was none."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PactByTag:
    """A pact that matters: the latest of its pair, the latest with a tag, or one of a version that is somewhere."""

    integration: IntegrationSummary
    is_latest: bool
    """Whether it is the latest of its pair."""
    version_summary: VersionSummary
    """Where the consumer's version stands."""
    provider_version_summary: VersionSummary | None


@dataclass(frozen=True, kw_only=True, slots=True)
class UnverifiedPair:
    """Two versions that run in one environment without a result that says they can."""

    environment: str
    consumer: str
    consumer_version: str
    provider: str
    provider_version: str
    state: PactState


StateCounts = Mapping[PactState, int]


@dataclass(frozen=True, kw_only=True, slots=True)
class Overview:
    """How integrations stand, a page of them, and those that somebody should look at."""

    counts: StateCounts
    """However they stand, even if only those of one state are wanted."""
    integrations: Paged[IntegrationSummary]
    failed: Sequence[IntegrationSummary]
    """Those that failed last."""
    overdue: Sequence[IntegrationSummary]
    """Those whose pact changed long ago, and was not verified since: the longest wait first."""
