"""A server that gets a signal to end drains first: it is not ready, but responds until load balancers have noticed."""

import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from signal import SIGINT, SIGTERM

import httpx
import pytest

from tests.waiting import PATIENCE, eventually
from tests.whole.servers import running

HEARTBEAT, READY = "/diagnostic/status/heartbeat", "/diagnostic/status/ready"
FOREVER = "86400"


@pytest.mark.parametrize("workers", ["1", pytest.param("2", marks=pytest.mark.slow)])
def test_a_server_that_drains_answers_until_a_second_signal(tmp_path, workers):
    options = ("--shutdown-delay", FOREVER, "--workers", workers)
    with (
        running(f"sqlite:///{tmp_path / 'treaty.sqlite'}", *options, cwd=tmp_path) as server,
        httpx.Client(base_url=server.address, timeout=PATIENCE) as client,
        ThreadPoolExecutor(1) as threads,
        ExitStack() as ended_by_all_means,
    ):
        ended_by_all_means.callback(server.kill)
        eventually(lambda: client.get(READY).status_code == 200)
        waiting = threads.submit(httpx.get, f"{server.address}/events?after=latest&wait=60", timeout=PATIENCE)
        server.process.send_signal(SIGTERM)
        eventually(lambda: client.get(READY).status_code == 503)
        # Each on a connection of its own, and so at each of the workers, which get the signal one after the other.
        eventually(lambda: {client.get(READY).status_code for _ in range(20)} == {503})
        for _ in range(20):
            answer = client.get(HEARTBEAT)
            assert (answer.status_code, answer.headers["connection"]) == (200, "close")
        assert client.put("/pacticipants/Shop/versions/1", json={}).status_code == 201
        assert not waiting.done()
        server.process.send_signal(SIGTERM)
        if workers == "1":  # with more, the first process passes only one signal on
            assert waiting.result(PATIENCE).status_code == 200
            server.process.wait(PATIENCE)


@pytest.mark.parametrize(("delay", "number"), [("0", SIGTERM), (FOREVER, SIGINT)])
def test_a_server_ends_at_once_without_a_delay_or_in_a_terminal(tmp_path, delay, number):
    with running(f"sqlite:///{tmp_path / 'treaty.sqlite'}", "--shutdown-delay", delay, cwd=tmp_path) as server:
        assert httpx.get(server.address + READY, timeout=PATIENCE).status_code == 200
        server.process.send_signal(number)
        server.process.wait(PATIENCE)


def test_a_server_ends_by_itself_after_the_delay(tmp_path):
    with running(f"sqlite:///{tmp_path / 'treaty.sqlite'}", "--shutdown-delay", "0.5", cwd=tmp_path) as server:
        server.end()


@pytest.mark.parametrize("workers", ["1", pytest.param("2", marks=pytest.mark.slow)])
def test_a_server_that_completes_its_last_requests_refuses_connections(tmp_path, workers):
    """A proxy sends a refused request to another server, but not one whose connection was accepted and then reset."""
    with (
        running(f"sqlite:///{tmp_path / 'treaty.sqlite'}", "--workers", workers, cwd=tmp_path) as server,
        ExitStack() as ended_by_all_means,
    ):
        ended_by_all_means.callback(server.kill)
        url = httpx.URL(server.address)
        with socket.create_connection((url.host, url.port), PATIENCE) as incomplete:
            head = f"PUT /pacticipants/Shop/versions/1 HTTP/1.1\r\nHost: {url.netloc.decode()}\r\nContent-Length: 2\r\n"
            incomplete.sendall(f"{head}Content-Type: application/json\r\n\r\n{{".encode())
            eventually(lambda: httpx.get(server.address + READY, timeout=PATIENCE).status_code == 200)
            server.process.send_signal(SIGTERM)
            eventually(lambda: is_refused(url))
            incomplete.sendall(b"}")
            assert incomplete.recv(100).startswith(b"HTTP/1.1 201 ")
        server.process.wait(PATIENCE)


def test_a_request_that_is_on_its_way_is_answered(tmp_path):
    """Several attempts: the connection stays open for half a second only, and a busy machine may take longer."""
    assert any(is_answered_during_shutdown(tmp_path) for _ in range(5))


def is_answered_during_shutdown(folder):
    with running(f"sqlite:///{folder / 'treaty.sqlite'}", cwd=folder) as server:
        url = httpx.URL(server.address)
        with socket.create_connection((url.host, url.port), PATIENCE) as connection:
            assert httpx.get(server.address + HEARTBEAT, timeout=PATIENCE).status_code == 200
            server.process.send_signal(SIGTERM)
            time.sleep(0.25)  # the server shuts down within a tenth of a second
            if not is_refused(url):
                return False
            try:
                connection.sendall(f"GET {HEARTBEAT} HTTP/1.1\r\nHost: {url.netloc.decode()}\r\n\r\n".encode())
                answer = connection.recv(10_000)
            except ConnectionError:
                return False
        server.process.wait(PATIENCE)
    return answer.startswith(b"HTTP/1.1 200 ") and b"connection: close" in answer


def is_refused(url: httpx.URL) -> bool:
    try:
        socket.create_connection((url.host, url.port), PATIENCE).close()
    except ConnectionRefusedError:
        return True
    return False
