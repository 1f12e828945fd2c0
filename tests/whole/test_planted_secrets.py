"""Secrets of an older and of a new database are sent to webhooks, but are not in any response, page, log or dump."""

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import Connection, text

from tests import postgres
from tests.older_databases.answers import recorded_answers
from tests.older_databases.fixture import FOLDERS, KINDS, Fixture
from tests.older_databases.restored import ADMINISTRATOR, SENDING, restored
from tests.older_databases.sample_data import PRICES, SHOP, Broker, q
from tests.receiver import Arrival, Receiver, Reply, receiving
from tests.waiting import eventually
from tests.whole.servers import Server, running
from treaty.store.engine.database import open_database

HAL = "application/hal+json"
MARK = "planted"
"""Part of every planted secret."""
HEADER, KEY, PASSWORD, FORMER, SIGNING, NAMED = (f"{MARK}-{number}-swordfish" for number in range(6))
WEBHOOK = "disabled"
"""The webhook of the older database to which secrets are added in plain text, as the earlier code stored them."""


@pytest.fixture(params=KINDS)
def fixture(request: pytest.FixtureRequest) -> Fixture:
    return Fixture(FOLDERS[-1], request.param)


@pytest.fixture
def url(fixture: Fixture, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    with restored(fixture, tmp_path, request) as url:
        yield url


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        take = receiver.take

        def echo(arrival: Arrival) -> Reply:
            take(arrival)
            return Reply(200, f"{arrival.path} {arrival.headers} {arrival.body.decode()}".encode())

        receiver.take = echo  # type: ignore[method-assign]  # for this test
        yield receiver


def _plant(db: Connection, uuid: str, receiver: Receiver) -> None:
    """Store secrets as the earlier code did: only headers with two words in their names were encrypted."""

    def change(**columns: str) -> None:
        names = ", ".join(f"{name} = :{name}" for name in columns)
        db.execute(text(f"UPDATE webhook SET {names} WHERE uuid = :uuid"), {**columns, "uuid": uuid}).close()  # noqa: S608 - names of columns

    headers = db.execute(text("SELECT headers FROM webhook WHERE uuid = :uuid"), {"uuid": uuid}).scalar_one()
    change(headers=json.dumps({"deploy-key": FORMER * 20}))  # remains in the file once it is replaced
    change(
        headers=json.dumps({**json.loads(headers), "deploy": HEADER, "x-api-key": KEY, "x-plain": "7"}),
        url=receiver.url.replace("http://", f"http://ci:{PASSWORD}@") + "/planned",
    )
    log = "\n".join(
        f"[2026-11-01T07:08:09Z] {line}"
        for line in (
            f"INFO: HTTP/1.1 POST {receiver.url}/",
            f"INFO: deploy: {HEADER}",
            f"INFO: Some-Key: {FORMER}",
            "INFO: x-plain: 7",
            "INFO: HTTP/1.1 200 OK",
            f"INFO: you sent {KEY}",
        )
    )
    logs = text(
        "INSERT INTO webhook_execution (triggered_webhook_id, success, milliseconds, created_at, logs)"
        " SELECT triggered_webhook_id, success, milliseconds, created_at, :logs"
        " FROM webhook_execution ORDER BY id LIMIT 1"
    )
    db.execute(logs, {"logs": log}).close()


@pytest.mark.slow_on_postgresql
def test_no_secret_is_found_anywhere_and_all_are_sent(
    fixture: Fixture, url: str, tmp_path: Path, receiver: Receiver
) -> None:
    uuid = fixture.facts["webhooks"][WEBHOOK]
    with closing(open_database(url, connections=1)) as database:
        database.write(lambda db: _plant(db, uuid, receiver))
    assert MARK in _dump(url, tmp_path)
    identities = fixture.facts["identities"]
    with running(url, cwd=tmp_path, environ=SENDING) as server:
        broker = Broker(server, tmp_path, url, identities[ADMINISTRATOR])
        _check_upgraded(broker, uuid)
        _add_secrets(broker, receiver)
        arrivals = _send(broker, uuid, receiver)
        shown = [*_read_everything(server, fixture, identities), broker.administer("secret", "list")]
        log = server.log
    assert len(shown) > 300
    assert not [answer for answer in (*shown, log, _dump(url, tmp_path)) if MARK in answer]
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert not [path for path in files if MARK.encode() in path.read_bytes()]
    _check_sent(arrivals)


def _check_upgraded(broker: Broker, uuid: str) -> None:
    request = broker.send("GET", f"/webhooks/{uuid}")["request"]
    assert (request["headers"]["deploy"], request["headers"]["x-api-key"]) == ("*" * 10, "*" * 10)
    assert (request["headers"]["x-auth-token"], request["headers"]["x-plain"]) == ("*" * 10, "7")
    assert "@" not in request["url"]


def _add_secrets(broker: Broker, receiver: Receiver) -> None:
    """Add secrets of every kind to the upgraded database."""
    broker.administer("secret", "create", "NAMED", "--value-stdin", "--origin", receiver.url, typed=NAMED + "\n")
    request = {
        "method": "POST",
        "url": f"{receiver.url}/${{user.NAMED}}?key=${{secret.NAMED}}",
        "headers": {"Authorization": f"Bearer {HEADER}", "X-Api-Key": KEY, "X-Named": "${user.NAMED}"},
        "body": {"key": "${user.NAMED}", "nested": '{"key": "${user.NAMED}"}'},
    }
    events = [{"name": "contract_published"}]
    broker.send("POST", "/webhooks", {"description": "New", "events": events, "request": request, "secret": SIGNING})
    basic = {"method": "POST", "url": f"{receiver.url}/basic", "username": "ci", "password": PASSWORD}
    broker.send("POST", "/webhooks", {"description": "Basic", "events": events, "request": basic})


def _send(broker: Broker, uuid: str, receiver: Receiver) -> list[Arrival]:
    """Trigger deliveries, whose attempts are logged, and a test."""
    broker.send("POST", f"/webhooks/{uuid}/execute")
    pact = broker.send("GET", f"/pacts/provider/{PRICES}/consumer/{q(SHOP)}/latest")
    content = {name: pact[name] for name in ("consumer", "provider", "interactions", "metadata")}
    path = f"/pacts/provider/{PRICES}/consumer/{q(SHOP)}/version/77"
    broker.send("PUT", path, content)

    def is_logged() -> bool:
        triggered = broker.send("GET", f"{path}/triggered-webhooks")["_embedded"]["triggeredWebhooks"]
        statuses = [hook["status"] for hook in triggered if hook["name"].startswith("POST 127.0.0.1")]
        return statuses.count("success") >= 2

    eventually(is_logged)
    return [arrival for arrival in receiver.arrivals if MARK in str(arrival)]


def _check_sent(arrivals: list[Arrival]) -> None:
    by_path: dict[str, Any] = {arrival.path: arrival for arrival in arrivals}
    old, new = by_path["/planned"], by_path[f"/{NAMED}?key={NAMED}"]
    assert (old.headers["deploy"], old.headers["x-api-key"]) == (HEADER, KEY)
    # The user and password of the URL were never sent, and now are.
    assert old.headers["authorization"].startswith("Basic ")
    assert (new.headers["authorization"], new.headers["x-named"]) == (f"Bearer {HEADER}", NAMED)
    assert new.json() == {"key": NAMED, "nested": json.dumps({"key": NAMED})}


def _read_everything(server: Server, fixture: Fixture, identities: dict[str, dict[str, str]]) -> Iterator[str]:
    """Read all resources and pages of the recording of the older database, and all about webhooks."""
    with httpx.Client(base_url=server.address) as client:

        def read(path: str, identity: str, accept: str) -> str:
            return client.get(path, headers={"accept": accept, **identities[identity]}).text

        for request, _ in recorded_answers(fixture):
            if request["method"] == "GET":
                yield read(request["path"], request["as"], request["accept"])
        for path in (
            "/audit?size=100",
            "/audit/export?format=jsonl",
            "/audit/export?format=csv",
            "/metrics",
            "/secrets",
        ):
            yield read(path, ADMINISTRATOR, "*/*")
        webhooks = client.get("/webhooks", headers={"accept": HAL, **identities[ADMINISTRATOR]}).json()
        for link in webhooks["_links"]["pb:webhooks"]:
            for page in ("", "/edit", "/try", "/delete"):
                yield read(link["href"] + page, "administrator's session", "text/html")
            yield read(link["href"], ADMINISTRATOR, HAL)
        for uuid in _list_deliveries(fixture, server):
            for accept in ("text/plain", HAL):
                yield read(f"/triggered-webhooks/{uuid}/logs", ADMINISTRATOR, accept)
            yield read(f"/triggered-webhooks/{uuid}/logs", "administrator's session", "text/html")


def _list_deliveries(fixture: Fixture, server: Server) -> list[str]:
    headers = {"accept": HAL, **fixture.facts["identities"][ADMINISTRATOR]}
    uuids = []
    for version in ("1", "2", "3", "77"):
        path = f"{server.address}/pacts/provider/{PRICES}/consumer/{q(SHOP)}/version/{version}/triggered-webhooks"
        listed = httpx.get(path, headers=headers)
        if listed.status_code == 200:
            links = [
                delivery["_links"]["pb:logs"]["href"] for delivery in listed.json()["_embedded"]["triggeredWebhooks"]
            ]
            uuids += [link.split("/")[-2] for link in links]
    assert uuids
    return uuids


def _dump(url: str, folder: Path) -> str:
    """Dump a database as a backup does: a copy of the file, or pg_dump."""
    if url.startswith("sqlite"):
        return (folder / "treaty.sqlite").read_bytes().decode("latin-1")
    program = postgres.find_binaries() / "pg_dump"
    done = subprocess.run([program, url], capture_output=True, text=True, check=True, env={**os.environ, "PGTZ": "UTC"})
    return done.stdout


@pytest.mark.slow_on_postgresql
def test_without_its_key_a_server_changes_nothing_and_logs_the_reason(
    fixture: Fixture, url: str, tmp_path: Path, receiver: Receiver
) -> None:
    uuid = fixture.facts["webhooks"][WEBHOOK]
    with closing(open_database(url, connections=1)) as database:
        database.write(lambda db: _plant(db, uuid, receiver))
    key = tmp_path / "treaty.key"
    right_key = key.read_bytes()
    key.write_text("a key that is not the one of these secrets\n")
    headers = {
        "accept": HAL,
        "authorization": "Basic c2V0dGluZ3MgdXNlcjphIGZpeHR1cmUncyBwYXNzd29yZCwgd2hpY2ggaXMgbm8gc2VjcmV0",
    }
    with running(url, cwd=tmp_path, environ=SENDING) as server:
        shown = httpx.get(f"{server.address}/webhooks/{uuid}", headers=headers)
        assert shown.status_code == 200
        assert MARK not in shown.text
        assert "remain in the database in plain text until the next start" in server.log
        assert "previous_secret_keys" in server.log
    assert MARK in _dump(url, tmp_path)
    key.write_bytes(right_key)
    with running(url, cwd=tmp_path, environ=SENDING):
        pass
    assert MARK not in _dump(url, tmp_path)
