"""The key of secrets is rotated while a server handles requests, without errors."""

import hashlib
import hmac
import os
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import chdir, closing, contextmanager
from pathlib import Path

import httpx
import pytest
from sqlalchemy import create_engine, text

from tests.api.client import publication
from tests.receiver import Arrival, Receiver
from tests.waiting import eventually
from tests.whole.servers import BIN, Server, run, running
from treaty.settings import Secret, Settings
from treaty.store.engine import keys
from treaty.store.engine.database import open_database
from treaty.store.engine.vault import get_vault

# A webhook's two secrets are encrypted, and so is the key that credentials are hashed with.
CANARY, SIGNING = "canary-" + os.urandom(6).hex(), "signing-" + os.urandom(6).hex()
OPEN = {
    "PACT_BROKER_WEBHOOK_SCHEME_WHITELIST": "http https",
    "PACT_BROKER_WEBHOOK_HOST_WHITELIST": "127.0.0.1",
}
FIRST, SECOND = "the-first-key/long-enough", "the-second-key/long-enough"


@pytest.fixture
def broker(database_url: str, tmp_path: Path, receiver: Receiver) -> Iterator[Server]:
    """A server with a webhook whose secrets are encrypted."""
    with running(database_url, cwd=tmp_path, environ=OPEN) as server:
        _hook(server, receiver)
        with chdir(tmp_path):
            _store_key_of_credentials(Settings(database_url=database_url))
        yield server


def _store_key_of_credentials(settings: Settings) -> None:
    """Store the key that the first credential would be hashed with: a user would close the broker to these requests."""
    with closing(open_database(settings.database_url)) as database:
        database.write(lambda db: keys.ensure(db, get_vault(settings)))


def _hook(server: Server, receiver: Receiver) -> str:
    request = {"method": "POST", "url": receiver.url, "headers": {"Authorization": CANARY, "X-Plain": "v1:plain"}}
    body = {"request": request, "events": [{"name": "contract_published"}], "secret": SIGNING}
    response = httpx.post(f"{server.address}/webhooks", json=body)
    assert response.status_code == 201, response.text
    return str(response.headers["location"])


def _publish(server: Server, version: str) -> None:
    response = httpx.post(f"{server.address}/contracts/publish", json=publication("Till", version, "Ledger"))
    assert response.status_code == 200, response.text


