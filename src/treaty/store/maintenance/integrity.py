"""What is kept on write so that decisions need not count: counted again, to find and mend what is wrong."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Table, Update, and_, delete, exists, func, insert, or_, select, update
from sqlalchemy.sql.dml import Delete, Insert

from treaty.store.tables import (
    branch,
    branch_version,
    integration,
    publication,
    tag,
    tag_head,
    verification,
    version,
)


@dataclass(frozen=True, slots=True)
class IntegrityCheck:
    """A rule about what is kept: which rows of a table break it, and what mends them."""

    name: str
    table: Table
    is_inconsistent: ColumnElement[bool]
    repairs: tuple[Update | Delete | Insert, ...]


def _mended(table: Table, is_inconsistent: ColumnElement[bool], **values: Any) -> tuple[Update]:
    return (update(table).where(is_inconsistent).values(**values),)


def _copies() -> Iterator[IntegrityCheck]:
    """Copies of a version's position."""
    for table, key in ((tag, tag.c.version_id), (branch_version, branch_version.c.version_id)):
        yield _copy(table, key)
    yield _copy(publication, publication.c.consumer_version_id)


def _copy(table: Table, key: ColumnElement[int]) -> IntegrityCheck:
    of_version = select(version.c.position).where(version.c.id == key).scalar_subquery()
    is_wrong = table.c.position != of_version
    name = f"the position of each {table.name.replace('_', ' ')} is its version's"
    return IntegrityCheck(name, table, is_wrong, _mended(table, is_wrong, position=of_version))


_OTHER: Final = publication.alias("other")
_NEWEST_REVISION: Final = ~exists().where(
    _OTHER.c.consumer_version_id == publication.c.consumer_version_id,
    _OTHER.c.provider_id == publication.c.provider_id,
    _OTHER.c.revision > publication.c.revision,
)
_LATER: Final = verification.alias("later")
_NEWEST_RESULT: Final = ~exists().where(
    _LATER.c.content_id == verification.c.content_id,
    _LATER.c.provider_version_id == verification.c.provider_version_id,
    or_(
        _LATER.c.created_at > verification.c.created_at,
        and_(_LATER.c.created_at == verification.c.created_at, _LATER.c.id > verification.c.id),
    ),
)
_ON_BRANCH: Final = exists().where(
    branch_version.c.branch_id == branch.c.id, branch_version.c.version_id == branch.c.head_version_id
)
_HIGHEST_ON_BRANCH: Final = (
    select(branch_version.c.version_id)
    .where(branch_version.c.branch_id == branch.c.id)
    .order_by(branch_version.c.position.desc())
    .limit(1)
    .scalar_subquery()
)
_WRONG_HEAD: Final = or_(
    and_(branch.c.head_version_id.is_(None), exists().where(branch_version.c.branch_id == branch.c.id)),
    and_(branch.c.head_version_id.is_not(None), ~_ON_BRANCH),
)
_HIGHEST_TAGGED: Final = (
    select(tag.c.version_id)
    .where(tag.c.pacticipant_id == tag_head.c.pacticipant_id, tag.c.name == tag_head.c.name)
    .order_by(tag.c.position.desc())
    .limit(1)
    .scalar_subquery()
)
_WRONG_TAG_HEAD: Final = tag_head.c.version_id.is_distinct_from(_HIGHEST_TAGGED)
_HIGHER: Final = tag.alias("higher")
_WITHOUT_HEAD: Final = and_(
    ~exists().where(
        _HIGHER.c.pacticipant_id == tag.c.pacticipant_id,
        _HIGHER.c.name == tag.c.name,
        _HIGHER.c.position > tag.c.position,
    ),
    ~exists().where(tag_head.c.pacticipant_id == tag.c.pacticipant_id, tag_head.c.name == tag.c.name),
)
_LATEST_OF_PAIR: Final = (
    select(publication.c.id)
    .where(
        publication.c.consumer_id == integration.c.consumer_id, publication.c.provider_id == integration.c.provider_id
    )
    .order_by(publication.c.position.desc(), publication.c.revision.desc())
    .limit(1)
    .scalar_subquery()
)
_WRONG_LATEST: Final = integration.c.latest_publication_id.is_distinct_from(_LATEST_OF_PAIR)
_WITHOUT_INTEGRATION: Final = ~exists().where(
    integration.c.consumer_id == publication.c.consumer_id, integration.c.provider_id == publication.c.provider_id
)
_MISSING_PAIRS: Final = (
    select(
        publication.c.consumer_id,
        publication.c.provider_id,
        func.max(publication.c.created_at),
        func.min(publication.c.created_at),
    )
    .where(_WITHOUT_INTEGRATION)
    .group_by(publication.c.consumer_id, publication.c.provider_id)
)

# In this order: positions first, as the others are counted by them.
CHECKS: Final = (
    *_copies(),
    IntegrityCheck(
        "the newest revision of each pact, and no other, is its current one",
        publication,
        publication.c.is_current != _NEWEST_REVISION,
        _mended(publication, publication.c.is_current != _NEWEST_REVISION, is_current=_NEWEST_REVISION),
    ),
    IntegrityCheck(
        "the newest result for each content and provider version, and no other, is the latest one",
        verification,
        verification.c.is_latest != _NEWEST_RESULT,
        _mended(verification, verification.c.is_latest != _NEWEST_RESULT, is_latest=_NEWEST_RESULT),
    ),
    IntegrityCheck(
        "the head of each branch is one of its versions",
        branch,
        _WRONG_HEAD,
        _mended(branch, _WRONG_HEAD, head_version_id=_HIGHEST_ON_BRANCH),
    ),
    IntegrityCheck(
        "the head of each tag is the highest version with it",
        tag_head,
        _WRONG_TAG_HEAD,
        (
            delete(tag_head).where(_HIGHEST_TAGGED.is_(None)),
            *_mended(tag_head, _WRONG_TAG_HEAD, version_id=_HIGHEST_TAGGED),
        ),
    ),
    IntegrityCheck(
        "each tag has a head",
        tag,
        _WITHOUT_HEAD,
        (
            insert(tag_head).from_select(
                ["pacticipant_id", "name", "version_id"],
                select(tag.c.pacticipant_id, tag.c.name, tag.c.version_id).where(_WITHOUT_HEAD),
            ),
        ),
    ),
    IntegrityCheck(
        "each pair with pacts is an integration",
        publication,
        _WITHOUT_INTEGRATION,
        (
            insert(integration).from_select(
                ["consumer_id", "provider_id", "contract_data_updated_at", "created_at"], _MISSING_PAIRS
            ),
        ),
    ),
    IntegrityCheck(
        "the latest pact of each integration is that of the highest version",
        integration,
        _WRONG_LATEST,
        _mended(integration, _WRONG_LATEST, latest_publication_id=_LATEST_OF_PAIR),
    ),
)


def count_violations(db: Connection, check: IntegrityCheck) -> int:
    """Count the rows that break a rule."""
    found: int = db.execute(select(func.count()).select_from(check.table).where(check.is_inconsistent)).scalar_one()
    return found


def repair(db: Connection, check: IntegrityCheck) -> None:
    """Make the rows that break a rule keep to it."""
    for statement in check.repairs:
        db.execute(statement)
