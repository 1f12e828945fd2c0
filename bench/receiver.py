"""A receiver of webhooks, in a process of its own: notes when what came, and fails now and then if it is told to."""

import asyncio
import multiprocessing
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from multiprocessing.connection import Connection
from typing import Any, Final

_SPAWN: Final = multiprocessing.get_context("spawn")
_ANSWERS: Final = {
    True: b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nOK",
    False: b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 4\r\n\r\nbusy",
}


@dataclass(frozen=True, slots=True)
class Arrival:
    """A request that came: when, by a clock that all processes share, what, and whether it was taken."""

    at: float
    body: str
    is_taken: bool


@dataclass(slots=True)
class _Notes:
    fails_every: int
    numbers: "count[int]" = field(default_factory=lambda: count(1))
    arrivals: list[Arrival] = field(default_factory=list)

    def take(self, body: str) -> bytes:
        is_taken = not self.fails_every or next(self.numbers) % self.fails_every != 0
        self.arrivals.append(Arrival(time.monotonic(), body, is_taken))
        return _ANSWERS[is_taken]


class _Taking(asyncio.Protocol):
    def __init__(self, notes: _Notes) -> None:
        self._notes = notes
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, end, body = self._received.partition(b"\r\n\r\n")
        if not end:
            return
        length = next(
            (int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0
        )
        if len(body) >= length:
            self._received = body[length:]
            self._transport.write(self._notes.take(body[:length].decode()))


class Receiver:
    """The receiver, as other processes see it."""

    def __init__(self, orders: "Connection[Any, Any]") -> None:
        self._orders = orders
        self.url = f"http://127.0.0.1:{orders.recv()}/hook"

    def count(self) -> int:
        """Say how many requests came."""
        self._orders.send("count")
        count: int = self._orders.recv()
        return count

    def take(self) -> list[Arrival]:
        """Say what came since this was asked last."""
        self._orders.send("take")
        arrivals: list[Arrival] = self._orders.recv()
        return arrivals


@contextmanager
def receiving(*, fails_every: int = 0) -> Iterator[Receiver]:
    """Receive until the block ends; one request in `fails_every` is not taken."""
    here, there = _SPAWN.Pipe()
    process = _SPAWN.Process(target=_work, args=(there, fails_every), daemon=True)
    process.start()
    there.close()
    try:
        yield Receiver(here)
    finally:
        process.terminate()
        process.join()


def _work(orders: "Connection[Any, Any]", fails_every: int) -> None:
    asyncio.run(_receive(orders, _Notes(fails_every)))


async def _receive(orders: "Connection[Any, Any]", notes: _Notes) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Taking(notes), "127.0.0.1", 0, backlog=512)
    orders.send(server.sockets[0].getsockname()[1])
    loop.add_reader(orders.fileno(), _obey, orders, notes)
    await server.serve_forever()


def _obey(orders: "Connection[Any, Any]", notes: _Notes) -> None:
    if orders.recv() == "count":
        orders.send(len(notes.arrivals))
    else:
        orders.send(notes.arrivals)
        notes.arrivals = []
