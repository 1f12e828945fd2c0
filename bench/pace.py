"""A steady load of builds on the history of a company: each publishes, verifies, asks can-i-deploy, and deploys.

The load is open: builds start when they are due, whether or not earlier ones have ended. The latency of a build's first
request counts from the time at which it was due, so that it includes the delay of a server that falls behind. Each
build has a connection and a thread of its own, as the jobs of a CI server have.
"""

import argparse
import base64
import http.client
import json
import os
import tempfile
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

import httpx
from sqlalchemy import func, select

from bench import departments, disk, histories, huge, servers
from bench.deliveries import WEBHOOK_SETTINGS
from bench.huge import SCALES, Scale
from bench.receiver import receiving
from bench.stores import SqliteStore, Store, postgres_store
from treaty.store.engine.database import Database, open_database
from treaty.store.tables import triggered_webhook

DEFAULT_SCALE: Final = "huge/100"
MAX_MILLISECONDS: Final = 100.0
PER_NEW_CONTENT: Final = 10
"""Builds for each one that publishes new contents."""
STEP: Final = 7
"""Departments between consecutive builds: coprime to their number, so that builds reach all of them."""
EVENTS: Final = ("contract_requiring_verification_published", "provider_verification_published")
MAX_BUILDS: Final = 200
"""Builds at once. Further ones wait for one to end."""
TIMEOUT: Final = 30.0
DRAIN_TIMEOUT: Final = 60.0
"""Seconds to wait for the deliveries of the last builds."""


class FailedRequest(Exception):
    """A response with an error status."""


@dataclass(slots=True)
class Pace:
    """A run, with its measurements so far."""

    port: int
    scale: Scale
    environment: str
    """UUID of the environment to deploy to."""
    times: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    """Latencies in milliseconds, by operation."""
    errors: Counter[str] = field(default_factory=Counter)
    running: int = 0
    max_running: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def run(self, per_minute: float, minutes: float, observe: Callable[[], str]) -> None:
        """Start builds when they are due, and wait until all have ended.

        `observe` returns a part of the line about the progress.
        """
        count = round(per_minute * minutes)
        started_at = printed_at = time.monotonic()
        with ThreadPoolExecutor(MAX_BUILDS) as builds:
            for number in range(count):
                due = started_at + number * 60 / per_minute
                time.sleep(max(0.0, due - time.monotonic()))
                self._count_running(1)
                builds.submit(self._build, number, due)
                if time.monotonic() - printed_at >= huge.PROGRESS:
                    printed_at = time.monotonic()
                    remaining = minutes * 60 - (printed_at - started_at)
                    print(f"{number} builds, {self.running} running, {observe()}, {remaining:.0f} s remain", flush=True)

    def _count_running(self, change: int) -> None:
        with self._lock:
            self.running += change
            self.max_running = max(self.max_running, self.running)

    def _build(self, number: int, due: float) -> None:
        try:
            with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT)) as connection:
                self._run_build(connection, number, due)
        except (FailedRequest, OSError, http.client.HTTPException, KeyError, ValueError) as error:
            with self._lock:
                self.errors[f"{type(error).__name__}: {error}"] += 1
        finally:
            self._count_running(-1)

    def _run_build(self, connection: http.client.HTTPConnection, number: int, due: float) -> None:
        department = number * STEP % self.scale.departments
        index = number // self.scale.departments % departments.APPLICATIONS
        name = departments.application(department, index)
        version = f"2.0.{number}+{int(due * 1000):x}"
        send = partial(self._send, connection)
        send("publish", "POST", "/contracts/publish", _publication(department, index, version, number), due)
        selection = {
            "consumerVersionSelectors": [{"mainBranch": True}],
            "includePendingStatus": True,
            "providerVersionBranch": "main",
        }
        response = send("pacts for verification", "POST", f"/pacts/provider/{name}/for-verification", selection)
        for entry in response["_embedded"]["pacts"]:
            pact = send("fetch a pact", "GET", entry["_links"]["self"]["href"])
            result = {"success": True, "providerApplicationVersion": version}
            href = pact["_links"]["pb:publish-verification-results"]["href"]
            send("publish a result", "POST", href, result)
        query = urlencode({"pacticipant": name, "version": version, "environment": histories.ENVIRONMENTS[0]})
        send("can-i-deploy", "GET", f"/can-i-deploy?{query}")
        path = f"/pacticipants/{name}/versions/{version}/deployed-versions/environment/{self.environment}"
        send("record a deployment", "POST", path, {})

    def _send(
        self,
        connection: http.client.HTTPConnection,
        operation: str,
        method: str,
        url: str,
        body: object = None,
        due: float | None = None,
    ) -> Any:
        """Send a request, and return the body of the response. Raises FailedRequest."""
        started_at = due or time.monotonic()
        headers = {"Accept": "application/hal+json", "Content-Type": "application/json"}
        url = url.removeprefix(f"http://127.0.0.1:{self.port}")
        connection.request(method, url, None if body is None else json.dumps(body), headers)
        response = connection.getresponse()
        content = response.read()
        with self._lock:
            self.times[operation].append((time.monotonic() - started_at) * 1000)
        if response.status >= HTTPStatus.BAD_REQUEST:
            raise FailedRequest(f"{response.status} for {operation}")
        return json.loads(content)

    def format_lines(self) -> Iterator[str]:
        """Yield the lines of the printed table."""
        yield f"{'operation':26}{'count':>8}{'p50 ms':>9}{'p95 ms':>9}{'p99 ms':>9}{'max ms':>9}"
        for operation, percentiles in self.compute_percentiles().items():
            verdict = "met" if percentiles["p99"] < MAX_MILLISECONDS else "NOT MET"
            values = "".join(f"{percentiles[name]:9.1f}" for name in ("p50", "p95", "p99", "max"))
            yield f"{operation:26}{percentiles['count']:8.0f}{values}  {verdict}"
        yield f"errors: {dict(self.errors) or 'none'}; at most {self.max_running} builds at once"

    def compute_percentiles(self) -> dict[str, dict[str, float]]:
        return {operation: _percentiles(times) for operation, times in self.times.items()}


