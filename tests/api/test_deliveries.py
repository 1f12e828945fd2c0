"""Deliveries of webhooks: their requests, times, retries and logs."""

import hashlib
import hmac
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.api.client import BASE
from tests.api.deliveries import OPEN, PAIR, Broker, find_logs
from tests.receiver import Receiver, Reply, receiving
from tests.waiting import PATIENCE
from treaty.actions.webhooks import deliveries
from treaty.store.engine.database import open_database
from treaty.store.webhooks import delivery_facts, webhooks
from treaty.store.webhooks.due_deliveries import ClaimRequest
from treaty.web.parameter_urls import PARAMETER_URLS
from treaty.workers.deliveries import DeliveryWorker

STARS = "*" * 10


about_requests = pytest.mark.long_on_postgresql
"""Marks tests of requests and logs, which are the same on both databases."""


@pytest.fixture
def broker(make_broker: Callable[..., Broker]) -> Broker:
    return make_broker()


def test_a_delivery_arrives_with_its_parameters_filled_in(broker: Broker, receiver: Receiver) -> None:
    broker.hook(
        receiver.url + "/hook?v=${pactbroker.consumerVersionNumber}", request={"body": {"e": "${pactbroker.eventName}"}}
    )
    broker.publish("1 + 1")
    arrival = receiver.wait(1)[0]
    assert (arrival.method, arrival.path) == ("POST", "/hook?v=1+%2B+1")
    assert arrival.json() == {"e": "contract_published"}
    assert broker.until("1%20%2B%201", "success")["attemptsMade"] == 1


def test_deliveries_arrive_within_half_a_second(broker: Broker, receiver: Receiver) -> None:
    broker.hook(receiver.url)
    for number in range(20):
        broker.publish(str(number), number)
        published = time.monotonic()
        if receiver.wait(number + 1)[number].at - published < 0.5:
            return
    raise AssertionError("even when the machine had time, none of them did")


def test_a_receiver_that_fails_is_tried_again_until_it_succeeds(make_broker, receiver: Receiver) -> None:
    broker = make_broker(webhook_retry_schedule=(0, 0, 0))
    receiver.replies = [Reply(500), Reply(503), Reply(201)]
    broker.hook(receiver.url)
    broker.publish("1")
    done = broker.until("1", "success")
    assert (done["attemptsMade"], done["attemptsRemaining"]) == (3, 0)
    assert "Retrying webhook in 0 seconds" in broker.logs("1")
    assert broker.logs("1").rstrip().endswith("Successfully executed webhook")


def test_a_delivery_is_given_up_after_the_schedule(make_broker, receiver: Receiver) -> None:
    broker = make_broker(webhook_retry_schedule=(0,))
    receiver.replies = [Reply(500)]
    broker.hook(receiver.url)
    broker.publish("1")
    assert broker.until("1", "failure")["attemptsMade"] == 2
    assert broker.logs("1").rstrip().endswith("Webhook execution failed after 2 attempts")
    assert len(receiver.settle()) == 2


def test_a_retrying_delivery_has_its_remaining_attempts(make_broker, receiver: Receiver) -> None:
    broker = make_broker(webhook_retry_schedule=(100, 200))
    receiver.replies = [Reply(500)]
    broker.hook(receiver.url)
    broker.publish("1")
    assert broker.until("1", "retrying")["attemptsRemaining"] == 2
    status = broker.api.get("/pacts/provider/Ledger/consumer/Till/webhooks/status").json()
    assert status["summary"] == {"successful": 0, "failed": 0, "retrying": 1}
    assert [link["name"] for link in status["_links"]["pb:error-logs"]] == ["POST 127.0.0.1"]


def test_events_of_a_pair_arrive_in_their_order_even_when_one_is_tried_again(make_broker, receiver: Receiver) -> None:
    broker = make_broker(webhook_retry_schedule=(0, 0, 0, 0))
    receiver.replies = [Reply(500), Reply(500), Reply()]
    broker.hook(receiver.url, request={"body": "${pactbroker.consumerVersionNumber}"})
    for number in range(1, 6):
        broker.publish(str(number), number)
    assert [arrival.body for arrival in receiver.wait(7)] == [b"1", b"1", b"1", b"2", b"3", b"4", b"5"]


