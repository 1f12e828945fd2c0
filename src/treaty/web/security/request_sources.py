"""Where a request comes from: the client's address, the base URL that it used, and whether open access covers it."""

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any, Final, NamedTuple

from starlette.types import Scope

from treaty.settings import Settings
from treaty.web.http.base_urls import BaseUrls
from treaty.web.http.hosts import DEFAULT_PORTS, Host, InvalidHost, parse_host, parse_port, truncate_host
from treaty.web.http.proxies import ClientConnection, TrustedProxies
from treaty.web.http.request import RequestSource
from treaty.web.security import open_access

_SCHEMES: Final = ("http", "https")
_HTTP_1_0: Final = "1.0"


class ConnectionInfo(NamedTuple):
    """How a request reached this server."""

    server: tuple[str, int | None] | None
    """The address that the server listens on."""
    scheme: str
    http_version: str
    host: str | None
    """The `Host` header."""
    base_path: str
    """The path of a base URL that the request's path began with; "" if there was none."""


class RequestSources:
    """Reads the source of each request by one server's settings."""

    def __init__(self, settings: Settings) -> None:
        self._proxies = TrustedProxies(settings)
        self._base_urls = BaseUrls(settings)
        self._obstacle = open_access.find_settings_obstacle(settings)
        self._is_open_locally = self._obstacle is None and not settings.open_access
        self._read_direct = lru_cache(maxsize=1024)(self._read_without_proxies)

    def of(self, scope: Scope, headers: Mapping[str, str], base_path: str) -> RequestSource:
        """Read the source of a request whose path began with the path of a base URL, or with none of them."""
        peer = scope.get("client")
        address = peer[0] if peer else None
        server, version = scope.get("server"), scope.get("http_version", "1.1")
        connection = (server, scope["scheme"], version, truncate_host(headers.get("host")), base_path)
        if self._proxies.has_trusted:
            return self._read(self._proxies.find_client(address, headers), ConnectionInfo(*connection))
        # Without proxies only a few values matter, which repeat in every request of a client.
        source = self._read_direct(address, *connection)
        if self._is_open_locally and (obstacle := open_access.find_header_obstacle(headers)):
            return replace(source, open_access_obstacle=obstacle)
        return source

    def _read_without_proxies(self, address: str | None, *connection: Any) -> RequestSource:
        """Read the part of the source that is the same for all requests of a client, and therefore cached."""
        return self._read(self._proxies.find_client(address, {}), ConnectionInfo(*connection))

    def _read(self, client: ClientConnection, connection: ConnectionInfo) -> RequestSource:
        try:
            host = _parse_own_host(connection)
            forwarded_host = _parse_forwarded_host(client, host)
        except InvalidHost as error:
            # The response that rejects the request needs a base URL, too; it must not contain the invalid host.
            fallback = self._base_urls.choose(
                connection.scheme,
                _build_server_host(connection),
                ClientConnection(client.address),
                None,
                connection.base_path,
            )
            return RequestSource(
                client.address, fallback, "its host is not valid", str(error), base_path=connection.base_path
            )
        base_url = self._base_urls.choose(connection.scheme, host, client, forwarded_host, connection.base_path)
        obstacle = self._find_obstacle(client, connection, host)
        return RequestSource(client.address, base_url, obstacle, base_path=connection.base_path)

    def _find_obstacle(self, client: ClientConnection, connection: ConnectionInfo, host: Host) -> str | None:
        if not self._is_open_locally:
            return self._obstacle
        return open_access.find_connection_obstacle(
            client.address, host, is_http_1_0=connection.http_version == _HTTP_1_0
        )


def _parse_own_host(connection: ConnectionInfo) -> Host:
    """Parse the `Host` header, which only HTTP/1.0 may leave out. Raises InvalidHost."""
    if connection.host is None:
        if connection.http_version == _HTTP_1_0:
            return _build_server_host(connection)
        raise InvalidHost("The Host header is missing: HTTP/1.1 requires it.")
    try:
        return parse_host(connection.host)
    except InvalidHost as error:
        raise InvalidHost(f"The Host header {error}") from error


def _parse_forwarded_host(client: ClientConnection, own_host: Host) -> Host | None:
    """Parse the host and port that a trusted proxy reports; None if it reports neither.

    Raises InvalidHost for an invalid host, port or scheme.
    """
    if client.scheme is not None and client.scheme not in _SCHEMES:
        raise InvalidHost("The scheme that the proxy reports must be http or https.")
    try:
        host = None if client.host is None else parse_host(client.host)
    except InvalidHost as error:
        raise InvalidHost(f"The host that the proxy reports {error}") from error
    if client.port is None:
        return host
    try:
        return _add_port(host or own_host, parse_port(client.port), client.scheme)
    except InvalidHost as error:
        raise InvalidHost(f"The port that the proxy reports {error}") from error


def _add_port(host: Host, port: str, scheme: str | None) -> Host:
    """Add the port that a proxy reports to a host without one: the client's own `Host` header is more certain.

    The default port of the other scheme (https and 80) is that of another proxy, so it is left out.
    """
    is_of_other_scheme = port in {DEFAULT_PORTS[other] for other in _SCHEMES if scheme not in {None, other}}
    return host if host.port or is_of_other_scheme else Host(host.name, port)


def _build_server_host(connection: ConnectionInfo) -> Host:
    """Use the address that the server listens on as a host."""
    name, port = connection.server or ("localhost", None)
    return Host(f"[{name}]" if ":" in name else name, str(port or ""))
