"""The overview: the state of every integration, and the problems that need attention."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Final

from treaty.model.decisions.matrix import VersionSummary
from treaty.model.overview.attention import Attention
from treaty.model.paging import Paged
from treaty.model.webhooks.deliveries import DeliveryStatus


class PactState(Enum):
    """State of a pact, from the newest result for its content. Members are ordered from worst to best."""

    FAILED = "failed"
    PENDING = "pending"
    """Verification failed while the pact was pending, which does not fail the provider's build."""
    CHANGED = "changed"
    """The content has no result, but an earlier pact of the same pair has one: it changed since it was verified."""
    UNKNOWN = "unknown"
    VERIFIED = "verified"
    NO_PACT = "no-pact"
    """The integration no longer has a pact."""

    # By identity, which takes a fraction of the time of hashing the name: pages look up states thousands of times.
    __hash__ = object.__hash__


def compute_pact_state(*, success: bool | None, was_pending: bool | None) -> PactState:
    """Compute the state of a pact from its newest result alone; `success` is None without a result."""
    if success is None:
        return PactState.UNKNOWN
    if success:
        return PactState.VERIFIED
    return PactState.PENDING if was_pending else PactState.FAILED


@dataclass(frozen=True, kw_only=True, slots=True)
class OverviewFilter:
    """Filter of integrations, and the choice of the pact that represents each."""

    words: tuple[str, ...] = ()
    """At least one must be part of the name or display name of the consumer or the provider."""
    label: str | None = None
    """Label that the consumer or the provider must have."""
    environment: str | None = None
    """Show the pact of the consumer version in this environment instead of the latest pact."""
    branch: str | None = None
    """Show the latest pact of the consumer's branch with this name."""
    state: PactState | None = None

    @property
    def is_empty(self) -> bool:
        return self == OverviewFilter()


class OverviewSorting(Enum):
    """Sort keys of the overview; the values are those of the query parameter `sort`."""

    CONSUMER = "consumer"
    PROVIDER = "provider"
    PUBLISHED = "published"
    VERIFIED = "verified"
    STATE = "state"


def compute_worst_state(states: Iterable[PactState]) -> PactState:
    """Return the worst of some states; there must be one."""
    return min(states, key=_SEVERITY.__getitem__)


_SEVERITY: Final = {state: rank for rank, state in enumerate(PactState)}


@dataclass(frozen=True, kw_only=True, slots=True)
class EnvironmentReference:
    """An environment in which a pact of a pair runs, and the state of what runs there."""

    name: str
    """The display name."""
    key: str
    """The name."""
    is_production: bool
    state: PactState
    """The worst state between the versions of both that run there; without a provider there, that of the pacts."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RunningPair:
    """A consumer version with a pact in an environment, and a provider version that runs beside it."""

    environment: str
    display_name: str
    is_production: bool
    consumer_version: str
    provider_version: str | None
    """None if no version of the provider runs there; the state is then that of the pact's newest result."""
    state: PactState
    sha: str
    verification: int | None
    """Number of the result that determines the state; None without one."""
    verified_by: str | None
    """The provider version of that result."""
    is_comparison: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class IntegrationSummary:
    """A consumer and a provider with the pact that represents them, and the result that determines its state."""

    consumer: str
    provider: str
    version: str | None
    published_at: datetime | None
    state: PactState
    provider_version: str | None
    verified_at: datetime | None
    is_comparison: bool
    """Whether the result is that of comparing the pact with a provider contract, instead of a verifier's."""
    environments: Sequence[EnvironmentReference]
    """Environments in which any pact of the pair runs, production last; empty in lists that do not show them."""
    webhooks: DeliveryStatus | None
    """Worst status among the latest deliveries for this pair; None without any, and in lists that do not show it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PactByTag:
    """A pact of the list by tag: the latest of its pair, the latest with a tag, or that of a running version."""

    integration: IntegrationSummary
    is_latest: bool
    """Whether it is the latest pact of its pair."""
    version_summary: VersionSummary
    """Branches, tags and environments of the consumer version."""
    provider_version_summary: VersionSummary | None


@dataclass(frozen=True, kw_only=True, slots=True)
class UnverifiedTogether:
    """Versions of a consumer and a provider that run together in some environments without a successful result."""

    environments: tuple[str, ...]
    """Production first."""
    consumer: str
    consumer_version: str
    provider: str
    provider_version: str
    state: PactState
    failed_latest: IntegrationSummary | None
    """The pair with its latest pact, if both the result between these versions and that of the latest pact failed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PairProblems:
    """Pairs that need attention. A pair whose running versions and whose latest pact failed is in `together` only."""

    together: Attention[UnverifiedTogether] = field(default_factory=Attention)
    failed: Attention[IntegrationSummary] = field(default_factory=Attention)
    """Failures, the most recent first in each group."""
    overdue: Attention[IntegrationSummary] = field(default_factory=Attention)
    """Pacts that changed long ago and have not been verified since, the oldest first in each group."""
    has_failures: bool = False
    """Whether any pair has failed, rather than being late or without a result; also of groups that are not loaded."""


StateCounts = Mapping[PactState, int]


@dataclass(frozen=True, kw_only=True, slots=True)
class Overview:
    """Counts of integrations by state, one page of them, and those that need attention."""

    counts: StateCounts
    """Counts of all states, also when the filter selects one state."""
    integrations: Paged[IntegrationSummary]
    problems: PairProblems
