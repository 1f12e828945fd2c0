"""Webhooks through an HTTP proxy, past which nothing internal can be reached either."""

import socket
import threading

import pytest

from tests.api.webhook_requests import HOSTILE, send_webhook
from tests.forward_proxy import forwarding
from tests.receiver import receiving
from tests.waiting import PATIENCE
from treaty import outgoing
from treaty.app import warn_of_proxies
from treaty.model.webhooks.deliveries import NoResponse, WebhookResponse
from treaty.settings import Secret, Settings

PUBLIC = "93.184.215.14"


def resolve_publicly(*_):
    return [PUBLIC]


def fail_to_resolve(*_):
    raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")


def through(proxy_url, **more):
    return {"webhook_http_proxy": Secret(proxy_url), "webhook_https_proxy": Secret(proxy_url), **more}


def port_of(receiver):
    return int(receiver.url.rpartition(":")[2])


@pytest.fixture
def hosts(receiver):
    """Names that the proxy resolves."""
    names = ("ci.example.org", "hooks.example.com", "vault.internal", "vault", "metadata.google.internal", "a.b.local")
    return {name: ("127.0.0.1", port_of(receiver)) for name in names}


@pytest.mark.parametrize("resolve", [resolve_publicly, fail_to_resolve])
def test_an_http_webhook_is_sent_through_the_proxy(receiver, hosts, resolve):
    with forwarding(hosts=hosts) as proxy:
        outcome = send_webhook("http://ci.example.org/hook?a=%2F", resolve, **through(proxy.url))
    assert isinstance(outcome, WebhookResponse), outcome
    assert proxy.requests == ["POST http://ci.example.org:80/hook?a=%2F"]
    (arrival,) = receiver.arrivals
    assert arrival.path == "/hook?a=%2F"
    assert arrival.headers["host"] == "ci.example.org"
    assert "proxy-authorization" not in arrival.headers


@pytest.mark.parametrize("host", ["ci.example", "other.example"])
def test_an_https_webhook_is_tunnelled_and_the_receivers_certificate_is_checked(authority, host):
    pem, path = authority
    with receiving(certificate=path) as receiver:
        names = {host: ("127.0.0.1", port_of(receiver))}
        with forwarding("user:p@ss word", names) as proxy:
            settings = through(f"http://user:p%40ss%20word@{proxy.address}", webhook_certificates=(pem,))
            outcome = send_webhook(f"https://{host}/hook", resolve_publicly, **settings)
    assert proxy.requests == [f"CONNECT {host}:443"]
    assert isinstance(outcome, WebhookResponse) is (host == "ci.example"), outcome
    assert len(receiver.arrivals) == (host == "ci.example")


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("credentials", ["", "user:wrong@"])
def test_a_proxy_that_requires_other_credentials_is_named_without_them(hosts, receiver, scheme, credentials):
    with forwarding("user:right", hosts) as proxy:
        outcome = send_webhook(
            f"{scheme}://ci.example.org/", resolve_publicly, **through(f"http://{credentials}{proxy.address}")
        )
    assert isinstance(outcome, NoResponse)
    assert outcome.kind == "ProxyError"
    assert f"the proxy http://{proxy.address} did not connect to ci.example.org: 407" in outcome.reason
    assert f"Write its user and password in webhook_{scheme}_proxy" in outcome.reason
    assert "wrong" not in outcome.reason
    assert receiver.arrivals == []


def test_a_proxy_that_cannot_be_reached_is_named_without_its_credentials():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        outcome = send_webhook(
            "https://ci.example.org/", resolve_publicly, **through(f"http://user:hidden@127.0.0.1:{port}")
        )
    assert isinstance(outcome, NoResponse)
    assert f"the proxy http://127.0.0.1:{port} cannot be reached: " in outcome.reason
    assert "hidden" not in outcome.reason


@pytest.mark.parametrize("url", ["socks5://user:hidden@127.0.0.1:1", "nonsense://"])
def test_a_proxy_that_cannot_be_used_is_explained(url):
    outcome = send_webhook("https://ci.example.org/", resolve_publicly, **through(url))
    assert isinstance(outcome, NoResponse)
    assert "is not an HTTP proxy; write its address like" in outcome.reason
    assert "webhook_https_proxy, or https_proxy in the environment" in outcome.reason
    assert "hidden" not in outcome.reason


