"""Digests: events that a webhook collects, and sends together."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.api.deliveries import Broker, claim_all, verify
from tests.receiver import Receiver, Reply
from tests.waiting import eventually
from treaty.model.webhooks.summaries import MAX_LENGTH, DigestEvent, build_digest, describe_digest
from treaty.workers.notices import NoticeWorker

if TYPE_CHECKING:
    from collections.abc import Callable

URL = "http://127.0.0.1:1/"
DAY = timedelta(days=1)
SUMMARY = {"body": "${pactbroker.digestCount}\n${pactbroker.summary}"}


@pytest.fixture
def broker(make_broker: Callable[..., Broker]) -> Broker:
    return make_broker(starts=False)


def send_digests(broker: Broker, after: timedelta) -> None:
    NoticeWorker(broker.database, broker.settings).send_digests(datetime.now(UTC) + after)


def send_now(broker: Broker, path: str) -> None:
    """Send a digest now, by removing the interval for a moment."""
    body = broker.api.get(path).json()
    assert broker.api.put(path, {**body, "digest": None}).status == 200
    send_digests(broker, timedelta(0))
    assert broker.api.put(path, body).status == 200


def test_events_are_collected_and_sent_together(broker: Broker) -> None:
    broker.hook(URL, "contract_published", "provider_verification_failed", digest={"every": "1d"})
    broker.publish("1")
    broker.publish("2")
    verify(broker, "2", "p", success=False)
    send_digests(broker, timedelta(hours=23))
    assert claim_all(broker) == []
    send_digests(broker, DAY)
    send_digests(broker, 2 * DAY)
    (values,) = claim_all(broker)
    first, _, *lines = values["summary"].split("\n")
    assert first.startswith("3 events since ")
    assert first.endswith(" UTC. A pact is published: 2, A verification failed: 1.")
    assert lines == [
        "- Till 1 has published a pact with Ledger.",
        "- Till 2 has published a pact with Ledger.",
        "- Ledger p has failed the verification of its pact with Till 2.",
    ]
    assert (values["eventName"], values["digestCount"], values["consumerVersionNumber"]) == ("digest", "3", "2")
    broker.publish("3")
    send_digests(broker, DAY / 2)
    assert claim_all(broker) == []


def test_a_publication_lists_no_delivery_for_an_event_in_a_digest(broker: Broker) -> None:
    broker.hook(URL, digest={"every": "1h"})
    broker.hook(f"{URL}other")
    notices = [notice["text"] for notice in broker.publish("1").json()["notices"]]
    assert sum("triggered for event contract_published" in text for text in notices) == 1
    assert len(broker.triggered("1")) == 1


def test_a_webhook_whose_digest_is_removed_sends_its_collected_events(broker: Broker) -> None:
    path = broker.hook(URL, digest={"every": "1d"})
    broker.publish("1")
    body = broker.api.get(path).json()
    del body["digest"]
    assert broker.api.put(path, body).status == 200
    send_digests(broker, timedelta(0))
    assert [values["eventName"] for values in claim_all(broker)] == ["digest"]
    broker.publish("2")
    assert [values["eventName"] for values in claim_all(broker)] == ["contract_published"]


def test_events_survive_the_removal_of_another_application_and_of_their_pacts(broker: Broker) -> None:
    broker.hook(URL, digest={"every": "1d"}, consumer=None)
    broker.publish("1")
    broker.api.publish("Kiosk", "5", "Ledger")
    send_digests(broker, DAY)  # a delivery about Kiosk, whose event is the newest
    assert broker.api.delete("/pacticipants/Kiosk").status == 204
    assert broker.api.delete("/pacts/provider/Ledger/consumer/Till/version/1").status == 200
    send_digests(broker, DAY)
    (values,) = claim_all(broker)
    assert values["summary"].endswith("\n\n- Till 1 has published a pact with Ledger.")
    assert values["pactUrl"] == ""


def test_a_delivered_digest_is_not_sent_again(make_broker, receiver: Receiver) -> None:
    broker = make_broker(webhook_retry_schedule=(0,))
    receiver.replies = [Reply(500), Reply(200)]
    path = broker.hook(receiver.url, digest={"every": "1m"}, request=SUMMARY)
    broker.publish("1")
    send_now(broker, path)
    eventually(
        lambda: [webhook["status"] for webhook in broker.triggered("1")] == ["success"], lambda: broker.triggered("1")
    )
    # Clean-up removes deliveries that have ended; their events must not return.
    assert broker.api.delete("/pacticipants/Till/versions/1").status == 204
    broker.publish("2")
    send_now(broker, path)
    bodies = [arrival.body.decode() for arrival in receiver.wait(3)]
    assert [body.partition("\n")[0] for body in bodies] == ["1", "1", "1"]
    assert "Till 2 has" in bodies[2]
    assert "Till 1 has" not in bodies[2]


def test_workers_that_send_digests_at_the_same_time_send_each_event_once(broker: Broker) -> None:
    broker.hook(URL, digest={"every": "1m"})
    for round_number in range(3):
        for number in range(4):
            broker.publish(f"{round_number}.{number}")
        with ThreadPoolExecutor(4) as pool:
            for future in [pool.submit(send_digests, broker, DAY) for _ in range(4)]:
                future.result()
    assert [values["digestCount"] for values in claim_all(broker)] == ["4", "4", "4"]


@pytest.mark.parametrize("count", [1, 30, 5000])
def test_a_digest_is_bounded_and_counts_all_events(count: int) -> None:
    events = [
        DigestEvent(
            event="contract_published",
            consumer="c" * 100,
            consumer_version=str(number),
            provider="p" * 300,
            context={},
            created_at=datetime(2024, 1, 2, 3, 4, tzinfo=UTC),
        )
        for number in range(count)
    ]
    text = describe_digest(build_digest(events))
    assert len(text) <= MAX_LENGTH
    assert text.startswith(f"{count} event")
    listed = text.count("\n- c")
    assert (f"\n- and {count - listed} more" in text) == (count > listed)
    assert listed > 0


@pytest.mark.parametrize(
    ("digest", "problem"),
    [
        ("1d", "must be a hash"),
        ({}, "is missing"),
        *(
            ({"every": every}, "must be an interval from 1m to 31d, such as 1d, 12h or 30m")
            for every in ("", "1", "d", "0d", "59s", "32d", "1y", "-1d", "1.5d", 1, None, "1d1h", "9999999w")
        ),
    ],
)
def test_an_invalid_digest_is_refused(broker: Broker, digest: Any, problem: str) -> None:
    body = {"request": {"method": "POST", "url": URL}, "digest": digest}
    answer = broker.api.post("/webhooks", body)
    assert answer.status == 400
    assert problem in answer.text


@pytest.mark.parametrize(
    ("every", "shown"), [("60s", "1m"), ("1m", "1m"), ("90m", "90m"), ("24h", "1d"), ("7d", "1w"), ("31d", "31d")]
)
def test_a_digest_is_shown_in_the_largest_unit(broker: Broker, every: str, shown: str) -> None:
    assert broker.api.get(broker.hook(URL, digest={"every": every})).json()["digest"] == {"every": shown}