FOR_EVER = {"webhook_read_timeout": 4 * PATIENCE, "webhook_total_timeout": 4 * PATIENCE}
"""Settings with which no delivery times out while the test waits for another one."""


def test_a_slow_receiver_does_not_hold_up_others(make_broker, receiver: Receiver) -> None:
    broker = make_broker(**FOR_EVER)
    with receiving() as slow, slow.holding(Reply()):
        broker.hook(slow.url)
        broker.hook(receiver.url)
        broker.publish("1")
        slow.wait(1)
        receiver.wait(1)


def test_a_slow_receiver_of_many_pairs_does_not_hold_up_others(make_broker, receiver: Receiver) -> None:
    broker = make_broker(**FOR_EVER)
    with receiving() as slow, slow.holding(Reply()):
        broker.hook(slow.url, provider=None)
        broker.hook(receiver.url)
        for number in range(20):
            broker.api.publish("Till", "1", f"Ledger {number}")
        slow.wait(1)
        broker.publish("2")
        receiver.wait(1)


def test_webhooks_that_keep_failing_do_not_hold_up_others(make_broker, receiver: Receiver) -> None:
    broker = make_broker(webhook_failures_until_failing=1, webhook_retry_schedule=(0, 0, 0, 0, 0, 0), **FOR_EVER)
    with receiving() as broken, broken.holding(Reply(500), after=[Reply(500)] * 60):
        for _ in range(20):
            broker.hook(broken.url, provider=None)
        for number in range(3):
            broker.api.publish("Till", "1", f"Ledger {number}")
        broken.wait(61)
        broker.hook(receiver.url)
        broker.publish("2")
        receiver.wait(1)


@about_requests
def test_a_redirect_is_a_failure_and_not_followed(make_broker, receiver: Receiver) -> None:
    broker = make_broker(webhook_retry_schedule=())
    receiver.replies = [Reply(302, headers={"location": receiver.url + "/elsewhere"})]
    broker.hook(receiver.url + "/hook")
    broker.publish("1")
    broker.until("1", "failure")
    assert [arrival.path for arrival in receiver.settle()] == ["/hook"]


@about_requests
def test_the_status_codes_of_success_are_a_setting(make_broker, receiver: Receiver) -> None:
    broker = make_broker(webhook_http_code_success=(418,), webhook_retry_schedule=())
    receiver.replies = [Reply(418)]
    broker.hook(receiver.url)
    broker.publish("1")
    assert broker.until("1", "success")["attemptsMade"] == 1


def test_deleting_a_webhook_cancels_its_queued_deliveries(make_broker, receiver: Receiver) -> None:
    broker = make_broker(starts=False)
    path = broker.hook(receiver.url)
    broker.publish("1")
    assert broker.api.delete(path).status == 204
    gone = broker.triggered("1")[0]
    assert (gone["status"], gone["attemptsMade"]) == ("failure", 0)
    assert "name" not in gone
    assert gone["_links"]["pb:logs"]["name"] is None
    assert "pb:webhook" not in gone["_links"]
    assert broker.api.get(find_logs(gone), accept="text/plain").text == (
        "Webhook has not executed yet. Please retry in a few seconds."
    )


def test_a_delivery_queued_before_its_webhook_was_disabled_is_sent(make_broker, receiver: Receiver) -> None:
    broker = make_broker(starts=False)
    path = broker.hook(receiver.url)
    broker.publish("1")
    request = {"method": "POST", "url": receiver.url}
    broker.api.put(path, {**PAIR, "enabled": False, "request": request, "events": [{"name": "contract_published"}]})
    broker.worker.start()
    receiver.wait(1)
    broker.until("1", "success")
    broker.worker.stop()


def test_a_delivery_queued_before_a_restart_is_sent_after_it(make_broker, receiver: Receiver) -> None:
    before = make_broker(starts=False)
    before.hook(receiver.url)
    before.publish("1")
    make_broker()
    receiver.wait(1)
    before.until("1", "success")


