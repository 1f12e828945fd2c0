"""Versions of pacticipants, and the branches and tags that they are on."""

from dataclasses import dataclass
from datetime import datetime

from treaty.model.environment import DeployedVersion, Environment, ReleasedVersion


@dataclass(frozen=True, kw_only=True, slots=True)
class Version:
    """A version of a pacticipant."""

    pacticipant: str
    number: str
    build_url: str | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Branch:
    """A branch of a pacticipant's repository."""

    pacticipant: str
    name: str
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class BranchVersion:
    """A version's place on a branch."""

    pacticipant: str
    branch: str
    version: str
    is_head: bool
    """Whether it was the last to be put on the branch."""
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Tag:
    """A word put on a version."""

    pacticipant: str
    version: str
    name: str
    is_head: bool
    """Whether it is the latest version with this tag."""
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class PactOfVersion:
    """Names a pact that a consumer's version published."""

    consumer: str
    version: str
    provider: str


@dataclass(frozen=True, kw_only=True, slots=True)
class VersionInFull:
    """A version with all that hangs on it."""

    version: Version
    branches: list[BranchVersion]
    tags: list[Tag]
    pacts: list[PactOfVersion]
    deployed: list[DeployedVersion]
    released: list[ReleasedVersion]
    environments: list[Environment] | None
    """Every environment, where the version can be recorded as deployed or released; None in lists."""
