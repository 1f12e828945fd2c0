"""Chooses the HTTP proxy for requests to other servers: the usual environment variables, and exceptions to them.

`http_proxy`, `https_proxy` and `all_proxy` name proxies for URLs with these schemes, and `no_proxy` lists the hosts to
reach without one. There is no standard; this follows curl, which most administrators configure it for.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final, NamedTuple
from urllib.parse import SplitResult, unquote, urlsplit

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


class Variable(NamedTuple):
    """The value of an environment variable that is set."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class HttpProxy:
    """The address of a proxy. Its text has no credentials."""

    scheme: str
    host: str
    port: int
    credentials: tuple[str, str] | None = field(default=None, repr=False)
    """The user and the password."""

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"


class OutboundProxies(NamedTuple):
    """The proxies for each scheme, and the hosts that are reached without one."""

    http: str | None = None
    https: str | None = None
    exceptions: tuple[str, ...] = ()

    def choose(self, scheme: str, host: str, port: int) -> HttpProxy | None:
        """Choose the proxy for a request; None to connect directly. Raises ValueError for an unusable one."""
        url = self.https if scheme == "https" else self.http
        return None if not url or is_exception(host, port, self.exceptions) else parse_proxy(url)


def read_environment(environ: Mapping[str, str]) -> OutboundProxies:
    """Read the proxies from the environment variables."""
    http, https = (find_variable(environ, f"{scheme}_proxy", "all_proxy") for scheme in ("http", "https"))
    exceptions = find_variable(environ, "no_proxy")
    return OutboundProxies(
        http and http.value, https and https.value, split_list(exceptions.value if exceptions else "")
    )


def find_variable(environ: Mapping[str, str], *names: str) -> Variable | None:
    """Find the first variable that is set, in lower or upper case. Blank ones count as not set."""
    spellings = (spelling for name in names for spelling in (name, name.upper()))
    return next((Variable(name, environ[name]) for name in spellings if environ.get(name, "").strip()), None)


def split_list(text: str) -> tuple[str, ...]:
    return tuple(text.replace(",", " ").split())


def parse_proxy(url: str) -> HttpProxy:
    """Parse the address of a proxy, which may lack `http://`. Raises ValueError, whose text has no credentials."""
    text = url.strip() if "://" in url else f"http://{url.strip()}"
    parts = _split(text)
    if parts is None:
        shown = re.sub(r"//.*@", "//", text)
        raise ValueError(f"{shown} is not an HTTP proxy; write its address like http://proxy.example.org:3128")
    credentials = (unquote(parts.username), unquote(parts.password or "")) if parts.username else None
    return HttpProxy(parts.scheme, parts.hostname or "", parts.port or _DEFAULT_PORTS[parts.scheme], credentials)


def _split(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        is_usable = bool(parts.hostname) and parts.scheme in _DEFAULT_PORTS and parts.port != 0
    except ValueError:  # the port is not a number, or brackets are not closed
        return None
    return parts if is_usable else None


def is_exception(host: str, port: int, exceptions: Iterable[str]) -> bool:
    """Whether a host is on the list of `no_proxy`.

    An entry is `*`, a name (with its subdomains, also with `.` or `*.` before it), an address, or a network. A name or
    an address may have a port. Networks match addresses in URLs, and not the addresses that names have.
    """
    name = _to_ascii(host.strip("[]").rstrip("."))
    address = _parse_address(name)
    return any(_matches(entry, name, address, port) for entry in exceptions)


def _matches(entry: str, name: str, address: IPv4Address | IPv6Address | None, port: int) -> bool:
    if entry == "*":
        return True
    text, entry_port = _split_port(entry)
    if entry_port not in {None, str(port)}:
        return False
    network = _parse_network(text)
    if network is not None or address is not None:
        return network is not None and address is not None and address in network
    domain = _to_ascii(text.removeprefix("*").strip("."))
    return domain != "" and (name == domain or name.endswith(f".{domain}"))


def _split_port(entry: str) -> tuple[str, str | None]:
    if entry.startswith("["):
        host, _, rest = entry[1:].partition("]")
        return host, rest.removeprefix(":") or None
    host, colon, port = entry.partition(":")
    has_port = colon and ":" not in port  # an IPv6 address has more colons
    return (host, port) if has_port else (entry, None)


def _to_ascii(host: str) -> str:
    try:
        return (host if host.isascii() else host.encode("idna").decode()).lower()
    except UnicodeError:
        return host.lower()


def _parse_address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return address.ipv4_mapped or address if isinstance(address, IPv6Address) else address


def _parse_network(text: str) -> IPv4Network | IPv6Network | None:
    try:
        return ip_network(text, strict=False)
    except ValueError:
        return None
