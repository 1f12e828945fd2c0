"""Why the matrix says yes, no or that it does not know."""

from dataclasses import dataclass
from typing import Final

from treaty.model.decisions.selectors import NoVersion, ResolvedSelector, describe, describe_absence, find_number


@dataclass(frozen=True, kw_only=True, slots=True)
class ReasonSide:
    """A consumer or a provider in a reason: how it was selected, and the version it is about, when there is one."""

    selected: ResolvedSelector
    version: str | None

    @property
    def pacticipant(self) -> str:
        return self.selected.selector.pacticipant

    @property
    def environment(self) -> str | None:
        """Where no version of it runs, though one would have to."""
        return self.selected.selector.environment if isinstance(self.selected, NoVersion) else None


@dataclass(frozen=True, kw_only=True, slots=True)
class NoDestination:
    """Nobody said where the version is to go."""


@dataclass(frozen=True, kw_only=True, slots=True)
class NoNumber:
    """Nobody named a version by its number."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CannotIgnore:
    """What is to be ignored does not exist."""

    selected: ResolvedSelector


@dataclass(frozen=True, kw_only=True, slots=True)
class NoSuchVersion:
    """What was asked about does not exist."""

    selected: ResolvedSelector


@dataclass(frozen=True, kw_only=True, slots=True)
class NotVerified:
    """A pact has no result yet from a provider's version that matters."""

    consumer: ReasonSide
    provider: ReasonSide


@dataclass(frozen=True, kw_only=True, slots=True)
class VerificationFailed:
    """A provider's version that matters failed."""

    consumer: ReasonSide
    provider: ReasonSide


@dataclass(frozen=True, kw_only=True, slots=True)
class MoreObstacles:
    """Failures and missing results beyond those that the other reasons name."""

    failed: int
    unknown: int


@dataclass(frozen=True, kw_only=True, slots=True)
class AllVerified:
    """All that is required is verified."""


@dataclass(frozen=True, kw_only=True, slots=True)
class NothingRequired:
    """Nothing has to be verified."""


ReasonWarning = NoDestination | NoNumber | CannotIgnore
Obstacle = NoSuchVersion | NotVerified | VerificationFailed
"""An obstacle with a next step of its own."""
SuccessReason = AllVerified | NothingRequired
Reason = ReasonWarning | Obstacle | MoreObstacles | SuccessReason

_UNRELIABLE: Final = "this result will not be reliable."


def describe_reason(reason: Reason) -> str:
    """Say a reason in the original broker's words."""
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
        case CannotIgnore():
            return f"WARN: Cannot ignore {describe(reason.selected)}"
        case _:
            return _verdict_text(reason)


def _verdict_text(reason: Obstacle | MoreObstacles | SuccessReason) -> str:
    match reason:
        case NoSuchVersion():
            return describe_absence(reason.selected.selector)
        case NotVerified():
            return f"There is no verified pact between {_between(reason)}"
        case VerificationFailed():
            return f"The verification for the pact between {_between(reason)} failed"
        case MoreObstacles(failed=failed, unknown=unknown):
            counts = [f"{failed} more failed"] if failed else []
            counts += [f"{unknown} more {'is' if unknown == 1 else 'are'} missing"] if unknown else []
            return f"Of the required verification results, {' and '.join(counts)}"
        case AllVerified():
            return "All required verification results are published and successful"
        case NothingRequired():
            return "There are no missing dependencies"


def _between(reason: NotVerified | VerificationFailed) -> str:
    return f"{describe(reason.consumer.selected)} and {describe(reason.provider.selected)}"


def severity(reason: Reason) -> str:
    """Say what type of notice a reason is."""
    match reason:
        case NoDestination() | NoNumber() | CannotIgnore():
            return "warning"
        case NoSuchVersion() | NotVerified() | VerificationFailed() | MoreObstacles():
            return "error"
        case AllVerified() | NothingRequired():
            return "success"


def get_code(reason: Reason) -> str:
    """Name a reason for programs."""
    match reason:
        case NotVerified():
            return (
                "not_deployed" if reason.provider.environment or reason.consumer.environment else "missing_verification"
            )
        case _:
            return _KINDS[type(reason)]


_KINDS: Final[dict[type[Reason], str]] = {
    NoDestination: "no_environment",
    NoNumber: "no_version_number",
    CannotIgnore: "cannot_ignore",
    NoSuchVersion: "no_such_version",
    VerificationFailed: "failed_verification",
    MoreObstacles: "more_obstacles",
    AllVerified: "all_verified",
    NothingRequired: "nothing_required",
}


def suggest_next_step(reason: Obstacle) -> str:
    """Say what somebody whom a reason stops can do."""
    match reason:
        case NoSuchVersion():
            return f"Publish the pacts or verification results of {_named(reason.selected)}, or check how it was named."
        case VerificationFailed():
            return (
                f"Make {_version(reason.provider)} honour the pact, or change what {_version(reason.consumer)} expects."
            )
        case NotVerified():
            return _way_to_a_result(reason)


def _way_to_a_result(reason: NotVerified) -> str:
    for side in (reason.provider, reason.consumer):
        if side.environment:
            return f"Deploy a version of {side.pacticipant} to {side.environment} first, and record its deployment."
    return f"Verify the pact of {_version(reason.consumer)} with {_version(reason.provider)}, and publish the result."


def _version(side: ReasonSide) -> str:
    return f"{side.pacticipant} ({side.version})" if side.version else side.pacticipant


def _named(selected: ResolvedSelector) -> str:
    number = find_number(selected)
    return f"{selected.selector.pacticipant} ({number})" if number else selected.selector.pacticipant
