"""Deliveries: what is owed to webhooks, who is at it, and what came of each attempt."""

import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Boolean, Connection, bindparam, case, exists, insert, or_, select, update

from treaty.model.verifications.verifications import NewVerification
from treaty.model.webhooks.deliveries import DeliveryStatus, Execution, QueuedDelivery
from treaty.store.engine.database import execute, fetch_all, fetch_rows, fetch_scalar
from treaty.store.pacticipants.pacticipants import select_pacticipant_id
from treaty.store.pacts.publications import CURRENT_PUBLICATION_ID
from treaty.store.tables import (
    branch,
    branch_version,
    content,
    pacticipant,
    publication,
    triggered_webhook,
    version,
    webhook,
    webhook_execution,
)

# Owing

_ADD: Final = insert(triggered_webhook).values(
    uuid=bindparam("uuid"),
    webhook_id=select(webhook.c.id).where(webhook.c.uuid == bindparam("webhook")).scalar_subquery(),
    consumer_id=select_pacticipant_id("consumer"),
    provider_id=select_pacticipant_id("provider"),
    publication_id=CURRENT_PUBLICATION_ID.scalar_subquery(),
    verification_id=bindparam("verification"),
    event=bindparam("event"),
    context=bindparam("context"),
    status=DeliveryStatus.NOT_RUN.value,
    attempts=0,
    due_at=bindparam("now"),
    created_at=bindparam("now"),
)


def enqueue(db: Connection, owed: QueuedDelivery, *, now: datetime) -> None:
    """Note that something is owed; it is due at once."""
    params = {
        "uuid": owed.uuid,
        "webhook": owed.webhook,
        "consumer": owed.consumer,
        "provider": owed.provider,
        "consumer_version": owed.consumer_version,
        "verification": owed.verification,
        "event": owed.event,
        "context": json.dumps(dict(owed.context), ensure_ascii=False),
        "now": now,
    }
    execute(db, _ADD, params)


_VERSIONS_BRANCH: Final = (
    select(branch.c.name)
    .join(branch_version, branch_version.c.branch_id == branch.c.id)
    .join(version, version.c.id == branch_version.c.version_id)
    .where(version.c.pacticipant_id == select_pacticipant_id("pacticipant"), version.c.number == bindparam("number"))
    .order_by(branch_version.c.id.desc())
    .limit(1)
)
_NUMBERS: Final = (
    select(version.c.id, version.c.number)
    .join(publication, publication.c.consumer_version_id == version.c.id)
    .join(content, content.c.id == publication.c.content_id)
    .where(
        version.c.id.in_(bindparam("ids", expanding=True)),
        publication.c.consumer_id == select_pacticipant_id("consumer"),
        publication.c.provider_id == select_pacticipant_id("provider"),
        content.c.sha == bindparam("sha"),
    )
)


def find_branch(db: Connection, pacticipant: str, number: str) -> str | None:
    """Find the branch that a version was put on last."""
    name: str | None = fetch_scalar(db, _VERSIONS_BRANCH, {"pacticipant": pacticipant, "number": number})
    return name


def load_version_numbers(db: Connection, result: NewVerification, version_ids: Collection[int]) -> dict[int, str]:
    """Map ids in metadata, which clients send, to the numbers of consumer versions with the verified pact."""
    if not version_ids:
        return {}
    pact = {"consumer": result.consumer, "provider": result.provider, "sha": result.sha}
    return {row.id: row.number for row in fetch_rows(db, _NUMBERS, {**pact, "ids": list(version_ids)})}


# Claiming. A delivery waits for earlier ones to the same webhook about the same pair.

_EARLIER: Final = triggered_webhook.alias("earlier")
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
_DUE: Final = (
    select(triggered_webhook.c.id, triggered_webhook.c.uuid)
    .where(
        triggered_webhook.c.due_at <= bindparam("now"),
        or_(triggered_webhook.c.webhook_id.is_(None), ~_IS_BUSY),
        or_(bindparam("takes_failing", type_=Boolean), ~_IS_FAILING),
        _IS_NEXT,
    )
    .order_by(_IS_FAILING, triggered_webhook.c.due_at, triggered_webhook.c.id)
    .limit(bindparam("most"))
)
_LOCK_DUE: Final = _DUE.with_for_update(skip_locked=True)
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


@dataclass(frozen=True, kw_only=True, slots=True)
class ClaimRequest:
    """What a worker wants to take on, and until when it is the worker's."""

    owner: str
    now: datetime
    until: datetime
    limit: int
    busy_webhooks: tuple[str, ...] = ()
    """Webhooks (their uuids) that it has enough of already."""
    includes_failing: bool = True
    """Whether it takes on webhooks that are marked as failing; they come last in any case."""


def has_due(db: Connection, wanted: ClaimRequest) -> bool:
    return bool(fetch_rows(db, _DUE, {**_values(wanted), "most": 1}))


def _values(wanted: ClaimRequest) -> dict[str, Any]:
    return {
        "now": wanted.now,
        "busy": list(wanted.busy_webhooks),
        "takes_failing": wanted.includes_failing,
        "most": wanted.limit,
    }


def claim(db: Connection, wanted: ClaimRequest) -> list[str]:
    """Claim what is due, and return its uuids. Whoever has not finished in time loses it to another."""
    found = fetch_rows(db, _LOCK_DUE, _values(wanted))
    if found:
        execute(db, _CLAIM, {"ids": [row.id for row in found], "owner": wanted.owner, "until": wanted.until})
    return [row.uuid for row in found]


