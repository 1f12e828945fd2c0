"""Another broker: a little HTTP server that gives recorded answers, and the programs to call with it."""

from __future__ import annotations

import json
import os
import ssl
import subprocess
import threading
from contextlib import ExitStack
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, Any, Protocol

import pytest
from click.testing import CliRunner

from tests.absence import require
from tests.api.conftest import accounts, api, authority, clock, database, make_api  # noqa: F401 - fixtures
from tests.http_server import Answer, Request, serving
from treaty.cli import PACT_BROKER
from treaty.client import BrokerClient, BrokerConnection

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from click.testing import Result

INDEX = {
    "pb:publish-contracts": "/contracts/publish",
    "pb:latest-pact-versions": "/elsewhere/pacts/latest",
    "pb:environments": "/elsewhere/environments",
    "pb:environment": "/elsewhere/environments/{uuid}",
    "pb:pacticipants": "/elsewhere/pacticipants",
    "pb:pacticipant": "/elsewhere/pacticipants/{pacticipant}",
    "pb:pacticipant-version": "/elsewhere/pacticipants/{pacticipant}/versions/{version}",
    "pb:pacticipant-version-tag": "/elsewhere/pacticipants/{pacticipant}/versions/{version}/tags/{tag}",
    "pb:pacticipant-branch": "/elsewhere/pacticipants/{pacticipant}/branches/{branch}",
    "pb:pacticipant-branch-version": "/elsewhere/pacticipants/{pacticipant}/branches/{branch}/versions/{version}",
    "pb:latest-version": "/elsewhere/pacticipants/{pacticipant}/latest-version",
    "pb:latest-tagged-version": "/elsewhere/pacticipants/{pacticipant}/latest-version/{tag}",
    "pb:webhooks": "/elsewhere/webhooks",
    "pb:webhook": "/elsewhere/webhooks/{uuid}",
}


@dataclass
class OtherBroker:
    """Answers that are queued for a request are given in turn; the last one stays."""

    url: str
    answers: dict[str, list[Answer]] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)
    answers_by_path: dict[str, Answer] = field(default_factory=dict)
    """Answers to all other requests, by the beginning of their path."""

    def answer(self, line: str, body: Any = "", *, status: int = 200, headers: dict[str, str] | None = None) -> None:
        written = body if isinstance(body, str) else json.dumps(body)
        content = {"Content-Type": "application/hal+json;charset=utf-8"} | (headers or {})
        self.answers.setdefault(line, []).append(Answer(status, written.encode(), content))

    def answer_all(self, path: str, body: Any) -> None:
        """Answer every request whose path begins so, unless it has an answer of its own."""
        written = body if isinstance(body, str) else json.dumps(body)
        self.answers_by_path = {path: Answer(200, written.encode(), {"Content-Type": "application/hal+json"})}

    def answer_index(self, *without: str, at: str = "/", headers: dict[str, str] | None = None) -> None:
        """Give an index whose paths are unlike those of any broker, so that only links lead to them."""
        links = {name: {"href": self.url + path} for name, path in INDEX.items() if name not in without}
        self.answers.pop(f"GET {at}", None)
        self.answer(f"GET {at}", {"_links": links}, headers=headers)

    def respond(self, request: Request) -> Answer:
        self.requests.append(request)
        queued = self.answers.get(request.line, [])
        general = [answer for path, answer in self.answers_by_path.items() if request.path.startswith(path)]
        if not queued and general:
            return general[0]
        if not queued:
            return Answer(404, b'{"error":"Nothing is here"}', {"Content-Type": "application/json"})
        return queued.pop(0) if len(queued) > 1 else queued[0]

    @property
    def lines(self) -> list[str]:
        return [request.line for request in self.requests]

    @property
    def last(self) -> Request:
        return self.requests[-1]


@pytest.fixture
def broker() -> Iterator[OtherBroker]:
    broker = OtherBroker("")
    with serving(broker.respond) as broker.url:
        broker.answer_index()
        yield broker


class Run(Protocol):
    def __call__(self, *args: str, **env: str) -> Result: ...


@pytest.fixture
def run(broker: OtherBroker, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Call `pact-broker` with the other broker's address and nothing else in its environment."""
    for name in list(os.environ):
        if name not in {"PATH", "HOME", "LANG"}:
            monkeypatch.delenv(name)

    def run(*args: str, **env: str) -> Result:
        address = {"PACT_BROKER_BASE_URL": broker.url, "PACT_BROKER_HTTP_RETRIES": "1"}
        return CliRunner().invoke(PACT_BROKER, args, prog_name="pact-broker", env=address | env)

    return run


class Secure(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's own name
        """Keep quiet."""


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate, with its key."""
    require("openssl")
    file = tmp_path_factory.mktemp("tls") / "both.pem"
    key_options = ["-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    names = ["-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"]
    files = ["-keyout", "-", "-out", "-"]
    written = subprocess.run(["openssl", "req", "-x509", *key_options, *names, *files], capture_output=True, check=True)
    file.write_bytes(written.stdout)
    return file


@pytest.fixture
def secure(certificate: Path) -> Iterator[str]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with HTTPServer(("127.0.0.1", 0), Secure) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"https://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


class Connect(Protocol):
    def __call__(self, url: str, waits: list[float] | None = None, **settings: Any) -> BrokerClient: ...


@pytest.fixture
def connect() -> Iterator[Connect]:
    """Make clients that note how long they would wait, and close them at the end."""
    with ExitStack() as stack:

        def connect(url: str, waits: list[float] | None = None, **settings: Any) -> BrokerClient:
            sleep = (waits if waits is not None else []).append
            return stack.enter_context(BrokerClient(BrokerConnection(base_url=url, **settings), sleep=sleep))

        yield connect
