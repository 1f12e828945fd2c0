"""Retention: which versions and branches are kept when old data goes, and how much went."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from typing import Any, Final

from treaty.errors import InvalidSetting


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

    def to_dict(self) -> Mapping[str, object]:
        """Say what is given."""
        given = {one.name: getattr(self, one.name) for one in fields(self)}
        return {name: value for name, value in given.items() if value is not None and value is not False}


@dataclass(frozen=True, kw_only=True, slots=True)
class KeepBranches:
    """Branches to keep: those that meet everything that is given. Main branches always stay."""

    branches: tuple[str, ...] = ()
    max_age: int | None = None
    """Days since the branch was last changed."""

    def to_dict(self) -> Mapping[str, object]:
        """Say what is given."""
        age = {} if self.max_age is None else {"max_age": self.max_age}
        return {"branch": list(self.branches), **age} if self.branches else age


DEFAULT_VERSION_SELECTORS: Final = (
    KeepVersions(tag=True, latest=True),
    KeepVersions(branch=True, latest=True),
    KeepVersions(latest=True),
    KeepVersions(deployed=True),
    KeepVersions(released=True),
    KeepVersions(max_age=90),
)
DEFAULT_BRANCH_SELECTORS: Final = (KeepBranches(max_age=90),)


@dataclass(frozen=True, kw_only=True, slots=True)
class Retention:
    """What is kept when old data goes, and how much may go at once."""

    versions: tuple[KeepVersions, ...] = DEFAULT_VERSION_SELECTORS
    branches: tuple[KeepBranches, ...] = DEFAULT_BRANCH_SELECTORS
    """None: no branch goes."""
    limit: int = 1000
    """Versions, and each kind of overwritten data."""
    branch_limit: int = 1000
    overwritten_max_age: timedelta | None = timedelta(days=7)
    """Age at which overwritten data is removed; None keeps it."""
    success_max_age: timedelta = timedelta(days=30)
    """Age up to which a success counts for work in progress."""


IN_USE_SELECTORS: Final = (KeepVersions(deployed=True), KeepVersions(released=True))
"""Versions that are deployed or supported in any environment are never removed."""


def add_in_use_selectors(selectors: Sequence[KeepVersions]) -> tuple[KeepVersions, ...]:
    """Add the selectors for all versions in use. Raises WrongSetting when there are no selectors.

    A selector for one environment does not replace them: it covers that environment only.
    """
    if not selectors:
        raise InvalidSetting("You must specify which versions to keep")
    return (*selectors, *(selector for selector in IN_USE_SELECTORS if selector not in selectors))


def compute_cutoff(now: datetime, max_age: timedelta) -> datetime:
    """Return the earliest time that counts as younger than an age: ages are counted from the beginning of today."""
    return now.replace(hour=0, minute=0, second=0, microsecond=0) - max_age


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


def parse_selector_json(text: str, setting: str) -> object:
    """Read JSON. Raises WrongSetting."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidSetting(f"{setting}: is no JSON: {error}") from error


def parse_version_selectors(given: object) -> tuple[KeepVersions, ...]:
    """Read which versions to keep from a list of objects, as they stand in JSON. Raises WrongSetting."""
    return tuple(_version_selector(one, at) for at, one in enumerate(_listed(given)))


def _listed(given: object) -> list[object]:
    if isinstance(given, dict):
        return [given]
    if not isinstance(given, list):
        raise InvalidSetting("selectors must be a list of objects")
    return given


def _version_selector(given: object, at: int) -> KeepVersions:
    values = _named(given, at)
    for name, value in values.items():
        if name not in _KINDS:
            raise InvalidSetting(f"selector {at + 1}: there is no '{name}'")
        kinds, meaning = _KINDS[name]
        if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds) or _is_blank(value):
            raise InvalidSetting(f"selector {at + 1}: {name} must be {meaning}")
    if not any(values.values()) and values.get("max_age") is None:
        raise InvalidSetting(f"selector {at + 1} says nothing")
    return KeepVersions(**values)


def _named(given: object, at: int) -> dict[str, Any]:
    if not isinstance(given, dict):
        raise InvalidSetting(f"selector {at + 1}: must be an object")
    return {_OTHER_NAMES.get(str(name), str(name)): value for name, value in given.items() if value is not None}


def _is_blank(value: object) -> bool:
    if isinstance(value, str):
        return not value.strip()
    return isinstance(value, int) and not isinstance(value, bool) and not 0 <= value < MAX_DAYS


MAX_DAYS: Final = 365_000


def parse_branch_selectors(given: object) -> tuple[KeepBranches, ...]:
    """Read which branches to keep from a list of objects, as they stand in JSON. Raises WrongSetting."""
    return tuple(_branch_selector(one, at) for at, one in enumerate(_listed(given)))


