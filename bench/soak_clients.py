"""The clients of a soak: teams that publish, verify, tag, deploy and ask, at a steady pace."""

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
"""What webhooks send: the words of a Delivery."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """Something that is owed to the receiver."""

    event: str
    consumer: str
    version: str

    def __str__(self) -> str:
        return f"{self.event} {self.consumer} {self.version}"


@dataclass(slots=True)
class Ledger:
    """What all clients did, and were told."""

    answers: Counter[int] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    owed: dict[Delivery, str] = field(default_factory=dict)
    """With the path of the pact that it is about."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, answer: httpx.Response) -> None:
        with self._lock:
            self.answers[answer.status_code] += 1
            if answer.is_error:
                request = answer.request
                self.failures.append(f"{request.method} {request.url.path}: {answer.status_code} {answer.text[:300]}")

    def fail(self, error: Exception) -> None:
        with self._lock:
            self.failures.append(repr(error))

    def owe(self, event: str, consumer: str, version: str, path: str) -> None:
        with self._lock:
            self.owed[Delivery(event, consumer, version)] = path

    @property
    def requests(self) -> int:
        return sum(self.answers.values())


class Client:
    """One team, with a consumer of its own and providers that all share."""

    def __init__(self, number: int, address: str, ledger: Ledger) -> None:
        self._consumer = f"consumer-{number}"
        self._http = httpx.Client(base_url=address, timeout=30)
        self._ledger = ledger
        self._random = random.Random(number)  # noqa: S311 - only chooses what to do
        self._version = ""
        self._pact = ""
        self._provider = ""
        self._count = 0

    def work(self, until: float, pause: float) -> None:
        """Do one thing after the other, one in `pause` seconds."""
        deeds = self._deeds()
        due = time.monotonic() + self._random.uniform(0, pause)
        while (now := time.monotonic()) < until:
            time.sleep(max(0.0, due - now))
            due = max(due + pause, now)
            try:
                deeds[self._count % len(deeds)]()
            except (httpx.HTTPError, KeyError, ValueError) as error:
                self._ledger.fail(error)
            self._count += 1
        self._http.close()

    def _deeds(self) -> list[Callable[[], None]]:
        return [self._publish, self._fetch, self._verify, self._ask, self._tag, self._publish, self._deploy, self._look]

    def _send(self, method: str, path: str, body: object = None) -> Any:
        answer = self._http.request(method, path, json=body)
        self._ledger.note(answer)
        return answer.json() if answer.content and "json" in answer.headers.get("content-type", "") else None

    def _publish(self) -> None:
        self._version = f"1.{self._count}"
        self._provider = f"provider-{self._random.randrange(PROVIDERS)}"
        contract = {
            "consumerName": self._consumer,
            "providerName": self._provider,
            "specification": "pact",
            "contentType": "application/json",
            "content": base64.b64encode(json.dumps(self._document()).encode()).decode(),
        }
        named = {"pacticipantName": self._consumer, "pacticipantVersionNumber": self._version, "branch": "main"}
        self._send("POST", "/contracts/publish", {**named, "contracts": [contract]})
        self._pact = f"/pacts/provider/{self._provider}/consumer/{self._consumer}/version/{self._version}"
        self._ledger.owe(PUBLISHED, self._consumer, self._version, self._pact)

    def _document(self) -> dict[str, Any]:
        """Make a pact that changes now and then."""
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

    def _fetch(self) -> None:
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
        self._ledger.owe(VERIFIED, self._consumer, self._version, self._pact)

    def _ask(self) -> None:
        question = f"pacticipant={self._consumer}&version={self._version}&environment=production"
        self._send("GET", f"/can-i-deploy?{question}")

    def _tag(self) -> None:
        self._send("PUT", f"/pacticipants/{self._consumer}/versions/{self._version}/tags/dev", {})

    def _deploy(self) -> None:
        resource = self._send("GET", f"/pacticipants/{self._consumer}/versions/{self._version}")
        links = resource["_links"]["pb:record-deployment"]
        self._send("POST", httpx.URL(links[0]["href"]).path, {})

    def _look(self) -> None:
        names = f"q[][pacticipant]={self._consumer}&q[][pacticipant]={self._provider}"
        self._send("GET", f"/matrix?{names}&latestby=cvpv&limit=50")
        self._send("GET", "/")
