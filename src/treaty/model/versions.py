"""Versions of pacticipants, and the branches and tags that they are on."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

from treaty.model.deployments import Environment


@dataclass(frozen=True, kw_only=True, slots=True)
class Version:
    """A version of a pacticipant."""

    pacticipant: str
    number: str
    build_url: str | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class VersionDraft:
    """What a client says about a version."""

    pacticipant: str
    number: str
    build_url: str | None
    keeps_build_url: bool
    """Whether a build URL that is there stays, as none was given."""
    tags: Sequence[str] | None
    """All tags that it is to have; None when they stay as they are."""


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


# What lists of versions are made of. They are tuples: a page has hundreds of them, and is remembered by them.


class VersionBranch(NamedTuple):
    """A branch that a version is on."""

    name: str
    is_head: bool


class VersionTag(NamedTuple):
    """A tag that a version has."""

    name: str
    is_head: bool


class VersionEnvironment(NamedTuple):
    """Where a version runs or is supported, or once did."""

    uuid: str
    """That of the deployment or release."""
    environment: str
    """The display name."""
    is_production: bool
    is_current: bool
    application_instance: str | None = None


class VersionDetails(NamedTuple):
    """A version with all that hangs on it."""

    pacticipant: str
    number: str
    build_url: str | None
    created_at: datetime
    updated_at: datetime
    branches: tuple[VersionBranch, ...]
    tags: tuple[VersionTag, ...]
    providers: tuple[str, ...]
    """Those that it has a pact with."""
    deployed: tuple[VersionEnvironment, ...]
    released: tuple[VersionEnvironment, ...]
    environments: tuple[Environment, ...] | None = None
    """Every environment, where the version can be recorded as deployed or released; None in lists."""


_FORMATS: Final = (
    re.compile(r"(\d+)\.(\d+)\.(\d+)(?:-([A-Za-z][0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?"),
    re.compile(r"(\d+)\.(\d+)()()"),
    re.compile(r"(\d+)()()()"),
)

Precedence = tuple[object, ...]


def parse_precedence(number: str) -> Precedence | None:
    """Say where a version number stands among others, as semantic versioning does; None for what is no such number.

    The first format that is found anywhere in the text counts: `v1.0.5` is 1.0.5, `x1y` is 1.
    """
    found = next((match for one in _FORMATS if (match := one.search(number))), None)
    if found is None:
        return None
    major, minor, patch, prerelease = found.groups()
    names = (prerelease or "").split(".") if prerelease else []
    return (int(major), int(minor or 0), int(patch or 0), not names, [_rank(name) for name in names])


def _rank(name: str) -> tuple[bool, int, str]:
    """Order parts of a prerelease: numbers by value and before words."""
    return (False, int(name), "") if name.isdecimal() else (True, 0, name)


def find_insertion_position(number: str, others: Sequence[tuple[str, int]]) -> int | None:
    """Find the position that a new version takes among others, given lowest first; None above all of them.

    What is no semantic version goes lowest, and of two equal ones the newcomer goes below.
    """
    own = parse_precedence(number) or ()
    return next((position for other, position in others if (parse_precedence(other) or ()) >= own), None)
