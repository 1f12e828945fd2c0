"""Webhooks name places of their own choosing. None of them leads where only the server can go."""

import itertools
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.receiver import Receiver, Reply, receiving
from tests.waiting import PATIENCE
from treaty import outgoing
from treaty.actions.webhooks import deliveries
from treaty.model.webhooks.deliveries import Delivery, NoResponse, OutgoingRequest, WebhookResponse
from treaty.model.webhooks.parameters import PLACEHOLDER_FACTS
from treaty.model.webhooks.webhooks import WebhookRequest
from treaty.settings import Settings
from treaty.web.parameter_urls import PARAMETER_URLS

PATIENT = dict.fromkeys(("webhook_connect_timeout", "webhook_read_timeout", "webhook_total_timeout"), 2 * PATIENCE)
"""Settings with which a sender waits for this machine. Tests of timeouts have shorter ones."""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


def _send(url: str, look_up: Any = outgoing.resolve_host, **settings: Any) -> WebhookResponse | NoResponse:
    chosen = Settings(**{**PATIENT, **settings})
    request = WebhookRequest(method="POST", url=url, headers={}, body={}, username=None, password=None)
    owed = Delivery(
        uuid="",
        webhook="",
        request=request,
        secret=None,
        facts=PLACEHOLDER_FACTS,
        context={},
        attempts=0,
        triggered_at=datetime.now(UTC),
        is_failing=False,
    )

    def send(request: OutgoingRequest, settings: Settings) -> WebhookResponse | NoResponse:
        return outgoing.send(request, settings, resolve=look_up)

    return deliveries.attempt_delivery(owed, settings=chosen, parameter_urls=PARAMETER_URLS, send=send).outcome


HOSTILE = [
    # Loopback, in each notation
    "http://127.0.0.1:{port}/",
    "http://127.0.0.1.:{port}/",
    "http://127.1:{port}/",
    "http://127.0.1:{port}/",
    "http://127.1.2.3:{port}/",
    "http://2130706433:{port}/",
    "http://0x7f000001:{port}/",
    "http://0x7F.0x0.0x0.0x1:{port}/",
    "http://0x7f.1:{port}/",
    "http://0177.0.0.1:{port}/",
    "http://017700000001:{port}/",
    "http://0177.0x0.0.1:{port}/",
    "http://localhost:{port}/",
    "http://LOCALHOST:{port}/",
    "http://localhost.:{port}/",
    "http://[::1]:{port}/",
    "http://[0:0:0:0:0:0:0:1]:{port}/",
    "http://[::ffff:127.0.0.1]:{port}/",
    "http://[::ffff:7f00:1]:{port}/",
    "http://[0:0:0:0:0:ffff:127.0.0.1]:{port}/",
    "http://[::127.0.0.1]:{port}/",
    "http://[64:ff9b::127.0.0.1]:{port}/",
    "http://[64:ff9b::7f00:1]:{port}/",
    "http://[2002:7f00:1::]:{port}/",
    "http://[2002:7f00:1::1]:{port}/",
    "http://[2001:0:4136:e378:8000:63bf:80ff:fffe]:{port}/",
    "http://[fe80::5efe:127.0.0.1]:{port}/",
    "http://user:pass@127.0.0.1:{port}/",
    "http://example.org@127.0.0.1:{port}/",
    "http://127.0.0.1:{port}\\@example.org/",
    "http://example.org\\@127.0.0.1:{port}/",
    "http://127.0.0.1:{port}#@example.org/",
    "http://127.0.0.1:{port}?@example.org/",
    "HTTP://127.0.0.1:{port}/",
    "http://１２７.0.0.1:{port}/",  # noqa: RUF001 - that is the point
    "http://①②⑦.⓪.⓪.①:{port}/",
    "http://127。0。0。1:{port}/",
    "http://ⓛocalhost:{port}/",
    "http://127.0.0.1%2f:{port}/",
    "http://127.0.0.1%00.example.org:{port}/",
    # Everywhere on this machine
    "http://0.0.0.0:{port}/",
    "http://0:{port}/",
    "http://0x0:{port}/",
    "http://[::]:{port}/",
    "http://[::ffff:0.0.0.0]:{port}/",
    # Private networks
    "http://10.0.0.1/",
    "http://10.255.255.255/",
    "http://172.16.0.1/",
    "http://172.31.255.255/",
    "http://192.168.0.1/",
    "http://3232235521/",
    "http://0xc0a80001/",
    "http://[fc00::1]/",
    "http://[fd12:3456:789a::1]/",
    "http://[::ffff:10.0.0.1]/",
    "http://[64:ff9b::a00:1]/",
    "http://[2002:a00:1::1]/",
    "http://100.64.0.1/",
    # Link-local and metadata
    "http://169.254.169.254/latest/meta-data/",
    "http://169.254.43518/",
    "http://2852039166/",
    "http://0xa9fea9fe/",
    "http://0xa9.0xfe.0xa9.0xfe/",
    "http://0251.0376.0251.0376/",
    "http://[::ffff:169.254.169.254]/",
    "http://[::ffff:a9fe:a9fe]/",
    "http://[64:ff9b::a9fe:a9fe]/",
    "http://[2002:a9fe:a9fe::]/",
    "http://[fe80::1]/",
    "http://[fd00:ec2::254]/latest/",
    "http://100.100.100.200/latest/meta-data/",
    "http://192.0.0.192/opc/v2/",
    "http://168.63.129.16/machine/",
    # Nobody's, or many's
    "http://192.0.2.1/",
    "http://198.18.0.1/",
    "http://224.0.0.1/",
    "http://255.255.255.255/",
    "http://240.0.0.1/",
    "http://[ff02::1]/",
    "http://[2001:db8::1]/",
    "http://[100::1]/",
    # No HTTP at all
    "file:///etc/passwd",
    "ftp://127.0.0.1:{port}/",
    "gopher://127.0.0.1:{port}/",
    "unix:///var/run/docker.sock",
    "http:///nowhere",
    "http://[::1/",
    "http://127.0.0.1:99999/",
]


