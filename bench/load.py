"""The load generator: clients that send the next request as soon as they have the response, in a process of their own.

It uses plain sockets and requests that are encoded in advance, so that it takes little of the machine's processor time.
"""

import selectors
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count
from multiprocessing.connection import Connection
from typing import Any, Final

from bench.wire import Request, build_unique_value

WINDOW: Final = 2**20
"""Bytes of a socket's receive buffer."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """A measurement: requests that alternate, sent by a number of clients for some time."""

    port: int
    requests: Sequence[Request]
    clients: int
    seconds: float
    sleeps: bool = False
    """Whether the process sleeps while it waits for responses, instead of polling.

    Waking a process costs processor time of the one that wakes it, which would be part of the measured latency. But a
    database with processes of its own needs the processor that polling takes.
    """


@dataclass(frozen=True, slots=True)
class Result:
    """Latencies of the requests, and the duration of the job, in seconds."""

    latencies: list[float]
    elapsed: float
    size: float
    """Mean bytes of a response's body."""
    cpu_seconds: float
    """Processor time of this process."""


@dataclass(slots=True)
class _Client:
    connection: socket.socket
    started_at: float = 0.0
    response: bytes = b""
    response_length: int = -1


@dataclass(slots=True)
class _LoadGenerator:
    job: Job
    numbers: "count[int]"
    sent_count: int = 0
    latencies: list[float] = field(default_factory=list)
    size: int = 0

    def send(self, client: _Client) -> None:
        request = self.job.requests[self.sent_count % len(self.job.requests)]
        data = request.render(build_unique_value("ask", next(self.numbers)))
        self.sent_count += 1
        client.response = b""
        client.response_length = -1
        client.started_at = time.perf_counter()
        client.connection.sendall(data)

    def receive(self, client: _Client) -> bool:
        """Read from the connection, and return whether the response is complete."""
        chunk = client.connection.recv(262144)
        assert chunk, "the server closed the connection"
        client.response = client.response + chunk if client.response else chunk
        if client.response_length < 0:
            client.response_length = _find_length(client.response)
        if client.response_length < 0 or len(client.response) < client.response_length:
            return False
        self.latencies.append(time.perf_counter() - client.started_at)
        self._check(client.response)
        return True

    def _check(self, response: bytes) -> None:
        self.size += len(response) - response.index(b"\r\n\r\n") - 4
        assert response.startswith((b"HTTP/1.1 2", b"HTTP/1.1 307")), response[:2000]


def _find_length(response: bytes) -> int:
    end = response.find(b"\r\n\r\n")
    if end < 0:
        return -1
    at = response.index(b"content-length: ") + 16
    return end + 4 + int(response[at : response.index(b"\r\n", at)])


def _connect(port: int) -> socket.socket:
    """Connect. The receive buffer holds any response, so that no delayed acknowledgement of TCP slows one down."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, WINDOW)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.connect(("127.0.0.1", port))
    return connection


def generate_load(job: Job, numbers: "count[int]") -> Result:
    """Run a job. `numbers` make the values of placeholders unique across jobs."""
    generator = _LoadGenerator(job, numbers)
    selector = selectors.EpollSelector() if hasattr(selectors, "EpollSelector") else selectors.DefaultSelector()
    started_at, cpu_before = time.perf_counter(), time.process_time()
    end = started_at + job.seconds
    clients = [_Client(_connect(job.port)) for _ in range(job.clients)]
    for client in clients:
        selector.register(client.connection, selectors.EVENT_READ, client)
        generator.send(client)
    pending = len(clients)
    while pending:
        for key, _ in selector.select(None if job.sleeps else 0):
            if generator.receive(key.data):
                if time.perf_counter() < end:
                    generator.send(key.data)
                else:
                    pending -= 1
    elapsed = time.perf_counter() - started_at
    selector.close()
    for client in clients:
        client.connection.close()
    return Result(
        generator.latencies, elapsed, generator.size / len(generator.latencies), time.process_time() - cpu_before
    )


def run_jobs(jobs: "Connection[Any, Any]") -> None:
    """Run the jobs that a connection receives, and send their results, until it receives None."""
    numbers = count()
    while (job := jobs.recv()) is not None:
        jobs.send(generate_load(job, numbers))
