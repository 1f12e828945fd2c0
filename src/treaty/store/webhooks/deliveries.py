"""The queue of deliveries to webhooks: enqueuing, claiming, and recording attempts.

A delivery is a row of `triggered_webhook`. It is queued while `due_at` is set. A worker claims it by moving `due_at`
into the future, so that a claim expires by itself when the worker dies.
"""

import json
from collections.abc import Collection
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, bindparam, case, insert, or_, select, update

from treaty.model.verifications.verifications import NewVerification
from treaty.model.webhooks.deliveries import DeliveryStatus, Execution, QueuedDelivery
from treaty.store.engine.database import execute, fetch_all, fetch_rows, fetch_scalar
from treaty.store.pacticipants.pacticipants import select_pacticipant_id
from treaty.store.pacts.current_publications import CURRENT_PUBLICATION_ID
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

# Enqueuing

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
    facts=bindparam("facts"),
)


def enqueue(db: Connection, delivery: QueuedDelivery, *, now: datetime) -> None:
    """Enqueue a delivery, due at once. Workers wait for the settling time before they claim it."""
    params = {
        "uuid": delivery.uuid,
        "webhook": delivery.webhook,
        "consumer": delivery.consumer,
        "provider": delivery.provider,
        "consumer_version": delivery.consumer_version,
        "verification": delivery.verification,
        "event": delivery.event,
        "context": json.dumps(dict(delivery.context), ensure_ascii=False),
        "now": now,
        "facts": None if delivery.facts is None else json.dumps(asdict(delivery.facts), ensure_ascii=False),
    }
    execute(db, _ADD, params)


_LAST_BRANCH: Final = (
    select(branch.c.name)
    .join(branch_version, branch_version.c.branch_id == branch.c.id)
    .join(version, version.c.id == branch_version.c.version_id)
    .where(version.c.pacticipant_id == select_pacticipant_id("pacticipant"), version.c.number == bindparam("number"))
    .order_by(branch_version.c.id.desc())
    .limit(1)
)
_VERSION_NUMBERS: Final = (
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
    """Find the branch that a version was added to last."""
    name: str | None = fetch_scalar(db, _LAST_BRANCH, {"pacticipant": pacticipant, "number": number})
    return name


def load_version_numbers(db: Connection, result: NewVerification, version_ids: Collection[int]) -> dict[int, str]:
    """Map ids in metadata, which clients send, to the numbers of consumer versions with the verified pact."""
    if not version_ids:
        return {}
    pact = {"consumer": result.consumer, "provider": result.provider, "sha": result.sha}
    return {row.id: row.number for row in fetch_rows(db, _VERSION_NUMBERS, {**pact, "ids": list(version_ids)})}


# Recording attempts

# The owner must still have the claim: otherwise another worker is sending the delivery, and its result counts.
_RECORD: Final = (
    update(triggered_webhook)
    .where(triggered_webhook.c.uuid == bindparam("delivery_uuid"), triggered_webhook.c.claimed_by == bindparam("owner"))
    .values(
        status=bindparam("status"),
        attempts=triggered_webhook.c.attempts + 1,
        due_at=bindparam("due_at"),
        claimed_by=None,
    )
)
_ABANDON: Final = (
    update(triggered_webhook)
    .where(triggered_webhook.c.uuid == bindparam("delivery_uuid"), triggered_webhook.c.claimed_by == bindparam("owner"))
    .values(status=DeliveryStatus.FAILURE.value, due_at=None, claimed_by=None)
)
EXECUTION_COLUMNS: Final = ("success", "status", "milliseconds", "created_at", "logs")
_ADD_EXECUTION: Final = insert(webhook_execution).values(
    triggered_webhook_id=select(triggered_webhook.c.id)
    .where(triggered_webhook.c.uuid == bindparam("delivery_uuid"))
    .scalar_subquery(),
    **{name: bindparam(name) for name in EXECUTION_COLUMNS},
)


@dataclass(frozen=True, kw_only=True, slots=True)
class DeliveryUpdate:
    """New state of a claimed delivery."""

    uuid: str
    owner: str
    status: DeliveryStatus
    due_at: datetime | None
    """When to try again; None if there is no further attempt."""


def record_attempt(db: Connection, delivery_update: DeliveryUpdate, execution: Execution) -> bool:
    """Record an attempt and release the claim. Returns False, without recording it, if the claim has expired."""
    params = {
        "delivery_uuid": delivery_update.uuid,
        "owner": delivery_update.owner,
        "status": delivery_update.status.value,
        "due_at": delivery_update.due_at,
    }
    if not execute(db, _RECORD, params):
        return False
    columns = {name: getattr(execution, name) for name in EXECUTION_COLUMNS}
    execute(db, _ADD_EXECUTION, {"delivery_uuid": delivery_update.uuid, **columns})
    return True


def abandon(db: Connection, uuid: str, *, owner: str) -> None:
    """Mark a claimed delivery as failed because there is no request to send."""
    execute(db, _ABANDON, {"delivery_uuid": uuid, "owner": owner})


_REQUEUE: Final = (
    update(triggered_webhook)
    .where(triggered_webhook.c.uuid == bindparam("delivery_uuid"), triggered_webhook.c.webhook_id.is_not(None))
    .values(
        status=case(
            (triggered_webhook.c.attempts == 0, DeliveryStatus.NOT_RUN.value), else_=DeliveryStatus.RETRYING.value
        ),
        # A claimed delivery is being sent right now, so it is not queued a second time.
        due_at=case((triggered_webhook.c.claimed_by.is_(None), bindparam("now")), else_=triggered_webhook.c.due_at),
    )
)


def requeue(db: Connection, uuid: str, *, now: datetime) -> bool:
    """Enqueue a delivery again. Returns False if its webhook has been deleted."""
    return bool(execute(db, _REQUEUE, {"delivery_uuid": uuid, "now": now}))


# Removals


@dataclass(frozen=True, kw_only=True, slots=True)
class OpenDelivery:
    """A queued delivery: not sent yet, or waiting for another attempt."""

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
