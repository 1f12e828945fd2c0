"""Each event in the table of webhook events can be subscribed to, fires, and fills in its parameters."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.api.deliveries import Broker
from tests.api.described import document
from treaty.actions.webhooks import deliveries
from treaty.actions.webhooks.notices import (
    BlockedDeployment,
    enqueue_for_blocked_deployment,
    enqueue_for_failing_webhook,
)
from treaty.model.webhooks.events import EVENT_NAMES, EVENT_TYPES, EventType, list_form_event_types
from treaty.model.webhooks.parameters import PARAMETERS, build_parameters
from treaty.store.webhooks.due_deliveries import ClaimRequest
from treaty.web.parameter_urls import PARAMETER_URLS
from treaty.workers.notices import NoticeWorker

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.api.client import Api
    from treaty.model.webhooks.deliveries import Delivery

URL = "http://127.0.0.1:1/"


def _by_name(event_type: EventType) -> str:
    return event_type.name


def _names_of(webhook: dict[str, Any]) -> list[str]:
    return [event["name"] for event in webhook["events"]]


@pytest.mark.parametrize("event_type", EVENT_TYPES, ids=_by_name)
def test_a_webhook_keeps_its_event_when_it_is_created_and_replaced(api: Api, event_type: EventType) -> None:
    body = {"request": {"method": "POST", "url": "https://example.org/"}, "events": [{"name": event_type.name}]}
    path = api.post("/webhooks", body).link("self")
    assert _names_of(api.get(path).json()) == [event_type.name]
    assert _names_of(api.put(path, body).json()) == [event_type.name]


def _claim(broker: Broker) -> list[Delivery]:
    now = datetime.now(UTC) + timedelta(days=400)
    claim_request = ClaimRequest(owner="test", now=now, until=now + timedelta(days=1), limit=50)
    return broker.database.write(lambda db: deliveries.claim(db, claim_request))


def _collect_parameters(claimed: list[Delivery]) -> dict[str, set[str]]:
    """List the parameters that have a value in deliveries, by the event."""
    values = [build_parameters(delivery.facts, delivery.context, PARAMETER_URLS) for delivery in claimed]
    return {event["eventName"]: {name for name, value in event.items() if value} for event in values}


def _report_notices(broker: Broker, failed: Delivery) -> None:
    """Cause each event that no publication causes."""
    now = datetime.now(UTC)
    worker = NoticeWorker(broker.database, broker.settings)
    worker.report_overdue(now + timedelta(days=2))
    worker.report_unused(now + timedelta(days=200))
    blocked = BlockedDeployment(
        versions=[("Till", "1")], environment="production", causes=["No result."], decision_url=f"{URL}decisions/1"
    )
    base_url = failed.context["base_url"]
    broker.database.write(lambda db: enqueue_for_blocked_deployment(db, blocked, base_url=base_url, now=now))
    broker.database.write(lambda db: enqueue_for_failing_webhook(db, failed, max_failures=10, now=now))


def test_each_event_fires_and_fills_in_its_parameters(make_broker: Callable[..., Broker]) -> None:
    broker = make_broker(starts=False)
    api = broker.api
    api.put("/pacticipants/Till/labels/red", {})
    api.put("/pacticipants/Ledger/labels/blue", {})
    api.put("/pacticipants/Ledger", {"mainBranch": "main"})
    api.put("/pacticipants/Ledger/branches/main/versions/m", {})
    api.put("/pacticipants/Ledger/versions/m/tags/live", {})
    for name in EVENT_NAMES:
        broker.hook(f"{URL}{name}", name)
    broker.publish("1", branch="feat", tags=["dev"], buildUrl="https://ci.test/1")
    claimed = _claim(broker)
    parameters = _collect_parameters(claimed)
    _report_notices(broker, claimed[0])
    parameters |= _collect_parameters(_claim(broker))
    path = api.get("/pacts/provider/Ledger/consumer/Till/version/1").link("pb:publish-verification-results")
    for success in (True, False):
        result = {"success": success, "providerApplicationVersion": "m", "buildUrl": "https://ci.test/m"}
        assert api.post(path, result).status == 201
    parameters |= _collect_parameters(_claim(broker))
    assert parameters == {event_type.name: set(event_type.parameters) for event_type in EVENT_TYPES}


def test_events_promise_known_parameters_only_and_every_parameter_is_promised_by_one() -> None:
    promised = {name for event_type in EVENT_TYPES for name in event_type.parameters}
    assert promised == set(PARAMETERS)


def test_the_openapi_document_lists_every_event() -> None:
    event = document()["components"]["schemas"]["EventBody"]
    assert event["properties"]["name"]["enum"] == list(EVENT_NAMES)


def test_each_event_has_a_place_of_its_own_in_the_form_and_among_the_options() -> None:
    form_positions = [position for type_ in EVENT_TYPES if (position := type_.form_position) is not None]
    assert sorted(form_positions) == list(range(1, len(form_positions) + 1))
    option_positions = [event_type.option_position for event_type in EVENT_TYPES]
    assert sorted(option_positions) == list(range(1, len(EVENT_TYPES) + 1))


def test_a_form_offers_an_event_that_it_would_otherwise_drop() -> None:
    first, *others = EVENT_TYPES
    event_types = [replace(first, form_position=None), *others]
    without = [event_type.name for event_type in list_form_event_types([], event_types)]
    selected = [event_type.name for event_type in list_form_event_types([first.name], event_types)]
    assert first.name not in without
    assert selected == [*without, first.name]
