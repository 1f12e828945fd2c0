"""The paths of resources that requests of webhooks can contain."""

from typing import Final

from treaty.model.webhooks.parameters import DeliveryFacts, ParameterUrls
from treaty.web import urls


def _pact_path(facts: DeliveryFacts, metadata: str) -> str:
    return urls.PACT_VERSION_WITH_METADATA.fill(
        provider=facts.provider, consumer=facts.consumer, sha=facts.sha, metadata=metadata
    )


def _result_path(facts: DeliveryFacts, number: int) -> str:
    return urls.VERIFICATION.fill(provider=facts.provider, consumer=facts.consumer, sha=facts.sha, number=str(number))


def _webhook_path(uuid: str) -> str:
    return urls.WEBHOOK.fill(uuid=uuid)


PARAMETER_URLS: Final = ParameterUrls(pact=_pact_path, result=_result_path, webhook=_webhook_path)