def _percentiles(times: list[float]) -> dict[str, float]:
    ordered = sorted(times)
    shares = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
    percentiles = {name: ordered[min(len(ordered) - 1, int(len(ordered) * share))] for name, share in shares.items()}
    return {"count": len(ordered), **percentiles, "max": ordered[-1]}


def _publication(department: int, index: int, version: str, number: int) -> dict[str, Any]:
    """Build the body of a publication of pacts with all providers of an application."""
    name = departments.application(department, index)
    mark = version if number % PER_NEW_CONTENT == 0 else "a usual one"
    contracts = []
    for step in range(1, departments.CONSUMED + 1):
        provider = departments.application(department, index + step)
        pact = histories.build_pact(0, size=5600, mark=f"{mark} of {step}").decode()
        pact = pact.replace(histories.consumer(0), name).replace(histories.provider(0), provider)
        contract = {
            "consumerName": name,
            "providerName": provider,
            "specification": "pact",
            "contentType": "application/json",
            "content": base64.b64encode(pact.encode()).decode(),
        }
        contracts.append(contract)
    return {
        "pacticipantName": name,
        "pacticipantVersionNumber": version,
        "branch": "main",
        "contracts": contracts,
    }


def main(options: argparse.Namespace) -> None:
    """Build the history, run the builds on a copy of it, and print and write the results."""
    scale = SCALES[options.scale or DEFAULT_SCALE]
    report: dict[str, Any] = {"scale": scale.name, "builds_per_minute": options.builds_per_minute}
    with ExitStack() as running:
        folder = options.folder or Path(running.enter_context(tempfile.TemporaryDirectory(prefix="treaty-bench-")))
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o755)  # PostgreSQL runs as another user
        stores: list[Store] = [] if options.no_sqlite else [SqliteStore(folder)]
        if options.postgres:
            stores.append(running.enter_context(postgres_store(folder)))
        for store in stores:
            huge.build(store, scale)
            report[store.kind] = _run(store, scale, options)
    if options.json:
        options.json.write_text(json.dumps(report, indent=1) + "\n", "utf-8")


def _run(store: Store, scale: Scale, options: argparse.Namespace) -> dict[str, Any]:
    name = f"{scale.name}_pace"
    url = store.copy(scale.name, name)
    port = servers.free_port()
    with ExitStack() as running:
        running.callback(store.drop, name)
        receiver = running.enter_context(receiving())
        server = servers.treaty_server(url, port, WEBHOOK_SETTINGS, log=Path(os.devnull), folder=store.folder)
        pid = running.enter_context(server)
        servers.wait_until_idle(pid)
        database = open_database(url, connections=2)
        running.callback(database.close)
        environment = _prepare(port, None if options.no_webhooks else receiver.url)
        before, started_at = _read_processor_seconds(store, name, pid), time.monotonic()
        pace = Pace(port, scale, environment)
        observe = partial(_describe_queue, database)
        pace.run(options.builds_per_minute, options.minutes, observe)
        cores = (_read_processor_seconds(store, name, pid) - before) / (time.monotonic() - started_at)
        backlog = _wait_for_deliveries(database)
        print(f"\n{store.kind}, {scale.name}: {options.builds_per_minute:g} builds a minute")
        print("\n".join(pace.format_lines()))
        print(f"{cores:.2f} cores; {receiver.count()} deliveries arrived, {backlog} wait", flush=True)
        sizes = disk.measure(url)
        print("\n".join(disk.format_lines(store.kind, sizes)), flush=True)
        return {
            "operations": pace.compute_percentiles(),
            "errors": dict(pace.errors),
            "cores": cores,
            "backlog": backlog,
            "disk": sizes.as_json(),
        }


def _read_processor_seconds(store: Store, database: str, server: int) -> float:
    """Return the processor time in seconds, including deliveries, which other threads than the first one send."""
    return max(store.read_processor_seconds(database, server), servers.read_all_processor_seconds(server))


def _prepare(port: int, receiver_url: str | None) -> str:
    """Add webhooks if there is a receiver, and return the UUID of the environment to deploy to."""
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=TIMEOUT) as client:
        for event in EVENTS if receiver_url else ():
            request = {"method": "POST", "url": receiver_url, "body": "${pactbroker.consumerVersionNumber}"}
            client.post("/webhooks", json={"events": [{"name": event}], "request": request}).raise_for_status()
        environments = client.get("/environments").json()["_embedded"]["environments"]
        uuid: str = next(
            environment["uuid"] for environment in environments if environment["name"] == histories.ENVIRONMENTS[0]
        )
        return uuid


_WAITING: Final = select(func.count()).where(triggered_webhook.c.due_at.is_not(None))


def _count_waiting(database: Database) -> int:
    waiting: int = database.read(lambda db: db.execute(_WAITING).scalar_one())
    return waiting


def _describe_queue(database: Database) -> str:
    return f"{_count_waiting(database)} deliveries wait"


def _wait_for_deliveries(database: Database) -> int:
    """Wait until no deliveries are queued, and return the number of those that still are after the timeout."""
    end = time.monotonic() + DRAIN_TIMEOUT
    while (waiting := _count_waiting(database)) and time.monotonic() < end:
        time.sleep(0.5)
    return waiting
