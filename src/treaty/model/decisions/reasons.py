"""Reasons for a verdict of the matrix: their texts, their codes for programs, and the next step that each suggests."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Final, NamedTuple

from treaty.model.decisions.exemptions import PolicySource
from treaty.model.decisions.overrides import Override, describe_override
from treaty.model.decisions.selectors import NoVersion, ResolvedSelector, describe, describe_absence, find_number
from treaty.model.versions import describe_alias
from treaty.model.wording import choose_form


class ReasonPact(NamedTuple):
    """The pact that a reason is about, and the result of its verification, if there is one."""

    consumer_version: str
    sha: str
    published_at: datetime
    verification: int | None
    verified_at: datetime | None
    is_superseded: bool
    """Whether the pact has a newer revision, or the result a newer one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ReasonSide:
    """The consumer or the provider in a reason: how it was selected, and its version if one is known."""

    selected: ResolvedSelector
    version: str | None
    required_version: str | None = None
    """The only version that counts, if several selectors lead to it: then the text names any version."""

    @property
    def pacticipant(self) -> str:
        return self.selected.selector.pacticipant

    @property
    def environment(self) -> str | None:
        """The environment of the query, if no version of the pacticipant is deployed or released there."""
        return self.selected.selector.environment if isinstance(self.selected, NoVersion) else None


@dataclass(frozen=True, kw_only=True, slots=True)
class NoDestination:
    """The query names no environment, tag or main branch to deploy to."""


@dataclass(frozen=True, kw_only=True, slots=True)
class NoNumber:
    """The query selects versions by branch or tag only, which may be others by the time of the deployment."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CannotIgnore:
    """A pacticipant or version to ignore does not exist."""

    selected: ResolvedSelector


@dataclass(frozen=True, kw_only=True, slots=True)
class NamedByAlias:
    """The query names a version by an alias."""

    pacticipant: str
    alias: str
    version: str


@dataclass(frozen=True, kw_only=True, slots=True)
class NoSuchVersion:
    """A version that the query specifies does not exist."""

    selected: ResolvedSelector


@dataclass(frozen=True, kw_only=True, slots=True)
class NotVerified:
    """A pact has no result from a provider version that the verdict depends on."""

    consumer: ReasonSide
    provider: ReasonSide
    pact: ReasonPact | None = field(default=None, compare=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class VerificationFailed:
    """A provider version that the verdict depends on failed to verify a pact."""

    consumer: ReasonSide
    provider: ReasonSide
    pact: ReasonPact | None = field(default=None, compare=False)


class ComparisonGap(Enum):
    """Why the contract of a provider version does not verify a pact yet."""

    NOT_COMPARED = "the comparison of the pact with the provider contract is not finished yet"
    NOT_SELF_VERIFIED = "the provider contract has no self-verification result"
    NOT_DESCRIBED = "the provider contract does not describe all kinds of interactions in the pact"


@dataclass(frozen=True, kw_only=True, slots=True)
class NotCompared:
    """The contract of a provider version that the verdict depends on does not verify a pact yet."""

    consumer: ReasonSide
    provider: ReasonSide
    gap: ComparisonGap
    pact: ReasonPact | None = field(default=None, compare=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class ComparisonFailed:
    """The contract of a provider version does not satisfy a pact, or its self-verification failed."""

    consumer: ReasonSide
    provider: ReasonSide
    is_self_verified: bool
    """False if the self-verification failed, whatever the contract says."""
    pact: ReasonPact | None = field(default=None, compare=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class MoreObstacles:
    """Number of failures and missing results that no other reason names."""

    failed: int
    unknown: int


@dataclass(frozen=True, kw_only=True, slots=True)
class AllVerified:
    """All required results exist and are successful."""


@dataclass(frozen=True, kw_only=True, slots=True)
class NothingRequired:
    """No result is required: there are no contracts with other versions."""


ReasonWarning = NamedByAlias | NoDestination | NoNumber | CannotIgnore
PairObstacle = NotVerified | VerificationFailed | NotCompared | ComparisonFailed
"""A reason against the deployment that is about a consumer and a provider."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Overridden:
    """An override makes the answer yes, or leaves fewer obstacles."""

    override: Override


