"""Facts of another broker that an import copies, each with its original times."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class ImportOutcome(StrEnum):
    """Result of importing a fact."""

    COPIED = "copied"
    PRESENT = "present"
    """The fact was there already, or was copied by an earlier import."""
    REMOVED = "removed"
    """An earlier import copied the fact, and it was removed here since; it stays removed."""
    OUTDATED = "outdated"
    """Something newer replaced the fact here."""
    ABSENT = "absent"
    """The fact is not here, and the client has to create it (webhooks only)."""
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class ImportResult:
    """Outcome for a fact, with a reason where people have to know one."""

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
    labels: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class BranchMembership:
    """A version's place on a branch."""

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

    `above` and `below` are its neighbours in the source's order that the target has: the new version's position is
    between them.
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
    """The pact as the source returns it, as JSON text; with ids of interactions, `createdAt` and `_links`."""
    sha: str
    """The source's SHA of the content."""
    is_current: bool = True
    """Whether it is the newest revision of this version's pact."""
    marker: str = ""
    """Text by which a client knows later whether the source has published the version's pact again."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ResultFact:
    """A verification result of the content that has a SHA in the source."""

    consumer: str
    provider: str
    sha: str
    number: int
    """The source's number of the result."""
    provider_version: str
    success: bool
    verified_at: datetime
    recorded_at: datetime
    """When the source recorded it, as far as its API tells: results count in this order."""
    build_url: str | None = None
    test_results: str | None = None
    """Any JSON, as text."""
    verified_by: str | None = None
    """A flat JSON object, as text."""
    is_wip: bool = False


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


@dataclass(frozen=True, kw_only=True, slots=True)
class ReleaseFact:
    """A release, supported or not. `updated_at` is when support last began."""

    uuid: str
    pacticipant: str
    version: str
    environment: str
    environment_name: str
    created_at: datetime
    updated_at: datetime
    support_ended_at: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class WebhookFact:
    """A webhook that the client creates through the API for webhooks, unless it was removed here."""

    uuid: str


Fact = (
    PacticipantFact | VersionFact | PactFact | ResultFact | EnvironmentFact | DeploymentFact | ReleaseFact | WebhookFact
)


def compute_fact_key(source: str, parts: Sequence[str]) -> str:
    """Compute the key under which an import remembers a fact of a source."""
    text = json.dumps([source, *parts], ensure_ascii=True, separators=(",", ":"))
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
