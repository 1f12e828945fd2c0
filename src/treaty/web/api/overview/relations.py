"""Documentation of the link relations, which the `curies` of HAL documents refer to."""

from dataclasses import dataclass
from typing import Final

from treaty.web import urls
from treaty.web.urls import Url


@dataclass(frozen=True, slots=True)
class RelationMeaning:
    """The description of a relation, and the URL that its links have; None if that varies."""

    text: str
    url: Url | None = None


_BY_RELATION: Final = {
    "self": RelationMeaning("The document itself."),
    "pacticipants": RelationMeaning(
        "All pacticipants: the applications and services that are consumers or providers. POST creates one; publishing"
        " a pact creates its pacticipants, too.",
        urls.PACTICIPANTS,
    ),
    "pacticipant": RelationMeaning(
        "A pacticipant by name: its repository, main branch, labels, and deployed versions. If the link is a template,"
        " fill in the name.",
        urls.PACTICIPANT,
    ),
    "pacticipants-with-label": RelationMeaning(
        "The pacticipants with a label. Labels group pacticipants, for example by team or product; a webhook can apply"
        " to all pacticipants with a label.",
        urls.PACTICIPANTS_WITH_LABEL,
    ),
    "rename": RelationMeaning(
        "POST renames the pacticipant, with all that belongs to it. Reads of the former name are redirected, and writes"
        " are refused until another pacticipant is created with it.",
        urls.RENAME_PACTICIPANT,
    ),
    "label": RelationMeaning("A label of the pacticipant. PUT adds it, and DELETE removes it.", urls.PACTICIPANT_LABEL),
    "consumer": RelationMeaning("The pacticipant that sends the requests in the pact.", urls.PACTICIPANT),
    "provider": RelationMeaning("The pacticipant that responds to the requests in the pact.", urls.PACTICIPANT),
    "consumers": RelationMeaning(
        "The pacticipants with the label that the webhook gives for consumers.", urls.PACTICIPANTS
    ),
    "providers": RelationMeaning(
        "The pacticipants with the label that the webhook gives for providers.", urls.PACTICIPANTS
    ),
    "versions": RelationMeaning("All versions of the pacticipant, newest first.", urls.VERSIONS),
    "version": RelationMeaning(
        "A version of the pacticipant by number. The number should be, or contain, the commit.", urls.VERSION
    ),
    "pacticipant-version": RelationMeaning(
        "A version of a pacticipant by number: its branches, tags, pacts and environments. PUT creates it before it has"
        " a pact.",
        urls.VERSION,
    ),
    "latest-version": RelationMeaning("The newest version of the pacticipant, or of the branch.", urls.LATEST_VERSION),
    "latest-tagged-version": RelationMeaning("The newest version that has a tag.", urls.LATEST_TAGGED_VERSION),
    "consumer-version": RelationMeaning("The version of the consumer for which the pact was published.", urls.VERSION),
    "consumer-versions": RelationMeaning("The versions of the consumer for which this pact was chosen.", urls.VERSION),
    "branches": RelationMeaning("The branches of the pacticipant, the most recently changed first.", urls.BRANCHES),
    "branch": RelationMeaning("A branch of the pacticipant. DELETE deletes it, but not its versions.", urls.BRANCH),
    "pacticipant-branch": RelationMeaning(
        "A branch of a pacticipant. DELETE deletes it, but not its versions.", urls.BRANCH
    ),
    "branch-version": RelationMeaning(
        "A version's position on a branch. PUT makes it the head of the branch.", urls.BRANCH_VERSION
    ),
    "pacticipant-branch-version": RelationMeaning(
        "A version's position on a branch of its pacticipant. PUT makes it the head of the branch, and creates both if"
        " necessary.",
        urls.BRANCH_VERSION,
    ),
    "tag": RelationMeaning("A tag of the version. PUT adds it, and DELETE removes it.", urls.VERSION_TAG),
    "version-tag": RelationMeaning("A tag of a version. PUT adds it, and DELETE removes it.", urls.VERSION_TAG),
    "pacticipant-version-tag": RelationMeaning(
        "A tag of a version of a pacticipant. PUT adds it, and DELETE removes it. Branches and environments replace"
        " most tags.",
        urls.VERSION_TAG,
    ),
    "pacticipant-version-tags": RelationMeaning("The tags that this request added to the version.", urls.VERSION_TAG),
    "tag-version": RelationMeaning("PUT adds a tag to the consumer version.", urls.VERSION_TAG),
    "tag-prod-version": RelationMeaning(
        "PUT adds the tag `prod` to the consumer version. Prefer recording a deployment.",
        urls.VERSION_TAG,
    ),
    "version-lookup": RelationMeaning(
        "The version that a number, an alias, or the beginning of a number identifies; if none or several do, the"
        " versions that may be meant.",
        urls.VERSION_LOOKUP,
    ),
    "environments": RelationMeaning(
        "The environments to which versions are deployed or released. POST adds one.", urls.ENVIRONMENTS
    ),
    "environment": RelationMeaning("An environment, by its UUID.", urls.ENVIRONMENT),
    "currently-deployed-deployed-versions": RelationMeaning(
        "The versions that are currently deployed to the environment.", urls.CURRENTLY_DEPLOYED
    ),
    "currently-supported-released-versions": RelationMeaning(
        "The versions that are released to the environment and currently supported.", urls.CURRENTLY_SUPPORTED
    ),
    "deployed-environments": RelationMeaning("Deployments by the name of their environment.", urls.DEPLOYED_VERSION),
    "released-environments": RelationMeaning("Releases by the name of their environment.", urls.RELEASED_VERSION),
    "record-deployment": RelationMeaning(
        "POST records that the version is deployed to the environment. It replaces the version that was deployed there"
        " in the same application instance.",
        urls.DEPLOYMENTS,
    ),
    "record-release": RelationMeaning(
        "POST records that the version is released to the environment. Several versions of a pacticipant can be"
        " supported at the same time.",
        urls.RELEASES,
    ),
    "publish-contracts": RelationMeaning(
        "POST publishes all pacts of a consumer version in one request, with its branch, tags and build URL. The"
        " response has notices for the log of the build.",
        urls.PUBLISH_CONTRACTS,
    ),
    "accepted-engine": RelationMeaning(
        "POST accepts the results of the server's comparison engine, so that they decide instead of those of the former"
        " engine.",
        urls.ACCEPTED_ENGINE,
    ),
    "publish-provider-contract": RelationMeaning(
        "POST publishes the contract of a provider version, an OpenAPI or AsyncAPI document, with the version's branch"
        " and tags, and the result of testing the provider against it. The contract is compared with pacts.",
        urls.PUBLISH_PROVIDER_CONTRACT,
    ),
    "publish-provider-contracts": RelationMeaning(
        "POST publishes several contracts of a provider version, each with a name.", urls.PUBLISH_PROVIDER_CONTRACTS
    ),
    "provider-contract": RelationMeaning(
        "The contracts of the provider version: its documents, as they were published.",
        urls.BIDIRECTIONAL + "/provider-contract",
    ),
    "provider-contract-verification-results": RelationMeaning(
        "The newest results of testing the provider version against its own contracts.",
        urls.BIDIRECTIONAL + "/provider-contract-verification-results",
    ),
    "consumer-contract": RelationMeaning(
        "The pacts that were compared with the contracts of the provider version.",
        urls.BIDIRECTIONAL + "/consumer-contract",
    ),
    "consumer-contract-verification-results": RelationMeaning(
        "The results of verifiers for the pacts that were compared with the contracts of the provider version.",
        urls.BIDIRECTIONAL + "/consumer-contract-verification-results",
    ),
    "cross-contract-verification-results": RelationMeaning(
        "The comparisons of pacts with the contracts of the provider version, with their findings.",
        urls.BIDIRECTIONAL + "/cross-contract-verification-results",
    ),
    "ui": RelationMeaning("The page about this for people."),
    "publish-pact": RelationMeaning(
        "PUT publishes one pact of a consumer version. Prefer `pb:publish-contracts`, which also sets branch and tags.",
        urls.PACT,
    ),
    "contracts": RelationMeaning("The pacts that this request published.", urls.PACT),
    "pacts": RelationMeaning("Pacts by the name of their consumer.", urls.PACT),
    "pact-version": RelationMeaning(
        "The pact by its content, whichever versions it was published for.", urls.PACT_VERSION
    ),
    "pact-versions": RelationMeaning("Pacts, one for each version of a consumer.", urls.PACT),
    "latest-pact-version": RelationMeaning("The pact of the newest consumer version that has one.", urls.LATEST_PACT),
    "latest-untagged-pact-version": RelationMeaning(
        "The pact of the newest consumer version without a tag.", urls.LATEST_UNTAGGED_PACT
    ),
    "latest-tagged-pact-version": RelationMeaning(
        "The pact of the newest consumer version with a tag.", urls.LATEST_TAGGED_PACT
    ),
    "all-pact-versions": RelationMeaning(
        "All pacts of the consumer and the provider, newest first. DELETE deletes all of them.", urls.PACTS
    ),
    "latest-pact-versions": RelationMeaning("The latest pact of each consumer and provider.", urls.LATEST_PACTS),
    "tagged-pact-versions": RelationMeaning(
        "The pacts of a consumer and a provider whose consumer versions have a tag. DELETE deletes them.",
        urls.TAGGED_PACTS,
    ),
    "branch-pact-versions": RelationMeaning(
        "The pacts of a consumer and a provider whose consumer versions are on a branch. DELETE deletes them.",
        urls.BRANCH_PACTS,
    ),
    "latest-branch-pact-versions": RelationMeaning(
        "The pact of a consumer and a provider at the head of a branch of the consumer.", urls.LATEST_BRANCH_PACTS
    ),
    "main-branch-pact-versions": RelationMeaning(
        "The pacts of a consumer and a provider whose consumer versions are on the consumer's main branch. DELETE"
        " deletes them.",
        urls.MAIN_BRANCH_PACTS,
    ),
    "latest-main-branch-pact-versions": RelationMeaning(
        "The pact of a consumer and a provider at the head of the consumer's main branch.",
        urls.LATEST_MAIN_BRANCH_PACTS,
    ),
    "provider-pacts": RelationMeaning("All pacts of a provider, with any of its consumers.", urls.PROVIDER_PACTS),
    "latest-provider-pacts": RelationMeaning(
        "The latest pact of a provider with each of its consumers.", urls.LATEST_PROVIDER_PACTS
    ),
    "provider-pacts-with-tag": RelationMeaning(
        "The pacts of a provider whose consumer versions have a tag.", urls.PROVIDER_PACTS_WITH_TAG
    ),
    "latest-provider-pacts-with-tag": RelationMeaning(
        "The latest pact of a provider with each of its consumers, among the versions that have a tag.",
        urls.LATEST_PROVIDER_PACTS_WITH_TAG,
    ),
    "provider-pacts-with-branch": RelationMeaning(
        "The pacts of a provider whose consumer versions are on branches with a given name.", urls.BRANCH_PROVIDER_PACTS
    ),
    "latest-provider-pacts-with-branch": RelationMeaning(
        "The pacts of a provider at the heads of its consumers' branches with a given name.",
        urls.LATEST_BRANCH_PROVIDER_PACTS,
    ),
    "provider-pacts-with-main-branch": RelationMeaning(
        "The pacts of a provider whose versions are on the main branch of their consumer.",
        urls.MAIN_BRANCH_PROVIDER_PACTS,
    ),
    "latest-provider-pacts-with-main-branch": RelationMeaning(
        "The pacts of a provider at the heads of its consumers' main branches.",
        urls.LATEST_MAIN_BRANCH_PROVIDER_PACTS,
    ),
    "provider-pacts-for-verification": RelationMeaning(
        "The pacts that a provider's build should verify. POST selects them by branch, environment, and pending or work"
        " in progress status. Each content is listed once, with the reasons why it was selected.",
        urls.PACTS_FOR_VERIFICATION,
    ),
    "pending-provider-pacts": RelationMeaning(
        "Deprecated: the pacts whose verification may fail without failing the provider's build. Use"
        " `pb:provider-pacts-for-verification` instead.",
        urls.PACTS_FOR_VERIFICATION,
    ),
    "provider-states": RelationMeaning(
        "The provider states in the pacts of a provider, each with the consumers that use it.",
        urls.PROVIDER_STATES,
    ),
    "previous-distinct": RelationMeaning(
        "The closest earlier pact of the consumer and the provider with different content.", urls.PREVIOUS_DISTINCT_PACT
    ),
    "diff-previous-distinct": RelationMeaning(
        "The changes since the closest earlier pact with different content, as text.", urls.DIFF_WITH_PREVIOUS
    ),
    "diff": RelationMeaning(
        "The changes between this content and another content of the same pair, as text. Fill in the SHA of the other"
        " content.",
        urls.DIFF_WITH_PACT_VERSION,
    ),
    "publish-verification-results": RelationMeaning(
        "POST publishes a verification result: whether verification succeeded, and the provider version.",
        urls.VERIFICATIONS,
    ),
    "latest-verification-results": RelationMeaning(
        "The newest result for this content, for any provider version.", urls.LATEST_VERIFICATION
    ),
    "latest-verification-results-where-pacticipant-is-consumer": RelationMeaning(
        "Results for the pacts of this version as a consumer: the newest from each provider, and whether all of them"
        " are successful.",
        urls.VERIFICATIONS_OF_CONSUMER_VERSION,
    ),
    "matrix": RelationMeaning(
        "The matrix of verification results between consumer versions and provider versions.",
        urls.MATRIX,
    ),
    "matrix-for-consumer-version": RelationMeaning("The rows of the matrix with this consumer version.", urls.MATRIX),
    "can-i-deploy": RelationMeaning(
        "Whether a version is compatible with all versions in an environment, with reasons.", urls.CAN_I_DEPLOY
    ),
    "can-i-deploy-pacticipant-version-to-environment": RelationMeaning(
        "Whether a version is compatible with all versions that are deployed or released to an environment, with"
        " reasons. Check this before each deployment.",
        urls.CAN_I_DEPLOY,
    ),
    "can-i-deploy-pacticipant-version-to-tag": RelationMeaning(
        "Whether a version is compatible with the newest versions that have a tag, with reasons. If you use"
        " environments, check by environment instead.",
        urls.CAN_I_DEPLOY,
    ),
    "can-i-merge-pacticipant-version-to-branch": RelationMeaning(
        "Whether a version is compatible with the newest versions of the other applications on a branch, with reasons.",
        urls.MATRIX,
    ),
    "decisions": RelationMeaning(
        "POST decides whether several versions can be deployed to an environment together, which of them to leave out"
        " otherwise, and in which order to deploy them. The decision is recorded on request, or if the environment"
        " asks for it.",
        urls.DECISIONS,
    ),
    "record-decision": RelationMeaning(
        "The environment records decisions: POST asks the same question again, and records the answer.", urls.DECISIONS
    ),
    "recorded-decisions": RelationMeaning(
        "The recorded decisions, the newest first: of the document's environment or version, or of all.",
        urls.DECISIONS,
    ),
    "recorded-decision": RelationMeaning(
        "A recorded decision, with the facts as they were. Fill in its UUID.", urls.DECISION
    ),
    "decision-trends": RelationMeaning(
        "How many of the decisions of the last 30 days were a no, for which causes, and how long until the yes.",
        urls.DECISION_TRENDS,
    ),
    "pending": RelationMeaning(
        "The pacts of main branches that wait for a verification; the work in progress of some days with `wip`, and the"
        " integrations without a pact or a result for some days with `stale`.",
        urls.PENDING,
    ),
    "trends": RelationMeaning(
        "The results, healthy integrations and deployments of the last 30 days, and how long results took.", urls.TRENDS
    ),
    "what-if": RelationMeaning(
        "POST shows which pairs of applications would break, and which would be repaired, if an environment were"
        " changed: by a deployment, a roll back, an undeployment or the end of a support. Nothing is stored.",
        urls.WHAT_IF,
    ),
    "overrides": RelationMeaning(
        "GET lists the overrides of decisions. POST creates one: a version can then be deployed to an environment until"
        " a time, for a reason that every answer shows, although results are missing or failed.",
        urls.OVERRIDES,
    ),
    "events": RelationMeaning(
        "The events that webhooks react to, such as a pact that needs verification, in an order that clients can follow"
        " with the cursor of each response. With `wait`, the response comes when there is an event.",
        urls.EVENTS,
    ),
    "can-i-deploy-badge": RelationMeaning(
        "A badge that shows whether the newest version with a tag is compatible with those that have another tag.",
        urls.CAN_I_DEPLOY_TAG_BADGE,
    ),
    "can-i-deploy-branch-to-environment-badge": RelationMeaning(
        "A badge that shows whether the head of a branch can be deployed to an environment.",
        urls.CAN_I_DEPLOY_BRANCH_BADGE,
    ),
    "integrations": RelationMeaning("Pairs of a consumer and a provider that have, or had, a pact.", urls.INTEGRATIONS),
    "delete_integration": RelationMeaning(
        "DELETE deletes everything between a consumer and a provider: pacts, results and webhooks.",
        urls.INTEGRATION,
    ),
    "dashboard": RelationMeaning(
        "The latest pact of the pair, the latest with each tag, and those in environments, with their newest results.",
        urls.PAIR_DASHBOARD,
    ),
    "group": RelationMeaning(
        "The pacticipants that this one is connected with, directly or indirectly, as CSV.", urls.GROUP
    ),
    "metrics": RelationMeaning("Statistics about the content of the broker.", urls.METRICS),
    "export": RelationMeaning(
        "`treaty import` of another Treaty reads the data of this broker here, with their original times.", urls.EXPORT
    ),
    "pages": RelationMeaning("The first page of each kind of data in an export.", urls.EXPORT_PAGE),
    "import": RelationMeaning(
        "`treaty import` sends data of another broker here; it keeps its original times.", urls.IMPORT
    ),
    "webhooks": RelationMeaning(
        "Webhooks: requests that the broker sends when an event happens, such as a changed pact. POST creates one.",
        urls.WEBHOOKS,
    ),
    "webhook": RelationMeaning("A webhook by UUID. Its secrets are replaced by asterisks.", urls.WEBHOOK),
    "create": RelationMeaning("POST creates a webhook.", urls.WEBHOOKS),
    "pact-webhooks": RelationMeaning(
        "The webhooks for the consumer and the provider. POST creates one.", urls.PAIR_WEBHOOKS
    ),
    "consumer-webhooks": RelationMeaning(
        "The webhooks for all pacts of the consumer. POST creates one.", urls.CONSUMER_WEBHOOKS
    ),
    "execute": RelationMeaning(
        "POST sends a test request, for the latest pact that the webhook applies to. The response contains the request"
        " and the response of the target.",
        urls.EXECUTE_WEBHOOK,
    ),
    "webhook-status": RelationMeaning(
        "The status of the webhooks for the consumer and the provider.", urls.PACT_WEBHOOKS_STATUS
    ),
    "triggered-webhooks": RelationMeaning(
        "The webhook deliveries that this pact or result triggered, newest first.", urls.PACT_TRIGGERED_WEBHOOKS
    ),
    "logs": RelationMeaning("The request and the response of each attempt.", urls.TRIGGERED_WEBHOOK_LOGS),
    "error-logs": RelationMeaning(
        "The requests and responses of deliveries that failed or are being retried.", urls.TRIGGERED_WEBHOOK_LOGS
    ),
    "redeliver": RelationMeaning("POST sends the delivery again.", urls.REDELIVER),
}