def renew_claims(db: Connection, uuids: Collection[str], *, owner: str, until: datetime) -> None:
    """Go on working on what was claimed."""
    execute(db, _RENEW, {"uuids": list(uuids), "owner": owner, "until": until})


# What came of it

_NOTE: Final = (
    update(triggered_webhook)
    .where(triggered_webhook.c.uuid == bindparam("its_uuid"), triggered_webhook.c.claimed_by == bindparam("owner"))
    .values(
        status=bindparam("status"),
        attempts=triggered_webhook.c.attempts + 1,
        due_at=bindparam("due_at"),
        claimed_by=None,
    )
)
_GIVE_UP: Final = (
    update(triggered_webhook)
    .where(triggered_webhook.c.uuid == bindparam("its_uuid"), triggered_webhook.c.claimed_by == bindparam("owner"))
    .values(status=DeliveryStatus.FAILURE.value, due_at=None, claimed_by=None)
)
_ADD_EXECUTION: Final = insert(webhook_execution).values(
    triggered_webhook_id=select(triggered_webhook.c.id)
    .where(triggered_webhook.c.uuid == bindparam("its_uuid"))
    .scalar_subquery(),
    **{name: bindparam(name) for name in ("success", "status", "milliseconds", "created_at", "logs")},
)


@dataclass(frozen=True, kw_only=True, slots=True)
class DeliveryUpdate:
    """What became of a delivery that was claimed."""

    uuid: str
    owner: str
    status: DeliveryStatus
    due_at: datetime | None


def record_attempt(db: Connection, noted: DeliveryUpdate, execution: Execution) -> bool:
    """Note what came of an attempt. Say whether it still was the claimant's to note."""
    params = {"its_uuid": noted.uuid, "owner": noted.owner, "status": noted.status.value, "due_at": noted.due_at}
    if not execute(db, _NOTE, params):
        return False
    values = {name: getattr(execution, name) for name in ("success", "status", "milliseconds", "created_at", "logs")}
    execute(db, _ADD_EXECUTION, {"its_uuid": noted.uuid, **values})
    return True


def abandon(db: Connection, uuid: str, *, owner: str) -> None:
    """Note that there is nothing that could be sent any more."""
    execute(db, _GIVE_UP, {"its_uuid": uuid, "owner": owner})


_REOPEN: Final = (
    update(triggered_webhook)
    .where(triggered_webhook.c.uuid == bindparam("its_uuid"), triggered_webhook.c.webhook_id.is_not(None))
    .values(
        status=case(
            (triggered_webhook.c.attempts == 0, DeliveryStatus.NOT_RUN.value), else_=DeliveryStatus.RETRYING.value
        ),
        due_at=case((triggered_webhook.c.claimed_by.is_(None), bindparam("now")), else_=triggered_webhook.c.due_at),
    )
)


def requeue(db: Connection, uuid: str, *, now: datetime) -> bool:
    """Owe a delivery anew, at once, unless it is under way. Say whether there still is a webhook to send it to."""
    return bool(execute(db, _REOPEN, {"its_uuid": uuid, "now": now}))


# Removals


@dataclass(frozen=True, kw_only=True, slots=True)
class OpenDelivery:
    """A delivery that has not been sent, or is to be sent again."""

    uuid: str
    webhook: str | None
    """The webhook's UUID, if there still is one."""
    event: str
    consumer: str
    consumer_version: str | None
    """None if the version has been removed."""
    provider: str


_consumer: Final = pacticipant.alias("consumer")
_provider: Final = pacticipant.alias("provider")
_QUEUED: Final = (
    select(
        triggered_webhook.c.uuid,
        webhook.c.uuid.label("webhook"),
        triggered_webhook.c.event,
        _consumer.c.name.label("consumer"),
        version.c.number.label("consumer_version"),
        _provider.c.name.label("provider"),
    )
    .select_from(triggered_webhook)
    .join(_consumer, _consumer.c.id == triggered_webhook.c.consumer_id)
    .join(_provider, _provider.c.id == triggered_webhook.c.provider_id)
    .outerjoin(webhook, webhook.c.id == triggered_webhook.c.webhook_id)
    .outerjoin(publication, publication.c.id == triggered_webhook.c.publication_id)
    .outerjoin(version, version.c.id == publication.c.consumer_version_id)
    .where(triggered_webhook.c.due_at.is_not(None))
    .order_by(triggered_webhook.c.id)
)
_QUEUED_OF_PAIR: Final = _QUEUED.where(
    _consumer.c.name == bindparam("consumer_name"), _provider.c.name == bindparam("provider_name")
)
_QUEUED_OF_PACTICIPANT: Final = _QUEUED.where(
    or_(_consumer.c.name == bindparam("name"), _provider.c.name == bindparam("name"))
)


def list_queued_of_pair(db: Connection, *, consumer: str, provider: str) -> list[OpenDelivery]:
    return fetch_all(db, _QUEUED_OF_PAIR, {"consumer_name": consumer, "provider_name": provider}, OpenDelivery)


def list_queued_of_pacticipant(db: Connection, name: str) -> list[OpenDelivery]:
    return fetch_all(db, _QUEUED_OF_PACTICIPANT, {"name": name}, OpenDelivery)


def list_queued(db: Connection) -> list[OpenDelivery]:
    return fetch_all(db, _QUEUED, {}, OpenDelivery)
