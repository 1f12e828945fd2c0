"""Events that no publication causes: overdue verifications, blocked deployments, failing webhooks, unused contracts."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.api.deliveries import LATER, Broker, claim_all, verify
from tests.receiver import Receiver, Reply, receiving
from tests.waiting import eventually
from treaty.actions.webhooks.notices import BlockedDeployment, enqueue_for_blocked_deployment
from treaty.model.webhooks.events import EVENT_NAMES, NOTICES
from treaty.workers.notices import NoticeWorker

if TYPE_CHECKING:
    from collections.abc import Callable


URL = "http://127.0.0.1:1/"
MUCH_LATER = timedelta(days=200)


@pytest.fixture
def broker(make_broker: Callable[..., Broker]) -> Broker:
    return make_broker(starts=False)


def search(broker: Broker, after: timedelta, **settings: Any) -> None:
    """Let a new worker search, as if time had passed."""
    worker = NoticeWorker(
        broker.database, replace(broker.settings, **settings), clock=lambda: datetime.now(UTC) + after
    )
    worker.step()


# Overdue verifications


def test_a_missing_result_is_reported_once(broker: Broker) -> None:
    broker.hook(URL, "verification_overdue")
    broker.publish("1", branch="main")
    search(broker, timedelta(hours=23))
    assert claim_all(broker) == []
    search(broker, LATER)
    search(broker, 2 * LATER)
    (values,) = claim_all(broker)
    assert values["eventName"] == "verification_overdue"
    assert values["reason"].startswith("No version of the provider has published a result since the pact was published")
    assert values["summary"].startswith("Ledger has not verified its pact with Till 1. No version")
    assert values["pageUrl"] == values["pactUrl"] != ""
    (logged,) = log_of(broker, "verification_overdue")
    assert (logged["consumer"], logged["details"]["reason"]) == ("Till", values["reason"])


def _verified(broker: Broker) -> None:
    verify(broker, "1", "p")


def _failed(broker: Broker) -> None:
    verify(broker, "1", "p", success=False)


def _republished(broker: Broker) -> None:
    broker.publish("1b", branch="main")


def _replaced(broker: Broker) -> None:
    broker.publish("2", {"other": 1}, branch="main")
    verify(broker, "2", "p")


def _continued_elsewhere(broker: Broker) -> None:
    broker.publish("2", {"other": 1}, branch="feat")
    verify(broker, "2", "p")


def _removed(broker: Broker) -> None:
    assert broker.api.delete("/pacts/provider/Ledger/consumer/Till/version/1").status == 200


@pytest.mark.parametrize(
    ("change", "reported"),
    [
        (_verified, []),
        (_failed, []),
        (_republished, ["1"]),
        (_replaced, []),
        (_continued_elsewhere, ["1"]),
        (_removed, []),
    ],
)
def test_only_pacts_that_still_lack_a_result_are_overdue(
    broker: Broker, change: Callable[[Broker], None], reported: list[str]
) -> None:
    broker.hook(URL, "verification_overdue")
    broker.publish("1", branch="main")
    change(broker)
    search(broker, LATER)
    assert [values["consumerVersionNumber"] for values in claim_all(broker)] == reported


def test_a_deployed_version_without_a_result_is_reported_although_another_one_has_verified(broker: Broker) -> None:
    broker.hook(URL, "verification_overdue")
    api = broker.api
    api.put("/pacticipants/Ledger", {"mainBranch": "main"})
    api.put("/pacticipants/Ledger/branches/main/versions/new", {})
    api.put("/pacticipants/Ledger/versions/old", {})
    environment = api.post("/environments", {"name": "production", "production": True}).json()["uuid"]
    path = f"/pacticipants/Ledger/versions/old/deployed-versions/environment/{environment}"
    assert api.post(path, {}).status == 201
    broker.publish("1")
    verify(broker, "1", "new")
    # A version that was built later is verified by its own build.
    api.put("/pacticipants/Ledger/branches/main/versions/newer", {})
    search(broker, LATER)
    search(broker, LATER)
    (values,) = claim_all(broker)
    assert values["providerVersionNumber"] == "old"
    assert values["providerVersionDescriptions"] == "deployed in production"
    assert values["reason"].startswith("This version has published no result since the pact was published at ")
    assert values["summary"].startswith("Ledger old has not verified its pact with Till 1.")


@pytest.mark.parametrize(
    ("setting", "after"), [("verification_overdue_after", LATER), ("contract_unused_after", MUCH_LATER)]
)
def test_zero_disables_an_event(broker: Broker, setting: str, after: timedelta) -> None:
    broker.hook(URL, "verification_overdue" if setting.startswith("verification") else "contract_unused")
    broker.publish("1")
    search(broker, after, **{setting: timedelta(0)})
    assert claim_all(broker) == []
    search(broker, after)
    assert len(claim_all(broker)) == 1


@pytest.mark.each_on_postgresql
@pytest.mark.parametrize(("event", "after"), [("verification_overdue", LATER), ("contract_unused", MUCH_LATER)])
def test_workers_that_search_at_the_same_time_report_an_event_once(
    broker: Broker, event: str, after: timedelta
) -> None:
    broker.hook(URL, event)
    for number in range(8):
        broker.api.publish(f"Till {number}" if number else "Till", "1", "Ledger")
    broker.hook(f"{URL}all", event, consumer=None)
    with ThreadPoolExecutor(4) as pool:
        for future in [pool.submit(search, broker, after) for _ in range(4)]:
            future.result()
    consumers = sorted(values["consumerName"] for values in claim_all(broker))
    assert consumers == sorted(["Till", "Till", *(f"Till {number}" for number in range(1, 8))])


# Unused contracts


def test_a_contract_is_unused_once_nothing_with_it_is_published_deployed_or_on_the_main_branch(broker: Broker) -> None:
    broker.hook(URL, "contract_unused")
    api = broker.api
    broker.publish("1", branch="main")
    environment = api.post("/environments", {"name": "test", "production": False}).json()["uuid"]
    deployed = api.post(f"/pacticipants/Till/versions/1/deployed-versions/environment/{environment}", {})
    search(broker, MUCH_LATER)
    assert claim_all(broker) == []  # deployed
    assert api.patch(deployed.link("self"), {"currentlyDeployed": False}).status == 200
    api.put("/pacticipants/Till", {"mainBranch": "main"})
    search(broker, MUCH_LATER)
    assert claim_all(broker) == []  # head of the main branch
    api.put("/pacticipants/Till/branches/main/versions/2", {})  # which has no pact any more
    search(broker, timedelta(days=89))
    assert claim_all(broker) == []  # too young
    search(broker, MUCH_LATER)
    search(broker, 2 * MUCH_LATER)
    (values,) = claim_all(broker)
    assert (values["consumerVersionNumber"], values["providerName"]) == ("1", "Ledger")
    assert values["summary"].startswith("The pact of Till with Ledger is unused. Its last pact was published at ")


def test_a_contract_that_is_in_use_again_can_become_unused_again(broker: Broker) -> None:
    broker.hook(URL, "contract_unused")
    broker.publish("1")
    search(broker, MUCH_LATER)
    broker.publish("2")
    search(broker, timedelta(days=1))
    search(broker, MUCH_LATER)
    assert [values["consumerVersionNumber"] for values in claim_all(broker)] == ["1", "2"]


# Failing webhooks


def test_a_failing_webhook_is_reported_once_to_others_without_secrets(make_broker, receiver: Receiver) -> None:
    broker = make_broker(webhook_failures_until_failing=2, webhook_retry_schedule=())
    with receiving() as broken:
        broken.replies = [Reply(500)] * 10
        request = {"headers": {"Authorization": "Bearer hidden"}, "username": "u", "password": "concealed"}
        failing = broker.hook(f"{broken.url}/secret-path", request=request, description="Build")
        broker.hook(receiver.url, "webhook_failing", request={"body": "${pactbroker.summary} ${pactbroker.pageUrl}"})
        for number in range(4):
            broker.publish(str(number), {"number": number})
        arrivals = receiver.wait(1)
        eventually(lambda: len(broken.settle()) == 4, broken.settle)
    text = arrivals[0].body.decode()
    assert text.startswith("The webhook “Build” is failing. 2 attempts in a row had failed at ")
    assert text.endswith(failing)
    assert not any(secret in text for secret in ("hidden", "concealed", "secret-path"))
    assert len(receiver.settle()) == 1
    (logged,) = log_of(broker, "webhook_failing")
    assert logged["details"]["webhook"] in failing
    assert "secret-path" not in str(logged)


def test_webhooks_that_report_the_failures_of_each_other_end(make_broker, receiver: Receiver) -> None:
    broker = make_broker(webhook_failures_until_failing=1, webhook_retry_schedule=())
    receiver.replies = [Reply(500)] * 50
    for number in range(3):
        broker.hook(f"{receiver.url}/{number}", "webhook_failing", "contract_published")
    broker.publish("1")
    # Each of three fails once with the pact, which triggers a webhook for each of the others.
    eventually(lambda: len(broker.triggered("1")) == 9, lambda: broker.triggered("1"))
    assert len(receiver.settle()) == 9
    assert len(broker.triggered("1")) == 9


# Blocked deployments


def _enqueue_blocked(broker: Broker) -> None:
    blocked = BlockedDeployment(
        versions=[("Till", "7")],
        environment="production",
        causes=["Ledger 1 has no result.", "Ask its owners."],
        decision_url="https://broker.test/decisions/1",
    )
    now = datetime.now(UTC)
    broker.database.write(
        lambda db: enqueue_for_blocked_deployment(db, blocked, base_url="https://broker.test", now=now)
    )


def test_a_blocked_deployment_describes_the_application_and_no_pact(broker: Broker) -> None:
    broker.hook(URL, "deployment_blocked", consumer=None, provider=None)
    broker.publish("7")
    _enqueue_blocked(broker)
    (values,) = claim_all(broker)
    assert values["summary"] == ("Till 7 must not be deployed to production. Ledger 1 has no result. Ask its owners.")
    assert values["pageUrl"] == values["decisionUrl"] == "https://broker.test/decisions/1"
    assert (values["applicationName"], values["environmentName"]) == ("Till", "production")
    assert (values["consumerName"], values["providerName"], values["pactUrl"]) == ("", "", "")


@pytest.mark.parametrize(
    ("scope", "count"),
    [
        ({}, 1),
        ({"consumer": {"name": "Till"}}, 1),
        ({"provider": {"name": "Till"}}, 1),
        ({"consumer": {"name": "Till"}, "provider": {"name": "Ledger"}}, 1),
        ({"consumer": {"name": "Ledger"}}, 0),
        ({"consumer": {"label": "team"}}, 1),
        ({"consumer": {"label": "other"}}, 0),
        ({"consumers": [{"name": "Ledger"}, {"label": "team"}]}, 1),
        ({"providers": [{"name": "Ledger"}, {"label": "other"}]}, 0),
        ({"environments": ["production"]}, 1),
        ({"environments": ["test"]}, 0),
    ],
)
def test_a_blocked_deployment_is_sent_to_webhooks_that_name_the_application(
    broker: Broker, scope: dict[str, Any], count: int
) -> None:
    broker.api.put("/pacticipants/Till/labels/team", {})
    body = {"request": {"method": "POST", "url": URL}, "events": [{"name": "deployment_blocked"}], **scope}
    assert broker.api.post("/webhooks", body).status == 201
    _enqueue_blocked(broker)
    assert len(claim_all(broker)) == count


@pytest.mark.parametrize(
    ("environment", "is_recorded", "count"),
    [("production", True, 1), ("production", False, 0), ("staging", True, 0)],
)
def test_a_recorded_no_to_production_is_reported(
    broker: Broker, environment: str, *, is_recorded: bool, count: int
) -> None:
    for name in ("production", "staging"):
        broker.api.post("/environments", {"name": name, "production": name == "production"})
    broker.hook(URL, "deployment_blocked", consumer=None, provider=None)
    broker.publish("7")
    body = {"environment": environment, "versions": [{"pacticipant": "Till", "version": "7"}], "record": is_recorded}
    answer = broker.api.post("/decisions", body).json()
    assert answer["deployable"] is not True
    blocked = claim_all(broker)
    assert len(blocked) == count
    for values in blocked:
        assert values["decisionUrl"] == answer["_links"]["self"]["href"]
        assert values["reason"] in {reason["text"] for reason in answer["reasons"]}
    assert [event["details"]["reason"] for event in log_of(broker, "deployment_blocked")] == [
        values["reason"] for values in blocked
    ]


def test_a_recorded_yes_to_production_triggers_no_event(broker: Broker) -> None:
    broker.api.post("/environments", {"name": "production", "production": True})
    broker.publish("7")
    body = {"environment": "production", "versions": [{"pacticipant": "Till", "version": "7"}], "record": True}
    answer = broker.api.post("/decisions", {**body, "ignore": [{"pacticipant": "Ledger"}]}).json()
    assert (answer["deployable"], answer["recorded"]) == (True, True)
    assert not log_of(broker, "deployment_blocked")


def log_of(broker: Broker, name: str) -> list[dict[str, Any]]:
    """List the events of a kind in the log."""
    events: list[dict[str, Any]] = broker.api.get(f"/events?name[]={name}").json()["_embedded"]["events"]
    return events


# Tests of webhooks


@pytest.mark.parametrize("event", NOTICES)
def test_a_test_of_a_webhook_has_examples_for_its_event(make_broker, receiver: Receiver, event: str) -> None:
    broker = make_broker(starts=False)
    names = {"verification_overdue": "since", "deployment_blocked": "environmentName", "contract_unused": "since"}
    body = f"${{pactbroker.reason}}|${{pactbroker.{names.get(event, 'failingWebhookUrl')}}}"
    path = broker.hook(receiver.url, event, request={"body": body})
    assert broker.api.post(f"{path}/execute").json()["success"] is True
    reason, _, value = receiver.wait(1)[0].body.decode().partition("|")
    assert "example" in reason
    assert value


@pytest.mark.parametrize(("name", "count"), [("nothing", 6), ("", 6), ("verification_overdu", 10)])
def test_a_misspelt_event_is_answered_with_all_events_and_another_one_as_by_the_original(
    broker: Broker, name: str, count: int
) -> None:
    body = {"request": {"method": "POST", "url": URL}, "events": [{"name": name}]}
    answer = broker.api.post("/webhooks", body)
    assert answer.status == 400
    assert sum(event in answer.text for event in EVENT_NAMES) == count
