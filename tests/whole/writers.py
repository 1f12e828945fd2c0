"""Clients that publish at once, and remember what was acknowledged."""

import base64
import json
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import httpx

from tests.waiting import PATIENCE


def body(consumer: str, version: str, provider: str) -> dict[str, object]:
    """A publication whose content tells its version, so that what was stored can be told from what was not."""
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
    """What the clients were told."""

    acknowledged: list[str] = field(default_factory=list)
    refused: list[tuple[str, int, str]] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)


def publish_at_once(
    shares: Iterable[tuple[str, Iterable[str]]], consumer: str, provider: str, *, until: Callable[[Outcomes], bool]
) -> Outcomes:
    """Publish from a thread for each share (an address and versions) until all is sent, or `until` says stop."""
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
                answer = client.post("/contracts/publish", json=body(consumer, version, provider))
            except httpx.HTTPError:
                outcomes.broken.append(version)
                return
            if answer.is_success:
                outcomes.acknowledged.append(version)
            else:
                outcomes.refused.append((version, answer.status_code, answer.text))


def stored(address: str, consumer: str, provider: str, version: str) -> str | None:
    """The path in the stored pact of a version: whole and its own, or nothing."""
    answer = httpx.get(f"{address}/pacts/provider/{provider}/consumer/{consumer}/version/{version}")
    if answer.status_code == httpx.codes.NOT_FOUND:
        return None
    path: str = answer.json()["interactions"][0]["request"]["path"]
    return path
