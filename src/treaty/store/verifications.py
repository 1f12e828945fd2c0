"""Verifications: results by content and provider version."""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Connection, Select, and_, bindparam, false, insert, select, true, update

from treaty.model.verification import NewVerification, Verification
from treaty.store.database import maybe, run, scalar
from treaty.store.tables import content, integration, pacticipant, publication, tag_success, verification, version

CONSUMER: Final = pacticipant.alias("consumer")
PROVIDER: Final = pacticipant.alias("provider")
_CONSUMER_VERSION: Final = version.alias("consumer_version")
_PROVIDER_VERSION: Final = version.alias("provider_version")

# Read in the context of the latest publication of its content, unless a statement says otherwise.
_LATEST_PUBLICATION: Final = publication.alias("context")
_CONTEXT: Final = (
    select(_CONSUMER_VERSION.c.number)
    .select_from(_LATEST_PUBLICATION)
    .join(_CONSUMER_VERSION, _CONSUMER_VERSION.c.id == _LATEST_PUBLICATION.c.consumer_version_id)
    .where(_LATEST_PUBLICATION.c.content_id == verification.c.content_id)
    .order_by(_LATEST_PUBLICATION.c.position.desc(), _LATEST_PUBLICATION.c.revision.desc())
    .limit(1)
    .scalar_subquery()
)


def _verifications(consumer_version: Any) -> Select[Any]:
    return (
        select(
            verification.c.id.label("number"),
            CONSUMER.c.name.label("consumer"),
            consumer_version.label("consumer_version"),
            PROVIDER.c.name.label("provider"),
            _PROVIDER_VERSION.c.number.label("provider_version"),
            content.c.sha,
            verification.c.success,
            verification.c.build_url,
            verification.c.verified_at,
            verification.c.verified_by,
            verification.c.test_results,
            verification.c.created_at,
        )
        .select_from(verification)
        .join(content, content.c.id == verification.c.content_id)
        .join(CONSUMER, CONSUMER.c.id == verification.c.consumer_id)
        .join(PROVIDER, PROVIDER.c.id == verification.c.provider_id)
        .join(_PROVIDER_VERSION, _PROVIDER_VERSION.c.id == verification.c.provider_version_id)
    )


_OF_PAIR: Final = and_(CONSUMER.c.name == bindparam("consumer"), PROVIDER.c.name == bindparam("provider"))
_BY_NUMBER: Final = _verifications(_CONTEXT).where(
    verification.c.id == bindparam("number"), content.c.sha == bindparam("sha"), _OF_PAIR
)
_LATEST_OF_CONTENT: Final = (
    _verifications(_CONTEXT)
    .where(
        _OF_PAIR,
        content.c.sha == bindparam("sha"),
        content.c.consumer_id == CONSUMER.c.id,
        content.c.provider_id == PROVIDER.c.id,
    )
    .order_by(verification.c.id.desc())
    .limit(1)
)


def find(db: Connection, consumer: str, provider: str, sha: str, number: int) -> Verification | None:
    """Find a result by its number, if it is one of this pair and content."""
    return maybe(
        db, _BY_NUMBER, {"consumer": consumer, "provider": provider, "sha": sha, "number": number}, Verification
    )


def find_latest_of_content(db: Connection, consumer: str, provider: str, sha: str) -> Verification | None:
    """Find the newest result of content, over all provider versions."""
    return maybe(db, _LATEST_OF_CONTENT, {"consumer": consumer, "provider": provider, "sha": sha}, Verification)


# Publishing


def _id_of(role: str) -> Any:
    return select(pacticipant.c.id).where(pacticipant.c.name == bindparam(role)).scalar_subquery()


_CONTENT: Final = (
    select(content.c.id)
    .where(
        content.c.consumer_id == _id_of("consumer"),
        content.c.provider_id == _id_of("provider"),
        content.c.sha == bindparam("sha"),
    )
    .scalar_subquery()
)
_PROVIDER_VERSION_ID: Final = (
    select(version.c.id)
    .where(version.c.pacticipant_id == _id_of("provider"), version.c.number == bindparam("provider_version"))
    .scalar_subquery()
)
_THIS: Final = and_(verification.c.content_id == _CONTENT, verification.c.provider_version_id == _PROVIDER_VERSION_ID)
_RETIRE: Final = update(verification).where(_THIS, verification.c.is_latest).values(is_latest=false())
_ADD: Final = (
    insert(verification)
    .values(
        consumer_id=_id_of("consumer"),
        provider_id=_id_of("provider"),
        content_id=_CONTENT,
        provider_version_id=_PROVIDER_VERSION_ID,
        is_latest=true(),
        **{
            name: bindparam(name)
            for name in (
                "success",
                "is_wip",
                "was_pending",
                "build_url",
                "verified_at",
                "created_at",
                "selectors",
                "tags",
                "verified_by",
                "test_results",
            )
        },
    )
    .returning(verification.c.id)
)
_TOUCH: Final = (
    update(integration)
    .where(integration.c.consumer_id == _id_of("consumer"), integration.c.provider_id == _id_of("provider"))
    .values(contract_data_updated_at=bindparam("now"))
)
_ADD_TAG_SUCCESS: Final = insert(tag_success).values(
    content_id=_CONTENT,
    verification_id=bindparam("number"),
    tag=bindparam("tag"),
    is_wip=bindparam("is_wip"),
    verified_at=bindparam("verified_at"),
)


def add(db: Connection, new: NewVerification, *, is_new_version: bool, tags: Sequence[str]) -> int:
    """Add a result as the newest of its content and provider version, and return its number."""
    names = {
        "consumer": new.consumer,
        "provider": new.provider,
        "sha": new.sha,
        "provider_version": new.provider_version,
    }
    if not is_new_version:
        run(db, _RETIRE, names)
    number: int = scalar(db, _ADD, {**_columns(new), **names, "tags": new.tags_json(tags)})
    run(db, _TOUCH, {**names, "now": new.created_at})
    if new.success:
        for one in tags:
            params = {"number": number, "tag": one, "is_wip": new.is_wip, "verified_at": new.verified_at}
            run(db, _ADD_TAG_SUCCESS, {**names, **params})
    return number


def _columns(new: NewVerification) -> dict[str, Any]:
    return {
        "success": new.success,
        "is_wip": new.is_wip,
        "was_pending": new.was_pending,
        "build_url": new.build_url,
        "verified_at": new.verified_at,
        "created_at": new.created_at,
        "selectors": new.metadata,
        "verified_by": new.verified_by,
        "test_results": new.test_results,
    }
