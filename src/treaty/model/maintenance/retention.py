"""Retention: which versions and branches a clean-up keeps, and what it removes."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from typing import Any, Final

from treaty.errors import InvalidSetting


@dataclass(frozen=True, kw_only=True, slots=True)
class KeepVersions:
    """Selector of versions to keep: those that meet all conditions that are set.

    The fields are those of the selectors of the original broker's clean-up (`keep_version_selectors`).
    """

    pacticipant: str | None = None
    latest: bool = False
    tag: str | bool = False
    """A name, or true for any tag."""
    branch: str | bool = False
    """A name, or true for any branch."""
    main_branch: bool = False
    environment: str | None = None
    deployed: bool = False
    """Currently deployed; past deployments do not count."""
    released: bool = False
    """Currently supported; past releases do not count."""
    max_age: int | None = None
    """Days."""

    def to_dict(self) -> Mapping[str, object]:
        """Return the conditions that are set."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in values.items() if value is not None and value is not False}


@dataclass(frozen=True, kw_only=True, slots=True)
class KeepBranches:
    """Selector of branches to keep: those that meet all conditions that are set. Main branches are always kept."""

    branches: tuple[str, ...] = ()
    max_age: int | None = None
    """Days since the branch was last changed."""

    def to_dict(self) -> Mapping[str, object]:
        """Return the conditions that are set."""
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
    """Which data a clean-up keeps, and how much it removes at most."""

    versions: tuple[KeepVersions, ...] = DEFAULT_VERSION_SELECTORS
    branches: tuple[KeepBranches, ...] = DEFAULT_BRANCH_SELECTORS
    """Empty: all branches are kept."""
    limit: int = 1000
    """Maximum number of removed versions, and of removed rows of each kind of overwritten data."""
    branch_limit: int = 1000
    overwritten_max_age: timedelta | None = timedelta(days=7)
    """Age at which overwritten data is removed; None keeps it."""
    success_max_age: timedelta = timedelta(days=30)
    """Age up to which a success counts for work in progress.

    From the setting `verified_by_other_branch_lookback_days`: such results must not be removed.
    """


IN_USE_SELECTORS: Final = (KeepVersions(deployed=True), KeepVersions(released=True))
"""Versions that are deployed or supported in any environment are never removed, whatever the settings say."""


def add_in_use_selectors(selectors: Sequence[KeepVersions]) -> tuple[KeepVersions, ...]:
    """Add the selectors for all versions in use. Raises InvalidSetting when there are no selectors.

    A selector for one environment does not replace them: it covers that environment only.
    """
    if not selectors:
        raise InvalidSetting("You must specify which versions to keep")
    return (*selectors, *(selector for selector in IN_USE_SELECTORS if selector not in selectors))


def compute_cutoff(now: datetime, max_age: timedelta) -> datetime:
    """Return the earliest time that still counts as younger than an age.

    Ages are counted from the beginning of the day (UTC), so that a plan and its execution minutes later agree.
    """
    return now.replace(hour=0, minute=0, second=0, microsecond=0) - max_age


