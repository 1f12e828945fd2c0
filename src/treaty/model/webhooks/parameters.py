"""Parameters of webhooks: what `${pactbroker.…}` stands for at an event."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from treaty.model.decisions import metadata
from treaty.model.decisions.metadata import Metadata

WebhookContext = Mapping[str, Any]
"""What was known when an event happened, by the original broker's names; it wins over what is known later."""

_PARAMETER: Final = re.compile(r"\$\{pactbroker\.(\w+)\}")


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
    """The pact that an event is about, as it is when the request is put together."""

    consumer: str
    consumer_version: str
    consumer_tags: tuple[str, ...]
    consumer_branch: str | None
    consumer_labels: tuple[str, ...]
    provider: str
    provider_labels: tuple[str, ...]
    sha: str
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
"""Stands for a pact where there is none yet to try a webhook with."""
PLACEHOLDER_RESULT: Final = EventResult(
    number=1,
    success=True,
    provider_version="aaaabbbbccccddddeeeeffff1111222233334444",
    provider_tags=("master",),
    provider_branch=None,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class ParameterUrls:
    """How to write the paths of a pact (with a metadata segment) and of a result (with its number)."""

    pact: Callable[[DeliveryFacts, str], str]
    result: Callable[[DeliveryFacts, int], str]


def build_parameters(facts: DeliveryFacts, context: WebhookContext, addresses: ParameterUrls) -> dict[str, str]:
    """Say what each parameter stands for; what is not available is empty."""
    base_url = context.get("base_url", "")
    result = facts.result
    version = context.get("consumer_version_number") or facts.consumer_version
    tags = _given(context, "consumer_version_tags", facts.consumer_tags)
    said = metadata.encode(Metadata(version_number=version, tags=tuple(tags), is_wip=True))
    return {
        "consumerName": facts.consumer,
        "providerName": facts.provider,
        "consumerVersionNumber": version,
        "consumerVersionTags": ", ".join(tags),
        "consumerVersionBranch": context.get("consumer_version_branch") or facts.consumer_branch or "",
        **_of_provider(_provider_version(facts), context),
        "pactUrl": base_url + addresses.pact(facts, said),
        "verificationResultUrl": base_url + addresses.result(facts, result.number) if result else "",
        **_statuses(result),
        "consumerLabels": ", ".join(facts.consumer_labels),
        "providerLabels": ", ".join(facts.provider_labels),
        "eventName": context.get("event_name", ""),
        "buildUrl": context.get("build_url") or "",
    }


def _given(context: WebhookContext, name: str, otherwise: Sequence[str]) -> Sequence[str]:
    found = context.get(name)
    return otherwise if found is None else found


def _provider_version(facts: DeliveryFacts) -> EventProviderVersion:
    """Choose the one version that all values about the provider's version come from."""
    result = facts.result
    if facts.provider_version is not None or result is None:
        return facts.provider_version or EventProviderVersion(number="")
    return EventProviderVersion(
        number=result.provider_version, branch=result.provider_branch, tags=result.provider_tags
    )


def _of_provider(version: EventProviderVersion, context: WebhookContext) -> dict[str, str]:
    return {
        "providerVersionNumber": context.get("provider_version_number") or version.number,
        "providerVersionTags": ", ".join(_given(context, "provider_version_tags", version.tags)),
        "providerVersionBranch": context.get("provider_version_branch") or version.branch or "",
        "providerVersionDescriptions": ", ".join(_given(context, "provider_version_descriptions", ())),
    }


_STATUSES: Final = {
    None: ("pending", "pending", "INPROGRESS", "pending"),
    True: ("success", "success", "SUCCESSFUL", "succeeded"),
    False: ("failure", "failed", "FAILED", "failed"),
}
_SERVICES: Final = ("github", "gitlab", "bitbucket", "azureDevOps")


def _statuses(result: EventResult | None) -> dict[str, str]:
    """Say how it went in the words of each service."""
    words = _STATUSES[result.success if result else None]
    return {f"{service}VerificationStatus": word for service, word in zip(_SERVICES, words, strict=True)}


def fill_in(text: str, values: Mapping[str, str], escape: Callable[[str], str] = str) -> str:
    """Put values in; parameters that nobody knows stay as they are."""
    return _PARAMETER.sub(lambda found: escape(values[found[1]]) if found[1] in values else found[0], text)


def replace_parameters(text: str, value: str) -> str:
    """Put the same value in place of every parameter, known or not."""
    return _PARAMETER.sub(lambda _: value, text)
