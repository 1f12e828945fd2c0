"""Verification results: publishing, reading and deleting one, and their summary for a consumer's version."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated, Any, Final

import orjson
from pydantic import BeforeValidator, WithJsonSchema
from pydantic_core import PydanticCustomError
from typing_extensions import TypedDict

from treaty.actions import verifications as verification_actions
from treaty.errors import NotFound
from treaty.model.decisions import metadata
from treaty.model.decisions.metadata import Metadata
from treaty.model.pacts.pacts import Pact, PactKey
from treaty.model.verifications.verifications import (
    NewVerification,
    TaggedVerification,
    Verification,
    VerificationSummary,
)
from treaty.model.versions import Tag
from treaty.store import verifications
from treaty.store.pacts import pacts
from treaty.store.pacts.pacts import PactWithBody
from treaty.store.versions import versions
from treaty.web import urls
from treaty.web.api.pacts.pacts import find_with_metadata, read_metadata
from treaty.web.hal import represent
from treaty.web.hal.documents import Hal, Link
from treaty.web.hal.shapes import NamedHead, Omittable, SelfLinked, StoredObject
from treaty.web.http.bodies import Body, RequiredNonBlankText, Uri, with_example
from treaty.web.http.media_types import EXTENDED, HAL, JSON
from treaty.web.http.request import Request
from treaty.web.http.results import Created, Deleted
from treaty.web.http.router import Router
from treaty.web.security.permissions import Permission
from treaty.web.urls import Url

router = Router()

RESULT_TYPES = (HAL, JSON, EXTENDED)


def _boolean(value: Any) -> Any:
    if not isinstance(value, bool):
        raise PydanticCustomError("bool_type", "must be boolean")
    return value


def _time(value: Any) -> Any:
    """Read a time; one without a zone is in UTC."""
    if value is None:
        return None
    try:
        time = datetime.fromisoformat(value)
        return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
    except (TypeError, ValueError, OverflowError) as error:
        raise PydanticCustomError("time", "must be a date time") from error


def _as_json(value: Any) -> str | None:
    return None if value is None else orjson.dumps(value).decode()


class VerificationBody(Body):
    model_config = with_example(
        {
            "success": True,
            "providerApplicationVersion": "2.0.0",
            "buildUrl": "https://ci.example.org/builds/18",
            "verifiedBy": {"implementation": "pact-python", "version": "4.0.0"},
        }
    )

    success: Annotated[bool, BeforeValidator(_boolean)]
    provider_application_version: RequiredNonBlankText
    build_url: Uri = None
    verification_date: Annotated[datetime | None, BeforeValidator(_time)] = None
    test_results: Annotated[
        str | None, BeforeValidator(_as_json), WithJsonSchema({"description": "Results in any format."})
    ] = None
    verified_by: Any = None


class VerificationState(TypedDict):
    providerName: str
    providerApplicationVersion: str | None
    success: bool
    verificationDate: datetime
    buildUrl: Omittable[str]
    testResults: Omittable[Any]
    verifiedBy: StoredObject
    workInProgress: bool


VerificationLinks = TypedDict(
    "VerificationLinks", {"self": Link, "pb:pact-version": Link, "pb:triggered-webhooks": Link}
)


class VerificationDocument(VerificationState):
    _links: VerificationLinks


class VerificationTags(TypedDict):
    tags: list[NamedHead]


class ExtendedVerificationDocument(VerificationDocument):
    _embedded: VerificationTags


_RESULT: Final[Mapping[str, Any]] = {
    "produces": RESULT_TYPES,
    "response": VerificationDocument,
    "extended_response": ExtendedVerificationDocument,
}
"""Options of the routes that return a result."""


class ProviderSummary(TypedDict):
    successful: list[str]
    failed: list[str]
    unknown: list[str]


class SummarizedResults(TypedDict):
    verificationResults: list[VerificationDocument]


class VerificationSummaryDocument(SelfLinked):
    success: bool
    providerSummary: ProviderSummary
    _embedded: SummarizedResults


class ResultSummary(SelfLinked):
    """A result as part of a matrix row or a dashboard item."""

    success: bool
    verifiedAt: datetime


@router.post(
    urls.VERIFICATIONS, permission=Permission.PUBLISH_VERIFICATION, body=VerificationBody, response=VerificationDocument
)
def publish_verification(call: Request, provider: str, consumer: str, sha: str) -> Created:
    """Publish what a provider's version says about content."""
    return _publish(call, provider, consumer, sha, None)


