"""Facts that an import copies from another broker, with their original times, and the outcomes."""

import hashlib
import json
from base64 import b64decode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cached_property

from treaty.model.compare.reading import DEFAULT_MAX_BYTES
from treaty.model.provider_contracts.contracts import SINGLE, NewContract, NewSelfVerification, Specification
from treaty.model.provider_contracts.reading import read_contract


class ImportOutcome(StrEnum):
    """Result of importing a fact."""

    COPIED = "copied"
    PRESENT = "present"
    """This broker already had the fact, or an earlier import copied it."""
    REMOVED = "removed"
    """An earlier import copied the fact, and it was removed here since. It is not copied again."""
    OUTDATED = "outdated"
    """A newer fact of this broker has replaced it."""
    ABSENT = "absent"
    """This broker does not have it, and the client has to create it through the API (webhooks only)."""
    REFUSED = "refused"
    """The fact is invalid, or contradicts a fact of this broker."""


@dataclass(frozen=True, slots=True)
class ImportResult:
    """Outcome for a fact, with a reason if the user may have to act."""

    outcome: ImportOutcome
    reason: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class PacticipantFact:
    name: str
    created_at: datetime
    updated_at: datetime
    display_name: str | None = None
    main_branch: str | None = None
    repository_url: str | None = None
    repository_name: str | None = None
    repository_namespace: str | None = None
    contacts: str | None = None
    """A JSON array, as text."""
    labels: Sequence[str] = ()
    comparison_profile: str | None = None
    """The profile by which the contracts of the provider are compared with pacts; None for the default."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BranchMembership:
    """The membership of a version in a branch."""

    name: str
    created_at: datetime
    is_head: bool
    branch_created_at: datetime
    branch_updated_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class TagMembership:
    name: str
    created_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class VersionFact:
    """A version with its branches and tags.

    `above` and `below` are neighbours in the source's order that this broker has: the version belongs above the first
    and below the second, as far as they are set.
    """

    pacticipant: str
    number: str
    created_at: datetime
    updated_at: datetime
    build_url: str | None = None
    above: str | None = None
    below: str | None = None
    branches: Sequence[BranchMembership] = ()
    tags: Sequence[TagMembership] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class PactFact:
    """A revision of a version's pact."""

    consumer: str
    provider: str
    version: str
    created_at: datetime
    content: str
    """JSON text of the pact as the source returns it: with ids of interactions, `createdAt` and `_links`."""
    sha: str
    """The source's SHA of the content."""
    is_current: bool = True
    """Whether it is the newest revision of this version's pact."""
    is_stored_text: bool = False
    """Whether `content` is the text that the source stores, without the members that a response adds."""
    marker: str = ""
    """Text that changes when the version's pact is published again, so that a later import need not fetch it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ResultFact:
    """A verification result for a content, which is identified by its SHA in the source."""

    consumer: str
    provider: str
    sha: str
    number: int
    """The source's number of the result."""
    provider_version: str
    success: bool
    verified_at: datetime
    recorded_at: datetime
    """When the source recorded it, as far as its API returns this. Decides which result is the latest."""
    build_url: str | None = None
    test_results: str | None = None
    """Any JSON, as text."""
    verified_by: str | None = None
    """A flat JSON object, as text."""
    is_wip: bool = False
    was_pending: bool | None = None
    """Whether the pact was pending when it was verified; None if the source does not return it."""
    metadata: str | None = None
    """Encoded metadata of the URL to which the result was published."""
    tags: Sequence[str] | None = None
    """Tags that the provider's version had when the result was recorded; None if the source does not return them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ImportedSelfVerification:
    """The newest result of testing a provider version against its own contract."""

    success: bool
    created_at: datetime
    content: str | None = None
    """Base64."""
    content_type: str | None = None
    format: str | None = None
    verifier: str | None = None
    verifier_version: str | None = None

    def as_new(self) -> NewSelfVerification:
        """Raises ValueError if the content is not base64."""
        return NewSelfVerification(
            success=self.success,
            content=None if self.content is None else b64decode(self.content, validate=True),
            content_type=self.content_type,
            format=self.format,
            verifier=self.verifier,
            verifier_version=self.verifier_version,
        )


@dataclass(frozen=True, kw_only=True)
class ProviderContractFact:
    """A contract of a provider version, with its newest self-verification."""

    provider: str
    version: str
    content: str
    """The document as it was published, in base64."""
    content_type: str
    specification: Specification
    created_at: datetime
    name: str = SINGLE
    self_verification: ImportedSelfVerification | None = None

    @cached_property
    def contract(self) -> NewContract:
        """The parsed document, which takes seconds for large YAML: so parse it before the transaction.

        Raises ValueError if a content is not base64, and UnreadableDocument.
        """
        return read_contract(
            b64decode(self.content, validate=True),
            name=self.name,
            specification=self.specification,
            content_type=self.content_type,
            self_verification=self.self_verification.as_new() if self.self_verification else None,
            max_bytes=DEFAULT_MAX_BYTES,
        )

    @property
    def marker(self) -> str:
        """Text that changes with the self-verification, so that a later import need not send the contract again."""
        return self.self_verification.created_at.isoformat() if self.self_verification else "none"


@dataclass(frozen=True, kw_only=True, slots=True)
class EnvironmentFact:
    uuid: str
    name: str
    display_name: str
    is_production: bool
    created_at: datetime
    updated_at: datetime
    contacts: str | None = None
    """A JSON array, as text."""
    records_decisions: bool = False
    allows_first_deployments: bool = False
    position: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class DeploymentFact:
    """A deployment, current or ended. Its environment is found by UUID, else by name."""

    uuid: str
    pacticipant: str
    version: str
    environment: str
    environment_name: str
    created_at: datetime
    application_instance: str | None = None
    undeployed_at: datetime | None = None
    lacks_decision: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class ReleaseFact:
    """A release, currently supported or not. `updated_at` is the time when support last began."""

    uuid: str
    pacticipant: str
    version: str
    environment: str
    environment_name: str
    created_at: datetime
    updated_at: datetime
    support_ended_at: datetime | None = None
    lacks_decision: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class WebhookFact:
    """A webhook. The client creates it through the API, which validates it, unless it was removed here."""

    uuid: str


Fact = (
    PacticipantFact
    | VersionFact
    | PactFact
    | ResultFact
    | ProviderContractFact
    | EnvironmentFact
    | DeploymentFact
    | ReleaseFact
    | WebhookFact
)


def compute_fact_key(source: str, parts: Sequence[str]) -> str:
    """Compute the key under which an import remembers a fact of a source: its kind and what identifies it there.

    A hash, because names may be longer than an index entry of PostgreSQL can be.
    """
    text = json.dumps([source, *parts], ensure_ascii=True, separators=(",", ":"))
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
