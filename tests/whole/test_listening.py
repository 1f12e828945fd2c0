"""The addresses on which a server listens, and the URLs that it prints for them."""

from __future__ import annotations

import re
import signal
import socket
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx
import pytest

from tests.waiting import PATIENCE
from tests.whole.servers import run, running
from treaty.errors import InvalidSetting
from treaty.web.http import listeners

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

ANY_IPV4 = "0.0.0.0"  # noqa: S104 - for a moment, or of a server that ends with its test
HEARTBEAT = "/diagnostic/status/heartbeat"


def has_ipv6() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")


def bound(hosts: Sequence[str], port: int = 0) -> list[tuple[str, int]]:
    """Bind the hosts, and return the addresses of the sockets with their ports."""
    with listeners.bind(hosts, port) as sockets:
        listeners.listen(sockets)
        return [each.getsockname()[:2] for each in sockets]


@needs_ipv6
@pytest.mark.parametrize(
    ("hosts", "addresses"),
    [
        (["127.0.0.1"], ["127.0.0.1"]),
        (["::1"], ["::1"]),
        (["127.0.0.1", "::1", "127.0.0.2"], ["127.0.0.1", "::1", "127.0.0.2"]),
        (["::"], ["::", ANY_IPV4]),
        ([ANY_IPV4], [ANY_IPV4]),
        (["127.0.0.1", ANY_IPV4, "::1"], [ANY_IPV4, "::1"]),
        (["127.0.0.1", "::1", "::"], [ANY_IPV4, "::"]),
    ],
)
def test_every_host_has_a_socket_on_the_same_port(hosts: list[str], addresses: list[str]) -> None:
    endpoints = bound(hosts)
    assert [address for address, _ in endpoints] == addresses
    assert len({port for _, port in endpoints}) == 1


def test_a_name_is_bound_to_all_of_its_addresses_on_the_machine() -> None:
    names = {info[4][0] for info in socket.getaddrinfo("localhost", 0, type=socket.SOCK_STREAM)}
    bound_addresses = {address for address, _ in bound(["localhost"])}
    assert "127.0.0.1" in bound_addresses <= names


def test_nothing_stays_bound_after_a_failure() -> None:
    with socket.create_server(("127.0.0.2", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(InvalidSetting, match=f"cannot listen on 127.0.0.2 port {port}: Address already in use"):
            bound(["127.0.0.1", "127.0.0.2"], port)
        assert bound(["127.0.0.1"], port) == [("127.0.0.1", port)]


def test_a_port_that_another_server_has_bound_meanwhile_is_refused() -> None:
    with listeners.bind(["127.0.0.1"], 0) as first:
        port = first[0].getsockname()[1]
        with listeners.bind(["127.0.0.1"], port) as second:
            listeners.listen(first)
            with pytest.raises(InvalidSetting, match=r"Address already in use\. Stop the program that uses it"):
                listeners.listen(second)


@pytest.mark.parametrize(
    ("host", "text"),
    [
        ("192.0.2.7", "Cannot assign requested address. This machine does not have this address"),
        ("2001:db8::7", "This machine does not have this address"),
        ("nowhere.invalid", "Correct the host (--host)."),
        ("a" * 300, "Correct the host (--host)."),
        ("127.0.0.1:9292", "host: '127.0.0.1:9292' must be a name or an address, without a scheme and a port"),
        ("http://localhost", "host: 'http://localhost' must be a name or an address"),
    ],
)
def test_an_address_that_cannot_be_used_ends_the_start_with_a_sentence_and_changes_nothing(
    host: str, text: str, tmp_path: Path
) -> None:
    ended = run("treaty", "serve", "--host", host, "--port", "0", cwd=tmp_path)
    assert (ended.returncode, ended.stdout, ended.stderr.count("\n")) == (1, "", 1), ended.stderr
    assert ended.stderr.startswith("treaty serve: ")
    assert text in ended.stderr
    assert list(tmp_path.iterdir()) == []


@needs_ipv6
def test_any_address_serves_both_families(tmp_path: Path) -> None:
    """The printed URL works, and addresses of clients have their usual form."""
    environ = {"TREATY_OPEN_ACCESS": "true"}
    with running(f"sqlite:///{tmp_path / 't.sqlite'}", "--host", "::", cwd=tmp_path, environ=environ) as server:
        port = urlsplit(server.address).port
        assert server.address == f"http://[::]:{port}"
        for host in ("127.0.0.1", "[::1]"):
            base = f"http://{host}:{port}"
            assert httpx.get(base).json()["_links"]["self"]["href"] == base
            httpx.post(f"{base}/pacticipants", json={"name": f"At {host}"}).raise_for_status()
        events = httpx.get(f"{base}/audit").json()["events"]
        assert {event["address"] for event in events} == {"127.0.0.1", "::1"}


@needs_ipv6
@pytest.mark.parametrize("workers", ["1", "2"])
def test_several_hosts_are_all_printed_and_all_served(workers: str, tmp_path: Path) -> None:
    options = ("--host", "127.0.0.1", "--host", "[::1]", "--workers", workers)
    with running(f"sqlite:///{tmp_path / 't.sqlite'}", *options, cwd=tmp_path) as server:
        port = urlsplit(server.address).port
        assert re.search(rf"Treaty is at http://127.0.0.1:{port}\n  and at http://\[::1\]:{port}\n", server.log)
        for host in ("127.0.0.1", "[::1]"):
            assert httpx.get(f"http://{host}:{port}{HEARTBEAT}").status_code == httpx.codes.OK
        assert server.end() in {0, -signal.SIGTERM}


@needs_ipv6
def test_links_have_brackets_where_a_request_names_no_host(tmp_path: Path) -> None:
    """HTTP/1.0 allows requests without a host; the links then have the address of the server."""
    environ = {"TREATY_OPEN_ACCESS": "true"}
    with running(f"sqlite:///{tmp_path / 't.sqlite'}", "--host", "::1", cwd=tmp_path, environ=environ) as server:
        port = urlsplit(server.address).port
        assert server.address == f"http://[::1]:{port}"
        with socket.create_connection(("::1", port or 0), timeout=PATIENCE) as client:
            client.sendall(b"GET / HTTP/1.0\r\naccept: application/hal+json\r\n\r\n")
            response = b"".join(iter(lambda: client.recv(65_536), b""))
        assert f'"http://[::1]:{port}/pacticipants"'.encode() in response
