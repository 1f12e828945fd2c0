"""Clients of a chaos test: teams that repeat requests until they are acknowledged, and check every decision."""

import base64
import json
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import httpx

BODY: Final = "${pactbroker.consumerName} ${pactbroker.consumerVersionNumber}"
"""Body of the webhook."""
MAX_ATTEMPTS_SECONDS: Final = 90.0
"""Maximum time until a request is acknowledged. When a client gives up, the run has failed."""


@dataclass(slots=True)
class Ledger:
    """Statuses of all responses, problems, and expected deliveries of all clients."""

    statuses: Counter[int] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)
    failed_at: list[float] = field(default_factory=list)
    """Times of responses from 500 on, and of lost connections, by the monotonic clock."""
    failures: list[str] = field(default_factory=list)
    """Their requests and causes."""
    expected_deliveries: list[str] = field(default_factory=list)
    """Bodies of the deliveries for acknowledged publications."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def record(self, response: httpx.Response) -> None:
        with self._lock:
            self.statuses[response.status_code] += 1
            if response.is_server_error:
                self.failed_at.append(time.monotonic())
                self.failures.append(self._describe(response, "failed"))
                if "retry-after" not in response.headers:
                    self._add_problem(response, "has no Retry-After")
            elif response.is_client_error:
                self._add_problem(response, "is an error of the client")

    def record_lost_connection(self, error: httpx.TransportError) -> None:
        with self._lock:
            self.statuses[0] += 1
            self.failed_at.append(time.monotonic())
            self.failures.append(f"{error.request.method} {error.request.url.path}: {type(error).__name__}: {error}")

    def add_problem(self, text: str) -> None:
        with self._lock:
            self.problems.append(text)

    def expect_delivery(self, body: str) -> None:
        with self._lock:
            self.expected_deliveries.append(body)

    def _add_problem(self, response: httpx.Response, text: str) -> None:
        self.problems.append(self._describe(response, text))

    @staticmethod
    def _describe(response: httpx.Response, text: str) -> str:
        request = response.request
        return f"{request.method} {request.url.path}: {response.status_code} {text}: {response.text[:200]}"

    @property
    def requests(self) -> int:
        return sum(self.statuses.values())


class Team:
    """A team with its own consumer and provider. It records its acknowledged writes, which the broker must not lose."""

    def __init__(self, number: int, url: str, ledger: Ledger) -> None:
        self.consumer, self.provider = f"shop-{number}", f"prices-{number}"
        self._client = httpx.Client(base_url=url, timeout=60)
        self._ledger = ledger
        self._random = random.Random(number)  # noqa: S311 - only chooses what to do
        self._count = 0
        self._published: dict[str, int] = {}
        """Acknowledged consumer versions, with the number of the content of their pacts."""
        self._results: dict[tuple[int, str], bool] = {}
        """Last acknowledged result of each content and provider version."""
        self._deployed = ""

    def work(self, is_over: threading.Event, pause: float) -> None:
        """Send requests until the event is set."""
        try:
            self._deploy()
            while not is_over.is_set():
                self._count += 1
                for step in (
                    self._publish,
                    self._verify,
                    self._check_decision,
                    self._deploy_sometimes,
                    self._check_decision,
                ):
                    step()
                    time.sleep(self._random.uniform(0, 2 * pause))
        except (httpx.HTTPError, KeyError, ValueError, TimeoutError) as error:
            self._ledger.add_problem(f"{self.consumer}: {error!r}")

    def check(self) -> Iterator[str]:
        """Compare all acknowledged writes with the data of the broker, and yield the differences."""
        response = self._send("GET", f"/pacticipants/{self.consumer}/versions?size=10000")
        numbers = {version["number"] for version in response["_embedded"]["versions"]}
        yield from (f"{self.consumer} {number}: lost" for number in self._published if number not in numbers)
        matrix = self._send(
            "GET", f"/matrix?q[][pacticipant]={self.consumer}&q[][pacticipant]={self.provider}&limit=10000"
        )
        rows = {
            (row["consumer"]["version"]["number"], row["providerVersion"]): row["verificationResult"]["success"]
            # The matrix lists the newest row of a pair first. Reversed, it overwrites the older ones.
            for row in map(_flatten, reversed(matrix["matrix"]))
            if row["verificationResult"]
        }
        for number, content in self._published.items():
            for (verified_content, provider_version), success in self._results.items():
                if verified_content == content and rows.get((number, provider_version)) is not success:
                    yield f"{self.consumer} {number}, {provider_version}: the result {success} is lost"
        deployed = self._send("GET", f"/pacticipants/{self.provider}/versions/{self._deployed}")
        if not deployed["_links"]["pb:deployed-environments"]:
            yield f"{self.provider} {self._deployed}: its deployment is lost"
        for number in self._published:
            yield from self._find_wrong_decisions(number)
        self._client.close()

    def _send(self, method: str, path: str, body: object = None) -> Any:
        """Send a request until it is acknowledged, as CI jobs do. Raises TimeoutError."""
        end = time.monotonic() + MAX_ATTEMPTS_SECONDS
        while time.monotonic() < end:
            try:
                response = self._client.request(method, path, json=body)
            # The process was killed, maybe after a commit; all requests can be repeated.
            except httpx.TransportError as error:
                self._ledger.record_lost_connection(error)
                time.sleep(1)
                continue
            self._ledger.record(response)
            if not response.is_server_error:
                return response.json() if response.content else None
            time.sleep(float(response.headers.get("retry-after", 1)))
        raise TimeoutError(f"{method} {path} was not acknowledged")

    def _publish(self) -> None:
        number, content = f"1.{self._count}", self._count // 3
        pact = {
            "consumer": {"name": self.consumer},
            "provider": {"name": self.provider},
            "interactions": [
                {
                    "description": f"a price of {content}",
                    "request": {"method": "GET", "path": f"/prices/{content}"},
                    "response": {"status": 200, "body": {"price": index}},
                }
                for index in range(5)
            ],
        }
        contract = {
            "consumerName": self.consumer,
            "providerName": self.provider,
            "specification": "pact",
            "contentType": "application/json",
            "content": base64.b64encode(json.dumps(pact).encode()).decode(),
        }
        version = {"pacticipantName": self.consumer, "pacticipantVersionNumber": number, "branch": "main"}
        self._send("POST", "/contracts/publish", {**version, "contracts": [contract]})
        self._published[number] = content
        self._ledger.expect_delivery(f"{self.consumer} {number}")

    def _verify(self) -> None:
        number, content = f"1.{self._count}", self._count // 3
        pact = self._send("GET", f"/pacts/provider/{self.provider}/consumer/{self.consumer}/version/{number}")
        path = httpx.URL(pact["_links"]["pb:publish-verification-results"]["href"]).raw_path.decode()
        provider_version = f"2.{self._count // 2}"
        success = self._random.random() < 0.7  # noqa: PLR2004 - most
        self._send("POST", path, {"success": success, "providerApplicationVersion": provider_version})
        self._results[content, provider_version] = success

    def _deploy_sometimes(self) -> None:
        if self._random.random() < 0.3:  # noqa: PLR2004 - some
            self._deploy()

    def _deploy(self) -> None:
        number = f"2.{self._count // 2}"
        self._send("PUT", f"/pacticipants/{self.provider}/versions/{number}", {})
        version = self._send("GET", f"/pacticipants/{self.provider}/versions/{number}")
        (link,) = version["_links"]["pb:record-deployment"]
        self._send("POST", httpx.URL(link["href"]).path, {})
        self._deployed = number

    def _check_decision(self) -> None:
        for problem in self._find_wrong_decisions(f"1.{self._count}"):
            self._ledger.add_problem(problem)

    def _find_wrong_decisions(self, number: str) -> Iterator[str]:
        """Compare can-i-deploy for a consumer version with the acknowledged results, and yield the difference.

        Other teams do not affect the decision, since this team alone writes about its applications.
        """
        query = f"pacticipant={self.consumer}&version={number}&environment=production"
        is_deployable = self._send("GET", f"/can-i-deploy?{query}")["summary"]["deployable"]
        expected = self._results.get((self._published[number], self._deployed))
        if bool(is_deployable) is not bool(expected):
            text = f"can-i-deploy is {is_deployable}, but the result with {self._deployed} is {expected}"
            yield f"{self.consumer} {number}: {text}"


def _flatten(row: dict[str, Any]) -> dict[str, Any]:
    provider = row["provider"]["version"]
    return {**row, "providerVersion": provider and provider["number"]}
