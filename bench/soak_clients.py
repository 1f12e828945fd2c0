"""Clients of a soak test: teams that publish, verify, tag, deploy and request decisions at a steady rate."""

import base64
import json
import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import httpx

PROVIDERS: Final = 4
PUBLISHED: Final = "contract_published"
VERIFIED: Final = "provider_verification_published"
BODY: Final = "${pactbroker.eventName} ${pactbroker.consumerName} ${pactbroker.consumerVersionNumber}"
"""Body of the webhooks: the text of a `Delivery`."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """A delivery that the receiver must get."""

    event: str
    consumer: str
    version: str

    def __str__(self) -> str:
        return f"{self.event} {self.consumer} {self.version}"


@dataclass(slots=True)
class Ledger:
    """Statuses of all responses, failures, and expected deliveries of all clients."""

    statuses: Counter[int] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    expected: dict[Delivery, str] = field(default_factory=dict)
    """Expected deliveries, with the path of their pact."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def record(self, response: httpx.Response) -> None:
        with self._lock:
            self.statuses[response.status_code] += 1
            if response.is_error:
                request = response.request
                self.failures.append(
                    f"{request.method} {request.url.path}: {response.status_code} {response.text[:300]}"
                )

    def record_error(self, error: Exception) -> None:
        with self._lock:
            self.failures.append(repr(error))

    def expect(self, event: str, consumer: str, version: str, path: str) -> None:
        with self._lock:
            self.expected[Delivery(event, consumer, version)] = path

    @property
    def requests(self) -> int:
        return sum(self.statuses.values())


class Client:
    """A team, with a consumer of its own and providers that all teams share."""

    def __init__(self, number: int, address: str, ledger: Ledger) -> None:
        self._consumer = f"consumer-{number}"
        self._http = httpx.Client(base_url=address, timeout=30)
        self._ledger = ledger
        self._random = random.Random(number)  # noqa: S311 - only chooses what to do
        self._version = ""
        self._pact = ""
        self._provider = ""
        self._count = 0

    def work(self, end: float, pause: float) -> None:
        """Execute the steps in turn, one every `pause` seconds, until a time of the monotonic clock."""
        steps = self._list_steps()
        due = time.monotonic() + self._random.uniform(0, pause)
        while (now := time.monotonic()) < end:
            time.sleep(max(0.0, due - now))
            due = max(due + pause, now)
            try:
                steps[self._count % len(steps)]()
            except (httpx.HTTPError, KeyError, ValueError) as error:
                self._ledger.record_error(error)
            self._count += 1
        self._http.close()

    def _list_steps(self) -> list[Callable[[], None]]:
        return [
            self._publish,
            self._fetch_pacts_to_verify,
            self._verify,
            self._can_i_deploy,
            self._tag,
            self._publish,
            self._deploy,
            self._query_matrix,
        ]

    def _send(self, method: str, path: str, body: object = None) -> Any:
        response = self._http.request(method, path, json=body)
        self._ledger.record(response)
        return response.json() if response.content and "json" in response.headers.get("content-type", "") else None

    def _publish(self) -> None:
        self._version = f"1.{self._count}"
        self._provider = f"provider-{self._random.randrange(PROVIDERS)}"
        contract = {
            "consumerName": self._consumer,
            "providerName": self._provider,
            "specification": "pact",
            "contentType": "application/json",
            "content": base64.b64encode(json.dumps(self._build_pact()).encode()).decode(),
        }
        version = {"pacticipantName": self._consumer, "pacticipantVersionNumber": self._version, "branch": "main"}
        self._send("POST", "/contracts/publish", {**version, "contracts": [contract]})
        self._pact = f"/pacts/provider/{self._provider}/consumer/{self._consumer}/version/{self._version}"
        self._ledger.expect(PUBLISHED, self._consumer, self._version, self._pact)

    def _build_pact(self) -> dict[str, Any]:
        """Build a pact, which changes every 64 steps."""
        interactions = [
            {
                "description": f"a request for {index} of {self._count // 64}",
                "request": {"method": "GET", "path": f"/things/{index}"},
                "response": {"status": 200, "body": {"thing": index, "filling": "x" * 200}},
            }
            for index in range(10)
        ]
        return {
            "consumer": {"name": self._consumer},
            "provider": {"name": self._provider},
            "interactions": interactions,
        }

    def _fetch_pacts_to_verify(self) -> None:
        body = {
            "consumerVersionSelectors": [{"mainBranch": True}, {"deployedOrReleased": True}],
            "includePendingStatus": True,
            "providerVersionBranch": "main",
        }
        self._send("POST", f"/pacts/provider/{self._provider}/for-verification", body)

    def _verify(self) -> None:
        pact = self._send("GET", self._pact)
        path = httpx.URL(pact["_links"]["pb:publish-verification-results"]["href"]).raw_path.decode()
        number = f"2.{self._count}"
        provider = f"/pacticipants/{self._provider}"
        self._send("PUT", f"{provider}/branches/main/versions/{number}", {})
        result = {"success": self._random.random() < 0.9, "providerApplicationVersion": number}  # noqa: PLR2004 - most
        self._send("POST", path, result)
        self._ledger.expect(VERIFIED, self._consumer, self._version, self._pact)

    def _can_i_deploy(self) -> None:
        query = f"pacticipant={self._consumer}&version={self._version}&environment=production"
        self._send("GET", f"/can-i-deploy?{query}")

    def _tag(self) -> None:
        self._send("PUT", f"/pacticipants/{self._consumer}/versions/{self._version}/tags/dev", {})

    def _deploy(self) -> None:
        resource = self._send("GET", f"/pacticipants/{self._consumer}/versions/{self._version}")
        links = resource["_links"]["pb:record-deployment"]
        self._send("POST", httpx.URL(links[0]["href"]).path, {})

    def _query_matrix(self) -> None:
        names = f"q[][pacticipant]={self._consumer}&q[][pacticipant]={self._provider}"
        self._send("GET", f"/matrix?{names}&latestby=cvpv&limit=50")
        self._send("GET", "/")
