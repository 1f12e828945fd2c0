"""A soak: a server works for teams for some minutes, beside a receiver that fails one time in five, and is looked over.

Ends with 1 when a request failed, when a delivery got lost, when the process grew, or when the data is not as it should
be.
"""

import argparse
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx

from bench import servers
from bench.deliveries import OPEN
from bench.receiver import Arrival, Receiver, receiving
from bench.soak_checks import Sample, growth, sample, unexplained, untaken
from bench.soak_clients import BODY, PUBLISHED, VERIFIED, Client, Ledger
from tests import postgres

FAILS_EVERY: Final = 5
PROGRESS: Final = 30.0
"""Seconds between lines that say how it goes."""
SAMPLES: Final = 60
PATIENCE: Final = 60
"""Seconds in which, after the clients have ended, what is still owed is waited for."""
SETTINGS: Final = {**OPEN, "TREATY_WEBHOOK_RETRY_SCHEDULE": "1 1 2 2 3 5"}
MOST_TOLD: Final = 10


@dataclass(slots=True)
class Soak:
    """A run."""

    address: str
    pid: int
    receiver: Receiver
    seconds: float
    ledger: Ledger = field(default_factory=Ledger)
    samples: list[Sample] = field(default_factory=list)
    arrivals: list[Arrival] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)

    def watch(self) -> None:
        """Look at the process, and say how it goes, until the time is over."""
        next_report = 0.0
        while (elapsed := time.monotonic() - self.began) < self.seconds:
            self.samples.append(sample(self.pid, servers.measure_memory(self.pid), elapsed))
            self.arrivals += self.receiver.take()
            if elapsed >= next_report:
                print(self.progress(), flush=True)
                next_report = elapsed + PROGRESS
            time.sleep(min(self.seconds / SAMPLES, 5.0))

    def progress(self) -> str:
        last = self.samples[-1]
        taken = sum(arrival.is_taken for arrival in self.arrivals)
        return (
            f"{last.seconds:5.0f} s  {self.ledger.requests} requests, {len(self.ledger.failures)} failed;"
            f"  deliveries: {len(self.ledger.owed)} owed, {taken} taken, {len(self.arrivals) - taken} refused;"
            f"  {last.memory:.0f} MiB, {last.files} files, {last.connections} connections"
        )

    def drain(self) -> None:
        """Wait for what is still owed."""
        until = time.monotonic() + PATIENCE
        while untaken(self.ledger.owed, self.arrivals) and time.monotonic() < until:
            time.sleep(0.2)
            self.arrivals += self.receiver.take()


def main() -> None:
    options = _options()
    with ExitStack() as running:
        folder = Path(running.enter_context(tempfile.TemporaryDirectory(prefix="treaty-soak-")))
        url = running.enter_context(postgres.server()) if options.postgres else f"sqlite:///{folder / 'soak.sqlite'}"
        problems = list(_run(url, folder, options))
    for problem in problems[:MOST_TOLD]:
        print(f"PROBLEM  {problem}")
    print(f"{len(problems)} problems." if problems else "All is well.")
    sys.exit(1 if problems else 0)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./run soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0, help="how long the clients work (default 10)")
    parser.add_argument("--postgres", action="store_true", help="on a PostgreSQL of its own instead of SQLite")
    parser.add_argument("--clients", type=int, default=6, help="how many clients work at the same time (default 6)")
    parser.add_argument("--pace", type=float, default=5.0, help="what each client does in a second (default 5)")
    return parser.parse_args()


def _run(url: str, folder: Path, options: argparse.Namespace) -> Iterator[str]:
    """Work; then say what is not as it should be."""
    port = servers.free_port()
    seconds = options.minutes * 60
    log = folder / "log"
    with (
        receiving(fails_every=FAILS_EVERY) as receiver,
        servers.treaty_server(url, port, SETTINGS, log=log, folder=folder) as pid,
    ):
        soak = Soak(f"http://127.0.0.1:{port}", pid, receiver, seconds)
        _prepare(soak)
        with _working(soak, options):
            soak.watch()
        soak.drain()
        print(soak.progress(), flush=True)
        yield from soak.ledger.failures
        yield from growth(soak.samples, seconds)
        with httpx.Client(base_url=soak.address, timeout=30) as client:
            waiting = untaken(soak.ledger.owed, soak.arrivals)
            yield from unexplained(waiting, soak.ledger.owed, lambda path, accept: _ask(client, path, accept))
    yield from (f"log: {line}" for line in log.read_text("utf-8").splitlines() if "error" in line)
    yield from _examined(url)


def _prepare(soak: Soak) -> None:
    """Make what the clients work with: an environment, and webhooks."""
    with httpx.Client(base_url=soak.address) as client:
        production = {"name": "production", "displayName": "Production", "production": True}
        client.post("/environments", json=production).raise_for_status()
        for event in (PUBLISHED, VERIFIED):
            request = {"method": "POST", "url": soak.receiver.url, "body": BODY}
            client.post("/webhooks", json={"events": [{"name": event}], "request": request}).raise_for_status()


@contextmanager
def _working(soak: Soak, options: argparse.Namespace) -> Iterator[None]:
    until = soak.began + soak.seconds
    clients = [Client(number, soak.address, soak.ledger) for number in range(options.clients)]
    threads = [threading.Thread(target=client.work, args=(until, 1 / options.pace), daemon=True) for client in clients]
    for thread in threads:
        thread.start()
    yield
    for thread in threads:
        thread.join(PATIENCE)


def _ask(client: httpx.Client, path: str, accept: str) -> Any:
    answer = client.get(path, headers={"accept": accept}).raise_for_status()
    return answer.json() if "json" in accept else answer.text


def _examined(url: str) -> Iterator[str]:
    """Look the data over, as `treaty doctor` does."""
    command = [str(Path(sys.executable).parent / "treaty"), "doctor", "--database-url", url]
    examined = subprocess.run(command, capture_output=True, text=True, check=False)
    if examined.returncode != 0:
        yield f"treaty doctor: {examined.stdout}{examined.stderr}"


if __name__ == "__main__":
    main()
