"""The server as a process: start, log, size limits of pacts, and shutdown."""

import json
import socket
import threading
import time

import httpx
import pytest

from tests.waiting import PATIENCE
from tests.whole.servers import run, running, start

PACT = "/pacts/provider/Prices/consumer/Shop/version/1"


def test_a_busy_port_is_named(server, tmp_path):
    port = server.address.rpartition(":")[2]
    again = run("treaty", "serve", "--port", port, "--database-url", "sqlite:///other.sqlite", cwd=tmp_path)
    assert again.returncode == 1
    assert (
        f"treaty serve: cannot listen on 127.0.0.1 port {port}: Address already in use. Stop the program"
        in again.stderr
    )
    assert not (tmp_path / "other.sqlite").exists()


def test_a_wrong_setting_stops_the_start(tmp_path):
    ended = run("treaty", "serve", "--database-url", "mysql://x/y", cwd=tmp_path)
    assert (ended.returncode, "database_url: 'mysql' is not a database" in ended.stderr) == (1, True)


@pytest.mark.parametrize("log_format", ["default", "json", "color"])
def test_secrets_are_in_no_log(tmp_path, log_format):
    secrets = {
        "PACT_BROKER_BASIC_AUTH_USERNAME": "ann",
        "PACT_BROKER_BASIC_AUTH_PASSWORD": "canary-1",
        "TREATY_LOG_LEVEL": "debug",
    }
    url = f"sqlite:///{tmp_path / 'treaty.sqlite'}"
    with running(url, "--log-level", "debug", "--log-format", log_format, environ=secrets) as server:
        assert httpx.get(f"{server.address}/pacts/latest?token=canary-2", auth=("ann", "canary-1")).is_success
        assert httpx.get(server.address, auth=("ann", "canary-3")).status_code == httpx.codes.UNAUTHORIZED
        failed = httpx.get(f"{server.address}/test/error", auth=("ann", "canary-1"))
        assert failed.status_code == httpx.codes.INTERNAL_SERVER_ERROR
    assert failed.json()["error"]["reference"] in server.log
    assert "/pacts/latest" in server.log
    assert "canary" not in server.log
    assert "YW5uOmNhbmFyeS0x" not in server.log  # ann:canary-1 in Base64


def test_the_log_can_be_json_with_a_request_id(tmp_path):
    with running(f"sqlite:///{tmp_path / 't.sqlite'}", "--log-format", "json", "--log-level", "info") as server:
        response = httpx.get(server.address)
    lines = [json.loads(line) for line in server.log.splitlines() if line.startswith("{")]
    assert [line["status"] for line in lines if line.get("request_id") == response.headers["x-request-id"]] == [200]


def test_twenty_megabytes_pass_and_more_than_the_setting_allows_is_refused(tmp_path):
    environ = {"TREATY_MAX_BODY_BYTES": "21000000"}
    with running(f"sqlite:///{tmp_path / 'treaty.sqlite'}", environ=environ) as server:
        pact = {"interactions": [{"description": "large", "filling": "x" * 20_000_000}]}
        assert httpx.put(server.address + PACT, json=pact).status_code == httpx.codes.CREATED
        read = httpx.get(server.address + PACT).json()["interactions"][0]
        assert len(read["filling"]) == 20_000_000
        pact["interactions"][0]["filling"] += "x" * 2_000_000
        refused = httpx.put(server.address + PACT, json=pact)
        assert refused.status_code == httpx.codes.REQUEST_ENTITY_TOO_LARGE
        assert "max_body_bytes" in refused.json()["error"]


def test_several_workers_answer_for_one_database(tmp_path):
    with running(f"sqlite:///{tmp_path / 'treaty.sqlite'}", "--workers", "2") as server:
        for number in range(10):
            pact = {"interactions": [], "number": number}
            path = f"/pacts/provider/Prices/consumer/Shop/version/{number}"
            assert httpx.put(server.address + path, json=pact).status_code == httpx.codes.CREATED
        versions = httpx.get(f"{server.address}/pacticipants/Shop/versions").json()["_embedded"]["versions"]
        assert len(versions) == 10
        assert server.end() == 0


def test_sigterm_lets_a_running_request_end(tmp_path):
    server = start(f"sqlite:///{tmp_path / 'treaty.sqlite'}")
    host, port = server.address.removeprefix("http://").split(":")
    body = b'{"interactions": []}'
    with socket.create_connection((host, int(port)), timeout=PATIENCE) as client:
        headers = f"host: localhost\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n"
        head = f"PUT {PACT} HTTP/1.1\r\n{headers}expect: 100-continue\r\n\r\n"
        client.sendall(head.encode())
        assert client.recv(100).startswith(b"HTTP/1.1 100")  # so the request has begun
        client.sendall(body[:5])
        ended: list[int] = []
        ending = threading.Thread(target=lambda: ended.append(server.end()))
        ending.start()
        time.sleep(0.5)
        client.sendall(body[5:])
        assert client.recv(100).startswith(b"HTTP/1.1 201")
    ending.join(PATIENCE)
    assert ended in ([0], [-15])
