"""Deliveries: what is owed to webhooks, who is at it, and what came of each attempt."""

import json
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import (
    Boolean,
    Connection,
    Select,
    and_,
    bindparam,
    case,
    exists,
    func,
    insert,
    or_,
    select,
    update,
)

from treaty.model.delivery import Delivery, Execution, Owed, Status, TriggeredWebhook
from treaty.model.event import CONTRACT_CONTENT_CHANGED, CONTRACT_PUBLISHED
from treaty.model.page import Page, Paged
from treaty.model.template import Facts, Result
from treaty.model.webhook import Sealed, Webhook
from treaty.store.database import every, rows, run, scalar
from treaty.store.listing import Listing
from treaty.store.tables import (
    branch,
    branch_version,
    content,
    integration,
    label,
    pacticipant,
    publication,
    tag,
    triggered_webhook,
    verification,
    version,
    webhook,
    webhook_execution,
)
from treaty.store.webhooks import request_of

CONSUMER: Final = pacticipant.alias("consumer")
PROVIDER: Final = pacticipant.alias("provider")
_Names = defaultdict[int, list[str]]


def _id_of(role: str) -> Any:
    return select(pacticipant.c.id).where(pacticipant.c.name == bindparam(role)).scalar_subquery()


# Owing

_ADD: Final = insert(triggered_webhook).values(
    uuid=bindparam("uuid"),
    webhook_id=select(webhook.c.id).where(webhook.c.uuid == bindparam("webhook")).scalar_subquery(),
    consumer_id=_id_of("consumer"),
    provider_id=_id_of("provider"),
    publication_id=select(publication.c.id)
    .join(version, version.c.id == publication.c.consumer_version_id)
    .where(
        version.c.pacticipant_id == _id_of("consumer"),
        version.c.number == bindparam("consumer_version"),
        publication.c.provider_id == _id_of("provider"),
        publication.c.is_current,
    )
    .scalar_subquery(),
    verification_id=bindparam("verification"),
    event=bindparam("event"),
    context=bindparam("context"),
    status=Status.NOT_RUN.value,
    attempts=0,
    due_at=bindparam("now"),
    created_at=bindparam("now"),
)


def add(db: Connection, owed: Owed, *, now: datetime) -> None:
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
    run(db, _ADD, params)


_VERSIONS_BRANCH: Final = (
    select(branch.c.name)
    .join(branch_version, branch_version.c.branch_id == branch.c.id)
    .join(version, version.c.id == branch_version.c.version_id)
    .where(version.c.pacticipant_id == _id_of("pacticipant"), version.c.number == bindparam("number"))
    .order_by(branch_version.c.id.desc())
    .limit(1)
)
_NUMBERS: Final = select(version.c.id, version.c.number).where(version.c.id.in_(bindparam("ids", expanding=True)))


def find_branch(db: Connection, pacticipant: str, number: str) -> str | None:
    """Find the branch that a version was put on last."""
    name: str | None = scalar(db, _VERSIONS_BRANCH, {"pacticipant": pacticipant, "number": number})
    return name


def numbers(db: Connection, version_ids: Collection[int]) -> dict[int, str]:
    """Find the numbers of versions that metadata names."""
    return {row.id: row.number for row in rows(db, _NUMBERS, {"ids": list(version_ids)})} if version_ids else {}


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
class Claim:
    """What a worker wants to take on, and until when it is the worker's."""

    owner: str
    now: datetime
    until: datetime
    most: int
    busy: tuple[str, ...] = ()
    """Webhooks (their uuids) that it has enough of already."""
    takes_failing: bool = True
    """Whether it takes on webhooks that are marked as failing; they come last in any case."""


def is_any_due(db: Connection, wanted: Claim) -> bool:
    return bool(rows(db, _DUE, {**_values(wanted), "most": 1}))


def _values(wanted: Claim) -> dict[str, Any]:
    return {
        "now": wanted.now,
        "busy": list(wanted.busy),
        "takes_failing": wanted.takes_failing,
        "most": wanted.most,
    }


