"""Clients that follow the event log of servers that are stopped and killed."""

from __future__ import annotations

import json
import socket
import subprocess
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.waiting import PATIENCE, eventually
from tests.whole import writers
from tests.whole.servers import BIN, Server, running, start

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

VERSIONS = 20


def _cursor(address: str) -> str:
    cursor: str = httpx.get(f"{address}/events?after=latest", timeout=PATIENCE).json()["cursor"]
    return cursor


def _wait(address: str, cursor: str) -> httpx.Response:
    return httpx.get(f"{address}/events", params={"after": cursor, "wait": 60}, timeout=PATIENCE)


def test_a_server_that_shuts_down_answers_waiting_clients_first(tmp_path: Path) -> None:
    """Without their responses, the server would close the connections after half a minute, and end only then."""
    with (
        running(f"sqlite:///{tmp_path / 'treaty.sqlite'}", "--log-level", "info") as server,
        ThreadPoolExecutor(1) as threads,
    ):
        cursor = _cursor(server.address)
        waiting = threads.submit(_wait, server.address, cursor)
        with pytest.raises(TimeoutError):
            waiting.result(1)
        server.end()
        response = waiting.result(PATIENCE)
    assert (response.status_code, response.json()["_embedded"]["events"]) == (200, [])
    assert response.json()["cursor"] == cursor


@pytest.mark.slow_on_postgresql
def test_an_event_of_one_worker_process_wakes_clients_of_the_other(database_url: str, tmp_path: Path) -> None:
    with running(database_url, "--workers", "2", cwd=tmp_path) as server, ThreadPoolExecutor(4) as threads:
        cursor = _cursor(server.address)
        waiting = [threads.submit(_wait, server.address, cursor) for _ in range(4)]
        with pytest.raises(TimeoutError):
            waiting[0].result(1)
        response = httpx.post(
            f"{server.address}/contracts/publish", json=writers.body("Shop", "1", "Prices"), timeout=PATIENCE
        )
        assert response.status_code == httpx.codes.OK
        for each in waiting:
            assert each.result(PATIENCE).json()["_embedded"]["events"][0]["name"] == "contract_published"


@pytest.mark.slow  # tests/api/test_event_log.py follows concurrent writers, and tests/whole/test_kill.py kills a server
def test_no_event_is_lost_when_server_and_client_are_killed(database_url: str, tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    options = (database_url, "--port", port)
    servers: list[Server] = [start(*options, cwd=tmp_path)]
    other = start(database_url, cwd=tmp_path)
    acknowledged: list[str] = []
    follower = _Follower(servers[0].address, tmp_path)
    follower.start()
    try:
        with ThreadPoolExecutor(2) as threads:
            publishing = [
                threads.submit(_publish, servers[0].address, "Shop", acknowledged),
                threads.submit(_publish, other.address, "Till", acknowledged),
            ]
            for share in (1, 2, 3):
                eventually(partial(_is_acknowledged, acknowledged, share * VERSIONS // 2))
                if share == 2:
                    servers[-1].kill()
                    servers.append(start(*options, cwd=tmp_path))
                follower.kill()
                follower.start()
            for each in publishing:
                each.result(PATIENCE)
        expected = _list_published(servers[-1].address)
        eventually(lambda: expected[-1] in follower.list_events(), explain=lambda: follower.errors)
    finally:
        follower.kill()
        for server in (servers[-1], other):
            server.end()
    followed = follower.list_events()
    assert {version for _, version in expected} == set(acknowledged)
    assert list(dict.fromkeys(followed)) == expected
    assert len(followed) - len(expected) <= follower.kills, "only an event in progress comes again"


def _is_acknowledged(acknowledged: Sequence[str], count: int) -> bool:
    return len(acknowledged) >= count


def _publish(address: str, consumer: str, acknowledged: list[str]) -> None:
    with httpx.Client(timeout=PATIENCE) as client:
        for number in range(VERSIONS):
            version = f"{consumer}-{number}"

            def publish(version: str = version) -> bool:
                with suppress(httpx.HTTPError):
                    body = writers.body(consumer, version, "Prices")
                    return client.post(f"{address}/contracts/publish", json=body).is_success
                return False

            eventually(publish)
            acknowledged.append(version)


def _list_published(address: str) -> list[tuple[str, str]]:
    body = httpx.get(f"{address}/events?name=contract_published&limit=1000", timeout=PATIENCE).json()
    return [_identify(event) for event in body["_embedded"]["events"]]


def _identify(event: dict[str, Any]) -> tuple[str, str]:
    return event["cursor"], event["consumerVersion"]


class _Follower:
    """`treaty wait`, which prints events to a file; it is killed and started again."""

    def __init__(self, address: str, folder: Path) -> None:
        position, self._output, self._errors = folder / "position", folder / "events.jsonl", folder / "errors.txt"
        options = ("--for", "contract_published", "--from", "start", "--follow", "--output", "json")
        self._words: Sequence[str] = ("wait", "-b", address, "--cursor", str(position), *options)
        self._process: subprocess.Popen[bytes] | None = None
        self.kills = 0

    def start(self) -> None:
        with self._output.open("ab") as output, self._errors.open("ab") as errors:
            self._process = subprocess.Popen([str(BIN / "treaty"), *self._words], stdout=output, stderr=errors)

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait(PATIENCE)
        self.kills += 1

    @property
    def errors(self) -> str:
        return self._errors.read_text()

    def list_events(self) -> list[tuple[str, str]]:
        lines = self._output.read_text().splitlines()
        return [_identify(json.loads(line)) for line in lines if line.endswith("}")]
