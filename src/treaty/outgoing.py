"""Sending requests to places that others name, without being sent where only this server can go.

A host is resolved once, every address is judged, and the connection goes to a judged address: no other look-up happens
in between. Redirects are not followed. What comes back is limited in size and in time, however slowly it comes.
"""

import socket
import ssl
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as TookTooLong
from functools import lru_cache
from ipaddress import ip_address
from typing import Any, Final
from urllib.parse import SplitResult, quote, urlsplit

import httpcore
import structlog

from treaty.model.webhooks import hosts
from treaty.model.webhooks.deliveries import NoResponse, OutgoingRequest, WebhookResponse
from treaty.model.webhooks.hosts import Address
from treaty.settings import Settings

Resolve = Callable[[str, int], Sequence[str]]
_KEPT: Final = "/%:@!$&'()*+,;=~-._"
_PORTS: Final = {"http": 80, "https": 443}
_RESOLVERS: Final = ThreadPoolExecutor(16, thread_name_prefix="treaty-resolver")


log = structlog.get_logger("treaty.outgoing")


class ForbiddenDestination(Exception):
    """A place that nothing is sent to."""


def resolve_host(host: str, port: int) -> list[str]:
    """List the addresses of a host as the system knows them, in any notation that it understands."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(one[4][0]) for one in found))


def send(
    request: OutgoingRequest, settings: Settings, *, resolve: Resolve = resolve_host
) -> WebhookResponse | NoResponse:
    """Send a request once. Whatever goes wrong is told rather than raised."""
    try:
        return _sent(request, settings, resolve)
    except ForbiddenDestination as error:
        return NoResponse("Refused", str(error))
    except (httpcore.TimeoutException, TookTooLong) as error:
        return NoResponse(type(error).__name__, str(error) or "no answer in time")
    except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.UnsupportedProtocol, OSError, ValueError) as error:
        return NoResponse(type(error).__name__, str(error))


def _sent(request: OutgoingRequest, settings: Settings, resolve: Resolve) -> WebhookResponse:
    split = urlsplit(request.url)
    url = httpcore.URL(scheme=split.scheme.lower(), host=_host(split), port=_port(split), target=_target(split))
    deadline = time.monotonic() + settings.webhook_total_timeout.total_seconds()
    timeouts = {
        "connect": settings.webhook_connect_timeout.total_seconds(),
        "read": settings.webhook_read_timeout.total_seconds(),
        "write": settings.webhook_read_timeout.total_seconds(),
        "pool": settings.webhook_connect_timeout.total_seconds(),
    }
    with (
        httpcore.ConnectionPool(
            ssl_context=_trust(settings.webhook_certificates, settings.disable_ssl_verification),
            network_backend=_Dialler(settings.webhook_host_whitelist, resolve, deadline),
            max_connections=1,
        ) as pool,
        pool.stream(
            request.method,
            url,
            headers=[(name.title().encode("ascii"), value.encode()) for name, value in request.headers.items()],
            content=request.body,
            extensions={"timeout": timeouts},
        ) as response,
    ):
        return _read(response, settings.webhook_max_response_bytes)


def _host(split: SplitResult) -> bytes:
    name = split.hostname
    if split.scheme.lower() not in _PORTS or not name:
        raise ForbiddenDestination(f"{split.scheme}://{split.netloc} is not an address of HTTP")
    return name.encode("ascii") if name.isascii() else name.encode("idna")


def _port(split: SplitResult) -> int:
    return split.port or _PORTS[split.scheme.lower()]


def _target(split: SplitResult) -> str:
    path = quote(split.path or "/", safe=_KEPT)
    query = quote(split.query, safe=_KEPT + "?[]")
    return f"{path}?{query}" if query else path


def _read(response: httpcore.Response, most: int) -> WebhookResponse:
    pieces, size = [], 0
    for piece in response.iter_stream():
        pieces.append(piece)
        size += len(piece)
        if size > most:
            break
    reason: Any = response.extensions.get("reason_phrase", b"")
    return WebhookResponse(
        status=response.status,
        reason=reason.decode("latin-1"),
        headers=tuple((name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in response.headers),
        body=b"".join(pieces)[:most],
        is_truncated=size > most,
    )


@lru_cache(maxsize=4)
def _trust(certificates: tuple[str, ...], is_off: bool) -> ssl.SSLContext:  # noqa: FBT001 - the cache takes positions only
    context = ssl.create_default_context()
    for one in certificates:
        _add_authority(context, one)
    if is_off:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _add_authority(context: ssl.SSLContext, given: str) -> None:
    """Trust an authority besides the system's. One that cannot be read is passed over, and told in the log."""
    try:
        if "-----BEGIN" in given:
            context.load_verify_locations(cadata=given)
        else:
            context.load_verify_locations(given)
    except (OSError, ValueError) as error:
        log.warning("webhook_certificates", certificate=given.partition("\n")[0], reason=str(error))


def check_addresses(host: str, found: Iterable[str], whitelist: Sequence[str]) -> list[str]:
    """Return the addresses of a host if all of them may be reached. Raises Refused."""
    addresses = [ip_address(one.partition("%")[0]) for one in found]
    if not addresses:
        raise ForbiddenDestination(f"{host} has no address")
    is_named = hosts.is_whitelisted(host, whitelist)
    for address in addresses:
        if not _may_reach(address, whitelist, is_named=is_named):
            raise ForbiddenDestination(
                f"{host} is at {address}, which is not public; webhook_host_whitelist can allow it"
            )
    return [str(one) for one in addresses]


def _may_reach(address: Address, whitelist: Sequence[str], *, is_named: bool) -> bool:
    if hosts.is_public(address) or hosts.is_address_whitelisted(address, whitelist):
        return True
    return is_named and not hosts.is_local(address)


class _Dialler(httpcore.NetworkBackend):
    """Connects to judged addresses only, and to nothing after the deadline."""

    def __init__(self, whitelist: Sequence[str], resolve: Resolve, deadline: float) -> None:
        self._whitelist = whitelist
        self._look_up = resolve
        self._deadline = deadline
        self._network = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        """Connect to the first address that answers."""
        until = min(self._deadline, time.monotonic() + (timeout or 0))
        looked_up = _RESOLVERS.submit(self._look_up, host, port).result(_left(until))
        failure: Exception = ForbiddenDestination(f"{host} has no address")
        for address in check_addresses(host, looked_up, self._whitelist):
            try:
                stream = self._network.connect_tcp(address, port, _left(until), local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
            else:
                return _Hurried(stream, self._deadline)
        raise failure


class _Hurried(httpcore.NetworkStream):
    """A connection on which no operation goes on after the deadline."""

    def __init__(self, stream: httpcore.NetworkStream, deadline: float) -> None:
        self._stream = stream
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Read what has come."""
        return self._stream.read(max_bytes, self._within(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Send bytes."""
        self._stream.write(buffer, self._within(timeout))

    def close(self) -> None:
        """Hang up."""
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        """Go on under TLS; the certificate must be the host's, whatever address was dialled."""
        stream = self._stream.start_tls(ssl_context, server_hostname, self._within(timeout))
        return _Hurried(stream, self._deadline)

    def get_extra_info(self, info: str) -> Any:
        """Tell about the connection."""
        return self._stream.get_extra_info(info)

    def _within(self, timeout: float | None) -> float:
        left = _left(self._deadline)
        return left if timeout is None else min(timeout, left)


def _left(until: float) -> float:
    left = until - time.monotonic()
    if left <= 0:
        raise httpcore.ReadTimeout("the whole exchange took too long")
    return left
