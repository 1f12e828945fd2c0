"""If any process of a server is killed, the others continue, and no delivery is lost."""

import os
import signal
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from tests.api.client import publication
from tests.receiver import Reply, receiving
from tests.waiting import PATIENCE, eventually
from tests.whole import servers
from tests.whole.servers import Server
from tests.whole.webhooks import EVENTS, OPEN

pytestmark = pytest.mark.slow  # each starts several processes, and waits for a lease to end


@pytest.fixture
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    """A server of two processes with its own fork server."""
    url = request.getfixturevalue("database_url") if "database_url" in request.fixturenames else ""
    url = url or f"sqlite:///{tmp_path / 'broker.sqlite'}"
    with servers.running(url, "--workers", "2", cwd=tmp_path, environ=OPEN, is_forked=False) as server:
        eventually(lambda: len(servers.list_workers(server.process.pid)) == 2)
        yield server


def test_a_delivery_whose_process_is_killed_arrives_again_and_is_recorded_once(
    database_url: str,  # noqa: ARG001 - the server's
    server: Server,
) -> None:
    with receiving() as receiver, receiver.holding(Reply()):
        request = {"method": "POST", "url": receiver.url, "body": "${pactbroker.consumerVersionNumber}"}
        httpx.post(f"{server.address}/webhooks", json={"request": request, "events": EVENTS}).raise_for_status()
        httpx.post(f"{server.address}/contracts/publish", json=publication("Till", "1", "Ledger")).raise_for_status()
        receiver.wait(1)
        port = urlsplit(receiver.url).port
        assert port
        (sender,) = find_clients(port, servers.list_workers(server.process.pid))
        assert load_status(server) == ("not_run", 0)
        receiver.replies = [Reply()]
        os.kill(sender, signal.SIGKILL)
        arrivals = receiver.wait(2)
        assert [arrival.body for arrival in arrivals] == [b"1", b"1"]
        eventually(lambda: load_status(server) == ("success", 1), lambda: server.log)
        eventually(lambda: sender not in (workers := servers.list_workers(server.process.pid)) and len(workers) == 2)
        assert len(receiver.settle()) == 2
        assert load_status(server) == ("success", 1)


def load_status(server: Server) -> tuple[str, int]:
    """Return the status of the only delivery, and the number of recorded attempts."""
    url = f"{server.address}/pacts/provider/Ledger/consumer/Till/version/1/triggered-webhooks"
    (delivery,) = httpx.get(url).json()["_embedded"]["triggeredWebhooks"]
    return delivery["status"], delivery["attemptsMade"]


def find_clients(port: int, processes: Sequence[int]) -> list[int]:
    """Find the processes that have a connection to a port of this machine."""
    lines = [line.split() for line in Path("/proc/net/tcp").read_text("ascii").splitlines()[1:]]
    sockets = {f"socket:[{columns[9]}]" for columns in lines if columns[2].endswith(f":{port:04X}")}
    return [process for process in processes if sockets & {str(target) for target in list_open_files(process)}]


def list_open_files(process: int) -> Iterator[Path]:
    for path in Path(f"/proc/{process}/fd").iterdir():
        try:
            yield path.readlink()
        except FileNotFoundError:  # it was closed since
            continue


def test_a_killed_fork_server_is_replaced_and_its_workers_serve_until_then(server: Server) -> None:
    first, former = server.process.pid, servers.list_workers(server.process.pid)
    killed = servers.find_fork_server(first)
    os.kill(killed, signal.SIGKILL)
    # The next one is killed while it loads Treaty, when the first process waits for it.
    os.kill(eventually(lambda: (pid := servers.find_fork_server(first)) != killed and pid), signal.SIGKILL)
    eventually(lambda: "starting another one" in server.log, lambda: server.log)
    end, resets, responses = time.monotonic() + PATIENCE, 0, 0
    while not is_replaced(former, servers.list_workers(first)):
        try:
            responses += httpx.get(f"{server.address}/pacticipants").status_code == 200
        except httpx.TransportError:
            resets += 1
        assert time.monotonic() < end, server.log
    assert responses
    assert resets <= len(former), "each may end just after it has accepted a connection"
    assert httpx.get(f"{server.address}/pacticipants").status_code == 200
    assert server.end() == 0
    assert "Traceback" not in server.log


def is_replaced(former: Sequence[int], workers: Sequence[int]) -> bool:
    """Return whether there are two new workers, and the former ones have ended."""
    return len(workers) == 2 and not any(Path(f"/proc/{process}/fd").exists() for process in former)
