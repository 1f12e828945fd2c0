"""Stores webhooks, finds those that subscribe to an event, and counts their failures."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
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
from treaty.store.engine.batches import fetch_in_batches
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
    webhook_member,
)

CONSUMER: Final = pacticipant.alias("consumer")
PROVIDER: Final = pacticipant.alias("provider")

_WEBHOOKS: Final = (
    select(webhook, CONSUMER.c.name.label("consumer"), PROVIDER.c.name.label("provider"))
    .outerjoin(CONSUMER, CONSUMER.c.id == webhook.c.consumer_id)
    .outerjoin(PROVIDER, PROVIDER.c.id == webhook.c.provider_id)
    .order_by(webhook.c.id)
)
_BY_UUID: Final = _WEBHOOKS.where(webhook.c.uuid == bindparam("uuid"))
# FOR NO KEY UPDATE: adding a delivery refers to the webhook's key and must not wait for this lock.
_LOCK: Final = select(webhook.c.id).where(webhook.c.uuid == bindparam("uuid")).with_for_update(key_share=True)
_EVENTS: Final = (
    select(webhook_event.c.webhook_id, webhook_event.c.name)
    .where(webhook_event.c.webhook_id.in_(bindparam("ids", expanding=True)))
    .order_by(webhook_event.c.id)
)
_MEMBERS: Final = (
    select(webhook_member.c.webhook_id, webhook_member.c.role, webhook_member.c.label, pacticipant.c.name)
    .outerjoin(pacticipant, pacticipant.c.id == webhook_member.c.pacticipant_id)
    .where(webhook_member.c.webhook_id.in_(bindparam("ids", expanding=True)))
    .order_by(webhook_member.c.id)
)
_ALL_EVENTS: Final = select(webhook_event.c.webhook_id, webhook_event.c.name).order_by(webhook_event.c.id)
MAX_EVENT_IDS: Final = 100
"""Up to this many webhooks a statement lists their ids; for more, loading all events is faster."""


def find(db: Connection, uuid: str) -> Webhook | None:
    matches = _fetch(db, _BY_UUID, {"uuid": uuid})
    return matches[0] if matches else None


def lock(db: Connection, uuid: str) -> Webhook | None:
    """Find a webhook and lock it against changes until the transaction ends."""
    return None if fetch_scalar(db, _LOCK, {"uuid": uuid}) is None else find(db, uuid)


def _names_side(role: str, side: Any) -> Any:
    """Build the condition that a webhook names a pacticipant, alone or in a list."""
    member_ids = select(webhook_member.c.webhook_id).where(
        webhook_member.c.role == role, webhook_member.c.pacticipant_id == select_pacticipant_id(role)
    )
    return or_(side.c.name == bindparam(role), webhook.c.id.in_(member_ids))


_NAMES_CONSUMER: Final = _names_side("consumer", CONSUMER)
_NAMES_PROVIDER: Final = _names_side("provider", PROVIDER)
_NAMING_CONSUMER: Final = _WEBHOOKS.where(_NAMES_CONSUMER)
_NAMING_PROVIDER: Final = _WEBHOOKS.where(_NAMES_PROVIDER)
_NAMING_BOTH: Final = _WEBHOOKS.where(_NAMES_CONSUMER, _NAMES_PROVIDER)


def list_all(db: Connection, *, consumer: str | None = None, provider: str | None = None) -> list[Webhook]:
    """List all webhooks, or those that name a consumer, a provider, or both."""
    if consumer is not None and provider is not None:
        return _fetch(db, _NAMING_BOTH, {"consumer": consumer, "provider": provider})
    if consumer is not None:
        return _fetch(db, _NAMING_CONSUMER, {"consumer": consumer})
    return _fetch(db, _WEBHOOKS, {}) if provider is None else _fetch(db, _NAMING_PROVIDER, {"provider": provider})


_FAILING: Final = _WEBHOOKS.where(webhook.c.failing_since.is_not(None))


def list_failing(db: Connection) -> list[Webhook]:
    """List the webhooks that have failed several times in a row."""
    return _fetch(db, _FAILING, {})


_OF_PAIR: Final = _WEBHOOKS.where(CONSUMER.c.name == bindparam("consumer"), PROVIDER.c.name == bindparam("provider"))
_OF_CONSUMER: Final = _WEBHOOKS.where(
    CONSUMER.c.name == bindparam("consumer"), webhook.c.provider_id.is_(None), not_(webhook.c.lists_providers)
)
_OF_PROVIDER: Final = _WEBHOOKS.where(
    PROVIDER.c.name == bindparam("provider"), webhook.c.consumer_id.is_(None), not_(webhook.c.lists_consumers)
)


def list_of_sides(db: Connection, *, consumer: str | None, provider: str | None) -> list[Webhook]:
    """List the webhooks that name exactly these pacticipants, and no others.

    A side that is None must not be named, but may be matched by a label.
    """
    if consumer is not None and provider is not None:
        return _fetch(db, _OF_PAIR, {"consumer": consumer, "provider": provider})
    if consumer is not None:
        return _fetch(db, _OF_CONSUMER, {"consumer": consumer})
    return _fetch(db, _OF_PROVIDER, {"provider": provider}) if provider is not None else list_all(db)


def _fetch(db: Connection, statement: Select[Any], params: Mapping[str, Any]) -> list[Webhook]:
    rows = fetch_rows(db, statement, params)
    if not rows:
        return []
    events: dict[int, list[str]] = {row.id: [] for row in rows}
    event_rows = (
        fetch_rows(db, _EVENTS, {"ids": list(events)})
        if len(events) <= MAX_EVENT_IDS
        else fetch_rows(db, _ALL_EVENTS, {})
    )
    for webhook_id, name in event_rows:
        events.setdefault(webhook_id, []).append(name)
    members = _fetch_members(db, [row.id for row in rows if row.lists_consumers or row.lists_providers])
    return [_build_webhook(row, events[row.id], members) for row in rows]


_Members = Mapping[tuple[int, str], list[PacticipantMatcher]]


def _fetch_members(db: Connection, ids: Sequence[int]) -> _Members:
    members: defaultdict[tuple[int, str], list[PacticipantMatcher]] = defaultdict(list)
    for row in fetch_in_batches(db, _MEMBERS, ids) if ids else ():
        members[row.webhook_id, row.role].append(PacticipantMatcher(name=row.name, label=row.label))
    return members


def _build_webhook(row: Any, events: Iterable[str], members: _Members) -> Webhook:
    return Webhook(
        uuid=row.uuid,
        description=row.description,
        consumer=_side(row.consumer, row.consumer_label),
        provider=_side(row.provider, row.provider_label),
        is_enabled=row.is_enabled,
        request=request_from_row(row),
        events=tuple(events),
        secret=None if row.secret is None else EncryptedText(row.secret),
        filters=_filters(row.filters),
        failing_since=row.failing_since,
        pauses=row.pauses,
        created_at=row.created_at,
        updated_at=row.updated_at,
        consumers=tuple(members.get((row.id, "consumer"), ())) if row.lists_consumers else None,
        providers=tuple(members.get((row.id, "provider"), ())) if row.lists_providers else None,
        digest_interval=_interval(row.digest_seconds),
    )


def _interval(seconds: int | None) -> timedelta | None:
    return None if seconds is None else timedelta(seconds=seconds)


def request_from_row(row: Any) -> WebhookRequest:
    """Build a request from the columns of a webhook."""
    return WebhookRequest(
        method=row.method,
        url=row.url,
        headers={name: _decode_secret(value) for name, value in json.loads(row.headers).items()},
        body=None if row.body is None else json.loads(row.body),
        username=row.username,
        password=None if row.password is None else _decode_secret(json.loads(row.password)),
    )


def _side(name: str | None, label_name: str | None) -> PacticipantMatcher | None:
    return PacticipantMatcher(name=name, label=label_name) if name is not None or label_name is not None else None


# An encrypted header or password is stored as an object, which tells it from plain text.
def _decode_secret(value: Any) -> str | EncryptedText:
    return EncryptedText(value["sealed"]) if isinstance(value, dict) else value


def _filters(text: str | None) -> WebhookFilters:
    if text is None:
        return WebhookFilters()
    members: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in json.loads(text).items()
    }
    return WebhookFilters(**members)


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
    "lists_consumers",
    "lists_providers",
    "digest_seconds",
)
_VALUES: Final = {
    **{name: bindparam(name) for name in _CHANGEABLE},
    "consumer_id": select_pacticipant_id("consumer"),
    "provider_id": select_pacticipant_id("provider"),
}
_ADD: Final = insert(webhook).values(uuid=bindparam("uuid"), failures=0, created_at=bindparam("created_at"), **_VALUES)
_CHANGE: Final = update(webhook).where(webhook.c.uuid == bindparam("webhook_uuid")).values(**_VALUES)
_ID: Final = select(webhook.c.id).where(webhook.c.uuid == bindparam("webhook_uuid")).scalar_subquery()
_ADD_EVENT: Final = insert(webhook_event).values(webhook_id=_ID, name=bindparam("name"))
_REMOVE_EVENTS: Final = delete(webhook_event).where(webhook_event.c.webhook_id == _ID)
_ADD_MEMBER: Final = insert(webhook_member).values(
    webhook_id=_ID,
    role=bindparam("role"),
    pacticipant_id=select_pacticipant_id("pacticipant"),
    label=bindparam("label"),
)
_REMOVE_MEMBERS: Final = delete(webhook_member).where(webhook_member.c.webhook_id == _ID)


def add(db: Connection, new: Webhook) -> None:
    execute(db, _ADD, {**_columns(new), "uuid": new.uuid, "created_at": new.created_at})
    _add_events(db, new)
    _add_members(db, new)


def change(db: Connection, changed: Webhook) -> None:
    """Replace all properties of a webhook but its creation time."""
    execute(db, _CHANGE, {**_columns(changed), "webhook_uuid": changed.uuid})
    execute(db, _REMOVE_EVENTS, {"webhook_uuid": changed.uuid})
    _add_events(db, changed)
    execute(db, _REMOVE_MEMBERS, {"webhook_uuid": changed.uuid})
    _add_members(db, changed)


def _add_events(db: Connection, saved: Webhook) -> None:
    for name in dict.fromkeys(saved.events):
        execute(db, _ADD_EVENT, {"webhook_uuid": saved.uuid, "name": name})


def _add_members(db: Connection, saved: Webhook) -> None:
    for role, members in (("consumer", saved.consumers), ("provider", saved.providers)):
        for member in members or ():
            params = {"role": role, "pacticipant": member.name, "label": member.label}
            execute(db, _ADD_MEMBER, {"webhook_uuid": saved.uuid, **params})


def _columns(saved: Webhook) -> dict[str, Any]:
    consumer, provider = saved.consumer or PacticipantMatcher(), saved.provider or PacticipantMatcher()
    request = saved.request
    return {
        "description": saved.description,
        "consumer": consumer.name,
        "consumer_label": consumer.label,
        "provider": provider.name,
        "provider_label": provider.label,
        "is_enabled": saved.is_enabled,
        "method": request.method,
        "url": request.url,
        "headers": _encode_json({name: _encode_secret(value) for name, value in request.headers.items()}),
        "body": None if request.body is None else _encode_json(request.body),
        "username": request.username,
        "password": None if request.password is None else _encode_json(_encode_secret(request.password)),
        "secret": saved.secret.text if saved.secret else None,
        "filters": None if saved.filters.is_empty else _encode_json(asdict(saved.filters)),
        "pauses": saved.pauses,
        "updated_at": saved.updated_at,
        "lists_consumers": saved.consumers is not None,
        "lists_providers": saved.providers is not None,
        "digest_seconds": None if saved.digest_interval is None else int(saved.digest_interval.total_seconds()),
    }


def _encode_json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _encode_secret(value: str | EncryptedText) -> object:
    return {"sealed": value.text} if isinstance(value, EncryptedText) else value


_REMOVE: Final = delete(webhook).where(webhook.c.uuid == bindparam("uuid"))
_CANCEL: Final = (
    update(triggered_webhook)
    .where(triggered_webhook.c.webhook_id == _ID, triggered_webhook.c.due_at.is_not(None))
    .values(status="failure", due_at=None, claimed_by=None)
)


def remove(db: Connection, uuid: str) -> None:
    """Remove a webhook. Its queued deliveries fail; the log of past deliveries stays."""
    execute(db, _CANCEL, {"webhook_uuid": uuid})
    execute(db, _REMOVE, {"uuid": uuid})


_OTHER: Final = webhook_member.alias("other")
_IS_OTHER_MEMBER: Final = exists().where(
    _OTHER.c.webhook_id == webhook_member.c.webhook_id,
    _OTHER.c.role == webhook_member.c.role,
    or_(_OTHER.c.pacticipant_id.is_(None), _OTHER.c.pacticipant_id != webhook_member.c.pacticipant_id),
)
_ONLY_FOR: Final = (
    select(webhook.c.uuid)
    .join(webhook_member, webhook_member.c.webhook_id == webhook.c.id)
    .where(webhook_member.c.pacticipant_id == select_pacticipant_id("pacticipant"), ~_IS_OTHER_MEMBER)
    .order_by(webhook.c.id)
)


def list_with_single_member(db: Connection, pacticipant_name: str) -> list[str]:
    """List the webhooks, by UUID, that have a list of consumers or providers with this pacticipant only."""
    return list(dict.fromkeys(fetch_column(db, _ONLY_FOR, {"pacticipant": pacticipant_name})))


# Subscriptions


@dataclass(frozen=True, kw_only=True, slots=True)
class Subscription:
    """A webhook that subscribes to an event of a pair."""

    webhook: str
    """The webhook's UUID."""
    description: str | None
    event: str
    filters: WebhookFilters
    has_digest: bool = False
    """Whether its events are collected into digests."""


