"""Selectors of a matrix query, the versions that they resolve to, and the texts that describe them.

A decision has a selector and a version for each counterpart. As named tuples they are made several times as fast.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple


class Selector(NamedTuple):
    """Selects the versions of a pacticipant that meet all criteria or, without criteria, the pacticipant as a whole."""

    pacticipant: str
    """Empty if the request has none, which validation rejects."""
    version: str | None = None
    branch: str | None = None
    tag: str | None = None
    environment: str | None = None
    is_main_branch: bool = False
    is_latest: bool = False

    @property
    def is_name_only(self) -> bool:
        return not (self.version or self._has_criteria)

    @property
    def is_number_only(self) -> bool:
        return self.version is not None and not self._has_criteria

    @property
    def _has_criteria(self) -> object:
        return self.branch or self.tag or self.environment or self.is_main_branch or self.is_latest


@dataclass(frozen=True, kw_only=True, slots=True)
class AnyVersion:
    """A selector of a pacticipant as a whole: any of its versions counts."""

    selector: Selector


class FoundVersion(NamedTuple):
    """One version that a selector matches."""

    selector: Selector
    number: str
    main_branch: str | None = None
    """Name of the pacticipant's main branch, to describe a selector that has only `mainBranch=true`."""
    is_one_of_many: bool = False
    """Whether the selector matches other versions too."""


@dataclass(frozen=True, kw_only=True, slots=True)
class NoVersion:
    """A selector that matches no version."""

    selector: Selector


@dataclass(frozen=True, kw_only=True, slots=True)
class NoPacticipant:
    """A selector of a pacticipant that does not exist. Validation allows it only for `ignore`."""

    selector: Selector


ResolvedSelector = AnyVersion | FoundVersion | NoVersion | NoPacticipant
"""A selector with the version that it matches; one that matches several versions resolves to several of these."""


def select_version(pacticipant: str, number: str | None) -> ResolvedSelector:
    """Build the resolved selector of a version, or of the pacticipant as a whole if there is no number."""
    selector = Selector(pacticipant=pacticipant, version=number)
    return AnyVersion(selector=selector) if number is None else FoundVersion(selector=selector, number=number)


def find_number(resolved: ResolvedSelector) -> str | None:
    """Return the version number: of the version that was found, or else the number in the selector."""
    return resolved.number if isinstance(resolved, FoundVersion) else resolved.selector.version


def is_ignored_by(ignored: ResolvedSelector, pacticipant: str, number: str | None) -> bool:
    """Check whether a version is ignored or, without a number, the pacticipant as a whole."""
    match ignored:
        case AnyVersion(selector=selector):
            return selector.pacticipant == pacticipant
        case FoundVersion(selector=selector):
            return selector.pacticipant == pacticipant and ignored.number == number
        case NoVersion() | NoPacticipant():
            return False


@lru_cache(maxsize=1024)  # most reasons of a decision are about the same version
def describe(resolved: ResolvedSelector) -> str:
    """Describe a selector and the version that it matches, in the original broker's words."""
    return next(text for applies, text in _descriptions(resolved) if applies)


def _descriptions(resolved: ResolvedSelector) -> Iterable[tuple[object, str]]:
    """List all descriptions, each with its condition; the first whose condition holds applies.

    The order is the original's, where a selector with several criteria is described by some of them only.
    """
    selector, number = resolved.selector, find_number(resolved)
    name, version, has_number = selector.pacticipant, f"({number})", number is not None
    found_version = resolved if isinstance(resolved, FoundVersion) else None
    # A selector of the main branch that matched a version is described by the name of that branch.
    branch = selector.branch or (found_version.main_branch if selector.is_main_branch and found_version else None)
    the_version = "one of the versions" if found_version and found_version.is_one_of_many else "the version"
    no_version = "(no such version exists)"
    no_branch_version = "(no versions exist for this branch)"
    no_deployment = "(no version is currently recorded as deployed/released in this environment)"
    is_latest, tag, environment = selector.is_latest, selector.tag, selector.environment
    lacks_main_branch = selector.is_main_branch and not has_number
    return (
        (is_latest and tag and has_number, f"the latest version of {name} with tag {tag} {version}"),
        (is_latest and tag, f"the latest version of {name} with tag {tag} {no_version}"),
        (lacks_main_branch and is_latest, f"the latest version of {name} from the main branch {no_branch_version}"),
        (lacks_main_branch, f"any version of {name} from the main branch {no_branch_version}"),
        (branch and is_latest and has_number, f"the latest version of {name} from branch {branch} {version}"),
        (branch and is_latest, f"the latest version of {name} from branch {branch} {no_version}"),
        (branch and has_number, f"{the_version} of {name} from branch {branch} {version}"),
        (branch, f"a version of {name} from branch {branch} {no_version}"),
        (is_latest and has_number, f"the latest version of {name} {version}"),
        (is_latest, f"the latest version of {name} {no_version}"),
        (tag and has_number, f"a version of {name} with tag {tag} {version}"),
        (tag, f"a version of {name} with tag {tag} {no_version}"),
        (environment and has_number, f"{the_version} of {name} currently in {environment} {version}"),
        (environment, f"a version of {name} currently in {environment} {no_deployment}"),
        (has_number and not found_version, f"version {number} of {name} {no_version}"),
        (has_number, f"version {number} of {name}"),
        (isinstance(resolved, NoPacticipant), f"any version of {name} (no such pacticipant exists)"),
        (True, f"any version of {name}"),
    )


def describe_absence(selector: Selector) -> str:
    """Describe that a selector matches no version, in the original broker's words."""
    name, unpublished = selector.pacticipant, "No pacts or verifications have been published for"
    texts = (
        (selector.tag, f"No version with tag {selector.tag} exists for {name}"),
        (selector.branch, f"No version of {name} from branch {selector.branch} exists"),
        (selector.is_main_branch, f"No version of {name} from the main branch exists"),
        (
            selector.environment,
            f"No version of {name} is currently recorded as deployed or released in environment {selector.environment}",
        ),
        (selector.version, f"{unpublished} version {selector.version} of {name}"),
        (True, f"{unpublished} {name}"),
    )
    return next(text for applies, text in texts if applies)