def claim(db: Connection, wanted: Claim) -> list[str]:
    """Claim what is due, and return its uuids. Whoever has not finished in time loses it to another."""
    found = rows(db, _LOCK_DUE, _values(wanted))
    if found:
        run(db, _CLAIM, {"ids": [row.id for row in found], "owner": wanted.owner, "until": wanted.until})
    return [row.uuid for row in found]


def renew(db: Connection, uuids: Collection[str], *, owner: str, until: datetime) -> None:
    """Go on working on what was claimed."""
    run(db, _RENEW, {"uuids": list(uuids), "owner": owner, "until": until})


# What is to be sent

_LAST_BRANCH: Final = (
    select(branch.c.name)
    .join(branch_version, branch_version.c.branch_id == branch.c.id)
    .where(branch_version.c.version_id == version.c.id)
    .order_by(branch_version.c.id.desc())
    .limit(1)
    .scalar_subquery()
)
_PACTS: Final = (
    select(
        publication.c.id.label("publication_id"),
        publication.c.consumer_id,
        publication.c.provider_id,
        publication.c.content_id,
        version.c.id.label("version_id"),
        version.c.number,
        _LAST_BRANCH.label("branch"),
        content.c.sha,
        CONSUMER.c.name.label("consumer"),
        PROVIDER.c.name.label("provider"),
    )
    .select_from(publication)
    .join(version, version.c.id == publication.c.consumer_version_id)
    .join(content, content.c.id == publication.c.content_id)
    .join(CONSUMER, CONSUMER.c.id == publication.c.consumer_id)
    .join(PROVIDER, PROVIDER.c.id == publication.c.provider_id)
    .where(publication.c.id.in_(bindparam("ids", expanding=True)))
)
_LABELS: Final = (
    select(label.c.pacticipant_id, label.c.name)
    .where(label.c.pacticipant_id.in_(bindparam("ids", expanding=True)))
    .order_by(label.c.name)
)
_TAGS: Final = (
    select(tag.c.version_id, tag.c.name)
    .where(tag.c.version_id.in_(bindparam("ids", expanding=True)))
    .order_by(tag.c.created_at, tag.c.id)
)
_RESULTS: Final = select(
    verification.c.id.label("number"),
    verification.c.success,
    version.c.id,
    version.c.number.label("provider_version"),
    _LAST_BRANCH.label("branch"),
).join(version, version.c.id == verification.c.provider_version_id)
_RECORDED: Final = _RESULTS.where(verification.c.id == bindparam("verification"))
_MAIN_BEFORE: Final = (
    _RESULTS.join(branch_version, branch_version.c.version_id == version.c.id)
    .join(branch, branch.c.id == branch_version.c.branch_id)
    .join(pacticipant, and_(pacticipant.c.id == branch.c.pacticipant_id, pacticipant.c.main_branch == branch.c.name))
    .where(verification.c.content_id == bindparam("content"), verification.c.created_at <= bindparam("at"))
    .order_by(verification.c.id.desc())
    .limit(1)
)
_LATEST: Final = (
    _RESULTS.where(verification.c.content_id == bindparam("content")).order_by(verification.c.id.desc()).limit(1)
)


@dataclass(frozen=True, slots=True)
class _About:
    """What a delivery is about: a publication, and which result of its content."""

    publication: int
    verification: int | None = None
    main_at: datetime | None = None


def _facts(db: Connection, wanted: Collection[_About]) -> dict[_About, Facts]:
    """Find what is told of all that several deliveries are about, with as many statements as for one."""
    found = rows(db, _PACTS, {"ids": list({one.publication for one in wanted})})
    pacts = {row.publication_id: row for row in found}
    tags = _names(db, _TAGS, {row.version_id for row in found})
    labels = _names(db, _LABELS, {one for row in found for one in (row.consumer_id, row.provider_id)})
    return {one: _facts_of(db, one, pacts[one.publication], tags, labels) for one in set(wanted)}


