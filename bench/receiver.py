"""A receiver of webhooks in a process of its own. It records each request, and can reject some of them."""

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
_RESPONSES: Final = {
    True: b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nOK",
    False: b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 4\r\n\r\nbusy",
}


@dataclass(frozen=True, slots=True)
class Arrival:
    """A received request."""

    received_at: float
    """Time of the monotonic clock, which all processes share."""
    body: str
    is_acknowledged: bool
    """Whether the response was 200; otherwise it was 503."""


@dataclass(slots=True)
class _ArrivalLog:
    fails_every: int
    numbers: "count[int]" = field(default_factory=lambda: count(1))
    arrivals: list[Arrival] = field(default_factory=list)

    def add(self, body: str) -> bytes:
        """Record a request, and return the response."""
        is_acknowledged = not self.fails_every or next(self.numbers) % self.fails_every != 0
        self.arrivals.append(Arrival(time.monotonic(), body, is_acknowledged))
        return _RESPONSES[is_acknowledged]


class _ReceiverProtocol(asyncio.Protocol):
    def __init__(self, log: _ArrivalLog) -> None:
        self._log = log
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, end, body = self._buffer.partition(b"\r\n\r\n")
        if not end:
            return
        length = next(
            (int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0
        )
        if len(body) >= length:
            self._buffer = body[length:]
            self._transport.write(self._log.add(body[:length].decode()))


class Receiver:
    """Controls the process of the receiver."""

    def __init__(self, commands: "Connection[Any, Any]") -> None:
        self._commands = commands
        self.url = f"http://127.0.0.1:{commands.recv()}/hook"

    def count(self) -> int:
        """Return the number of requests since the last call of `pop_arrivals`."""
        self._commands.send("count")
        count: int = self._commands.recv()
        return count

    def pop_arrivals(self) -> list[Arrival]:
        """Return the requests since the last call."""
        self._commands.send("pop")
        arrivals: list[Arrival] = self._commands.recv()
        return arrivals


@contextmanager
def receiving(*, fails_every: int = 0) -> Iterator[Receiver]:
    """Receive requests until the block ends. With `fails_every=5`, each fifth request is rejected."""
    commands, remote_commands = _SPAWN.Pipe()
    process = _SPAWN.Process(target=_run_process, args=(remote_commands, fails_every), daemon=True)
    process.start()
    remote_commands.close()
    try:
        yield Receiver(commands)
    finally:
        process.terminate()
        process.join()


def _run_process(commands: "Connection[Any, Any]", fails_every: int) -> None:
    asyncio.run(_serve(commands, _ArrivalLog(fails_every)))


async def _serve(commands: "Connection[Any, Any]", log: _ArrivalLog) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _ReceiverProtocol(log), "127.0.0.1", 0, backlog=512)
    commands.send(server.sockets[0].getsockname()[1])
    loop.add_reader(commands.fileno(), _run_command, commands, log)
    await server.serve_forever()


def _run_command(commands: "Connection[Any, Any]", log: _ArrivalLog) -> None:
    if commands.recv() == "count":
        commands.send(len(log.arrivals))
    else:
        commands.send(log.arrivals)
        log.arrivals = []
