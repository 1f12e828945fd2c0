"""No process returns a response that is older than an acknowledged write, while others read and write."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tests.whole import servers

WRITES = 40
PACT = "/pacts/provider/Prices/consumer/Shop/version/1"
DECISION = "/can-i-deploy?pacticipant=Shop&version=1&environment=production"


@pytest.fixture
def clients(database_url: str, tmp_path: Path) -> Iterator[list[httpx.Client]]:
    """Clients of two servers on one database."""
    with (
        servers.running(database_url, cwd=tmp_path) as first,
        servers.running(database_url, cwd=tmp_path) as second,
        httpx.Client(base_url=first.address, timeout=60) as client_of_first,
        httpx.Client(base_url=second.address, timeout=60) as client_of_second,
    ):
        yield [client_of_first, client_of_second]


class Sequence:
    """Writes 1, 2, 3… and meanwhile compares each response with the last acknowledged write."""

    def __init__(self, write: Callable[[int], httpx.Response]) -> None:
        self._write = write
        self._acknowledged = 0
        self._is_over = threading.Event()

    def write_all(self) -> None:
        try:
            for number in range(1, WRITES + 1):
                self._write(number).raise_for_status()
                self._acknowledged = number
        finally:
            self._is_over.set()

    def check(self, read: Callable[[], int]) -> None:
        """Read the number in responses until all numbers are written, and once more."""
        is_last = False
        while not is_last:
            is_last = self._is_over.is_set()
            acknowledged = self._acknowledged
            assert read() >= acknowledged


def run_together(*works: Callable[[], None]) -> None:
    with ThreadPoolExecutor(len(works)) as threads:
        for future in [threads.submit(work) for work in works]:
            future.result(120)


@pytest.mark.slow_on_postgresql  # the next test has both databases
def test_a_property_is_as_new_as_its_last_acknowledged_change(clients: list[httpx.Client]) -> None:
    def writing(client: httpx.Client, name: str) -> Sequence:
        def write(number: int) -> httpx.Response:
            return client.put(f"/pacticipants/{name}", json={"repositoryUrl": f"https://example.org/{number}"})

        client.post("/pacticipants", json={"name": name, "repositoryUrl": "https://example.org/0"}).raise_for_status()
        return Sequence(write)

    def number_of(pacticipant: dict[str, str]) -> int:
        return int(pacticipant["repositoryUrl"].rpartition("/")[2])

    def checking(sequence: Sequence, client: httpx.Client, name: str) -> list[Callable[[], None]]:
        def read_alone() -> int:
            return number_of(client.get(f"/pacticipants/{name}").json())

        def read_in_list() -> int:
            listed = client.get("/pacticipants").json()["_embedded"]["pacticipants"]
            return next(number_of(body) for body in listed if body["name"] == name)

        return [lambda: sequence.check(read_alone), lambda: sequence.check(read_in_list)]

    first, second = clients
    tills, shops = writing(first, "Till"), writing(second, "Shop")
    run_together(
        tills.write_all,
        shops.write_all,
        *checking(tills, second, "Till"),
        *checking(shops, first, "Shop"),
        *checking(shops, second, "Shop"),
    )


def test_a_decision_is_as_new_as_the_last_acknowledged_result(clients: list[httpx.Client]) -> None:
    first, second = clients
    environment = first.post("/environments", json={"name": "production", "production": True}).json()["uuid"]
    links = first.put(PACT, json={"interactions": []}).json()["_links"]
    results = httpx.URL(links["pb:publish-verification-results"]["href"]).raw_path.decode()
    writes_by_result: dict[str, int] = {}

    def write(number: int) -> httpx.Response:
        response = first.post(results, json={"success": number % 2 == 0, "providerApplicationVersion": "1"})
        writes_by_result[response.json()["_links"]["self"]["href"].rpartition("/")[2]] = number
        return response

    def reading(client: httpx.Client) -> Callable[[], int]:
        def read() -> int:
            decision = client.get(DECISION).json()
            (row,) = decision["matrix"]
            assert decision["summary"]["deployable"] is row["verificationResult"]["success"]
            result = row["verificationResult"]["_links"]["self"]["href"].rpartition("/")[2]
            return writes_by_result.get(result, WRITES)  # the response to a running write may not have arrived yet

        return read

    write(0).raise_for_status()
    deployed = f"/pacticipants/Prices/versions/1/deployed-versions/environment/{environment}"
    first.post(deployed, json={}).raise_for_status()
    sequence = Sequence(write)
    run_together(
        sequence.write_all,
        lambda: sequence.check(reading(first)),
        lambda: sequence.check(reading(second)),
        lambda: sequence.check(reading(second)),
    )
