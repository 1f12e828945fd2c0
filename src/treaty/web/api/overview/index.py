"""The index: links to all resources, where clients begin."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from pydantic import ConfigDict, with_config
from pydantic.config import JsonDict
from typing_extensions import TypedDict

from treaty.web import urls
from treaty.web.hal import represent
from treaty.web.hal.documents import Hal, Link, Links, RenderContext, render
from treaty.web.http.request import Request
from treaty.web.http.results import RawBody
from treaty.web.http.router import Router
from treaty.web.security.permissions import ANY_SCOPE, Permission

router = Router()


@dataclass(frozen=True, slots=True)
class Index:
    """The index; the feature `disable_pacts_for_verification` removes some links."""

    offers_pacts_for_verification: bool = True


_OTHER_LINKS: Final[JsonDict] = {
    "type": "object",
    "properties": {
        "href": {"type": "string"},
        "title": {"type": "string"},
        "name": {"type": "string"},
        "templated": {"type": "boolean"},
    },
    "required": ["href"],
}


@with_config(ConfigDict(json_schema_extra={"additionalProperties": _OTHER_LINKS}))
class IndexLinks(TypedDict):
    self: Link
    curies: list[Link]


class IndexDocument(TypedDict):
    _links: IndexLinks


@router.get(urls.INDEX, permission=Permission.READ, scopes=ANY_SCOPE, needs_database=False, response=IndexDocument)
def get_index(request: Request) -> RawBody:
    """Show the index, which links to all other resources."""
    document = Index("disable_pacts_for_verification" not in request.settings.features)
    return RawBody(_render(document, request.base_url, request.hidden_relations), request.media_type)


@lru_cache(maxsize=32)
def _render(document: Index, base_url: str, hidden_relations: frozenset[str]) -> bytes:
    # Every client requests the index first, and it depends on nothing but these arguments.
    return render(index(document), RenderContext(base_url, hidden_relations=hidden_relations))


# Relations, titles and their order are those of the original broker.
_FIRST: Final[Links] = {
    "self": Link("", "Index", templated=False),
    "pb:publish-pact": Link(urls.PACT.fill().replace("{version}", "{consumerApplicationVersion}"), "Publish a pact"),
    "pb:publish-contracts": Link(urls.PUBLISH_CONTRACTS.fill(), "Publish contracts", templated=False),
    # Relations of PactFlow: clients decide by them whether the broker accepts contracts of providers.
    "pf:publish-provider-contract": Link(urls.PUBLISH_PROVIDER_CONTRACT.fill(), "Publish a provider contract"),
    "pf:publish-provider-contracts": Link(
        urls.PUBLISH_PROVIDER_CONTRACTS.fill(), "Publish several provider contracts of a version"
    ),
    "pb:latest-pact-versions": Link(urls.LATEST_PACTS.fill(), "Latest pact versions", templated=False),
    # The original does not mark this one as templated, and clients may have got used to it.
    "pb:tagged-pact-versions": Link(
        urls.TAGGED_PACTS.fill(),
        "All versions of a pact for a given consumer, provider and consumer version tag",
        templated=False,
    ),
    "pb:branch-pact-versions": Link(
        urls.BRANCH_PACTS.fill(), "All versions of pacts for a provider, for a named consumers branch"
    ),
    "pb:latest-branch-pact-versions": Link(
        urls.LATEST_BRANCH_PACTS.fill(), "Latest version of pact for a provider, for a named consumers branch"
    ),
    "pb:main-branch-pact-versions": Link(
        urls.MAIN_BRANCH_PACTS.fill(), "All versions of pacts for a provider, for a named consumers main branch"
    ),
    "pb:latest-main-branch-pact-versions": Link(
        urls.LATEST_MAIN_BRANCH_PACTS.fill(), "Latest version of pact for a provider, for a named consumers main branch"
    ),
    "pb:provider-pacts-with-main-branch": Link(
        urls.MAIN_BRANCH_PROVIDER_PACTS.fill(), "All pacts for a provider, for any consumers main branch"
    ),
    "pb:provider-pacts-with-branch": Link(
        urls.BRANCH_PROVIDER_PACTS.fill(), "All pacts for a provider, for any consumers named branch"
    ),
    "pb:latest-provider-pacts-with-main-branch": Link(
        urls.LATEST_MAIN_BRANCH_PROVIDER_PACTS.fill(), "Latest pact for a provider, for any consumers main branch"
    ),
    "pb:latest-provider-pacts-with-branch": Link(
        urls.LATEST_BRANCH_PROVIDER_PACTS.fill(), "Latest pacts for a provider, for any consumers named branch"
    ),
    "pb:pacticipants": Link(urls.PACTICIPANTS.fill(), "Pacticipants", templated=False),
    "pb:pacticipant": Link(urls.PACTICIPANT.fill(), "Fetch pacticipant by name"),
    "pb:latest-provider-pacts": Link(urls.LATEST_PROVIDER_PACTS.fill(), "Latest pacts by provider"),
    "pb:latest-provider-pacts-with-tag": Link(
        urls.LATEST_PROVIDER_PACTS_WITH_TAG.fill(), "Latest pacts for provider with the specified tag"
    ),
    "pb:provider-pacts-with-tag": Link(
        urls.PROVIDER_PACTS_WITH_TAG.fill(),
        "All pact versions for the provider with the specified consumer version tag",
    ),
    "pb:provider-pacts": Link(urls.PROVIDER_PACTS.fill(), "All pact versions for the specified provider"),
    "pb:latest-version": Link(urls.LATEST_VERSION.fill(), "Latest pacticipant version"),
    "pb:latest-tagged-version": Link(
        urls.LATEST_TAGGED_VERSION.fill(), "Latest pacticipant version with the specified tag"
    ),
    "pb:webhooks": Link(urls.WEBHOOKS.fill(), "Webhooks", templated=False),
    "pb:webhook": Link(urls.WEBHOOK.fill(), "Webhook"),
    "pb:integrations": Link(urls.INTEGRATIONS.fill(), "Integrations", templated=False),
    "pb:pacticipant-version-tag": Link(
        urls.VERSION_TAG.fill(), "Get, create or delete a tag for a pacticipant version"
    ),
    "pb:pacticipant-branch": Link(urls.BRANCH.fill(), "Get or delete a pacticipant branch"),
    "pb:pacticipant-branch-version": Link(
        urls.BRANCH_VERSION.fill(), "Get or add/create a pacticipant version for a branch"
    ),
    "pb:pacticipant-version": Link(urls.VERSION.fill(), "Get, create or delete a pacticipant version"),
    "pb:metrics": Link(urls.METRICS.fill(), "Get Pact Broker metrics"),
    "pb:import": Link(urls.IMPORT.fill(), "Import from another broker"),
    "pb:export": Link(urls.EXPORT.fill(), "Export for an import into another Treaty"),
    "pb:can-i-deploy-pacticipant-version-to-tag": Link(
        urls.CAN_I_DEPLOY.fill() + "?pacticipant={pacticipant}&version={version}&to={tag}",
        "Determine if an application version can be safely deployed to an environment identified by the given tag",
    ),
    "pb:can-i-deploy-pacticipant-version-to-environment": Link(
        urls.CAN_I_DEPLOY.fill() + "?pacticipant={pacticipant}&version={version}&environment={environment}",
        "Determine if an application version can be safely deployed to an environment",
    ),
    # The original has no such destination. Clients decide by this link whether they can compare with a branch.
    "pb:can-i-merge-pacticipant-version-to-branch": Link(
        urls.MATRIX.fill()
        + "?q[][pacticipant]={pacticipant}&q[][version]={version}&latestby=cvp&latest=true&branch={branch}",
        "Determine if an application version can be merged into a branch, by the versions of other applications on it",
    ),
}


_FOR_VERIFICATION: Final[Links] = {
    "pb:provider-pacts-for-verification": Link(
        urls.PACTS_FOR_VERIFICATION.fill(), "Pact versions to be verified for the specified provider"
    ),
    "beta:provider-pacts-for-verification": Link(
        urls.PACTS_FOR_VERIFICATION.fill(),
        "DEPRECATED - please use pb:provider-pacts-for-verification",
        name="beta",
    ),
}


_LAST: Final[Links] = {
    "curies": [Link("/doc/{rel}?context=index", name=name, templated=True) for name in ("pb", "beta")],
    "pb:environments": Link(urls.ENVIRONMENTS.fill(), "Environments", templated=False),
    "pb:environment": Link(urls.ENVIRONMENT.fill(), "Environment"),
    # Treaty's own: clients decide by these links whether they can ask about sets of versions and changes, and follow
    # events.
    "pb:decisions": Link(urls.DECISIONS.fill(), "Determine if several versions can be deployed together"),
    "pb:what-if": Link(urls.WHAT_IF.fill(), "Determine what a change of an environment would break"),
    "pb:recorded-decisions": Link(urls.DECISIONS.fill(), "Recorded decisions", templated=False),
    "pb:recorded-decision": Link(urls.DECISION.fill(), "Recorded decision"),
    "pb:decision-trends": Link(urls.DECISION_TRENDS.fill(), "Trends of recorded decisions", templated=False),
    "pb:pending": Link(urls.PENDING.fill(), "Pending pacts", templated=False),
    "pb:trends": Link(urls.TRENDS.fill(), "Trends of results and deployments", templated=False),
    "pb:overrides": Link(urls.OVERRIDES.fill(), "Overrides of decisions", templated=False),
    "pb:version-lookup": Link(f"{urls.VERSION_LOOKUP.fill()}?version={{version}}", "Version by a prefix of its number"),
    "pb:events": Link(urls.EVENTS.fill(), "Events, such as a pact that needs verification", templated=False),
}


_COMPLETE: Final = Hal(links={**_FIRST, **_FOR_VERIFICATION, **_LAST})


_WITHOUT_PACTS_FOR_VERIFICATION: Final = Hal(links={**_FIRST, **_LAST})


@represent.register
def index(index: Index) -> Hal:
    return _COMPLETE if index.offers_pacts_for_verification else _WITHOUT_PACTS_FOR_VERIFICATION
