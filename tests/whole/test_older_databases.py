"""A database that an earlier commit has written is upgraded, and all responses are the same."""

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.older_databases import sample_data
from tests.older_databases.answers import ask, opened, recorded_answers
from tests.older_databases.fixture import FOLDERS, KINDS, Fixture
from tests.older_databases.restored import ADMINISTRATOR, EXPIRING, HOLDING, SENDING, restored, send_all_webhooks
from tests.older_databases.sample_data import PRICES, SECRETS, SHOP, Broker, q
from tests.receiver import Receiver
from tests.whole.servers import Server, running
from treaty.store.engine.database import open_database
from treaty.store.migrations import HEAD, migrate, revision

QUEUED = 6
"""Queued deliveries in the dumps: five without an attempt, and one that waits for a retry."""


@pytest.fixture(params=FOLDERS, ids=lambda folder: folder.name)
def folder(request: pytest.FixtureRequest) -> Path:
    folder_of_dump: Path = request.param
    return folder_of_dump


@pytest.fixture(params=KINDS)
def fixture(folder: Path, request: pytest.FixtureRequest) -> Fixture:
    return Fixture(folder, request.param)


@pytest.fixture
def url(fixture: Fixture, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    with restored(fixture, tmp_path, request) as url:
        yield url


@pytest.fixture
def server(url: str, tmp_path: Path) -> Iterator[Server]:
    with running(url, cwd=tmp_path, environ=HOLDING) as server:
        yield server


@pytest.fixture
def broker(server: Server, url: str, fixture: Fixture, tmp_path: Path) -> Broker:
    return Broker(server, tmp_path, url, fixture.facts["identities"][ADMINISTRATOR])


def test_every_request_has_the_recorded_answer(fixture: Fixture, url: str, tmp_path: Path) -> None:
    identities = fixture.facts["identities"]
    with opened(fixture, url, tmp_path) as api:
        answers = [(request, ask(api, request, identities), answer) for request, answer in recorded_answers(fixture)]
    assert len(answers) > 200
    differences = [_difference(*comparison) for comparison in answers if comparison[1] != comparison[2]]
    assert not differences, f"{len(differences)} of {len(answers)} answers differ:\n\n" + "\n\n".join(differences[:10])


def _difference(request: dict[str, Any], answer: dict[str, Any], recorded: dict[str, Any]) -> str:
    lines = [f"{request['method']} {request['path']} as {request['as']} ({request['accept']})"]
    return "\n".join([*lines, *_changes("", recorded, answer)][:20])


def _changes(path: str, recorded: object, answer: object) -> Iterator[str]:
    """Return a description of each changed value, by its path in the document."""
    if isinstance(recorded, dict) and isinstance(answer, dict):
        for name in sorted({*recorded, *answer}):
            yield from _changes(f"{path}/{name}", recorded.get(name), answer.get(name))
    elif isinstance(recorded, list) and isinstance(answer, list) and len(recorded) == len(answer):
        for number, pair in enumerate(zip(recorded, answer, strict=True)):
            yield from _changes(f"{path}/{number}", *pair)
    elif recorded != answer:
        yield f"  {path}: was {json.dumps(recorded)[:300]}, is {json.dumps(answer)[:300]}"


def test_the_database_is_upgraded_to_the_newest_revision(url: str) -> None:
    with closing(open_database(url, connections=1)) as database:
        migrate(database)
        assert database.read(revision) == HEAD


@pytest.mark.slow_on_postgresql
def test_tokens_passwords_and_sessions_authenticate(server: Server, fixture: Fixture) -> None:
    for identity, headers in fixture.facts["identities"].items():
        response = httpx.get(f"{server.address}/pacticipants", headers={"accept": "application/hal+json", **headers})
        is_refused = identity in {"anonymous", "revoked token", "disabled user's token"}
        if identity != EXPIRING:
            assert response.status_code == (401 if is_refused else 200), identity
    assert sample_data.sign_in(server.address, sample_data.READER)


@pytest.mark.slow_on_postgresql
def test_a_session_writes_with_the_token_of_its_page(server: Server, fixture: Fixture) -> None:
    cookie = fixture.facts["identities"]["developer's session"]
    page = httpx.get(f"{server.address}/environments/new", headers={"accept": "text/html", **cookie})
    csrf = page.text.partition('name="csrf_token" value="')[2].partition('"')[0]
    body = {"name": "staging", "production": False}
    path = f"{server.address}/environments"
    assert httpx.post(path, json=body, headers=cookie).status_code == 403
    assert httpx.post(path, json=body, headers={**cookie, "x-csrf-token": csrf}).status_code == 201


@pytest.mark.slow_on_postgresql
def test_webhooks_send_the_secrets_that_were_stored_before_while_and_after_the_key_is_rotated(
    broker: Broker, fixture: Fixture, receiver: Receiver
) -> None:
    send_all_webhooks(broker, fixture, receiver)
    broker.administer("rotate-key")
    receiver.arrivals.clear()
    send_all_webhooks(broker, fixture, receiver)
    broker.administer("rotate-key", "--finish")
    former_key = (fixture.folder / "key").read_text()
    assert former_key not in (broker.folder / "treaty.key").read_text()
    receiver.arrivals.clear()
    send_all_webhooks(broker, fixture, receiver)


@pytest.mark.slow_on_postgresql
def test_queued_deliveries_are_sent(fixture: Fixture, url: str, tmp_path: Path, receiver: Receiver) -> None:
    with running(url, cwd=tmp_path, environ=HOLDING) as server:
        broker = Broker(server, tmp_path, url, fixture.facts["identities"][ADMINISTRATOR])
        for uuid in fixture.facts["webhooks"].values():
            sample_data.point_webhook_at(broker, uuid, receiver.url)
    with running(url, cwd=tmp_path, environ=SENDING):
        arrivals = receiver.wait(QUEUED)
    credentials = Counter(arrival.headers["authorization"] for arrival in arrivals)
    assert credentials.keys() == {*SECRETS.values(), sample_data.basic("ci", sample_data.PASSWORDS["failing"])}
    # The provider's version has been removed since the delivery was queued.
    assert any(arrival.body == b'{"by":"13","of":"Web Shop"}' for arrival in arrivals)


def test_publishing_verifying_and_deciding_go_on(broker: Broker) -> None:
    question = f"/can-i-deploy?pacticipant={q(SHOP)}&version=6&environment=production"
    sample_data.publish(broker, SHOP, "6", PRICES, "another thing", branch="main", tags=["prod"])
    assert broker.send("GET", question)["summary"]["deployable"] is None
    sample_data.verify(broker, SHOP, "6", PRICES, "10", success=True)
    assert broker.send("GET", question)["summary"]["deployable"] is True
    latest = broker.send("GET", f"/pacts/provider/{PRICES}/consumer/{q(SHOP)}/latest")
    assert latest["interactions"][-1]["description"] == "another thing"


def test_the_integrity_check_finds_nothing_wrong(broker: Broker) -> None:
    assert broker.administer("doctor")
