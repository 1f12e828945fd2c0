"""A soak test: a server under the load of several teams, with a receiver of webhooks that rejects one in five requests.

Exits with 1 if a request failed, a delivery was lost, the resources of the process grew, or the data is inconsistent.
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
from bench.deliveries import WEBHOOK_SETTINGS
from bench.receiver import Arrival, Receiver, receiving
from bench.soak_checks import Sample, find_growth, find_lost, find_unacknowledged, take_sample
from bench.soak_clients import BODY, PUBLISHED, VERIFIED, Client, Ledger
from tests import postgres

FAILS_EVERY: Final = 5
PROGRESS: Final = 30.0
"""Seconds between lines about the progress."""
SAMPLES: Final = 60
DRAIN_TIMEOUT: Final = 60
"""Seconds to wait for the last deliveries after the clients have ended."""
SETTINGS: Final = {**WEBHOOK_SETTINGS, "TREATY_WEBHOOK_RETRY_SCHEDULE": "1 1 2 2 3 5"}
MAX_PRINTED_PROBLEMS: Final = 10


@dataclass(slots=True)
class Soak:
    """A run, with its samples and arrivals so far."""

    address: str
    pid: int
    receiver: Receiver
    seconds: float
    ledger: Ledger = field(default_factory=Ledger)
    samples: list[Sample] = field(default_factory=list)
    arrivals: list[Arrival] = field(default_factory=list)
    started_at: float = field(default_factory=time.monotonic)

    def sample_until_end(self) -> None:
        """Take samples of the process, and print the progress, until the end of the run."""
        next_report = 0.0
        while (elapsed := time.monotonic() - self.started_at) < self.seconds:
            self.samples.append(take_sample(self.pid, servers.measure_memory(self.pid), elapsed))
            self.arrivals += self.receiver.pop_arrivals()
            if elapsed >= next_report:
                print(self.format_progress(), flush=True)
                next_report = elapsed + PROGRESS
            time.sleep(min(self.seconds / SAMPLES, 5.0))

    def format_progress(self) -> str:
        last = self.samples[-1]
        acknowledged = sum(arrival.is_acknowledged for arrival in self.arrivals)
        rejected = len(self.arrivals) - acknowledged
        return (
            f"{last.seconds:5.0f} s  {self.ledger.requests} requests, {len(self.ledger.failures)} failed;"
            f"  deliveries: {len(self.ledger.expected)} expected, {acknowledged} acknowledged, {rejected} rejected;"
            f"  {last.memory:.0f} MiB, {last.files} files, {last.connections} connections"
        )

    def drain(self) -> None:
        """Wait until the receiver has acknowledged all expected deliveries."""
        end = time.monotonic() + DRAIN_TIMEOUT
        while find_unacknowledged(self.ledger.expected, self.arrivals) and time.monotonic() < end:
            time.sleep(0.2)
            self.arrivals += self.receiver.pop_arrivals()


def main() -> None:
    options = _parse_options()
    with ExitStack() as running:
        folder = Path(running.enter_context(tempfile.TemporaryDirectory(prefix="treaty-soak-")))
        url = running.enter_context(postgres.server()) if options.postgres else f"sqlite:///{folder / 'soak.sqlite'}"
        problems = list(_run(url, folder, options))
    for problem in problems[:MAX_PRINTED_PROBLEMS]:
        print(f"PROBLEM  {problem}")
    print(f"{len(problems)} problems." if problems else "No problems.")
    sys.exit(1 if problems else 0)


def _parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./run soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0, help="duration of the load (default 10)")
    parser.add_argument(
        "--postgres",
        action="store_true",
        help="run on a PostgreSQL server, which is started for the run, instead of SQLite",
    )
    parser.add_argument("--clients", type=int, default=6, help="number of concurrent clients (default 6)")
    parser.add_argument("--pace", type=float, default=5.0, help="steps of each client per second (default 5)")
    return parser.parse_args()


def _run(url: str, folder: Path, options: argparse.Namespace) -> Iterator[str]:
    """Run the load, and yield the problems that were found afterwards."""
    port = servers.free_port()
    seconds = options.minutes * 60
    log = folder / "log"
    with (
        receiving(fails_every=FAILS_EVERY) as receiver,
        servers.treaty_server(url, port, SETTINGS, log=log, folder=folder) as pid,
    ):
        soak = Soak(f"http://127.0.0.1:{port}", pid, receiver, seconds)
        _prepare(soak)
        with _running_clients(soak, options):
            soak.sample_until_end()
        soak.drain()
        print(soak.format_progress(), flush=True)
        yield from soak.ledger.failures
        yield from find_growth(soak.samples, seconds)
        with httpx.Client(base_url=soak.address, timeout=30) as client:
            deliveries = find_unacknowledged(soak.ledger.expected, soak.arrivals)
            yield from find_lost(deliveries, soak.ledger.expected, lambda path, accept: _fetch(client, path, accept))
    yield from (f"log: {line}" for line in log.read_text("utf-8").splitlines() if "error" in line)
    yield from _run_doctor(url)


def _prepare(soak: Soak) -> None:
    """Add the environment and the webhooks that the clients use."""
    with httpx.Client(base_url=soak.address) as client:
        production = {"name": "production", "displayName": "Production", "production": True}
        client.post("/environments", json=production).raise_for_status()
        for event in (PUBLISHED, VERIFIED):
            request = {"method": "POST", "url": soak.receiver.url, "body": BODY}
            client.post("/webhooks", json={"events": [{"name": event}], "request": request}).raise_for_status()


@contextmanager
def _running_clients(soak: Soak, options: argparse.Namespace) -> Iterator[None]:
    end = soak.started_at + soak.seconds
    clients = [Client(number, soak.address, soak.ledger) for number in range(options.clients)]
    threads = [threading.Thread(target=client.work, args=(end, 1 / options.pace), daemon=True) for client in clients]
    for thread in threads:
        thread.start()
    yield
    for thread in threads:
        thread.join(DRAIN_TIMEOUT)


def _fetch(client: httpx.Client, path: str, accept: str) -> Any:
    response = client.get(path, headers={"accept": accept}).raise_for_status()
    return response.json() if "json" in accept else response.text


def _run_doctor(url: str) -> Iterator[str]:
    """Check the data with `treaty doctor`, and yield its output if it found a problem."""
    command = [str(Path(sys.executable).parent / "treaty"), "doctor", "--database-url", url]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        yield f"treaty doctor: {result.stdout}{result.stderr}"


if __name__ == "__main__":
    main()
