"""Verification results: publication, retrieval and removal, and their summary for a consumer version."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated, Any, Final

import orjson
from pydantic import BeforeValidator, WithJsonSchema
from pydantic_core import PydanticCustomError
from typing_extensions import TypedDict

from treaty.actions import verifications as verification_actions
from treaty.errors import Invalid, NotFound
from treaty.model.accounts.scopes import Scope
from treaty.model.decisions import metadata
from treaty.model.decisions.metadata import Metadata
from treaty.model.pacts.pacts import Pact, PactKey
from treaty.model.verifications.verifications import (
    NewVerification,
    TaggedVerification,
    Verification,
    VerificationSummary,
)
from treaty.model.versions import Tag, find_order_problem
from treaty.store import verifications
from treaty.store.pacts import pacts
from treaty.store.pacts.pacts import PactWithBody
from treaty.store.versions import versions
from treaty.web import urls
from treaty.web.api.pacts.pacts import find_with_metadata, read_metadata, require
from treaty.web.hal import represent
from treaty.web.hal.documents import Hal, Link
from treaty.web.hal.shapes import NamedHead, Omittable, SelfLinked, StoredObject
from treaty.web.http.bodies import Body, RequiredNonBlankName, Uri, with_example
from treaty.web.http.media_types import EXTENDED, HAL, JSON
from treaty.web.http.request import Request
from treaty.web.http.results import Created, Deleted
from treaty.web.http.router import Router
from treaty.web.security.permissions import Permission
from treaty.web.urls import Url

router = Router()

RESULT_TYPES = (HAL, JSON, EXTENDED)


def _require_boolean(value: Any) -> Any:
    # Pydantic would accept 1 and "true", which the original rejects.
    if not isinstance(value, bool):
        raise PydanticCustomError("bool_type", "must be boolean")
    return value


def _parse_time(value: Any) -> Any:
    """Parse a time; without a time zone it is in UTC."""
    if value is None:
        return None
    try:
        time = datetime.fromisoformat(value)
        return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
    except (TypeError, ValueError, OverflowError) as error:
        raise PydanticCustomError("time", "must be a date time") from error


def _serialize_json(value: Any) -> str | None:
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

    success: Annotated[bool, BeforeValidator(_require_boolean)]
    provider_application_version: RequiredNonBlankName
    build_url: Uri = None
    verification_date: Annotated[datetime | None, BeforeValidator(_parse_time)] = None
    test_results: Annotated[
        str | None, BeforeValidator(_serialize_json), WithJsonSchema({"description": "Results in any format."})
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
    urls.VERIFICATIONS,
    permission=Permission.PUBLISH_VERIFICATION,
    scopes={Scope.PUBLISH_RESULTS},
    application="provider",
    body=VerificationBody,
    response=VerificationDocument,
)
def publish_verification(request: Request, provider: str, consumer: str, sha: str) -> Created:
    """Publish the result of verifying a content against a provider version."""
    return _publish(request, provider, consumer, sha, None)


@router.post(
    urls.VERIFICATIONS_WITH_METADATA,
    permission=Permission.PUBLISH_VERIFICATION,
    scopes={Scope.PUBLISH_RESULTS},
    application="provider",
    body=VerificationBody,
    response=VerificationDocument,
)
def publish_verification_with_metadata(
    request: Request, provider: str, consumer: str, sha: str, segment: str
) -> Created:
    """Publish the result of verifying a content, with the metadata of the URL by which it was fetched."""
    return _publish(request, provider, consumer, sha, segment)


def _publish(request: Request, provider: str, consumer: str, sha: str, segment: str | None) -> Created:
    body = request.body(VerificationBody)
    _check_version(request, body.provider_application_version)
    selection = read_metadata(segment) if segment else Metadata()
    pact = require(find_with_metadata(request, provider, consumer, sha, selection)).pact
    new = _build_verification(body, pact, selection, segment=segment, now=request.now)
    recorded = verification_actions.publish_verification(
        request.db, new, pact, selection, base_url=request.base_url, settings=request.settings
    )
    request.has_queued = bool(recorded.triggered)
    number = str(recorded.result.number)
    return Created(
        recorded.result, urls.VERIFICATION.fill(provider=provider, consumer=consumer, sha=sha, number=number)
    )


def _check_version(request: Request, number: str) -> None:
    problem = None if request.settings.order_versions_by_date else find_order_problem(number)
    if problem is not None:
        raise Invalid.member("providerApplicationVersion", problem)


def _build_verification(
    body: VerificationBody, pact: Pact, selection: Metadata, *, segment: str | None, now: datetime
) -> NewVerification:
    return NewVerification(
        consumer=pact.consumer,
        provider=pact.provider,
        sha=pact.sha,
        provider_version=body.provider_application_version,
        success=body.success,
        build_url=body.build_url,
        verified_at=body.verification_date or now,
        verified_by=_flatten_verifier(body.verified_by),
        test_results=body.test_results,
        is_wip=selection.is_wip,
        was_pending=selection.is_pending,
        metadata=segment,
        created_at=now,
    )


def _flatten_verifier(verifier: Any) -> str | None:
    """Flatten the description of the verifier to the original's names. Values that are not texts are left out."""
    if not isinstance(verifier, dict):
        return None
    language = verifier.get("clientLanguage")
    language = language if isinstance(language, dict) else {}
    values = {
        "implementation": verifier.get("implementation"),
        "version": verifier.get("version"),
        "client_implementation": language.get("name"),
        "client_test_framework": language.get("testFramework"),
        "client_version": language.get("version"),
    }
    return orjson.dumps({name: value for name, value in values.items() if isinstance(value, str)}).decode()