def _has_label(pacticipant_id: Any, label_name: Any) -> Any:
    return exists().where(label.c.pacticipant_id == pacticipant_id, label.c.name == label_name)


def _names_role(role: str, pacticipant_id: Any) -> Any:
    """Build the condition that a webhook names a pacticipant in a role: by its id, by a label, or in a list."""
    owner_id, label_name = webhook.c[f"{role}_id"], webhook.c[f"{role}_label"]
    is_member = exists().where(
        webhook_member.c.webhook_id == webhook.c.id,
        webhook_member.c.role == role,
        or_(
            webhook_member.c.pacticipant_id == pacticipant_id,
            and_(webhook_member.c.label.is_not(None), _has_label(pacticipant_id, webhook_member.c.label)),
        ),
    )
    return or_(
        owner_id == pacticipant_id,
        and_(owner_id.is_(None), label_name.is_not(None), _has_label(pacticipant_id, label_name)),
        and_(webhook.c[f"lists_{role}s"], is_member),
    )


def _is_open(role: str) -> Any:
    """Build the condition that a webhook names nothing in a role. A list without members left is not open."""
    return and_(
        webhook.c[f"{role}_id"].is_(None), webhook.c[f"{role}_label"].is_(None), not_(webhook.c[f"lists_{role}s"])
    )


