"""Cached responses are reused only while their queries return the same rows."""

import base64
import gc
import sqlite3
import tracemalloc
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast

import pytest
from sqlalchemy import Connection

from tests.api.client import HAL, Answer, Api, pact
from tests.api.history import History
from treaty.settings import Settings
from treaty.store.engine.database import open_database
from treaty.store.migrations import migrate
from treaty.web.application import build_application
from treaty.web.response_cache import MAX_ENTRY_BYTES, ResponseCache
from treaty.web.routers import build_route_table

FOO, BAR = "/pacticipants/Foo", "/pacticipants/Bar"
PAIR = "/pacts/provider/Bar/consumer/Foo"
MATRIX = "q%5B%5D%5Bpacticipant%5D=Foo&q%5B%5D%5Bversion%5D=1&q%5B%5D%5Bpacticipant%5D=Bar"
VERIFIABLE = "/pacts/provider/Bar/for-verification"
SELECTORS = [{"mainBranch": True}, {"tag": "dev", "latest": True}, {"deployedOrReleased": True}]
WANTED = {
    "consumerVersionSelectors": SELECTORS,
    "providerVersionBranch": "main",
    "includePendingStatus": True,
    "includeWipPactsSince": "2020-01-01",
}
DOCUMENT = base64.b64encode(b'{"openapi": "3.1.0", "info": {"title": "Bar", "version": "1"}, "paths": {}}').decode()
QUESTIONS = (
    "/can-i-deploy?pacticipant=Foo&version=1&environment=test",
    "/can-i-deploy?pacticipant=Foo&version=1&to=prod",
    f"{FOO}/latest-version/dev/can-i-deploy/to/prod",
    f"{FOO}/branches/main/latest-version/can-i-deploy/to-environment/test",
    f"/matrix?{MATRIX}",
    "/matrix/provider/Bar/consumer/Foo",
    f"{PAIR}/version/1",
    f"{PAIR}/latest",
    f"{PAIR}/latest/dev",
    f"{PAIR}/latest-untagged",
    f"{PAIR}/branch/main/latest",
    VERIFIABLE,
    f"{PAIR}/badge.svg",
    f"{PAIR}/latest/badge.svg",
    f"{PAIR}/latest/dev/badge.svg",
    f"{PAIR}/latest-untagged/badge.svg",
    "/matrix/provider/Bar/latest/dev/consumer/Foo/latest/dev/badge.svg",
    f"{FOO}/latest-version/dev/can-i-deploy/to/prod/badge.svg",
    f"{FOO}/branches/main/latest-version/can-i-deploy/to-environment/test/badge.svg",
    f"{FOO}/main-branch/can-i-merge/badge.svg",
    "/pacticipants",
    "/pacticipants?page=1&size=1",
    FOO,
    f"{FOO}/versions",
    f"{FOO}/versions?page=2&size=1",
    f"{FOO}/versions/1",
    f"{FOO}/branches/main/versions",
    f"{FOO}/latest-version",
    f"{FOO}/latest-version/dev",
    f"{FOO}/branches/main/latest-version",
    "/integrations",
    "/pacticipant/Foo/network",
    "/pacticipants/Foo/deployed-or-released/versions",
    "/dashboard",
    "/dashboard/provider/Bar/consumer/Foo",
    "/environments",
    "/usage?provider=Bar&operation=GET%20/",
    "/usage/operations?provider=Bar",
)


@pytest.fixture
def history(api: Api) -> History:
    """Two versions of a pact, one of them verified by a deployed version."""
    history = History(api)
    for version in ("1", "2"):
        api.publish("Foo", version, "Bar", version, branch="main", tags=["dev"] if version == "1" else [])
    history.verify("Foo", "1", "Bar", by="10")
    api.put(f"{BAR}/branches/main/versions/10", {})
    history.deploy("Bar", "10", "test")
    api.put(f"{BAR}/versions/10/tags/prod")
    return history


def _questions(api: Api) -> list[str]:
    """Those above, and the latest content by its address."""
    latest = api.get(f"{PAIR}/latest", headers={"x-asks": "for the link"})
    if latest.status != 200:
        return [*QUESTIONS]
    content = latest.link("pb:pact-version").partition("/metadata/")[0]
    return [*QUESTIONS, content, f"{content}/metadata/Y3ZuPTE"]


def _fetch_all(api: Api) -> list[tuple[int, str | None, bytes]]:
    return [
        *(_summarize(api.get(path, accept="*/*" if path.endswith(".svg") else HAL)) for path in _questions(api)),
        _summarize(api.post(VERIFIABLE, WANTED)),
    ]


def _summarize(answer: Answer) -> tuple[int, str | None, bytes]:
    return answer.status, answer.headers.get("location"), answer.body