def test_several_workers_send_each_delivery_once_and_in_order(make_broker, receiver: Receiver) -> None:
    brokers = [make_broker() for _ in range(3)]
    for number in range(4):
        brokers[0].hook(f"{receiver.url}/{number}", request={"body": "${pactbroker.consumerVersionNumber}"})
    for number in range(8):
        brokers[number % 3].publish(str(number), number)
    receiver.wait(32)
    arrivals = receiver.settle()
    for path in ("/0", "/1", "/2", "/3"):
        assert [arrival.body.decode() for arrival in arrivals if arrival.path == path] == [
            str(number) for number in range(8)
        ]


def test_a_delivery_claimed_by_a_killed_worker_is_claimed_again_after_its_claim_expires(
    make_broker, receiver: Receiver
) -> None:
    broker = make_broker(starts=False)
    broker.hook(receiver.url)
    broker.publish("1")
    now = datetime.now(UTC)
    until = now + timedelta(minutes=10)
    claimed = broker.database.write(
        lambda db: deliveries.claim(db, ClaimRequest(owner="killed", now=now, until=until, limit=5))
    )
    broker.worker.start()
    assert receiver.settle() == []
    broker.worker.stop()
    later = DeliveryWorker(
        broker.database, broker.settings, PARAMETER_URLS, clock=lambda: datetime.now(UTC) + timedelta(hours=2)
    )
    later.start()
    receiver.wait(1)
    broker.until("1", "success")
    later.stop()
    assert broker.database.read(lambda db: delivery_facts.load_claimed(db, [claimed[0].uuid], owner="killed")) == {}


def test_a_delivery_from_a_server_whose_clock_was_ahead_is_sent_at_once_and_blocks_no_other(
    make_broker, receiver: Receiver
) -> None:
    broker = make_broker(starts=False)
    broker.hook(receiver.url)
    broker.publish("1")
    ahead = datetime.now(UTC) + timedelta(hours=2)
    claim = ClaimRequest(owner="ahead", now=ahead, until=ahead + timedelta(seconds=10), limit=5)
    broker.database.write(lambda db: deliveries.claim(db, claim))
    broker.publish("2")  # about the same pair, so it waits for the first one
    broker.worker.start()
    receiver.wait(2)
    broker.until("1", "success")
    broker.until("2", "success")
    broker.worker.stop()


@pytest.mark.parametrize(
    ("limit", "includes_failing", "claimed"),
    [
        (5, True, ["healthy", "failing", "ahead"]),
        (2, True, ["healthy", "failing"]),
        (5, False, ["healthy", "ahead"]),
        (1, False, ["healthy"]),
    ],
)
def test_failing_webhooks_and_times_that_no_delivery_can_have_come_last(
    make_broker, *, limit: int, includes_failing: bool, claimed: list[str]
) -> None:
    broker = make_broker(starts=False)
    now = datetime.now(UTC) + timedelta(minutes=1)

    def claim(**more: Any) -> list[str]:
        claim_request = ClaimRequest(owner="test", now=now, **more)
        uuids = broker.database.write(lambda db: [each.webhook for each in deliveries.claim(db, claim_request)])
        return [names[uuid] for uuid in uuids]

    names = {broker.hook("http://127.0.0.1/").rpartition("/")[2]: "ahead"}
    broker.publish("1")
    assert claim(until=now + timedelta(hours=2), limit=1) == ["ahead"]
    for name in ("failing", "healthy"):
        names[broker.hook("http://127.0.0.1/").rpartition("/")[2]] = name
    broker.publish("2")
    (failing,) = (uuid for uuid, name in names.items() if name == "failing")
    broker.database.write(lambda db: webhooks.record_outcome(db, failing, success=False, max_failures=1, now=now))
    latest = now + timedelta(hours=1)
    assert claim(until=latest, latest=latest, limit=limit, includes_failing=includes_failing) == claimed


def test_a_worker_that_lost_its_claim_records_nothing(make_broker, receiver: Receiver) -> None:
    broker = make_broker(starts=False)
    broker.hook(receiver.url)
    broker.publish("1")
    now = datetime.now(UTC)

    def claim(owner: str, at: datetime) -> Any:
        until = at + timedelta(seconds=1)
        return broker.database.write(
            lambda db: deliveries.claim(db, ClaimRequest(owner=owner, now=at, until=until, limit=5))
        )

    lost = claim("slow", now)[0]
    won = claim("quick", now + timedelta(seconds=2))[0]
    assert lost.uuid == won.uuid
    attempt = deliveries.attempt_delivery(lost, settings=broker.settings, parameter_urls=PARAMETER_URLS, send=_refuse)
    for owner in ("slow", "quick"):
        broker.database.write(
            lambda db, owner=owner: deliveries.record_attempt(
                db, lost, attempt, owner=owner, jitter=1, settings=broker.settings
            )
        )
    assert broker.triggered("1")[0]["attemptsMade"] == 1


