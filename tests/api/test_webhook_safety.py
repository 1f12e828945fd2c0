"""Webhooks may name any URL, but requests never reach addresses that only the server can reach."""

import itertools
import socket
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.api.webhook_requests import HOSTILE, send_webhook
from tests.receiver import Receiver, Reply, receiving
from tests.waiting import PATIENCE
from treaty import outgoing
from treaty.model.webhooks.deliveries import NoResponse, OutgoingRequest, WebhookResponse
from treaty.settings import Settings


@pytest.mark.parametrize("url", HOSTILE)
def test_a_place_that_is_not_public_is_not_dialled(url: str, receiver: Receiver, monkeypatch) -> None:
    dialled: list[Any] = []
    monkeypatch.setattr(socket, "create_connection", lambda address, *_, **__: dialled.append(address))
    port = receiver.url.rpartition(":")[2]
    outcome = send_webhook(url.format(port=port))
    assert isinstance(outcome, NoResponse)
    assert dialled == []
    assert receiver.arrivals == []


@pytest.mark.parametrize(
    ("addresses", "whitelist"),
    [
        (["169.254.169.254"], ["metadata.example"]),
        (["169.254.169.254"], ["/.*/"]),
        (["8.8.8.8", "10.0.0.1"], []),
        (["10.0.0.1"], []),
        (["10.0.0.1"], ["other.example"]),
        (["10.0.0.1"], ["/metadata/"]),
        (["127.0.0.1"], ["10.0.0.0/8"]),
        (["fd00:ec2::254"], ["*.example"]),
        ([], []),
    ],
)
def test_a_name_is_refused_when_any_of_its_addresses_is(addresses: list[str], whitelist: list[str]) -> None:
    with pytest.raises(outgoing.ForbiddenDestination):
        outgoing.check_addresses("metadata.example", addresses, whitelist)


@pytest.mark.parametrize(
    ("addresses", "whitelist"),
    [
        (["8.8.8.8", "2606:4700::1111"], []),
        (["10.0.0.1"], ["ci.example"]),
        (["10.0.0.1"], ["*.example"]),
        (["10.0.0.1"], [r"/ci\..*/"]),
        (["10.0.0.1"], ["10.0.0.0/8"]),
        (["127.0.0.1", "::1"], ["ci.example"]),
        (["169.254.169.254"], ["169.254.169.254"]),
    ],
)
def test_addresses_on_the_whitelist_may_be_reached(addresses: list[str], whitelist: list[str]) -> None:
    assert outgoing.check_addresses("ci.example", addresses, whitelist) == addresses


def test_a_name_is_resolved_only_once(receiver: Receiver) -> None:
    answers = itertools.chain([["8.8.8.8"]], itertools.repeat(["127.0.0.1"]))
    hosts: list[str] = []

    def look_up(host: str, _port: int) -> Sequence[str]:
        hosts.append(host)
        return next(answers)

    port = receiver.url.rpartition(":")[2]
    outcome = send_webhook(f"http://rebinding.example:{port}/", look_up, webhook_connect_timeout=0.3)
    assert isinstance(outcome, NoResponse)
    assert outcome.kind != "Refused"  # the public address was dialled, which does not respond here
    assert hosts == ["rebinding.example"]
    assert receiver.arrivals == []


def test_the_address_that_was_judged_is_the_one_that_is_dialled(receiver: Receiver) -> None:
    port = receiver.url.rpartition(":")[2]
    outcome = send_webhook(
        f"http://ci.example:{port}/", lambda *_: ["127.0.0.1"], webhook_host_whitelist=("ci.example",)
    )
    assert isinstance(outcome, WebhookResponse)
    assert receiver.arrivals[0].headers["host"] == f"ci.example:{port}"


