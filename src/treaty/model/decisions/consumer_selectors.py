"""Consumer version selectors: the pacts that a provider wants to verify, and the texts that describe the selection.

The kinds of selectors are those of the Pact documentation ("Consumer version selectors").
"""

from dataclasses import dataclass
from typing import NamedTuple

from treaty.model.decisions.metadata import SelectedBy


@dataclass(frozen=True, kw_only=True, slots=True)
class OverallLatest:
    """The latest version that has a pact with the provider."""

    consumer: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class MainBranch:
    """The head of each consumer's own main branch."""

    consumer: str | None = None
    is_default: bool = False
    """Whether the broker added it to a request without selectors."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LatestFromBranch:
    """The head of a branch; for each consumer that has no pact from it, the head of the fallback branch."""

    branch: str
    consumer: str | None = None
    fallback_branch: str | None = None
    fallback_for: str | None = None
    """The requested branch, if this selector is that of its fallback branch."""

    @property
    def fallback(self) -> "LatestFromBranch | None":
        """Selector of the fallback branch."""
        if self.fallback_branch is None:
            return None
        return LatestFromBranch(branch=self.fallback_branch, consumer=self.consumer, fallback_for=self.branch)


@dataclass(frozen=True, kw_only=True, slots=True)
class EveryBranch:
    """The heads of all branches."""

    consumer: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class LatestWithTag:
    """The latest version with a tag, or with the fallback tag if no consumer has a pact with the first tag.

    One consumer with the first tag disables the fallback for all consumers, as in the original.
    """

    tag: str
    fallback_tag: str | None = None
    consumer: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class AllWithTag:
    """Every version with a tag."""

    tag: str
    consumer: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Deployed:
    """The versions currently deployed, to one environment or to any."""

    environment: str | None = None
    consumer: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Released:
    """The versions released and still supported, in one environment or in any."""

    environment: str | None = None
    consumer: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class InEnvironment:
    """The versions deployed or released to an environment."""

    environment: str
    consumer: str | None = None


ConsumerVersionSelector = (
    OverallLatest
    | MainBranch
    | LatestFromBranch
    | EveryBranch
    | LatestWithTag
    | AllWithTag
    | Deployed
    | Released
    | InEnvironment
)


class SelectedPact(NamedTuple):
    """A pact that a selector matches."""

    selector: ConsumerVersionSelector
    consumer: str
    version: str
    version_id: int
    """Id of the consumer version, for the metadata of URLs only; elsewhere versions are identified by number."""
    position: int
    """Position of the version in the order of its consumer's versions."""
    sha: str
    content_id: int
    """Id of the content, for the store's queries for results."""
    branch: str | None = None
    """The branch of which the version is the head, where the selector does not name the branch."""
    environment: str | None = None
    is_production: bool = False
    is_fallback: bool = False


SelectedPactOrder = tuple[object, ...]


def sort_key(pact: SelectedPact) -> SelectedPactOrder:  # noqa: PLR0911 - a return for each kind of selector
    """Return the key by which the selectors of one content are sorted: the original's order, by kind and name."""
    match pact.selector:
        case OverallLatest():
            return (1, pact.position)
        case LatestFromBranch(branch=name):
            return (2, name, pact.position)
        case LatestWithTag(tag=name):
            return (3, name, pact.position)
        case AllWithTag(tag=name, consumer=consumer):
            return (4, name, consumer is None, consumer or "", pact.position)
        case Deployed():
            return (5, pact.is_production, pact.environment or "", pact.position)
        case Released():
            return (6, pact.is_production, pact.environment or "", pact.position)
        case MainBranch(consumer=consumer) | EveryBranch(consumer=consumer) | InEnvironment(consumer=consumer):
            return (7, consumer is None, consumer or "", pact.position, pact.branch or "")


def describe_briefly(pact: SelectedPact) -> str:  # noqa: PLR0911 - a return for each kind of selector
    """Describe why a pact is selected, in the words of the original's `shortDescription`."""
    match pact.selector:
        case OverallLatest():
            return "latest"
        case MainBranch():
            return "latest from main branch"
        case LatestFromBranch(branch=name):
            return f"latest from branch {name}"
        case EveryBranch():
            return f"latest from branch {pact.branch}"
        case LatestWithTag(tag=name, fallback_tag=fallback):
            return f"latest with tag {fallback if pact.is_fallback else name}"
        case AllWithTag(tag=name, consumer=consumer):
            return f"one of {consumer} {name}" if consumer else f"one of {name}"
        case Deployed():
            return f"deployed to {pact.environment}"
        case Released():
            return f"released in {pact.environment}"
        case InEnvironment(environment=name):
            return f"in environment {name}"


def describe_in_metadata(pact: SelectedPact) -> SelectedBy:  # noqa: PLR0911 - a return for each kind of selector
    """Describe the selector that matched a pact for the metadata of its URL."""
    version_id = pact.version_id
    match pact.selector:
        case OverallLatest():
            return SelectedBy(is_latest=True, version_id=version_id)
        case MainBranch(is_default=is_default):
            return SelectedBy(is_latest=not is_default, version_id=version_id)
        case LatestFromBranch(branch=name):
            return SelectedBy(branch=name, is_latest=True, version_id=version_id)
        case EveryBranch():
            return SelectedBy(branch=pact.branch, is_latest=True, version_id=version_id)
        case LatestWithTag(tag=name):
            return SelectedBy(tag=name, is_latest=True, version_id=version_id)
        case AllWithTag(tag=name):
            return SelectedBy(tag=name, version_id=version_id)
        case Deployed(environment=name) | Released(environment=name) | InEnvironment(environment=name):
            return SelectedBy(environment=name, version_id=version_id)
