"""Metrics: counts of all records.

One statement reads each table once at most, from an index where there is one: these tables may have millions of rows.
"""

from datetime import datetime
from typing import Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    Executable,
    FromClause,
    ScalarSelect,
    and_,
    case,
    exists,
    false,
    func,
    not_,
    select,
)

from treaty.model.maintenance.metrics import (
    DeliveryQueue,
    Distribution,
    Metrics,
    Progress,
    RecordCounts,
    measure_pact,
    sum_sizes,
)
from treaty.store.engine.database import fetch_column, fetch_one, fetch_rows
from treaty.store.provider_contracts import recomparisons
from treaty.store.tables import (
    branch_version,
    comparison,
    content,
    deployed_version,
    environment,
    integration,
    pacticipant,
    provider_contract,
    provider_document,
    publication,
    released_version,
    self_verification,
    tag,
    tag_head,
    triggered_webhook,
    verification,
    version,
    webhook,
    webhook_execution,
)
from treaty.store.usage import contents


def _count(table: FromClause, *conditions: ColumnElement[bool]) -> ScalarSelect[int]:
    return select(func.count()).select_from(table).where(*conditions).scalar_subquery()


def _creation_time(table: FromClause, *, last: bool = False) -> ScalarSelect[object]:
    # Of the first or last row by id, because creation times have no index.
    order = table.c.id.desc() if last else table.c.id
    return select(table.c.created_at).order_by(order).limit(1).scalar_subquery()


_LATEST: Final = verification.alias("latest")
_CHANGED_RESULT: Final = (
    select(verification.c.content_id, verification.c.provider_version_id)
    .where(
        verification.c.is_latest == false(),
        exists().where(
            _LATEST.c.content_id == verification.c.content_id,
            _LATEST.c.provider_version_id == verification.c.provider_version_id,
            _LATEST.c.is_latest,
            _LATEST.c.success != verification.c.success,
        ),
    )
    .distinct()
    .subquery()
)
"""Pairs of content and provider version with both successes and failures.

Each has two distinct results. The latest results count one, so these are the others: cheaper than grouping all results.
"""

_RESULTS: Final = (
    select(
        func.count().label("verifications"),
        func.coalesce(func.sum(case((verification.c.success, 1), else_=0)), 0).label("successes"),
        func.coalesce(func.sum(case((verification.c.is_latest, 1), else_=0)), 0).label("latest"),
    )
    .select_from(verification)
    .subquery("results")
)
_ON_BRANCHES: Final = (
    select(
        func.count(branch_version.c.version_id.distinct()).label("with_branch"),
        func.count(case((not_(branch_version.c.is_auto_created), branch_version.c.version_id)).distinct()).label(
            "with_user_created_branch"
        ),
    )
    .select_from(branch_version)
    .subquery("on_branches")
)
_COUNTS: Final = select(
    _count(pacticipant).label("pacticipants"),
    _count(pacticipant, pacticipant.c.main_branch.is_not(None)).label("with_main_branch"),
    _count(integration, integration.c.latest_publication_id.is_not(None)).label("integrations"),
    _count(publication).label("publications"),
    _creation_time(publication).label("first_publication"),
    _creation_time(publication, last=True).label("last_publication"),
    _count(content).label("contents"),
    _RESULTS.c.verifications,
    _RESULTS.c.successes,
    (_RESULTS.c.latest + _count(_CHANGED_RESULT)).label("distinct_verifications"),
    _creation_time(verification).label("first_verification"),
    _creation_time(verification, last=True).label("last_verification"),
    _count(version).label("versions"),
    _ON_BRANCHES.c.with_user_created_branch,
    _ON_BRANCHES.c.with_branch,
    _count(webhook).label("webhooks"),
    _count(tag).label("tags"),
    select(func.count(tag_head.c.name.distinct())).scalar_subquery().label("distinct_tags"),
    _count(tag_head).label("distinct_tags_of_pacticipants"),
    _count(triggered_webhook).label("triggered_webhooks"),
    _count(webhook_execution).label("webhook_executions"),
    _count(environment).label("environments"),
    _count(deployed_version).label("deployed_versions"),
    _count(deployed_version, not_(deployed_version.c.is_auto_created)).label("user_created_deployed_versions"),
    _count(deployed_version, deployed_version.c.undeployed_at.is_(None)).label("currently_deployed"),
    _count(released_version).label("released_versions"),
    _count(released_version, released_version.c.support_ended_at.is_(None)).label("currently_supported"),
    _count(provider_contract).label("provider_contract_publications"),
    _count(provider_document).label("provider_contract_versions"),
    _count(self_verification).label("provider_contract_self_verifications"),
    _count(comparison).label("cross_contract_comparisons"),
).select_from(_RESULTS.join(_ON_BRANCHES, and_(True)))  # noqa: FBT003 - each is one row


def _select_distribution(table: FromClause, *keys: ColumnElement[int]) -> Executable:
    groups = select(func.count().label("size")).select_from(table).group_by(*keys).subquery()
    return select(groups.c.size, func.count()).group_by(groups.c.size).order_by(groups.c.size)


_REVISIONS: Final = _select_distribution(publication, publication.c.consumer_version_id, publication.c.provider_id)
_RESULTS_OF_CONTENT: Final = _select_distribution(verification, verification.c.content_id)
_LATEST_BODIES: Final = (
    select(content.c.body)
    .join(publication, publication.c.content_id == content.c.id)
    .join(integration, integration.c.latest_publication_id == publication.c.id)
)


def load_metrics(db: Connection) -> Metrics:
    counts = fetch_one(db, _COUNTS, {}, RecordCounts)
    assert counts is not None  # noqa: S101 - a statement with counts always returns a row
    return Metrics(
        latest=sum_sizes([measure_pact(body) for body in fetch_column(db, _LATEST_BODIES, {})]),
        counts=counts,
        revisions=_load_distribution(db, _REVISIONS),
        results=_load_distribution(db, _RESULTS_OF_CONTENT),
    )


_IS_QUEUED: Final = triggered_webhook.c.due_at.is_not(None)
_QUEUE: Final = select(
    _count(triggered_webhook, _IS_QUEUED).label("queued"),
    select(func.min(triggered_webhook.c.created_at, type_=triggered_webhook.c.created_at.type))
    .where(_IS_QUEUED)
    .scalar_subquery()
    .label("oldest"),
    _count(webhook_execution, webhook_execution.c.success).label("succeeded"),
    _count(webhook_execution, not_(webhook_execution.c.success)).label("failed"),
)


def load_queue(db: Connection, *, now: datetime) -> DeliveryQueue:
    """Load the state of the queue of webhook deliveries."""
    (row,) = fetch_rows(db, _QUEUE, {})
    age = 0.0 if row.oldest is None else (now - row.oldest).total_seconds()
    return DeliveryQueue(
        queued=row.queued,
        # Another machine, whose clock may be ahead, can have queued it.
        oldest_seconds=max(0.0, age),
        succeeded=row.succeeded,
        failed=row.failed,
    )


def load_progress(db: Connection, *, now: datetime) -> Progress:
    """Load the state of the background work: deliveries, the usage index and comparisons by former engines."""
    return Progress(load_queue(db, now=now), contents.count_contents(db), recomparisons.load_progress(db))


def _load_distribution(db: Connection, statement: Executable) -> Distribution:
    return dict(map(tuple, fetch_rows(db, statement, {})))
