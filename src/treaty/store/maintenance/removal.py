"""Removal of old data in small batches, and the counts for the preview.

Each batch is checked again in the transaction that removes it: since the plan was made, a build may have deployed,
verified or published again what was not needed then.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import (
    CTE,
    ColumnElement,
    Connection,
    FromClause,
    ScalarSelect,
    Select,
    Table,
    and_,
    bindparam,
    delete,
    exists,
    false,
    func,
    not_,
    or_,
    select,
    true,
    tuple_,
)

from treaty.model.maintenance.retention import RemovalCounts, RemovedCounts, Retention, compute_cutoff
from treaty.store import audit
from treaty.store.decisions import records
from treaty.store.engine.database import fetch_column, fetch_rows
from treaty.store.maintenance.retention import (
    PlannedAmounts,
    find_kept_ids,
    plan_parameters,
    select_removed_branches,
    select_removed_versions,
)
from treaty.store.tables import (
    branch,
    branch_version,
    content,
    deployed_version,
    integration,
    pacticipant,
    publication,
    released_version,
    tag,
    tag_success,
    triggered_webhook,
    verification,
    version,
    webhook_execution,
)
from treaty.store.usage import contents as usage_contents

Condition = ColumnElement[bool]
Ids = Select[tuple[int]]

# Versions

_OWNER: Final = select(pacticipant.c.id).where(pacticipant.c.name == bindparam("pacticipant")).scalar_subquery()
_OF_BATCH: Final = select(version.c.id).where(
    version.c.pacticipant_id == _OWNER, version.c.number.in_(bindparam("numbers", expanding=True))
)


@dataclass(frozen=True, kw_only=True, slots=True)
class VersionBatch:
    """Versions of a pacticipant that were not retained when the clean-up was planned."""

    pacticipant: str
    numbers: Sequence[str]
    planned_at: datetime


_publication: Final = publication.alias("publication")
_is_result_of_version: Final = verification.c.provider_version_id == version.c.id
_planned_at: Final = bindparam("planned_at", type_=version.c.updated_at.type)
# A version that a build has just used is spared, although no rule retains it yet: the build may be about to verify or
# deploy it. A later clean-up decides about it again.
_IS_USED_SINCE_PLAN: Final = or_(
    version.c.updated_at > _planned_at,
    exists().where(_is_result_of_version, verification.c.created_at > _planned_at),
    exists().where(
        _is_result_of_version,
        _publication.c.content_id == verification.c.content_id,
        _publication.c.created_at > _planned_at,
    ),
)
_UNUSED_SINCE_PLAN: Final = select(version.c.id, version.c.number).where(
    version.c.id.in_(_OF_BATCH), not_(_IS_USED_SINCE_PLAN)
)


def filter_removable(db: Connection, retention: Retention, batch: VersionBatch, *, now: datetime) -> list[str]:
    """List the versions of a batch that are still not retained.

    The caller holds the locks of the pacticipant and of its counterparts. Publishing, verifying and deploying one of
    these versions take one of these locks, so the result stays true until the transaction ends.
    """
    params = {"pacticipant": batch.pacticipant, "numbers": list(batch.numbers), "planned_at": batch.planned_at}
    candidates = {row.id: row.number for row in fetch_rows(db, _UNUSED_SINCE_PLAN, params)}
    if not candidates:
        return []
    kept_ids = find_kept_ids(db, retention, candidates, now=now)
    return [number for id_, number in candidates.items() if id_ not in kept_ids]


_counterpart: Final = pacticipant.alias("counterpart")
_INTEGRATIONS: Final = (
    select(pacticipant.c.name.label("consumer"), _counterpart.c.name.label("provider"))
    .select_from(integration)
    .join(pacticipant, pacticipant.c.id == integration.c.consumer_id)
    .join(_counterpart, _counterpart.c.id == integration.c.provider_id)
    .order_by(integration.c.id)
)


def list_integrations(db: Connection) -> list[tuple[str, str]]:
    """List the names of consumer and provider of all integrations."""
    return [(row.consumer, row.provider) for row in fetch_rows(db, _INTEGRATIONS, {})]


def _count(table: FromClause, *conditions: Condition) -> ScalarSelect[int]:
    return select(func.count()).select_from(table).where(*conditions).scalar_subquery()


def _count_dependents(ids: Ids) -> dict[str, ScalarSelect[int]]:
    """Build the statements that count the rows removed together with versions. Queued deliveries are still sent."""
    published = publication.c.id.in_(select(publication.c.id).where(publication.c.consumer_version_id.in_(ids)))
    deliveries = _finished_deliveries(select(publication.c.id).where(published))
    return {
        "versions": _count(version, version.c.id.in_(ids)),
        "pact_publications": _count(publication, published),
        "verifications": _count(verification, verification.c.provider_version_id.in_(ids)),
        "triggered_webhooks": _count(triggered_webhook, triggered_webhook.c.id.in_(deliveries)),
        "webhook_executions": _count(webhook_execution, webhook_execution.c.triggered_webhook_id.in_(deliveries)),
        "branch_versions": _count(branch_version, branch_version.c.version_id.in_(ids)),
        "tags": _count(tag, tag.c.version_id.in_(ids)),
        "deployed_versions": _count(deployed_version, deployed_version.c.version_id.in_(ids)),
        "released_versions": _count(released_version, released_version.c.version_id.in_(ids)),
    }


def _finished_deliveries(publications: Ids) -> Ids:
    return select(triggered_webhook.c.id).where(
        triggered_webhook.c.publication_id.in_(publications), triggered_webhook.c.due_at.is_(None)
    )


_ATTACHED: Final = select(*(count.label(name) for name, count in _count_dependents(_OF_BATCH).items()))


def count_attached(db: Connection, pacticipant: str, numbers: Sequence[str]) -> RemovedCounts:
    """Count the versions, and the rows that are removed together with them."""
    (counts,) = fetch_rows(db, _ATTACHED, {"pacticipant": pacticipant, "numbers": list(numbers)})
    return RemovedCounts(**counts._asdict())


_ON_BRANCHES: Final = select(
    _count(
        branch_version,
        branch_version.c.branch_id.in_(
            select(branch.c.id).where(
                branch.c.pacticipant_id == _OWNER, branch.c.name.in_(bindparam("names", expanding=True))
            )
        ),
    ).label("branch_versions")
)


def count_on_branches(db: Connection, pacticipant: str, names: Sequence[str]) -> RemovedCounts:
    """Count the branches, and the memberships of versions that are removed together with them."""
    (counts,) = fetch_rows(db, _ON_BRANCHES, {"pacticipant": pacticipant, "names": list(names)})
    return RemovedCounts(branches=len(names), **counts._asdict())


# Orphaned contents: without publications and results

# Versions and results share contents, so a content is removed only after the last row that refers to it.
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
# The condition again: the content may have been published again since its id was listed.
_STILL_ORPHANED: Final = select(content.c.id).where(content.c.id.in_(bindparam("ids", expanding=True)), _ORPHANED)
_REMOVE_ORPHANS: Final = delete(content).where(content.c.id.in_(bindparam("ids", expanding=True)), _ORPHANED)


def list_orphans(db: Connection) -> Mapping[tuple[str, str], list[int]]:
    """List the ids of orphaned contents, by consumer and provider."""
    ids_by_pair: dict[tuple[str, str], list[int]] = {}
    for row in fetch_rows(db, _ORPHANS, {}):
        ids_by_pair.setdefault((row.consumer, row.provider), []).append(row.id)
    return ids_by_pair


def remove_orphans(db: Connection, ids: Sequence[int]) -> int:
    """Remove the contents that are still orphaned, also from the usage index, and return their number."""
    orphans = fetch_column(db, _STILL_ORPHANED, {"ids": list(ids)})
    usage_contents.remove(db, orphans)
    return db.execute(_REMOVE_ORPHANS, {"ids": orphans}).rowcount


# Overwritten data: rows that a newer row of the same kind has replaced, so that only the history shows them

_before: Final = bindparam("before", type_=publication.c.created_at.type)
_other: Final = verification.alias("other")
_newer: Final = triggered_webhook.alias("newer")
_same_success: Final = and_(
    _other.c.content_id == verification.c.content_id,
    _other.c.provider_version_id == verification.c.provider_version_id,
    _other.c.success,
    _other.c.is_wip == verification.c.is_wip,
)
_IS_SAME_DELIVERY: Final = and_(
    _newer.c.consumer_id == triggered_webhook.c.consumer_id,
    _newer.c.provider_id == triggered_webhook.c.provider_id,
    # Deliveries of removed webhooks have none.
    _newer.c.webhook_id.is_not_distinct_from(triggered_webhook.c.webhook_id),
    _newer.c.event == triggered_webhook.c.event,
    _newer.c.id > triggered_webhook.c.id,
)
"""A newer delivery to the same webhook, for the same event and pair."""
_TIME: Final = tuple_(verification.c.created_at, verification.c.id)
_IS_BETWEEN_SUCCESSES: Final = and_(
    exists().where(_same_success, tuple_(_other.c.created_at, _other.c.id) < _TIME),
    exists().where(_same_success, tuple_(_other.c.created_at, _other.c.id) > _TIME),
    ~exists().where(tag_success.c.verification_id == verification.c.id),
)
"""Successes between an earlier and a later one of the same version and content.

