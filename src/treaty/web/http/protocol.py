"""Limits on connections and requests, enforced while bytes arrive, before anyone is authenticated.

uvicorn's protocol has no limit on headers, and its only timeout is for idle connections. This subclass adds the others
([why a subclass](docs/decisions/0008-limits-before-authentication.md)).
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from http import HTTPStatus
from typing import Any, Final

import httptools
import orjson
import structlog
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

MAX_HEADERS: Final = 100
MAX_HEADER_BYTES: Final = 64 * 1024
"""Bytes of all header names and values of a request together."""
MAX_TARGET_BYTES: Final = 16 * 1024
"""Bytes of the request target (path and query)."""
MAX_PIPELINED: Final = 10
"""Requests that may be queued on a connection while an earlier one is handled; each takes memory."""
LINGER_SECONDS: Final = 2.0
"""Time for which input is discarded after a refusal. Closing at once would reset the connection, and the client might
never read the reason."""
SEND_TIMEOUT: Final = 60.0
"""Seconds after which a client that does not read its response is disconnected."""
SHUTDOWN_GRACE: Final = 0.5
"""Seconds for which a connection without a complete request stays open when the server shuts down."""
CONNECTIONS_KEY: Final = "treaty.connections"
"""Key in the ASGI scope of a request: the `Connections` of its process."""
SWEEP_INTERVAL: Final = 0.5
"""Seconds between two searches for connections that have timed out."""

log = structlog.get_logger("treaty.web")


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits that administrators can set."""

    max_connections: int
    header_timeout: float
    """Seconds in which the headers of a request must arrive, and over which the rate of a body is averaged."""
    min_body_rate: int
    """Bytes per second."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A response that the protocol sends itself, before it closes the connection."""

    status: HTTPStatus
    text: str
    headers: Mapping[str, str] = field(default_factory=dict)


class _Phase(Enum):
    HEADERS = auto()
    """Waiting for a request, or for the rest of its headers."""
    BODY = auto()
    HANDLING = auto()
    """The request is complete; its response is not."""
    IDLE = auto()
    """Kept alive between two requests; uvicorn's timer runs."""
    REFUSED = auto()


_HEADERS, _BODY, _HANDLING, _IDLE, _REFUSED = _Phase  # members of an Enum are slow to look up in each callback