def test_a_resolver_that_does_not_answer_is_not_waited_for() -> None:
    is_over = threading.Event()

    def look_up(_host: str, _port: int) -> Sequence[str]:
        assert is_over.wait(PATIENCE), "the sender waited for the resolver"
        return []

    outcome = send_webhook("http://slow.example/", look_up, webhook_connect_timeout=0.3)
    is_over.set()
    assert isinstance(outcome, NoResponse)
    assert "Timeout" in outcome.kind


OPEN = ("127.0.0.1",)


def test_a_redirect_is_not_followed(receiver: Receiver) -> None:
    receiver.replies = [Reply(307, headers={"location": receiver.url + "/secret"})]
    outcome = send_webhook(receiver.url + "/hook", webhook_host_whitelist=OPEN)
    assert isinstance(outcome, WebhookResponse)
    assert outcome.status == 307
    assert [arrival.path for arrival in receiver.settle(0.2)] == ["/hook"]


def _endless(file: Any) -> None:
    while True:
        file.write(b"x" * 65536)


def _dripping(file: Any) -> None:
    while True:
        file.write(b"x")
        file.flush()
        time.sleep(0.1)


def test_an_endless_response_is_cut(receiver: Receiver) -> None:
    receiver.replies = [Reply(write=_endless)]
    outcome = send_webhook(receiver.url, webhook_host_whitelist=OPEN, webhook_max_response_bytes=1000)
    assert isinstance(outcome, WebhookResponse)
    assert (len(outcome.body), outcome.is_truncated) == (1000, True)


def test_a_response_that_drips_is_ended_in_time(receiver: Receiver) -> None:
    receiver.replies = [Reply(write=_dripping)]
    outcome = send_webhook(receiver.url, webhook_host_whitelist=OPEN, webhook_total_timeout=1.0)
    assert isinstance(outcome, NoResponse)


def test_headers_without_end_are_ended_too(receiver: Receiver) -> None:
    receiver.replies = [Reply(headers={f"x-{number}": "y" * 1000 for number in range(500)})]
    assert isinstance(send_webhook(receiver.url, webhook_host_whitelist=OPEN), NoResponse)


def test_a_receiver_that_does_not_respond_times_out() -> None:
    with ThreadPoolExecutor(1) as threads, socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        sending = threads.submit(send_webhook, url, webhook_host_whitelist=OPEN, webhook_read_timeout=0.5)
        outcome = sending.result(PATIENCE)
        assert isinstance(outcome, NoResponse)


def test_a_header_cannot_smuggle_another(receiver: Receiver) -> None:
    request = OutgoingRequest(method="POST", url=receiver.url, headers={"host": "h", "x": "a\r\nevil: yes"}, body=b"")
    outcome = outgoing.send(request, Settings(webhook_host_whitelist=OPEN))
    assert isinstance(outcome, NoResponse)
    assert receiver.arrivals == []


# Certificates


@pytest.mark.parametrize(
    ("host", "trusts", "is_unverified", "succeeds"),
    [
        ("ci.example", "content", False, True),
        ("ci.example", "path", False, True),
        ("ci.example", "nothing", False, False),
        ("ci.example", "nonsense", False, False),
        ("ci.example", "nothing", True, True),
        ("other.example", "content", False, False),
    ],
)
def test_a_certificate_must_be_trusted_and_the_hosts_own(
    authority: tuple[str, Path],
    host: str,
    trusts: str,
    is_unverified: bool,  # noqa: FBT001 - a case
    succeeds: bool,  # noqa: FBT001 - a case
) -> None:
    pem, path = authority
    certificates = {"content": (pem,), "path": (str(path),), "nothing": (), "nonsense": ("/nowhere.pem",)}[trusts]
    with receiving(certificate=path) as receiver:
        port = receiver.url.rpartition(":")[2]
        outcome = send_webhook(
            f"https://{host}:{port}/",
            lambda *_: ["127.0.0.1"],
            webhook_host_whitelist=(host,),
            webhook_certificates=certificates,
            disable_ssl_verification=is_unverified,
        )
    assert isinstance(outcome, WebhookResponse) is succeeds, outcome
    assert len(receiver.arrivals) == succeeds