# The original broker accepts these spellings, too.
_OTHER_NAMES: Final = {
    "pacticipant_name": "pacticipant",
    "pacticipantName": "pacticipant",
    "environment_name": "environment",
    "environmentName": "environment",
    "mainBranch": "main_branch",
    "maxAge": "max_age",
}
_VALUE_TYPES: Final[Mapping[str, tuple[tuple[type, ...], str]]] = {
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
    """Parse the JSON of selectors. Raises InvalidSetting, which names the setting."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidSetting(f"{setting}: is not valid JSON: {error}") from error


def parse_version_selectors(raw_selectors: object) -> tuple[KeepVersions, ...]:
    """Read selectors of versions from parsed JSON: an object, or a list of objects. Raises InvalidSetting."""
    return tuple(_version_selector(raw, number) for number, raw in enumerate(_as_list(raw_selectors), 1))


def _as_list(raw_selectors: object) -> list[object]:
    if isinstance(raw_selectors, dict):
        return [raw_selectors]
    if not isinstance(raw_selectors, list):
        raise InvalidSetting("selectors must be a list of objects")
    return raw_selectors


def _version_selector(raw: object, number: int) -> KeepVersions:
    values = _conditions(raw, number)
    for name, value in values.items():
        if name not in _VALUE_TYPES:
            raise InvalidSetting(f"selector {number}: unknown condition '{name}'")
        types, meaning = _VALUE_TYPES[name]
        # A bool is an int in Python, but `{"max_age": true}` is a mistake.
        is_wrong_type = not isinstance(value, types) or (isinstance(value, bool) and bool not in types)
        if is_wrong_type or _is_out_of_range(value):
            raise InvalidSetting(f"selector {number}: {name} must be {meaning}")
    # A selector without conditions would keep everything, and `{"latest": false}` reads as if it kept nothing.
    if not any(values.values()) and values.get("max_age") is None:
        raise InvalidSetting(f"selector {number} has no condition")
    return KeepVersions(**values)


def _conditions(raw: object, number: int) -> dict[str, Any]:
    """Return the conditions of a selector that are not null, under the names of our fields."""
    if not isinstance(raw, dict):
        raise InvalidSetting(f"selector {number}: must be an object")
    return {_OTHER_NAMES.get(str(name), str(name)): value for name, value in raw.items() if value is not None}


def _is_out_of_range(value: object) -> bool:
    """Whether a value is a blank text, or a number of days that dates cannot represent."""
    if isinstance(value, str):
        return not value.strip()
    return isinstance(value, int) and not isinstance(value, bool) and not 0 <= value < MAX_DAYS


MAX_DAYS: Final = 365_000


def parse_branch_selectors(raw_selectors: object) -> tuple[KeepBranches, ...]:
    """Read selectors of branches from parsed JSON: an object, or a list of objects. Raises InvalidSetting."""
    return tuple(_branch_selector(raw, number) for number, raw in enumerate(_as_list(raw_selectors), 1))


def _branch_selector(raw: object, number: int) -> KeepBranches:
    conditions = _conditions(raw, number)
    raw_names, max_age = conditions.pop("branch", ()), conditions.pop("max_age", None)
    names = _as_names(raw_names)
    is_valid = all(isinstance(name, str) and name.strip() for name in names) and (
        max_age is None
        or (isinstance(max_age, int) and not isinstance(max_age, bool) and not _is_out_of_range(max_age))
    )
    if conditions or not is_valid or (not names and max_age is None):
        raise InvalidSetting(f"selector {number}: must have max_age (days), branch (names), or both")
    return KeepBranches(branches=names, max_age=max_age)


def _as_names(raw_names: object) -> tuple[Any, ...]:
    """Return names from a text or a list; a blank name, which is refused, for anything else."""
    if isinstance(raw_names, str):
        return (raw_names,)
    return tuple(raw_names) if isinstance(raw_names, list | tuple) else ("",)


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
    """Add a provider after its consumers, depth first. Without recursion: chains may be longer than Python's stack.

    A cycle has no right order, so a pacticipant that was already seen is skipped.
    """
    visited, stack = {name}, [(name, iter(consumers[name]))]
    while stack:
        current, remaining = stack[-1]
        consumer = next((other for other in remaining if other not in visited and other not in order), None)
        if consumer is None:
            order.setdefault(current)
            stack.pop()
        else:
            visited.add(consumer)
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
class RemovalCounts:
    """Number of rows of a kind that are removed (`gone`) and that remain (`kept`)."""

    gone: int
    kept: int


@dataclass(frozen=True, kw_only=True, slots=True)
class RemovableVersion:
    """A version that is not retained."""

    pacticipant: str
    number: str
    position: int
    """In the order of the pacticipant's versions."""
    created_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class RemovableBranch:
    """A branch that is not retained."""

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
    """The number of versions that a selector keeps."""

    selector: KeepVersions
    count: int


@dataclass(frozen=True, kw_only=True, slots=True)
class RemainingVersions:
    """The versions of a pacticipant that a clean-up would leave."""

    count: int
    first: RemovableVersion | None
    latest: RemovableVersion | None


@dataclass(frozen=True, kw_only=True, slots=True)
class CleanupPlan:
    """The preview of a clean-up: what it would remove, and why the rest is kept."""

    total: int
    kept: tuple[KeptBySelector, ...]
    in_use: tuple[VersionInUse, ...]
    """Versions that are kept only because they are deployed or supported."""
    kept_by_selectors: int
    kept_for_decisions: int
    """Versions that no selector keeps, but on whose results decisions about kept versions depend."""
    not_kept: int
    """Versions that would be removed if there were no limit."""
    versions: tuple[RemovableVersion, ...]
    """Versions to remove, oldest first, up to the limit."""
    tags: Mapping[tuple[str, str], tuple[str, ...]]
    """Tags of the versions that the preview names, by pacticipant and version number."""
    remains: Mapping[str, RemainingVersions]
    total_branches: int
    branches: tuple[RemovableBranch, ...]
    branches_kept_for_decisions: int
    """Stale branches that are kept because removing them would make verified pacts pending."""
    removed: Mapping[str, RemovalCounts]
    """Rows that are removed together with these versions and branches, by kind."""
    overwritten: Mapping[str, RemovalCounts]
    audit_events: RemovalCounts
    decisions: RemovalCounts
    """Recorded decisions."""
