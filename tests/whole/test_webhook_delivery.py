"""Webhooks of a server process: sent without delay, restricted by default, and sent after `kill -9`."""

import json
import os
import stat
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.api.client import publication
from tests.receiver import Receiver, Reply
from tests.waiting import eventually
from tests.whole.servers import Server, running, start
from tests.whole.webhooks import EVENTS, OPEN, TILL


def _hook(server: Server, receiver: Receiver, **more: Any) -> None:
    request = {"method": "POST", "url": receiver.url, "body": "${pactbroker.consumerVersionNumber}"}
    body = {"request": request, "events": EVENTS, **more}
    response = httpx.post(f"{server.address}/webhooks", json=body)
    assert response.status_code == 201, response.text


def _publish(server: Server, version: str) -> float:
    response = httpx.post(f"{server.address}/contracts/publish", json=publication(TILL, version, "Ledger", version))
    assert response.status_code == 200, response.text
    return time.monotonic()


def _status(server: Server, version: str) -> str:
    url = f"{server.address}/pacts/provider/Ledger/consumer/{TILL}/version/{version}/triggered-webhooks"
    status: str = httpx.get(url).json()["_embedded"]["triggeredWebhooks"][0]["status"]
    return status


def _until(server: Server, version: str, status: str) -> None:
    eventually(lambda: _status(server, version) == status, lambda: server.log)


def _delay(server: Server, receiver: Receiver, number: int) -> float:
    done = _publish(server, str(number))
    return receiver.wait(number + 1)[number].at - done


def test_a_webhook_is_sent_within_half_a_second(tmp_path: Path, receiver: Receiver) -> None:
    with running(f"sqlite:///{tmp_path / 'treaty.sqlite'}", environ=OPEN) as server:
        _hook(server, receiver)
        delays = (_delay(server, receiver, number) for number in range(20))
        assert any(delay < 0.5 for delay in delays), "not even when the machine had time"
        _until(server, "0", "success")


def test_by_default_nothing_is_sent_to_this_machine(tmp_path: Path, receiver: Receiver) -> None:
    environ = {"PACT_BROKER_WEBHOOK_SCHEME_WHITELIST": "http", "PACT_BROKER_WEBHOOK_RETRY_SCHEDULE": "0"}
    with running(f"sqlite:///{tmp_path / 'treaty.sqlite'}", environ=environ) as server:
        _hook(server, receiver)
        _publish(server, "1")
        _until(server, "1", "failure")
        assert receiver.arrivals == []


def test_the_key_is_made_beside_the_database_for_its_owner_alone(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'treaty.sqlite'}"
    with running(url):
        key = tmp_path / "treaty.key"
        assert stat.S_IMODE(key.stat().st_mode) == 0o600
        before = key.read_text()
    with running(url):
        assert key.read_text() == before


def test_queued_deliveries_are_sent_after_a_kill(tmp_path: Path, receiver: Receiver) -> None:
    url = f"sqlite:///{tmp_path / 'treaty.sqlite'}"
    server = start(url, environ=OPEN)
    _hook(server, receiver, secret="a secret for two")  # noqa: S106 - none
    # The receiver does not respond, so the server is killed during the first delivery, with five more in the queue.
    receiver.replies = [Reply(write=lambda _file: time.sleep(3)), Reply()]
    for number in range(6):
        _publish(server, str(number))
    receiver.wait(1)
    server.kill()
    with running(url, environ=OPEN) as again:
        _until(again, "5", "success")
        bodies = [arrival.body for arrival in receiver.arrivals]
        assert bodies == [b"0", b"0", b"1", b"2", b"3", b"4", b"5"]
        assert receiver.arrivals[0].headers["x-treaty-delivery"] == receiver.arrivals[1].headers["x-treaty-delivery"]


@pytest.mark.long
def test_each_queued_delivery_arrives_even_if_the_server_is_killed_repeatedly(
    tmp_path: Path, receiver: Receiver
) -> None:
    url = f"sqlite:///{tmp_path / 'treaty.sqlite'}"
    published = 0
    for round_ in range(6):
        server = start(url, environ=OPEN)
        if round_ == 0:
            _hook(server, receiver)
        for _ in range(5):
            _publish(server, str(published))
            published += 1
        time.sleep(0.03 * round_)
        server.kill()
    with running(url, environ=OPEN) as server:
        _until(server, str(published - 1), "success")
    bodies = list(dict.fromkeys(arrival.body.decode() for arrival in receiver.arrivals))
    assert bodies == [str(number) for number in range(published)]


def test_a_server_that_ends_records_the_delivery_it_was_sending(tmp_path: Path, receiver: Receiver) -> None:
    url = f"sqlite:///{tmp_path / 'treaty.sqlite'}"
    receiver.replies = [Reply(write=lambda _file: time.sleep(1))]
    with running(url, environ=OPEN) as server:
        _hook(server, receiver)
        _publish(server, "1")
        receiver.wait(1)
        server.end()
    with running(url, environ=OPEN) as server:
        assert _status(server, "1") == "success"
    assert len(receiver.arrivals) == 1


def test_several_processes_send_each_delivery_once(tmp_path: Path, receiver: Receiver) -> None:
    url = f"sqlite:///{tmp_path / 'treaty.sqlite'}"
    with running(url, "--workers", "3", environ=OPEN) as server:
        _hook(server, receiver)
        for number in range(10):
            _publish(server, str(number))
        _until(server, "9", "success")
        assert [arrival.body.decode() for arrival in receiver.settle()] == [str(number) for number in range(10)]


def test_secrets_of_webhooks_are_not_in_the_files(tmp_path: Path, receiver: Receiver) -> None:
    secret = "swordfish-" + os.urandom(4).hex()
    with running(f"sqlite:///{tmp_path / 'treaty.sqlite'}", environ=OPEN) as server:
        request = {"method": "POST", "url": receiver.url, "headers": {"Authorization": secret}, "body": secret}
        httpx.post(f"{server.address}/webhooks", json={"request": {**request, "body": None}, "events": EVENTS})
        _publish(server, "1")
        assert receiver.wait(1)[0].headers["authorization"] == secret
        _until(server, "1", "success")
        assert secret not in server.log
    for path in tmp_path.iterdir():
        assert secret.encode() not in path.read_bytes(), path


def test_a_server_sends_deliveries_that_another_server_enqueued(tmp_path: Path, receiver: Receiver) -> None:
    url = f"sqlite:///{tmp_path / 'treaty.sqlite'}"
    with running(url, environ=OPEN) as first, running(url, environ=OPEN) as second:
        _hook(first, receiver)
        for number in range(6):
            _publish(first if number % 2 else second, str(number))
        _until(first, "5", "success")
    assert json.loads(b"[" + b",".join(arrival.body for arrival in receiver.arrivals) + b"]") == list(range(6))


def test_a_server_that_cannot_store_a_key_reports_it_when_it_needs_one(tmp_path: Path) -> None:
    (tmp_path / "treaty.key").mkdir()
    with running(f"sqlite:///{tmp_path / 'treaty.sqlite'}", environ=OPEN) as server:
        assert "can neither be read nor created" in server.log
        request = {"method": "POST", "url": "http://127.0.0.1/"}
        assert httpx.post(f"{server.address}/webhooks", json={"request": request}).status_code == 201
        refused = httpx.post(f"{server.address}/webhooks", json={"request": {**request, "password": "p"}})
        assert (refused.status_code, "set secret_key instead" in refused.json()["error"]) == (500, True)
