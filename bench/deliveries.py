"""Latency of webhook deliveries, and throughput when many are queued."""

import base64
import json
import os
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Final

import httpx

from bench import histories, servers
from bench.receiver import Arrival, Receiver, receiving

NAME: Final = "deliveries"
MIN_PER_SECOND: Final = 200.0
MAX_MILLISECONDS: Final = 500.0
PAIRS: Final = 20
WEBHOOKS: Final = 20
"""Webhooks of each pair. Each publication is delivered to all of them."""
PAUSE: Final = 0.05
"""Seconds between publications while latencies are measured."""
TIMEOUT: Final = 120
WEBHOOK_SETTINGS: Final = {
    "TREATY_WEBHOOK_SCHEME_WHITELIST": "http",
    "TREATY_WEBHOOK_HOST_WHITELIST": "127.0.0.1",
    "TREATY_SECRET_KEY": "a key of the bench, which is no secret",
}
"""Settings that allow webhooks to this machine, which are forbidden by default."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Deliveries:
    """Results of the benchmark.

    Latencies are milliseconds from before a publication is sent until its delivery arrives.
    """

    per_second: float
    p50: float
    p99: float
    maximum: float

    def as_json(self) -> dict[str, Any]:
        return {"per_second": self.per_second, "p50": self.p50, "p99": self.p99, "most": self.maximum}

    def format_lines(self) -> Iterable[str]:
        """Yield the lines of the report."""
        verdict = "met" if self.per_second >= MIN_PER_SECOND else "not met"
        yield f"deliveries per second: {self.per_second:.0f} (target {MIN_PER_SECOND:g}: {verdict})"
        verdict = "met" if self.maximum <= MAX_MILLISECONDS else "not met"
        times = f"p50 {self.p50:.1f}, p99 {self.p99:.1f}, maximum {self.maximum:.1f}"
        yield f"ms from an event to its delivery: {times} (target {MAX_MILLISECONDS:g}: {verdict})"


def measure(url: str, folder: Path, *, is_quick: bool) -> Deliveries:
    """Measure on a server with a database that no other process uses."""
    port = servers.free_port()
    with (
        receiving() as receiver,
        servers.treaty_server(url, port, WEBHOOK_SETTINGS, log=Path(os.devnull), folder=folder),
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client,
    ):
        _subscribe(client, receiver, histories.consumer(0))
        times = _measure_latencies(client, receiver, count=20 if is_quick else 100)
        for pair in range(1, PAIRS + 1):
            for _ in range(WEBHOOKS):
                _subscribe(client, receiver, histories.consumer(pair))
        per_second = _measure_throughput(client, receiver, count=2 if is_quick else 5)
    return Deliveries(
        per_second=per_second,
        p50=median(times),
        p99=times[min(len(times) - 1, len(times) * 99 // 100)],
        maximum=times[-1],
    )


def _subscribe(client: httpx.Client, receiver: Receiver, consumer: str) -> None:
    client.patch(f"/pacticipants/{consumer}", json={}).raise_for_status()
    webhook = {
        "consumer": {"name": consumer},
        "events": [{"name": "contract_published"}],
        "request": {"method": "POST", "url": receiver.url, "body": "${pactbroker.consumerVersionNumber}"},
    }
    client.post("/webhooks", json=webhook).raise_for_status()


def _publish(client: httpx.Client, pair: int, version: str) -> None:
    pact = histories.build_pact(pair, size=2000, mark=version)
    contract = {
        "consumerName": histories.consumer(pair),
        "providerName": histories.provider(pair),
        "specification": "pact",
        "contentType": "application/json",
        "content": base64.b64encode(json.dumps(json.loads(pact)).encode()).decode(),
    }
    body = {"pacticipantName": histories.consumer(pair), "pacticipantVersionNumber": version, "contracts": [contract]}
    client.post("/contracts/publish", json=body).raise_for_status()


def _measure_latencies(client: httpx.Client, receiver: Receiver, *, count: int) -> list[float]:
    """Publish `count` pacts with pauses, and return the sorted latencies of their deliveries in milliseconds."""
    published_at: dict[str, float] = {}
    for index in range(count):
        published_at[str(index)] = time.monotonic()
        _publish(client, 0, str(index))
        time.sleep(PAUSE)
    return sorted(
        (arrival.received_at - published_at[arrival.body]) * 1000 for arrival in _wait_for_arrivals(receiver, count)
    )


def _measure_throughput(client: httpx.Client, receiver: Receiver, *, count: int) -> float:
    """Publish `count` pacts of each pair without pauses, and return the deliveries per second.

    The time counts from the first arrival to the last one.
    """
    for version in range(count):
        for pair in range(1, PAIRS + 1):
            _publish(client, pair, str(version))
    arrivals = _wait_for_arrivals(receiver, count * PAIRS * WEBHOOKS)
    return len(arrivals) / (arrivals[-1].received_at - arrivals[0].received_at)


def _wait_for_arrivals(receiver: Receiver, count: int) -> list[Arrival]:
    end = time.monotonic() + TIMEOUT
    while receiver.count() < count:
        if time.monotonic() > end:
            raise TimeoutError(f"{receiver.count()} of {count} deliveries arrived")
        time.sleep(0.02)
    return receiver.pop_arrivals()
