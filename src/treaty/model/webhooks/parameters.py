"""Parameters of webhooks: the values of `${pactbroker.…}` placeholders."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from treaty.model.decisions import metadata
from treaty.model.decisions.metadata import Metadata
from treaty.model.webhooks.summaries import describe_digest, describe_event

WebhookContext = Mapping[str, Any]
"""Values that were recorded with the event, by the original broker's names. They win over the facts at delivery."""

PARAMETERS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "pactUrl": "URL of the pact, for the provider to verify",
        "verificationResultUrl": "URL of the verification result, if there is one",
        "eventName": "name of the event",
        "consumerName": "name of the consumer",
        "consumerVersionNumber": "number of the consumer version",
        "consumerVersionBranch": "branch of the consumer version",
        "consumerVersionTags": "tags of the consumer version, separated by commas",
        "consumerLabels": "labels of the consumer, separated by commas",
        "providerName": "name of the provider",
        "providerVersionNumber": "number of the provider version that verified the pact or has to verify it",
        "providerVersionBranch": "branch of the provider version",
        "providerVersionTags": "tags of the provider version, separated by commas",
        "providerVersionDescriptions": "reasons why the provider version has to verify the pact",
        "providerLabels": "labels of the provider, separated by commas",
        "buildUrl": "URL of the build that published the pact or the result",
        "githubVerificationStatus": "pending, success or failure",
        "gitlabVerificationStatus": "pending, success or failed",
        "bitbucketVerificationStatus": "INPROGRESS, SUCCESSFUL or FAILED",
        "azureDevOpsVerificationStatus": "pending, succeeded or failed",
        "summary": "a description of the event in a sentence or two; of a digest, a line for each event",
        "reason": "why the event happened",
        "since": "time since when the reported state has lasted, in UTC",
        "pageUrl": "URL of the page about the decision, the failing webhook or the pact; of a digest, the first page",
        "digestCount": "number of events in a digest; otherwise 1",
        "applicationName": "name of the application whose deployment is blocked",
        "applicationVersionNumber": "number of the version whose deployment is blocked",
        "environmentName": "name of the environment to which a deployment is blocked",
        "decisionUrl": "URL of the decision that blocks a deployment",
        "failingWebhookName": "description of the failing webhook, or else its method and host",
        "failingWebhookUrl": "URL of the failing webhook",
    }
)
"""All parameters with their meanings, for the form and the documentation. A parameter without a value is empty."""

_PLACEHOLDER: Final = re.compile(r"\$\{(?:pactbroker\.(\w+)|((?:user|secret)\.[\w.-]+))\}")


@dataclass(frozen=True, kw_only=True, slots=True)
class EventResult:
    """The verification result that an event is about, or the latest one for its pact."""

    number: int
    success: bool
    provider_version: str
    provider_tags: tuple[str, ...]
    provider_branch: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class EventProviderVersion:
    """The provider version that an event is about."""

    number: str
    """Empty if it is unknown."""
    branch: str | None = None
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class DeliveryFacts:
    """The pact that an event is about, as it is when the request is built."""

    consumer: str
    consumer_version: str
    consumer_tags: tuple[str, ...]
    consumer_branch: str | None
    consumer_labels: tuple[str, ...]
    provider: str
    provider_labels: tuple[str, ...]
    sha: str
    """Empty if the event is about no pact, or if the pact had been removed before the delivery was enqueued."""
    result: EventResult | None
    """If the event is about a provider version, a result of that version."""
    provider_version: EventProviderVersion | None = None
    """None if the event is about no provider version, or about the result, which has its own."""


