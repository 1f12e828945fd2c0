"""Limits for clients that are not authenticated: no request of theirs makes the server unavailable for others."""

import base64
import json
import select
import socket
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing

import httpx
import pytest

from tests.waiting import PATIENCE
from tests.whole.raw_http import (
    HEARTBEAT,
    connect,
    head,
    heartbeats,
    memory,
    receive_all,
    send,
    status_of,
)
from tests.whole.servers import Server, running

SIGN_IN = "/sign-in"
PACT = "/pacts/provider/Prices/consumer/Shop/version/1"
PAIR_MATRIX = "/matrix/provider/Prices/consumer/Shop"
CLOSED = {
    "TREATY_BASIC_AUTH_USERNAME": "ann",
    "TREATY_BASIC_AUTH_PASSWORD": "correct horse",
    "TREATY_PUBLIC_HEARTBEAT": "true",
}
FORM = "content-type: application/x-www-form-urlencoded"


@pytest.fixture(scope="module")
def impatient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with a timeout of one second for requests."""
    environ = {**CLOSED, "TREATY_HEADER_TIMEOUT": "1"}
    with running(f"sqlite:///{tmp_path_factory.mktemp('impatient') / 'treaty.sqlite'}", environ=environ) as server:
        yield server


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that requires credentials."""
    with running(f"sqlite:///{tmp_path_factory.mktemp('closed') / 'treaty.sqlite'}", environ=CLOSED) as server:
        yield server


# Attacks, while another client requests the heartbeat


def _half_sent_requests(server: Server) -> list[int]:
    with ExitStack() as stack:
        clients = [stack.enter_context(connect(server)) for _ in range(300)]
        for client in clients:
            client.sendall(b"GET / HTTP/1.1\r\nhost: localhost\r\n")
        return [status_of(receive_all(client)) for client in clients]


def _dripping_headers(server: Server) -> list[int]:
    with connect(server) as client:
        client.sendall(b"GET / HTTP/1.1\r\nhost: localhost\r\n")
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            try:
                client.sendall(b"x")
            except (BrokenPipeError, ConnectionResetError):
                break
            client.settimeout(0.2)
            try:
                return [status_of(client.recv(65536))]
            except TimeoutError:
                continue
    raise AssertionError("the request was never refused")


def _half_sent_bodies(server: Server) -> list[int]:
    with ExitStack() as stack:
        clients = [stack.enter_context(connect(server)) for _ in range(100)]
        for client in clients:
            client.sendall(head("POST", SIGN_IN, FORM, "content-length: 1000") + b"name=")
        return [status_of(receive_all(client)) for client in clients]


def _many_headers(server: Server) -> list[int]:
    return [status_of(send(server, b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 300_000 + b"\r\n"))]


def _repeated_cookies(server: Server) -> list[int]:
    return [status_of(send(server, head("GET", "/", *["cookie: treaty=x"] * 98, "connection: close")))]


def _long_header(server: Server) -> list[int]:
    return [status_of(send(server, b"GET / HTTP/1.1\r\nhost: localhost\r\na: " + b"x" * 150_000_000))]


def _long_trailer(server: Server) -> list[int]:
    request = head("POST", SIGN_IN, FORM, "transfer-encoding: chunked")
    return [status_of(send(server, request + b"4\r\nname\r\n0\r\na: " + b"x" * 150_000_000))]


def _long_chunk_extension(server: Server) -> list[int]:
    request = head("POST", SIGN_IN, FORM, "transfer-encoding: chunked")
    return [status_of(send(server, request + b"4;a=" + b"x" * 150_000_000))]


def _long_target(server: Server) -> list[int]:
    return [status_of(send(server, b"GET /" + b"x" * 50_000_000))]


def _in_parallel(server: Server, data: bytes, clients: int) -> list[int]:
    with ThreadPoolExecutor(clients) as threads:
        return [status_of(response) for response in threads.map(lambda _: send(server, data), range(clients))]


def _large_forms(server: Server) -> list[int]:
    data = head("POST", SIGN_IN, FORM, "content-length: 50000000") + b"x" * 50_000_000
    return _in_parallel(server, data, 4)


def _large_chunked_forms(server: Server) -> list[int]:
    chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
    data = head("POST", "/setup", FORM, "transfer-encoding: chunked") + chunk * 400
    return _in_parallel(server, data, 4)


def _large_pacts(server: Server) -> list[int]:
    data = head("PUT", PACT, "content-type: application/json", "content-length: 40000000") + b"x" * 40_000_000
    return _in_parallel(server, data, 4)


