"""Whatever is written, through any process, the next response of every process reflects it."""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.api.client import HAL, SECRET_KEY, Api, Clock
from tests.api.writes import CONSUMER, PAIR, PROVIDER, WRITES, world
from tests.databases import open_kept
from treaty.settings import Secret, Settings
from treaty.web.application import build_application
from treaty.web.http.router import Endpoint
from treaty.web.routers import list_routers

STEPS = 40
READS = 8
MATRIX = f"q%5B%5D%5Bpacticipant%5D={CONSUMER}&q%5B%5D%5Bversion%5D=1&q%5B%5D%5Bpacticipant%5D={PROVIDER}"
SELECTORS = {
    "consumerVersionSelectors": [{"mainBranch": True}, {"branch": "feat/x"}, {"deployedOrReleased": True}],
    "providerVersionBranch": "main",
    "includePendingStatus": True,
    "includeWipPactsSince": "2020-01-01",
}


@dataclass(frozen=True)
class Read:
    """A request to a cached route."""

    path: str
    body: object = None

    def send(self, api: Api) -> tuple[int, str | None, bytes]:
        accept = "*/*" if "badge" in self.path else HAL
        response = api.get(self.path, accept=accept) if self.body is None else api.post(self.path, self.body)
        return response.status, response.headers.get("location"), response.body


@pytest.fixture
def make_process(database_url: str, clock: Clock) -> Iterator[Callable[..., Api]]:
    """Make clients of applications that share a database as several processes do: each has its own connections."""
    running = []

    def make(**changes: Any) -> Api:
        settings = Settings(database_url=database_url, log_level="error", secret_key=Secret(SECRET_KEY), **changes)
        database = open_kept(database_url, connections=2)
        api = Api(build_application(settings, database, clock=clock))
        running.append((api, database))
        return api

    yield make
    for api, database in running:
        api.close()
        database.close()


def cached_reads(api: Api) -> list[Read]:
    """Return a request for each cached route."""
    names = {
        "consumer": CONSUMER,
        "provider": PROVIDER,
        "pacticipant": CONSUMER,
        "version": "1",
        "branch": "main",
        "tag": "beta",
        "environment": "production",
        "sha": api.get(f"{PAIR}/version/1").link("pb:pact-version").partition("/metadata")[0].rpartition("/")[2],
        "metadata": "Y3ZuPTE",
    }
    reads = [
        Read(f"/can-i-deploy?pacticipant={CONSUMER}&version=1&environment=production"),
        Read(f"/can-i-deploy?pacticipant={CONSUMER}&version=2&environment=production"),
        Read(f"/matrix?{MATRIX}"),
        Read(f"/matrix?{MATRIX}&limit=1000"),  # runs in a thread, with another connection
    ]
    for resource in _list_endpoints():
        for route in resource.routes.values():
            if route.is_cacheable:
                path = route.url.fill(**{name: names.get(name, "beta") for name in route.url.names})
                reads.append(Read(path, SELECTORS if route.method == "POST" else None))
    return reads


def _list_endpoints() -> list[Endpoint]:
    return [endpoint for router in list_routers(Settings()) for endpoint in router.endpoints.values()]


def route_methods() -> dict[str, str]:
    """Return the method of each route that writes, by the name of its handler."""
    routes = (route for endpoint in _list_endpoints() for route in endpoint.routes.values())
    return {route.handler.__name__: route.method for route in routes if not route.is_read_only}


@pytest.mark.slow_on_postgresql  # tests/whole/test_fresh_responses.py has both databases
@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_each_response_equals_that_of_a_broker_without_a_cache(make_process, clock, seed):
    chance = random.Random(seed)  # noqa: S311 - a repeatable choice, not a secret
    processes = [make_process(), make_process()]
    uncached = make_process(response_cache_bytes=0)
    existing = world(processes[0])
    reads = cached_reads(processes[0])
    methods = route_methods()
    distinct = set()
    for step in range(STEPS):
        writer = chance.choice(processes)
        if step % 10 == 9:  # some writes delete nearly everything
            clock.now = clock.now.replace(minute=step)
            _publish_again(writer, existing.result, step)
        else:
            name = chance.choice([*WRITES])
            path, body = WRITES[name](existing)
            content_type = "application/merge-patch+json" if methods[name] == "PATCH" else "application/json"
            assert writer.request(methods[name], path, body, type=content_type).status < 500
        for read in chance.sample(reads, READS):
            expected = read.send(uncached)
            distinct.add((read.path, expected))
            assert [read.send(process) for process in processes * 2] == [expected] * 4, (step, read)
    assert len(distinct) > len(reads)


def _publish_again(api: Api, result_path: str, step: int) -> None:
    """Restore the deleted data. Data that was published in the meantime stays."""
    for version in ("1", "2"):
        api.publish(CONSUMER, version, PROVIDER, "a thing", branch="main", tags=["beta"])
    api.post(result_path, {"success": step % 20 == 9, "providerApplicationVersion": str(step)})
    api.put(f"/pacticipants/{PROVIDER}/branches/main/versions/{step}", {})