PLACEHOLDER_FACTS: Final = DeliveryFacts(
    consumer="placeholder-consumer",
    consumer_version="gggghhhhjjjjkkkkllll66667777888899990000",
    consumer_tags=("dev",),
    consumer_branch="main",
    consumer_labels=("placeholder-consumer-label",),
    provider="placeholder-provider",
    provider_labels=("placeholder-provider-label",),
    sha="5d445a4612743728dfd99ccd4210423c052bb9db",
    result=None,
)
"""Facts for testing a webhook when no matching pact has been published. The values are the original broker's."""
PLACEHOLDER_RESULT: Final = EventResult(
    number=1,
    success=True,
    provider_version="aaaabbbbccccddddeeeeffff1111222233334444",
    provider_tags=("master",),
    provider_branch=None,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class ParameterUrls:
    """Builds the paths of a pact (with a metadata segment), of a result (with its number) and of a webhook (its UUID).

    The model does not know URLs, so the web layer passes these functions in.
    """

    pact: Callable[[DeliveryFacts, str], str]
    result: Callable[[DeliveryFacts, int], str]
    webhook: Callable[[str], str]


def build_parameters(facts: DeliveryFacts, context: WebhookContext, parameter_urls: ParameterUrls) -> dict[str, str]:
    """Return the value of each of `PARAMETERS`; a value that is not available is empty."""
    base_url = context.get("base_url", "")
    result = facts.result
    version = context.get("consumer_version_number") or facts.consumer_version
    tags = _get_list(context, "consumer_version_tags", facts.consumer_tags)
    # The metadata in the pact's URL links a result that is published there to this consumer version.
    pact_metadata = metadata.encode(Metadata(version_number=version, tags=tuple(tags), is_wip=True))
    values = {
        "consumerName": facts.consumer,
        "providerName": facts.provider,
        "consumerVersionNumber": version,
        "consumerVersionTags": ", ".join(tags),
        "consumerVersionBranch": context.get("consumer_version_branch") or facts.consumer_branch or "",
        **_provider_version_parameters(_choose_provider_version(facts), context),
        "pactUrl": base_url + parameter_urls.pact(facts, pact_metadata) if facts.sha else "",
        "verificationResultUrl": base_url + parameter_urls.result(facts, result.number) if result else "",
        **_status_parameters(result),
        "consumerLabels": ", ".join(facts.consumer_labels),
        "providerLabels": ", ".join(facts.provider_labels),
        "eventName": context.get("event_name", ""),
        "buildUrl": context.get("build_url") or "",
        "reason": context.get("reason", ""),
        "since": context.get("since", ""),
        **_notice_parameters(facts, context, parameter_urls),
    }
    return {**values, **_summary_parameters(values, context)}


def _notice_parameters(facts: DeliveryFacts, context: WebhookContext, parameter_urls: ParameterUrls) -> dict[str, str]:
    """Return the parameters of events that no publication causes."""
    uuid = context.get("failing_webhook")
    values = {
        "environmentName": context.get("environment", ""),
        "decisionUrl": context.get("decision_url", ""),
        "failingWebhookName": context.get("failing_webhook_title", ""),
        "failingWebhookUrl": context.get("base_url", "") + parameter_urls.webhook(uuid) if uuid else "",
        "applicationName": "",
        "applicationVersionNumber": "",
    }
    if "application_version_number" not in context:
        return values
    # The application is stored as both sides, and there is no pact.
    return {
        **values,
        **dict.fromkeys(("consumerName", "consumerVersionNumber", "consumerVersionTags", "consumerVersionBranch"), ""),
        **dict.fromkeys(("providerName", "consumerLabels", "providerLabels", "pactUrl", "verificationResultUrl"), ""),
        "applicationName": facts.consumer,
        "applicationVersionNumber": context["application_version_number"],
    }


def _summary_parameters(values: Mapping[str, str], context: WebhookContext) -> dict[str, str]:
    digest = context.get("digest")
    if digest is not None:
        count = str(digest["count"])
        return {"summary": describe_digest(digest), "pageUrl": context.get("base_url", "") + "/", "digestCount": count}
    page_url = values["decisionUrl"] or values["failingWebhookUrl"] or values["pactUrl"]
    return {
        "summary": describe_event(values),
        "pageUrl": page_url or context.get("base_url", "") + "/",
        "digestCount": "1",
    }


def _get_list(context: WebhookContext, name: str, default: Sequence[str]) -> Sequence[str]:
    # An empty list was recorded with the event, so it counts: tags that were added later do not belong to the event.
    names = context.get(name)
    return default if names is None else names


def _choose_provider_version(facts: DeliveryFacts) -> EventProviderVersion:
    """Choose the single version that all values about the provider's version come from."""
    result = facts.result
    if facts.provider_version is not None or result is None:
        return facts.provider_version or EventProviderVersion(number="")
    return EventProviderVersion(
        number=result.provider_version, branch=result.provider_branch, tags=result.provider_tags
    )


def _provider_version_parameters(version: EventProviderVersion, context: WebhookContext) -> dict[str, str]:
    return {
        "providerVersionNumber": context.get("provider_version_number") or version.number,
        "providerVersionTags": ", ".join(_get_list(context, "provider_version_tags", version.tags)),
        "providerVersionBranch": context.get("provider_version_branch") or version.branch or "",
        "providerVersionDescriptions": ", ".join(_get_list(context, "provider_version_descriptions", ())),
    }


# Each service has its own words for the status of a commit.
_SERVICES: Final = ("github", "gitlab", "bitbucket", "azureDevOps")
_STATUSES: Final = {
    None: ("pending", "pending", "INPROGRESS", "pending"),
    True: ("success", "success", "SUCCESSFUL", "succeeded"),
    False: ("failure", "failed", "FAILED", "failed"),
}


def _status_parameters(result: EventResult | None) -> dict[str, str]:
    statuses = _STATUSES[result.success if result else None]
    return {f"{service}VerificationStatus": status for service, status in zip(_SERVICES, statuses, strict=True)}


def fill_in(text: str, values: Mapping[str, str], escape: Callable[[str], str] = str) -> str:
    """Replace placeholders by their escaped values; unknown placeholders stay as they are.

    A parameter has its name in `values` (`consumerName`), a named secret its prefix, too (`user.NAME`).
    """

    def replace(match: re.Match[str]) -> str:
        name = match[1] or match[2]
        return escape(values[name]) if name in values else match[0]

    return _PLACEHOLDER.sub(replace, text)


def replace_parameters(text: str, value: str) -> str:
    """Replace every placeholder, known or unknown, by the same value."""
    return _PLACEHOLDER.sub(lambda _: value, text)
