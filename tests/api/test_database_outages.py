"""Requests while the database cannot be used: responses ask clients to retry, and no data is lost."""

import re
import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg import sql

from tests import postgres
from tests.api.client import SECRET_KEY, Answer, Api, build_settings, publication
from tests.api.deliveries import OPEN
from tests.databases import on_sqlite
from tests.receiver import Reply, receiving
from tests.waiting import PATIENCE, eventually
from treaty.actions.accounts import credentials
from treaty.model.accounts.access import Role
from treaty.store.engine.database import Database, open_database
from treaty.store.migrations import migrate
from treaty.web.application import build_application
from treaty.web.parameter_urls import PARAMETER_URLS
from treaty.workers.deliveries import DeliveryWorker

HEARTBEAT = "/diagnostic/status/heartbeat"
SHOP = "/pacticipants/web-shop"
REQUESTS = {
    "read": lambda api, **sender: api.get("/pacticipants", **sender),
    "unknown path": lambda api, **sender: api.get("/nothing", **sender),
    "cached read": lambda api, **sender: api.get(
        "/can-i-deploy?pacticipant=web-shop&version=1&environment=production", **sender
    ),
    "page": lambda api, **sender: api.get("/", accept="text/html", **sender),
    "write": lambda api, **sender: api.put(SHOP, {"name": "web-shop", "displayName": "Shop"}, **sender),
    "publication": lambda api, **sender: api.post(
        "/contracts/publish", publication("web-shop", "2", "prices"), **sender
    ),
}


