"""Brokers that are reached through an HTTP proxy, as the environment names it."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.cli.conftest import Connect, OtherBroker
from tests.forward_proxy import forwarding
from tests.receiver import receiving
from treaty.cli import TREATY
from treaty.client.connection import RetryPolicy, Tls
from treaty.errors import ClientError, Refused, Unreachable

NAME = "broker.example.org"


@pytest.mark.parametrize(
    ("exceptions", "is_direct"),
    [
        ("", False),
        ("10.0.0.0/8", False),
        ("127.0.0.0/8", True),
        ("127.0.0.1:1", False),
        ("example.org,127.0.0.1", True),
        ("*", True),
    ],
)
def test_exceptions_may_be_networks_and_ports(
    connect: Connect,
    broker: OtherBroker,
    exceptions: str,
    is_direct: bool,  # noqa: FBT001 - a case
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with forwarding() as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv("no_proxy", exceptions)
        _ = connect(broker.url).index
    assert len(proxy.requests) == (not is_direct)


def test_https_uses_a_tunnel_with_the_credentials_of_the_proxy(
    connect: Connect,
    authority: tuple[str, Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with receiving(certificate=authority[1]) as receiver:
        port = int(receiver.url.rpartition(":")[2])
        with forwarding("user:p@ss", {"ci.example": ("127.0.0.1", port)}) as proxy:
            monkeypatch.setenv("https_proxy", f"http://user:p%40ss@{proxy.address}")
            tls = Tls(certificate=str(authority[1]))
            assert connect("https://ci.example", tls=tls).index.body == {"heard": True}
    assert proxy.requests == ["CONNECT ci.example:443"]


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_requires_other_credentials_is_reported_without_them(
    connect: Connect,
    scheme: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with forwarding("user:right") as proxy:
        monkeypatch.setenv("ALL_PROXY", f"http://user:wrong@{proxy.address}")
        with pytest.raises((Unreachable, Refused), match="407") as error:
            _ = connect(f"{scheme}://{NAME}").index
    assert "wrong" not in f"{error.value}{error.value.hint}"
    assert scheme == "https" or "http://user:password@host:port" in error.value.hint


@pytest.mark.parametrize(
    "proxy", ["http://user:hidden@127.0.0.1:1", "socks5://user:hidden@127.0.0.1:1", "user:hidden@"]
)
def test_a_proxy_that_cannot_be_used_is_reported_without_its_credentials(
    connect: Connect,
    proxy: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("https_proxy", proxy)
    with pytest.raises(ClientError) as error:
        _ = connect(f"https://{NAME}", retry_policy=RetryPolicy(attempts=1)).index
    assert "hidden" not in f"{error.value}{error.value.hint}"


def test_an_import_reads_the_other_broker_through_the_proxy_and_writes_directly(broker: OtherBroker) -> None:
    target = f"{broker.url}/target"
    broker.answer("GET /target", {"_links": {"pb:import": {"href": f"{broker.url}/import"}}})
    broker.answer("POST /import", {"outcomes": []})
    with forwarding(hosts={NAME: ("127.0.0.1", int(broker.url.rpartition(":")[2]))}) as proxy:
        environ = {"http_proxy": proxy.url, "no_proxy": "127.0.0.0/8"}
        words = ["import", "--from", f"http://{NAME}", "-b", target, "--retries", "1"]
        CliRunner().invoke(TREATY, words, env=environ)
    assert f"GET http://{NAME}" in {line.rstrip("/") for line in proxy.requests}
    assert [line for line in proxy.requests if f"//{NAME}" not in line] == []
    assert "GET /target" in broker.lines
