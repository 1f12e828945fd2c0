"""Verification results: publishing one, and reading one."""

from datetime import UTC, datetime
from typing import Annotated, Any

import orjson
from pydantic import BeforeValidator
from pydantic_core import PydanticCustomError

from treaty.actions import verifying
from treaty.errors import NotFound
from treaty.model.metadata import Metadata
from treaty.model.verification import NewVerification, Verification
from treaty.store import verifications
from treaty.web import urls
from treaty.web.bodies import Body, FilledNotBlank, Uri
from treaty.web.media import EXTENDED, HAL, JSON
from treaty.web.represent import verifications as _represent  # noqa: F401 - registers how results are represented
from treaty.web.resources.pacts import find_as_said, read_metadata
from treaty.web.routing import Call, Created, Permission, Router

router = Router()

RESULT_TYPES = (HAL, JSON, EXTENDED)


def _boolean(value: Any) -> Any:
    if not isinstance(value, bool):
        raise PydanticCustomError("bool_type", "must be boolean")
    return value


def _time(value: Any) -> Any:
    try:
        return datetime.fromisoformat(value) if isinstance(value, str) else value
    except ValueError as error:
        raise PydanticCustomError("time", "must be a date time") from error


class VerificationBody(Body):
    success: Annotated[bool, BeforeValidator(_boolean)]
    provider_application_version: FilledNotBlank
    build_url: Uri = None
    verification_date: Annotated[datetime | None, BeforeValidator(_time)] = None
    test_results: Any = None
    verified_by: Any = None


@router.post(urls.VERIFICATIONS, permission=Permission.PUBLISH_VERIFICATION)
def publish_verification(call: Call, provider: str, consumer: str, sha: str) -> Created:
    """Publish what a provider's version says about content."""
    return _publish(call, provider, consumer, sha, None)


@router.post(urls.VERIFICATIONS_WITH_METADATA, permission=Permission.PUBLISH_VERIFICATION)
def publish_verification_with_metadata(call: Call, provider: str, consumer: str, sha: str, segment: str) -> Created:
    """Publish what a provider's version says about content that was selected as the metadata says."""
    return _publish(call, provider, consumer, sha, segment)


def _publish(call: Call, provider: str, consumer: str, sha: str, segment: str | None) -> Created:
    body = call.body(VerificationBody)
    said = read_metadata(segment) if segment else Metadata()
    found = find_as_said(call, provider, consumer, sha, said)
    new = _new(call, provider, consumer, sha, body, said, segment)
    number = verifying.publish_verification(call.db, new, found.pact if found else None, settings=call.settings)
    result = verifications.find(call.db, consumer, provider, sha, number)
    return Created(result, urls.VERIFICATION.fill(provider=provider, consumer=consumer, sha=sha, number=str(number)))


def _new(
    call: Call, provider: str, consumer: str, sha: str, body: VerificationBody, said: Metadata, segment: str | None
) -> NewVerification:
    return NewVerification(
        consumer=consumer,
        provider=provider,
        sha=sha,
        provider_version=body.provider_application_version,
        success=body.success,
        build_url=body.build_url,
        verified_at=_aware(body.verification_date or call.now),
        verified_by=_verified_by(body.verified_by),
        test_results=None if body.test_results is None else orjson.dumps(body.test_results).decode(),
        is_wip=said.is_wip,
        was_pending=said.is_pending,
        metadata=segment,
        created_at=call.now,
    )


def _aware(time: datetime) -> datetime:
    return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)


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


@router.get(urls.VERIFICATION, permission=Permission.READ, produces=RESULT_TYPES)
def get_verification(call: Call, provider: str, consumer: str, sha: str, number: str) -> Verification:
    """Read a result by its number."""
    if number == "all":
        raise NotFound("To see all the verifications for a pact, use the Matrix page")
    is_number = number.isascii() and number.isdecimal() and len(number) < 10  # noqa: PLR2004 - an id fits into nine digits
    return _there(verifications.find(call.db, consumer, provider, sha, int(number)) if is_number else None)


@router.get(urls.VERIFICATION_WITH_METADATA, permission=Permission.READ, produces=RESULT_TYPES)
def get_verification_with_metadata(
    call: Call, provider: str, consumer: str, sha: str, _segment: str, number: str
) -> Verification:
    """Read a result by its number, under the address that it was published to."""
    return get_verification(call, provider, consumer, sha, number)


@router.get(urls.LATEST_VERIFICATION, permission=Permission.READ, produces=RESULT_TYPES)
def get_latest_verification(call: Call, provider: str, consumer: str, sha: str) -> Verification:
    """Read the newest result of content."""
    return _there(verifications.find_latest_of_content(call.db, consumer, provider, sha))


def _there(found: Verification | None) -> Verification:
    if found is None:
        raise NotFound
    return found
