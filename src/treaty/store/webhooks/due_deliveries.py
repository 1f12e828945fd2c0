"""Claiming due deliveries. Workers poll with these queries, so the module imports no rules of webhooks."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import Boolean, ColumnElement, Connection, Row, Select, bindparam, exists, or_, select, update

from treaty.store.engine.database import execute, fetch_rows
from treaty.store.tables import triggered_webhook, webhook

_EARLIER: Final = triggered_webhook.alias("earlier")
# Deliveries to a webhook about the same pair arrive in the order of their events, so later ones wait.
_IS_NEXT: Final = ~exists().where(
    _EARLIER.c.webhook_id == triggered_webhook.c.webhook_id,
    _EARLIER.c.consumer_id == triggered_webhook.c.consumer_id,
    _EARLIER.c.provider_id == triggered_webhook.c.provider_id,
    _EARLIER.c.id < triggered_webhook.c.id,
    _EARLIER.c.due_at.is_not(None),
)
_IS_BUSY: Final = triggered_webhook.c.webhook_id.in_(
    select(webhook.c.id).where(webhook.c.uuid.in_(bindparam("busy", expanding=True)))
)
_IS_FAILING: Final = exists().where(
    webhook.c.id == triggered_webhook.c.webhook_id, webhook.c.failing_since.is_not(None)
)
_INCLUDES_FAILING: Final = bindparam("includes_failing", type_=Boolean)


def _select_due(*conditions: ColumnElement[bool]) -> Select[*tuple[Any, ...]]:
    """Select the earliest due deliveries, in the order of the index, so that a long queue is not read to its end."""
    return (
        select(triggered_webhook.c.id, triggered_webhook.c.uuid)
        .where(
            *conditions,
            # Deliveries whose webhook has been deleted are claimed too, so that they fail instead of staying queued.
            or_(triggered_webhook.c.webhook_id.is_(None), ~_IS_BUSY),
            _IS_NEXT,
        )
        .order_by(triggered_webhook.c.due_at, triggered_webhook.c.id)
        .limit(bindparam("limit"))
    )


# In the order in which they are claimed. Failing webhooks come late: their attempts take long and would delay others.
_DUE: Final = (
    _select_due(triggered_webhook.c.due_at <= bindparam("now"), ~_IS_FAILING),
    _select_due(triggered_webhook.c.due_at <= bindparam("now"), _IS_FAILING, _INCLUDES_FAILING),
    # A time that no retry and no claim has is due too: a server whose clock was ahead set it.
    _select_due(triggered_webhook.c.due_at > bindparam("latest"), or_(_INCLUDES_FAILING, ~_IS_FAILING)),
)
# Several workers claim at the same time; each skips the rows that another one has locked.
_LOCK_DUE: Final = tuple(statement.with_for_update(skip_locked=True) for statement in _DUE)
_CLAIM: Final = (
    update(triggered_webhook)
    .where(triggered_webhook.c.id.in_(bindparam("ids", expanding=True)))
    .values(claimed_by=bindparam("owner"), due_at=bindparam("until"))
)
_RENEW: Final = (
    update(triggered_webhook)
    .where(
        triggered_webhook.c.uuid.in_(bindparam("uuids", expanding=True)),
        triggered_webhook.c.claimed_by == bindparam("owner"),
    )
    .values(due_at=bindparam("until"))
)


FOREVER: Final = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, kw_only=True, slots=True)
class ClaimRequest:
    """Which due deliveries a worker claims, and for how long."""

    owner: str
    now: datetime
    until: datetime
    """When the claim expires."""
    limit: int
    latest: datetime = FOREVER
    """The latest time that a delivery can be due if all clocks are right."""
    busy_webhooks: tuple[str, ...] = ()
    """UUIDs of webhooks to leave out, because the worker is already sending enough deliveries to them."""
    includes_failing: bool = True
    """Whether to claim deliveries to webhooks that are marked as failing."""


def has_due(db: Connection, claim_request: ClaimRequest) -> bool:
    """Whether a claim would find anything. Workers poll with this read, because a write would lock SQLite."""
    params = {**_build_claim_params(claim_request), "limit": 1}
    return any(fetch_rows(db, statement, params) for statement in _DUE)


def _build_claim_params(claim_request: ClaimRequest) -> dict[str, Any]:
    """Build the parameters of the statements that select due deliveries, without their limit."""
    return {
        "now": claim_request.now,
        "latest": claim_request.latest,
        "busy": list(claim_request.busy_webhooks),
        "includes_failing": claim_request.includes_failing,
    }


def claim(db: Connection, claim_request: ClaimRequest) -> list[str]:
    """Claim due deliveries, and return their UUIDs. Once the claim expires, another worker may claim them."""
    params = _build_claim_params(claim_request)
    due: list[Row[Any]] = []
    for statement in _LOCK_DUE:
        if len(due) < claim_request.limit:
            due += fetch_rows(db, statement, {**params, "limit": claim_request.limit - len(due)})
    if due:
        ids = [row.id for row in due]
        execute(db, _CLAIM, {"ids": ids, "owner": claim_request.owner, "until": claim_request.until})
    return [row.uuid for row in due]


def renew_claims(db: Connection, uuids: Collection[str], *, owner: str, until: datetime) -> None:
    """Extend the claims that the owner still has."""
    execute(db, _RENEW, {"uuids": list(uuids), "owner": owner, "until": until})