def _setups(server: Server) -> list[int]:
    body = b"link=x&name=eve&password=correct+horse+battery+staple&again=correct+horse+battery+staple"
    data = head("POST", "/setup", FORM, f"content-length: {len(body)}", "connection: close") + body
    return _in_parallel(server, data, 24)


@pytest.mark.parametrize(
    ("attack", "expected"),
    [
        (_half_sent_requests, {408}),
        (_dripping_headers, {408}),
        (_half_sent_bodies, {408}),
        (_many_headers, {431}),
        (_repeated_cookies, {303, 401}),
        (_long_header, {431}),
        (_long_target, {414}),
        (_long_trailer, {431}),
        (_long_chunk_extension, {431}),
        (_large_forms, {413}),
        (_large_chunked_forms, {413}),
        (_large_pacts, {401}),
        (_setups, {400, 403, 404, 409, 429}),
    ],
)
def test_an_attack_is_refused_while_others_are_served(impatient, attack: Callable[[Server], list[int]], expected):
    httpx.get(impatient.address + HEARTBEAT, timeout=PATIENCE)
    before = memory(impatient) if sys.platform == "linux" else 0
    with heartbeats(impatient) as statuses:
        deadline = time.monotonic() + PATIENCE
        while not statuses and time.monotonic() < deadline:  # some attacks are over too soon
            assert set(attack(impatient)) <= expected
        assert statuses
    assert set(statuses) == {200}
    if sys.platform == "linux":
        assert memory(impatient) - before < 50


def test_clients_that_send_nothing_make_room_for_others(tmp_path):
    environ = {**CLOSED, "TREATY_MAX_CONNECTIONS": "20"}
    with running(f"sqlite:///{tmp_path / 'treaty.sqlite'}", environ=environ) as server, ExitStack() as stack:
        clients = [stack.enter_context(connect(server)) for _ in range(60)]
        for client in clients:
            client.sendall(b"GET / HTTP/1.1\r\n")
        for _ in range(30):
            assert httpx.get(server.address + HEARTBEAT, timeout=PATIENCE).status_code == 200
        refused = [receive_all(client) for client in clients[:30]]
    assert {status_of(response) for response in refused if response} <= {503}


@pytest.mark.parametrize(("path", "status"), [(PACT, 401), (SIGN_IN, 503)])
def test_clients_that_send_bodies_slowly_make_room_for_others(tmp_path, path, status):
    """Rejected requests whose body follows, and forms of anonymous clients, do not block other clients."""
    environ = {**CLOSED, "TREATY_MAX_CONNECTIONS": "20", "TREATY_HEADER_TIMEOUT": "2", "TREATY_MIN_BODY_RATE": "1"}
    request = head("POST" if path == SIGN_IN else "PUT", path, FORM, "content-length: 16000")
    with running(f"sqlite:///{tmp_path / 'treaty.sqlite'}", environ=environ) as server, ExitStack() as stack:
        clients = [stack.enter_context(connect(server)) for _ in range(20)]
        for client in clients:
            client.sendall(request)
        _drip(clients, seconds=4)
        for _ in range(10):
            assert httpx.get(server.address + HEARTBEAT, timeout=PATIENCE).status_code == 200
        received = [client.recv(65536) for client in clients if select.select([client], [], [], 0)[0]]
    statuses = {status_of(response) for response in received}
    # 408: on a busy machine, some clients are slower than they mean to be.
    assert {status} <= statuses <= {status, 408}


