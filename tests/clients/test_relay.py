"""The relay passes requests on, and records requests with their responses in order."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest

from tests.clients.relay import relay


class Echo(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        self.send_response(int(self.path.removeprefix("/")))
        self.send_header("Content-Type", self.headers["content-type"])
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format, *args):  # noqa: A002 - the name is of http.server
        """Keep quiet."""


@pytest.fixture
def recording():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    with relay() as running:
        running.broker = f"127.0.0.1:{server.server_port}"
        yield running
    server.shutdown()
    thread.join()
    server.server_close()


def test_requests_of_one_connection_are_recorded_with_their_responses(recording):
    headers = {"User-Agent": "tests", "Content-Type": "text/plain"}
    with httpx.Client(base_url=f"http://{recording.address}", headers=headers) as client:
        for number, status in enumerate((200, 409, 201)):
            answer = client.post(f"/{status}", content=f"body {number}" * 50_000)
            assert (answer.status_code, answer.text) == (status, f"body {number}" * 50_000)
    exchanges = [(exchange.method, exchange.target, exchange.status) for exchange in recording.exchanges]
    assert exchanges == [("POST", "/200", 200), ("POST", "/409", 409), ("POST", "/201", 201)]
    for number, exchange in enumerate(recording.exchanges):
        assert exchange.body == exchange.response == f"body {number}".encode() * 50_000
        assert exchange.response_headers["content-type"] == "text/plain"


@pytest.mark.parametrize(
    ("agent", "is_of_client"), [("tests", False), ("treaty/0.1.0", False), ("pact-broker-cli/0.7", True), ("", True)]
)
def test_requests_of_the_tests_and_of_treaty_itself_are_not_those_of_a_client(recording, agent, is_of_client):
    headers = {"User-Agent": agent, "Content-Type": "text/plain"}
    httpx.post(f"http://{recording.address}/200", content="x", headers=headers)
    assert [exchange.is_of_client for exchange in recording.exchanges] == [is_of_client]
