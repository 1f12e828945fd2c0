"""Sends requests to URLs that users choose, and protects the internal network from them (SSRF).

A host is resolved once, all its addresses are checked, and the connection uses a checked address: a second lookup could
return another one (DNS rebinding). Redirects are not followed. Responses are limited in size and in time.

A request may have to go through an HTTP proxy, which resolves the host itself. The addresses that this machine finds
are checked all the same. If it finds none, as in networks where only the proxy resolves public names, the name must be
one that can be public. The proxy itself may have any address.
"""

import re
import socket
import ssl
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from functools import lru_cache, partial
from ipaddress import ip_address
from typing import Any, Final
from urllib.parse import SplitResult, quote, urlsplit

import httpcore
import structlog

from treaty.model.webhooks import hosts
from treaty.model.webhooks.deliveries import NoResponse, OutgoingRequest, WebhookResponse
from treaty.model.webhooks.hosts import Address
from treaty.outbound_proxies import HttpProxy
from treaty.settings import Settings
from treaty.settings.webhook_proxies import read_proxies

Resolve = Callable[[str, int], Sequence[str]]
_URL_CHARACTERS: Final = "/%:@!$&'()*+,;=~-._"
"""Characters that are not escaped: those that URLs may contain, and the percent sign of those that are escaped."""
_PORTS: Final = {"http": 80, "https": 443}
# The system's resolver has no timeout, so it runs in separate threads, for which a request waits a limited time.
_RESOLVERS: Final = ThreadPoolExecutor(16, thread_name_prefix="treaty-resolver")


log = structlog.get_logger("treaty.outgoing")


class ForbiddenDestination(Exception):
    """The destination is not public and not on the whitelist."""


class ProxyFailure(Exception):
    """The proxy cannot be used or reached, or does not connect to the destination."""


def resolve_host(host: str, port: int) -> list[str]:
    """List the addresses of a host with the system's resolver, which also understands unusual notations."""
    results = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(result[4][0]) for result in results))


def send(
    request: OutgoingRequest, settings: Settings, *, resolve: Resolve = resolve_host
) -> WebhookResponse | NoResponse:
    """Send a request once. Failures are returned instead of raised."""
    try:
        return _send(request, settings, resolve)
    except ForbiddenDestination as error:
        return NoResponse("Refused", str(error))
    except ProxyFailure as error:
        return NoResponse("ProxyError", str(error))
    except (httpcore.TimeoutException, FutureTimeoutError) as error:
        return NoResponse(type(error).__name__, str(error) or "no response in time")
    except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.UnsupportedProtocol, OSError, ValueError) as error:
        return NoResponse(type(error).__name__, str(error))


def _send(request: OutgoingRequest, settings: Settings, resolve: Resolve) -> WebhookResponse:
    split = urlsplit(request.url)
    host, scheme = _encode_host(split), split.scheme.lower()
    # The setting may have changed since the webhook was saved.
    if settings.webhook_host_whitelist and not hosts.is_whitelisted(host.decode(), settings.webhook_host_whitelist):
        raise ForbiddenDestination(f"{host.decode()} is not on the list in the setting webhook_host_whitelist")
    url = httpcore.URL(scheme=scheme, host=host, port=split.port or _PORTS[scheme], target=_build_target(split))
    deadline = time.monotonic() + settings.webhook_total_timeout.total_seconds()
    proxy = _choose_proxy(url, settings)
    if proxy is None:
        backend = _ResolvingBackend(
            partial(check_addresses, whitelist=settings.webhook_host_whitelist), resolve, deadline
        )
        return _exchange(request, url, settings, backend)
    _check_proxied_host(host.decode(), url, settings, resolve)
    return _exchange_through(proxy, request, url, settings, deadline)


