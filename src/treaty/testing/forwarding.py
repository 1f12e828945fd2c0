"""An HTTP server that forwards requests to a mock provider, for what Pact's library cannot do itself."""

from __future__ import annotations

import http.client
import ssl
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar, Final

_DEFAULT_CONTENT_TYPE: Final = "application/octet-stream"
"""What RFC 9110, section 8.3, lets a recipient assume if a request has no `Content-Type`."""
_CONNECTION_HEADERS: Final = {"connection", "keep-alive", "transfer-encoding", "content-length"}


class _ForwardingHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    target: ClassVar[tuple[str, int]]

    def __getattr__(self, name: str) -> Callable[[], None]:
        if name.startswith("do_"):
            return self._forward
        raise AttributeError(name)

    def _forward(self) -> None:
        body = self._read_body()
        connection = http.client.HTTPConnection(*self.target)
        try:
            connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self._forwarded_headers(body):
                connection.putheader(name, value)
            connection.endheaders(body or None)
            self._respond(connection.getresponse())
        finally:
            connection.close()

    def _forwarded_headers(self, body: bytes) -> Iterator[tuple[str, str]]:
        yield from (item for item in self.headers.items() if item[0].lower() not in _CONNECTION_HEADERS)
        if body:
            yield "Content-Length", str(len(body))
        if body and "content-type" not in self.headers:
            yield "Content-Type", _DEFAULT_CONTENT_TYPE

    def _read_body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        chunks = []
        while size := int(self.rfile.readline().partition(b";")[0], 16):
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass  # trailers
        return b"".join(chunks)

    def _respond(self, response: http.client.HTTPResponse) -> None:
        content = response.read()
        self.send_response_only(response.status, response.reason)
        for name, value in response.getheaders():
            if name.lower() not in _CONNECTION_HEADERS:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - http.server's own name
        """Log nothing: Pact's library logs the requests."""


class ForwardingServer(ThreadingHTTPServer):
    """Forwards requests to `target`; with a certificate (its file, and that of its key), it speaks HTTPS."""

    daemon_threads = True

    def __init__(
        self, address: tuple[str, int], target: tuple[str, int], *, certificate: tuple[str, str | None] | None = None
    ) -> None:
        super().__init__(address, type("Handler", (_ForwardingHandler,), {"target": target}))
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            # The handshake must not block the thread that accepts connections.
            self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()
