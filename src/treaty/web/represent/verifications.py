"""Verification results."""

import orjson

from treaty.model import metadata
from treaty.model.metadata import Metadata
from treaty.model.verification import Verification
from treaty.web import represent, urls
from treaty.web.hal import Hal, Link


@represent.register
def verification(result: Verification) -> Hal:
    names = {"provider": result.provider, "consumer": result.consumer, "sha": result.sha}
    number = str(result.number)
    said = metadata.encode(Metadata(version_number=result.consumer_version))
    title = f"Verification result {number} for {result.pact_title}"
    return Hal(
        state={
            "providerName": result.provider,
            "providerApplicationVersion": result.provider_version,
            "success": result.success,
            "verificationDate": result.verified_at,
            "buildUrl": result.build_url,
            "testResults": orjson.Fragment(result.test_results) if result.test_results is not None else None,
            "verifiedBy": orjson.Fragment(result.verified_by or "{}"),
        },
        links={
            "self": Link(urls.VERIFICATION.fill(number=number, **names), "Verification result", name=title),
            "pb:pact-version": Link(
                urls.PACT_VERSION_WITH_METADATA.fill(metadata=said, **names), "Pact", name=result.pact_title
            ),
            "pb:triggered-webhooks": Link(
                urls.VERIFICATION_TRIGGERED_WEBHOOKS.fill(number=number, **names),
                "Webhooks triggered by the publication of this verification result",
            ),
        },
    )