CHANGES: dict[str, Callable[[Api, History], object]] = {
    "another result": lambda _, history: history.verify("Foo", "1", "Bar", by="10", success=False),
    "a result of another version": lambda _, history: history.verify("Foo", "2", "Bar", by="11"),
    "a tag": lambda api, _: api.put(f"{FOO}/versions/2/tags/dev"),
    "a tag of the provider": lambda api, _: api.put(f"{BAR}/versions/10/tags/dev"),
    "a tag that is gone": lambda api, _: api.delete(f"{FOO}/versions/1/tags/dev"),
    "a branch": lambda api, _: api.put(f"{FOO}/branches/feat%2Fx/versions/1", {}),
    "a branch that is gone": lambda api, _: api.delete(f"{FOO}/branches/main"),
    "a main branch": lambda api, _: api.patch(FOO, {"mainBranch": "other"}),
    "a deployment of another version": lambda _, history: _deploy_another(history),
    "a deployment of the consumer": lambda _, history: history.deploy("Foo", "1", "test"),
    "a release": lambda _, history: history.release("Foo", "2", "test"),
    "a newer version": lambda api, _: api.publish("Foo", "3", "Bar", 3, branch="main"),
    "a newer version of the same content": lambda api, _: api.publish("Foo", "3", "Bar", 1, branch="main"),
    "a version that is gone": lambda api, _: api.delete(f"{FOO}/versions/1"),
    "a pact that is gone": lambda api, _: api.delete(f"{PAIR}/version/2"),
    "another consumer": lambda api, _: api.publish("Baz", "1", "Bar", 1),
    "another provider": lambda api, _: api.publish("Foo", "1", "Qux", 1),
    "a label": lambda api, _: api.put(f"{FOO}/labels/mobile"),
    "an address": lambda api, _: api.patch(BAR, {"repositoryUrl": "https://example.org"}),
    "the address of a build": lambda api, _: api.patch(f"{FOO}/versions/1", {"buildUrl": "https://example.org/1"}),
    "another environment": lambda _, history: history.environment("live"),
    "a pacticipant that is gone": lambda api, _: api.delete(BAR),
    "a contract of the provider": lambda api, _: _publish_contract(api),
}


def _publish_contract(api: Api) -> None:
    contract = {"content": DOCUMENT, "contentType": "application/json", "specification": "oas"}
    body = {"pacticipantVersionNumber": "10", "contract": contract}
    assert api.post("/provider-contracts/provider/Bar/publish", body).status == 200


def _deploy_another(history: History) -> None:
    history.version("Bar", "11")
    history.deploy("Bar", "11", "test")


@pytest.mark.long_on_postgresql  # test_response_cache_histories.py makes random changes on both databases
@pytest.mark.parametrize("change", CHANGES)
def test_every_change_is_seen_at_once(api, make_api, history, change):
    before = [_fetch_all(api) for _ in range(3)]
    assert before[0] == before[1] == before[2]
    CHANGES[change](api, history)
    after = [_fetch_all(api) for _ in range(3)]
    assert after[0] != before[0]
    assert after == [_fetch_all(make_api())] * 3


@pytest.mark.usefixtures("history")
def test_nothing_else_is_kept(api):
    table = build_route_table(Settings())
    endpoints = {template: table.load(template) for template in table.templates}
    paths = (question.partition("?")[0] for question in _questions(api))
    templates = {template for path in paths if (template := table.match(path).template)}
    kept = {
        route.handler: route.url.template
        for resource in endpoints.values()
        for route in resource.routes.values()
        if route.is_cacheable
    }
    assert {endpoints[template].routes["GET"].handler for template in templates} | {
        endpoints[VERIFIABLE.replace("Bar", "{provider}")].routes["POST"].handler
    } == set(kept)


def _driver(db: Connection) -> sqlite3.Connection:
    return cast("sqlite3.Connection", db.connection.dbapi_connection)


def test_a_cached_response_runs_all_its_queries_again(tmp_path: Path):
    url = f"sqlite:///{tmp_path / 'treaty.sqlite'}"
    database = open_database(url)
    migrate(database)
    statements: list[str] = []
    with closing(Api(build_application(Settings(database_url=url, log_level="error"), database))) as api:
        api.publish("Foo", "1", "Bar", 1, branch="main", tags=["dev"])
        _fetch_all(api)
        database.read(lambda db: _driver(db).set_trace_callback(statements.append))
        counts = []
        for _ in range(3):
            statements.clear()
            _fetch_all(api)
            # Whether there are users is asked again after some seconds, so it is not counted.
            counts.append(sum("FROM account" not in statement for statement in statements))
    database.close()
    assert counts[0] == counts[1] == counts[2] > len(QUESTIONS)


