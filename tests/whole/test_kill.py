"""Acknowledged writes survive `kill -9`."""

import sqlite3
import threading

import httpx

from tests.waiting import PATIENCE
from tests.whole import writers
from tests.whole.servers import running, start

CLIENTS, EACH = 4, 50


def kill_when(server, moment):
    moment.wait(PATIENCE)
    server.kill()


def test_every_acknowledged_publication_survives_sigkill(tmp_path):
    url = f"sqlite:///{tmp_path / 'treaty.sqlite'}"
    server = start(url)
    shares = [(server.address, [f"{client}.{number}" for number in range(EACH)]) for client in range(CLIENTS)]
    half_way = threading.Event()
    killer = threading.Thread(target=kill_when, args=(server, half_way))
    killer.start()

    def watch(outcomes):
        if len(outcomes.acknowledged) >= CLIENTS * EACH // 2:
            half_way.set()
        return False

    outcomes = writers.publish_concurrently(shares, "Shop", "Prices", until=watch)
    killer.join()
    assert outcomes.rejected == []
    assert outcomes.interrupted, "the server was killed only after all was sent"
    with running(url) as again:
        for version in outcomes.acknowledged:
            assert writers.stored(again.address, "Shop", "Prices", version) == f"/{version}"
        listed = httpx.get(
            f"{again.address}/pacticipants/Shop/versions?size=1000", headers={"accept": "application/hal+json"}
        )
        numbers = [version["number"] for version in listed.json()["_embedded"]["versions"]]
        whole = [number for number in numbers if writers.stored(again.address, "Shop", "Prices", number)]
        assert whole == numbers, "a version is there without its pact"
        head = httpx.get(f"{again.address}/pacticipants/Shop/branches/main/latest-version").json()["number"]
        assert head == numbers[0]
    database = sqlite3.connect(tmp_path / "treaty.sqlite")
    assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert database.execute("PRAGMA foreign_key_check").fetchall() == []
    database.close()
