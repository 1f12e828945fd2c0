"""Mock providers of Pact's library: they listen until they are stopped, and then release their port at once."""

from __future__ import annotations

import atexit
import errno
import os
import socket
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from pact.error import MismatchesError

from treaty.testing import pact_files, pact_handles
from treaty.testing.forwarding import ForwardingServer

if TYPE_CHECKING:
    import pact as modern

    from treaty.client import Json
    from treaty.testing.pact_handles import PactDescription

_PORT_TIMEOUT: Final = 5
_SHARED_PORT_TIMEOUT: Final = 60
"""Seconds to wait for a port that is in use; longer with pytest-xdist, whose workers take turns."""
_INTERNAL_HOST: Final = "127.0.0.1"
_CORS: Final = '{"corsPreflight": true}'


@dataclass(frozen=True, kw_only=True, slots=True)
class Endpoint:
    """Where a mock provider listens, and how."""

    host: str
    port: int
    is_secure: bool = False
    certificate: str | None = None
    """Path of a PEM file; the library creates a certificate if it is missing."""
    key: str | None = None
    allows_cors: bool = False
    adds_content_type: bool = False
    """Whether a request without a `Content-Type` gets one, because the library always expects one for a body."""

    @property
    def url(self) -> str:
        return f"{'https' if self.is_secure else 'http'}://{self.host}:{self.port}"

    @property
    def is_forwarded(self) -> bool:
        """Whether Python accepts the requests, for what the library cannot do. It can create a certificate."""
        return bool(self.certificate) or (self.adds_content_type and not self.is_secure)


@dataclass(frozen=True, slots=True)
class Conversation:
    """What a mock provider saw: the text of the mismatches, or the pact if there were none."""

    mismatches: str
    content: Json | None


class MockServer:
    """A mock provider. It owns the handles of the library, and drops them when it stops."""

    def __init__(self, pact: modern.Pact, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self._pact: modern.Pact | None = pact
        self._server: Any = None
        self._front: ForwardingServer | None = None

    @property
    def is_running(self) -> bool:
        return self._server is not None

    def listen(self) -> None:
        """Start to listen as soon as the port is free. Raises RuntimeError if it does not become free."""
        deadline = time.monotonic() + (_SHARED_PORT_TIMEOUT if "PYTEST_XDIST_WORKER" in os.environ else _PORT_TIMEOUT)
        while not self.is_running:
            _wait_for_port(self.endpoint, deadline)
            try:
                self._serve()
            except (OSError, RuntimeError) as error:
                if not _is_taken(self.endpoint):
                    raise _cannot_listen(self.endpoint, error) from error
                # Another worker of pytest-xdist was faster.

    def _serve(self) -> None:
        endpoint = self.endpoint
        if not endpoint.is_forwarded:
            self._server = self._start_library(endpoint.host, endpoint.port, "https" if endpoint.is_secure else "http")
            return
        server = self._start_library(_INTERNAL_HOST, 0, "http")
        certificate = (endpoint.certificate, endpoint.key) if endpoint.certificate else None
        front = ForwardingServer((endpoint.host, endpoint.port), (_INTERNAL_HOST, server.port), certificate=certificate)
        front.start()
        self._server, self._front = server, front

    def _start_library(self, host: str, port: int, transport: str) -> Any:
        if self._pact is None:
            raise RuntimeError("The mock provider was stopped before it started.")
        options = _CORS if self.endpoint.allows_cors else None
        server = self._pact.serve(
            addr=host, port=port, transport=transport, transport_config=options, raises=False, verbose=False
        )
        return server.__enter__()

    def discard(self) -> None:
        """Drop the handles of a server that could not be started."""
        self._server = self._pact = None

    def stop(self) -> Conversation:
        """Release the port and the handles, and return the outcome. Raises RuntimeError if it has been stopped."""
        server, self._server = self._server, None
        pact, self._pact = self._pact, None
        if server is None or pact is None:
            raise RuntimeError(f"The mock provider at {self.endpoint.url} was stopped: another one uses its port.")
        _running.pop(self.endpoint.port, None)
        if self._front:
            self._front.stop()
        mismatches = list(server.mismatches)
        server.__exit__(None, None, None)
        del server  # the last reference, which frees the port
        if mismatches:
            return Conversation(str(MismatchesError(*mismatches)), None)
        return Conversation("", pact_files.read_content(pact))


_running: Final[dict[int, MockServer]] = {}
"""Mock providers by port. They are kept here, so that those of unfinished tests do not become garbage."""


def start(description: PactDescription, endpoint: Endpoint) -> MockServer:
    """Start a mock provider; one that an unfinished test left at the port is stopped.

    Raises RuntimeError if it cannot listen there.
    """
    if abandoned := _running.get(endpoint.port):
        abandoned.stop()
    server = MockServer(pact_handles.create(description), endpoint)
    try:
        server.listen()
    except BaseException:
        server.discard()
        raise
    _running[endpoint.port] = server
    return server


def _wait_for_port(endpoint: Endpoint, deadline: float) -> None:
    # Not by trying to start the library's server: it logs each failure through Python while it holds its locks.
    while _is_taken(endpoint):
        if time.monotonic() > deadline:
            advice = "another program uses the port. Stop it, or pass another `port` to `has_pact_with`."
            raise _cannot_listen(endpoint, advice)
        time.sleep(0.02)


def _cannot_listen(endpoint: Endpoint, reason: object) -> RuntimeError:
    return RuntimeError(f"The mock provider cannot listen at {endpoint.url}: {reason}")


def _is_taken(endpoint: Endpoint) -> bool:
    family = socket.AF_INET6 if ":" in endpoint.host else socket.AF_INET
    try:
        socket.create_server((endpoint.host, endpoint.port), family=family).close()
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            return True
        raise _cannot_listen(endpoint, error) from error
    return False


def stop_all() -> None:
    """Stop the mock providers of tests that did not finish."""
    for server in list(_running.values()):
        server.stop()


atexit.register(stop_all)
