"""The commands of pipelines, through each kind of gateway to a broker."""

import socket
import ssl
import subprocess
import threading
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest

from tests.absence import require
from tests.waiting import PATIENCE
from tests.whole import shop
from tests.whole.servers import run, running

TOKEN = "a-token"  # noqa: S105 - the test's
UUID = "8ce50ab0-5b4c-4f6b-9d53-22f6e9c0a3b1"


@dataclass(kw_only=True)
class Way:
    """A kind of gateway in front of the broker, with the settings that clients need for it."""

    prefix: str = ""
    delay: float = 0
    failures: int = 0
    token: str | None = None
    certificate: str | None = None
    target: str = ""
    requests: Counter[str] = field(default_factory=Counter)

    @property
    def words(self):
        trust = ["--ssl-certificate", self.certificate] if self.certificate else []
        return [*trust, *(["--broker-token", self.token] if self.token else [])]


def _gateway(way):
    class Gateway(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def forward(self):
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            line = f"{self.command} {self.path}"
            way.requests[line] += 1
            time.sleep(way.delay)
            if way.token and self.headers.get("Authorization") != f"Bearer {way.token}":
                self.respond(401, {"Content-Type": "application/json"}, b'{"error":"who?"}')
            elif way.requests[line] <= way.failures:
                self.respond(500, {"Content-Type": "text/plain"}, b"busy")
            else:
                self.respond(*self.fetch(body))

        def fetch(self, body):
            assert self.path.startswith(way.prefix)
            broker = HTTPConnection(way.target, timeout=PATIENCE)
            forwarded_headers = {
                name: value for name, value in self.headers.items() if name.lower() not in {"host", "connection"}
            }
            broker.request(self.command, self.path.removeprefix(way.prefix) or "/", body, forwarded_headers)
            response = broker.getresponse()
            result = response.status, dict(response.getheaders()), response.read()
            broker.close()
            return result

        def respond(self, status, headers, body):
            self.send_response(status)
            for name, value in headers.items():
                if name.lower() not in {"content-length", "transfer-encoding", "connection", "date", "server"}:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PUT = do_PATCH = forward  # noqa: N815 - http.server's own names

        def log_message(self, format, *args):  # noqa: A002 - http.server's own name
            """Do not log requests."""

    return Gateway


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]


@contextmanager
def running_behind_gateway(way, tmp_path):
    """Run a broker behind a gateway, and yield the URL of the gateway."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _gateway(way)) as gateway:
        gateway.daemon_threads = True
        if way.certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(way.certificate)
            gateway.socket = context.wrap_socket(gateway.socket, server_side=True)
        scheme = "https" if way.certificate else "http"
        address = f"{scheme}://127.0.0.1:{gateway.server_port}{way.prefix}"
        threading.Thread(target=gateway.serve_forever, args=(0.01,), daemon=True).start()
        environ = {"TREATY_BASE_URL": address, "TREATY_WEBHOOK_HOST_WHITELIST": "127.0.0.1"}
        way.target = f"127.0.0.1:{free_port()}"
        words = (f"sqlite:///{tmp_path / 'treaty.sqlite'}", "--port", way.target.rpartition(":")[2])
        with running(*words, cwd=tmp_path, environ=environ):
            yield address, f"http://{way.target}"
        gateway.shutdown()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A self-signed certificate with its key."""
    require("openssl")
    key_options = ["-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    words = [*key_options, "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", "-", "-out", "-"]
    written = subprocess.run(["openssl", "req", "-x509", *words], capture_output=True, check=True)
    file = tmp_path_factory.mktemp("tls") / "both.pem"
    file.write_bytes(written.stdout)
    return str(file)


WAYS: dict[str, dict[str, Any]] = {
    "over TLS": {},
    "with a path": {"prefix": "/deep/broker"},
    "with a bearer token": {"token": TOKEN},
    "behind a slow server": {"delay": 0.4},
    "with a server that fails twice": {"failures": 2},
}
COMMANDS = [
    ["publish", "pacts", "--consumer-app-version", "1", "--branch", "main"],
    ["can-i-deploy", "--pacticipant", shop.CONSUMER, "--version", "1", "--to-environment", "test", "--dry-run"],
    ["record-deployment", "--pacticipant", shop.CONSUMER, "--version", "1", "--environment", "test"],
    [
        *("create-or-update-webhook", "https://127.0.0.1/hook", "--uuid", UUID, "--request", "POST"),
        *("--contract-published", "--description", "a hook"),
    ],
]


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] if "slow" in name else []) for name in WAYS]
)
def test_every_command_works(tmp_path, certificate, name):
    way = Way(**WAYS[name], certificate=certificate if name == "over TLS" else None)
    (tmp_path / "pacts").mkdir()
    shop.write_pact(tmp_path / "pacts")
    with running_behind_gateway(way, tmp_path) as (address, broker):
        httpx.post(f"{broker}/environments", json={"name": "test", "production": False}).raise_for_status()
        outputs = [printed(tmp_path, address, *words, *way.words) for words in COMMANDS]
        versions = httpx.get(f"{broker}/pacticipants/{shop.CONSUMER}/versions/1").json()
        webhook = httpx.get(f"{broker}/webhooks/{UUID}")
    assert "Pact successfully published" in outputs[0]
    assert "Computer says no" in outputs[1]
    assert "Recorded deployment" in outputs[2]
    assert 'Webhook "a hook" created' in outputs[3]
    assert versions["_links"]["pb:deployed-environments"][0]["currently_deployed"]
    assert webhook.status_code == 200
    assert set(way.requests.values()) >= ({way.failures + 1} if way.failures else {1})


def printed(tmp_path, address, *words):
    done = run("pact-broker", *words, cwd=tmp_path, PACT_BROKER_BASE_URL=address)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
