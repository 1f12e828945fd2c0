"""Removal of old data, a little at a time. What is asked for is looked at again when it goes."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    ScalarSelect,
    Table,
    and_,
    bindparam,
    delete,
    exists,
    func,
    not_,
    or_,
    select,
    true,
    tuple_,
)

from treaty.model.retention import Amount, Removed, Retention, oldest
from treaty.store.database import rows
from treaty.store.retention import is_kept, is_stale
from treaty.store.tables import (
    branch,
    content,
    pacticipant,
    publication,
    tag_success,
    triggered_webhook,
    verification,
    version,
    webhook_execution,
)

Condition = ColumnElement[bool]

# Versions and branches

_OWNER: Final = select(pacticipant.c.id).where(pacticipant.c.name == bindparam("pacticipant")).scalar_subquery()
_ASKED: Final = select(version.c.id).where(
    version.c.pacticipant_id == _OWNER, version.c.number.in_(bindparam("numbers", expanding=True))
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Batch:
    """Versions of a pacticipant that were found old."""

    pacticipant: str
    numbers: Sequence[str]
    found_at: datetime


def still_old(db: Connection, retention: Retention, batch: Batch, *, now: datetime) -> list[str]:
    """List those that nothing keeps still: no selector, and no pact or result that came in the meantime."""
    again = publication.alias("again")
    result = verification.c.provider_version_id == version.c.id
    news = (
        version.c.updated_at > batch.found_at,
        exists().where(result, verification.c.created_at > batch.found_at),
        exists().where(result, again.c.content_id == verification.c.content_id, again.c.created_at > batch.found_at),
    )
    statement = select(version.c.number).where(version.c.id.in_(_ASKED), not_(or_(is_kept(retention, now), *news)))
    found = db.execute(statement, {"pacticipant": batch.pacticipant, "numbers": list(batch.numbers)})
    return [row.number for row in found]


def _count(table: FromClause, *conditions: Condition) -> ScalarSelect[int]:
    return select(func.count()).select_from(table).where(*conditions).scalar_subquery()


_PUBLISHED: Final = select(publication.c.id).where(publication.c.consumer_version_id.in_(_ASKED))
_TRIGGERED: Final = select(triggered_webhook.c.id).where(triggered_webhook.c.publication_id.in_(_PUBLISHED))
_ATTACHED: Final = select(
    _count(version, version.c.id.in_(_ASKED)).label("versions"),
    _count(publication, publication.c.consumer_version_id.in_(_ASKED)).label("publications"),
    _count(verification, verification.c.provider_version_id.in_(_ASKED)).label("verifications"),
    _count(triggered_webhook, triggered_webhook.c.publication_id.in_(_PUBLISHED)).label("triggered_webhooks"),
    _count(webhook_execution, webhook_execution.c.triggered_webhook_id.in_(_TRIGGERED)).label("webhook_executions"),
)


def attached(db: Connection, pacticipant: str, numbers: Sequence[str]) -> Removed:
    """Count what goes with versions."""
    (found,) = rows(db, _ATTACHED, {"pacticipant": pacticipant, "numbers": list(numbers)})
    return Removed(**found._asdict())


def still_stale(
    db: Connection, retention: Retention, pacticipant: str, names: Collection[str], *, now: datetime
) -> list[str]:
    """List those branches that nothing keeps still."""
    statement = select(branch.c.name).where(
        branch.c.pacticipant_id == _OWNER, branch.c.name.in_(names), is_stale(retention.branches, now)
    )
    return [row.name for row in db.execute(statement, {"pacticipant": pacticipant})]


# Contents that nothing refers to

_ORPHANED: Final = and_(
    ~exists().where(publication.c.content_id == content.c.id),
    ~exists().where(verification.c.content_id == content.c.id),
)
_consumer: Final = pacticipant.alias("consumer")
_provider: Final = pacticipant.alias("provider")
_ORPHANS: Final = (
    select(content.c.id, _consumer.c.name.label("consumer"), _provider.c.name.label("provider"))
    .join_from(content, _consumer, _consumer.c.id == content.c.consumer_id)
    .join(_provider, _provider.c.id == content.c.provider_id)
    .where(_ORPHANED)
    .order_by(content.c.consumer_id, content.c.provider_id, content.c.id)
)
_REMOVE_ORPHANS: Final = delete(content).where(content.c.id.in_(bindparam("ids", expanding=True)), _ORPHANED)


def orphans(db: Connection) -> Mapping[tuple[str, str], list[int]]:
    """List the contents that neither a pact nor a result refers to, by consumer and provider."""
    found: dict[tuple[str, str], list[int]] = {}
    for row in rows(db, _ORPHANS, {}):
        found.setdefault((row.consumer, row.provider), []).append(row.id)
    return found


def remove_orphans(db: Connection, ids: Sequence[int]) -> int:
    """Remove those that nothing refers to still; say how many."""
    return db.execute(_REMOVE_ORPHANS, {"ids": list(ids)}).rowcount


# Overwritten data

_before: Final = bindparam("before", type_=publication.c.created_at.type)
_other: Final = verification.alias("other")
_newer: Final = triggered_webhook.alias("newer")
_same_success: Final = and_(
    _other.c.content_id == verification.c.content_id,
    _other.c.provider_version_id == verification.c.provider_version_id,
    _other.c.success,
    _other.c.is_wip == verification.c.is_wip,
)
_TIME: Final = tuple_(verification.c.created_at, verification.c.id)
_BETWEEN: Final = and_(
    exists().where(_same_success, tuple_(_other.c.created_at, _other.c.id) < _TIME),
    exists().where(_same_success, tuple_(_other.c.created_at, _other.c.id) > _TIME),
    ~exists().where(tag_success.c.verification_id == verification.c.id),
)
"""Successes that decide nothing: what is pending, or work in progress, rests on the first or the last one."""

_IS_OVERWRITTEN: Final[Mapping[str, tuple[Table, Condition]]] = {
    "pact_publications": (publication, not_(publication.c.is_current)),
    "verification_results": (
        verification,
        and_(not_(verification.c.is_latest), or_(not_(verification.c.success), _BETWEEN)),
    ),
    "triggered_webhooks": (
        triggered_webhook,
        and_(
            triggered_webhook.c.due_at.is_(None),
            exists().where(
                _newer.c.consumer_id == triggered_webhook.c.consumer_id,
                _newer.c.provider_id == triggered_webhook.c.provider_id,
                _newer.c.webhook_id.is_not_distinct_from(triggered_webhook.c.webhook_id),
                _newer.c.event == triggered_webhook.c.event,
                _newer.c.id > triggered_webhook.c.id,
            ),
        ),
    ),
}
OVERWRITTEN: Final = tuple(_IS_OVERWRITTEN)


def overwritten_ids(db: Connection, kind: str, *, before: datetime, limit: int) -> list[int]:
    """List what of a kind was overwritten, oldest first."""
    table, is_overwritten = _IS_OVERWRITTEN[kind]
    statement = select(table.c.id).where(table.c.created_at < _before, is_overwritten).order_by(table.c.id).limit(limit)
    return [row.id for row in db.execute(statement, {"before": before})]


def remove_overwritten(db: Connection, kind: str, ids: Sequence[int]) -> int:
    """Remove what is overwritten still; say how much."""
    table, is_overwritten = _IS_OVERWRITTEN[kind]
    return db.execute(delete(table).where(table.c.id.in_(ids), is_overwritten)).rowcount


def overwritten(db: Connection, *, before: datetime, limit: int) -> Mapping[str, Amount]:
    """Say how much of each kind would go, and what there would be besides."""
    found = {kind: len(overwritten_ids(db, kind, before=before, limit=limit)) for kind in OVERWRITTEN}
    found["pact_versions"] = len([one for ids in orphans(db).values() for one in ids][:limit])
    totals = amounts(db)
    return {name: Amount(gone=gone, kept=totals[name] - gone) for name, gone in found.items()}


_TABLES: Final[Mapping[str, Table]] = {
    "versions": version,
    "pact_publications": publication,
    "pact_versions": content,
    "verifications": verification,
    "verification_results": verification,
    "triggered_webhooks": triggered_webhook,
    "webhook_executions": webhook_execution,
    "branches": branch,
}
_AMOUNTS: Final = select(*(_count(table, true()).label(name) for name, table in _TABLES.items()))


def amounts(db: Connection) -> Mapping[str, int]:
    """Count what there is."""
    (found,) = rows(db, _AMOUNTS, {})
    return dict(found._asdict())


def cutoff(retention: Retention, now: datetime) -> datetime:
    """Say before when what was overwritten goes."""
    return oldest(now, retention.overwritten_days) if retention.overwritten_days else now