_BY_CONTEXT: Final = {
    ("index", "self"): RelationMeaning("The index, which links to all other resources.", urls.INDEX),
    ("index", "pacticipant"): RelationMeaning(
        "A pacticipant: an application or service that is a consumer or a provider. Fill in its name.", urls.PACTICIPANT
    ),
    ("index", "webhook"): RelationMeaning("A webhook. Fill in its UUID.", urls.WEBHOOK),
    ("pacticipant", "version"): RelationMeaning(
        "A version of this pacticipant. Fill in its number; PUT creates it.", urls.VERSION
    ),
    ("version", "pact-versions"): RelationMeaning(
        "The pacts of this version, one for each of its providers.", urls.PACT
    ),
    ("pact", "pact-webhooks"): RelationMeaning(
        "The webhooks for this pact's consumer and provider. POST creates one, for example to start the provider's"
        " build when the pact changes.",
        urls.PAIR_WEBHOOKS,
    ),
    ("webhooks", "webhooks"): RelationMeaning("The webhooks of this list.", urls.WEBHOOK),
}


def find_meaning(relation: str, context: str | None = None) -> RelationMeaning | None:
    """Find the description of a relation; `context` is the kind of document that has the link."""
    # Lists of webhooks add a prefix to their relations, as the original broker does.
    if relation.startswith("webhooks-"):
        return find_meaning(relation.removeprefix("webhooks-"), "webhooks")
    return _BY_CONTEXT.get((context or "", relation)) or _BY_RELATION.get(relation)
