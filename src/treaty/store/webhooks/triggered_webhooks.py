"""Reads deliveries for the API and the pages: their states and the log of each attempt."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from sqlalchemy import Connection, Select, bindparam, case, func, select

from treaty.model.paging import Page, Paged
from treaty.model.webhooks.deliveries import DeliveryStatus, Execution, TriggeredWebhook
from treaty.model.webhooks.events import EVENT_TYPES, EventSubject
from treaty.model.webhooks.failures import DeliveryFailure, describe_failure
from treaty.model.webhooks.webhooks import build_display_name
from treaty.store.engine.database import fetch_all, fetch_rows
from treaty.store.engine.listing import PagedQuery
from treaty.store.pacticipants.pacticipants import select_pacticipant_id
from treaty.store.tables import publication, triggered_webhook, version, webhook, webhook_event, webhook_execution
from treaty.store.webhooks import delivery_facts
from treaty.store.webhooks.deliveries import EXECUTION_COLUMNS
from treaty.store.webhooks.webhooks import CONSUMER, PROVIDER, request_from_row

# Aggregated in the statement: names of events contain no commas.
_EVENT_NAMES: Final = (
    select(func.aggregate_strings(webhook_event.c.name, ","))
    .where(webhook_event.c.webhook_id == webhook.c.id)
    .correlate(webhook)
    .scalar_subquery()
)
_last_attempt: Final = webhook_execution.alias("last_attempt")
_LAST_ATTEMPT_ID: Final = (
    select(func.max(webhook_execution.c.id))
    .where(webhook_execution.c.triggered_webhook_id == triggered_webhook.c.id)
    .correlate(triggered_webhook)
    .scalar_subquery()
)
# Logs are long, and are needed only where there is no status.
_LOG_WITHOUT_STATUS: Final = case((_last_attempt.c.status.is_(None), _last_attempt.c.logs))
_TRIGGERED: Final = (
    select(
        triggered_webhook.c.uuid,
        triggered_webhook.c.event,
        triggered_webhook.c.status,
        triggered_webhook.c.attempts,
        triggered_webhook.c.created_at.label("triggered_at"),
        triggered_webhook.c.facts,
        webhook.c.uuid.label("webhook"),
        webhook.c.description,
        _last_attempt.c.id.label("attempt"),
        _last_attempt.c.success.label("attempt_succeeded"),
        _last_attempt.c.status.label("attempt_status"),
        _LOG_WITHOUT_STATUS.label("attempt_log"),
        _EVENT_NAMES.label("events"),
        *(webhook.c[name] for name in ("method", "url", "headers", "body", "username", "password")),
        CONSUMER.c.name.label("consumer"),
        version.c.number.label("consumer_version"),
        PROVIDER.c.name.label("provider"),
    )
    .select_from(triggered_webhook)
    .outerjoin(webhook, webhook.c.id == triggered_webhook.c.webhook_id)
    .outerjoin(_last_attempt, _last_attempt.c.id == _LAST_ATTEMPT_ID)
    .join(CONSUMER, CONSUMER.c.id == triggered_webhook.c.consumer_id)
    .join(PROVIDER, PROVIDER.c.id == triggered_webhook.c.provider_id)
    # Outer joins: a delivery stays readable after its webhook, or the pact or version, has been removed.
    .outerjoin(publication, publication.c.id == triggered_webhook.c.publication_id)
    .outerjoin(version, version.c.id == publication.c.consumer_version_id)
)
_BY_UUID: Final = _TRIGGERED.where(triggered_webhook.c.uuid == bindparam("uuid"))
_OF_PACT: Final = _TRIGGERED.where(
    version.c.pacticipant_id == select_pacticipant_id("consumer"),
    version.c.number == bindparam("version"),
    publication.c.provider_id == select_pacticipant_id("provider"),
    publication.c.is_current,
).order_by(triggered_webhook.c.id.desc())
_RESULT_EVENTS: Final = [event_type.name for event_type in EVENT_TYPES if event_type.subject is EventSubject.RESULT]
_OF_VERIFICATION: Final = _TRIGGERED.where(
    triggered_webhook.c.verification_id == bindparam("number"),
    triggered_webhook.c.event.in_(bindparam("events", expanding=True)),
).order_by(triggered_webhook.c.id.desc())
# Ids increase with time, so the largest id belongs to the latest delivery.
_LATEST_IDS: Final = (
    select(func.max(triggered_webhook.c.id))
    .where(
        triggered_webhook.c.consumer_id == select_pacticipant_id("consumer"),
        triggered_webhook.c.provider_id == select_pacticipant_id("provider"),
        triggered_webhook.c.webhook_id.is_not(None),
    )
    .group_by(triggered_webhook.c.webhook_id, triggered_webhook.c.event)
)
_LATEST_OF_PAIR: Final = _TRIGGERED.where(triggered_webhook.c.id.in_(_LATEST_IDS)).order_by(triggered_webhook.c.id)


def find(db: Connection, uuid: str) -> TriggeredWebhook | None:
    matches = _fetch(db, _BY_UUID, {"uuid": uuid})
    return matches[0] if matches else None


def list_of_pact(db: Connection, *, consumer: str, version: str, provider: str) -> list[TriggeredWebhook]:
    """List the deliveries for the current pact of a consumer version, newest first."""
    return _fetch(db, _OF_PACT, {"consumer": consumer, "version": version, "provider": provider})


def list_of_verification(db: Connection, number: int) -> list[TriggeredWebhook]:
    """List the deliveries for a result, newest first."""
    return _fetch(db, _OF_VERIFICATION, {"number": number, "events": _RESULT_EVENTS})


def list_latest_of_pair(db: Connection, *, consumer: str, provider: str) -> list[TriggeredWebhook]:
    """List the latest delivery to each webhook for each event of a pair."""
    return _fetch(db, _LATEST_OF_PAIR, {"consumer": consumer, "provider": provider})


def _fetch(db: Connection, statement: Select[*tuple[Any, ...]], params: dict[str, Any]) -> list[TriggeredWebhook]:
    return _build_all(fetch_rows(db, statement, params))


def _build_all(rows: Sequence[Any]) -> list[TriggeredWebhook]:
    return [
        TriggeredWebhook(
            uuid=row.uuid,
            event=row.event,
            status=DeliveryStatus(row.status),
            attempts=row.attempts,
            webhook=row.webhook,
            request_name=None if row.webhook is None else request_from_row(row).name,
            title=None if row.webhook is None else _build_title(row),
            failure=_build_failure(row),
            consumer=row.consumer,
            consumer_version=row.consumer_version or delivery_facts.get_consumer_version(row.facts),
            provider=row.provider,
            triggered_at=row.triggered_at,
        )
        for row in rows
    ]


def _build_title(row: Any) -> str:
    return build_display_name(row.description, (row.events or "").split(","), request_from_row(row))


def _build_failure(row: Any) -> DeliveryFailure | None:
    if row.attempt is None or row.attempt_succeeded:
        return None
    return describe_failure(row.attempt_status, row.attempt_log)


_EXECUTIONS: Final = (
    select(*(webhook_execution.c[name] for name in EXECUTION_COLUMNS))
    .join(triggered_webhook, triggered_webhook.c.id == webhook_execution.c.triggered_webhook_id)
    .where(triggered_webhook.c.uuid == bindparam("uuid"))
    .order_by(webhook_execution.c.id)
)


def list_executions(db: Connection, uuid: str) -> list[Execution]:
    """List the attempts of a delivery, oldest first."""
    return fetch_all(db, _EXECUTIONS, {"uuid": uuid}, Execution)


_OF_WEBHOOK: Final = PagedQuery(
    _TRIGGERED.where(
        triggered_webhook.c.webhook_id
        == select(webhook.c.id).where(webhook.c.uuid == bindparam("webhook")).scalar_subquery()
    ).order_by(triggered_webhook.c.id.desc())
)
_latest: Final = triggered_webhook.alias("latest")
_some_webhook: Final = webhook.alias("some_webhook")
_LATEST_OF_WEBHOOK: Final = (
    select(func.max(_latest.c.id))
    .where(_latest.c.webhook_id == _some_webhook.c.id)
    .correlate(_some_webhook)
    .scalar_subquery()
)
_IDS_OF_LATEST: Final = select(_LATEST_OF_WEBHOOK).select_from(_some_webhook)
_LATEST_OF_WEBHOOKS: Final = _TRIGGERED.where(triggered_webhook.c.id.in_(_IDS_OF_LATEST))
_LATEST_OF_FAILING: Final = _TRIGGERED.where(
    triggered_webhook.c.id.in_(_IDS_OF_LATEST.where(_some_webhook.c.failing_since.is_not(None)))
)


def list_of_webhook(db: Connection, uuid: str, page: Page) -> Paged[TriggeredWebhook]:
    """List a page of a webhook's deliveries, newest first."""
    return _OF_WEBHOOK.read(db, {"webhook": uuid}, page, _build_all)


def load_latest(db: Connection) -> dict[str, TriggeredWebhook]:
    """Load the latest delivery to each webhook that has any, by the webhook's UUID."""
    return _by_webhook(_fetch(db, _LATEST_OF_WEBHOOKS, {}))


def load_latest_of_failing(db: Connection) -> dict[str, TriggeredWebhook]:
    """Load the latest delivery to each webhook that has failed several times in a row, by the webhook's UUID."""
    return _by_webhook(_fetch(db, _LATEST_OF_FAILING, {}))


def _by_webhook(deliveries: Iterable[TriggeredWebhook]) -> dict[str, TriggeredWebhook]:
    return {delivery.webhook: delivery for delivery in deliveries if delivery.webhook is not None}