def _refuse(*_: object) -> Any:
    from treaty.model.webhooks.deliveries import NoResponse  # noqa: PLC0415 - used here alone

    return NoResponse("Refused", "not now")


def test_a_delivery_is_sent_again_by_hand(broker: Broker, receiver: Receiver) -> None:
    broker.hook(receiver.url)
    broker.publish("1")
    uuid = find_logs(broker.until("1", "success")).split("/")[2]
    again = broker.api.post(f"/triggered-webhooks/{uuid}/redeliver")
    assert (again.status, again.json()["status"]) == (202, "retrying")
    receiver.wait(2)
    assert broker.until("1", "success")["attemptsMade"] == 2
    assert broker.logs("1").count("Successfully executed webhook") == 2


def test_unknown_deliveries_and_those_of_deleted_webhooks_cannot_be_sent_again(make_broker, receiver: Receiver) -> None:
    broker = make_broker(starts=False)
    path = broker.hook(receiver.url)
    broker.publish("1")
    uuid = find_logs(broker.triggered("1")[0]).split("/")[2]
    broker.api.delete(path)
    assert broker.api.post(f"/triggered-webhooks/{uuid}/redeliver").status == 409
    assert broker.api.post("/triggered-webhooks/00000000-0000-4000-8000-000000000000/redeliver").status == 404


def test_a_webhook_is_marked_as_failing_until_it_succeeds(make_broker, receiver: Receiver) -> None:
    broker = make_broker(webhook_retry_schedule=(), webhook_failures_until_failing=2)
    receiver.replies = [Reply(500), Reply(500), Reply()]
    path = broker.hook(receiver.url)
    broker.publish("1", 1)
    broker.until("1", "failure")
    assert "failing" not in broker.api.get(path).json()
    broker.publish("2", 2)
    broker.until("2", "failure")
    assert broker.api.get(path).json()["failing"] is True
    broker.publish("3", 3)
    broker.until("3", "success")
    assert "failing" not in broker.api.get(path).json()


def _failing_webhook_that_pauses(broker: Broker, receiver: Receiver) -> str:
    receiver.replies = [Reply(500), Reply(500), Reply()]
    path: str = broker.hook(receiver.url, pauseWhenFailing=True)
    for version in ("1", "2"):
        assert "paused" not in broker.api.get(path).json()
        broker.publish(version, int(version))
        broker.until(version, "failure")
    assert broker.api.get(path).json()["paused"] is True
    broker.publish("3", 3)
    assert broker.triggered("3") == []
    return path


def test_a_webhook_whose_owner_wants_it_pauses_until_a_delivery_succeeds(make_broker, receiver: Receiver) -> None:
    broker = make_broker(webhook_retry_schedule=(), webhook_failures_until_failing=2)
    path = _failing_webhook_that_pauses(broker, receiver)
    uuid = find_logs(broker.triggered("2")[0]).split("/")[2]
    assert broker.api.post(f"/triggered-webhooks/{uuid}/redeliver").status == 202
    broker.until("2", "success")
    assert "paused" not in broker.api.get(path).json()
    broker.publish("4", 4)
    broker.until("4", "success")


def test_saving_a_paused_webhook_resumes_it(make_broker, receiver: Receiver) -> None:
    broker = make_broker(webhook_retry_schedule=(), webhook_failures_until_failing=2)
    path = _failing_webhook_that_pauses(broker, receiver)
    hook = broker.api.get(path).json()
    saved = broker.api.put(path, {name: hook[name] for name in ("request", "events", "pauseWhenFailing")})
    assert saved.json()["pauseWhenFailing"] is True
    assert not {"paused", "failing"} & saved.json().keys()
    broker.publish("4", 4)
    broker.until("4", "success")


# Logs