def _branch_selector(given: object, at: int) -> KeepBranches:
    values = _named(given, at)
    names, age = values.pop("branch", ()), values.pop("max_age", None)
    named = (names,) if isinstance(names, str) else tuple(names) if isinstance(names, list | tuple) else ("",)
    is_right = all(isinstance(name, str) and name.strip() for name in named) and (
        age is None or (isinstance(age, int) and not isinstance(age, bool) and not _is_blank(age))
    )
    if values or not is_right or (not named and age is None):
        raise InvalidSetting(f"selector {at + 1}: must have max_age (days), branch (names), or both")
    return KeepBranches(branches=named, max_age=age)


def order_consumers_first(names: Iterable[str], integrations: Iterable[tuple[str, str]]) -> list[str]:
    """Order pacticipants so that consumers come before their providers, as far as they do not depend on each other.

    `integrations` are pairs of a consumer and a provider; those of other pacticipants are ignored.
    """
    consumers: dict[str, list[str]] = {name: [] for name in names}
    for consumer, provider in integrations:
        if provider in consumers and consumer in consumers:
            consumers[provider].append(consumer)
    order: dict[str, None] = {}
    for name in consumers:
        _add_after_consumers(name, consumers, order)
    return list(order)


def _add_after_consumers(name: str, consumers: Mapping[str, Sequence[str]], order: dict[str, None]) -> None:
    """Walk up from a provider without recursion: chains may be long. Cycles are cut where they are met."""
    seen, stack = {name}, [(name, iter(consumers[name]))]
    while stack:
        current, remaining = stack[-1]
        consumer = next((one for one in remaining if one not in seen and one not in order), None)
        if consumer is None:
            order.setdefault(current)
            stack.pop()
        else:
            seen.add(consumer)
            stack.append((consumer, iter(consumers[consumer])))


@dataclass(frozen=True, kw_only=True, slots=True)
class RemovedCounts:
    """Number of removed rows of each kind."""

    versions: int = 0
    pact_publications: int = 0
    pact_versions: int = 0
    """Contents of pacts."""
    verifications: int = 0
    triggered_webhooks: int = 0
    webhook_executions: int = 0
    branches: int = 0
    branch_versions: int = 0
    """Memberships of versions in branches."""
    tags: int = 0
    deployed_versions: int = 0
    """Records of past deployments."""
    released_versions: int = 0
    """Records of past releases."""

    def __add__(self, other: "RemovedCounts") -> "RemovedCounts":
        return replace(
            self, **{field.name: getattr(self, field.name) + getattr(other, field.name) for field in fields(self)}
        )


@dataclass(frozen=True, slots=True)
class RowCounts:
    """How many rows of a kind are removed, and how many remain."""

    gone: int
    kept: int


@dataclass(frozen=True, kw_only=True, slots=True)
class RemovableVersion:
    """A version that nothing keeps."""

    pacticipant: str
    number: str
    position: int
    """In the order of the pacticipant's versions."""
    created_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class RemovableBranch:
    """A branch that nothing keeps."""

    pacticipant: str
    name: str
    updated_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class VersionInUse:
    """A version that is kept only because it is deployed or supported."""

    pacticipant: str
    number: str
    deployed_to: tuple[str, ...]
    """Names of environments."""
    released_to: tuple[str, ...]
    """Names of environments in which the version is supported."""


@dataclass(frozen=True, kw_only=True, slots=True)
class KeptBySelector:
    """How many versions a selector keeps."""

    selector: KeepVersions
    count: int


@dataclass(frozen=True, kw_only=True, slots=True)
class RemainingVersions:
    """What would remain of a pacticipant."""

    count: int
    first: RemovableVersion | None
    latest: RemovableVersion | None


@dataclass(frozen=True, kw_only=True, slots=True)
class CleanupPlan:
    """What a clean-up would remove, and why the rest is kept."""

    total: int
    kept: tuple[KeptBySelector, ...]
    in_use: tuple[VersionInUse, ...]
    """Versions that no other selector keeps, spared because they are deployed or supported."""
    kept_by_selectors: int
    kept_for_decisions: int
    """Versions that no selector keeps, but on whose results decisions about kept versions depend."""
    not_kept: int
    """Versions that would be removed if there were no limit."""
    versions: tuple[RemovableVersion, ...]
    """Versions to remove, oldest first, up to the limit."""
    tags: Mapping[tuple[str, str], tuple[str, ...]]
    """The tags of versions that are named."""
    remains: Mapping[str, RemainingVersions]
    total_branches: int
    branches: tuple[RemovableBranch, ...]
    branches_kept_for_decisions: int
    """Stale branches that are kept because removing them would make verified pacts pending."""
    removed: Mapping[str, RowCounts]
    """All rows that are removed with these versions and branches, by kind."""
    overwritten: Mapping[str, RowCounts]
    audit_events: RowCounts
