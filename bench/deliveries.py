"""Webhooks: how soon after its event a delivery arrives, and how many a server sends when it has many to send."""

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
LEAST_PER_SECOND: Final = 200.0
MOST_MILLISECONDS: Final = 500.0
PAIRS: Final = 20
WEBHOOKS: Final = 20
"""Of each pair; each publication is owed to all of them."""
PAUSE: Final = 0.05
"""Seconds between publications when it is measured how soon deliveries arrive."""
PATIENCE: Final = 120
OPEN: Final = {
    "TREATY_WEBHOOK_SCHEME_WHITELIST": "http",
    "TREATY_WEBHOOK_HOST_WHITELIST": "127.0.0.1",
    "TREATY_SECRET_KEY": "a key of the bench, which is no secret",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Deliveries:
    """What came of it. Times are in milliseconds, from before a publication was sent to the arrival."""

    per_second: float
    p50: float
    p99: float
    most: float

    def as_json(self) -> dict[str, Any]:
        return {"per_second": self.per_second, "p50": self.p50, "p99": self.p99, "most": self.most}

    def format_lines(self) -> Iterable[str]:
        """Write figures for people."""
        verdict = "met" if self.per_second >= LEAST_PER_SECOND else "not met"
        yield f"deliveries a second: {self.per_second:.0f} (target {LEAST_PER_SECOND:g}: {verdict})"
        verdict = "met" if self.most <= MOST_MILLISECONDS else "not met"
        times = f"p50 {self.p50:.1f}, p99 {self.p99:.1f}, most {self.most:.1f}"
        yield f"ms from an event to its delivery: {times} (target {MOST_MILLISECONDS:g}: {verdict})"


def measure(url: str, folder: Path, *, is_quick: bool) -> Deliveries:
    """Measure on a server with a database of which no other process makes use."""
    port = servers.free_port()
    with (
        receiving() as receiver,
        servers.treaty_server(url, port, OPEN, log=Path(os.devnull), folder=folder),
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client,
    ):
        _subscribe(client, receiver, histories.consumer(0))
        times = _soon(client, receiver, count=20 if is_quick else 100)
        for pair in range(1, PAIRS + 1):
            for _ in range(WEBHOOKS):
                _subscribe(client, receiver, histories.consumer(pair))
        per_second = _many(client, receiver, each=2 if is_quick else 5)
    return Deliveries(
        per_second=per_second, p50=median(times), p99=times[min(len(times) - 1, len(times) * 99 // 100)], most=times[-1]
    )


def _subscribe(client: httpx.Client, receiver: Receiver, consumer: str) -> None:
    client.patch(f"/pacticipants/{consumer}", json={}).raise_for_status()
    hook = {
        "consumer": {"name": consumer},
        "events": [{"name": "contract_published"}],
        "request": {"method": "POST", "url": receiver.url, "body": "${pactbroker.consumerVersionNumber}"},
    }
    client.post("/webhooks", json=hook).raise_for_status()


def _publish(client: httpx.Client, pair: int, version: str) -> None:
    pact = histories.pact(pair, size=2000, mark=version)
    contract = {
        "consumerName": histories.consumer(pair),
        "providerName": histories.provider(pair),
        "specification": "pact",
        "contentType": "application/json",
        "content": base64.b64encode(json.dumps(json.loads(pact)).encode()).decode(),
    }
    body = {"pacticipantName": histories.consumer(pair), "pacticipantVersionNumber": version, "contracts": [contract]}
    client.post("/contracts/publish", json=body).raise_for_status()


def _soon(client: httpx.Client, receiver: Receiver, *, count: int) -> list[float]:
    """Publish now and then; list how long the deliveries took, the shortest first."""
    began: dict[str, float] = {}
    for index in range(count):
        began[str(index)] = time.monotonic()
        _publish(client, 0, str(index))
        time.sleep(PAUSE)
    return sorted((arrival.at - began[arrival.body]) * 1000 for arrival in _arrivals(receiver, count))


def _many(client: httpx.Client, receiver: Receiver, *, each: int) -> float:
    """Publish as fast as can be; say how many deliveries came in a second, from the first to the last."""
    for version in range(each):
        for pair in range(1, PAIRS + 1):
            _publish(client, pair, str(version))
    arrivals = _arrivals(receiver, each * PAIRS * WEBHOOKS)
    return len(arrivals) / (arrivals[-1].at - arrivals[0].at)


def _arrivals(receiver: Receiver, count: int) -> list[Arrival]:
    until = time.monotonic() + PATIENCE
    while receiver.count() < count:
        if time.monotonic() > until:
            raise TimeoutError(f"{receiver.count()} of {count} deliveries came")
        time.sleep(0.02)
    return receiver.take()