@about_requests
def test_a_log_has_the_request_and_the_response_without_secrets(broker: Broker, receiver: Receiver) -> None:
    receiver.replies = [Reply(200, b"you said swordfish and hunter2", {"x-answer": "yes"})]
    request = {
        "headers": {"Authorization": "Bearer swordfish", "X-Plain": "${pactbroker.consumerName}"},
        "body": {"word": "swordfish"},
    }
    broker.hook(receiver.url + "/hook", request=request)
    broker.publish("1")
    broker.until("1", "success")
    assert receiver.arrivals[0].headers["authorization"] == "Bearer swordfish"
    logs = broker.logs("1")
    assert "swordfish" not in logs
    lines = [re.sub(r"^\[\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\] ", "", line) for line in logs.split("\n")]
    assert lines[0].startswith('DEBUG: Webhook context {"base_url":"http://localhost",')
    assert lines[1] == f"INFO: HTTP/1.1 POST {receiver.url}/hook"
    assert "INFO: authorization: **********" in lines
    assert "INFO: x-plain: Till" in lines
    assert 'INFO: {"word":"**********"}' in lines
    assert "INFO: HTTP/1.1 200 OK" in lines
    assert "INFO: x-answer: yes" in lines
    assert "INFO: you said ********** and hunter2" in lines
    assert lines[-1] == "INFO: Successfully executed webhook"


def test_secrets_are_encrypted_in_the_database(broker: Broker, receiver: Receiver) -> None:
    request = {"headers": {"Authorization": "Bearer swordfish"}, "username": "u", "password": "swordfish2"}
    path = broker.hook(receiver.url, request=request, secret="swordfish3")  # noqa: S106 - none
    kept = broker.database.read(lambda db: str([tuple(row) for row in db.exec_driver_sql("SELECT * FROM webhook")]))
    assert "swordfish" not in kept
    assert "swordfish" not in broker.api.get(path).text
    broker.publish("1")
    assert receiver.wait(1)[0].headers["authorization"] == "Basic dTpzd29yZGZpc2gy"


@about_requests
def test_secrets_encrypted_with_another_key_fail_the_delivery_with_a_reason(make_broker, receiver: Receiver) -> None:
    make_broker(starts=False).hook(receiver.url, request={"headers": {"Authorization": "swordfish"}})
    broker = make_broker(secret_key="another key, which does not fit", webhook_retry_schedule=())  # noqa: S106 - none
    broker.publish("1")
    broker.until("1", "failure")
    assert "stored under another key" in broker.logs("1")
    assert receiver.arrivals == []


@about_requests
def test_without_a_whitelist_response_details_are_not_logged(make_broker, receiver: Receiver) -> None:
    allowing = make_broker(starts=False)
    allowing.hook(receiver.url)
    broker = make_broker(webhook_host_whitelist=(), webhook_retry_schedule=())
    broker.publish("1")
    broker.until("1", "failure")
    logs = broker.api.get(find_logs(broker.triggered("1")[0]))
    assert "For security purposes, the response details are not logged." in logs.text
    assert "is not public" not in logs.text
    assert "responseStatus" not in logs.json()["executions"][0]
    assert receiver.arrivals == []


@about_requests
def test_logs_are_available_as_json(broker: Broker, receiver: Receiver) -> None:
    path = broker.hook(receiver.url)
    broker.publish("1")
    logs = broker.api.get(find_logs(broker.until("1", "success"))).json()
    assert [logs[name] for name in ("eventName", "consumerName", "providerName")] == [
        "contract_published",
        "Till",
        "Ledger",
    ]
    assert [(execution["success"], execution["responseStatus"]) for execution in logs["executions"]] == [(True, 200)]
    assert logs["_links"]["pb:webhook"]["href"] == BASE + path


@about_requests
def test_a_response_is_logged_without_its_invalid_bytes(broker: Broker, receiver: Receiver) -> None:
    receiver.replies = [Reply(200, b"go\xffod\x00")]
    broker.hook(receiver.url)
    broker.publish("1")
    broker.until("1", "success")
    assert "INFO: good\n" in broker.logs("1")
    assert "invalid UTF-8 byte sequences were removed" in broker.logs("1")


# Signatures


