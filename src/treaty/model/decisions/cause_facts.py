"""The facts that causes are derived from. The store loads them only for decisions that are not yes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, NamedTuple

from treaty.model.contacts import Contact


class BuiltVersion(NamedTuple):
    """A version, and when it was created."""

    number: str
    created_at: datetime


class PassedVersion(NamedTuple):
    """A version, and when a result with it was recorded."""

    number: str
    at: datetime


class Placement(NamedTuple):
    """How a version is in an environment: deployed to an application instance, or released."""

    application_instance: str | None
    is_release: bool


class VerificationRequest(NamedTuple):
    """The latest delivery of a webhook that asks for the verification of a pact."""

    delivery: str | None
    """The delivery's UUID; None if the webhook is paused, so that none was enqueued."""
    webhook: str
    """The webhook's UUID."""
    title: str
    """The webhook's description, or else its UUID."""
    is_delivered: bool
    is_failing: bool
    at: datetime
    """When it was delivered, when it failed first, or else when it was enqueued."""


class PairKey(NamedTuple):
    """A pact, and the provider version whose result a decision needs; None if any version counts."""

    consumer: str
    consumer_version: str
    provider: str
    provider_version: str | None
    sha: str


class PairFacts(NamedTuple):
    """Facts about a pact and a provider version."""

    newer_provider: PassedVersion | None = None
    """The newest provider version after this one that has verified the pact. It is on the main branch, if there is
    one: a version of another branch is not meant for the environment."""
    newer_consumer: PassedVersion | None = None
    """The newest consumer version after this one with a pact that the provider version has verified, likewise."""
    request: VerificationRequest | None = None
    is_answered: bool = False
    """Whether a provider version has published a result for the pact since the request was delivered."""
    skipped_at: datetime | None = None
    """When the provider version first published a result for another pact of the consumer after this one."""
    is_empty: bool = False
    """Whether the provider version has neither pacts, results nor contracts."""
    provider_version_created_at: datetime | None = None
    last_success: PassedVersion | None = None
    """The latest success of any provider version before the failure."""
    failing_since: datetime | None = None
    """The first failure after that success."""
    is_pending: bool = False
    """Whether the pact was pending when it failed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PacticipantFacts:
    """Facts about a pacticipant."""

    created_at: datetime | None = None
    contacts: Sequence[Contact] = ()
    main_branch: str | None = None
    newest: BuiltVersion | None = None
    """The newest version, of the main branch if that has any."""
    named: Mapping[str, BuiltVersion] = field(default_factory=dict)
    """The existing versions among those that selectors name."""
    ended: Mapping[str, datetime] = field(default_factory=dict)
    """When its latest deployment or release ended, by environment."""
    placements: Mapping[tuple[str, str], Sequence[Placement]] = field(default_factory=dict)
    """How versions are in environments, by version number and environment."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CauseFacts:
    """The facts that causes are derived from."""

    pairs: Mapping[PairKey, PairFacts] = field(default_factory=dict)
    pacticipants: Mapping[str, PacticipantFacts] = field(default_factory=dict)

    def of_pair(self, key: PairKey) -> PairFacts:
        return self.pairs.get(key, _NO_PAIR_FACTS)

    def of_pacticipant(self, name: str) -> PacticipantFacts:
        return self.pacticipants.get(name, _NO_PACTICIPANT_FACTS)


_NO_PAIR_FACTS: Final = PairFacts()
_NO_PACTICIPANT_FACTS: Final = PacticipantFacts()