CONCERNS_PAIR: Final = and_(
    *(or_(_is_open(role), _names_role(role, select_pacticipant_id(role))) for role in ("consumer", "provider"))
)
"""Condition that a webhook is for the pacts of a consumer and a provider."""
_CONCERNS_APPLICATION: Final = or_(
    and_(_is_open("consumer"), _is_open("provider")),
    *(_names_role(role, select_pacticipant_id("pacticipant")) for role in ("consumer", "provider")),
)
_SUBSCRIBERS: Final = (
    select(webhook.c.uuid, webhook.c.description, webhook_event.c.name, webhook.c.filters, webhook.c.digest_seconds)
    .join(webhook_event, webhook_event.c.webhook_id == webhook.c.id)
    .where(
        webhook.c.is_enabled,
        # A paused webhook is not triggered until it recovers.
        or_(not_(webhook.c.pauses), webhook.c.failing_since.is_(None)),
        webhook_event.c.name.in_(bindparam("events", expanding=True)),
    )
    .order_by(webhook.c.id)
)
_SUBSCRIPTIONS: Final = _SUBSCRIBERS.where(CONCERNS_PAIR)
_SUBSCRIPTIONS_OF_APPLICATION: Final = _SUBSCRIBERS.where(_CONCERNS_APPLICATION)


