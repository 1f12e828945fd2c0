"""Lists of pacts of a pair or a provider, and the filters for them."""

from dataclasses import dataclass

from treaty.model.pacts.pacts import Pact
from treaty.model.paging import Paged


@dataclass(frozen=True, kw_only=True, slots=True)
class PactsWithTag:
    """Pacts whose consumer versions have a tag."""

    name: str


@dataclass(frozen=True, kw_only=True, slots=True)
class PactsOnBranch:
    """Pacts whose consumer versions are on a branch, or on the main branch of each consumer."""

    name: str | None
    """None means the main branch of each consumer."""
    is_head: bool = False
    """Whether only the head of the branch counts."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PactsInEnvironment:
    """Pacts whose consumer versions are deployed to an environment, or released and supported there."""

    name: str
    """The environment's name or UUID."""


PactFilter = PactsWithTag | PactsOnBranch | PactsInEnvironment | None
"""Filter for a list of pacts; None matches all."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PactsOfPair:
    """Pacts between a consumer and a provider, each in its newest revision."""

    consumer: str
    provider: str
    pact_filter: PactFilter
    pacts: Paged[Pact]


@dataclass(frozen=True, kw_only=True, slots=True)
class PactsOfProvider:
    """Pacts of all consumers of a provider, ordered by the consumers' names and versions."""

    provider: str
    pact_filter: PactFilter
    is_latest: bool
    """Whether the list has at most one pact per consumer."""
    pacts: Paged[Pact]


@dataclass(frozen=True, slots=True)
class LatestPacts:
    """The latest pact of each pair."""

    pacts: Paged[Pact]


@dataclass(frozen=True, kw_only=True, slots=True)
class RemainingPacts:
    """Whether a consumer and a provider still have pacts after a removal."""

    consumer: str
    provider: str
    has_pacts: bool
