"""Secrets that earlier versions stored in plain text are encrypted when a server starts, and masked in logs."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import insert, select, update

from tests.api.client import SECRET_KEY, Api
from tests.databases import on_sqlite
from tests.receiver import Receiver
from treaty.actions.webhooks import plain_secrets as actions
from treaty.app import encrypt_plain_secrets
from treaty.settings import Secret, Settings
from treaty.store.engine.database import Database
from treaty.store.tables import triggered_webhook, webhook, webhook_execution
from treaty.store.webhooks import plain_secrets

STARS = "*" * 10
OPEN = {"webhook_scheme_whitelist": ("http", "https"), "webhook_host_whitelist": ("127.0.0.1", "ci.example")}
pytestmark = on_sqlite
Start = Callable[[], None]


@pytest.fixture
def api(make_api: Callable[..., Api]) -> Api:
    return make_api(**OPEN)


@pytest.fixture
def start(api: Api, database: Database) -> Start:  # noqa: ARG001 - the client has prepared the database
    """Encrypt plain secrets as a server does when it starts."""
    settings = Settings(database_url=str(database.engine.url), secret_key=Secret(SECRET_KEY))
    return lambda: encrypt_plain_secrets(settings, database)


def _store(api: Api, database: Database, **columns: Any) -> str:
    """Create a webhook whose request is stored as an earlier version stored it, and return its path."""
    path = api.post("/webhooks", {"request": {"method": "POST", "url": "https://ci.example"}}).link("self")
    stored = {name: json.dumps(value) if name in {"headers", "password"} else value for name, value in columns.items()}
    change = update(webhook).where(webhook.c.uuid == path.rpartition("/")[2]).values(**stored)
    database.write(lambda db: db.execute(change).close())
    return path


def _stored_text(database: Database) -> str:
    return database.read(lambda db: str(db.execute(select(webhook)).all()))


def _encryptions(api: Api) -> list[int]:
    """List how many secrets each start has encrypted, as the audit trail shows it."""
    events = api.get("/audit?type=key_change").json()["events"]
    return [event["payload"]["params"]["newly_encrypted"] for event in events]


CI = "https://ci.example/build"


@pytest.mark.parametrize(
    ("stored", "shown", "count"),
    [
        ({"headers": {"deploy": "planted"}}, {"headers": {"deploy": STARS}}, 1),
        (
            {"headers": {"deploy": "planted", "x-api-key": "planted"}},
            {"headers": dict.fromkeys(("deploy", "x-api-key"), STARS)},
            2,
        ),
        ({"headers": {"deploy": "planted", "x-job": "7"}}, {"headers": {"deploy": STARS, "x-job": "7"}}, 1),
        ({"username": "ci", "password": "planted"}, {"username": "ci", "password": STARS}, 1),
        (
            {"username": "ci", "password": "${user.X}", "headers": {"deploy": "planted"}},
            {"username": "ci", "password": "${user.X}", "headers": {"deploy": STARS}},
            1,
        ),
        ({"url": "https://ci:planted@ci.example/build"}, {"url": CI, "username": "ci", "password": STARS}, 2),
        ({"url": "https://ci@ci.example/build"}, {"url": CI, "username": "ci"}, 1),
        # The values that the webhook already sends stay.
        (
            {"url": "https://ci:planted@ci.example/build", "username": "other"},
            {"url": CI, "username": "other"},
            2,
        ),
        (
            {"url": "https://ci:planted@ci.example/build", "headers": {"authorization": "${user.X}"}},
            {"url": CI, "headers": {"authorization": "${user.X}"}},
            2,
        ),
    ],
)
def test_plain_secrets_are_encrypted_once(
    api: Api, database: Database, start: Start, stored: Mapping[str, Any], shown: Mapping[str, Any], count: int
) -> None:
    path = _store(api, database, **stored)
    start()
    request = api.get(path).json()["request"]
    assert request == {"method": "POST", "url": "https://ci.example", **shown}
    assert _encryptions(api) == [count]
    text = _stored_text(database)
    assert "planted" not in text
    start()
    assert _encryptions(api) == [count]
    assert _stored_text(database) == text


@pytest.mark.parametrize(
    "columns",
    [
        {"headers": {"x-job": "7", "accept": "text/plain", "authorization": "${user.X}"}},
        {"username": "ci", "password": "${user.X}"},
    ],
)
def test_a_webhook_without_plain_secrets_stays(
    api: Api, database: Database, start: Start, columns: Mapping[str, Any]
) -> None:
    _store(api, database, **columns)
    before = _stored_text(database)
    start()
    assert (_stored_text(database), _encryptions(api)) == (before, [])


def test_encrypted_secrets_are_sent_as_before(api: Api, database: Database, start: Start, receiver: Receiver) -> None:
    url = receiver.url.replace("http://", "http://ci:a%20password@")
    path = _store(api, database, url=url, headers={"deploy": "planted", "x-job": "7"})
    start()
    assert api.post(f"{path}/execute").json()["success"] is True
    (arrival,) = receiver.arrivals
    assert (arrival.headers["deploy"], arrival.headers["x-job"]) == ("planted", "7")
    assert arrival.headers["authorization"] == "Basic Y2k6YSBwYXNzd29yZA=="


# Logs

REQUEST_LINE = "[2026-11-01T07:08:09Z] INFO: HTTP/1.1 POST https://ci.example/"


@contextmanager
def _with_logs(api: Api, database: Database, texts: list[str]) -> Iterator[Callable[[], list[str]]]:
    """Store attempts of a delivery with these logs, and give a function that reads them."""
    request = {"method": "POST", "url": "https://ci.example"}
    api.post("/webhooks", {"request": request, "events": [{"name": "contract_published"}]})
    api.publish("Till", "1", "Ledger")
    now = datetime(2026, 11, 1, tzinfo=UTC)

    def add(db: Any) -> None:
        delivery = db.execute(select(triggered_webhook.c.id)).scalar_one()
        values = {"triggered_webhook_id": delivery, "success": True, "milliseconds": 1, "created_at": now}
        for text in texts:
            db.execute(insert(webhook_execution), {**values, "logs": text}).close()

    database.write(add)
    yield lambda: database.read(
        lambda db: list(db.execute(select(webhook_execution.c.logs).order_by(webhook_execution.c.id)).scalars())
    )


def test_logs_lose_credentials_in_headers_and_long_secrets_anywhere(api: Api, database: Database, start: Start) -> None:
    lines = (
        REQUEST_LINE,
        "[2026-11-01T07:08:09Z] INFO: some-key: any value",
        "[2026-11-01T07:08:09Z] INFO: x-job: 7",
        "[2026-11-01T07:08:09Z] INFO: HTTP/1.1 200 OK",
        "[2026-11-01T07:08:09Z] INFO: you sent 8letters and 7letter",
    )
    with _with_logs(api, database, ["\n".join(lines)]) as read_logs:
        _store(api, database, headers={"deploy": "8letters", "x-api-key": "7letter"})
        start()
        (text,) = read_logs()
    assert text.split("\n") == [
        REQUEST_LINE,
        f"[2026-11-01T07:08:09Z] INFO: some-key: {STARS}",
        "[2026-11-01T07:08:09Z] INFO: x-job: 7",
        "[2026-11-01T07:08:09Z] INFO: HTTP/1.1 200 OK",
        f"[2026-11-01T07:08:09Z] INFO: you sent {STARS} and 7letter",
    ]


@pytest.mark.parametrize("count", [0, 1, actions.BATCH_SIZE, actions.BATCH_SIZE + 1])
def test_all_logs_are_masked_even_those_of_a_webhook_without_secrets(
    api: Api, database: Database, start: Start, count: int
) -> None:
    header = "[2026-11-01T07:08:09Z] INFO: some-key: "
    with _with_logs(api, database, [f"{REQUEST_LINE}\n{header}{number}" for number in range(count)]) as read_logs:
        # Migrations mark databases of earlier versions, so that their logs are masked even without plain secrets.
        database.write(plain_secrets.add_mark)
        start()
        assert read_logs() == [f"{REQUEST_LINE}\n{header}{STARS}"] * count
    assert not database.read(plain_secrets.is_marked)
