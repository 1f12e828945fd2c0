"""Verification results, and their summary for a consumer's version."""

from collections.abc import Mapping

import orjson

from treaty.model.decisions import metadata
from treaty.model.decisions.metadata import Metadata
from treaty.model.verifications.verifications import Summary, TaggedVerification, Verification
from treaty.model.versions import Tag
from treaty.web import urls
from treaty.web.hal import represent
from treaty.web.hal.documents import Hal, Link


@represent.register
def verification(result: Verification) -> Hal:
    return _document(result)


def _document(result: Verification, embedded: Mapping[str, object] | None = None) -> Hal:
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
            "workInProgress": result.is_wip,
        },
        embedded=embedded,
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


@represent.register_extended
def extended_verification(tagged: TaggedVerification) -> Hal:
    return _document(tagged.verification, embedded={"tags": [_tag(one) for one in tagged.tags]})


def _tag(tag: Tag) -> Hal:
    path = urls.VERSION_TAG.fill(pacticipant=tag.pacticipant, version=tag.version, tag=tag.name)
    return Hal({"name": tag.name, "latest": tag.is_head}, links={"self": Link(path, "Tag", name=tag.name)})


@represent.register
def summary(found: Summary) -> Hal:
    title = f"Latest verification results for consumer {found.consumer} version {found.version}"
    return Hal(
        state={
            "success": found.is_success,
            "providerSummary": {
                "successful": found.providers(success=True),
                "failed": found.providers(success=False),
                "unknown": list(found.unknown),
            },
        },
        embedded={"verificationResults": [_document(one) for one in found.latest]},
        links={"self": Link(urls.HERE, title)},
    )
