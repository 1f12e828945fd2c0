"""Retention: which versions and branches are kept when old data goes, and how much went."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from typing import Any, Final

from treaty.errors import WrongSetting


@dataclass(frozen=True, kw_only=True, slots=True)
class KeepVersions:
    """Versions to keep: those that meet everything that is given."""

    pacticipant: str | None = None
    latest: bool = False
    tag: str | bool = False
    """True stands for any."""
    branch: str | bool = False
    """True stands for any."""
    main_branch: bool = False
    environment: str | None = None
    deployed: bool = False
    """Running now, as opposed to ever."""
    released: bool = False
    """Supported now, as opposed to ever."""
    max_age: int | None = None
    """Days."""

    def told(self) -> Mapping[str, object]:
        """Say what is given."""
        given = {one.name: getattr(self, one.name) for one in fields(self)}
        return {name: value for name, value in given.items() if value is not None and value is not False}


@dataclass(frozen=True, kw_only=True, slots=True)
class KeepBranches:
    """Branches to keep: those that meet everything that is given. Main branches always stay."""

    branches: tuple[str, ...] = ()
    max_age: int | None = None
    """Days since the branch was last changed."""

    def told(self) -> Mapping[str, object]:
        """Say what is given."""
        age = {} if self.max_age is None else {"max_age": self.max_age}
        return {"branch": list(self.branches), **age} if self.branches else age


DEFAULT_VERSIONS: Final = (
    KeepVersions(tag=True, latest=True),
    KeepVersions(branch=True, latest=True),
    KeepVersions(latest=True),
    KeepVersions(deployed=True),
    KeepVersions(released=True),
    KeepVersions(max_age=90),
)
DEFAULT_BRANCHES: Final = (KeepBranches(max_age=90),)


@dataclass(frozen=True, kw_only=True, slots=True)
class Retention:
    """What is kept when old data goes, and how much may go at once."""

    versions: tuple[KeepVersions, ...] = DEFAULT_VERSIONS
    branches: tuple[KeepBranches, ...] = DEFAULT_BRANCHES
    """None: no branch goes."""
    limit: int = 1000
    """Versions, and each kind of overwritten data."""
    branch_limit: int = 1000
    overwritten_days: int | None = 7
    """How old overwritten data must be to go; None: it stays."""
    success_days: int = 30
    """How long a success is looked at as if it were new, for work in progress."""


def complete(selectors: Sequence[KeepVersions]) -> tuple[KeepVersions, ...]:
    """Add what runs and what is supported, which is always kept. Raises WrongSetting when nothing is to be kept."""
    if not selectors:
        raise WrongSetting("You must specify which versions to keep")
    added = (
        *([] if any(one.deployed for one in selectors) else [KeepVersions(deployed=True)]),
        *([] if any(one.released for one in selectors) else [KeepVersions(released=True)]),
    )
    return (*selectors, *added)


def oldest(now: datetime, days: int) -> datetime:
    """Say when the day begins that is some days ago."""
    return now.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=days)


_OTHER_NAMES: Final = {
    "pacticipant_name": "pacticipant",
    "pacticipantName": "pacticipant",
    "environment_name": "environment",
    "environmentName": "environment",
    "mainBranch": "main_branch",
    "maxAge": "max_age",
}
_KINDS: Final[Mapping[str, tuple[tuple[type, ...], str]]] = {
    "pacticipant": ((str,), "a name"),
    "latest": ((bool,), "true or false"),
    "tag": ((str, bool), "a name or true"),
    "branch": ((str, bool), "a name or true"),
    "main_branch": ((bool,), "true or false"),
    "environment": ((str,), "a name"),
    "deployed": ((bool,), "true or false"),
    "released": ((bool,), "true or false"),
    "max_age": ((int,), "a number of days"),
}


def read_selectors(text: str, setting: str) -> object:
    """Read JSON. Raises WrongSetting."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise WrongSetting(f"{setting}: is no JSON: {error}") from error


