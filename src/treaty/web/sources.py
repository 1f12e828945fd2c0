"""Where a request comes from: the client's address, the base URL that it used, and whether open access covers it."""

from collections.abc import Mapping
from dataclasses import dataclass

from starlette.types import Scope

from treaty.settings import Settings
from treaty.web import open_access
from treaty.web.base_urls import BaseUrls
from treaty.web.hosts import Host, InvalidHost, parse_host
from treaty.web.proxies import Client, TrustedProxies

_SCHEMES = ("http", "https")


@dataclass(frozen=True, slots=True)
class RequestSource:
    """What the connection, `Host` and the headers of trusted proxies say about a request."""

    address: str | None
    """The client's address."""
    base_url: str
    obstacle: str | None
    """Why open access does not cover the request, as the rest of a sentence; None if it does."""
    problem: str | None = None
    """Why the request is invalid; it must then be refused."""


class RequestSources:
    """Reads the source of each request by one server's settings."""

    def __init__(self, settings: Settings) -> None:
        self._proxies = TrustedProxies(settings)
        self._base_urls = BaseUrls(settings)
        self._obstacle = open_access.settings_obstacle(settings)
        self._is_open_to_all = settings.open_access

    def of(self, scope: Scope, headers: Mapping[str, str]) -> RequestSource:
        """Read the source of a request."""
        peer = scope["client"][0] if scope.get("client") else None
        client = self._proxies.client_of(peer, headers)
        try:
            host = _own_host(scope, headers)
            base_url = self._base_urls.choose(scope["scheme"], host, client, _forwarded_host(client))
        except InvalidHost as error:
            fallback = self._base_urls.choose(scope["scheme"], _server(scope), Client(client.address), None)
            return RequestSource(client.address, fallback, "its host is not valid", str(error))
        return RequestSource(client.address, base_url, self._obstacle_of(scope, headers, host, client))

    def _obstacle_of(self, scope: Scope, headers: Mapping[str, str], host: Host, client: Client) -> str | None:
        if self._is_open_to_all or self._obstacle is not None:
            return self._obstacle
        return open_access.request_obstacle(
            client.address, host, headers, is_http_1_0=scope.get("http_version") == "1.0"
        )


def _own_host(scope: Scope, headers: Mapping[str, str]) -> Host:
    """Read `Host`, which only HTTP/1.0 may leave out. Raises InvalidHost."""
    text = headers.get("host")
    try:
        if text is not None:
            return parse_host(text)
    except InvalidHost as error:
        raise InvalidHost(f"The Host header {error}") from error
    if scope.get("http_version") == "1.0":
        return _server(scope)
    raise InvalidHost("The Host header is missing: HTTP/1.1 requires it.")


def _forwarded_host(client: Client) -> Host | None:
    """Check what a trusted proxy reports. Raises InvalidHost."""
    if client.scheme is not None and client.scheme not in _SCHEMES:
        raise InvalidHost("The scheme that the proxy reports must be http or https.")
    try:
        return None if client.host is None else parse_host(client.host)
    except InvalidHost as error:
        raise InvalidHost(f"The host that the proxy reports {error}") from error


def _server(scope: Scope) -> Host:
    """Use the address that the server listens on as a host."""
    name, port = scope.get("server") or ("localhost", None)
    return Host(f"[{name}]" if ":" in name else name, str(port or ""))
