"""The load: clients that send the next request as soon as they have their answer, in a process of their own."""

import selectors
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count
from multiprocessing.connection import Connection
from typing import Any, Final

from bench.wire import Request, unique

WINDOW: Final = 2**20


@dataclass(frozen=True, kw_only=True, slots=True)
class Order:
    """What the load is to do."""

    port: int
    requests: Sequence[Request]
    clients: int
    seconds: float
    sleeps: bool = False
    """Whether the process sleeps while it waits for responses."""


@dataclass(frozen=True, slots=True)
class Result:
    """What came of it: the time of each answer, in seconds, and of all."""

    times: list[float]
    elapsed: float
    size: float
    """Bytes of an answer's body, on average."""
    processor: float
    """Seconds for which this process has run."""


@dataclass(slots=True)
class _Client:
    connection: socket.socket
    began: float = 0.0
    received: bytes = b""
    expected: int = -1


@dataclass(slots=True)
class _Load:
    order: Order
    numbers: "count[int]"
    sent: int = 0
    times: list[float] = field(default_factory=list)
    size: int = 0

    def send(self, client: _Client) -> None:
        request = self.order.requests[self.sent % len(self.order.requests)]
        text = request.filled(unique("ask", next(self.numbers)))
        self.sent += 1
        client.received = b""
        client.expected = -1
        client.began = time.perf_counter()
        client.connection.sendall(text)

    def take(self, client: _Client) -> bool:
        """Read what has come; say whether the answer is whole."""
        piece = client.connection.recv(262144)
        assert piece, "the server closed the connection"
        client.received = client.received + piece if client.received else piece
        if client.expected < 0:
            client.expected = _length(client.received)
        if client.expected < 0 or len(client.received) < client.expected:
            return False
        self.times.append(time.perf_counter() - client.began)
        self._check(client.received)
        return True

    def _check(self, answer: bytes) -> None:
        self.size += len(answer) - answer.index(b"\r\n\r\n") - 4
        assert answer.startswith((b"HTTP/1.1 2", b"HTTP/1.1 307")), answer[:2000]


def _length(received: bytes) -> int:
    end = received.find(b"\r\n\r\n")
    if end < 0:
        return -1
    at = received.index(b"content-length: ") + 16
    return end + 4 + int(received[at : received.index(b"\r\n", at)])


def _connected(port: int) -> socket.socket:
    """Connect. The window is wide enough for a whole answer, so that no delayed acknowledgement is waited for."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, WINDOW)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.connect(("127.0.0.1", port))
    return connection


def drive(order: Order, numbers: "count[int]") -> Result:
    """Send requests for some time."""
    load = _Load(order, numbers)
    waiting = selectors.EpollSelector() if hasattr(selectors, "EpollSelector") else selectors.DefaultSelector()
    began, worked = time.perf_counter(), time.process_time()
    end = began + order.seconds
    clients = [_Client(_connected(order.port)) for _ in range(order.clients)]
    for client in clients:
        waiting.register(client.connection, selectors.EVENT_READ, client)
        load.send(client)
    busy = len(clients)
    while busy:
        for key, _ in waiting.select(None if order.sleeps else 0):
            if load.take(key.data):
                if time.perf_counter() < end:
                    load.send(key.data)
                else:
                    busy -= 1
    elapsed = time.perf_counter() - began
    waiting.close()
    for client in clients:
        client.connection.close()
    return Result(load.times, elapsed, load.size / len(load.times), time.process_time() - worked)


def work(orders: "Connection[Any, Any]") -> None:
    """Carry out orders until there is none."""
    numbers = count()
    while (order := orders.recv()) is not None:
        orders.send(drive(order, numbers))
