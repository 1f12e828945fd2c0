"""The causes of decisions that are not yes: a closed list, with the texts that describe each of them to readers.

JSON, pages, command line, badges and `docs/reasons.md` are derived from it. `explanations` finds the cause of an
obstacle.
"""

from collections.abc import Mapping
from enum import Enum
from typing import Final, NamedTuple


class Cause(Enum):
    """Why a decision is not yes. The values are part of the API, and name the sections of `docs/reasons.md`."""

    VERSION_NEVER_BUILT = "version_never_built"
    BUILT_WITHOUT_PACTS = "built_without_pacts"
    NOT_REQUESTED = "verification_not_requested"
    RESULT_AWAITED = "result_awaited"
    WEBHOOK_FAILING = "webhook_failing"
    REGRESSION = "regression"
    NEVER_PASSED = "never_passed"
    NOT_DEPLOYED = "not_deployed"
    SUPERSEDED = "superseded"
    EXCLUDED_BY_SELECTOR = "excluded_by_selector"
    COMPARISON_NOT_FINISHED = "comparison_not_finished"
    SELF_VERIFICATION_MISSING = "self_verification_missing"
    SELF_VERIFICATION_FAILED = "self_verification_failed"
    COMPARISON_FAILED = "comparison_failed"
    NOT_DESCRIBED = "not_described"


class CauseDescription(NamedTuple):
    """A section of `docs/reasons.md` and of the page of causes."""

    title: str
    meaning: str
    since: str
    actor: str
    step: str


DESCRIPTIONS: Final[Mapping[Cause, CauseDescription]] = {
    Cause.VERSION_NEVER_BUILT: CauseDescription(
        "The version was never built",
        "The broker has no version with this number, or no version of the application at all. In a repository with "
        "several applications, a build often skips those that have not changed, so that the commit's number does not "
        "exist for them. A typing error has the same effect.",
        "when the newest version of the application was created, or else the application itself",
        "the application without the version",
        "Publish the pacts or results of the version, or ask about the number under which it was built. "
        "If the commit left the application unchanged, make it an alias of that version (`treaty alias`).",
    ),
    Cause.BUILT_WITHOUT_PACTS: CauseDescription(
        "The version was built without pacts",
        "The provider version exists, but has neither pacts nor verification results nor a contract of its own. Most "
        "often a deployment script created it in order to record a deployment. No verification will mention it, so the "
        "answer stays the same however long you wait.",
        "when the version was created",
        "the provider",
        "Verify the pact with exactly this version, or record the deployment of the version whose build published "
        "results.",
    ),
    Cause.NOT_REQUESTED: CauseDescription(
        "Nothing has requested the verification",
        "The pact has no result from this provider version, and no webhook has asked the provider to verify it. The "
        "provider verifies it at its next build at the earliest.",
        "when the pact was published",
        "the provider",
        "Verify the pact with this version. To have this done each time, create a webhook for the event "
        "`contract_requiring_verification_published`.",
    ),
    Cause.RESULT_AWAITED: CauseDescription(
        "The verification was requested, and there is no result yet",
        "A webhook has asked the provider to verify the pact. Its build is still running, has failed before it could "
        "publish a result, or does not publish results.",
        "when the webhook was delivered, or else enqueued",
        "the provider",
        "Look at the build that the webhook started (the link shows the delivery), or verify the pact by hand.",
    ),
    Cause.WEBHOOK_FAILING: CauseDescription(
        "The webhook that requests verifications fails",
        "The request to verify the pact did not reach the provider's build: the webhook's delivery failed, or the "
        "webhook is paused because it kept failing.",
        "when the delivery first failed, or the webhook was marked as failing",
        "the provider",
        "Repair the webhook or its receiver, then send the delivery again from its page. Saving a paused webhook ends "
        "its pause.",
    ),
    Cause.REGRESSION: CauseDescription(
        "The verification failed, although it had passed before",
        "The provider version fails a pact that an earlier result of the provider had verified. `passed` names that "
        "version.",
        "the first failure after the last success",
        "the provider",
        "Compare the version with the one that passed, repair the provider, and verify the pact with the new version.",
    ),
    Cause.NEVER_PASSED: CauseDescription(
        "The verification failed, and has never passed",
        "The provider version fails the pact, and no provider version has verified it yet. Often the consumer is ahead "
        "of the provider.",
        "when the result was published",
        "the provider",
        "Make the provider honour the pact, or change what the consumer expects; then verify the new version.",
    ),
    Cause.NOT_DEPLOYED: CauseDescription(
        "The counterpart is not deployed yet",
        "No version of the counterpart is recorded in the environment (or has the tag that marks it), so there is none "
        "that the version could work with.",
        "when the counterpart's last deployment there ended, or else when the pact was published",
        "the counterpart",
        "Deploy the counterpart first, and record its deployment.",
    ),
    Cause.SUPERSEDED: CauseDescription(
        "A newer version has replaced it",
        "The version at the destination has no success, but a newer one has: the environment lags behind the results. "
        "In queries without `latestby`, the cause also means a pact or result that a newer one of the same versions "
        "has replaced.",
        "when the newer version's result was published",
        "the application whose newer version should be deployed",
        "Deploy the newer version, and record its deployment.",
    ),
    Cause.EXCLUDED_BY_SELECTOR: CauseDescription(
        "A selector excludes it",
        "Either versions exist, but none meets the query's selector (such as a branch that no version is on); or the "
        "provider version has verified other pacts of the consumer since this one was published, so that the "
        "consumer version selectors of its verification leave this pact out.",
        "when the newest candidate was created, or when the provider version verified another pact",
        "the application whose version is selected, or the provider",
        "Add the version to the branch or give it the tag; or extend the selectors of the verification and verify the "
        "pact.",
    ),
    Cause.COMPARISON_NOT_FINISHED: CauseDescription(
        "The comparison is not finished",
        "The broker still has to compare the pact with the contract of the provider version.",
        "the later of the pact and the provider version",
        "the broker, which compares them",
        "Wait some seconds and ask again, for example with `--retry-while-unknown`.",
    ),
    Cause.SELF_VERIFICATION_MISSING: CauseDescription(
        "The provider's contract has no self-verification",
        "The contract satisfies the pact, but the provider has not published whether its tests pass against its own "
        "contract.",
        "when the provider version was created",
        "the provider",
        "Test the provider against its contract, and publish the contract with the result.",
    ),
    Cause.SELF_VERIFICATION_FAILED: CauseDescription(
        "The provider fails its own contract",
        "The provider's tests against its own contract failed, so the pact cannot rely on the contract.",
        "when the result was recorded",
        "the provider",
        "Make the provider honour its contract, and publish the contract with the new result.",
    ),
    Cause.COMPARISON_FAILED: CauseDescription(
        "The provider's contract does not satisfy the pact",
        "The comparison found differences between the contract of the provider version and the pact.",
        "when the comparison was recorded",
        "the provider",
        "Read the findings of the comparison, and change the provider or what the consumer expects.",
    ),
    Cause.NOT_DESCRIBED: CauseDescription(
        "The provider's contract does not describe the pact",
        "The contract describes only some kinds of interactions in the pact, for example requests but no messages.",
        "the later of the pact and the provider version",
        "the provider",
        "Verify the pact with the provider version, or publish contracts that describe all kinds of interactions.",
    ),
}
