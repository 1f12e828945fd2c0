"""A relay in front of a broker, which passes on all bytes unchanged and records the requests and their responses."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Final

import httptools

OWN_AGENT: Final = "tests"
"""The user agent of the tests themselves, whose requests are not those of a client."""
_TREATY: Final = "treaty/"
"""How the user agent of Treaty's own command line begins: examples in other languages publish with it."""


@dataclass
class Exchange:
    """A request and its response."""

    method: str = ""
    target: str = ""
    """The path and the query."""
    headers: list[tuple[str, str]] = field(default_factory=list)
    """Some clients send a header twice, such as Accept."""
    body: bytes = b""
    status: int = 0
    response_headers: dict[str, str] = field(default_factory=dict)
    response: bytes = b""

    @property
    def is_of_client(self) -> bool:
        agent = dict(self.headers).get("user-agent", "")
        return agent != OWN_AGENT and not agent.startswith(_TREATY)


class Relay:
    """Listens on a free port of this machine, and connects to `broker`, which has the form HOST:PORT."""

    def __init__(self, listener: socket.socket) -> None:
        host, port = listener.getsockname()
        self.address = f"{host}:{port}"
        self.broker = ""
        self.exchanges: list[Exchange] = []
        """In the order of the requests."""
        self._listener = listener

    def serve(self) -> None:
        """Accept connections until the listener is shut down."""
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._connect, args=(client,), daemon=True).start()

    def _connect(self, client: socket.socket) -> None:
        host, _, port = self.broker.partition(":")
        with client, suppress(OSError), socket.create_connection((host, int(port))) as broker:
            connection = _Connection(self.exchanges)
            sending = threading.Thread(target=_pump, args=(client, broker, connection.feed_requests), daemon=True)
            sending.start()
            _pump(broker, client, connection.feed_responses)
            sending.join()


@contextmanager
def relay() -> Iterator[Relay]:
    """Run a relay whose broker is set before its first connection."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        running = Relay(listener)
        thread = threading.Thread(target=running.serve, daemon=True)
        thread.start()
        try:
            yield running
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


class _Connection:
    """The exchanges of a connection: each response belongs to the first request without one."""

    def __init__(self, exchanges: list[Exchange]) -> None:
        self._exchanges = exchanges
        self._unanswered: list[Exchange] = []
        self._requests = httptools.HttpRequestParser(_RequestEvents(self))
        self._responses = httptools.HttpResponseParser(_ResponseEvents(self))

    def feed_requests(self, data: bytes) -> None:
        self._requests.feed_data(data)

    def feed_responses(self, data: bytes) -> None:
        self._responses.feed_data(data)

    def begin(self, exchange: Exchange) -> None:
        exchange.method = self._requests.get_method().decode()
        self._unanswered.append(exchange)
        self._exchanges.append(exchange)

    def end(self, headers: dict[str, str], body: bytes) -> None:
        status = self._responses.get_status_code()
        if status >= 200:
            exchange = self._unanswered.pop(0)
            exchange.status, exchange.response_headers, exchange.response = status, headers, body


class _RequestEvents:
    """Callbacks of the parser of requests."""

    def __init__(self, connection: _Connection) -> None:
        self._connection = connection
        self._exchange = Exchange()

    def on_message_begin(self) -> None:
        self._exchange = Exchange()

    def on_url(self, url: bytes) -> None:
        self._exchange.target += url.decode("latin-1")

    def on_header(self, name: bytes, value: bytes) -> None:
        self._exchange.headers.append((name.decode("latin-1").lower(), value.decode("latin-1")))

    def on_headers_complete(self) -> None:
        self._connection.begin(self._exchange)

    def on_body(self, body: bytes) -> None:
        self._exchange.body += body


class _ResponseEvents:
    """Callbacks of the parser of responses."""

    def __init__(self, connection: _Connection) -> None:
        self._connection = connection
        self._headers: dict[str, str] = {}
        self._body = b""

    def on_message_begin(self) -> None:
        self._headers, self._body = {}, b""

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        self._connection.end(self._headers, self._body)


def _pump(source: socket.socket, sink: socket.socket, feed: Callable[[bytes], None]) -> None:
    """Pass on the bytes of one side until it ends, and record them before the other side can react."""
    with suppress(OSError):
        while data := source.recv(65536):
            feed(data)
            sink.sendall(data)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_WR)