@router.get(urls.VERIFICATION, permission=Permission.READ, **_RESULT)
def get_verification(request: Request, provider: str, consumer: str, sha: str, number: str) -> object:
    """Return a result by its number."""
    return _with_tags_if_extended(request, get_verification_by_number(request, provider, consumer, sha, number))


@router.get(urls.VERIFICATION_WITH_METADATA, permission=Permission.READ, **_RESULT)
def get_verification_with_metadata(
    request: Request, provider: str, consumer: str, sha: str, segment: str, number: str
) -> object:
    """Return a result by its number, with the consumer version that the metadata identifies."""
    result = get_verification_by_number(request, provider, consumer, sha, number)
    selected_pact = find_with_metadata(request, provider, consumer, sha, read_metadata(segment))
    if selected_pact:
        result = replace(result, consumer_version=selected_pact.pact.version)
    return _with_tags_if_extended(request, result)


@router.delete(urls.VERIFICATION, permission=Permission.PUBLISH_VERIFICATION, produces=RESULT_TYPES)
def delete_verification(request: Request, provider: str, consumer: str, sha: str, number: str) -> Deleted:
    """Delete a result by its number."""
    return _delete(request, get_verification_by_number(request, provider, consumer, sha, number))


@router.delete(urls.VERIFICATION_WITH_METADATA, permission=Permission.PUBLISH_VERIFICATION, produces=RESULT_TYPES)
def delete_verification_with_metadata(
    request: Request, provider: str, consumer: str, sha: str, _segment: str, number: str
) -> Deleted:
    """Delete a result by its number."""
    return _delete(request, get_verification_by_number(request, provider, consumer, sha, number))


def get_verification_by_number(request: Request, provider: str, consumer: str, sha: str, number: str) -> Verification:
    """Find a result by its number. Raises NotFound."""
    if number == "all":
        raise NotFound("To see all the verifications for a pact, use the Matrix page")
    is_number = number.isascii() and number.isdecimal() and len(number) < 10  # noqa: PLR2004 - an id fits into nine digits
    return _require(verifications.find(request.db, consumer, provider, sha, int(number)) if is_number else None)


def _require(result: Verification | None) -> Verification:
    if result is None:
        raise NotFound
    return result


def _with_tags_if_extended(request: Request, result: Verification) -> Verification | TaggedVerification:
    # Only the extended media type shows the tags; the others save the query.
    if request.media_type != EXTENDED:
        return result
    return TaggedVerification(result, verifications.list_tags(request.db, result))


def _delete(request: Request, result: Verification) -> Deleted:
    verification_actions.remove_verification(request.db, result)
    return Deleted()


# The newest result can be read and deleted by any URL that identifies a pact.

GetLatest = Callable[..., Verification]


def _get_latest_of_content(request: Request, provider: str, consumer: str, sha: str) -> Verification:
    return _require(verifications.find_latest_of_content(request.db, consumer, provider, sha))


