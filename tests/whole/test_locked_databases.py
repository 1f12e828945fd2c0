"""A SQLite file that another program has locked: only writes wait for it."""

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import httpx

from tests.waiting import PATIENCE
from tests.whole import servers


def test_reads_and_the_heartbeat_are_answered_while_writes_wait_for_the_lock(tmp_path):
    path = tmp_path / "broker.sqlite"
    with (
        servers.running(f"sqlite:///{path}", cwd=tmp_path) as server,
        httpx.Client(base_url=server.address, timeout=PATIENCE) as client,
        closing(sqlite3.connect(path, isolation_level=None)) as other,
        ThreadPoolExecutor() as threads,
    ):
        assert client.post("/pacticipants", json={"name": "web-shop"}).status_code == 201
        other.execute("BEGIN IMMEDIATE")
        writes = [threads.submit(client.post, "/pacticipants", json={"name": name}) for name in ("a", "b", "c")]
        # On the event loop, a write that waits would let these responses wait until it has failed.
        for _ in range(20):
            assert client.get("/diagnostic/status/heartbeat").status_code == 200
            assert client.get("/pacticipants/web-shop").status_code == 200
        assert not any(write.done() for write in writes)
        other.execute("ROLLBACK")
        assert [write.result(PATIENCE).status_code for write in writes] == [201, 201, 201]