Whether a pact is pending depends on the first success, and decisions on the last one; work in progress depends on those
that `tag_success` refers to.
"""

_IS_OVERWRITTEN: Final[Mapping[str, tuple[Table, Condition]]] = {
    "pact_publications": (publication, not_(publication.c.is_current)),
    "verification_results": (
        verification,
        and_(not_(verification.c.is_latest), or_(not_(verification.c.success), _IS_BETWEEN_SUCCESSES)),
    ),
    "triggered_webhooks": (
        triggered_webhook,
        and_(
            # A delivery that is still due must be sent, however old it is.
            triggered_webhook.c.due_at.is_(None),
            exists().where(_IS_SAME_DELIVERY),
        ),
    ),
}
OVERWRITTEN_KINDS: Final = tuple(_IS_OVERWRITTEN)


def list_overwritten_ids(db: Connection, kind: str, *, before: datetime, limit: int) -> list[int]:
    """List the ids of overwritten rows of a kind, oldest first."""
    table, is_overwritten = _IS_OVERWRITTEN[kind]
    statement = select(table.c.id).where(table.c.created_at < _before, is_overwritten).order_by(table.c.id).limit(limit)
    return [row.id for row in db.execute(statement, {"before": before})]


_OVERWRITTEN_PUBLICATIONS: Final = select(publication.c.id).where(
    publication.c.id.in_(bindparam("ids", expanding=True)), _IS_OVERWRITTEN["pact_publications"][1]
)
_OVERWRITTEN_DELIVERIES: Final = select(triggered_webhook.c.id).where(
    triggered_webhook.c.id.in_(bindparam("ids", expanding=True)), _IS_OVERWRITTEN["triggered_webhooks"][1]
)


def _deliveries(ids: Ids) -> Select[int, int]:
    executions = _count(webhook_execution, webhook_execution.c.triggered_webhook_id.in_(ids))
    deliveries = _count(triggered_webhook, triggered_webhook.c.id.in_(ids))
    return select(deliveries.label("triggered_webhooks"), executions.label("webhook_executions"))


_REMOVED_DELIVERIES: Final = {
    "pact_publications": _deliveries(_finished_deliveries(_OVERWRITTEN_PUBLICATIONS)),
    "triggered_webhooks": _deliveries(_OVERWRITTEN_DELIVERIES),
}
"""Statements that count the deliveries, and their executions, removed together with a kind of overwritten data."""


def remove_overwritten(db: Connection, kind: str, ids: Sequence[int]) -> dict[str, int]:
    """Remove the rows that are still overwritten, and return the number of removed rows by kind.

    The condition is checked again: the newer row may have been removed since they were listed.
    """
    table, is_overwritten = _IS_OVERWRITTEN[kind]
    counts: dict[str, int] = {}
    if kind in _REMOVED_DELIVERIES:
        (row,) = fetch_rows(db, _REMOVED_DELIVERIES[kind], {"ids": list(ids)})
        counts = row._asdict()
    return {**counts, kind: db.execute(delete(table).where(table.c.id.in_(ids), is_overwritten)).rowcount}


_TABLES: Final[Mapping[str, Table]] = {
    "versions": version,
    "pact_publications": publication,
    "pact_versions": content,
    "verifications": verification,
    "verification_results": verification,
    "triggered_webhooks": triggered_webhook,
    "webhook_executions": webhook_execution,
    "branches": branch,
    "branch_versions": branch_version,
    "tags": tag,
    "deployed_versions": deployed_version,
    "released_versions": released_version,
}
_ROW_COUNTS: Final = select(*(_count(table, true()).label(name) for name, table in _TABLES.items()))


def count_rows(db: Connection) -> Mapping[str, int]:
    """Count the rows of each kind."""
    (counts,) = fetch_rows(db, _ROW_COUNTS, {})
    return dict(counts._asdict())


def compute_overwritten_cutoff(retention: Retention, now: datetime) -> datetime:
    """Return the time before which data must have been overwritten to be removed: `now` without a minimum age."""
    return compute_cutoff(now, retention.overwritten_max_age) if retention.overwritten_max_age else now


# Planning. One statement counts the removals of all steps of a clean-up without removing anything. Each condition
# excludes the rows that an earlier step would already have removed, so that the preview adds up.


def count_planned_removals(
    db: Connection,
    retention: Retention,
    *,
    now: datetime,
    audit_before: datetime | None,
    decisions_before: datetime | None,
) -> PlannedAmounts:
    """Count the rows that a clean-up would remove now.

    `audit_before` and `decisions_before`: None keeps all audit events and recorded decisions.
    """
    totals = count_rows(db)
    removed, overwritten = _count_planned(db, retention, now)
    events = audit.count_events(db)
    old_events = 0 if audit_before is None else audit.count_events(db, before=audit_before)
    decisions = records.count(db)
    old_decisions = 0 if decisions_before is None else records.count(db, before=decisions_before)
    return PlannedAmounts(
        removed={name: RemovalCounts(gone=gone, kept=totals[name] - gone) for name, gone in removed.items()},
        overwritten={
            name: RemovalCounts(gone=gone, kept=totals[name] - removed.get(_OTHER_NAMES.get(name, name), 0) - gone)
            for name, gone in overwritten.items()
        },
        audit_events=RemovalCounts(gone=old_events, kept=events - old_events),
        decisions=RemovalCounts(gone=old_decisions, kept=decisions - old_decisions),
    )


_OTHER_NAMES: Final = {"verification_results": "verifications"}
"""The original broker's report names results differently when they are removed as overwritten data."""