@pytest.mark.usefixtures("history")
def test_a_body_of_another_type_is_refused_as_ever(api):
    answers = [api.post(VERIFIABLE, WANTED) for _ in range(3)]
    assert {answer.status for answer in answers} == {200}
    assert api.post(VERIFIABLE, WANTED, type="text/plain").status == 415


@pytest.mark.usefixtures("history")
def test_each_media_type_is_cached_separately(api):
    path = QUESTIONS[0]
    rounds = [[api.get(path, accept=media_type) for media_type in (HAL, "text/plain", "image/png")] for _ in range(3)]
    assert [answer.headers.get("content-type", "").partition(";")[0] for answer in rounds[2][:2]] == [HAL, "text/plain"]
    assert [answer.body for answer in rounds[0]] == [answer.body for answer in rounds[2]]
    assert [answer.status for answer in rounds[2]] == [200, 200, 406]


@pytest.mark.usefixtures("history")
def test_links_of_cached_responses_have_the_host_of_the_request(api):
    path = f"{PAIR}/latest"
    for host in ("localhost:81", "127.0.0.1", "localhost:81", "127.0.0.1", "localhost:81", "127.0.0.1"):
        answer = api.get(path, headers={"host": host})
        assert answer.json()["_links"]["self"]["href"].startswith(f"http://{host}/")


def test_a_kept_answer_is_spared_and_compressed_like_any_other(api):
    path = f"{PAIR}/version/9"
    api.put(path, {**pact("Foo", "Bar"), "interactions": [{"filling": "x" * 40_000}]})
    plain = [api.get(path) for _ in range(3)][-1]
    smaller = [api.get(path, headers={"accept-encoding": "gzip"}) for _ in range(2)]
    assert [answer.headers.get("content-encoding") for answer in (*smaller, api.get(path))] == ["gzip", "gzip", None]
    assert api.get(path, headers={"if-none-match": plain.headers["etag"]}).status == 304
    head = api.request("HEAD", path)
    assert (head.body, head.headers["etag"]) == (b"", plain.headers["etag"])
    assert api.get(path).body == plain.body


def test_a_response_that_depends_on_the_date_is_recomputed_on_another_day(api, clock):
    api.publish("Foo", "1", "Bar", 1, branch="feat/x")
    History(api).verify("Foo", "1", "Bar", by="10")
    api.put(f"{BAR}/branches/main/versions/10", {})
    selection = {**WANTED, "consumerVersionSelectors": [{"tag": "nothing", "latest": True}]}
    during = [api.post(VERIFIABLE, selection).json()["_embedded"]["pacts"] for _ in range(3)]
    clock.now += timedelta(days=31)
    assert [len(pacts) for pacts in during] == [0, 0, 0]
    assert len(api.post(VERIFIABLE, selection).json()["_embedded"]["pacts"]) == 1


@pytest.mark.usefixtures("history")
def test_a_decision_is_counted_each_time(api):
    for _ in range(5):
        api.get(QUESTIONS[0])
    counted = api.get("/metrics/prometheus", accept="*/*").text
    assert 'treaty_decisions_total{verdict="yes"} 5.0' in counted


@pytest.mark.long_on_postgresql  # the database makes no difference
def test_a_setting_limits_the_memory_of_cached_responses(api, make_api):
    paths = [f"{PAIR}/version/{number}" for number in range(10)]
    for number, path in enumerate(paths):
        assert api.put(path, pact("Foo", "Bar", str(number) * 50_000)).status == 201

    def measure(**settings):
        """Return the bytes that remain in memory after repeated requests for pacts of 100,000 characters."""
        process = make_api(**settings)
        process.get(paths[0])
        tracemalloc.start()
        for path in paths * 2:
            assert process.get(path).status == 200
        gc.collect()
        remaining, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return remaining

    assert measure() > 1_000_000
    assert 100_000 < measure(response_cache_bytes=250_000) < 800_000
    assert measure(response_cache_bytes=0) < 100_000


def test_the_size_of_the_cache_is_limited(tmp_path: Path):
    database = open_database(f"sqlite:///{tmp_path / 'treaty.sqlite'}")
    cache = ResponseCache[bytes](10_000, len)
    computed_numbers: list[int] = []

    def ask(number: int, size: int) -> bytes:
        def make() -> bytes:
            computed_numbers.append(number)
            return bytes(size)

        return database.read(lambda db: cache.get_or_compute(db, number, make, now=datetime.now(UTC)))

    for number in range(100):
        for _ in range(3):
            ask(number, 1000)
    assert computed_numbers == [number for number in range(100) for _ in range(2)]
    computed_numbers.clear()
    for number in range(100):
        ask(number, 1000)
    assert len(computed_numbers) > 90
    for _ in range(3):
        ask(1000, MAX_ENTRY_BYTES)
    assert computed_numbers[-3:] == [1000] * 3
    database.close()
