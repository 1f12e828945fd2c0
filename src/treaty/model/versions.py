"""Versions of pacticipants, their branches and tags, and the order of version numbers."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

from treaty.model.deployments import Environment


@dataclass(frozen=True, kw_only=True, slots=True)
class Version:
    """A version of a pacticipant. Most builds publish one, numbered by their commit."""

    pacticipant: str
    number: str
    build_url: str | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class VersionDraft:
    """The properties of a version that clients set."""

    pacticipant: str
    number: str
    build_url: str | None
    keeps_build_url: bool
    """Whether an existing build URL stays because the request has none."""
    tags: Sequence[str] | None
    """The complete new list of tags; None if the tags stay unchanged."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Branch:
    """A branch of a pacticipant's repository."""

    pacticipant: str
    name: str
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class BranchVersion:
    """The membership of a version in a branch."""

    pacticipant: str
    branch: str
    version: str
    is_head: bool
    """Whether the version was the last to be added to the branch."""
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Tag:
    """A tag on a version."""

    pacticipant: str
    version: str
    name: str
    is_head: bool
    """Whether the version is the latest with this tag."""
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class VersionAlias:
    """Another name of a version, such as a commit of a monorepo that leaves the pacticipant unchanged."""

    pacticipant: str
    version: str
    name: str
    created_at: datetime


def describe_alias(pacticipant: str, name: str, version: str) -> str:
    return f"Version '{name}' of '{pacticipant}' is an alias of version '{version}'."


MIN_PREFIX_LENGTH: Final = 7
"""Characters from which the beginning of a number can identify a version; Git abbreviates commits to as many."""
MAX_CANDIDATES: Final = 5
"""Numbers that a message about an ambiguous or unknown version lists."""
_COMMIT: Final = re.compile(r"(?<![0-9a-f])(?:[0-9a-f]{64}|[0-9a-f]{40})(?![0-9a-f])")


def is_abbreviated_commit(prefix: str, number: str) -> bool:
    """Whether a prefix of a number ends within a commit hash, of which it has at least seven digits.

    Only such a prefix is certainly no number of its own: `1.2.3-rc.1` may be a version that is missing, although it is
    the beginning of `1.2.3-rc.10`.
    """
    return number.startswith(prefix) and any(
        match.start() + MIN_PREFIX_LENGTH <= len(prefix) < match.end() for match in _COMMIT.finditer(number)
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class VersionLookup:
    """The versions that a text may mean: a number, an alias, or the beginning of a number."""

    pacticipant: str
    text: str
    number: str | None = None
    """The number of the only version that the text identifies."""
    is_prefix: bool = False
    """Whether the text is only the beginning of the number."""
    candidates: Sequence[str] = ()
    """Numbers that begin with the text, if there are several; else numbers that resemble it."""
    newest: str | None = None
    """The newest version, if no number resembles the text."""
    is_ambiguous: bool = False
    has_more: bool = False
    """Whether further versions begin with the text."""

    @property
    def is_abbreviated_commit(self) -> bool:
        return self.number is not None and self.is_prefix and is_abbreviated_commit(self.text, self.number)

    def describe_problem(self) -> str:
        """Describe why the text identifies no version."""
        names = " or ".join([*self.candidates, *(["others"] if self.has_more else [])])
        if self.is_ambiguous:
            return f"Several versions of {self.pacticipant} begin with {self.text}. Did you mean {names}?"
        newest = f"Its newest version is {self.newest}." if self.newest else "It has no versions yet."
        suggestion = f"Did you mean {names}?" if names else newest
        return f"No version {self.text} of {self.pacticipant}. {suggestion}"


# The parts of lists are tuples because they are keys of the cache of rendered items: a page has hundreds of them, and
# tuples are created and hashed quickly.


class VersionBranch(NamedTuple):
    """A branch of a listed version."""

    name: str
    is_head: bool


class VersionTag(NamedTuple):
    """A tag of a listed version."""

    name: str
    is_head: bool


class VersionEnvironment(NamedTuple):
    """A current or former deployment or release of a listed version."""

    uuid: str
    """UUID of the deployment or release, not of the environment."""
    environment: str
    """Display name of the environment."""
    is_production: bool
    is_current: bool
    application_instance: str | None = None


class VersionDetails(NamedTuple):
    """A version with its branches, tags, pacts, deployments and releases."""

    pacticipant: str
    number: str
    build_url: str | None
    created_at: datetime
    updated_at: datetime
    branches: tuple[VersionBranch, ...]
    tags: tuple[VersionTag, ...]
    providers: tuple[str, ...]
    """The providers of its pacts."""
    deployed: tuple[VersionEnvironment, ...]
    released: tuple[VersionEnvironment, ...]
    environments: tuple[Environment, ...] | None = None
    """All environments, for links that record a deployment or release; None in lists."""


class EnvironmentPeriod(NamedTuple):
    """A current or former deployment or release of a version, with its times."""

    uuid: str
    """UUID of the deployment or release, not of the environment."""
    environment: str
    """Name of the environment."""
    environment_uuid: str
    is_production: bool
    began_at: datetime
    ended_at: datetime | None
    application_instance: str | None = None


class RecordedVersion(NamedTuple):
    """A version that was deployed or released, with all its deployments and releases, oldest first."""

    details: VersionDetails
    deployments: tuple[EnvironmentPeriod, ...]
    releases: tuple[EnvironmentPeriod, ...]


# From the most specific format to the least: 1.2.3-beta.1+build, 1.2, 1. All have the same four groups.
_FORMATS: Final = (
    re.compile(r"(\d+)\.(\d+)\.(\d+)(?:-([A-Za-z][0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?"),
    re.compile(r"(\d+)\.(\d+)()()"),
    re.compile(r"(\d+)()()()"),
)

Precedence = tuple[object, ...]


def parse_precedence(number: str) -> Precedence | None:
    """Return a sort key with the precedence of semantic versioning; None if the text contains no version number.

    As in the original broker, the number may be anywhere in the text: `v1.0.5` is 1.0.5, and `x1y` is 1.
    """
    match = next((match for pattern in _FORMATS if (match := pattern.search(number))), None)
    if match is None:
        return None
    major, minor, patch, prerelease = match.groups()
    identifiers = prerelease.split(".") if prerelease else []
    return (
        int(major),
        int(minor or 0),
        int(patch or 0),
        # A version without a prerelease part is higher than its prereleases.
        not identifiers,
        [_identifier_key(identifier) for identifier in identifiers],
    )


def find_order_problem(number: str) -> str | None:
    """Return the original's text for a number that cannot be ordered by semantic versioning; None if it can."""
    if parse_precedence(number) is not None:
        return None
    return (
        f"Version number '{number}' cannot be parsed to a version number. The expected format (unless this"
        " configuration has been overridden) is a semantic version. eg. 1.3.0 or 2.0.4.rc1"
    )


def _identifier_key(identifier: str) -> tuple[bool, int | str]:
    """Order the identifiers of a prerelease: numbers by value, and before words."""
    return (False, int(identifier)) if identifier.isdecimal() else (True, identifier)


def find_insertion_position(number: str, others: Sequence[tuple[str, int]]) -> int | None:
    """Find the position of a new version among others (number and position, lowest first); None if it is the highest.

    Texts without a version number are the lowest. A new version is lower than an existing one of equal precedence.
    """
    precedence = parse_precedence(number) or ()
    return next((position for other, position in others if (parse_precedence(other) or ()) >= precedence), None)