def test_a_proxy_that_cannot_be_used_is_logged_at_the_start(capsys):
    warn_of_proxies(Settings(**through("socks5://user:hidden@127.0.0.1:1")))
    log = capsys.readouterr().out
    assert log.count("socks5://127.0.0.1:1 is not an HTTP proxy") == 2
    assert "hidden" not in log
    warn_of_proxies(Settings(**through("http://proxy.example.org:3128")))
    warn_of_proxies(Settings(**through("socks5://127.0.0.1:1", webhook_no_proxy=("*",))))
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("exceptions", "is_direct"), [((), False), (("127.0.0.0/8",), True), (("*",), True), (("127.0.0.1:1",), False)]
)
def test_exceptions_are_sent_directly(receiver, exceptions, is_direct):
    with forwarding() as proxy:
        settings = through(proxy.url, webhook_no_proxy=exceptions, webhook_host_whitelist=("127.0.0.1",))
        outcome = send_webhook(f"{receiver.url}/hook", **settings)
    assert isinstance(outcome, WebhookResponse), outcome
    assert len(proxy.requests) == (not is_direct)
    assert len(receiver.arrivals) == 1


# Requests that must not be sent to the proxy


@pytest.mark.parametrize("url", HOSTILE)
def test_an_internal_address_is_not_requested_from_the_proxy(url, receiver):
    with forwarding(hosts={"example.org": ("127.0.0.1", 1)}) as proxy:
        send_webhook(url.format(port=port_of(receiver)), **through(proxy.url))
    # In one of the notations, the address is only the user's name at example.org.
    assert [line for line in proxy.requests if "http://example.org:80/" not in line] == []
    assert receiver.arrivals == []


@pytest.mark.parametrize("addresses", [["10.0.0.1"], [PUBLIC, "169.254.169.254"], ["::1"], []])
def test_a_name_with_an_internal_address_is_not_requested_from_the_proxy(hosts, receiver, addresses):
    with forwarding(hosts=hosts) as proxy:
        outcome = send_webhook("http://ci.example.org/", lambda *_: addresses, **through(proxy.url))
    assert isinstance(outcome, NoResponse)
    assert outcome.kind == "Refused"
    assert (proxy.requests, receiver.arrivals) == ([], [])


@pytest.mark.parametrize(
    "host", ["vault", "vault.internal", "metadata.google.internal", "a.b.local", "0x7f.1", "127.1", "2130706433", "x.1"]
)
def test_a_name_without_addresses_must_be_one_that_can_be_public(hosts, receiver, host):
    with forwarding(hosts=hosts) as proxy:
        outcome = send_webhook(f"http://{host}/", fail_to_resolve, **through(proxy.url))
        assert isinstance(outcome, NoResponse)
        assert f"{host} has no address here, and cannot be a public name" in outcome.reason
        assert (proxy.requests, receiver.arrivals) == ([], [])
        if host in hosts:
            allowed = send_webhook(
                f"http://{host}/", fail_to_resolve, **through(proxy.url, webhook_host_whitelist=(host,))
            )
            assert isinstance(allowed, WebhookResponse)


@pytest.mark.parametrize(
    ("host", "addresses", "whitelist", "is_sent"),
    [
        ("ci.example.org", ["10.0.0.1"], ("ci.example.org",), True),
        ("ci.example.org", ["10.0.0.1"], ("*.example.org",), True),
        ("ci.example.org", ["169.254.169.254"], ("ci.example.org",), False),
        ("ci.example.org", [PUBLIC], ("hooks.example.com",), False),
    ],
)
def test_the_whitelist_decides_as_it_does_without_a_proxy(hosts, host, addresses, whitelist, is_sent):
    with forwarding(hosts=hosts) as proxy:
        settings = through(proxy.url, webhook_host_whitelist=whitelist)
        outcome = send_webhook(f"http://{host}/", lambda *_: addresses, **settings)
    assert isinstance(outcome, WebhookResponse) is is_sent, outcome
    assert len(proxy.requests) == is_sent


def test_webhooks_cannot_be_sent_to_the_proxy_itself(receiver):  # noqa: ARG001 - there is something to reach
    with forwarding() as proxy:
        outcome = send_webhook(f"http://{proxy.address}/", **through(proxy.url))
    assert isinstance(outcome, NoResponse)
    assert proxy.requests == []


def test_a_resolver_that_does_not_answer_delays_no_request_that_the_proxy_resolves(hosts, receiver, monkeypatch):
    """Its limit is shortened here, so that the test need not wait; the resolver answers only when the test is over."""
    monkeypatch.setattr(outgoing, "_MAX_PROXIED_LOOKUP", 0.05)
    is_over = threading.Event()

    def hold_back(*_):
        is_over.wait(PATIENCE)
        return [PUBLIC]

    with forwarding(hosts=hosts) as proxy:
        try:
            outcome = send_webhook("http://ci.example.org/", hold_back, **through(proxy.url))
        finally:
            is_over.set()
    assert isinstance(outcome, WebhookResponse), outcome
    assert len(receiver.arrivals) == 1
