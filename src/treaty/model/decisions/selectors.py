"""Selectors: which versions of a pacticipant a question is about, what they found, and how people read them."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Selector:
    """Versions of a pacticipant: those that meet everything that is given, or the pacticipant as a whole."""

    pacticipant: str
    """Empty where a question left it out, which is refused."""
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
    """A pacticipant as a whole."""

    selector: Selector


@dataclass(frozen=True, kw_only=True, slots=True)
class FoundVersion:
    """One version that a selector found."""

    selector: Selector
    number: str
    main_branch: str | None = None
    is_one_of_many: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class NoVersion:
    """A selector that found nothing."""

    selector: Selector


@dataclass(frozen=True, kw_only=True, slots=True)
class NoPacticipant:
    """A selector of a pacticipant that does not exist; only what is to be ignored may be such."""

    selector: Selector


ResolvedSelector = AnyVersion | FoundVersion | NoVersion | NoPacticipant
"""What a selector turned out to be; a selector that finds several versions turns out to be several."""


def select_version(pacticipant: str, number: str | None) -> ResolvedSelector:
    """Make what stands for a version by its number, or for any version."""
    selector = Selector(pacticipant=pacticipant, version=number)
    return AnyVersion(selector=selector) if number is None else FoundVersion(selector=selector, number=number)


def find_number(resolved: ResolvedSelector) -> str | None:
    """Say the number of the version, which is also known of one that was asked for by number and does not exist."""
    return resolved.number if isinstance(resolved, FoundVersion) else resolved.selector.version


def is_ignored_by(ignored: ResolvedSelector, pacticipant: str, number: str | None) -> bool:
    """Say whether a version, or a pacticipant as a whole when there is no number, is to be ignored."""
    match ignored:
        case AnyVersion(selector=selector):
            return selector.pacticipant == pacticipant
        case FoundVersion(selector=selector):
            return selector.pacticipant == pacticipant and ignored.number == number
        case NoVersion() | NoPacticipant():
            return False


def describe(resolved: ResolvedSelector) -> str:
    """Say what a selector is about and what it found."""
    return next(text for holds, text in _descriptions(resolved) if holds)


def _descriptions(resolved: ResolvedSelector) -> Iterable[tuple[object, str]]:
    one, number = resolved.selector, find_number(resolved)
    name, version, found = one.pacticipant, f"({number})", number is not None
    many = isinstance(resolved, FoundVersion) and resolved.is_one_of_many
    branch = one.branch or (resolved.main_branch if one.is_main_branch and isinstance(resolved, FoundVersion) else None)
    the_version, no_version = "one of the versions" if many else "the version", "(no such version exists)"
    no_branch, no_deployment = (
        "(no versions exist for this branch)",
        "(no version is currently recorded as deployed/released in this environment)",
    )
    latest_found, latest_with_tag = one.is_latest and found, one.is_latest and one.tag
    lost_main_branch = one.is_main_branch and not found
    return (
        (latest_with_tag and found, f"the latest version of {name} with tag {one.tag} {version}"),
        (latest_with_tag, f"the latest version of {name} with tag {one.tag} {no_version}"),
        (
            lost_main_branch and one.is_latest,
            f"the latest version of {name} from the main branch {no_branch}",
        ),
        (lost_main_branch, f"any version of {name} from the main branch {no_branch}"),
        (branch and latest_found, f"the latest version of {name} from branch {branch} {version}"),
        (branch and one.is_latest, f"the latest version of {name} from branch {branch} {no_version}"),
        (branch and found, f"{the_version} of {name} from branch {branch} {version}"),
        (branch, f"a version of {name} from branch {branch} {no_version}"),
        (latest_found, f"the latest version of {name} {version}"),
        (one.is_latest, f"the latest version of {name} {no_version}"),
        (one.tag and found, f"a version of {name} with tag {one.tag} {version}"),
        (one.tag, f"a version of {name} with tag {one.tag} {no_version}"),
        (one.environment and found, f"{the_version} of {name} currently in {one.environment} {version}"),
        (one.environment, f"a version of {name} currently in {one.environment} {no_deployment}"),
        (found and not isinstance(resolved, FoundVersion), f"version {number} of {name} {no_version}"),
        (found, f"version {number} of {name}"),
        (isinstance(resolved, NoPacticipant), f"any version of {name} (no such pacticipant exists)"),
        (True, f"any version of {name}"),
    )


def describe_absence(selector: Selector) -> str:
    """Say that a selector found nothing."""
    name, nothing = selector.pacticipant, "No pacts or verifications have been published for"
    texts = (
        (selector.tag, f"No version with tag {selector.tag} exists for {name}"),
        (selector.branch, f"No version of {name} from branch {selector.branch} exists"),
        (selector.is_main_branch, f"No version of {name} from the main branch exists"),
        (
            selector.environment,
            f"No version of {name} is currently recorded as deployed or released in environment {selector.environment}",
        ),
        (selector.version, f"{nothing} version {selector.version} of {name}"),
        (True, f"{nothing} {name}"),
    )
    return next(text for holds, text in texts if holds)