@about_requests
def test_requests_are_signed_with_the_secret_of_the_webhook(broker: Broker, receiver: Receiver) -> None:
    secret = "a secret for two"  # noqa: S105 - none
    path = broker.hook(receiver.url, request={"body": {"é": 1}}, secret=secret)
    assert broker.api.get(path).json()["secret"] == STARS
    broker.publish("1")
    arrival = receiver.wait(1)[0]
    stamp = arrival.headers["x-treaty-timestamp"]
    digest = hmac.new(secret.encode(), stamp.encode() + b"." + arrival.body, hashlib.sha256).hexdigest()
    assert arrival.headers["x-treaty-signature-256"] == f"sha256={digest}"
    assert abs(int(stamp) - time.time()) < 60
    assert arrival.headers["x-treaty-delivery"] in find_logs(broker.triggered("1")[0])


@about_requests
def test_names_of_headers_are_written_as_usual(broker: Broker, receiver: Receiver) -> None:
    names: list[str] = []
    receiver.on_headers = names.extend
    broker.hook(receiver.url, secret="a secret for two", request={"headers": {"x-my-own": "1"}, "body": "x"})  # noqa: S106 - none
    broker.publish("1")
    receiver.wait(1)
    assert {"X-Treaty-Signature-256", "X-Treaty-Delivery", "X-Treaty-Timestamp", "X-My-Own", "Content-Type"} <= set(
        names
    )


@about_requests
def test_a_retry_is_the_same_delivery_with_a_signature_of_its_own_time(make_broker, receiver: Receiver) -> None:
    broker = make_broker(webhook_retry_schedule=(1,))
    receiver.replies = [Reply(500), Reply()]
    broker.hook(receiver.url, secret="a secret for two")  # noqa: S106 - none
    broker.publish("1")
    first, second = receiver.wait(2)
    assert first.headers["x-treaty-delivery"] == second.headers["x-treaty-delivery"]
    assert first.headers["x-treaty-signature-256"] != second.headers["x-treaty-signature-256"]


@about_requests
def test_without_a_secret_nothing_is_signed(broker: Broker, receiver: Receiver) -> None:
    broker.hook(receiver.url)
    broker.publish("1")
    assert not [name for name in receiver.wait(1)[0].headers if name.startswith("x-treaty")]


# Trying out


@about_requests
def test_trying_a_webhook_out_sends_it_at_once_and_keeps_nothing(make_broker, receiver: Receiver) -> None:
    broker = make_broker(starts=False)
    path = broker.hook(receiver.url, request={"body": "${pactbroker.consumerName}"}, enabled=False)
    tried = broker.api.post(path + "/execute")
    assert (tried.status, tried.json()["success"]) == (200, True)
    assert receiver.arrivals[0].body == b"placeholder-consumer"
    broker.publish("1")
    broker.api.post(path + "/execute")
    assert receiver.arrivals[1].body == b"Till"
    assert broker.triggered("1") == []


@about_requests
@pytest.mark.parametrize(
    ("event", "placeholder"),
    [("provider_verification_published", "aaaabbbbccccddddeeeeffff1111222233334444"), ("contract_published", "")],
)
def test_trying_out_uses_the_result_that_there_is_or_a_placeholder_for_events_of_results(
    make_broker, receiver: Receiver, event: str, placeholder: str
) -> None:
    broker = make_broker(starts=False)
    path = broker.hook(receiver.url, event, request={"body": "${pactbroker.providerVersionNumber}"})
    broker.publish("1")
    broker.api.post(path + "/execute")
    assert receiver.arrivals[0].body.decode() == placeholder
    pact = broker.api.get("/pacts/provider/Ledger/consumer/Till/version/1")
    result = {"success": False, "providerApplicationVersion": "7"}
    assert broker.api.post(pact.link("pb:publish-verification-results"), result).status == 201
    broker.api.post(path + "/execute")
    assert receiver.arrivals[1].body.decode() == "7"


@about_requests
def test_trying_out_an_unreachable_place_is_an_answer(broker: Broker) -> None:
    request = {"method": "POST", "url": "http://127.0.0.1:1/"}
    tried = broker.api.post("/webhooks/execute", {"request": request})
    assert (tried.status, tried.json()["success"]) == (200, False)
    assert "refused" in tried.json()["error"]["message"].lower()
    assert tried.json()["logs"].rstrip().endswith("Webhook execution failed")


