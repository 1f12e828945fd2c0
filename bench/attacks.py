"""Attacks by clients that are not authenticated, and the latency of another client meanwhile."""

import base64
import json
import os
import socket
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, Thread
from typing import Any, Final

from bench import servers

NAME: Final = "attacks"
MAX_WAIT: Final = 250.0
"""Target: maximum latency of the other client in milliseconds."""
_INTERVAL: Final = 0.1
"""Seconds between two requests of the other client."""
_TIMEOUT: Final = 120
_HEARTBEAT: Final = b"GET /diagnostic/status/heartbeat HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"
_FORM: Final = "content-type: application/x-www-form-urlencoded"
_SETTINGS: Final = {
    "TREATY_BASIC_AUTH_USERNAME": "bench",
    "TREATY_BASIC_AUTH_PASSWORD": "of a server that ends with the bench",
    "TREATY_PUBLIC_HEARTBEAT": "true",
}

Attack = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class LongestWaits:
    """Maximum latency of the other client in milliseconds, by attack."""

    longest: Mapping[str, float]

    def as_json(self) -> dict[str, Any]:
        return dict(self.longest)

    def format_lines(self) -> Iterable[str]:
        """Yield the lines of the report."""
        for name, wait in self.longest.items():
            verdict = "met" if wait < MAX_WAIT else "not met"
            yield f"longest wait during {name}: {wait:.0f} ms (target {MAX_WAIT:.0f}: {verdict})"


def measure(folder: Path) -> LongestWaits:
    """Measure each attack on a new server."""
    return LongestWaits({name: _measure_longest_wait(folder, attack) for name, attack in _ATTACKS.items()})


def _measure_longest_wait(folder: Path, attack: Attack) -> float:
    port = servers.free_port()
    with ExitStack() as running:
        server_folder = Path(running.enter_context(TemporaryDirectory(dir=folder)))
        url = f"sqlite:///{server_folder / 'attacked.sqlite'}"
        running.enter_context(servers.treaty_server(url, port, _SETTINGS, log=Path(os.devnull), folder=server_folder))
        with _measuring_waits(port) as waits:
            attack(port)
    return max(waits) * 1000


@contextmanager
def _measuring_waits(port: int) -> Iterator[list[float]]:
    """Request the heartbeat every 100 ms until the block ends; yield the list of latencies in seconds."""
    waits: list[float] = []
    is_over = Event()

    def poll() -> None:
        while not is_over.is_set():
            sent_at = time.perf_counter()
            _send(port, _HEARTBEAT)
            waits.append(time.perf_counter() - sent_at)
            is_over.wait(_INTERVAL)

    thread = Thread(target=poll)
    thread.start()
    try:
        yield waits
    finally:
        is_over.set()
        thread.join()


def _connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=_TIMEOUT)


def _send(port: int, data: bytes, *chunks: bytes) -> None:
    """Send bytes, and read until the server closes the connection."""
    with _connect(port) as client:
        try:
            for chunk in (data, *chunks):
                client.sendall(chunk)
            while client.recv(65536):
                pass
        except (BrokenPipeError, ConnectionResetError):
            return


def _in_parallel(port: int, clients: int, *data: bytes) -> None:
    with ThreadPoolExecutor(clients) as threads:
        list(threads.map(lambda _: _send(port, *data), range(clients)))


_MEGABYTE: Final = b"x" * 1_000_000
"""Sent repeatedly: building a large request would delay the other client, which runs in this process."""


def _request(method: str, path: str, body: bytes, *lines: str) -> bytes:
    return _head(method, path, len(body), *lines) + body


def _head(method: str, path: str, size: int, *lines: str) -> bytes:
    head = (f"{method} {path} HTTP/1.1", "host: localhost", f"content-length: {size}", "connection: close", *lines)
    return "\r\n".join([*head, "", ""]).encode()


def _half_sent_requests(port: int) -> None:
    with ExitStack() as stack:
        clients = [stack.enter_context(_connect(port)) for _ in range(300)]
        for client in clients:
            client.sendall(b"GET / HTTP/1.1\r\nhost: localhost\r\n")
        for client in clients:
            while client.recv(65536):
                pass


def _headers(port: int) -> None:
    _send(port, b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 300_000 + b"\r\n")


def _large_header(port: int) -> None:
    _send(port, b"GET / HTTP/1.1\r\nhost: localhost\r\na: ", *[_MEGABYTE] * 150, b"\r\n\r\n")


def _large_forms(port: int) -> None:
    _in_parallel(port, 4, _head("POST", "/sign-in", 50_000_000, _FORM), *[_MEGABYTE] * 50)


def _setups(port: int) -> None:
    body = b"link=x&name=eve&password=correct+horse+battery+staple&again=correct+horse+battery+staple"
    _in_parallel(port, 24, _request("POST", "/setup", body, _FORM))


def _publication(contracts: int, tags: int) -> Attack:
    """Return an attack that publishes many contracts with many tags, with valid credentials."""

    def publish(port: int) -> None:
        _send(port, _request("POST", "/contracts/publish", body, "content-type: application/json", _authorization()))

    content = base64.b64encode(b'{"interactions": []}').decode()
    names = {"consumerName": "A", "specification": "pact", "contentType": "application/json", "content": content}
    document = {
        "pacticipantName": "A",
        "pacticipantVersionNumber": "1",
        "tags": [f"t{number}" for number in range(tags)],
        "contracts": [{**names, "providerName": f"P{number}q"} for number in range(contracts)],
    }
    body = json.dumps(document).encode()
    return publish


def _authorization() -> str:
    user, secret = _SETTINGS["TREATY_BASIC_AUTH_USERNAME"], _SETTINGS["TREATY_BASIC_AUTH_PASSWORD"]
    return f"authorization: Basic {base64.b64encode(f'{user}:{secret}'.encode()).decode()}"


def _large_pact_pages(port: int) -> None:
    """Read the page of a pact with 20,000 interactions, with ten clients at the same time."""
    items = [{"description": f"thing {number}", "request": {"path": f"/{number}"}} for number in range(20_000)]
    body = json.dumps({"interactions": items}).encode()
    path = "/pacts/provider/P/consumer/A/version/1"
    _send(port, _request("PUT", path, body, "content-type: application/json", _authorization()))
    _in_parallel(port, 10, _request("GET", path, b"", "accept: text/html", _authorization()))


_ATTACKS: Final[Mapping[str, Attack]] = {
    "300 half-sent requests": _half_sent_requests,
    "300,000 headers": _headers,
    "a header of 150 MB": _large_header,
    "4 forms of 50 MB": _large_forms,
    "/setup by 24 clients": _setups,
    "5,000 contracts and 500 tags": _publication(5000, 500),
    "500 contracts and 100 tags": _publication(500, 100),
    "10 pages of a pact with 20,000 interactions": _large_pact_pages,
}