def list_subscriptions(db: Connection, *, consumer: str, provider: str, events: Sequence[str]) -> list[Subscription]:
    """List the webhooks that subscribe to one of these events of a pair, in the order of the events."""
    rows = fetch_rows(db, _SUBSCRIPTIONS, {"consumer": consumer, "provider": provider, "events": list(events)})
    subscriptions = [_build_subscription(row) for row in rows]
    return sorted(subscriptions, key=lambda subscription: events.index(subscription.event))


def list_subscriptions_of_application(db: Connection, pacticipant_name: str, event: str) -> list[Subscription]:
    """List the webhooks for an event of an application: those that name it in a role, and those that name nothing."""
    rows = fetch_rows(db, _SUBSCRIPTIONS_OF_APPLICATION, {"pacticipant": pacticipant_name, "events": [event]})
    return [_build_subscription(row) for row in rows]


def _build_subscription(row: Any) -> Subscription:
    return Subscription(
        webhook=row.uuid,
        description=row.description,
        event=row.name,
        filters=_filters(row.filters),
        has_digest=row.digest_seconds is not None,
    )


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
    """Load the branches, tags and environments of a version, for the filters of webhooks."""
    params = {"pacticipant": pacticipant, "number": number}
    branches = fetch_rows(db, _BRANCHES, params)
    return EventVersion(
        branches=frozenset(row.name for row in branches),
        tags=frozenset(fetch_column(db, _TAGS, params)),
        environments=frozenset(fetch_column(db, _ENVIRONMENTS, params)),
        is_on_main_branch=any(row.is_main for row in branches),
    )


