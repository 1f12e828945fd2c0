"""The processes that are measured, and the one that measures."""

import http.client
import multiprocessing
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final

from bench import floor, load
from bench.load import Order, Result
from bench.recording import Recording
from bench.wire import Request

_SPAWN: Final = multiprocessing.get_context("spawn")
WARM_UP_CLIENTS: Final = 8
"""So that a server uses all of its connections."""
PATIENCE: Final = 120
"""Seconds until a server that does not answer is given up."""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


@contextmanager
def treaty_server(url: str, port: int, settings: Mapping[str, str], *, log: Path, folder: Path) -> Iterator[int]:
    """Run `treaty serve` on a database; give the number of its process. Its errors go to a log."""
    treaty = Path(sys.executable).parent / "treaty"
    command = [str(treaty), "serve", "--port", str(port), "--database-url", url, "--log-level", "error"]
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("TREATY_", "PACT_BROKER_"))}
    with log.open("ab") as errors:
        process = subprocess.Popen(command, env={**environ, **settings}, cwd=folder, stderr=errors)
    try:
        _wait(port, "/diagnostic/status/heartbeat")
        yield process.pid
    finally:
        process.terminate()
        process.wait()


@contextmanager
def floor_server(url: str, recordings: Mapping[str, Recording], port: int) -> Iterator[int]:
    """Run the floor on a database; give the number of its process."""
    process = _SPAWN.Process(target=floor.serve, args=(url, recordings, port), daemon=True)
    process.start()
    assert process.pid is not None
    try:
        _wait_for_port(port)
        yield process.pid
    finally:
        process.terminate()
        process.join()


def _wait(port: int, path: str) -> None:
    for _ in _attempts():
        connection = http.client.HTTPConnection("127.0.0.1", port)
        try:
            connection.request("GET", path)
            if connection.getresponse().status == http.HTTPStatus.OK:
                return
        except OSError:
            continue
        finally:
            connection.close()


def _wait_for_port(port: int) -> None:
    for _ in _attempts():
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            continue
        return


def _attempts() -> Iterator[None]:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        yield
        time.sleep(0.005)
    raise TimeoutError(f"no server answered within {PATIENCE} s")


def start_time(url: str, folder: Path) -> float:
    """Measure the seconds from starting a server to its first heartbeat."""
    began = time.monotonic()
    with treaty_server(url, free_port(), {}, log=Path(os.devnull), folder=folder):
        return time.monotonic() - began


def memory(pid: int) -> float | None:
    """Say how much memory a process has, in MiB, where the system tells."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text("ascii").splitlines()
    except OSError:
        return None
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))


def processor_seconds(pid: int) -> float | None:
    """Say for how long a process's first thread has run, where the system tells."""
    try:
        return int(Path(f"/proc/{pid}/schedstat").read_text("ascii").split()[0]) / 1e9
    except OSError:
        return None


def all_processor_seconds(pid: int) -> float:
    """Return for how long all threads of a process and of its descendants have run, where the system tells."""
    seconds = 0.0
    for thread in Path(f"/proc/{pid}/task").glob("*"):
        with suppress(OSError):  # a thread may end meanwhile
            seconds += int((thread / "schedstat").read_text("ascii").split()[0]) / 1e9
            children = (thread / "children").read_text("ascii").split()
            seconds += sum(all_processor_seconds(int(child)) for child in children)
    return seconds


IDLE_SECONDS: Final = 1.0
IDLE_SHARE: Final = 0.03
IDLE_PATIENCE: Final = 180.0


def wait_until_idle(pid: int) -> None:
    """Wait until the work in the background that a server begins with is over, such as indexing pacts."""
    end = time.monotonic() + IDLE_PATIENCE
    while time.monotonic() < end:
        before = all_processor_seconds(pid)
        time.sleep(IDLE_SECONDS)
        if all_processor_seconds(pid) - before < IDLE_SHARE * IDLE_SECONDS:
            return


class Driver:
    """The load's process."""

    def __init__(self, orders: "Connection[Any, Any]") -> None:
        self._orders = orders

    def drive(
        self, port: int, requests: Sequence[Request], *, clients: int, seconds: float, sleeps: bool = False
    ) -> Result:
        """Send requests for some time. With `sleeps`, leave the processor to others while waiting for responses."""
        self._orders.send(Order(port=port, requests=requests, clients=clients, seconds=seconds, sleeps=sleeps))
        result: Result = self._orders.recv()
        return result

    def warm_up(
        self, port: int, requests: Sequence[Request], *, count: int, seconds: float, sleeps: bool = False
    ) -> None:
        """Send a number of requests at least, for some time or more."""
        clients = 1
        while count > 0:
            count -= len(self.drive(port, requests, clients=clients, seconds=seconds, sleeps=sleeps).times)
            clients = WARM_UP_CLIENTS


@contextmanager
def driver() -> Iterator[Driver]:
    here, there = _SPAWN.Pipe()
    process = _SPAWN.Process(target=load.work, args=(there,), daemon=True)
    process.start()
    there.close()
    try:
        yield Driver(here)
        here.send(None)
    finally:
        process.terminate()
        process.join()