def _count_planned(db: Connection, retention: Retention, now: datetime) -> tuple[dict[str, int], dict[str, int]]:
    branches = select_removed_branches(retention, now)
    versions = select_removed_versions(retention, now, branches)
    columns = {f"removed_{name}": count for name, count in _planned_removals(versions, branches).items()}
    if retention.overwritten_max_age is not None:
        overwritten = _planned_overwritten(versions, retention.limit)
        columns |= {f"overwritten_{name}": count for name, count in overwritten.items()}
    statement = select(*(count.label(name) for name, count in columns.items()))
    params = {**plan_parameters(retention, now), "before": compute_overwritten_cutoff(retention, now)}
    counts: dict[str, int] = db.execute(statement, params).one()._asdict()
    return _with_prefix(counts, "removed_"), _with_prefix(counts, "overwritten_")


def _with_prefix(counts: Mapping[str, int], prefix: str) -> dict[str, int]:
    return {name.removeprefix(prefix): count for name, count in counts.items() if name.startswith(prefix)}


def _planned_removals(versions: CTE, branches: CTE | None) -> dict[str, ScalarSelect[int]]:
    ids = select(versions.c.id)
    removed_branch = false() if branches is None else branch_version.c.branch_id.in_(select(branches.c.id))
    on_removed = or_(branch_version.c.version_id.in_(ids), removed_branch)
    is_removed_branch = false() if branches is None else branch.c.id.in_(select(branches.c.id))
    return {
        **_count_dependents(ids),
        "pact_versions": _count(content, _is_orphaned(ids)),
        "branches": _count(branch, is_removed_branch),
        "branch_versions": _count(branch_version, on_removed),
    }


