"""Clients that send raw bytes, and one that requests the heartbeat repeatedly."""

import select
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Final
from urllib.parse import urlsplit

import httpx

from tests.waiting import PATIENCE
from tests.whole.servers import Server

HEARTBEAT: Final = "/diagnostic/status/heartbeat"
_CHUNK: Final = 2**20


def connect(server: Server) -> socket.socket:
    parts = urlsplit(server.address)
    return socket.create_connection((str(parts.hostname), int(parts.port or 80)), timeout=PATIENCE)


def head(method: str, path: str, *lines: str) -> bytes:
    """Encode the request line and headers."""
    return "\r\n".join([f"{method} {path} HTTP/1.1", "host: localhost", *lines, "", ""]).encode()


def send(server: Server, data: bytes) -> bytes:
    """Send bytes until a response begins to arrive, and return all data until the server closes the connection."""
    with connect(server) as client:
        send_until_answered(client, data)
        return receive_all(client)


def send_until_answered(client: socket.socket, data: bytes) -> None:
    for at in range(0, len(data), _CHUNK):
        if select.select([client], [], [], 0)[0]:
            return
        try:
            client.sendall(data[at : at + _CHUNK])
        except (BrokenPipeError, ConnectionResetError):
            return


def receive_all(client: socket.socket) -> bytes:
    chunks = []
    try:
        while chunk := client.recv(65536):
            chunks.append(chunk)
    except ConnectionResetError:
        pass
    return b"".join(chunks)


def status_of(response: bytes) -> int:
    assert response.startswith(b"HTTP/1.1 "), response[:200]
    return int(response[9:12])


def memory(server: Server) -> float:
    """Resident memory in MiB."""
    lines = Path(f"/proc/{server.process.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))


@contextmanager
def heartbeats(server: Server) -> Iterator[list[int]]:
    """Request the heartbeat every 100 ms, each time on a new connection; yield the list of statuses."""
    statuses: list[int] = []
    is_over = Event()

    def poll() -> None:
        while not is_over.is_set():
            statuses.append(httpx.get(server.address + HEARTBEAT, timeout=PATIENCE).status_code)
            is_over.wait(0.1)

    thread = Thread(target=poll)
    thread.start()
    try:
        yield statuses
    finally:
        is_over.set()
        thread.join(PATIENCE)
        assert not thread.is_alive()
