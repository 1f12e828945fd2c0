"""Integrity check: recomputes denormalized columns to find and repair inconsistencies.

Decisions read the current pact, the latest result and the heads of branches and tags from columns that each write keeps
up to date (docs/decisions/0003). A mistake there would make a wrong decision, so these rules derive them again from the
rows themselves.
"""

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Table, Update, and_, delete, exists, func, insert, or_, select, update
from sqlalchemy.sql.dml import Delete, Insert

from treaty.store import newest_results
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
    """A rule about denormalized data: which rows of a table violate it, and the statements that repair them."""

    name: str
    table: Table
    is_inconsistent: ColumnElement[bool]
    repairs: tuple[Update | Delete | Insert, ...]


def _repair_by_update(table: Table, is_inconsistent: ColumnElement[bool], **values: Any) -> tuple[Update]:
    return (update(table).where(is_inconsistent).values(**values),)


def _check_position(table: Table, version_id: ColumnElement[int]) -> IntegrityCheck:
    """Build the check of a table's copy of the version's position, which its indexes need."""
    position = select(version.c.position).where(version.c.id == version_id).scalar_subquery()
    is_wrong = table.c.position != position
    name = f"the position of each {table.name.replace('_', ' ')} is its version's"
    return IntegrityCheck(name, table, is_wrong, _repair_by_update(table, is_wrong, position=position))


_OTHER: Final = publication.alias("other")
_NEWEST_REVISION: Final = ~exists().where(
    _OTHER.c.consumer_version_id == publication.c.consumer_version_id,
    _OTHER.c.provider_id == publication.c.provider_id,
    _OTHER.c.revision > publication.c.revision,
)
# By the time of recording, then by id: an imported result has its original time, and a newer id.
_LATER: Final = verification.alias("later")
_NEWEST_RESULT: Final = ~exists().where(
    _LATER.c.content_id == verification.c.content_id,
    _LATER.c.provider_version_id == verification.c.provider_version_id,
    _LATER.c.comparison_id.is_(None) == verification.c.comparison_id.is_(None),
    or_(
        _LATER.c.created_at > verification.c.created_at,
        and_(_LATER.c.created_at == verification.c.created_at, _LATER.c.id > verification.c.id),
    ),
)
_HEAD_IS_ON_BRANCH: Final = exists().where(
    branch_version.c.branch_id == branch.c.id, branch_version.c.version_id == branch.c.head_version_id
)
_HIGHEST_ON_BRANCH: Final = (
    select(branch_version.c.version_id)
    .where(branch_version.c.branch_id == branch.c.id)
    .order_by(branch_version.c.position.desc())
    .limit(1)
    .scalar_subquery()
)
# The head is the version added last, which need not be the highest, so any version on the branch is accepted.
_WRONG_HEAD: Final = or_(
    and_(branch.c.head_version_id.is_(None), exists().where(branch_version.c.branch_id == branch.c.id)),
    and_(branch.c.head_version_id.is_not(None), ~_HEAD_IS_ON_BRANCH),
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
# Only the highest version with a tag is counted, so that each missing head is one violation and one inserted row.
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

# In this order: the later rules compare positions and current revisions, which the earlier ones repair.
CHECKS: Final = (
    _check_position(tag, tag.c.version_id),
    _check_position(branch_version, branch_version.c.version_id),
    _check_position(publication, publication.c.consumer_version_id),
    IntegrityCheck(
        "the newest revision of each pact, and no other, is its current one",
        publication,
        publication.c.is_current != _NEWEST_REVISION,
        _repair_by_update(publication, publication.c.is_current != _NEWEST_REVISION, is_current=_NEWEST_REVISION),
    ),
    IntegrityCheck(
        "the newest result for each content and provider version, and no other, is the latest one",
        verification,
        verification.c.is_latest != _NEWEST_RESULT,
        _repair_by_update(verification, verification.c.is_latest != _NEWEST_RESULT, is_latest=_NEWEST_RESULT),
    ),
    IntegrityCheck(
        "the head of each branch is one of its versions",
        branch,
        _WRONG_HEAD,
        _repair_by_update(branch, _WRONG_HEAD, head_version_id=_HIGHEST_ON_BRANCH),
    ),
    IntegrityCheck(
        "the head of each tag is the highest version with it",
        tag_head,
        _WRONG_TAG_HEAD,
        (
            # A tag that no version has any more, and then the other wrong heads.
            delete(tag_head).where(_HIGHEST_TAGGED.is_(None)),
            *_repair_by_update(tag_head, _WRONG_TAG_HEAD, version_id=_HIGHEST_TAGGED),
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
        _repair_by_update(integration, _WRONG_LATEST, latest_publication_id=_LATEST_OF_PAIR),
    ),
    IntegrityCheck(
        "the newest result that each integration has a copy of is that of its latest pact",
        integration,
        newest_results.IS_WRONG,
        (newest_results.REFRESH.where(newest_results.IS_WRONG),),
    ),
)


def count_violations(db: Connection, check: IntegrityCheck) -> int:
    """Count the rows that violate a rule."""
    count: int = db.execute(select(func.count()).select_from(check.table).where(check.is_inconsistent)).scalar_one()
    return count


def repair(db: Connection, check: IntegrityCheck) -> None:
    """Repair all rows that violate a rule."""
    for statement in check.repairs:
        db.execute(statement)
