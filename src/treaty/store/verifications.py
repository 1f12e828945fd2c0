"""Verification results, by content and provider version.

Results belong to content, not to a publication, so content that is published again is verified already.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from sqlalchemy import (
    Connection,
    Select,
    Text,
    and_,
    bindparam,
    case,
    delete,
    exists,
    false,
    func,
    insert,
    literal_column,
    select,
    true,
    update,
)

from treaty.model.pacts.pacts import Pact
from treaty.model.verifications.verifications import NewVerification, Verification
from treaty.model.versions import Tag
from treaty.store import newest_results
from treaty.store.engine.database import execute, fetch_all, fetch_column, fetch_first, fetch_one
from treaty.store.pacts.pacts import CONSUMER, CONSUMER_ID, CONTENT_ID, PROVIDER, PROVIDER_ID
from treaty.store.tables import (
    content,
    integration,
    pacticipant,
    publication,
    tag,
    tag_head,
    tag_success,
    verification,
    version,
)

_CONSUMER_VERSION: Final = version.alias("consumer_version")
_PROVIDER_VERSION: Final = version.alias("provider_version")
_PROVIDER_VERSION_ID: Final = (
    select(version.c.id)
    .where(version.c.pacticipant_id == PROVIDER_ID, version.c.number == bindparam("provider_version"))
    .scalar_subquery()
)

# A result names a consumer version, although many may share its content: that of the latest publication, unless a
# statement passes another column.
_publication_of_content: Final = publication.alias("publication_of_content")
_LATEST_CONSUMER_VERSION: Final = (
    select(_CONSUMER_VERSION.c.number)
    .select_from(_publication_of_content)
    .join(_CONSUMER_VERSION, _CONSUMER_VERSION.c.id == _publication_of_content.c.consumer_version_id)
    .where(_publication_of_content.c.content_id == verification.c.content_id)
    .order_by(_publication_of_content.c.position.desc(), _publication_of_content.c.revision.desc())
    .limit(1)
    .scalar_subquery()
)


def _select_verifications(consumer_version: Any) -> Select[*tuple[Any, ...]]:
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
            verification.c.is_wip,
            verification.c.created_at,
        )
        .select_from(verification)
        .join(content, content.c.id == verification.c.content_id)
        .join(CONSUMER, CONSUMER.c.id == verification.c.consumer_id)
        .join(PROVIDER, PROVIDER.c.id == verification.c.provider_id)
        .join(_PROVIDER_VERSION, _PROVIDER_VERSION.c.id == verification.c.provider_version_id)
    )


_other: Final = verification.alias("other")
NEWEST_FIRST: Final = (verification.c.created_at.desc(), verification.c.id.desc())


def select_newest_id(content_id: Any) -> Any:
    """Build a subquery for the id of the newest result of content, over all provider versions.

    Results are ordered by the time at which they were recorded, because an imported result keeps its original time.
    """
    return (
        select(_other.c.id)
        .where(_other.c.content_id == content_id)
        .order_by(_other.c.created_at.desc(), _other.c.id.desc())
        .limit(1)
        .scalar_subquery()
    )


def _select_decisive_id(content_id: Any) -> Any:
    """Build a subquery for the id of the newest result; that of the other kind for its version, if that is a failure.

    A verification and a comparison have a latest result each, and either one fails the pair.
    """
    failure = verification.alias("failure")
    newest_version = (
        select(_other.c.provider_version_id)
        .where(_other.c.content_id == content_id)
        .order_by(_other.c.created_at.desc(), _other.c.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    failed = (
        select(failure.c.id)
        .where(
            failure.c.content_id == content_id,
            failure.c.provider_version_id == newest_version,
            failure.c.is_latest,
            ~failure.c.success,
        )
        .order_by(failure.c.created_at.desc(), failure.c.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    return func.coalesce(failed, select_newest_id(content_id))


# The result of content whose pacts were all deleted is stored, so that content published again is verified already.
# Until then it is not found, because it has no consumer version to be shown with.
_IS_PUBLISHED: Final = exists().where(publication.c.content_id == verification.c.content_id)
_BY_NUMBER: Final = _select_verifications(_LATEST_CONSUMER_VERSION).where(
    verification.c.id == bindparam("number"),
    content.c.sha == bindparam("sha"),
    CONSUMER.c.name == bindparam("consumer"),
    PROVIDER.c.name == bindparam("provider"),
    _IS_PUBLISHED,
)
_LATEST_OF_CONTENT: Final = _select_verifications(_LATEST_CONSUMER_VERSION).where(
    verification.c.id == _select_decisive_id(CONTENT_ID), _IS_PUBLISHED
)


def find(db: Connection, consumer: str, provider: str, sha: str, number: int) -> Verification | None:
    """Find a result by its number, if it belongs to this pair and content and a pact still has the content."""
    params = {"consumer": consumer, "provider": provider, "sha": sha, "number": number}
    return fetch_one(db, _BY_NUMBER, params, Verification)


def find_latest_of_content(db: Connection, consumer: str, provider: str, sha: str) -> Verification | None:
    """Find the newest result over all provider versions, if a pact still has the content."""
    params = {"consumer": consumer, "provider": provider, "sha": sha}
    return fetch_one(db, _LATEST_OF_CONTENT, params, Verification)


def find_latest_of_pact(db: Connection, pact: Pact) -> Verification | None:
    """Find the newest result of a pact's content, with the pact's consumer version."""
    result = find_latest_of_content(db, pact.consumer, pact.provider, pact.sha)
    return result and replace(result, consumer_version=pact.version)


_OF_VERSION: Final = and_(
    _CONSUMER_VERSION.c.pacticipant_id == CONSUMER_ID,
    _CONSUMER_VERSION.c.number == bindparam("version"),
    publication.c.is_current,
)
_LATEST_OF_VERSION: Final = (
    _select_verifications(_CONSUMER_VERSION.c.number)
    .join(publication, publication.c.content_id == verification.c.content_id)
    .join(_CONSUMER_VERSION, _CONSUMER_VERSION.c.id == publication.c.consumer_version_id)
    .where(_OF_VERSION, verification.c.id == _select_decisive_id(publication.c.content_id))
    .order_by(func.lower(PROVIDER.c.name), PROVIDER.c.name)
)
_UNVERIFIED_PROVIDERS: Final = (
    select(PROVIDER.c.name)
    .select_from(publication)
    .join(PROVIDER, PROVIDER.c.id == publication.c.provider_id)
    .join(_CONSUMER_VERSION, _CONSUMER_VERSION.c.id == publication.c.consumer_version_id)
    .where(_OF_VERSION, ~exists().where(_other.c.content_id == publication.c.content_id))
    .order_by(func.lower(PROVIDER.c.name), PROVIDER.c.name)
)


def list_latest_of_version(db: Connection, consumer: str, version: str) -> list[Verification]:
    """List the newest result of each pact that a consumer's version has, by the names of the providers."""
    return fetch_all(db, _LATEST_OF_VERSION, {"consumer": consumer, "version": version}, Verification)


