"""What each link relation means, for people who follow links in documents of the API."""

from dataclasses import dataclass
from typing import Final

from treaty.web import urls
from treaty.web.urls import Url


@dataclass(frozen=True, slots=True)
class RelationMeaning:
    """What stands behind links of a relation, and at which URL, unless that differs."""

    text: str
    url: Url | None = None


_GENERAL: Final = {
    "self": RelationMeaning("The document itself."),
    "pacticipants": RelationMeaning(
        "All pacticipants: every application or service that is known as a consumer or as a provider. POST makes one"
        " known; publishing a pact does so too.",
        urls.PACTICIPANTS,
    ),
    "pacticipant": RelationMeaning(
        "A pacticipant, by its name: where its code is, what its main branch is called, its labels, and what of it runs"
        " where. Where the link is a template, put in the name.",
        urls.PACTICIPANT,
    ),
    "pacticipants-with-label": RelationMeaning(
        "The pacticipants that have a label. Labels group pacticipants, by team or by product say; webhooks can be"
        " about all pacticipants with one.",
        urls.PACTICIPANTS_WITH_LABEL,
    ),
    "label": RelationMeaning(
        "A label of the pacticipant. PUT puts it on, and DELETE takes it off.", urls.PACTICIPANT_LABEL
    ),
    "consumer": RelationMeaning("The pacticipant that sends the requests which the pact is about.", urls.PACTICIPANT),
    "provider": RelationMeaning("The pacticipant that answers the requests which the pact is about.", urls.PACTICIPANT),
    "consumers": RelationMeaning(
        "The pacticipants that have the label which stands for the consumer.", urls.PACTICIPANTS
    ),
    "providers": RelationMeaning(
        "The pacticipants that have the label which stands for the provider.", urls.PACTICIPANTS
    ),
    "versions": RelationMeaning("All versions of the pacticipant, newest first.", urls.VERSIONS),
    "version": RelationMeaning(
        "A version of the pacticipant, by its number. The number is best a commit, or holds one.", urls.VERSION
    ),
    "pacticipant-version": RelationMeaning(
        "A version of a pacticipant, by its number: its branches, its tags, its pacts, and where it is. PUT makes it"
        " known before it has a pact.",
        urls.VERSION,
    ),
    "latest-version": RelationMeaning("The newest version of the pacticipant, or of the branch.", urls.LATEST_VERSION),
    "latest-tagged-version": RelationMeaning("The newest version that has a tag.", urls.LATEST_TAGGED_VERSION),
    "consumer-version": RelationMeaning("The version of the consumer for which the pact was published.", urls.VERSION),
    "consumer-versions": RelationMeaning("The versions of the consumer for which this pact was chosen.", urls.VERSION),
    "branches": RelationMeaning("The branches of the pacticipant, those that changed last first.", urls.BRANCHES),
    "branch": RelationMeaning("A branch of the pacticipant. DELETE takes it away, but not its versions.", urls.BRANCH),
    "pacticipant-branch": RelationMeaning(
        "A branch of a pacticipant. DELETE takes it away, but not its versions.", urls.BRANCH
    ),
    "branch-version": RelationMeaning(
        "A version's place on a branch. PUT makes it the branch's head.", urls.BRANCH_VERSION
    ),
    "pacticipant-branch-version": RelationMeaning(
        "A version's place on a branch of its pacticipant. PUT makes it the branch's head, and makes both known if need"
        " be.",
        urls.BRANCH_VERSION,
    ),
    "tag": RelationMeaning("A tag of the version. PUT puts it on, and DELETE takes it off.", urls.VERSION_TAG),
    "version-tag": RelationMeaning("A tag of a version. PUT puts it on, and DELETE takes it off.", urls.VERSION_TAG),
    "pacticipant-version-tag": RelationMeaning(
        "A tag of a version of a pacticipant. PUT puts it on, and DELETE takes it off. Branches and environments have"
        " taken the place of most tags.",
        urls.VERSION_TAG,
    ),
    "pacticipant-version-tags": RelationMeaning("The tags that were put on the version just now.", urls.VERSION_TAG),
    "tag-version": RelationMeaning("Where PUT puts a tag on the version of the consumer.", urls.VERSION_TAG),
    "tag-prod-version": RelationMeaning(
        "Where PUT puts the tag `prod` on the version of the consumer. Recording a deployment says the same more"
        " clearly.",
        urls.VERSION_TAG,
    ),
    "environments": RelationMeaning(
        "The environments to which versions are deployed or released. POST adds one.", urls.ENVIRONMENTS
    ),
    "environment": RelationMeaning("An environment, by its UUID.", urls.ENVIRONMENT),
    "currently-deployed-deployed-versions": RelationMeaning(
        "The versions that run in the environment now.", urls.CURRENTLY_DEPLOYED
    ),
    "currently-supported-released-versions": RelationMeaning(
        "The versions that are released to the environment and still supported.", urls.CURRENTLY_SUPPORTED
    ),
    "deployed-environments": RelationMeaning("Deployments, by the names of their environments.", urls.DEPLOYED_VERSION),
    "released-environments": RelationMeaning("Releases, by the names of their environments.", urls.RELEASED_VERSION),
    "record-deployment": RelationMeaning(
        "Where POST records that the version now runs in the environment. What ran there before, in the same"
        " application instance, runs there no longer.",
        urls.DEPLOYMENTS,
    ),
    "record-release": RelationMeaning(
        "Where POST records that the version is released to the environment. Several versions of a pacticipant can be"
        " supported at a time.",
        urls.RELEASES,
    ),
    "publish-contracts": RelationMeaning(
        "Where POST publishes all pacts of a consumer's version at once, with its branch, its tags and the address of"
        " its build. The answer says what the broker made of it, in words for the build's log.",
        urls.PUBLISH_CONTRACTS,
    ),
    "publish-pact": RelationMeaning(
        "Where PUT publishes one pact of a consumer's version. `pb:publish-contracts` does more in one request.",
        urls.PACT,
    ),
    "contracts": RelationMeaning("The pacts that were published just now.", urls.PACT),
    "pacts": RelationMeaning("Pacts, each under the name of its consumer.", urls.PACT),
    "pact-version": RelationMeaning(
        "The pact by its content, whichever version it was published for.", urls.PACT_VERSION
    ),
    "pact-versions": RelationMeaning("Pacts, one for each version of a consumer.", urls.PACT),
    "latest-pact-version": RelationMeaning(
        "The pact of the newest version of the consumer that has one.", urls.LATEST_PACT
    ),
    "latest-untagged-pact-version": RelationMeaning(
        "The pact of the newest version of the consumer that has no tag.", urls.LATEST_UNTAGGED_PACT
    ),
    "latest-tagged-pact-version": RelationMeaning(
        "The pact of the newest version of the consumer that has a tag.", urls.LATEST_TAGGED_PACT
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
        "The pacts of a provider whose consumer versions are on branches of a name.", urls.BRANCH_PROVIDER_PACTS
    ),
    "latest-provider-pacts-with-branch": RelationMeaning(
        "The pacts of a provider at the heads of its consumers' branches of a name.", urls.LATEST_BRANCH_PROVIDER_PACTS
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
        "The pacts that a provider's build is to verify. POST says which: by branch, by environment, by what is pending"
        " and by what is still work in progress. Each content comes once, with the reasons why it was chosen.",
        urls.PACTS_FOR_VERIFICATION,
    ),
    "pending-provider-pacts": RelationMeaning(
        "An older way to ask for pacts whose verification may fail without breaking the provider's build. Ask"
        " `pb:provider-pacts-for-verification` instead.",
        urls.PACTS_FOR_VERIFICATION,
    ),
    "provider-states": RelationMeaning(
        "The states that the pacts of a provider ask it to be in, each with the consumers that ask for it.",
        urls.PROVIDER_STATES,
    ),
    "previous-distinct": RelationMeaning(
        "The closest earlier pact of the consumer and the provider with other content.", urls.PREVIOUS_DISTINCT_PACT
    ),
    "diff-previous-distinct": RelationMeaning(
        "What has changed since the closest earlier pact with other content, as text.", urls.DIFF_WITH_PREVIOUS
    ),
    "diff": RelationMeaning(
        "What has changed between this content and other content of the same pair, as text. Put in the digest of the"
        " other.",
        urls.DIFF_WITH_PACT_VERSION,
    ),
    "publish-verification-results": RelationMeaning(
        "Where POST publishes what came of verifying the pact: whether it worked, and with which version of the"
        " provider.",
        urls.VERIFICATIONS,
    ),
    "latest-verification-results": RelationMeaning(
        "The newest result for this content, whichever version of the provider gave it.", urls.LATEST_VERIFICATION
    ),
    "latest-verification-results-where-pacticipant-is-consumer": RelationMeaning(
        "What providers say about the pacts of this version, where it is the consumer: the newest result of each, and"
        " whether all of them are good.",
        urls.VERIFICATIONS_OF_CONSUMER_VERSION,
    ),
    "matrix": RelationMeaning(
        "The matrix: which versions of the consumers were verified with which versions of the providers.",
        urls.MATRIX,
    ),
    "matrix-for-consumer-version": RelationMeaning(
        "The rows of the matrix that this version of the consumer has part in.", urls.MATRIX
    ),
    "can-i-deploy": RelationMeaning(
        "Whether a version works with everything in an environment, and why not.", urls.CAN_I_DEPLOY
    ),
    "can-i-deploy-pacticipant-version-to-environment": RelationMeaning(
        "Whether a version works with everything that is deployed or released to an environment, and why not. Ask this"
        " before each deployment.",
        urls.CAN_I_DEPLOY,
    ),
    "can-i-deploy-pacticipant-version-to-tag": RelationMeaning(
        "Whether a version works with the newest versions that have a tag, and why not. With environments, ask by"
        " environment instead.",
        urls.CAN_I_DEPLOY,
    ),
    "can-i-deploy-badge": RelationMeaning(
        "A picture for a README which shows whether the newest version with a tag can go to where another tag is.",
        urls.CAN_I_DEPLOY_TAG_BADGE,
    ),
    "can-i-deploy-branch-to-environment-badge": RelationMeaning(
        "A picture for a README which shows whether the head of a branch can be deployed to an environment.",
        urls.CAN_I_DEPLOY_BRANCH_BADGE,
    ),
    "integrations": RelationMeaning("Each consumer with each provider that it has a pact with.", urls.INTEGRATIONS),
    "delete_integration": RelationMeaning(
        "Where DELETE deletes all that is between a consumer and a provider: pacts, results and webhooks.",
        urls.INTEGRATION,
    ),
    "dashboard": RelationMeaning(
        "The pacts that matter, each with its newest result: those at heads of branches, with tags and in"
        " environments.",
        urls.PAIR_DASHBOARD,
    ),
    "group": RelationMeaning("The network of pacticipants that this one is connected with, as CSV.", urls.GROUP),
    "metrics": RelationMeaning("Numbers about what the broker holds and how it is used.", urls.METRICS),
    "import": RelationMeaning(
        "Where `treaty import` sends the facts of another broker, which keep their original times.", urls.IMPORT
    ),
    "webhooks": RelationMeaning(
        "The webhooks: requests that the broker sends when something happens to a pact. POST makes one.", urls.WEBHOOKS
    ),
    "webhook": RelationMeaning("A webhook, by its UUID. Its secrets are kept, and shown as stars.", urls.WEBHOOK),
    "create": RelationMeaning("Where POST makes a webhook.", urls.WEBHOOKS),
    "pact-webhooks": RelationMeaning(
        "The webhooks for the consumer and the provider. POST makes one.", urls.PAIR_WEBHOOKS
    ),
    "consumer-webhooks": RelationMeaning(
        "The webhooks for all pacts of the consumer. POST makes one.", urls.CONSUMER_WEBHOOKS
    ),
    "execute": RelationMeaning(
        "Where POST tries the webhook out, with the latest pact that it could be about. The answer shows what was sent"
        " and what came back.",
        urls.EXECUTE_WEBHOOK,
    ),
    "webhook-status": RelationMeaning(
        "How the webhooks for the consumer and the provider fare.", urls.PACT_WEBHOOKS_STATUS
    ),
    "triggered-webhooks": RelationMeaning(
        "What was sent to webhooks because of this, newest first.", urls.PACT_TRIGGERED_WEBHOOKS
    ),
    "logs": RelationMeaning("What was sent in each attempt, and what came back.", urls.TRIGGERED_WEBHOOK_LOGS),
    "error-logs": RelationMeaning(
        "What was sent and what came back, of those that failed or are tried again.", urls.TRIGGERED_WEBHOOK_LOGS
    ),
    "redeliver": RelationMeaning("Where POST sends the same once again.", urls.REDELIVER),
}