class Connections:
    """The open connections of a process."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._open: set[LimitedProtocol] = set()
        self.waiting: dict[LimitedProtocol, None] = {}
        """Connections that wait for a request or the rest of its headers, longest first (a dict as an ordered set)."""
        self._is_sweeping = False
        self.is_draining = False
        """Whether each connection is closed after its next response, because the server will soon shut down."""
        self._shutdown_callbacks: list[Callable[[], None]] = []

    def on_shutdown(self, callback: Callable[[], None]) -> None:
        """Call a function when the server begins to shut down, before it waits for the responses in progress."""
        self._shutdown_callbacks.append(callback)

    def begin_shutdown(self) -> None:
        self.is_draining = True
        while self._shutdown_callbacks:
            self._shutdown_callbacks.pop()()

    def add(self, connection: "LimitedProtocol") -> bool:
        """Add a connection; return whether there is room for it.

        At the limit, the connection that has waited longest for a request is closed: new clients are served even if an
        attacker opens connections and sends nothing. If none is waiting, a connection is closed whose client sends a
        body slowly, or continues a body although it has its response.
        """
        is_full = len(self._open) >= self.limits.max_connections
        self._sweep_later(connection.loop)
        replaced = self._most_dispensable() if is_full else None
        self._open.add(connection)
        if replaced is not None:
            replaced.make_room()
        return not is_full or replaced is not None

    def _most_dispensable(self) -> "LimitedProtocol | None":
        oldest = next(iter(self.waiting), None)
        return oldest or next((connection for connection in self._open if connection.is_dispensable), None)

    def remove(self, connection: "LimitedProtocol") -> None:
        self._open.discard(connection)
        self.waiting.pop(connection, None)

    def _sweep_later(self, loop: asyncio.AbstractEventLoop) -> None:
        if not self._is_sweeping:
            self._is_sweeping = True
            loop.call_later(SWEEP_INTERVAL, self._sweep, loop)

    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        """Close connections that have timed out. A single timer for all costs less than one for each request."""
        now = loop.time()
        for connection in list(self._open):
            connection.check(now)
        self._is_sweeping = False
        if self._open:
            self._sweep_later(loop)


class _Refused(Exception):
    """Stops the parser; `LimitedProtocol._refusal` has the reason."""


class LimitedProtocol(HttpToolsProtocol):
    """One connection, with its limits."""

    def __init__(self, *args: Any, open_connections: Connections, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._connections = open_connections
        self._waiting = open_connections.waiting
        self._limits = open_connections.limits
        self._phase = _HEADERS
        self._since: float | None = None
        """When a sweep first saw the connection in its phase, or the time window began in which the rate of the body is
        measured. Callbacks set None instead of reading the clock, as most requests end before the next sweep."""
        self._refusal: Refusal | None = None
        self._requests = 0
        self._read_bytes = 0
        """Bytes of the latest read."""
        self._held_back = 0
        """Bytes of unfinished headers or trailers, not counting the read in which the request began."""
        self._body_bytes = 0
        """Bytes of the body that arrived in the current time window."""
        self._is_slow = False
        """Whether the body has taken longer than a time window."""
        self._unsent = 0
        self._unsent_since = 0.0

    # Connections

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        if self._connections.add(self):
            self._waiting[self] = None
        else:
            self._refuse(_FULL, lingers=False)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._connections.remove(self)

    def shutdown(self) -> None:
        self._connections.begin_shutdown()
        if self._requests and not self._has_begun:
            super().shutdown()
        else:  # the request of a client that has just connected is on its way
            self.loop.call_later(SHUTDOWN_GRACE, super().shutdown)

    def make_room(self) -> None:
        """Close this connection, which is waiting for a request or a body, in favor of a new one."""
        self._waiting.pop(self, None)
        is_unanswered = self._has_begun or (self._phase is _BODY and self._is_answerable)
        if is_unanswered and not self.transport.is_closing():
            self._refuse(_FULL, lingers=False)
        else:
            self.transport.close()

    @property
    def is_dispensable(self) -> bool:
        """Whether the client is sending a body, and does so slowly or already has the start of its response."""
        if self._phase is not _BODY or self.transport.is_closing():
            return False
        return self._is_slow or self.cycle.response_started

    def check(self, now: float) -> None:
        """Close the connection if it has timed out."""
        if self._since is None:
            self._since = now
        seconds = now - self._since
        if self._has_stalled(now):
            self.transport.abort()
        elif self._phase is _HEADERS and self._is_answered:
            if seconds > self._limits.header_timeout:
                self._time_out_headers()
        elif self._phase is _BODY:
            self._check_rate(now, seconds)
        elif self._phase is _REFUSED and seconds > LINGER_SECONDS:
            self.transport.abort()

    def _has_stalled(self, now: float) -> bool:
        """Whether the client has not read its response for too long."""
        unsent = self.transport.get_write_buffer_size()
        if not unsent or unsent != self._unsent:
            self._unsent, self._unsent_since = unsent, now
        return unsent > 0 and now - self._unsent_since > SEND_TIMEOUT

    def _time_out_headers(self) -> None:
        if self._has_begun:
            text = f"The headers of the request did not arrive within {self._limits.header_timeout:g} seconds."
            self._refuse(Refusal(HTTPStatus.REQUEST_TIMEOUT, text))
        else:
            self.transport.close()

    def _check_rate(self, now: float, seconds: float) -> None:
        if (
            self.flow.read_paused or self.cycle.waiting_for_100_continue
        ):  # the server is not reading, so the client is not slow
            self._since, self._body_bytes = now, 0
        elif seconds > self._limits.header_timeout:
            if self._body_bytes < seconds * self._limits.min_body_rate:
                text = f"The body of the request arrived at less than {self._limits.min_body_rate} bytes per second."
                self._refuse(Refusal(HTTPStatus.REQUEST_TIMEOUT, text))
            self._since, self._body_bytes, self._is_slow = now, 0, True

    # Parsing

    def data_received(self, data: bytes) -> None:
        phase = self._phase
        if phase is _REFUSED:
            return  # discarded, see LINGER_SECONDS
        self._unset_keepalive_if_required()
        if phase is _IDLE:
            self._phase = _HEADERS
            self._since = None
        self._read_bytes = len(data)
        requests, body_bytes = self._requests, self._body_bytes
        try:
            self.parser.feed_data(data)  # pyright: ignore[reportOptionalMemberAccess]  # None once the connection is lost
            if self._requests == requests and self._body_bytes == body_bytes:
                self._count_held_back(len(data))
        except httptools.HttpParserUpgrade:
            self.cycle.keep_alive = False  # no other protocol is supported, and the parser reads no further
        except (httptools.HttpParserError, _Refused) as error:
            reason = f"This is not valid HTTP/1.1: {_parse_error(error)}."
            self._refuse(self._refusal or Refusal(HTTPStatus.BAD_REQUEST, reason))

    def _count_held_back(self, size: int) -> None:
        """Count a read that neither began a request nor contained a part of a body. Raises _Refused.

        Its bytes belong to an unfinished header, trailer or chunk extension, which the parser buffers without a limit.
        """
        self._held_back += size
        if self._held_back > MAX_HEADER_BYTES:
            self._stop(_HEADERS_TOO_LARGE)

    # The parser's callbacks. They run about ten times per request, so they do as little as possible.

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope[CONNECTIONS_KEY] = self._connections  # type: ignore[typeddict-unknown-key]  # servers may add keys
        self._requests += 1
        self._held_back = 0
        if self._phase is not _HEADERS:
            self._phase = _HEADERS
            self._since = None

    def on_url(self, url: bytes) -> None:
        self.url += url
        if len(self.url) > MAX_TARGET_BYTES:
            self._stop(_TARGET_TOO_LONG)

    def on_header(self, name: bytes, value: bytes) -> None:
        headers = self.headers
        if len(headers) >= MAX_HEADERS:
            self._stop(_TOO_MANY_HEADERS)
        name = name.lower()
        if name == b"expect" and value.lower() == b"100-continue":
            self.expect_100_continue = True
        headers.append((name, value))

    def on_headers_complete(self) -> None:
        # Fewer bytes than the limit cannot contain headers that exceed it, so most requests skip the sum.
        if self._held_back + self._read_bytes > MAX_HEADER_BYTES:
            self._check_header_size()
        if len(self.pipeline) >= MAX_PIPELINED:
            self._stop(_TOO_MANY_PIPELINED)
        super().on_headers_complete()
        if self._connections.is_draining:
            self.cycle.keep_alive = False
        # Trailers follow the body. They must not be mistaken for headers, which a proxy may have checked.
        self.headers = []
        self._waiting.pop(self, None)
        self._body_bytes = 0
        self._is_slow = False
        self._phase = _BODY
        self._since = None

    def _check_header_size(self) -> None:
        if sum(len(name) + len(value) for name, value in self.headers) > MAX_HEADER_BYTES:
            self._stop(_HEADERS_TOO_LARGE)

    def on_body(self, body: bytes) -> None:
        self._body_bytes += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._phase = _HEADERS if self.cycle.response_complete else _HANDLING
        self._since = None

    def on_response_complete(self) -> None:
        super().on_response_complete()
        phase = self._phase
        if phase is _HANDLING and self.cycle.response_complete:
            self._phase = _IDLE
            self._waiting[self] = None
        elif phase is _HEADERS:
            self._since = None
            self._waiting[self] = None

    def _stop(self, refusal: Refusal) -> None:
        self._refusal = refusal
        raise _Refused

    # Refusing

    @property
    def _latest(self) -> RequestResponseCycle | None:
        """The latest request whose headers are complete; uvicorn's type for it lacks None."""
        return self.cycle

    @property
    def _is_answered(self) -> bool:
        latest = self._latest
        return latest is None or latest.response_complete

    @property
    def _has_begun(self) -> bool:
        """Whether a part of the headers has arrived."""
        latest = self._latest
        return self._requests > 0 and (latest is None or self.scope is not latest.scope)

    def _refuse(self, refusal: Refusal, *, lingers: bool = True) -> None:
        """Send a response with the reason if the client can still understand it, and close the connection."""
        log.info("refused", status=int(refusal.status), reason=refusal.text, client=self.client and self.client[0])
        is_answerable = self._is_answerable
        self._phase = _REFUSED
        self._since = None
        self._waiting.pop(self, None)
        self._unset_keepalive_if_required()
        if (latest := self._latest) and not latest.response_complete:
            latest.disconnected = True  # wakes up the application if it is waiting for the rest of the body
            latest.message_event.set()
        if not is_answerable:
            self.transport.abort()  # within another response, these bytes would be taken for a part of it
            return
        self.transport.write(_response(refusal, self.server_state.default_headers))
        if not lingers or not self.transport.can_write_eof():
            self.transport.close()
            return
        self.transport.write_eof()
        self.flow.resume_reading()  # to discard input; a full receive buffer would reset the connection

    @property
    def _is_answerable(self) -> bool:
        """Whether the client would attribute a response to the request that is refused."""
        if self._phase is _BODY:
            return not self.pipeline and not self.cycle.response_started
        return self._is_answered