@pytest.fixture
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database that no other test uses: an outage ends the connections of all."""
    if getattr(request, "param", "postgresql") == "sqlite":
        yield f"sqlite:///{tmp_path / 'broker.sqlite'}"
        return
    with postgres.database(request.getfixturevalue("postgres_url")) as url:
        yield url


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    opened = open_database(database_url, connections=2)
    migrate(opened)
    yield opened
    opened.close()


@pytest.fixture
def serve(database_url: str, database: Database, clock) -> Iterator[Callable[..., Api]]:
    """Serve the database in this process."""
    served = []

    def serve(**options: object) -> Api:
        settings = build_settings(database_url=database_url, secret_key=SECRET_KEY, **options)
        served.append(Api(build_application(settings, database, clock=clock)))
        return served[-1]

    yield serve
    for api in served:
        api.close()


@contextmanager
def outage(url: str) -> Iterator[None]:
    """End all connections to a database of PostgreSQL and refuse new ones, as while the server restarts."""
    name = urlsplit(url).path.removeprefix("/")
    with psycopg.connect(urlsplit(url)._replace(path="/postgres").geturl(), autocommit=True) as maintenance:
        allow = sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS {}").format
        maintenance.execute(allow(sql.Identifier(name), sql.SQL("false")))
        try:
            end = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s"
            maintenance.execute(end, [name])
            yield
        finally:
            maintenance.execute(allow(sql.Identifier(name), sql.SQL("true")))


def assert_retryable(answer: Answer) -> None:
    assert answer.status == 503
    assert int(answer.headers["retry-after"]) > 0
    assert "The database cannot be used at the moment" in answer.text


@pytest.mark.parametrize("has_accounts", [False, True])
def test_requests_return_503_with_retry_after_and_succeed_afterwards(
    serve, database_url, accounts, capfd, *, has_accounts
):
    sender = {"headers": {"authorization": f"Bearer {accounts(Role.READ_WRITE).text}"}} if has_accounts else {}
    api = serve()
    api.post("/environments", {"name": "production", "production": True}, **sender)
    api.put(SHOP, {"name": "web-shop"}, **sender)
    # Without accounts, an unknown path needs no database.
    requests = {name: send for name, send in REQUESTS.items() if has_accounts or name != "unknown path"}
    requests["publication"](api, **sender)
    with outage(database_url):
        for send in requests.values():
            assert_retryable(send(api, **sender))
            log = "".join(capfd.readouterr())
            assert re.search("cannot be (used|reached)", log)
            assert "Traceback" not in log
    after = {name: send(api, **sender).status for name, send in requests.items()}
    assert after == {name: 404 if name == "unknown path" else 200 for name in requests}


def test_a_delivery_that_ends_in_an_outage_is_recorded_afterwards_once(database, database_url, capfd):
    settings = build_settings(database_url=database_url, secret_key=SECRET_KEY, **OPEN)
    worker = DeliveryWorker(database, settings, PARAMETER_URLS)
    api = Api(build_application(settings, database, worker=worker))
    may_answer = threading.Event()
    with ExitStack() as stack, receiving() as receiver:
        stack.callback(api.close)
        receiver.replies = [Reply(write=lambda _: may_answer.wait(PATIENCE))]
        hook = {
            "events": [{"name": "contract_published"}],
            "request": {"method": "POST", "url": f"{receiver.url}/${{pactbroker.consumerName}}"},
        }
        assert api.post("/webhooks", hook).status == 201
        worker.start()
        stack.callback(worker.stop)
        stack.callback(may_answer.set)
        for consumer in ("app", "web-shop"):  # the deliveries of one pair are sent one after the other
            assert api.post("/contracts/publish", publication(consumer, "1", "prices")).status == 200
        receiver.wait(2)
        capfd.readouterr()
        with outage(database_url):
            wait_for_report(capfd)
            may_answer.set()
            assert "Traceback" not in wait_for_report(capfd)
        for consumer in ("app", "web-shop"):
            wait_for_success(api, f"/pacts/provider/prices/consumer/{consumer}/version/1/triggered-webhooks")
        assert sorted(arrival.path for arrival in receiver.arrivals) == ["/app", "/web-shop"], receiver.arrivals


def wait_for_report(capfd) -> str:
    """Wait until the worker has logged that the database cannot be used, and return the log since the last call."""
    log = [""]

    def is_reported() -> bool:
        log[0] += "".join(capfd.readouterr())
        return "is not currently accepting connections" in log[0]

    eventually(is_reported, lambda: log[0])
    return log[0]


def wait_for_success(api: Api, path: str) -> None:
    def statuses() -> list[str]:
        return [triggered["status"] for triggered in api.get(path).json()["_embedded"]["triggeredWebhooks"]]

    eventually(lambda: statuses() == ["success"], statuses)


@pytest.mark.parametrize("is_public", [False, True])
def test_the_heartbeat_does_not_depend_on_the_database(serve, database, database_url, accounts, *, is_public):
    revoked_token = accounts(Role.READ_ONLY, "ben")
    database.write(lambda db: credentials.revoke_token(db, revoked_token.token))
    token, revoked = (
        {"authorization": f"Bearer {issued.text}"} for issued in (accounts(Role.READ_ONLY), revoked_token)
    )
    api = serve(public_heartbeat=is_public)
    expected = {"anonymous": ({}, is_public), "token": (token, True), "revoked token": (revoked, is_public)}
    for headers, is_accepted in expected.values():
        assert (api.get(HEARTBEAT, headers=headers).status == 200) is is_accepted
    with outage(database_url):
        # Whether a token has been revoked cannot be found out now, and is no reason to restart the server.
        assert api.get(HEARTBEAT, headers=token).json()["ok"] is True
        assert api.get(HEARTBEAT, headers=revoked).json()["ok"] is True
        assert (api.get(HEARTBEAT).status == 200) is is_public


@on_sqlite
def test_a_full_disk_refuses_writes_and_loses_nothing(serve, database):
    api = serve()
    api.publish("web-shop", "1", "prices")
    large = secrets.token_hex(40_000)  # cannot be compressed
    limit_pages(database, 1)  # SQLite raises a limit below the present size to that size
    assert_retryable(api.publish("web-shop", "2", "prices", large))
    versions = api.get(f"{SHOP}/versions").json()["_embedded"]["versions"]
    assert [version["number"] for version in versions] == ["1"]
    limit_pages(database, 2**30)
    assert api.publish("web-shop", "2", "prices", large).status == 200


def limit_pages(database: Database, count: int) -> None:
    database.read_once(lambda db: db.exec_driver_sql(f"PRAGMA max_page_count = {count}").close())
