"""Fifty clients send every kind of write to four server processes on one PostgreSQL."""

import random
import threading
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field

import httpx
import pytest

from tests import postgres
from tests.scale import IS_LONG
from tests.waiting import PATIENCE
from tests.whole import writers
from tests.whole.servers import run, running

CLIENTS, SERVERS = 50, 4
STEPS = 60 if IS_LONG else 4
"""Random steps of each client."""
SHARED = "Shared"


@dataclass
class Ledger:
    """Acknowledged writes of the clients, which must exist at the end, and failures."""

    acknowledged: dict[str, list[str]] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)


class Client:
    """A team publishes its own and shared pacts, tags, verifies, deploys, and deletes its own data."""

    def __init__(self, number: int, address: str, environment: str, ledger: Ledger) -> None:
        self._name = f"App {number}"
        self._http = httpx.Client(base_url=address, timeout=PATIENCE)
        self._environment = environment
        self._ledger = ledger
        self._random = random.Random(number)  # noqa: S311 - only chooses steps
        self._count = 0
        self._deletions = 0

    def work(self) -> None:
        steps = [self._publish, self._publish, self._share, self._tag, self._deploy, self._delete]
        try:
            for _ in range(STEPS):
                self._random.choice(steps)()
        except httpx.HTTPError as error:
            self._ledger.failures.append(repr(error))
        finally:
            self._http.close()

    def _send(self, method: str, path: str, body: object = None) -> httpx.Response:
        response = self._http.request(method, path, json=body if body is not None else {})
        self._ledger.statuses[response.status_code] += 1
        if response.is_server_error or response.status_code in {httpx.codes.BAD_REQUEST, httpx.codes.CONFLICT}:
            self._ledger.failures.append(f"{method} {path}: {response.status_code} {response.text[:700]}")
        return response

    def _publish(self) -> None:
        self._publish_as(self._name, "Provider")

    def _share(self) -> None:
        self._publish_as(SHARED, f"Provider {self._random.randrange(3)}")

    def _publish_as(self, consumer: str, provider: str) -> None:
        self._count += 1
        version = f"{self._name}-{self._count}".replace(" ", "")
        if self._send("POST", "/contracts/publish", writers.body(consumer, version, provider)).is_success:
            self._ledger.acknowledged.setdefault(consumer, []).append(version)
            self._verify(consumer, provider, version)

    def _verify(self, consumer: str, provider: str, version: str) -> None:
        pact = self._send("GET", f"/pacts/provider/{provider}/consumer/{consumer}/version/{version}").json()
        link = pact["_links"]["pb:publish-verification-results"]["href"].partition("/pacts")[2]
        result = {"success": self._random.random() < 0.8, "providerApplicationVersion": str(self._random.randrange(20))}
        self._send("POST", "/pacts" + link, result)

    def _tag(self) -> None:
        consumer = self._random.choice([self._name, SHARED])
        for version in self._ledger.acknowledged.get(consumer, [])[-1:]:
            self._send("PUT", f"/pacticipants/{consumer}/versions/{version}/tags/prod")

    def _deploy(self) -> None:
        consumer = self._random.choice([self._name, SHARED])
        for version in self._ledger.acknowledged.get(consumer, [])[-1:]:
            path = f"/pacticipants/{consumer}/versions/{version}/deployed-versions/environment/{self._environment}"
            self._send("POST", path)
            self._send("GET", f"/can-i-deploy?pacticipant={consumer}&version={version}&environment=production")

    def _delete(self) -> None:
        short_lived = f"Short-lived {self._name}"
        self._deletions += 1
        self._send("POST", "/contracts/publish", writers.body(short_lived, str(self._deletions), "Provider"))
        self._send("DELETE", f"/pacticipants/{short_lived}")


@pytest.fixture
def database_url(postgres_url):
    """URL of a PostgreSQL database, which is recommended for several servers."""
    with postgres.database(postgres_url) as url:
        yield url


@pytest.mark.slow  # test_many_writers.py and test_kill.py have fewer clients
def test_nothing_fails_and_nothing_is_lost(database_url, tmp_path):
    ledger = Ledger()
    with ExitStack() as stack:
        addresses = [stack.enter_context(running(database_url, cwd=tmp_path)).address for _ in range(SERVERS)]
        response = httpx.post(f"{addresses[0]}/environments", json={"name": "production", "production": True})
        clients = [Client(n, addresses[n % SERVERS], response.json()["uuid"], ledger) for n in range(CLIENTS)]
        threads = [threading.Thread(target=client.work) for client in clients]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        print(f"{sum(ledger.statuses.values())} requests: {dict(ledger.statuses)}")  # noqa: T201 - how much was tried
        assert ledger.failures == []
        for consumer, versions in ledger.acknowledged.items():
            listed = httpx.get(f"{addresses[0]}/pacticipants/{consumer}/versions?size=100000", timeout=PATIENCE).json()
            assert {version["number"] for version in listed["_embedded"]["versions"]} == set(versions)
    examined = run("treaty", "doctor", "--database-url", database_url, cwd=tmp_path)
    assert examined.returncode == 0, examined.stdout