def _exchange(
    request: OutgoingRequest,
    url: httpcore.URL,
    settings: Settings,
    backend: httpcore.NetworkBackend,
    proxy: httpcore.Proxy | None = None,
) -> WebhookResponse:
    timeouts = {
        "connect": settings.webhook_connect_timeout.total_seconds(),
        "read": settings.webhook_read_timeout.total_seconds(),
        "write": settings.webhook_read_timeout.total_seconds(),
        "pool": settings.webhook_connect_timeout.total_seconds(),
    }
    # A new connection for each request: a kept one would outlive its address check and its deadline.
    with (
        httpcore.ConnectionPool(
            ssl_context=build_ssl_context(settings.webhook_certificates, settings.disable_ssl_verification),
            network_backend=backend,
            proxy=proxy,
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
        return _read_response(response, settings.webhook_max_response_bytes)


def _encode_host(split: SplitResult) -> bytes:
    name = split.hostname
    if split.scheme.lower() not in _PORTS or not name:
        raise ForbiddenDestination(f"{split.scheme}://{split.netloc} is not an HTTP or HTTPS URL")
    return name.encode("ascii") if name.isascii() else name.encode("idna")


def _build_target(split: SplitResult) -> str:
    path = quote(split.path or "/", safe=_URL_CHARACTERS)
    query = quote(split.query, safe=_URL_CHARACTERS + "?[]")
    return f"{path}?{query}" if query else path


def _read_response(response: httpcore.Response, max_bytes: int) -> WebhookResponse:
    pieces, size = [], 0
    # The Content-Length header may be wrong or missing, so the received bytes are counted.
    for piece in response.iter_stream():
        pieces.append(piece)
        size += len(piece)
        if size > max_bytes:
            break
    reason: Any = response.extensions.get("reason_phrase", b"")
    return WebhookResponse(
        status=response.status,
        reason=reason.decode("latin-1"),
        headers=tuple((name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in response.headers),
        body=b"".join(pieces)[:max_bytes],
        is_truncated=size > max_bytes,
    )


@lru_cache(maxsize=4)
def build_ssl_context(certificates: tuple[str, ...], is_off: bool) -> ssl.SSLContext:  # noqa: FBT001 - the cache takes positions only
    """Build the context of TLS connections, which trusts the system's authorities and the configured certificates."""
    context = ssl.create_default_context()
    for certificate in certificates:
        _add_authority(context, certificate)
    if is_off:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _add_authority(context: ssl.SSLContext, certificate: str) -> None:
    """Trust an authority, given as PEM text or as a path. A certificate that cannot be read is logged and ignored."""
    try:
        if "-----BEGIN" in certificate:
            context.load_verify_locations(cadata=certificate)
        else:
            context.load_verify_locations(certificate)
    except (OSError, ValueError) as error:
        log.warning("webhook_certificates", certificate=certificate.partition("\n")[0], reason=str(error))


# Proxies

_MAX_PROXIED_LOOKUP: Final = 5.0
"""Seconds to wait for the addresses of a host that the proxy resolves, too. Without a name server for public names, the
resolver may wait for long."""
_PROXY_AUTHENTICATION_REQUIRED: Final = 407
_PUBLIC_NAME: Final = re.compile(r"(?:[a-z0-9_-]+\.)+(?:[a-z]{2,}|xn--[a-z0-9-]+)\.?", re.IGNORECASE)
_SPECIAL_DOMAINS: Final = ("alt", "arpa", "internal", "invalid", "local", "localhost", "onion", "test")
"""Domains that are reserved for other purposes than public names (RFC 6761 and others)."""


def _choose_proxy(url: httpcore.URL, settings: Settings) -> HttpProxy | None:
    scheme, host = url.scheme.decode(), url.host.decode()
    try:
        proxy = read_proxies(settings).choose(scheme, host, url.port or _PORTS[scheme])
    except ValueError as error:
        raise ProxyFailure(f"{error} (webhook_{scheme}_proxy, or {scheme}_proxy in the environment)") from error
    if proxy is not None and ":" in host:
        raise ProxyFailure(
            f"IPv6 addresses are not sent to the proxy {proxy}: use a name, or add {host} to webhook_no_proxy"
        )
    return proxy


def _check_proxied_host(host: str, url: httpcore.URL, settings: Settings, resolve: Resolve) -> None:
    """Check the addresses of a host to which the proxy will connect. Raises ForbiddenDestination."""
    whitelist = settings.webhook_host_whitelist
    timeout = min(_MAX_PROXIED_LOOKUP, settings.webhook_connect_timeout.total_seconds())
    try:
        resolved = _RESOLVERS.submit(resolve, host, url.port or 0).result(timeout)
    except (OSError, FutureTimeoutError) as error:
        if hosts.is_whitelisted(host, whitelist) or _can_be_public(host):
            return
        raise ForbiddenDestination(
            f"{host} has no address here, and cannot be a public name; webhook_host_whitelist can allow it"
        ) from error
    check_addresses(host, resolved, whitelist)


def _can_be_public(name: str) -> bool:
    """Whether a name may be that of a public host: it has a domain, which is not reserved and not a number."""
    return (
        _PUBLIC_NAME.fullmatch(name) is not None and name.rstrip(".").lower().rpartition(".")[2] not in _SPECIAL_DOMAINS
    )


def _exchange_through(
    proxy: HttpProxy, request: OutgoingRequest, url: httpcore.URL, settings: Settings, deadline: float
) -> WebhookResponse:
    """Exchange a request and response through a proxy. Raises ProxyFailure."""
    tls = build_ssl_context(settings.webhook_certificates, settings.disable_ssl_verification)
    route = httpcore.Proxy(
        httpcore.URL(scheme=proxy.scheme, host=proxy.host, port=proxy.port, target="/"),
        auth=proxy.credentials and (proxy.credentials[0].encode(), proxy.credentials[1].encode()),
        ssl_context=tls if proxy.scheme == "https" else None,
    )
    try:
        response = _exchange(request, url, settings, _ProxyBackend(proxy, deadline), route)
    except httpcore.ProxyError as error:
        raise _explain_refusal(proxy, url, str(error)) from error
    # Only a proxy sends this status. It refuses a request to an http URL with it.
    if response.status == _PROXY_AUTHENTICATION_REQUIRED:
        raise _explain_refusal(proxy, url, f"{response.status} {response.reason}")
    return response


def _explain_refusal(proxy: HttpProxy, url: httpcore.URL, reason: str) -> ProxyFailure:
    text = f"the proxy {proxy} did not connect to {url.host.decode()}: {reason.strip()}"
    if not reason.startswith(str(_PROXY_AUTHENTICATION_REQUIRED)):
        return ProxyFailure(text)
    setting = f"webhook_{url.scheme.decode()}_proxy"
    return ProxyFailure(f"{text}. Write its user and password in {setting}, as in http://user:password@host:port")


def check_addresses(host: str, resolved: Iterable[str], whitelist: Sequence[str]) -> list[str]:
    """Return the addresses of a host if all of them are allowed. Raises ForbiddenDestination."""
    addresses = [ip_address(address.partition("%")[0]) for address in resolved]
    if not addresses:
        raise ForbiddenDestination(f"{host} has no address")
    # One forbidden address is enough: an attacker's DNS could mix it with public ones.
    is_named = hosts.is_whitelisted(host, whitelist)
    for address in addresses:
        if not _is_allowed(address, whitelist, is_named=is_named):
            raise ForbiddenDestination(
                f"{host} is at {address}, which is not public; webhook_host_whitelist can allow it"
            )
    return [str(address) for address in addresses]


def _is_allowed(address: Address, whitelist: Sequence[str], *, is_named: bool) -> bool:
    if hosts.is_public(address) or hosts.is_address_whitelisted(address, whitelist):
        return True
    return is_named and not hosts.is_local(address)


Check = Callable[[str, Sequence[str]], Sequence[str]]
"""Returns the addresses of a host if they are allowed. Raises ForbiddenDestination."""


class _ResolvingBackend(httpcore.NetworkBackend):
    """Connects to allowed addresses only, and not after the deadline."""

    def __init__(self, check: Check, resolve: Resolve, deadline: float) -> None:
        self._check = check
        self._resolve = resolve
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
        """Connect to the first address that accepts."""
        until = min(self._deadline, time.monotonic() + (timeout or 0))
        resolved = _RESOLVERS.submit(self._resolve, host, port).result(_remaining_seconds(until))
        failure: Exception = ForbiddenDestination(f"{host} has no address")
        for address in self._check(host, resolved):
            try:
                stream = self._network.connect_tcp(
                    address, port, _remaining_seconds(until), local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
            else:
                return _DeadlineStream(stream, self._deadline)
        raise failure


class _ProxyBackend(_ResolvingBackend):
    """Connects to a proxy, which the administrator chose, so that it may have any address."""

    def __init__(self, proxy: HttpProxy, deadline: float) -> None:
        super().__init__(lambda _host, addresses: addresses, resolve_host, deadline)
        self._proxy = proxy

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        """Connect to the proxy. Raises ProxyFailure."""
        try:
            return super().connect_tcp(host, port, timeout, local_address, socket_options)
        except (httpcore.NetworkError, httpcore.TimeoutException, FutureTimeoutError, OSError) as error:
            reason = str(error) or "no response in time"
            raise ProxyFailure(f"the proxy {self._proxy} cannot be reached: {reason}") from error


class _DeadlineStream(httpcore.NetworkStream):
    """A connection whose operations end at the deadline.

    Timeouts for single reads are not enough: a receiver that sends a byte a second would never exceed them.
    """

    def __init__(self, stream: httpcore.NetworkStream, deadline: float) -> None:
        self._stream = stream
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Read available bytes."""
        return self._stream.read(max_bytes, self._limit(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Send bytes."""
        self._stream.write(buffer, self._limit(timeout))

    def close(self) -> None:
        """Close the connection."""
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        """Upgrade to TLS. The certificate is checked against the host's name, not against the address."""
        stream = self._stream.start_tls(ssl_context, server_hostname, self._limit(timeout))
        return _DeadlineStream(stream, self._deadline)

    def get_extra_info(self, info: str) -> Any:
        """Return a property of the connection."""
        return self._stream.get_extra_info(info)

    def _limit(self, timeout: float | None) -> float:
        remaining = _remaining_seconds(self._deadline)
        return remaining if timeout is None else min(timeout, remaining)


def _remaining_seconds(until: float) -> float:
    remaining = until - time.monotonic()
    if remaining <= 0:
        raise httpcore.ReadTimeout("the whole exchange took too long")
    return remaining
