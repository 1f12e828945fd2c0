"""Claiming due deliveries. Workers poll with these queries, so the module imports no rules of webhooks."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import (
    Boolean,
    ColumnElement,
    CompoundSelect,
    Connection,
    Row,
    ScalarSelect,
    Select,
    and_,
    bindparam,
    exists,
    func,
    or_,
    select,
    union_all,
    update,
)

from treaty.store.engine.database import execute, fetch_rows
from treaty.store.tables import Time, triggered_webhook, webhook

_EARLIER: Final = triggered_webhook.alias("earlier")
# Deliveries to a webhook about the same pair arrive in the order of their events, so later ones wait.
_IS_NEXT: Final = ~exists().where(
    _EARLIER.c.webhook_id == triggered_webhook.c.webhook_id,
    _EARLIER.c.consumer_id == triggered_webhook.c.consumer_id,
    _EARLIER.c.provider_id == triggered_webhook.c.provider_id,
    _EARLIER.c.id < triggered_webhook.c.id,
    _EARLIER.c.due_at.is_not(None),
)
_BUSY_IDS: Final = select(webhook.c.id).where(webhook.c.uuid.in_(bindparam("busy", expanding=True)))
_IS_BUSY: Final = triggered_webhook.c.webhook_id.in_(_BUSY_IDS)
_IS_FAILING: Final = exists().where(
    webhook.c.id == triggered_webhook.c.webhook_id, webhook.c.failing_since.is_not(None)
)
_INCLUDES_FAILING: Final = bindparam("includes_failing", type_=Boolean)
_NOW: Final = bindparam("now", type_=Time)
_WINDOW: Final = 200
"""Number of due deliveries that are read one after the other. In a longer queue, most wait for others of their pair."""
_IN_WINDOW: Final = triggered_webhook.alias("in_window")
_WINDOW_END: Final = (
    select(_IN_WINDOW.c.due_at)
    .where(_IN_WINDOW.c.due_at <= _NOW)
    .order_by(_IN_WINDOW.c.due_at)
    .limit(1)
    .offset(_WINDOW)
    .scalar_subquery()
)


def _select_next_ids() -> CompoundSelect[*tuple[Any, ...]]:
    """Select the first delivery of each webhook and pair, if there are more due deliveries than in the window.

    Each step of the recursion seeks the next webhook and pair in the index, so that deliveries that wait are not read.
    """
    first, following, deleted = (triggered_webhook.alias(name) for name in ("first", "following", "deleted"))
    of_first_pair = _find_first(_EARLIER.c.webhook_id.is_not(None))
    next_pair = (
        select(first.c.id, first.c.webhook_id, first.c.consumer_id, first.c.provider_id)
        .where(_WINDOW_END.is_not(None), first.c.id == of_first_pair)
        .cte("next_pair", recursive=True)
    )
    # A busy webhook is left out, so its other pairs need not be found.
    is_of_webhook = and_(_EARLIER.c.webhook_id == next_pair.c.webhook_id, next_pair.c.webhook_id.not_in(_BUSY_IDS))
    is_of_consumer = _EARLIER.c.consumer_id == next_pair.c.consumer_id
    # SQLite does not seek by a comparison of tuples.
    of_later_pair = func.coalesce(
        _find_first(is_of_webhook, is_of_consumer, _EARLIER.c.provider_id > next_pair.c.provider_id),
        _find_first(is_of_webhook, _EARLIER.c.consumer_id > next_pair.c.consumer_id),
        _find_first(_EARLIER.c.webhook_id > next_pair.c.webhook_id),
    )
    next_pair = next_pair.union_all(
        select(following.c.id, following.c.webhook_id, following.c.consumer_id, following.c.provider_id).select_from(
            next_pair.join(following, following.c.id == of_later_pair)
        )
    )
    # Deliveries of deleted webhooks do not wait for each other. The condition for the consumer is always true: with it,
    # SQLite chooses the index of queued deliveries, rather than reading all others.
    of_deleted = select(deleted.c.id).where(
        _WINDOW_END.is_not(None),
        deleted.c.webhook_id.is_(None),
        deleted.c.consumer_id > 0,
        deleted.c.due_at.is_not(None),
    )
    return union_all(select(next_pair.c.id), of_deleted)


def _find_first(*conditions: ColumnElement[bool]) -> ScalarSelect[int]:
    """Build a subquery for the first delivery of the first webhook and pair that match."""
    columns = (_EARLIER.c.webhook_id, _EARLIER.c.consumer_id, _EARLIER.c.provider_id, _EARLIER.c.id)
    statement = select(_EARLIER.c.id).where(_EARLIER.c.due_at.is_not(None), *conditions).order_by(*columns).limit(1)
    return statement.correlate_except(_EARLIER).scalar_subquery()


def _select_due(*conditions: ColumnElement[bool]) -> Select[*tuple[Any, ...]]:
    """Select the earliest due deliveries that match and do not wait for others."""
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


_IS_IN_WINDOW: Final = triggered_webhook.c.due_at <= func.coalesce(_WINDOW_END, _NOW, type_=Time)
_IS_BEYOND_WINDOW: Final = and_(
    triggered_webhook.c.due_at > _WINDOW_END,
    triggered_webhook.c.due_at <= _NOW,
    triggered_webhook.c.id.in_(_select_next_ids()),
)
# A time that no retry and no claim has is due too: a server whose clock was ahead set it.
_IS_IMPOSSIBLE: Final = triggered_webhook.c.due_at > bindparam("latest")
_MAY_CLAIM_FAILING: Final = or_(_INCLUDES_FAILING, ~_IS_FAILING)
# In the order in which they are claimed. Failing webhooks come late: their attempts take long and would delay others.
_DUE: Final = (
    _select_due(_IS_IN_WINDOW, ~_IS_FAILING),
    _select_due(_IS_BEYOND_WINDOW, ~_IS_FAILING),
    _select_due(_IS_IN_WINDOW, _IS_FAILING, _INCLUDES_FAILING),
    _select_due(_IS_BEYOND_WINDOW, _IS_FAILING, _INCLUDES_FAILING),
    _select_due(_IS_IMPOSSIBLE, _MAY_CLAIM_FAILING),
)
_ANY_DUE: Final = tuple(
    _select_due(condition, _MAY_CLAIM_FAILING) for condition in (_IS_IN_WINDOW, _IS_BEYOND_WINDOW, _IS_IMPOSSIBLE)
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
    return any(fetch_rows(db, statement, params) for statement in _ANY_DUE)


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