_SPECIAL: Final = {
    ("index", "self"): RelationMeaning("The index, from which everything else is found.", urls.INDEX),
    ("index", "pacticipant"): RelationMeaning(
        "A pacticipant: an application or service that is a consumer or a provider. Put in its name.", urls.PACTICIPANT
    ),
    ("index", "webhook"): RelationMeaning("A webhook. Put in its UUID.", urls.WEBHOOK),
    ("pacticipant", "version"): RelationMeaning(
        "A version of this pacticipant. Put in its number; PUT makes it known.", urls.VERSION
    ),
    ("version", "pact-versions"): RelationMeaning(
        "The pacts of this version, one for each of its providers.", urls.PACT
    ),
    ("pact", "pact-webhooks"): RelationMeaning(
        "The webhooks for this pact's consumer and provider. POST makes one, to have the provider verify what changed"
        " say.",
        urls.PAIR_WEBHOOKS,
    ),
    ("webhooks", "webhooks"): RelationMeaning("The webhooks of this list, by what they are about.", urls.WEBHOOK),
}


def find_meaning(relation: str, context: str | None = None) -> RelationMeaning | None:
    """Say what a relation means, where it stands in a kind of document; None if nobody has said."""
    if relation.startswith("webhooks-"):  # so lists of webhooks name their relations
        return find_meaning(relation.removeprefix("webhooks-"), "webhooks")
    return _SPECIAL.get((context or "", relation)) or _GENERAL.get(relation)