def list_unverified_providers(db: Connection, consumer: str, version: str) -> list[str]:
    """List the providers whose pacts with a consumer's version have no result."""
    return fetch_column(db, _UNVERIFIED_PROVIDERS, {"consumer": consumer, "version": version})


_TAGS: Final = (
    select(
        pacticipant.c.name.label("pacticipant"),
        version.c.number.label("version"),
        tag.c.name,
        tag_head.c.id.is_not(None).label("is_head"),
        tag.c.created_at,
        tag.c.updated_at,
    )
    .select_from(tag)
    .join(version, version.c.id == tag.c.version_id)
    .join(pacticipant, pacticipant.c.id == tag.c.pacticipant_id)
    .outerjoin(tag_head, and_(tag_head.c.version_id == tag.c.version_id, tag_head.c.name == tag.c.name))
    .where(pacticipant.c.name == bindparam("provider"), version.c.number == bindparam("provider_version"))
    .order_by(tag.c.name)
)


def list_tags(db: Connection, result: Verification) -> list[Tag]:
    """List the tags that the provider's version of a result has now."""
    return fetch_all(db, _TAGS, {"provider": result.provider, "provider_version": result.provider_version}, Tag)


# Publishing. The latest result of a content and provider version is marked (`is_latest`): the matrix joins contents
# with results of many versions, and would otherwise need a subquery for each of them.