@router.post(
    urls.VERIFICATIONS_WITH_METADATA,
    permission=Permission.PUBLISH_VERIFICATION,
    body=VerificationBody,
    response=VerificationDocument,
)
def publish_verification_with_metadata(call: Request, provider: str, consumer: str, sha: str, segment: str) -> Created:
    """Publish what a provider's version says about content that was selected as the metadata says."""
    return _publish(call, provider, consumer, sha, segment)


def _publish(call: Request, provider: str, consumer: str, sha: str, segment: str | None) -> Created:
    body = call.body(VerificationBody)
    said = read_metadata(segment) if segment else Metadata()
    found = find_with_metadata(call, provider, consumer, sha, said)
    if found is None:
        raise NotFound
    new = _new(body, found.pact, said, metadata=segment, now=call.now)
    recorded = verification_actions.publish_verification(
        call.db, new, found.pact, said, base_url=call.base_url, settings=call.settings
    )
    call.has_queued = bool(recorded.triggered)
    number = recorded.number
    result = verifications.find(call.db, consumer, provider, sha, number)
    return Created(result, urls.VERIFICATION.fill(provider=provider, consumer=consumer, sha=sha, number=str(number)))


def _new(body: VerificationBody, pact: Pact, said: Metadata, *, metadata: str | None, now: datetime) -> NewVerification:
    return NewVerification(
        consumer=pact.consumer,
        provider=pact.provider,
        sha=pact.sha,
        provider_version=body.provider_application_version,
        success=body.success,
        build_url=body.build_url,
        verified_at=body.verification_date or now,
        verified_by=_verified_by(body.verified_by),
        test_results=body.test_results,
        is_wip=said.is_wip,
        was_pending=said.is_pending,
        metadata=metadata,
        created_at=now,
    )


def _verified_by(given: Any) -> str | None:
    """Write down who verified, flat and in the original's names; what is no text is left out."""
    if not isinstance(given, dict):
        return None
    language = given.get("clientLanguage")
    language = language if isinstance(language, dict) else {}
    named = {
        "implementation": given.get("implementation"),
        "version": given.get("version"),
        "client_implementation": language.get("name"),
        "client_test_framework": language.get("testFramework"),
        "client_version": language.get("version"),
    }
    return orjson.dumps({name: value for name, value in named.items() if isinstance(value, str)}).decode()


@router.get(urls.VERIFICATION, permission=Permission.READ, **_RESULT)
def get_verification(call: Request, provider: str, consumer: str, sha: str, number: str) -> object:
    """Read a result by its number."""
    return _seen(call, get_verification_by_number(call, provider, consumer, sha, number))


@router.get(urls.VERIFICATION_WITH_METADATA, permission=Permission.READ, **_RESULT)
def get_verification_with_metadata(
    call: Request, provider: str, consumer: str, sha: str, segment: str, number: str
) -> object:
    """Read a result by its number, in the context of the consumer version that the metadata names."""
    found = get_verification_by_number(call, provider, consumer, sha, number)
    context = find_with_metadata(call, provider, consumer, sha, read_metadata(segment))
    return _seen(call, replace(found, consumer_version=context.pact.version) if context else found)


@router.delete(urls.VERIFICATION, permission=Permission.PUBLISH_VERIFICATION, produces=RESULT_TYPES)
def delete_verification(call: Request, provider: str, consumer: str, sha: str, number: str) -> Deleted:
    """Delete a result by its number."""
    return _deleted(call, get_verification_by_number(call, provider, consumer, sha, number))


@router.delete(urls.VERIFICATION_WITH_METADATA, permission=Permission.PUBLISH_VERIFICATION, produces=RESULT_TYPES)
def delete_verification_with_metadata(
    call: Request, provider: str, consumer: str, sha: str, _segment: str, number: str
) -> Deleted:
    """Delete a result by its number."""
    return _deleted(call, get_verification_by_number(call, provider, consumer, sha, number))


def get_verification_by_number(call: Request, provider: str, consumer: str, sha: str, number: str) -> Verification:
    """Find a result by its number. Raises NotFound."""
    if number == "all":
        raise NotFound("To see all the verifications for a pact, use the Matrix page")
    is_number = number.isascii() and number.isdecimal() and len(number) < 10  # noqa: PLR2004 - an id fits into nine digits
    return _there(verifications.find(call.db, consumer, provider, sha, int(number)) if is_number else None)


def _there(found: Verification | None) -> Verification:
    if found is None:
        raise NotFound
    return found


def _seen(call: Request, found: Verification) -> Verification | TaggedVerification:
    """Add what only the extended media type shows."""
    if call.media_type != EXTENDED:
        return found
    return TaggedVerification(found, verifications.list_tags(call.db, found))


def _deleted(call: Request, found: Verification) -> Deleted:
    verification_actions.remove_verification(call.db, found)
    return Deleted()


