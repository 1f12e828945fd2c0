"""Webhooks: what is sent at which events of which pacts."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Select, and_, bindparam, delete, exists, insert, not_, or_, select, update

from treaty.model.webhooks.webhooks import (
    EncryptedText,
    EventVersion,
    PacticipantMatcher,
    Webhook,
    WebhookFilters,
    WebhookRequest,
)
from treaty.store.engine.database import execute, fetch_column, fetch_rows, fetch_scalar
from treaty.store.pacticipants.pacticipants import select_pacticipant_id
from treaty.store.tables import (
    branch,
    branch_version,
    deployed_version,
    environment,
    label,
    pacticipant,
    released_version,
    tag,
    triggered_webhook,
    version,
    webhook,
    webhook_event,
)

CONSUMER: Final = pacticipant.alias("consumer")
PROVIDER: Final = pacticipant.alias("provider")

_WEBHOOKS: Final = (
    select(webhook, CONSUMER.c.name.label("consumer"), PROVIDER.c.name.label("provider"))
    .outerjoin(CONSUMER, CONSUMER.c.id == webhook.c.consumer_id)
    .outerjoin(PROVIDER, PROVIDER.c.id == webhook.c.provider_id)
    .order_by(webhook.c.id)
)
_ONE: Final = _WEBHOOKS.where(webhook.c.uuid == bindparam("uuid"))
_LOCK: Final = select(webhook.c.id).where(webhook.c.uuid == bindparam("uuid")).with_for_update(key_share=True)
_EVENTS: Final = (
    select(webhook_event.c.webhook_id, webhook_event.c.name)
    .where(webhook_event.c.webhook_id.in_(bindparam("ids", expanding=True)))
    .order_by(webhook_event.c.id)
)
_EVERY_EVENT: Final = select(webhook_event.c.webhook_id, webhook_event.c.name).order_by(webhook_event.c.id)
MAX_EVENT_IDS: Final = 100
"""Ids up to which a statement names them."""


def find(db: Connection, uuid: str) -> Webhook | None:
    found = _webhooks(db, _ONE, {"uuid": uuid})
    return found[0] if found else None


def lock(db: Connection, uuid: str) -> Webhook | None:
    """Find a webhook and keep other changes away from it until the transaction ends."""
    return None if fetch_scalar(db, _LOCK, {"uuid": uuid}) is None else find(db, uuid)


def list_all(db: Connection) -> list[Webhook]:
    return _webhooks(db, _WEBHOOKS, {})


_OF_PAIR: Final = _WEBHOOKS.where(CONSUMER.c.name == bindparam("consumer"), PROVIDER.c.name == bindparam("provider"))
_OF_CONSUMER: Final = _WEBHOOKS.where(CONSUMER.c.name == bindparam("consumer"), webhook.c.provider_id.is_(None))
_OF_PROVIDER: Final = _WEBHOOKS.where(PROVIDER.c.name == bindparam("provider"), webhook.c.consumer_id.is_(None))


def list_of_sides(db: Connection, *, consumer: str | None, provider: str | None) -> list[Webhook]:
    """List the webhooks that name exactly these sides; one that names neither a consumer's label may hold."""
    if consumer is not None and provider is not None:
        return _webhooks(db, _OF_PAIR, {"consumer": consumer, "provider": provider})
    if consumer is not None:
        return _webhooks(db, _OF_CONSUMER, {"consumer": consumer})
    return _webhooks(db, _OF_PROVIDER, {"provider": provider}) if provider is not None else list_all(db)


def _webhooks(db: Connection, statement: Select[Any], params: Mapping[str, Any]) -> list[Webhook]:
    found = fetch_rows(db, statement, params)
    events: dict[int, list[str]] = {row.id: [] for row in found}
    some = (
        fetch_rows(db, _EVENTS, {"ids": list(events)})
        if len(events) <= MAX_EVENT_IDS
        else fetch_rows(db, _EVERY_EVENT, {})
    )
    for owner, name in some:
        events.setdefault(owner, []).append(name)
    return [_webhook(row, events[row.id]) for row in found]