def _drip(clients: list[socket.socket], *, seconds: float) -> None:
    """Send a few bytes on each connection repeatedly."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        for client in clients:
            client.sendall(b"x" * 10)
        time.sleep(0.2)


@pytest.mark.parametrize(
    "path", ["/matrix?q%5B%5D%5Bpacticipant%5D=Shop&", pytest.param(f"{PAIR_MATRIX}?", marks=pytest.mark.slow)]
)
def test_others_are_served_while_a_large_matrix_is_read(server, path):
    with httpx.Client(base_url=server.address, timeout=PATIENCE) as client:
        interaction = {"description": "prices", "request": {"method": "GET", "path": "/"}, "response": {"status": 200}}
        published = [client.put(f"{PACT}{version}", json={"interactions": [interaction]}) for version in range(120)]
        results = published[0].json()["_links"]["pb:publish-verification-results"]["href"]
        for version in range(120):
            client.post(results, json={"success": True, "providerApplicationVersion": str(version)})
        with connect(server) as other:
            other.sendall(head("GET", f"{path}latestby=cvpv&limit=100000"))
            answered = 0
            while not select.select([other], [], [], 0)[0]:
                assert client.get(HEARTBEAT).status_code == 200
                answered += 1
            assert status_of(other.recv(65536)) == 200
    assert answered > 3


# Single requests


def test_connections_that_send_nothing_are_closed(impatient):
    with connect(impatient) as client:
        assert receive_all(client) == b""


def test_an_idle_connection_is_closed_after_the_setting(tmp_path):
    environ = {"TREATY_KEEP_ALIVE_TIMEOUT": "1"}
    with running(f"sqlite:///{tmp_path / 'treaty.sqlite'}", environ=environ) as server:
        response = send(server, head("GET", HEARTBEAT))
    assert (status_of(response), response.count(b"HTTP/1.1 ")) == (200, 1)


def test_blank_lines_do_not_keep_a_connection_open(impatient):
    with connect(impatient) as client:
        client.sendall(head("GET", HEARTBEAT))
        assert status_of(client.recv(65536)) == 200
        client.settimeout(0.2)
        deadline = time.monotonic() + PATIENCE
        is_open = True
        while is_open and time.monotonic() < deadline:
            try:
                client.sendall(b"\r\n")
                is_open = client.recv(65536) != b""
            except TimeoutError:
                continue
            except (BrokenPipeError, ConnectionResetError):
                is_open = False
        assert not is_open


@pytest.mark.parametrize(("count", "status"), [(100, 200), (101, 431)])
def test_a_request_may_have_100_headers(shared_server, count, status):
    response = send(shared_server, head("GET", HEARTBEAT, *["a: b"] * (count - 2), "connection: close"))
    assert status_of(response) == status


@pytest.mark.parametrize(("size", "status"), [(65_000, 200), (66_000, 431)])
def test_headers_may_have_64_kib_together(shared_server, size, status):
    half = "x" * (size // 2)
    response = send(shared_server, head("GET", HEARTBEAT, f"a: {half}", f"b: {half}", "connection: close"))
    assert status_of(response) == status


@pytest.mark.parametrize(("size", "status"), [(16_000, 200), (17_000, 414)])
def test_a_request_target_may_have_16_kib(shared_server, size, status):
    path = f"{HEARTBEAT}?{'x' * (size - len(HEARTBEAT))}"
    assert status_of(send(shared_server, head("GET", path, "connection: close"))) == status


def test_a_refusal_has_a_reason_and_closes_the_connection(shared_server):
    headers, _, body = send(shared_server, head("GET", "/", *["a: b"] * 200)).partition(b"\r\n\r\n")
    assert b"connection: close" in headers.lower()
    assert f"content-length: {len(body)}".encode() in headers
    assert json.loads(body) == {"error": "The request has more than 100 headers."}


@pytest.mark.parametrize(
    "lines",
    [
        "content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        "transfer-encoding: chunked\r\ncontent-length: 5\r\n\r\n0\r\n\r\n",
        "content-length: 5\r\ncontent-length: 6\r\n\r\nabcdef",
        "content-length: 5\r\ncontent-length: 5\r\n\r\nabcde",
        "content-length: 5, 5\r\n\r\nabcde",
        "content-length: +5\r\n\r\nabcde",
        "content-length: -1\r\n\r\nabcde",
        "content-length: 99999999999999999999999\r\n\r\nabcde",
        "content-length : 5\r\n\r\nabcde",
        "transfer-encoding: identity\r\n\r\nabcde",
        "transfer-encoding: xchunked\r\n\r\n0\r\n\r\n",
        "transfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        "transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        "transfer-encoding : chunked\r\n\r\n0\r\n\r\n",
        "transfer-encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
        "transfer-encoding: chunked\r\n\r\n0x1\r\na\r\n0\r\n\r\n",
        "transfer-encoding: chunked\r\n\r\n1\na\r\n0\r\n\r\n",
        "transfer-encoding: chunked\r\n\r\nfffffffffffffffffff\r\na\r\n0\r\n\r\n",
        "x: a\r\n b\r\ncontent-length: 0\r\n\r\n",
        "x: a\ncontent-length: 0\r\n\r\n",
        "x: a\rcontent-length: 5\r\n\r\n",
        "x: a\x00b\r\n\r\n",
        ": a\r\n\r\n",
    ],
)
def test_a_request_that_proxies_may_read_differently_is_refused(shared_server, lines):
    response = send(shared_server, f"POST {SIGN_IN} HTTP/1.1\r\nhost: localhost\r\n{lines}".encode())
    assert (status_of(response), response.count(b"HTTP/1.1 ")) == (400, 1)


def test_a_trailer_does_not_pass_for_a_header(closed):
    secret = base64.b64encode(b"ann:correct horse").decode()
    body = f"0\r\nauthorization: Basic {secret}\r\n\r\n".encode()
    request = head("POST", "/pacticipants", "transfer-encoding: chunked", "connection: close") + body
    assert status_of(send(closed, request)) == 401


def test_a_few_pipelined_requests_are_answered_in_their_order(shared_server):
    last = head("GET", "/", "accept: application/hal+json", "connection: close")
    response = send(shared_server, head("GET", HEARTBEAT) * 5 + last)
    assert response.count(b"HTTP/1.1 200") == 6
    assert b"pb:publish-pact" in response.rpartition(b"HTTP/1.1 200")[2]


def test_endless_pipelining_ends_the_connection(shared_server):
    assert send(shared_server, head("GET", HEARTBEAT) * 2000).count(b"HTTP/1.1 200") <= 100


# Behaviour that clients rely on


def test_a_permitted_request_gets_100_continue_before_its_body(server):
    body = b'{"interactions": []}'
    lines = ("content-type: application/json", f"content-length: {len(body)}", "expect: 100-continue")
    with connect(server) as client:
        client.sendall(head("PUT", PACT, *lines, "connection: close"))
        assert client.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(body)
        assert status_of(receive_all(client)) == 201


def test_a_client_that_waits_for_100_continue_does_not_time_out(tmp_path):
    """Counting an attempt to sign in waits for the database, to which another process is writing."""
    path, environ = tmp_path / "treaty.sqlite", {**CLOSED, "TREATY_HEADER_TIMEOUT": "1"}
    body = b'{"interactions": []}'
    secret = base64.b64encode(b"ann:correct horse").decode()
    lines = ("content-type: application/json", f"content-length: {len(body)}", "expect: 100-continue")
    with running(f"sqlite:///{path}", environ=environ) as server, connect(server) as client:
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            client.sendall(head("PUT", PACT, *lines, f"authorization: Basic {secret}", "connection: close"))
            time.sleep(3)
        assert client.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(body)
        assert status_of(receive_all(client)) == 201


@pytest.mark.parametrize(("path", "status"), [(PACT, 401), (SIGN_IN, 413)])
def test_a_refused_request_gets_its_status_without_100_continue(closed, path, status):
    method = "PUT" if path == PACT else "POST"
    request = head(method, path, FORM, "content-length: 50000000", "expect: 100-continue", "accept: text/plain")
    response = send(closed, request)
    assert (status_of(response), response.count(b"HTTP/1.1 ")) == (status, 1)


def test_a_client_without_credentials_can_send_its_whole_pact_and_then_reads_why_it_was_refused(closed):
    refused = httpx.put(closed.address + PACT, content=b"x" * 20_000_000, timeout=PATIENCE)
    assert (refused.status_code, refused.headers["connection"]) == (401, "close")
    assert "This broker requires authentication" in refused.json()["error"]


def test_a_pact_may_arrive_in_chunks(closed):
    def pieces() -> Iterator[bytes]:
        yield b'{"interactions": [{"description": "'
        for _ in range(300):
            yield b"x" * 1000
        yield b'"}]}'

    auth = ("ann", "correct horse")
    headers = {"content-type": "application/json"}
    sent = httpx.put(closed.address + PACT, content=pieces(), headers=headers, auth=auth, timeout=PATIENCE)
    assert sent.status_code == 201


def test_a_slow_client_with_credentials_may_take_its_time(impatient):
    body = b'{"interactions": [{"description": "' + b"x" * 4000 + b'"}]}'
    secret = base64.b64encode(b"ann:correct horse").decode()
    lines = ("content-type: application/json", f"content-length: {len(body)}", f"authorization: Basic {secret}")
    with connect(impatient) as client:
        client.sendall(head("PUT", PACT, *lines, "connection: close"))
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for at in range(0, len(body), 500):
            time.sleep(0.25)
            client.sendall(body[at : at + 500])
        assert status_of(receive_all(client)) == 201


def test_a_connection_serves_many_requests(shared_server):
    with httpx.Client(base_url=shared_server.address, timeout=PATIENCE) as client:
        assert {client.get(HEARTBEAT).status_code for _ in range(200)} == {200}