def _is_orphaned(versions: Ids, publications: Ids | None = None) -> Condition:
    """Build the condition that a content has no results or pacts left once versions and publications are removed."""
    remaining = () if publications is None else (publication.c.id.not_in(publications),)
    return and_(
        ~exists().where(
            publication.c.content_id == content.c.id, publication.c.consumer_version_id.not_in(versions), *remaining
        ),
        ~exists().where(verification.c.content_id == content.c.id, verification.c.provider_version_id.not_in(versions)),
    )


def _planned_overwritten(removed_versions: CTE, limit: int) -> dict[str, ScalarSelect[int]]:
    versions = select(removed_versions.c.id)
    publications = _first_overwritten("pact_publications", limit, publication.c.consumer_version_id.not_in(versions))
    results = _first_overwritten("verification_results", limit, verification.c.provider_version_id.not_in(versions))
    removed_publications = select(publication.c.id).where(
        or_(publication.c.consumer_version_id.in_(versions), publication.c.id.in_(select(publications.c.id)))
    )
    # Deliveries for removed publications are removed with them, so they neither count here nor are newer than others.
    already_removed = _finished_deliveries(removed_publications)
    has_newer = and_(_IS_SAME_DELIVERY, _newer.c.id.not_in(already_removed))
    deliveries = (
        select(triggered_webhook.c.id)
        .where(
            triggered_webhook.c.created_at < _before,
            triggered_webhook.c.due_at.is_(None),
            triggered_webhook.c.id.not_in(already_removed),
            exists().where(has_newer),
        )
        .order_by(triggered_webhook.c.id)
        .limit(limit)
        .cte("overwritten_delivery")
    )
    with_publications = _finished_deliveries(select(publications.c.id))
    all_deliveries = or_(
        triggered_webhook.c.id.in_(with_publications), triggered_webhook.c.id.in_(select(deliveries.c.id))
    )
    executions = webhook_execution.c.triggered_webhook_id.in_(select(triggered_webhook.c.id).where(all_deliveries))
    # Contents that only the overwritten publications kept; the others are counted with the removed versions.
    orphans = and_(_is_orphaned(versions, select(publications.c.id)), not_(_is_orphaned(versions)))
    return {
        "pact_publications": _count(publications),
        "verification_results": _count(results),
        "triggered_webhooks": _count(triggered_webhook, all_deliveries),
        "webhook_executions": _count(webhook_execution, executions),
        "pact_versions": _count(content, orphans),
    }


def _first_overwritten(kind: str, limit: int, *conditions: Condition) -> CTE:
    table, is_overwritten = _IS_OVERWRITTEN[kind]
    statement = select(table.c.id).where(table.c.created_at < _before, is_overwritten, *conditions)
    return statement.order_by(table.c.id).limit(limit).cte(f"overwritten_{kind}")