def test_while_a_webhook_is_tried_out_others_may_write(broker: Broker, receiver: Receiver) -> None:
    written: list[int] = []

    def write(_file: Any) -> None:
        other = open_database(broker.settings.database_url, connections=1)
        try:
            other.write(lambda db: db.exec_driver_sql("DELETE FROM label"))
            written.append(1)
        finally:
            other.close()

    receiver.replies = [Reply(write=write)]
    assert broker.api.post("/webhooks/execute", {"request": {"method": "POST", "url": receiver.url}}).json()["success"]
    assert written == [1]


def test_a_contract_event_has_the_result_of_the_main_branch_at_that_time(make_broker, receiver: Receiver) -> None:
    broker = make_broker(starts=False)
    api = broker.api
    api.put("/pacticipants/Ledger", {"mainBranch": "main"})
    api.put("/pacticipants/Ledger/branches/main/versions/m", {})
    api.put("/pacticipants/Ledger/branches/other/versions/o", {})
    broker.publish("1")
    path = api.get("/pacts/provider/Ledger/consumer/Till/version/1").link("pb:publish-verification-results")
    for number, success in (("m", True), ("o", False)):
        api.post(path, {"success": success, "providerApplicationVersion": number})
    body = "${pactbroker.providerVersionNumber} ${pactbroker.githubVerificationStatus}"
    broker.hook(receiver.url, request={"body": body})
    broker.publish("2")
    api.post(path, {"success": False, "providerApplicationVersion": "m"})
    broker.worker.start()
    assert receiver.wait(1)[0].body == b"m success"
    broker.until("2", "success")
    broker.worker.stop()


# Values in requests


HOSTILE = '1", "ref": "evil'


@about_requests
@pytest.mark.parametrize(
    "body",
    [{"ref": "main", "version": "${pactbroker.consumerVersionNumber}"}, '{"v":"${pactbroker.consumerVersionNumber}"}'],
)
def test_a_name_cannot_rewrite_a_request(broker: Broker, receiver: Receiver, body: Any) -> None:
    url = f"{receiver.url}/v/${{pactbroker.consumerVersionNumber}}/b?b=${{pactbroker.consumerVersionBranch}}"
    headers = {"Content-Type": "application/json", "X-Branch": "${pactbroker.consumerVersionBranch}"}
    webhook = broker.hook(url, request={"body": body, "headers": headers})
    broker.publish(HOSTILE, branch="a\x1b&b=2")
    tried = broker.api.post(f"{webhook}/execute").json()
    delivered, sent_by_trial = receiver.wait(2)
    for arrival in (delivered, sent_by_trial):
        assert arrival.json()["version" if isinstance(body, dict) else "v"] == HOSTILE
        assert arrival.json().get("ref") in {"main", None}
        assert arrival.path == "/v/1%22%2C%20%22ref%22%3A%20%22evil/b?b=a%1B%26b%3D2"
        assert arrival.headers["x-branch"] == "a &b=2"
    assert tried["request"]["body"] == delivered.json()


@about_requests
@pytest.mark.parametrize("whitelist", [OPEN["webhook_host_whitelist"], ()])
def test_a_value_that_would_change_the_path_is_not_sent_but_logged(make_broker, receiver: Receiver, whitelist) -> None:
    broker = make_broker(webhook_host_whitelist=whitelist)
    webhook = broker.hook(f"{receiver.url}/repos/${{pactbroker.consumerVersionNumber}}/hooks")
    broker.publish("..")
    broker.until("..", "failure")
    assert broker.triggered("..")[0]["attemptsMade"] == 1
    reason = "Move the parameter to the query or the body of the webhook"
    assert reason in broker.logs("..")
    tried = broker.api.post(f"{webhook}/execute").json()
    assert tried["success"] is False
    assert reason in tried["error"]["message"]
    assert receiver.settle() == []


@about_requests
def test_a_webhook_without_a_body_sends_none(broker: Broker, receiver: Receiver) -> None:
    webhook = broker.hook(receiver.url)
    broker.publish("1")
    [arrival] = receiver.wait(1)
    assert arrival.body == b""
    assert arrival.headers["content-length"] == "0"
    assert arrival.headers["content-type"] == "application/x-www-form-urlencoded"
    assert "body" not in broker.api.post(f"{webhook}/execute").json()["request"]