# Whichever way the pact is named, its newest result can be read and deleted.

GetLatest = Callable[..., Verification]


def _latest_of_content(call: Request, provider: str, consumer: str, sha: str) -> Verification:
    return _there(verifications.find_latest_of_content(call.db, consumer, provider, sha))


def _latest_of_pact(call: Request, provider: str, consumer: str, version: str) -> Verification:
    return _of(call, pacts.find(call.db, PactKey(consumer=consumer, version=version, provider=provider)))


def _latest_of_latest_pact(call: Request, provider: str, consumer: str) -> Verification:
    return _of(call, pacts.find_latest(call.db, consumer, provider))


def _latest_of_latest_tagged_pact(call: Request, provider: str, consumer: str, tag: str) -> Verification:
    return _of(call, pacts.find_latest_tagged(call.db, consumer, provider, tag))


def _of(call: Request, found: PactWithBody | None) -> Verification:
    return _there(verifications.find_latest_of_pact(call.db, found.pact) if found else None)


def _declare(url: Url, find: GetLatest) -> None:
    @router.get(url, permission=Permission.READ, **_RESULT)
    def get_latest_verification(call: Request, *names: str) -> object:
        """Read the newest result, over all versions of the provider."""
        return _seen(call, find(call, *names))

    @router.delete(url, permission=Permission.PUBLISH_VERIFICATION, produces=RESULT_TYPES)
    def delete_latest_verification(call: Request, *names: str) -> Deleted:
        """Delete the newest result, over all versions of the provider."""
        return _deleted(call, find(call, *names))


LATEST_GETTERS: Final[Mapping[Url, GetLatest]] = {
    urls.LATEST_VERIFICATION: _latest_of_content,
    urls.LATEST_VERIFICATION_OF_PACT: _latest_of_pact,
    urls.LATEST_VERIFICATION_OF_LATEST_PACT: _latest_of_latest_pact,
    urls.LATEST_VERIFICATION_OF_LATEST_TAGGED_PACT: _latest_of_latest_tagged_pact,
}


for _url, _find in LATEST_GETTERS.items():
    _declare(_url, _find)


@router.get(urls.VERIFICATIONS_OF_CONSUMER_VERSION, permission=Permission.READ, response=VerificationSummaryDocument)
def get_summary(call: Request, consumer: str, version: str) -> VerificationSummary:
    """Read what providers say about all pacts of a consumer's version."""
    if versions.find(call.db, consumer, version) is None:
        raise NotFound
    return VerificationSummary(
        consumer=consumer,
        version=version,
        latest=verifications.list_latest_of_version(call.db, consumer, version),
        unknown=verifications.list_unverified_providers(call.db, consumer, version),
    )


@represent.register
def verification(result: Verification) -> Hal:
    return _document(result)


def _document(result: Verification, embedded: Mapping[str, object] | None = None) -> Hal:
    names = {"provider": result.provider, "consumer": result.consumer, "sha": result.sha}
    number = str(result.number)
    said = metadata.encode(Metadata(version_number=result.consumer_version))
    title = f"Verification result {number} for {result.pact_title}"
    state: VerificationState = {
        "providerName": result.provider,
        "providerApplicationVersion": result.provider_version,
        "success": result.success,
        "verificationDate": result.verified_at,
        "buildUrl": result.build_url,
        "testResults": orjson.Fragment(result.test_results) if result.test_results is not None else None,
        "verifiedBy": orjson.Fragment(result.verified_by or "{}"),
        "workInProgress": result.is_wip,
    }
    links: VerificationLinks = {
        "self": Link(urls.VERIFICATION.fill(number=number, **names), "Verification result", name=title),
        "pb:pact-version": Link(
            urls.PACT_VERSION_WITH_METADATA.fill(metadata=said, **names), "Pact", name=result.pact_title
        ),
        "pb:triggered-webhooks": Link(
            urls.VERIFICATION_TRIGGERED_WEBHOOKS.fill(number=number, **names),
            "Webhooks triggered by the publication of this verification result",
        ),
    }
    return Hal(state, embedded, links)


@represent.register_extended
def extended_verification(tagged: TaggedVerification) -> Hal:
    return _document(tagged.verification, embedded={"tags": [_tag(one) for one in tagged.tags]})


def _tag(tag: Tag) -> Hal:
    path = urls.VERSION_TAG.fill(pacticipant=tag.pacticipant, version=tag.version, tag=tag.name)
    return Hal({"name": tag.name, "latest": tag.is_head}, links={"self": Link(path, "Tag", name=tag.name)})


@represent.register
def summary(found: VerificationSummary) -> Hal:
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
        links={"self": Link(urls.URL_PLACEHOLDER, title)},
    )