def versions_of(given: object) -> tuple[KeepVersions, ...]:
    """Read which versions to keep from a list of objects, as they stand in JSON. Raises WrongSetting."""
    return tuple(_version_selector(one, at) for at, one in enumerate(_listed(given)))


def _listed(given: object) -> list[object]:
    if isinstance(given, dict):
        return [given]
    if not isinstance(given, list):
        raise WrongSetting("selectors must be a list of objects")
    return given


def _version_selector(given: object, at: int) -> KeepVersions:
    values = _named(given, at)
    for name, value in values.items():
        if name not in _KINDS:
            raise WrongSetting(f"selector {at + 1}: there is no '{name}'")
        kinds, meaning = _KINDS[name]
        if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds) or _is_blank(value):
            raise WrongSetting(f"selector {at + 1}: {name} must be {meaning}")
    if not any(values.values()) and values.get("max_age") is None:
        raise WrongSetting(f"selector {at + 1} says nothing")
    return KeepVersions(**values)


def _named(given: object, at: int) -> dict[str, Any]:
    if not isinstance(given, dict):
        raise WrongSetting(f"selector {at + 1}: must be an object")
    return {_OTHER_NAMES.get(str(name), str(name)): value for name, value in given.items() if value is not None}


def _is_blank(value: object) -> bool:
    return value == "" or (isinstance(value, int) and not isinstance(value, bool) and not 0 <= value < MOST_DAYS)


MOST_DAYS: Final = 365_000


def branches_of(given: object) -> tuple[KeepBranches, ...]:
    """Read which branches to keep from a list of objects, as they stand in JSON. Raises WrongSetting."""
    return tuple(_branch_selector(one, at) for at, one in enumerate(_listed(given)))


def _branch_selector(given: object, at: int) -> KeepBranches:
    values = _named(given, at)
    names, age = values.pop("branch", ()), values.pop("max_age", None)
    named = (names,) if isinstance(names, str) else tuple(names) if isinstance(names, list | tuple) else ("",)
    is_right = all(isinstance(name, str) and name for name in named) and (
        age is None or (isinstance(age, int) and not isinstance(age, bool) and not _is_blank(age))
    )
    if values or not is_right or (not named and age is None):
        raise WrongSetting(f"selector {at + 1}: must have max_age (days), branch (names), or both")
    return KeepBranches(branches=named, max_age=age)


@dataclass(frozen=True, kw_only=True, slots=True)
class Removed:
    """How much went."""

    versions: int = 0
    publications: int = 0
    contents: int = 0
    verifications: int = 0
    triggered_webhooks: int = 0
    webhook_executions: int = 0
    branches: int = 0

    def __add__(self, other: "Removed") -> "Removed":
        return replace(self, **{one.name: getattr(self, one.name) + getattr(other, one.name) for one in fields(self)})


@dataclass(frozen=True, slots=True)
class Amount:
    """How much of something goes or went, and how much there is besides."""

    gone: int
    kept: int


@dataclass(frozen=True, kw_only=True, slots=True)
class OldVersion:
    """A version that nothing keeps."""

    pacticipant: str
    number: str
    created_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class OldBranch:
    """A branch that nothing keeps."""

    pacticipant: str
    name: str
    updated_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Kept:
    """How many versions a selector keeps."""

    selector: KeepVersions
    count: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Remains:
    """What would remain of a pacticipant."""

    count: int
    first: OldVersion | None
    latest: OldVersion | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What would go, and why the rest stays."""

    total: int
    kept: tuple[Kept, ...]
    kept_by_selectors: int
    kept_for_decisions: int
    """Versions that no selector keeps, but on whose results answers about kept versions rest."""
    not_kept: int
    """What would go if there were no limit."""
    versions: tuple[OldVersion, ...]
    """What goes, oldest first, as many as the limit allows."""
    tags: Mapping[tuple[str, str], tuple[str, ...]]
    """The tags of versions that are named."""
    remains: Mapping[str, Remains]
    total_branches: int
    branches: tuple[OldBranch, ...]
    overwritten: Mapping[str, Amount]
