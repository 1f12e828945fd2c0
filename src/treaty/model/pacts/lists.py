"""Lists of pacts: of a pair or a provider, and which of their pacts are meant."""

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
    """None stands for the main branch."""
    is_head: bool = False
    """Whether only the head of the branch counts."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PactsInEnvironment:
    """Pacts whose consumer versions run in an environment, or are supported there."""

    name: str
    """The environment's name or UUID."""


PactFilter = PactsWithTag | PactsOnBranch | PactsInEnvironment | None
"""Which pacts are meant; None for all."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PactsOfPair:
    """Pacts between a consumer and a provider, each in its newest revision."""

    consumer: str
    provider: str
    pact_filter: PactFilter
    pacts: Paged[Pact]


@dataclass(frozen=True, kw_only=True, slots=True)
class PactsOfProvider:
    """Pacts of all consumers of a provider, by their names and the order of their versions."""

    provider: str
    pact_filter: PactFilter
    is_latest: bool
    """Whether there is one for each consumer at most."""
    pacts: Paged[Pact]


@dataclass(frozen=True, slots=True)
class LatestPacts:
    """The latest pact of each pair."""

    pacts: Paged[Pact]


@dataclass(frozen=True, kw_only=True, slots=True)
class RemainingPacts:
    """What is left between a consumer and a provider after pacts were taken away."""

    consumer: str
    provider: str
    has_pacts: bool
