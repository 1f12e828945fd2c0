"""A receiver of webhooks, which records requests and returns configured responses."""

import json
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, cast

from tests.waiting import PATIENCE


@dataclass(frozen=True)
class Arrival:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    at: float

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Reply:
    status: int = 200
    body: bytes = b'{"heard":true}'
    headers: dict[str, str] = field(default_factory=dict)
    write: Callable[[Any], object] | None = None
    """Writes the rest of the response instead of `body`, such as parts with pauses."""


class Receiver:
    """Listens on a free port of this machine. Each request gets the next of the `replies`; the last one is repeated."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.arrivals: list[Arrival] = []
        self.replies: list[Reply] = [Reply()]
        self.on_headers: Callable[[list[str]], None] = lambda _names: None
        """Called with the names of the headers of each request, in their original spelling."""
        self._arrived = threading.Condition()

    def take(self, arrival: Arrival) -> Reply:
        """Record a request, and return its response."""
        with self._arrived:
            self.arrivals.append(arrival)
            self._arrived.notify_all()
            return self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]

    def wait(self, count: int) -> list[Arrival]:
        """Wait for a number of requests, and return all that have arrived."""
        with self._arrived:
            assert self._arrived.wait_for(lambda: len(self.arrivals) >= count, PATIENCE), (
                f"{len(self.arrivals)} arrived"
            )
            return list(self.arrivals)

    @contextmanager
    def holding(self, reply: Reply, after: Sequence[Reply] = ()) -> Iterator[None]:
        """Reply only when the block ends, except to the first requests, which get other replies at once."""
        is_over = threading.Event()
        self.replies = [*after, replace(reply, write=lambda _file: is_over.wait(2 * PATIENCE))]
        try:
            yield
        finally:
            is_over.set()

    def settle(self, seconds: float = 0.5) -> list[Arrival]:
        """Wait for requests that should not arrive, and return all that have arrived."""
        time.sleep(seconds)
        return list(self.arrivals)


class _Handler(BaseHTTPRequestHandler):
    def _respond(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        receiver = cast("_Server", self.server).receiver
        receiver.on_headers(list(self.headers))
        reply = receiver.take(Arrival(self.command, self.path, headers, body, time.monotonic()))
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        if reply.write is not None:
            self.end_headers()
            reply.write(self.wfile)
            return
        self.send_header("content-length", str(len(reply.body)))
        self.end_headers()
        self.wfile.write(reply.body)

    do_POST = do_GET = do_PUT = _respond  # noqa: N815 - named by http.server

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - named by http.server
        """Do not log requests."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    receiver: Receiver

    def handle_error(self, request: object, client_address: object) -> None:
        """Ignore errors of connections that senders have closed."""


@contextmanager
def receiving(certificate: Path | None = None) -> Iterator[Receiver]:
    """Receive requests until the block ends; with TLS if a certificate with its key is given."""
    server = _Server(("127.0.0.1", 0), _Handler)
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    server.receiver = Receiver(server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server.receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
