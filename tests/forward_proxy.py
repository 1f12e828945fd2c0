"""An HTTP proxy like those at the border of company networks: forwards requests, and opens tunnels with CONNECT."""

import select
import socket
import threading
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import cast
from urllib.parse import urlsplit

from tests.waiting import PATIENCE


class ForwardProxy:
    """Listens on a free port of this machine. `hosts` has the addresses of hosts that only the proxy can resolve."""

    def __init__(self, port: int, credentials: str | None, hosts: Mapping[str, tuple[str, int]]) -> None:
        self.address = f"127.0.0.1:{port}"
        self.url = f"http://{credentials}@{self.address}" if credentials else f"http://{self.address}"
        self.requests: list[str] = []
        """Lines of accepted requests, without the version of HTTP."""
        self.hosts = hosts
        self.authorization = f"Basic {b64encode(credentials.encode()).decode()}" if credentials else None


class _Handler(BaseHTTPRequestHandler):
    def _is_accepted(self) -> bool:
        proxy = cast("_Server", self.server).proxy
        if proxy.authorization not in {None, self.headers.get("proxy-authorization")}:
            self.send_error(407)
            return False
        proxy.requests.append(f"{self.command} {self.path}")
        return True

    def do_CONNECT(self) -> None:
        if not self._is_accepted():
            return
        try:
            upstream = socket.create_connection(self._find_address(self.path, 443), PATIENCE)
        except OSError:
            self.send_error(502)
            return
        with upstream:
            self.send_response(200)
            self.end_headers()
            _relay(self.connection, upstream)

    def _forward(self) -> None:
        if not self._is_accepted():
            return
        parts = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        headers = {name: value for name, value in self.headers.items() if not name.lower().startswith("proxy-")}
        host, port = self._find_address(parts.netloc, 80)
        upstream = HTTPConnection(host, port, timeout=PATIENCE)
        try:
            upstream.request(self.command, parts._replace(scheme="", netloc="").geturl() or "/", body, headers)
            response = upstream.getresponse()
            content = response.read()
        except OSError:
            self.send_error(502)
            return
        finally:
            upstream.close()
        self.send_response(response.status)
        for name, value in response.getheaders():
            if name.lower() not in {"transfer-encoding", "connection", "content-length"}:
                self.send_header(name, value)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _forward  # noqa: N815 - named by http.server

    def _find_address(self, authority: str, default_port: int) -> tuple[str, int]:
        host, _, port = authority.partition(":")
        return cast("_Server", self.server).proxy.hosts.get(host, (host, int(port or default_port)))

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - named by http.server
        """Do not log requests."""


def _relay(client: socket.socket, upstream: socket.socket) -> None:
    """Forward the data of both sides until one of them closes the connection."""
    peers = {client: upstream, upstream: client}
    while True:
        for side in select.select([client, upstream], [], [], PATIENCE)[0]:
            data = side.recv(65_536)
            if not data:
                return
            peers[side].sendall(data)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    proxy: ForwardProxy

    def handle_error(self, request: object, client_address: object) -> None:
        """Ignore errors of connections that clients have closed."""


@contextmanager
def forwarding(
    credentials: str | None = None, hosts: Mapping[str, tuple[str, int]] | None = None
) -> Iterator[ForwardProxy]:
    """Run a proxy until the block ends. `credentials` are the user and password that it requires."""
    server = _Server(("127.0.0.1", 0), _Handler)
    server.proxy = ForwardProxy(server.server_address[1], credentials, hosts or {})
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server.proxy
    finally:
        server.shutdown()
        server.server_close()
        thread.join(PATIENCE)
