"""Webhooks for several consumers or providers: events that trigger them, and effects of renames and removals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.api.deliveries import Broker, claim_all

if TYPE_CHECKING:
    from collections.abc import Callable

URL = "http://127.0.0.1:1/"
NAMES = ("Till", "Kiosk", "Web", "Ledger", "Prices")


@pytest.fixture
def broker(make_broker: Callable[..., Broker]) -> Broker:
    broker = make_broker(starts=False)
    for name in NAMES:
        broker.api.post("/pacticipants", {"name": name})
    broker.api.put("/pacticipants/Web/labels/shop", {})
    broker.api.put("/pacticipants/Prices/labels/core", {})
    return broker


def hook(broker: Broker, **scope: Any) -> str:
    body = {"request": {"method": "POST", "url": URL}, "events": [{"name": "contract_published"}], **scope}
    answer = broker.api.post("/webhooks", body)
    assert answer.status == 201, answer.text
    return answer.link("self")


def publish_all(broker: Broker) -> set[str]:
    """Publish a pact of each pair, and return those for which a webhook was triggered."""
    for consumer in ("Till", "Kiosk", "Web"):
        for provider in ("Ledger", "Prices"):
            if broker.api.get(f"/pacticipants/{consumer}").status == 200:
                broker.api.publish(consumer, "1", provider)
    return {f"{values['consumerName']}-{values['providerName']}" for values in claim_all(broker)}


@pytest.mark.parametrize(
    ("scope", "pairs"),
    [
        (
            {"consumers": [{"name": "Till"}, {"name": "Kiosk"}], "provider": {"name": "Ledger"}},
            "Till-Ledger Kiosk-Ledger",
        ),
        ({"consumers": [{"name": "Till"}, {"label": "shop"}], "provider": {"label": "core"}}, "Till-Prices Web-Prices"),
        ({"consumers": [{"label": "shop"}, {"label": "none"}]}, "Web-Ledger Web-Prices"),
        ({"providers": [{"name": "Prices"}]}, "Till-Prices Kiosk-Prices Web-Prices"),
        ({"consumers": [{"name": "Web"}], "providers": [{"label": "core"}, {"name": "Till"}]}, "Web-Prices"),
        ({"consumers": [{"label": "none"}]}, ""),
    ],
)
def test_a_webhook_is_sent_for_the_pacts_of_its_members(broker: Broker, scope: dict[str, Any], pairs: str) -> None:
    path = hook(broker, **scope)
    body = broker.api.get(path).json()
    assert {role: body[role] for role in scope} == scope
    assert publish_all(broker) == set(pairs.split())


def test_a_webhook_for_a_single_consumer_has_no_list(broker: Broker) -> None:
    body = broker.api.get(hook(broker, consumer={"name": "Till"}, provider={"label": "core"})).json()
    assert body.keys().isdisjoint({"consumers", "providers", "digest"})


def test_replacing_a_webhook_replaces_its_members(broker: Broker) -> None:
    path = hook(broker, consumers=[{"name": "Till"}, {"name": "Kiosk"}])
    body = broker.api.get(path).json()
    assert broker.api.put(path, {**body, "consumers": [{"name": "Web"}]}).json()["consumers"] == [{"name": "Web"}]
    assert broker.api.put(path, {**body, "consumers": None, "consumer": {"name": "Kiosk"}}).status == 200
    assert publish_all(broker) == {"Kiosk-Ledger", "Kiosk-Prices"}


@pytest.mark.parametrize(
    ("scope", "place", "problem"),
    [
        ({"consumers": []}, "consumers", "size cannot be less than 1"),
        ({"consumers": {"name": "Till"}}, "consumers", "must be an array"),
        ({"consumers": ["Till"]}, "consumers[0]", "must be a hash"),
        ({"consumers": [{"name": "Till"}, {}]}, "consumers[1].name", "cannot be blank"),
        ({"providers": [{"name": "Nobody"}]}, "providers[0].name", "does not match an existing pacticipant"),
        ({"providers": [{"name": "Till", "label": "x"}]}, "providers[0].label", "name and label cannot be provided"),
        ({"providers": [{"label": 1}]}, "providers[0].label", "must be a string"),
        (
            {"consumer": {"name": "Till"}, "consumers": [{"name": "Web"}]},
            "consumers",
            "consumer and consumers cannot be provided at the same time",
        ),
        ({"consumers": [{"label": str(number)} for number in range(501)]}, "consumers", "use a label instead"),
    ],
)
def test_invalid_members_are_refused(broker: Broker, scope: dict[str, Any], place: str, problem: str) -> None:
    answer = broker.api.post("/webhooks", {"request": {"method": "POST", "url": URL}, **scope})
    assert answer.status == 400
    assert problem in answer.text
    assert place.split("[", maxsplit=1)[0] in answer.text


def test_the_path_of_a_pair_and_a_list_are_not_combined(broker: Broker) -> None:
    body = {"request": {"method": "POST", "url": URL}, "consumers": [{"name": "Web"}]}
    answer = broker.api.post("/webhooks/provider/Ledger/consumer/Till", body)
    assert answer.status == 400
    assert "at the same time" in answer.text


def test_lists_of_webhooks_contain_those_with_a_member(broker: Broker) -> None:
    hook(broker, consumers=[{"name": "Till"}, {"name": "Web"}], provider={"name": "Ledger"})

    def count(query: str) -> int:
        return len(broker.api.get(f"/webhooks?{query}").json()["_embedded"]["webhooks"])

    assert [count("consumer=Web"), count("consumer=Kiosk"), count("provider=Ledger")] == [1, 0, 1]
    assert count("consumer=Till&provider=Ledger") == 1
    # These resources are those of webhooks for exactly this consumer or provider.
    assert broker.api.get("/webhooks/provider/Ledger").json()["_embedded"]["webhooks"] == []


def test_a_member_may_be_renamed(broker: Broker) -> None:
    path = hook(broker, consumers=[{"name": "Till"}, {"name": "Web"}])
    assert broker.api.post("/pacticipants/Till/rename", {"name": "Checkout"}).status in {200, 201}
    assert broker.api.get(path).json()["consumers"] == [{"name": "Checkout"}, {"name": "Web"}]


def test_a_webhook_loses_a_removed_member_and_is_removed_with_its_last_one(broker: Broker) -> None:
    path = hook(broker, consumers=[{"name": "Till"}, {"name": "Kiosk"}])
    labeled = hook(broker, consumers=[{"name": "Till"}, {"label": "none"}])
    assert broker.api.delete("/pacticipants/Till").status == 204
    assert broker.api.get(path).json()["consumers"] == [{"name": "Kiosk"}]
    assert publish_all(broker) == {"Kiosk-Ledger", "Kiosk-Prices"}
    assert broker.api.delete("/pacticipants/Kiosk").status == 204
    assert broker.api.get(path).status == 404
    assert broker.api.get(labeled).json()["consumers"] == [{"label": "none"}]
    removals = [event for event in broker.api.get("/audit").json()["events"] if event["type"] == "webhook_removal"]
    assert [event["resource"] for event in removals] == [path.rpartition("/")[2]]
    assert publish_all(broker) == set()


def test_a_member_keeps_its_application_when_an_integration_is_removed(broker: Broker) -> None:
    path = hook(broker, consumers=[{"name": "Till"}, {"name": "Kiosk"}])
    broker.api.publish("Till", "1", "Ledger")
    claim_all(broker)
    assert broker.api.delete("/integrations/provider/Ledger/consumer/Till").status == 204
    assert broker.api.get(path).json()["consumers"] == [{"name": "Till"}, {"name": "Kiosk"}]


@pytest.mark.parametrize("members", [[{"name": "Till"}], [{"name": "Web"}, {"name": "Till"}]])
def test_a_webhook_can_be_tested_with_the_pact_of_a_member(broker: Broker, members: list[dict[str, str]]) -> None:
    broker.api.publish("Till", "1", "Ledger")
    body = {"request": {"method": "POST", "url": URL, "body": "${pactbroker.consumerName}"}, "consumers": members[-1:]}
    assert broker.api.post("/webhooks/execute", body).json()["request"]["body"] == "Till"