# Failures in a row

# A success without earlier failures writes nothing, so healthy webhooks cost no update per delivery.
_RESET: Final = (
    update(webhook)
    .where(webhook.c.uuid == bindparam("webhook_uuid"), webhook.c.failures > 0)
    .values(failures=0, failing_since=None)
)
_COUNT_FAILURE: Final = (
    update(webhook)
    .where(webhook.c.uuid == bindparam("webhook_uuid"))
    .values(failures=webhook.c.failures + 1)
    .returning(webhook.c.failures)
)
_MARK_FAILING: Final = (
    update(webhook)
    .where(webhook.c.uuid == bindparam("webhook_uuid"), webhook.c.failing_since.is_(None))
    .values(failing_since=bindparam("now"))
)


def record_outcome(db: Connection, uuid: str, *, success: bool, max_failures: int, now: datetime) -> bool:
    """Count failures in a row. Returns whether this failure marks the webhook as failing.

    The mark stays until a delivery succeeds.
    """
    if success:
        resume(db, uuid)
        return False
    failures = fetch_scalar(db, _COUNT_FAILURE, {"webhook_uuid": uuid})
    # The webhook may have been deleted while the request was sent.
    if failures is None or failures < max_failures:
        return False
    return execute(db, _MARK_FAILING, {"webhook_uuid": uuid, "now": now}) > 0


def resume(db: Connection, uuid: str) -> None:
    """Reset the failures of a webhook, so that it is not failing or paused any more."""
    execute(db, _RESET, {"webhook_uuid": uuid})
