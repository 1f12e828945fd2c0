"""Processes of a benchmark: the server, the floor and the load generator, with their memory and processor time."""

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
from typing import Any, Final, NamedTuple

from bench import floor, load
from bench.load import Job, Result
from bench.recording import Recording
from bench.wire import Request

_SPAWN: Final = multiprocessing.get_context("spawn")
WARM_UP_CLIENTS: Final = 8
"""As many as make a server use all connections of its pool."""
START_TIMEOUT: Final = 120
"""Seconds."""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


@contextmanager
def treaty_server(url: str, port: int, settings: Mapping[str, str], *, log: Path, folder: Path) -> Iterator[int]:
    """Run `treaty serve` on a database until the block ends; yield its process id. It logs errors to a file."""
    treaty = Path(sys.executable).parent / "treaty"
    command = [str(treaty), "serve", "--port", str(port), "--database-url", url, "--log-level", "error"]
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("TREATY_", "PACT_BROKER_"))}
    with log.open("ab") as errors:
        process = subprocess.Popen(command, env={**environ, **settings}, cwd=folder, stderr=errors)
    try:
        _wait_for_heartbeat(port, "/diagnostic/status/heartbeat")
        yield process.pid
    finally:
        process.terminate()
        process.wait()


@contextmanager
def floor_server(url: str, recordings: Mapping[str, Recording], port: int) -> Iterator[int]:
    """Run the floor on a database until the block ends; yield its process id."""
    process = _SPAWN.Process(target=floor.serve, args=(url, recordings, port), daemon=True)
    process.start()
    assert process.pid is not None
    try:
        _wait_for_port(port)
        yield process.pid
    finally:
        process.terminate()
        process.join()


def _wait_for_heartbeat(port: int, path: str) -> None:
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
    end = time.monotonic() + START_TIMEOUT
    while time.monotonic() < end:
        yield
        time.sleep(0.005)
    raise TimeoutError(f"the server did not respond within {START_TIMEOUT} s")


class Startup(NamedTuple):
    """The start of a server on an existing database."""

    seconds: float
    """Time to the first heartbeat."""
    mebibytes: float | None
    """Resident memory after it, before any other request; None on a system without `/proc`."""


def measure_startup(url: str, folder: Path) -> Startup:
    started_at = time.monotonic()
    with treaty_server(url, free_port(), {}, log=Path(os.devnull), folder=folder) as pid:
        seconds = time.monotonic() - started_at
        wait_until_idle(pid)
        return Startup(seconds, measure_memory(pid))


def measure_memory(pid: int) -> float | None:
    """Return the resident memory of a process in MiB, or None on a system without `/proc`."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text("ascii").splitlines()
    except OSError:
        return None
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))


def read_processor_seconds(pid: int) -> float | None:
    """Return the processor time of a process's first thread, or None on a system without `/proc`."""
    try:
        return int(Path(f"/proc/{pid}/schedstat").read_text("ascii").split()[0]) / 1e9
    except OSError:
        return None


def read_all_processor_seconds(pid: int) -> float:
    """Return the processor time of all threads of a process and of its descendants, 0 on a system without `/proc`."""
    seconds = 0.0
    for thread in Path(f"/proc/{pid}/task").glob("*"):
        with suppress(OSError):  # a thread may end meanwhile
            seconds += int((thread / "schedstat").read_text("ascii").split()[0]) / 1e9
            children = (thread / "children").read_text("ascii").split()
            seconds += sum(read_all_processor_seconds(int(child)) for child in children)
    return seconds


IDLE_SECONDS: Final = 1.0
IDLE_SHARE: Final = 0.03
IDLE_TIMEOUT: Final = 180.0


def wait_until_idle(pid: int) -> None:
    """Wait until a server has completed the work in the background after its start, such as indexing pacts."""
    end = time.monotonic() + IDLE_TIMEOUT
    while time.monotonic() < end:
        before = read_all_processor_seconds(pid)
        time.sleep(IDLE_SECONDS)
        if read_all_processor_seconds(pid) - before < IDLE_SHARE * IDLE_SECONDS:
            return


class LoadGenerator:
    """The process of the load generator."""

    def __init__(self, pipe: "Connection[Any, Any]") -> None:
        self._pipe = pipe

    def run(
        self, port: int, requests: Sequence[Request], *, clients: int, seconds: float, sleeps: bool = False
    ) -> Result:
        """Send requests for some time. With `sleeps`, the process does not poll while it waits for responses."""
        self._pipe.send(Job(port=port, requests=requests, clients=clients, seconds=seconds, sleeps=sleeps))
        result: Result = self._pipe.recv()
        return result

    def warm_up(
        self, port: int, requests: Sequence[Request], *, count: int, seconds: float, sleeps: bool = False
    ) -> None:
        """Run rounds of `seconds`, with one client and then with several, until `count` requests have been sent."""
        clients = 1
        while count > 0:
            count -= len(self.run(port, requests, clients=clients, seconds=seconds, sleeps=sleeps).latencies)
            clients = WARM_UP_CLIENTS


@contextmanager
def load_generator() -> Iterator[LoadGenerator]:
    pipe, worker_pipe = _SPAWN.Pipe()
    process = _SPAWN.Process(target=load.run_jobs, args=(worker_pipe,), daemon=True)
    process.start()
    worker_pipe.close()
    try:
        yield LoadGenerator(pipe)
        pipe.send(None)
    finally:
        process.terminate()
        process.join()