def _webhook(row: Any, events: Iterable[str]) -> Webhook:
    return Webhook(
        uuid=row.uuid,
        description=row.description,
        consumer=_side(row.consumer, row.consumer_label),
        provider=_side(row.provider, row.provider_label),
        is_enabled=row.is_enabled,
        request=request_from_row(row),
        events=tuple(events),
        secret=_sealed(row.secret),
        filters=_filters(row.filters),
        failing_since=row.failing_since,
        pauses=row.pauses,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def request_from_row(row: Any) -> WebhookRequest:
    """Make a request of the columns of a webhook."""
    return WebhookRequest(
        method=row.method,
        url=row.url,
        headers={name: _opened(value) for name, value in json.loads(row.headers).items()},
        body=None if row.body is None else json.loads(row.body),
        username=row.username,
        password=None if row.password is None else _opened(json.loads(row.password)),
    )


def _side(name: str | None, its_label: str | None) -> PacticipantMatcher | None:
    return PacticipantMatcher(name=name, label=its_label) if name is not None or its_label is not None else None


def _opened(value: Any) -> str | EncryptedText:
    return EncryptedText(value["sealed"]) if isinstance(value, dict) else value


def _sealed(text: str | None) -> EncryptedText | None:
    return None if text is None else EncryptedText(text)


def _filters(text: str | None) -> WebhookFilters:
    if text is None:
        return WebhookFilters()
    given: dict[str, Any] = {name: _tuple(value) for name, value in json.loads(text).items()}
    return WebhookFilters(**given)


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


# Writing


_CHANGEABLE: Final = (
    "description",
    "consumer_label",
    "provider_label",
    "is_enabled",
    "method",
    "url",
    "headers",
    "body",
    "username",
    "password",
    "secret",
    "filters",
    "pauses",
    "updated_at",
)
_VALUES: Final = {
    **{name: bindparam(name) for name in _CHANGEABLE},
    "consumer_id": select_pacticipant_id("consumer"),
    "provider_id": select_pacticipant_id("provider"),
}
_ADD: Final = insert(webhook).values(uuid=bindparam("uuid"), failures=0, created_at=bindparam("created_at"), **_VALUES)
_CHANGE: Final = update(webhook).where(webhook.c.uuid == bindparam("its_uuid")).values(**_VALUES)
_ID: Final = select(webhook.c.id).where(webhook.c.uuid == bindparam("its_uuid")).scalar_subquery()
_ADD_EVENT: Final = insert(webhook_event).values(webhook_id=_ID, name=bindparam("name"))
_REMOVE_EVENTS: Final = delete(webhook_event).where(webhook_event.c.webhook_id == _ID)


def add(db: Connection, new: Webhook) -> None:
    execute(db, _ADD, {**_columns(new), "uuid": new.uuid, "created_at": new.created_at})
    _add_events(db, new)


def change(db: Connection, changed: Webhook) -> None:
    """Note all that is said about a webhook."""
    execute(db, _CHANGE, {**_columns(changed), "its_uuid": changed.uuid})
    execute(db, _REMOVE_EVENTS, {"its_uuid": changed.uuid})
    _add_events(db, changed)


def _add_events(db: Connection, one: Webhook) -> None:
    for name in dict.fromkeys(one.events):
        execute(db, _ADD_EVENT, {"its_uuid": one.uuid, "name": name})


def _columns(one: Webhook) -> dict[str, Any]:
    consumer, provider = one.consumer or PacticipantMatcher(), one.provider or PacticipantMatcher()
    request = one.request
    return {
        "description": one.description,
        "consumer": consumer.name,
        "consumer_label": consumer.label,
        "provider": provider.name,
        "provider_label": provider.label,
        "is_enabled": one.is_enabled,
        "method": request.method,
        "url": request.url,
        "headers": _json({name: _kept(value) for name, value in request.headers.items()}),
        "body": None if request.body is None else _json(request.body),
        "username": request.username,
        "password": None if request.password is None else _json(_kept(request.password)),
        "secret": one.secret.text if one.secret else None,
        "filters": None if one.filters.is_empty else _json(asdict(one.filters)),
        "pauses": one.pauses,
        "updated_at": one.updated_at,
    }


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _kept(value: str | EncryptedText) -> object:
    return {"sealed": value.text} if isinstance(value, EncryptedText) else value


_REMOVE: Final = delete(webhook).where(webhook.c.uuid == bindparam("uuid"))
_GIVE_UP: Final = (
    update(triggered_webhook)
    .where(triggered_webhook.c.webhook_id == _ID, triggered_webhook.c.due_at.is_not(None))
    .values(status="failure", due_at=None, claimed_by=None)
)


def remove(db: Connection, uuid: str) -> None:
    """Remove a webhook. What it was sent stays; what it is still owed is given up."""
    execute(db, _GIVE_UP, {"its_uuid": uuid})
    execute(db, _REMOVE, {"uuid": uuid})


# Which webhooks an event concerns


@dataclass(frozen=True, kw_only=True, slots=True)
class Subscription:
    """A webhook that asked for an event of a pact."""

    webhook: str
    """Its uuid."""
    description: str | None
    event: str
    filters: WebhookFilters


def _has_label(names: Any, owner: Any) -> Any:
    """Whether a pacticipant has a label."""
    return exists().where(label.c.pacticipant_id == owner, label.c.name == names)


def _is_side(owner: Any, name: Any, mine: Any) -> Any:
    return or_(
        owner == mine,
        and_(owner.is_(None), name.is_(None)),
        and_(owner.is_(None), name.is_not(None), _has_label(name, mine)),
    )


CONCERNS_PAIR: Final = and_(
    _is_side(webhook.c.consumer_id, webhook.c.consumer_label, select_pacticipant_id("consumer")),
    _is_side(webhook.c.provider_id, webhook.c.provider_label, select_pacticipant_id("provider")),
)
"""Whether a webhook is about the pacts of a consumer and a provider."""
_SUBSCRIPTIONS: Final = (
    select(webhook.c.uuid, webhook.c.description, webhook_event.c.name, webhook.c.filters)
    .join(webhook_event, webhook_event.c.webhook_id == webhook.c.id)
    .where(
        webhook.c.is_enabled,
        or_(not_(webhook.c.pauses), webhook.c.failing_since.is_(None)),
        webhook_event.c.name.in_(bindparam("events", expanding=True)),
        CONCERNS_PAIR,
    )
    .order_by(webhook.c.id)
)


def list_subscriptions(db: Connection, *, consumer: str, provider: str, events: Sequence[str]) -> list[Subscription]:
    """List the webhooks that asked for one of these events of a pair, in the order of the events."""
    found = fetch_rows(db, _SUBSCRIPTIONS, {"consumer": consumer, "provider": provider, "events": list(events)})
    every_one = [
        Subscription(webhook=row.uuid, description=row.description, event=row.name, filters=_filters(row.filters))
        for row in found
    ]
    return sorted(every_one, key=lambda one: events.index(one.event))


_VERSION: Final = (
    select(version.c.id)
    .where(version.c.pacticipant_id == select_pacticipant_id("pacticipant"), version.c.number == bindparam("number"))
    .scalar_subquery()
)
_BRANCHES: Final = (
    select(branch.c.name, (branch.c.name == pacticipant.c.main_branch).label("is_main"))
    .join(branch_version, branch_version.c.branch_id == branch.c.id)
    .join(pacticipant, pacticipant.c.id == branch.c.pacticipant_id)
    .where(branch_version.c.version_id == _VERSION)
)
_TAGS: Final = select(tag.c.name).where(tag.c.version_id == _VERSION)
_ENVIRONMENTS: Final = (
    select(environment.c.name)
    .join(deployed_version, deployed_version.c.environment_id == environment.c.id)
    .where(deployed_version.c.version_id == _VERSION, deployed_version.c.undeployed_at.is_(None))
    .union(
        select(environment.c.name)
        .join(released_version, released_version.c.environment_id == environment.c.id)
        .where(released_version.c.version_id == _VERSION, released_version.c.support_ended_at.is_(None))
    )
)


def load_event_version(db: Connection, pacticipant: str, number: str) -> EventVersion:
    """Find where a version stands, for filters to judge."""
    params = {"pacticipant": pacticipant, "number": number}
    branches = fetch_rows(db, _BRANCHES, params)
    return EventVersion(
        branches=frozenset(row.name for row in branches),
        tags=frozenset(fetch_column(db, _TAGS, params)),
        environments=frozenset(fetch_column(db, _ENVIRONMENTS, params)),
        is_on_main_branch=any(row.is_main for row in branches),
    )


# How a webhook fares

_SUCCEED: Final = (
    update(webhook)
    .where(webhook.c.uuid == bindparam("its_uuid"), webhook.c.failures > 0)
    .values(failures=0, failing_since=None)
)
_FAIL: Final = (
    update(webhook)
    .where(webhook.c.uuid == bindparam("its_uuid"))
    .values(failures=webhook.c.failures + 1)
    .returning(webhook.c.failures)
)
_MARK: Final = (
    update(webhook)
    .where(webhook.c.uuid == bindparam("its_uuid"), webhook.c.failing_since.is_(None))
    .values(failing_since=bindparam("now"))
)


def record_outcome(db: Connection, uuid: str, *, success: bool, most_failures: int, now: datetime) -> bool:
    """Count failures in a row; say whether so many have made a webhook one that is failing, until it succeeds again."""
    if success:
        resume(db, uuid)
        return False
    failures = fetch_scalar(db, _FAIL, {"its_uuid": uuid})
    return failures is not None and failures >= most_failures and execute(db, _MARK, {"its_uuid": uuid, "now": now}) > 0


def resume(db: Connection, uuid: str) -> None:
    """Forget that a webhook has failed."""
    execute(db, _SUCCEED, {"its_uuid": uuid})