@dataclass(frozen=True, kw_only=True, slots=True)
class OverriddenObstacle:
    """An obstacle that an override covers."""

    obstacle: PairObstacle
    override: Override


@dataclass(frozen=True, kw_only=True, slots=True)
class FirstDeployment:
    """The provider of a pact is deployed nowhere, which a policy allows."""

    obstacle: PairObstacle
    policy: PolicySource


ExemptObstacle = OverriddenObstacle | FirstDeployment
"""What would be an obstacle without an exemption."""
Obstacle = NoSuchVersion | PairObstacle
"""A reason against the deployment with a next step of its own."""
SuccessReason = AllVerified | NothingRequired
Reason = ReasonWarning | Obstacle | MoreObstacles | SuccessReason | Overridden | ExemptObstacle

_UNRELIABLE: Final = "this result will not be reliable."


def describe_reason(reason: Reason) -> str:
    """Return the text of a reason, in the original broker's words."""
    match reason:
        case NoDestination():
            return (
                "WARN: It is recommended to specify the environment into which you are deploying. "
                f"Without the environment, {_UNRELIABLE}"
            )
        case NoNumber():
            return (
                "WARN: It is recommended to specify the version number (rather than the tag or branch) of the "
                "pacticipant you wish to deploy to avoid race conditions. "
                f"Without a version number, {_UNRELIABLE}"
            )
        case NamedByAlias(pacticipant=pacticipant, alias=alias, version=version):
            return describe_alias(pacticipant, alias, version)
        case CannotIgnore():
            return f"WARN: Cannot ignore {describe(reason.selected)}"
        case Overridden() | OverriddenObstacle() | FirstDeployment():
            return _describe_exemption(reason)
        case _:
            return _describe_verdict(reason)


def _describe_exemption(reason: Overridden | ExemptObstacle) -> str:
    match reason:
        case Overridden(override=override):
            return describe_override(override)
        case OverriddenObstacle(obstacle=obstacle):
            return f"Overridden: {_describe_pair(obstacle)}"
        case FirstDeployment():
            return _describe_first_deployment(reason)


def _describe_first_deployment(reason: FirstDeployment) -> str:
    provider, environment = reason.obstacle.provider.pacticipant, reason.obstacle.provider.environment
    owner = (
        f"the environment {environment}"
        if reason.policy is PolicySource.ENVIRONMENT
        else f"the integration of {reason.obstacle.consumer.pacticipant} and {provider}"
    )
    return (
        f"First deployment: no version of {provider} is deployed or released in any environment, and {owner} allows "
        f"{describe(reason.obstacle.consumer.selected)} to be deployed before it"
    )


def find_obstacle(reason: Reason) -> Obstacle | None:
    """Return the obstacle that a reason is about, whether it prevents the deployment or an exemption covers it."""
    match reason:
        case OverriddenObstacle(obstacle=obstacle) | FirstDeployment(obstacle=obstacle):
            return obstacle
        case NoSuchVersion() | NotVerified() | VerificationFailed() | NotCompared() | ComparisonFailed():
            return reason
        case _:
            return None


def _describe_verdict(reason: Obstacle | MoreObstacles | SuccessReason) -> str:
    match reason:
        case NoSuchVersion():
            return describe_absence(reason.selected.selector)
        case NotVerified() | VerificationFailed() | NotCompared() | ComparisonFailed():
            return _describe_pair(reason)
        case MoreObstacles(failed=failed, unknown=unknown):
            counts = [f"{failed} more failed"] if failed else []
            counts += [f"{unknown} more {choose_form(unknown, 'is', 'are')} missing"] if unknown else []
            return f"Of the required verification results, {' and '.join(counts)}"
        case AllVerified():
            return "All required verification results are published and successful"
        case NothingRequired():
            return "There are no missing dependencies"


def _describe_pair(reason: PairObstacle) -> str:
    sides = f"{describe(reason.consumer.selected)} and {describe(reason.provider.selected)}"
    match reason:
        case NotVerified():
            return f"There is no verified pact between {sides}"
        case VerificationFailed():
            return f"The verification for the pact between {sides} failed"
        case NotCompared(gap=gap):
            return f"There is no verified pact between {sides}: {gap.value}"
        case ComparisonFailed(is_self_verified=False):
            return (
                f"The tests of the provider against its own contract failed, on which the pact between {sides} relies"
            )
        case ComparisonFailed():
            return f"The pact between {sides} is not compatible with the provider contract"