_IS_SAME_SUBJECT: Final = and_(
    verification.c.content_id == CONTENT_ID, verification.c.provider_version_id == _PROVIDER_VERSION_ID
)
# Results of verifiers and results of comparisons have a latest one each: a failure of either kind counts.
_UNMARK_LATEST: Final = update(verification).where(_IS_SAME_SUBJECT, verification.c.is_latest).values(is_latest=false())
_UNMARK_VERIFIED: Final = _UNMARK_LATEST.where(verification.c.comparison_id.is_(None))
_UNMARK_COMPARED: Final = _UNMARK_LATEST.where(verification.c.comparison_id.is_not(None))
# As _LATEST_CONSUMER_VERSION, in plain SQL: within RETURNING, SQLAlchemy would leave out the names of the tables. It
# saves the query for the result that the response shows.
_LATEST_CONSUMER_VERSION_OF_ADDED: Final = literal_column(
    "(SELECT version.number FROM publication JOIN version ON version.id = publication.consumer_version_id"
    " WHERE publication.content_id = verification.content_id"
    " ORDER BY publication.position DESC, publication.revision DESC LIMIT 1)",
    Text,
)
_ADD: Final = (
    insert(verification)
    .values(
        consumer_id=CONSUMER_ID,
        provider_id=PROVIDER_ID,
        content_id=CONTENT_ID,
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
                "comparison_id",
            )
        },
    )
    .returning(verification.c.id, verification.c.created_at, _LATEST_CONSUMER_VERSION_OF_ADDED)
)
_NOW: Final = bindparam("created_at", type_=verification.c.created_at.type)
_NEWEST_TIME: Final = (
    select(func.max(_other.c.created_at, type_=verification.c.created_at.type))
    .where(_other.c.content_id == CONTENT_ID, _other.c.provider_version_id == _PROVIDER_VERSION_ID)
    .scalar_subquery()
)
# The clocks of server processes differ by milliseconds: a new result must not be older than the one that it replaces,
# since results are ordered by this time.
_ADD_IN_ORDER: Final = _ADD.values(created_at=case((_NEWEST_TIME > _NOW, _NEWEST_TIME), else_=_NOW))
_TOUCH: Final = (
    update(integration)
    .where(integration.c.consumer_id == CONSUMER_ID, integration.c.provider_id == PROVIDER_ID)
    .values(
        contract_data_updated_at=bindparam("now"),
        **newest_results.build_values(
            integration.c.latest_publication_id, bindparam("now", type_=integration.c.contract_data_updated_at.type)
        ),
    )
)
# "Pending" and "work in progress" depend on the tags that the provider version had when it verified a content, not on
# those that it has now. So each success is stored with these tags.
_ADD_TAG_SUCCESS: Final = insert(tag_success).values(
    content_id=CONTENT_ID,
    verification_id=bindparam("number"),
    tag=bindparam("tag"),
    is_wip=bindparam("is_wip"),
    verified_at=bindparam("verified_at"),
)


def add(
    db: Connection,
    new: NewVerification,
    *,
    is_new_version: bool,
    tags: Sequence[str],
    comparison_id: int | None = None,
) -> Verification:
    """Add a result as the newest of its content, provider version and kind, and return it as it is stored.

    A result with a comparison is the verdict of comparing the content with the contract of the provider version.
    """
    names = {
        "consumer": new.consumer,
        "provider": new.provider,
        "sha": new.sha,
        "provider_version": new.provider_version,
    }
    # A version that was just added cannot have earlier results, which saves a statement and a subquery.
    if not is_new_version:
        execute(db, _UNMARK_VERIFIED if comparison_id is None else _UNMARK_COMPARED, names)
    statement = _ADD if is_new_version else _ADD_IN_ORDER
    number, created_at, consumer_version = fetch_first(
        db, statement, {**_columns(new), **names, "tags": new.tags_json(tags), "comparison_id": comparison_id}
    )
    execute(db, _TOUCH, {**names, "now": new.created_at})
    if new.success:
        for tag_name in tags:
            params = {"number": number, "tag": tag_name, "is_wip": new.is_wip, "verified_at": new.verified_at}
            execute(db, _ADD_TAG_SUCCESS, {**names, **params})
    return Verification(
        number=number,
        consumer=new.consumer,
        consumer_version=consumer_version,
        provider=new.provider,
        provider_version=new.provider_version,
        sha=new.sha,
        success=new.success,
        build_url=new.build_url,
        verified_at=new.verified_at,
        verified_by=new.verified_by,
        test_results=new.test_results,
        is_wip=new.is_wip,
        created_at=created_at,
    )


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


# Removal

_REMOVE: Final = delete(verification).where(verification.c.id == bindparam("number"))
_removed: Final = verification.alias("removed")
_REMOVE_EARLIER_COMPARED: Final = delete(verification).where(
    _IS_SAME_SUBJECT,
    verification.c.comparison_id.is_not(None),
    verification.c.id != bindparam("number"),
    exists().where(_removed.c.id == bindparam("number"), _removed.c.comparison_id.is_not(None)),
)
_newer: Final = verification.alias("newer")
_MARK_NEWEST: Final = (
    update(verification)
    .where(
        verification.c.id
        == select(_newer.c.id)
        .where(
            _newer.c.content_id == CONTENT_ID,
            _newer.c.provider_version_id == _PROVIDER_VERSION_ID,
            _newer.c.comparison_id.is_(None),
        )
        .order_by(_newer.c.created_at.desc(), _newer.c.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    .values(is_latest=true())
)


def remove(db: Connection, result: Verification) -> None:
    """Remove a result; the newest remaining one of its content and provider version becomes the latest.

    A removed result of a comparison is computed again when a decision needs it: earlier ones do not take its place.
    """
    execute(db, _REMOVE_EARLIER_COMPARED, result)
    execute(db, _REMOVE, result)
    execute(db, _MARK_NEWEST, result)
