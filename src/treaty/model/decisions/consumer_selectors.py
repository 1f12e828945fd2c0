"""Consumer version selectors: how a provider says which pacts it wants to verify, and how that is told."""

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
    """Whether nobody asked for it, and it stands for a request without selectors."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LatestFromBranch:
    """The head of a branch; for each consumer that has no pact from it, the head of the fallback branch."""

    branch: str
    consumer: str | None = None
    fallback_branch: str | None = None
    fallback_for: str | None = None
    """The branch that was asked for, if this one is its fallback."""

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
    """The latest version with a tag; where no consumer's has a pact, the one with the fallback tag."""

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
    """What is currently deployed, to one environment or to any."""

    environment: str | None = None
    consumer: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Released:
    """What is released and still supported, in one environment or in any."""

    environment: str | None = None
    consumer: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class InEnvironment:
    """What is deployed or released to an environment."""

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
    """A pact that a selector found."""

    selector: ConsumerVersionSelector
    consumer: str
    version: str
    version_id: int
    """Stands for the consumer's version in the metadata of URLs, and only there."""
    position: int
    """The version's place among those of its consumer."""
    sha: str
    content_id: int
    """Stands for the content in the store's next question."""
    branch: str | None = None
    """The branch whose head the version is, where the selector does not name it."""
    environment: str | None = None
    is_production: bool = False
    is_fallback: bool = False


SelectedPactOrder = tuple[int, bool, str, bool, str, int, str]


def sort_key(finding: SelectedPact) -> SelectedPactOrder:  # noqa: PLR0911 - a return for each kind of selector
    """Say where a finding stands among those of one pact."""
    match finding.selector:
        case OverallLatest():
            return (1, False, "", False, "", finding.position, "")
        case LatestFromBranch(branch=name):
            return (2, False, name, False, "", finding.position, "")
        case LatestWithTag(tag=name):
            return (3, False, name, False, "", finding.position, "")
        case AllWithTag(tag=name, consumer=consumer):
            return (4, False, name, consumer is None, consumer or "", finding.position, "")
        case Deployed():
            return (5, finding.is_production, finding.environment or "", False, "", finding.position, "")
        case Released():
            return (6, finding.is_production, finding.environment or "", False, "", finding.position, "")
        case MainBranch(consumer=consumer) | EveryBranch(consumer=consumer) | InEnvironment(consumer=consumer):
            return (7, False, "", consumer is None, consumer or "", finding.position, finding.branch or "")


def describe_briefly(finding: SelectedPact) -> str:  # noqa: PLR0911 - a return for each kind of selector
    match finding.selector:
        case OverallLatest():
            return "latest"
        case MainBranch():
            return "latest from main branch"
        case LatestFromBranch(branch=name):
            return f"latest from branch {name}"
        case EveryBranch():
            return f"latest from branch {finding.branch}"
        case LatestWithTag(tag=name, fallback_tag=fallback):
            return f"latest with tag {fallback if finding.is_fallback else name}"
        case AllWithTag(tag=name, consumer=consumer):
            return f"one of {consumer} {name}" if consumer else f"one of {name}"
        case Deployed():
            return f"deployed to {finding.environment}"
        case Released():
            return f"released in {finding.environment}"
        case InEnvironment(environment=name):
            return f"in environment {name}"


def describe_in_metadata(finding: SelectedPact) -> SelectedBy:  # noqa: PLR0911 - a return for each kind of selector
    """Say in an URL's metadata what found a pact."""
    version_id = finding.version_id
    match finding.selector:
        case OverallLatest():
            return SelectedBy(is_latest=True, version_id=version_id)
        case MainBranch(is_default=is_default):
            return SelectedBy(is_latest=not is_default, version_id=version_id)
        case LatestFromBranch(branch=name):
            return SelectedBy(branch=name, is_latest=True, version_id=version_id)
        case EveryBranch():
            return SelectedBy(branch=finding.branch, is_latest=True, version_id=version_id)
        case LatestWithTag(tag=name):
            return SelectedBy(tag=name, is_latest=True, version_id=version_id)
        case AllWithTag(tag=name):
            return SelectedBy(tag=name, version_id=version_id)
        case Deployed(environment=name) | Released(environment=name) | InEnvironment(environment=name):
            return SelectedBy(environment=name, version_id=version_id)