def get_severity(reason: Reason) -> str:
    """Return the `type` of the notice that shows a reason."""
    match reason:
        case NamedByAlias():
            return "info"
        case NoDestination() | NoNumber() | CannotIgnore() | Overridden() | OverriddenObstacle() | FirstDeployment():
            return "warning"
        case NoSuchVersion() | MoreObstacles():
            return "error"
        case NotVerified() | VerificationFailed() | NotCompared() | ComparisonFailed():
            return "error"
        case AllVerified() | NothingRequired():
            return "success"


def get_code(reason: Reason) -> str:
    """Return the stable code of a reason, by which programs recognize it whatever its text is."""
    match reason:
        case NotVerified():
            # Where nothing is deployed yet, a deployment is missing rather than a verification.
            return (
                "not_deployed" if reason.provider.environment or reason.consumer.environment else "missing_verification"
            )
        case NotCompared(gap=gap):
            return _CODES_BY_GAP[gap]
        case OverriddenObstacle(obstacle=obstacle):
            return get_code(obstacle)
        case _:
            return _CODES[type(reason)]


_CODES_BY_GAP: Final = {
    ComparisonGap.NOT_COMPARED: "missing_comparison",
    ComparisonGap.NOT_SELF_VERIFIED: "missing_self_verification",
    ComparisonGap.NOT_DESCRIBED: "missing_description",
}
_CODES: Final[dict[type[Reason], str]] = {
    NoDestination: "no_environment",
    NoNumber: "no_version_number",
    NamedByAlias: "named_by_alias",
    CannotIgnore: "cannot_ignore",
    NoSuchVersion: "no_such_version",
    VerificationFailed: "failed_verification",
    ComparisonFailed: "failed_comparison",
    MoreObstacles: "more_obstacles",
    Overridden: "overridden",
    FirstDeployment: "first_deployment",
    AllVerified: "all_verified",
    NothingRequired: "nothing_required",
}


def suggest_next_step(reason: Obstacle) -> str:
    """Suggest what to do about a reason that prevents a deployment."""
    if isinstance(reason, NoSuchVersion):
        name = _name_version(ReasonSide(selected=reason.selected, version=find_number(reason.selected)))
        return f"Publish the pacts or verification results of {name}, or check how it was named."
    consumer, provider = _name_version(reason.consumer), _name_version(reason.provider)
    match reason:
        case VerificationFailed():
            return f"Make {provider} honour the pact, or change what {consumer} expects."
        case ComparisonFailed(is_self_verified=is_self_verified):
            return _NEXT_STEPS_OF_COMPARISONS[is_self_verified].format(consumer=consumer, provider=provider)
        case NotCompared(gap=gap):
            return _NEXT_STEPS_BY_GAP[gap].format(consumer=consumer, provider=provider)
        case NotVerified():
            for side in (reason.provider, reason.consumer):
                if side.environment:
                    name, environment = side.pacticipant, side.environment
                    return f"Deploy a version of {name} to {environment} first, and record its deployment."
            return f"Verify the pact of {consumer} with {provider}, and publish the result."


_NEXT_STEPS_OF_COMPARISONS: Final = {
    True: "Read the findings of the comparison, and change {provider} or what {consumer} expects.",
    False: "Make {provider} honour its contract, and publish the contract with the new result.",
}
"""By whether the self-verification of the provider succeeded."""
_NEXT_STEPS_BY_GAP: Final = {
    ComparisonGap.NOT_COMPARED: "Wait some seconds and try again (--retry-while-unknown).",
    ComparisonGap.NOT_SELF_VERIFIED: "Test {provider} against its contract, and publish the contract with the result.",
    ComparisonGap.NOT_DESCRIBED: (
        "Verify the pact of {consumer} with {provider}, or publish contracts that describe all kinds of interactions."
    ),
}


def _name_version(side: ReasonSide) -> str:
    return f"{side.pacticipant} ({side.version})" if side.version else side.pacticipant
