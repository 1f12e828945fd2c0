"""Concurrent clients that publish, and record which publications were acknowledged."""

import base64
import json
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import httpx

from tests.waiting import PATIENCE


def body(consumer: str, version: str, provider: str) -> dict[str, object]:
    """Build a publication whose content contains the version, so that `stored` can identify it."""
    pact = {
        "consumer": {"name": consumer},
        "provider": {"name": provider},
        "interactions": [
            {
                "description": f"a request of {version}",
                "request": {"method": "GET", "path": f"/{version}"},
                "response": {"status": 200, "body": {"filling": "x" * 3000}},
            }
        ],
    }
    contract = {
        "consumerName": consumer,
        "providerName": provider,
        "specification": "pact",
        "contentType": "application/json",
        "content": base64.b64encode(json.dumps(pact).encode()).decode(),
    }
    return {
        "pacticipantName": consumer,
        "pacticipantVersionNumber": version,
        "branch": "main",
        "contracts": [contract],
    }


@dataclass
class Outcomes:
    """Versions by the outcome of their publication: a success, an error, or a lost connection."""

    acknowledged: list[str] = field(default_factory=list)
    rejected: list[tuple[str, int, str]] = field(default_factory=list)
    interrupted: list[str] = field(default_factory=list)


def publish_concurrently(
    shares: Iterable[tuple[str, Iterable[str]]], consumer: str, provider: str, *, until: Callable[[Outcomes], bool]
) -> Outcomes:
    """Publish versions from a thread for each address, until all are sent or `until` returns True."""
    outcomes = Outcomes()
    threads = [
        threading.Thread(target=_publish, args=(address, list(versions), consumer, provider, outcomes, until))
        for address, versions in shares
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    return outcomes


def _publish(
    address: str,
    versions: list[str],
    consumer: str,
    provider: str,
    outcomes: Outcomes,
    until: Callable[[Outcomes], bool],
) -> None:
    with httpx.Client(base_url=address, timeout=PATIENCE) as client:
        for version in versions:
            if until(outcomes):
                return
            try:
                response = client.post("/contracts/publish", json=body(consumer, version, provider))
            except httpx.HTTPError:
                outcomes.interrupted.append(version)
                return
            if response.is_success:
                outcomes.acknowledged.append(version)
            else:
                outcomes.rejected.append((version, response.status_code, response.text))


def stored(address: str, consumer: str, provider: str, version: str) -> str | None:
    """Return the path in the stored pact of a version, or None if there is no pact."""
    response = httpx.get(f"{address}/pacts/provider/{provider}/consumer/{consumer}/version/{version}")
    if response.status_code == httpx.codes.NOT_FOUND:
        return None
    path: str = response.json()["interactions"][0]["request"]["path"]
    return path
