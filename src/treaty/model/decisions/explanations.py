"""Explanations of decisions that are not yes: the cause, since when, who has to act, and the step that changes it.

`explain` is a pure function of an obstacle and of the facts about it. Each obstacle has exactly one cause.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from treaty.model.contacts import Contact
from treaty.model.decisions.cause_facts import (
    CauseFacts,
    PacticipantFacts,
    PairFacts,
    PairKey,
    PassedVersion,
    Placement,
    VerificationRequest,
)
from treaty.model.decisions.causes import Cause
from treaty.model.decisions.reasons import (
    ComparisonFailed,
    ComparisonGap,
    NoSuchVersion,
    NotCompared,
    NotVerified,
    Obstacle,
    PairObstacle,
    ReasonPact,
    ReasonSide,
    VerificationFailed,
    suggest_next_step,
)
from treaty.model.decisions.selectors import NoVersion, Selector, find_number

Command = tuple[str, ...]
"""The words of a command."""
VERSION: Final = "VERSION"
"""Placeholder for a version that only the user knows."""


class VersionName(NamedTuple):
    """A version; without a number, the pacticipant as a whole."""

    pacticipant: str
    number: str | None

    def describe(self) -> str:
        return f"{self.pacticipant} ({self.number})" if self.number else self.pacticipant


class PactVerification(NamedTuple):
    """The pact to verify, with a version of the provider."""

    consumer: str
    consumer_version: str
    provider: str
    provider_version: str | None
    """None for a new version, which has the placeholder `VERSION`."""
    branch: str | None = None
    """The branch of a new version."""


class Step(NamedTuple):
    """What changes the answer or its cause: a sentence, and the commands or the page for it."""

    text: str
    commands: tuple[Command, ...] = ()
    verification: PactVerification | None = None
    """A verification to run before the commands. Its command has URLs, so the entry points write it."""
    delivery: str | None = None
    """UUID of the delivery to send again."""
    webhook: str | None = None
    """UUID of the webhook to repair."""


class Explanation(NamedTuple):
    """Why an obstacle exists, and who can remove it."""

    cause: Cause
    subject: VersionName
    """The version that the cause is about."""
    problem: str
    """A sentence about the subject, without its name."""
    since: datetime | None
    actor: str | None
    """The pacticipant whose team has to act; None if the broker itself will."""
    step: Step
    contacts: Sequence[Contact] = ()
    look_at: VersionName | None = None
    """The version to look at: the one at fault, or the one that would do."""
    passed: PassedVersion | None = None
    """Of a regression: the provider version that verified the pact last."""
    is_pending: bool = False

    @property
    def summary(self) -> str:
        return f"{self.subject.describe()}: {self.problem}"


def pair_key(reason: PairObstacle, pact: ReasonPact) -> PairKey:
    """Return the key of the facts about a reason."""
    consumer, provider = reason.consumer.pacticipant, reason.provider.pacticipant
    return PairKey(consumer, pact.consumer_version, provider, reason.provider.version, pact.sha)


def explain(reason: Obstacle, facts: CauseFacts) -> Explanation:
    """Find the cause of an obstacle. The first that applies counts, from the most to the least specific."""
    match reason:
        case NoSuchVersion(selected=selected):
            return _explain_absence(selected.selector, facts, is_counterpart=False, pact=None)
        case NotCompared() | ComparisonFailed():
            return _explain_comparison(reason, facts)
        case NotVerified() | VerificationFailed():
            return _explain_result(reason, facts)


# Versions that do not exist, or that a selector does not match


class _NeededPact(NamedTuple):
    """The pact that a missing counterpart has to verify."""

    reason: PairObstacle
    published_at: datetime | None


def _explain_absence(
    selector: Selector, facts: CauseFacts, *, is_counterpart: bool, pact: _NeededPact | None
) -> Explanation:
    """Explain that a selector matches no version."""
    name, own = selector.pacticipant, facts.of_pacticipant(selector.pacticipant)
    candidate = own.named.get(selector.version) if selector.version else own.newest
    marks_deployment = selector.environment or (selector.tag and is_counterpart)
    if candidate is None:
        return _explain_never_built(selector, own, pact)
    version = VersionName(name, candidate.number)
    commands = tuple(_list_marking_commands(selector, candidate.number, own))
    if marks_deployment and not selector.branch and not selector.is_main_branch:
        place = selector.environment or f"the versions with the tag {selector.tag}"
        ended_at = own.ended.get(selector.environment or "")
        needed_since = pact.published_at if pact else None
        return Explanation(
            cause=Cause.NOT_DEPLOYED,
            subject=VersionName(name, None),
            problem=f"No version is recorded as deployed or released in {selector.environment}."
            if selector.environment
            else f"No version has the tag {selector.tag}, which marks the versions at the destination.",
            since=ended_at or needed_since or own.created_at,
            actor=name,
            contacts=own.contacts,
            look_at=version,
            step=Step(text=_describe_deployment(selector, place), commands=commands),
        )
    existing = "The version exists" if selector.version else "Versions exist"
    return Explanation(
        cause=Cause.EXCLUDED_BY_SELECTOR,
        subject=VersionName(name, selector.version),
        problem=f"{existing}, but {_describe_exclusion(selector, own)}.",
        since=candidate.created_at,
        actor=name,
        contacts=own.contacts,
        look_at=version,
        step=Step(text=f"Mark a version of {name} so that it is selected, or select another.", commands=commands),
    )


def _describe_deployment(selector: Selector, place: str) -> str:
    if selector.environment:
        return f"Deploy a version of {selector.pacticipant} to {place} first, and record its deployment."
    return f"Add the tag {selector.tag} to the version of {selector.pacticipant} that is at the destination."


def _describe_exclusion(selector: Selector, own: PacticipantFacts) -> str:
    criteria = []
    if selector.branch:
        criteria.append(f"is on the branch {selector.branch}")
    if selector.is_main_branch and own.main_branch is None:
        return "the application has no main branch"
    if selector.is_main_branch:
        criteria.append(f"is on the main branch {own.main_branch}")
    if selector.tag:
        criteria.append(f"has the tag {selector.tag}")
    if selector.environment:
        criteria.append(f"is in {selector.environment}")
    condition = " and ".join(criteria) or "meets the selector"
    return f"it does not meet that it {condition}" if selector.version else f"none {condition}"


def _explain_never_built(selector: Selector, own: PacticipantFacts, pact: _NeededPact | None) -> Explanation:
    name, number = selector.pacticipant, selector.version
    latest = own.newest
    step = _build_publication(selector, own)
    if pact is not None:
        step = _build_new_verification(pact.reason, own, _list_deployment_commands(selector, VERSION))
    return Explanation(
        cause=Cause.VERSION_NEVER_BUILT,
        subject=VersionName(name, number),
        problem="The broker has no such version: no build has published anything for it."
        if number
        else "The broker has no version of it: no build has published anything.",
        since=latest.created_at if latest else own.created_at,
        actor=name,
        contacts=own.contacts,
        look_at=VersionName(name, latest.number) if latest else None,
        step=step,
    )


def _build_publication(selector: Selector, own: PacticipantFacts) -> Step:
    """Build the step that publishes a version as the selector asks for it."""
    words = ["pact-broker", "publish", "PACTS", "--consumer-app-version", selector.version or VERSION]
    branches = _list_branches(selector, own)
    words += ["--branch", branches[0]] if branches else []
    words += ["--tag", selector.tag] if selector.tag else []
    version = VersionName(selector.pacticipant, selector.version).describe()
    named = ("--pacticipant", selector.pacticipant, "--version", selector.version or VERSION)
    others = [("pact-broker", "create-or-update-version", *named, "--branch", branch) for branch in branches[1:]]
    deployment = _list_deployment_commands(selector, selector.version or VERSION)
    return Step(
        text=f"Publish the pacts or verification results of {version}, or check how it was named.",
        commands=(tuple(words), *others, *deployment),
    )


_MAIN_BRANCH: Final = "MAIN_BRANCH"
"""Placeholder for the name of the main branch of an application that has none."""


def _list_branches(selector: Selector, own: PacticipantFacts) -> list[str]:
    """List the branches on which a version has to be: a selector may ask for a branch and for the main branch."""
    main = [own.main_branch or _MAIN_BRANCH] if selector.is_main_branch else []
    return list(dict.fromkeys([*([selector.branch] if selector.branch else []), *main]))


def _list_marking_commands(selector: Selector, number: str, own: PacticipantFacts) -> Iterable[Command]:
    """List the commands after which the selector matches a version."""
    version = ("--pacticipant", selector.pacticipant, "--version", number)
    if selector.is_main_branch and own.main_branch is None:
        words = ("--name", selector.pacticipant, "--main-branch", _MAIN_BRANCH)
        yield ("pact-broker", "create-or-update-pacticipant", *words)
    for branch in _list_branches(selector, own):
        yield ("pact-broker", "create-or-update-version", *version, "--branch", branch)
    if selector.tag:
        yield ("pact-broker", "create-version-tag", *version, "--tag", selector.tag)
    yield from _list_deployment_commands(selector, number)


def _list_deployment_commands(selector: Selector, number: str) -> tuple[Command, ...]:
    if not selector.environment:
        return ()
    words = ("--pacticipant", selector.pacticipant, "--version", number, "--environment", selector.environment)
    return (("pact-broker", "record-deployment", *words),)


# Missing and failed results


def _explain_result(reason: NotVerified | VerificationFailed, facts: CauseFacts) -> Explanation:
    published_at = reason.pact.published_at if reason.pact else None
    for side in (reason.provider, reason.consumer):
        if isinstance(side.selected, NoVersion):
            needed = _NeededPact(reason, published_at)
            return _explain_absence(side.selected.selector, facts, is_counterpart=True, pact=needed)
    if reason.pact is None:
        return _explain_request(reason, facts, None, PairFacts())
    if reason.pact.is_superseded:
        return _explain_overwritten(reason, facts, reason.pact)
    of_pair = facts.of_pair(pair_key(reason, reason.pact))
    newer = _explain_newer(reason, facts, of_pair)
    if newer is not None:
        return newer
    if isinstance(reason, VerificationFailed):
        return _explain_failure(reason, facts, reason.pact, of_pair)
    return _explain_request(reason, facts, reason.pact, of_pair)


def _explain_overwritten(reason: NotVerified | VerificationFailed, facts: CauseFacts, pact: ReasonPact) -> Explanation:
    provider = _name(reason.provider)
    return Explanation(
        cause=Cause.SUPERSEDED,
        subject=provider,
        problem="A newer pact or result of the same versions has replaced this one, but the query counts all of them.",
        since=pact.verified_at or pact.published_at,
        actor=provider.pacticipant,
        contacts=facts.of_pacticipant(provider.pacticipant).contacts,
        look_at=provider if provider.number else None,
        step=Step(text="Leave out what has been replaced: add latestby=cvpv to the query."),
    )


def _explain_newer(
    reason: NotVerified | VerificationFailed, facts: CauseFacts, of_pair: PairFacts
) -> Explanation | None:
    """Explain that a newer version than the one at the destination would do, if there is one."""
    if reason.consumer.pacticipant == reason.provider.pacticipant:
        return None
    for side, newer in ((reason.provider, of_pair.newer_provider), (reason.consumer, of_pair.newer_consumer)):
        own = facts.of_pacticipant(side.pacticipant)
        commands = _list_replacement_commands(side, newer.number, own) if newer else ()
        if newer is None or not commands:
            continue
        replacement = VersionName(side.pacticipant, newer.number)
        return Explanation(
            cause=Cause.SUPERSEDED,
            subject=_name(side),
            problem=_describe_newer(reason, newer, is_provider=side is reason.provider),
            since=newer.at,
            actor=side.pacticipant,
            contacts=own.contacts,
            look_at=replacement,
            step=Step(
                text=f"Deploy {replacement.describe()} in place of {_name(side).describe()}, and record it.",
                commands=commands,
            ),
        )
    return None


def _describe_newer(reason: NotVerified | VerificationFailed, newer: PassedVersion, *, is_provider: bool) -> str:
    done = "fails the pact" if isinstance(reason, VerificationFailed) else "has not verified the pact"
    if is_provider:
        return (
            f"This version {done} of {_name(reason.consumer).describe()}; the newer version {newer.number} verifies it."
        )
    provider = _name(reason.provider).describe()
    return f"{provider} {done} of this version; it verifies that of the newer version {newer.number}."


def _list_replacement_commands(side: ReasonSide, replacement: str, own: PacticipantFacts) -> tuple[Command, ...]:
    """List the commands that record another version in place of the one that a selector finds at a destination."""
    selector, number = side.selected.selector, side.version
    if number is None:
        return ()
    version = ("--pacticipant", side.pacticipant, "--version")
    if selector.environment and selector == Selector(pacticipant=side.pacticipant, environment=selector.environment):
        placements = own.placements.get((number, selector.environment), ())
        return tuple(_list_placement_commands(placements, (*version, number), (*version, replacement), selector))
    if selector.tag and selector == Selector(pacticipant=side.pacticipant, tag=selector.tag, is_latest=True):
        return (("pact-broker", "create-version-tag", *version, replacement, "--tag", selector.tag),)
    return ()


def _list_placement_commands(
    placements: Sequence[Placement], old: Command, new: Command, selector: Selector
) -> Iterable[Command]:
    environment = ("--environment", selector.environment or "")
    for placement in placements:
        if placement.is_release:
            yield ("pact-broker", "record-release", *new, *environment)
            yield ("pact-broker", "record-support-ended", *old, *environment)
        else:
            instance = placement.application_instance
            words = ("--application-instance", instance) if instance else ()
            yield ("pact-broker", "record-deployment", *new, *environment, *words)


def _explain_failure(
    reason: VerificationFailed, facts: CauseFacts, pact: ReasonPact, of_pair: PairFacts
) -> Explanation:
    provider, own = _name(reason.provider), facts.of_pacticipant(reason.provider.pacticipant)
    passed = of_pair.last_success
    pact_name = f"the pact of {_name(reason.consumer).describe()}"
    return Explanation(
        cause=Cause.REGRESSION if passed else Cause.NEVER_PASSED,
        subject=provider,
        problem=f"This version fails {pact_name}, which version {passed.number} had verified."
        if passed
        else f"This version fails {pact_name}, which no version has passed yet.",
        since=of_pair.failing_since or pact.verified_at,
        actor=provider.pacticipant,
        contacts=own.contacts,
        look_at=provider,
        passed=passed,
        is_pending=of_pair.is_pending,
        step=_build_repair_of_provider(reason, own),
    )


def _build_repair_of_provider(reason: VerificationFailed, own: PacticipantFacts) -> Step:
    """Build the step after a failure. Where the failing version runs, it also has to be replaced."""
    replacement = _list_replacement_commands(reason.provider, VERSION, own)
    afterwards = "deploy it" if replacement else "ask about it"
    return Step(
        text=f"{suggest_next_step(reason)} Then verify the new version, and {afterwards}.",
        verification=_new_verification(reason, own),
        commands=replacement,
    )


def _explain_request(
    reason: NotVerified | VerificationFailed, facts: CauseFacts, pact: ReasonPact | None, of_pair: PairFacts
) -> Explanation:
    """Explain that a result is missing: why no verification has produced it."""
    provider, own = _name(reason.provider), facts.of_pacticipant(reason.provider.pacticipant)
    cause, problem, since = _find_request_cause(reason, pact, of_pair)
    request = of_pair.request
    is_failing = cause is Cause.WEBHOOK_FAILING and request is not None
    verify = Step(
        text=_describe_verification(reason, cause),
        verification=_existing_verification(reason, own),
        delivery=request.delivery if request and cause is Cause.RESULT_AWAITED else None,
    )
    return Explanation(
        cause=cause,
        subject=provider,
        problem=problem,
        since=since,
        actor=provider.pacticipant,
        contacts=own.contacts,
        look_at=provider if provider.number else None,
        step=_build_repair_of_webhook(request) if is_failing and request else verify,
    )


def _describe_verification(reason: NotVerified | VerificationFailed, cause: Cause) -> str:
    text, provider = suggest_next_step(reason), reason.provider.pacticipant
    match cause:
        case Cause.RESULT_AWAITED:
            return f"Look at the build of {provider} that was requested. If it publishes no result: {text}"
        case Cause.EXCLUDED_BY_SELECTOR:
            return f"Add a selector for this pact to the verification of {provider}. {text}"
        case _:
            return text


def _find_request_cause(
    reason: NotVerified | VerificationFailed, pact: ReasonPact | None, of_pair: PairFacts
) -> tuple[Cause, str, datetime | None]:
    request, pact_name = of_pair.request, f"the pact of {_name(reason.consumer).describe()}"
    if request and request.is_failing:
        problem = f"The webhook that requests verifications, “{request.title}”, fails."
        return Cause.WEBHOOK_FAILING, problem, request.at
    if request and not of_pair.is_answered:
        how = "delivered" if request.is_delivered else "enqueued, but not yet delivered"
        problem = (
            f"The verification of {pact_name} has been requested (“{request.title}”: {how}); there is no result yet."
        )
        return Cause.RESULT_AWAITED, problem, request.at
    if of_pair.skipped_at:
        problem = (
            f"This version has verified another pact of {reason.consumer.pacticipant} since; its selectors left out "
            f"{pact_name}."
        )
        return Cause.EXCLUDED_BY_SELECTOR, problem, of_pair.skipped_at
    if of_pair.is_empty:
        problem = "This version has neither pacts nor results: its build has published nothing."
        return Cause.BUILT_WITHOUT_PACTS, problem, of_pair.provider_version_created_at
    since = pact.published_at if pact else None
    return Cause.NOT_REQUESTED, f"Nothing has requested the verification of {pact_name}.", since


def _build_repair_of_webhook(request: VerificationRequest) -> Step:
    if request.delivery is None:
        text = f"Repair the webhook “{request.title}” and save it, which ends its pause."
    else:
        text = f"Repair the webhook “{request.title}” or its receiver, and send the delivery again."
    return Step(text=text, delivery=request.delivery, webhook=request.webhook)


def _existing_verification(reason: PairObstacle, own: PacticipantFacts) -> PactVerification:
    """Build the verification with the provider version that a decision needs."""
    number = reason.provider.version or reason.provider.required_version
    return _verification(reason, number, None if number else own.main_branch)


def _new_verification(reason: PairObstacle, own: PacticipantFacts) -> PactVerification:
    """Build the verification with a new version, on the main branch: there it can replace the version that failed."""
    return _verification(reason, None, own.main_branch)


def _verification(reason: PairObstacle, number: str | None, branch: str | None) -> PactVerification:
    return PactVerification(
        consumer=reason.consumer.pacticipant,
        consumer_version=(reason.pact.consumer_version if reason.pact else reason.consumer.version) or VERSION,
        provider=reason.provider.pacticipant,
        provider_version=number,
        branch=branch,
    )


def _build_new_verification(reason: PairObstacle, own: PacticipantFacts, deployment: tuple[Command, ...]) -> Step:
    consumer, provider = _name(reason.consumer).describe(), reason.provider.pacticipant
    afterwards = ", publish the result, and deploy it" if deployment else ", and publish the result"
    text = f"Verify the pact of {consumer} with a version of {provider}{afterwards}."
    return Step(text=text, verification=_new_verification(reason, own), commands=deployment)


def _name(side: ReasonSide) -> VersionName:
    return VersionName(side.pacticipant, side.version or find_number(side.selected))


# Comparisons with contracts of providers


def _explain_comparison(reason: NotCompared | ComparisonFailed, facts: CauseFacts) -> Explanation:
    provider, own = _name(reason.provider), facts.of_pacticipant(reason.provider.pacticipant)
    cause = _find_comparison_cause(reason)
    pact = reason.pact
    waits = cause is Cause.COMPARISON_NOT_FINISHED
    created_at = facts.of_pair(pair_key(reason, pact)).provider_version_created_at if pact else None
    published_at = pact.published_at if pact else None
    has_result = cause in {Cause.COMPARISON_FAILED, Cause.SELF_VERIFICATION_FAILED}
    since = pact.verified_at if has_result and pact else None
    if cause is Cause.SELF_VERIFICATION_MISSING:
        since = created_at
    return Explanation(
        cause=cause,
        subject=provider,
        problem=_COMPARISON_PROBLEMS[cause].format(consumer=_name(reason.consumer).describe()),
        since=since or max((time for time in (created_at, published_at) if time), default=None),
        actor=None if waits else provider.pacticipant,
        contacts=() if waits else own.contacts,
        look_at=provider,
        step=Step(
            text=suggest_next_step(reason),
            commands=_list_contract_commands(cause, provider),
            verification=_existing_verification(reason, own) if cause is Cause.NOT_DESCRIBED else None,
        ),
    )


def _find_comparison_cause(reason: NotCompared | ComparisonFailed) -> Cause:
    match reason:
        case ComparisonFailed(is_self_verified=is_self_verified):
            return Cause.COMPARISON_FAILED if is_self_verified else Cause.SELF_VERIFICATION_FAILED
        case NotCompared(gap=gap):
            return _CAUSES_BY_GAP[gap]


_CAUSES_BY_GAP: Final = {
    ComparisonGap.NOT_COMPARED: Cause.COMPARISON_NOT_FINISHED,
    ComparisonGap.NOT_SELF_VERIFIED: Cause.SELF_VERIFICATION_MISSING,
    ComparisonGap.NOT_DESCRIBED: Cause.NOT_DESCRIBED,
}
_COMPARISON_PROBLEMS: Final = {
    Cause.COMPARISON_NOT_FINISHED: "The comparison of its contract with the pact of {consumer} is not finished yet.",
    Cause.SELF_VERIFICATION_MISSING: "Its contract, on which the pact of {consumer} relies, has no test result.",
    Cause.SELF_VERIFICATION_FAILED: "Its tests against its contract failed, on which the pact of {consumer} relies.",
    Cause.COMPARISON_FAILED: "Its contract does not satisfy the pact of {consumer}.",
    Cause.NOT_DESCRIBED: "Its contract does not describe all kinds of interactions in the pact of {consumer}.",
}


def _list_contract_commands(cause: Cause, provider: VersionName) -> tuple[Command, ...]:
    """List the commands that publish a contract: of the same version if it only lacks a result, else of a new one."""
    if cause in {Cause.COMPARISON_NOT_FINISHED, Cause.NOT_DESCRIBED}:
        return ()
    number = provider.number if cause is Cause.SELF_VERIFICATION_MISSING else None
    words = ("--provider", provider.pacticipant, "--provider-app-version", number or VERSION)
    result = ("--verification-exit-code", "EXIT_CODE_OF_THE_TESTS")
    return (("pact-broker", "publish-provider-contract", "DOCUMENT", *words, *result),)