def _facts_of(db: Connection, one: _About, pact: Any, tags: _Names, labels: _Names) -> Facts:
    return Facts(
        consumer=pact.consumer,
        consumer_version=pact.number,
        consumer_tags=tuple(tags[pact.version_id]),
        consumer_branch=pact.branch,
        consumer_labels=tuple(labels[pact.consumer_id]),
        provider=pact.provider,
        provider_labels=tuple(labels[pact.provider_id]),
        sha=pact.sha,
        result=_result(db, pact.content_id, one.verification, one.main_at),
    )


def _names(db: Connection, statement: Select[Any], ids: Collection[int]) -> _Names:
    """List the names that hang on each of some rows, by its id."""
    names: _Names = defaultdict(list)
    for owner, name in rows(db, statement, {"ids": list(ids)}) if ids else ():
        names[owner].append(name)
    return names


def _result(db: Connection, content: int, verification: int | None, main_at: datetime | None) -> Result | None:
    """Find the recorded result; else what the main branch said when the event happened; else the latest there is."""
    found = rows(db, _RECORDED, {"verification": verification}) if verification is not None else []
    if not found and main_at is not None:
        found = rows(db, _MAIN_BEFORE, {"content": content, "at": main_at})
    found = found or rows(db, _LATEST, {"content": content})
    if not found:
        return None
    row = found[0]
    return Result(
        number=row.number,
        success=row.success,
        provider_version=row.provider_version,
        provider_tags=tuple(_names(db, _TAGS, [row.id])[row.id]),
        provider_branch=row.branch,
    )


_OF_MAIN_BRANCH: Final = (CONTRACT_PUBLISHED, CONTRACT_CONTENT_CHANGED)
"""Events about which is told what the provider's main branch says of the content."""
_OWED: Final = (
    select(
        triggered_webhook.c.uuid,
        triggered_webhook.c.event,
        triggered_webhook.c.context,
        triggered_webhook.c.attempts,
        triggered_webhook.c.created_at,
        triggered_webhook.c.publication_id,
        triggered_webhook.c.verification_id,
        webhook.c.uuid.label("webhook"),
        webhook.c.secret,
        webhook.c.failing_since,
        *(webhook.c[name] for name in ("method", "url", "headers", "body", "username", "password")),
    )
    .join(webhook, webhook.c.id == triggered_webhook.c.webhook_id)
    .where(
        triggered_webhook.c.uuid.in_(bindparam("uuids", expanding=True)),
        triggered_webhook.c.claimed_by == bindparam("owner"),
        triggered_webhook.c.publication_id.is_not(None),
    )
)


def find_claimed(db: Connection, uuids: Collection[str], *, owner: str) -> dict[str, Delivery]:
    """Find all that it takes to send what was claimed, by uuid; what is missing has lost its webhook."""
    found = rows(db, _OWED, {"uuids": list(uuids), "owner": owner}) if uuids else ()
    about = {row.uuid: _about(row) for row in found}
    facts = _facts(db, about.values()) if about else {}
    return {row.uuid: _delivery(row, facts[about[row.uuid]]) for row in found}


def _about(row: Any) -> _About:
    main_at = row.created_at if row.event in _OF_MAIN_BRANCH else None
    return _About(row.publication_id, row.verification_id, main_at)


def _delivery(row: Any, facts: Facts) -> Delivery:
    return Delivery(
        uuid=row.uuid,
        webhook=row.webhook,
        request=request_of(row),
        secret=None if row.secret is None else Sealed(row.secret),
        facts=facts,
        context=json.loads(row.context),
        attempts=row.attempts,
        triggered_at=row.created_at,
        is_failing=row.failing_since is not None,
    )


_NEWEST: Final = (
    select(func.max(publication.c.id))
    .select_from(integration)
    .join(publication, publication.c.id == integration.c.latest_publication_id)
)
_NEWEST_OF: Final = {
    (False, False): _NEWEST,
    (True, False): _NEWEST.where(integration.c.consumer_id == _id_of("consumer")),
    (False, True): _NEWEST.where(integration.c.provider_id == _id_of("provider")),
    (True, True): _NEWEST.where(
        integration.c.consumer_id == _id_of("consumer"), integration.c.provider_id == _id_of("provider")
    ),
}


