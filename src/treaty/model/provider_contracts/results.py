"""What is known about a provider version's contracts: the documents, self-verifications, pacts and comparisons."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from treaty.model.provider_contracts.comparisons import ComparisonDetails, PairKey, decide_pair
from treaty.model.provider_contracts.contracts import ProviderContract, combine_successes


class Status(StrEnum):
    """Status of a verification, by the names that clients of PactFlow read."""

    SUCCESS = "success"
    FAILURE = "failure"
    PENDING = "pending"
    """The comparison is still to be computed."""
    UNKNOWN = "unknown"


def to_status(success: bool | None, *, missing: Status = Status.UNKNOWN) -> Status:  # noqa: FBT001 - a value, not a switch
    """Convert an outcome to a status."""
    if success is None:
        return missing
    return Status.SUCCESS if success else Status.FAILURE


@dataclass(frozen=True, kw_only=True, slots=True)
class VerifiedPair:
    """A pact's content and a provider version, with the results of both kinds."""

    key: PairKey
    consumer_version: str
    """The consumer version that was requested, or the latest one with the content."""
    comparison: ComparisonDetails | None
    compared_success: bool | None
    """The latest verdict of the comparison together with the self-verification."""
    verified_success: bool | None
    """The latest result of an ordinary verification."""
    verified_at: datetime | None
    verified_number: int | None
    """The number of the latest result of an ordinary verification in its URL."""

    def decide(self, *, is_self_verified: bool | None) -> bool | None:
        if self.comparison is None:
            return None
        return decide_pair(
            is_compatible=self.comparison.is_compatible,
            is_complete=self.comparison.is_complete,
            is_self_verified=is_self_verified,
        )

    def combine(self, *, is_self_verified: bool | None) -> bool | None:
        """Combine the comparison and the self-verification with the result of a verifier, as decisions do."""
        compared = self.decide(is_self_verified=is_self_verified)
        if False in (compared, self.verified_success):
            return False
        if compared or self.comparison is None:
            return compared
        # The documents do not describe all kinds of interactions: a verifier has to verify the others.
        return True if is_self_verified and self.verified_success else None


class ComparedContent(NamedTuple):
    """A pact's content, and its comparison with a provider version."""

    consumer: str
    sha: str
    is_compatible: bool | None
    """None if the comparison is still to be computed."""
    details: bytes | None
    """The details of the comparison, if it found errors."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ProviderVersionResults:
    """The contracts of a provider version, with its pairs: all that were compared, or the requested one."""

    provider: str
    version: str
    contracts: Sequence[ProviderContract]
    pairs: Sequence[VerifiedPair]

    @property
    def is_self_verified(self) -> bool | None:
        results = (contract.self_verification for contract in self.contracts)
        return combine_successes(None if result is None else result.success for result in results)

    @property
    def self_verification_status(self) -> Status:
        return to_status(self.is_self_verified)

    @property
    def verification_status(self) -> Status:
        """The status of the ordinary verifications."""
        return to_status(combine_successes(pair.verified_success for pair in self.pairs))

    @property
    def comparison_status(self) -> Status:
        return to_status(
            combine_successes(_compatibilities(self.pairs)),
            missing=Status.PENDING if any(pair.comparison is None for pair in self.pairs) else Status.UNKNOWN,
        )


def _compatibilities(pairs: Iterable[VerifiedPair]) -> Iterable[bool | None]:
    return (None if pair.comparison is None else pair.comparison.is_compatible for pair in pairs)