def _rotate(database_url: str, folder: Path, *options: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return run("treaty", "rotate-key", "--database-url", database_url, *options, cwd=folder, **environ)


def _rotated(database_url: str, folder: Path, *options: str, **environ: str) -> str:
    done = _rotate(database_url, folder, *options, **environ)
    assert done.returncode == 0, done.stderr
    assert CANARY not in done.stdout + done.stderr
    return done.stdout


@contextmanager
def _publishing(server: Server) -> Iterator[list[str]]:
    """Publish versions until the block ends."""
    published: list[str] = []
    is_over = threading.Event()

    def publish() -> None:
        while not is_over.wait(0.05):
            _publish(server, str(len(published)))
            published.append(str(len(published)))

    thread = threading.Thread(target=publish)
    thread.start()
    try:
        yield published
    finally:
        is_over.set()
        thread.join()


def _is_right(arrival: Arrival) -> bool:
    signed = arrival.headers["x-treaty-timestamp"].encode() + b"." + arrival.body
    signature = "sha256=" + hmac.new(SIGNING.encode(), signed, hashlib.sha256).hexdigest()
    return (
        arrival.headers["authorization"] == CANARY
        and arrival.headers["x-plain"] == "v1:plain"
        and arrival.headers["x-treaty-signature-256"] == signature
    )


def _dump(database_url: str) -> str:
    """Return the rows of the database about webhooks and their deliveries."""
    engine = create_engine(database_url.replace("postgresql:", "postgresql+psycopg:"))
    with engine.connect() as db:
        tables = ("webhook", "triggered_webhook", "webhook_execution")
        every = [db.execute(text(f"SELECT * FROM {table}")) for table in tables]  # noqa: S608 - names above
        content = str([tuple(row) for rows in every for row in rows])
    engine.dispose()
    return content


def _keys(folder: Path) -> list[str]:
    return (folder / "treaty.key").read_text().split()


@pytest.mark.slow_on_postgresql
def test_the_key_changes_while_a_server_delivers(
    broker: Server, database_url: str, tmp_path: Path, receiver: Receiver
) -> None:
    (former,) = _keys(tmp_path)
    with _publishing(broker) as published:
        receiver.wait(3)
        assert "All 3 secrets are encrypted with the newest key." in _rotated(database_url, tmp_path)
        assert _keys(tmp_path)[1:] == [former]
        _rotated(database_url, tmp_path, "--finish")
        assert former not in _keys(tmp_path)
        receiver.wait(len(published) + 3)
    assert all(_is_right(arrival) for arrival in receiver.wait(len(published)))
    _hook(broker, receiver)
    assert "All 5 secrets" in _rotated(database_url, tmp_path, "--finish"), "a server encrypted with the former key"
    assert CANARY not in _dump(database_url)
    assert CANARY not in broker.log
    assert oct((tmp_path / "treaty.key").stat().st_mode & 0o777) == "0o600"


@pytest.mark.slow_on_postgresql
def test_a_killed_rotation_of_the_key_continues_with_the_next_call(
    broker: Server, database_url: str, tmp_path: Path, receiver: Receiver
) -> None:
    for _ in range(100):
        _hook(broker, receiver)
    command = [str(BIN / "treaty"), "rotate-key", "--database-url", database_url]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        while "Re-encrypted" not in process.stdout.readline():
            assert process.poll() is None
        process.kill()
    newest, _ = _keys(tmp_path)
    receiver.arrivals.clear()
    _publish(broker, "between")
    assert all(_is_right(arrival) for arrival in receiver.wait(101))
    output = _rotated(database_url, tmp_path)
    assert "continuing with these" in output
    assert "All 203 secrets are encrypted with the newest key." in output
    _rotated(database_url, tmp_path, "--finish")
    assert _keys(tmp_path) == [newest]


def test_a_key_in_the_settings_changes_while_servers_are_restarted_one_after_the_other(
    tmp_path: Path, receiver: Receiver
) -> None:
    url = f"sqlite:///{tmp_path / 'treaty.sqlite'}"
    prepared = {**OPEN, "PACT_BROKER_SECRET_KEY": FIRST, "PACT_BROKER_PREVIOUS_SECRET_KEYS": SECOND}
    changed = {**OPEN, "PACT_BROKER_SECRET_KEY": SECOND, "PACT_BROKER_PREVIOUS_SECRET_KEYS": FIRST}
    with running(url, cwd=tmp_path, environ=prepared) as first, running(url, cwd=tmp_path, environ=changed) as second:
        _hook(first, receiver)
        _hook(second, receiver)
        _store_key_of_credentials(Settings(database_url=url, secret_key=Secret(FIRST)))
        output = _rotated(url, tmp_path, PACT_BROKER_SECRET_KEY=SECOND, PACT_BROKER_PREVIOUS_SECRET_KEYS=FIRST)
        assert "All 5 secrets are encrypted with the newest key." in output
        for number, server in enumerate([first, second] * 4):
            _publish(server, str(number))
        assert all(_is_right(arrival) for arrival in receiver.wait(16))
    with running(url, cwd=tmp_path, environ={**OPEN, "PACT_BROKER_SECRET_KEY": SECOND}) as server:
        _publish(server, "last")
        assert _is_right(receiver.wait(18)[-1])
        assert "secret_key" not in server.log


@pytest.mark.long_on_postgresql
def test_a_key_file_gives_way_to_a_key_in_the_settings(
    broker: Server, database_url: str, tmp_path: Path, receiver: Receiver
) -> None:
    broker.end()
    with running(database_url, cwd=tmp_path, environ={**OPEN, "PACT_BROKER_SECRET_KEY": FIRST}) as server:
        _rotated(database_url, tmp_path, PACT_BROKER_SECRET_KEY=FIRST)
        output = _rotated(database_url, tmp_path, "--finish", PACT_BROKER_SECRET_KEY=FIRST)
        assert f"No secret needs previous_secret_keys or {tmp_path / 'treaty.key'} any more" in output
        (tmp_path / "treaty.key").unlink()
        _publish(server, "1")
        assert _is_right(receiver.wait(1)[0])


@pytest.mark.long_on_postgresql
def test_a_wrong_key_is_reported_with_the_setting_to_change(broker: Server, database_url: str, tmp_path: Path) -> None:
    broker.end()
    (tmp_path / "treaty.key").unlink()
    before = _dump(database_url)
    failed = _rotate(database_url, tmp_path, PACT_BROKER_SECRET_KEY=FIRST)
    assert failed.returncode == 1
    assert "3 secrets were encrypted with a key that is not configured" in failed.stderr
    assert "previous_secret_keys" in failed.stderr
    assert _dump(database_url) == before
    with running(database_url, cwd=tmp_path, environ={**OPEN, "PACT_BROKER_SECRET_KEY": FIRST}) as server:
        assert "3 secrets are encrypted with another key than that of" in server.log
        assert "previous_secret_keys" in server.log
        _publish(server, "1")
        eventually(lambda: "stored under another key" in _dump(database_url), lambda: server.log)


def test_only_one_at_a_time_changes_the_key(broker: Server, database_url: str, tmp_path: Path) -> None:
    assert broker.process.poll() is None
    with ThreadPoolExecutor(2) as threads:
        both = [threads.submit(_rotated, database_url, tmp_path) for _ in range(2)]
    assert all("All 3 secrets are encrypted" in future.result() for future in both)