def find_example(db: Connection, one: Webhook) -> Facts | None:
    """Find the latest pact that a webhook could be about."""
    names = {
        role: side.name for role, side in (("consumer", one.consumer), ("provider", one.provider)) if side and side.name
    }
    newest = scalar(db, _NEWEST_OF["consumer" in names, "provider" in names], names)
    return None if newest is None else _facts(db, [_About(newest)])[_About(newest)]


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
    .values(status=Status.FAILURE.value, due_at=None, claimed_by=None)
)
_ADD_EXECUTION: Final = insert(webhook_execution).values(
    triggered_webhook_id=select(triggered_webhook.c.id)
    .where(triggered_webhook.c.uuid == bindparam("its_uuid"))
    .scalar_subquery(),
    **{name: bindparam(name) for name in ("success", "status", "milliseconds", "created_at", "logs")},
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Noted:
    """What became of a delivery that was claimed."""

    uuid: str
    owner: str
    status: Status
    due_at: datetime | None


def note(db: Connection, noted: Noted, execution: Execution) -> bool:
    """Note what came of an attempt. Say whether it still was the claimant's to note."""
    params = {"its_uuid": noted.uuid, "owner": noted.owner, "status": noted.status.value, "due_at": noted.due_at}
    if not run(db, _NOTE, params):
        return False
    values = {name: getattr(execution, name) for name in ("success", "status", "milliseconds", "created_at", "logs")}
    run(db, _ADD_EXECUTION, {"its_uuid": noted.uuid, **values})
    return True


def give_up(db: Connection, uuid: str, *, owner: str) -> None:
    """Note that there is nothing that could be sent any more."""
    run(db, _GIVE_UP, {"its_uuid": uuid, "owner": owner})


_REOPEN: Final = (
    update(triggered_webhook)
    .where(triggered_webhook.c.uuid == bindparam("its_uuid"), triggered_webhook.c.webhook_id.is_not(None))
    .values(
        status=case((triggered_webhook.c.attempts == 0, Status.NOT_RUN.value), else_=Status.RETRYING.value),
        due_at=case((triggered_webhook.c.claimed_by.is_(None), bindparam("now")), else_=triggered_webhook.c.due_at),
    )
)


def reopen(db: Connection, uuid: str, *, now: datetime) -> bool:
    """Owe a delivery anew, at once, unless it is under way. Say whether there still is a webhook to send it to."""
    return bool(run(db, _REOPEN, {"its_uuid": uuid, "now": now}))


# Telling

_TRIGGERED: Final = (
    select(
        triggered_webhook.c.uuid,
        triggered_webhook.c.event,
        triggered_webhook.c.status,
        triggered_webhook.c.attempts,
        triggered_webhook.c.created_at.label("triggered_at"),
        webhook.c.uuid.label("webhook"),
        *(webhook.c[name] for name in ("method", "url", "headers", "body", "username", "password")),
        CONSUMER.c.name.label("consumer"),
        version.c.number.label("consumer_version"),
        PROVIDER.c.name.label("provider"),
    )
    .select_from(triggered_webhook)
    .outerjoin(webhook, webhook.c.id == triggered_webhook.c.webhook_id)
    .join(CONSUMER, CONSUMER.c.id == triggered_webhook.c.consumer_id)
    .join(PROVIDER, PROVIDER.c.id == triggered_webhook.c.provider_id)
    .outerjoin(publication, publication.c.id == triggered_webhook.c.publication_id)
    .outerjoin(version, version.c.id == publication.c.consumer_version_id)
)
_ONE: Final = _TRIGGERED.where(triggered_webhook.c.uuid == bindparam("uuid"))
_OF_PACT: Final = _TRIGGERED.where(
    version.c.pacticipant_id == _id_of("consumer"),
    version.c.number == bindparam("version"),
    publication.c.provider_id == _id_of("provider"),
    publication.c.is_current,
).order_by(triggered_webhook.c.id.desc())
_OF_VERIFICATION: Final = _TRIGGERED.where(
    triggered_webhook.c.verification_id == bindparam("number"),
    triggered_webhook.c.event.startswith("provider_verification_", autoescape=True),
).order_by(triggered_webhook.c.id.desc())
_LATEST_IDS: Final = (
    select(func.max(triggered_webhook.c.id))
    .where(
        triggered_webhook.c.consumer_id == _id_of("consumer"),
        triggered_webhook.c.provider_id == _id_of("provider"),
        triggered_webhook.c.webhook_id.is_not(None),
    )
    .group_by(triggered_webhook.c.webhook_id, triggered_webhook.c.event)
)
_LATEST_OF_PAIR: Final = _TRIGGERED.where(triggered_webhook.c.id.in_(_LATEST_IDS)).order_by(triggered_webhook.c.id)


def find(db: Connection, uuid: str) -> TriggeredWebhook | None:
    found = _triggered(db, _ONE, {"uuid": uuid})
    return found[0] if found else None


def of_pact(db: Connection, *, consumer: str, version: str, provider: str) -> list[TriggeredWebhook]:
    """List what the current pact of a consumer's version has triggered, newest first."""
    return _triggered(db, _OF_PACT, {"consumer": consumer, "version": version, "provider": provider})


def of_verification(db: Connection, number: int) -> list[TriggeredWebhook]:
    """List what a result has triggered, newest first."""
    return _triggered(db, _OF_VERIFICATION, {"number": number})


def latest_of_pair(db: Connection, *, consumer: str, provider: str) -> list[TriggeredWebhook]:
    """List the latest delivery to each webhook for each event of a pair."""
    return _triggered(db, _LATEST_OF_PAIR, {"consumer": consumer, "provider": provider})


def _triggered(db: Connection, statement: Select[Any], params: dict[str, Any]) -> list[TriggeredWebhook]:
    return _told(rows(db, statement, params))


def _told(found: Sequence[Any]) -> list[TriggeredWebhook]:
    return [
        TriggeredWebhook(
            uuid=row.uuid,
            event=row.event,
            status=Status(row.status),
            attempts=row.attempts,
            webhook=row.webhook,
            request_name=None if row.webhook is None else request_of(row).name,
            consumer=row.consumer,
            consumer_version=row.consumer_version,
            provider=row.provider,
            triggered_at=row.triggered_at,
        )
        for row in found
    ]


_EXECUTIONS: Final = (
    select(*(webhook_execution.c[name] for name in ("success", "status", "milliseconds", "created_at", "logs")))
    .join(triggered_webhook, triggered_webhook.c.id == webhook_execution.c.triggered_webhook_id)
    .where(triggered_webhook.c.uuid == bindparam("uuid"))
    .order_by(webhook_execution.c.id)
)


def executions(db: Connection, uuid: str) -> list[Execution]:
    """List the attempts of a delivery, oldest first."""
    return every(db, _EXECUTIONS, {"uuid": uuid}, Execution)


_OF_WEBHOOK: Final = Listing(
    _TRIGGERED.where(
        triggered_webhook.c.webhook_id
        == select(webhook.c.id).where(webhook.c.uuid == bindparam("webhook")).scalar_subquery()
    ).order_by(triggered_webhook.c.id.desc())
)
_LATEST_OF_EACH: Final = select(
    webhook.c.uuid,
    select(triggered_webhook.c.status)
    .where(triggered_webhook.c.webhook_id == webhook.c.id)
    .order_by(triggered_webhook.c.id.desc())
    .limit(1)
    .scalar_subquery()
    .label("status"),
)


def of_webhook(db: Connection, uuid: str, page: Page) -> Paged[TriggeredWebhook]:
    """List a page of what a webhook was owed, newest first."""
    return _OF_WEBHOOK.read(db, {"webhook": uuid}, page, _told)


def latest_of_each(db: Connection) -> dict[str, Status]:
    """Find the state of the latest delivery to each webhook that ever had one, by its uuid."""
    return {row.uuid: Status(row.status) for row in rows(db, _LATEST_OF_EACH, {}) if row.status is not None}