@pytest.mark.parametrize("url", HOSTILE)
def test_a_place_that_is_not_public_is_not_dialled(url: str, receiver: Receiver, monkeypatch) -> None:
    dialled: list[Any] = []
    monkeypatch.setattr(socket, "create_connection", lambda address, *_, **__: dialled.append(address))
    port = receiver.url.rpartition(":")[2]
    outcome = _send(url.format(port=port))
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
def test_what_the_whitelist_names_may_be_reached(addresses: list[str], whitelist: list[str]) -> None:
    assert outgoing.check_addresses("ci.example", addresses, whitelist) == addresses


def test_a_resolver_that_changes_its_answer_is_asked_once(receiver: Receiver) -> None:
    answers = itertools.chain([["8.8.8.8"]], itertools.repeat(["127.0.0.1"]))
    hosts: list[str] = []

    def look_up(host: str, _port: int) -> Sequence[str]:
        hosts.append(host)
        return next(answers)

    port = receiver.url.rpartition(":")[2]
    outcome = _send(f"http://rebinding.example:{port}/", look_up, webhook_connect_timeout=0.3)
    assert isinstance(outcome, NoResponse)
    assert outcome.kind != "Refused"  # the public address was dialled, which nobody answers here
    assert hosts == ["rebinding.example"]
    assert receiver.arrivals == []


def test_the_address_that_was_judged_is_the_one_that_is_dialled(receiver: Receiver) -> None:
    port = receiver.url.rpartition(":")[2]
    outcome = _send(f"http://ci.example:{port}/", lambda *_: ["127.0.0.1"], webhook_host_whitelist=("ci.example",))
    assert isinstance(outcome, WebhookResponse)
    assert receiver.arrivals[0].headers["host"] == f"ci.example:{port}"


def test_a_resolver_that_does_not_answer_is_not_waited_for() -> None:
    is_over = threading.Event()

    def look_up(_host: str, _port: int) -> Sequence[str]:
        assert is_over.wait(PATIENCE), "the sender waited for the resolver"
        return []

    outcome = _send("http://slow.example/", look_up, webhook_connect_timeout=0.3)
    is_over.set()
    assert isinstance(outcome, NoResponse)
    assert "Timeout" in outcome.kind


OPEN = ("127.0.0.1",)


def test_a_redirect_is_not_followed(receiver: Receiver) -> None:
    receiver.replies = [Reply(307, headers={"location": receiver.url + "/secret"})]
    outcome = _send(receiver.url + "/hook", webhook_host_whitelist=OPEN)
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
    outcome = _send(receiver.url, webhook_host_whitelist=OPEN, webhook_max_response_bytes=1000)
    assert isinstance(outcome, WebhookResponse)
    assert (len(outcome.body), outcome.is_truncated) == (1000, True)


def test_a_response_that_drips_is_ended_in_time(receiver: Receiver) -> None:
    receiver.replies = [Reply(write=_dripping)]
    outcome = _send(receiver.url, webhook_host_whitelist=OPEN, webhook_total_timeout=1.0)
    assert isinstance(outcome, NoResponse)


def test_headers_without_end_are_ended_too(receiver: Receiver) -> None:
    receiver.replies = [Reply(headers={f"x-{number}": "y" * 1000 for number in range(500)})]
    assert isinstance(_send(receiver.url, webhook_host_whitelist=OPEN), NoResponse)


def test_a_receiver_that_says_nothing_is_not_waited_for() -> None:
    with ThreadPoolExecutor(1) as threads, socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        sending = threads.submit(_send, url, webhook_host_whitelist=OPEN, webhook_read_timeout=0.5)
        outcome = sending.result(PATIENCE)
        assert isinstance(outcome, NoResponse)


def test_a_header_cannot_smuggle_another(receiver: Receiver) -> None:
    request = OutgoingRequest(method="POST", url=receiver.url, headers={"host": "h", "x": "a\r\nevil: yes"}, body=b"")
    outcome = outgoing.send(request, Settings(webhook_host_whitelist=OPEN))
    assert isinstance(outcome, NoResponse)
    assert receiver.arrivals == []


# Certificates


@pytest.fixture
def authority(tmp_path: Path) -> tuple[str, Path]:
    """A certificate for ci.example, as PEM, and a file with it and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "ci.example")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("ci.example")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM).decode()
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = tmp_path / "ci.pem"
    path.write_text(pem + secret.decode())
    return pem, path


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
        outcome = _send(
            f"https://{host}:{port}/",
            lambda *_: ["127.0.0.1"],
            webhook_host_whitelist=(host,),
            webhook_certificates=certificates,
            disable_ssl_verification=is_unverified,
        )
    assert isinstance(outcome, WebhookResponse) is succeeds, outcome
    assert len(receiver.arrivals) == succeeds