def _get_latest_of_pact(request: Request, provider: str, consumer: str, version: str) -> Verification:
    return _get_latest_result(
        request, pacts.find(request.db, PactKey(consumer=consumer, version=version, provider=provider))
    )


def _get_latest_of_latest_pact(request: Request, provider: str, consumer: str) -> Verification:
    return _get_latest_result(request, pacts.find_latest(request.db, consumer, provider))


def _get_latest_of_latest_tagged_pact(request: Request, provider: str, consumer: str, tag: str) -> Verification:
    return _get_latest_result(request, pacts.find_latest_tagged(request.db, consumer, provider, tag))


def _get_latest_result(request: Request, pact: PactWithBody | None) -> Verification:
    return _require(verifications.find_latest_of_pact(request.db, require(pact).pact))


def _add_routes(url: Url, get_latest: GetLatest) -> None:
    @router.get(url, permission=Permission.READ, **_RESULT)
    def get_latest_verification(request: Request, *names: str) -> object:
        """Return the newest result, over all versions of the provider."""
        return _with_tags_if_extended(request, get_latest(request, *names))

    @router.delete(url, permission=Permission.PUBLISH_VERIFICATION, produces=RESULT_TYPES)
    def delete_latest_verification(request: Request, *names: str) -> Deleted:
        """Delete the newest result, over all versions of the provider."""
        return _delete(request, get_latest(request, *names))


LATEST_GETTERS: Final[Mapping[Url, GetLatest]] = {
    urls.LATEST_VERIFICATION: _get_latest_of_content,
    urls.LATEST_VERIFICATION_OF_PACT: _get_latest_of_pact,
    urls.LATEST_VERIFICATION_OF_LATEST_PACT: _get_latest_of_latest_pact,
    urls.LATEST_VERIFICATION_OF_LATEST_TAGGED_PACT: _get_latest_of_latest_tagged_pact,
}


for _url, _get_latest in LATEST_GETTERS.items():
    _add_routes(_url, _get_latest)


@router.get(urls.VERIFICATIONS_OF_CONSUMER_VERSION, permission=Permission.READ, response=VerificationSummaryDocument)
def get_summary(request: Request, consumer: str, version: str) -> VerificationSummary:
    """Return the latest results of all pacts of a consumer version."""
    if versions.find(request.db, consumer, version) is None:
        raise NotFound
    return VerificationSummary(
        consumer=consumer,
        version=version,
        latest=verifications.list_latest_of_version(request.db, consumer, version),
        unknown=verifications.list_unverified_providers(request.db, consumer, version),
    )


@represent.register
def verification(result: Verification) -> Hal:
    return _represent(result)


def _represent(result: Verification, embedded: Mapping[str, object] | None = None) -> Hal:
    names = {"provider": result.provider, "consumer": result.consumer, "sha": result.sha}
    number = str(result.number)
    segment = metadata.encode(Metadata(version_number=result.consumer_version))
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
            urls.PACT_VERSION_WITH_METADATA.fill(metadata=segment, **names), "Pact", name=result.pact_title
        ),
        "pb:triggered-webhooks": Link(
            urls.VERIFICATION_TRIGGERED_WEBHOOKS.fill(number=number, **names),
            "Webhooks triggered by the publication of this verification result",
        ),
    }
    return Hal(state, embedded, links)


@represent.register_extended
def extended_verification(tagged: TaggedVerification) -> Hal:
    return _represent(tagged.verification, embedded={"tags": [_represent_tag(tag) for tag in tagged.tags]})


def _represent_tag(tag: Tag) -> Hal:
    path = urls.VERSION_TAG.fill(pacticipant=tag.pacticipant, version=tag.version, tag=tag.name)
    return Hal({"name": tag.name, "latest": tag.is_head}, links={"self": Link(path, "Tag", name=tag.name)})


@represent.register
def summary(results: VerificationSummary) -> Hal:
    title = f"Latest verification results for consumer {results.consumer} version {results.version}"
    return Hal(
        state={
            "success": results.is_success,
            "providerSummary": {
                "successful": results.providers(success=True),
                "failed": results.providers(success=False),
                "unknown": list(results.unknown),
            },
        },
        embedded={"verificationResults": [_represent(result) for result in results.latest]},
        links={"self": Link(urls.URL_PLACEHOLDER, title)},
    )