def _parse_error(error: Exception) -> str:
    # Apart from refusals, only uvicorn's parsing of the request target can fail in a callback.
    is_target_invalid = isinstance(error, httptools.HttpParserCallbackError)
    return "the request target cannot be read" if is_target_invalid else str(error)


_FULL: Final = Refusal(
    HTTPStatus.SERVICE_UNAVAILABLE,
    "This server has reached its maximum number of connections (max_connections). Send the request again.",
    {"retry-after": "1"},
)
_TOO_MANY_HEADERS: Final = Refusal(
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, f"The request has more than {MAX_HEADERS} headers."
)
_HEADERS_TOO_LARGE: Final = Refusal(
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    f"The headers of the request are larger than {MAX_HEADER_BYTES} bytes.",
)
_TARGET_TOO_LONG: Final = Refusal(
    HTTPStatus.REQUEST_URI_TOO_LONG,
    f"The path and query of the request are longer than {MAX_TARGET_BYTES} bytes.",
)
_TOO_MANY_PIPELINED: Final = Refusal(
    HTTPStatus.TOO_MANY_REQUESTS, f"More than {MAX_PIPELINED} requests wait on this connection."
)


def _response(refusal: Refusal, default_headers: list[tuple[bytes, bytes]]) -> bytes:
    body = orjson.dumps({"error": refusal.text})
    headers = {
        **refusal.headers,
        "content-type": "application/hal+json;charset=utf-8",
        "content-length": str(len(body)),
        "x-content-type-options": "nosniff",
        "connection": "close",
    }
    lines = [*default_headers, *((name.encode(), value.encode()) for name, value in headers.items())]
    return b"".join([STATUS_LINE[refusal.status], *(b"%b: %b\r\n" % line for line in lines), b"\r\n", body])
