"""Finds the client's address, and the scheme, host and port that the client used, in the headers of trusted proxies.

Each proxy appends its peer to the headers of one family (`X-Forwarded-*` or `Forwarded`). Entries to the left of it may
have been sent by the client itself. They are therefore read from the right, as long as each address belongs to a
trusted proxy. The last one read is the outermost proxy's, which alone knows what the client used. Headers of the other
family are ignored, since a proxy passes them on as the client sent them.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from itertools import chain, repeat
from typing import Final, NamedTuple

import structlog

from treaty.errors import InvalidSetting
from treaty.settings import FORWARDED, X_FORWARDED, Settings
from treaty.web.http.hosts import truncate_host

MAX_HOPS: Final = 32
"""Maximum number of entries that are read, so that a long header costs little."""


@dataclass(frozen=True, slots=True)
class Hop:
    """What one proxy reports about the request that it received; None for a missing or invalid value."""

    address: str | None
    scheme: str | None
    host: str | None
    port: str | None = None


class ClientConnection(NamedTuple):
    """The client's address, and the scheme, host and port that it used if trusted proxies report them."""

    address: str | None
    scheme: str | None = None
    host: str | None = None
    """May contain a port."""
    port: str | None = None
    """The port, where a header reports it apart from the host."""
    prefix: str | None = None
    """The path that a proxy reports to have removed. It only selects one of the configured base URLs: many proxies pass
    this header on as the client sent it."""


class TrustedProxies:
    """The proxies that the settings trust. Raises InvalidSetting for a text that is not an address or a network."""

    def __init__(self, settings: Settings) -> None:
        try:
            self._networks = [ip_network(proxy) for proxy in settings.trusted_proxies]
        except ValueError as error:
            raise InvalidSetting(f"trusted_proxies: {error}") from error
        self._family = _FAMILIES[settings.trusted_proxy_headers]
        self._has_warned = False
        self._is_trusted = lru_cache(maxsize=4096)(self._is_in_networks)

    @property
    def has_trusted(self) -> bool:
        """Whether the settings name any proxy."""
        return bool(self._networks)

    def find_client(self, peer: str | None, headers: Mapping[str, str]) -> ClientConnection:
        """Find the client: the nearest address that does not belong to a trusted proxy."""
        address = peer and (normalize_address(peer) or peer)
        if not self._networks or address is None or not self._is_trusted(address):
            return ClientConnection(address)
        self._check_family(address, headers)
        scheme = host = port = None
        for hop in self._family.read(headers):
            scheme, host, port = hop.scheme or scheme, hop.host or host, hop.port or port
            if hop.address is None:  # the entries to the left cannot be attributed to a proxy any more
                break
            address = hop.address
            if not self._is_trusted(address):
                break
        prefix = self._family.read_prefix(headers)
        return ClientConnection(address, truncate_host(scheme and scheme.lower()), truncate_host(host), port, prefix)

    def _check_family(self, proxy: str, headers: Mapping[str, str]) -> None:
        """Log once if a proxy uses the other family of headers: all of its clients then count as one client."""
        header, other_header = self._family.header, self._family.other_header
        if self._has_warned or header in headers or other_header not in headers:
            return
        self._has_warned = True
        reason = (
            f"requests from the trusted proxy {proxy} have no {header} header, so all of its clients count as {proxy}. "
            f"Have the proxy write it. If the proxy itself writes {other_header}, and not its clients, "
            "set trusted_proxy_headers to that family."
        )
        structlog.get_logger("treaty.web").warning("trusted_proxies", reason=reason)

    def _is_in_networks(self, address: str) -> bool:
        """Whether an address is trusted. Called through the cache `_is_trusted`, as it takes long for each request."""
        try:
            return any(ip_address(address) in network for network in self._networks)
        except ValueError:
            return False


@lru_cache(maxsize=4096)
def normalize_address(text: str) -> str | None:
    """Return an address in the form that is compared, counted and logged; None if it is not an address.

    An IPv4-mapped IPv6 address becomes IPv4, since the client is the same. Zones have a meaning on their machine only,
    so they are removed.
    """
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv4Address):
        return str(address)
    return str(address.ipv4_mapped or IPv6Address(int(address)))


def _x_forwarded_hops(headers: Mapping[str, str]) -> Iterator[Hop]:
    """Read X-Forwarded-For, -Proto, -Host and -Port, the nearest proxy's entries first.

    A header that each proxy appends to has an entry for each hop. One that proxies replace or pass on has fewer
    entries, which are those of the nearest hops: the leftmost one then remains the outermost proxy's.
    """
    addresses = map(_address, _from_the_right(headers.get("x-forwarded-for", "")))
    others = (
        chain((entry or None for entry in _from_the_right(headers.get(f"x-forwarded-{name}", ""))), repeat(None))
        for name in ("proto", "host", "port")
    )
    for address, scheme, host, port in zip(addresses, *others, strict=False):
        yield Hop(address, scheme, host, port)


def _read_x_forwarded_prefix(headers: Mapping[str, str]) -> str | None:
    return next(_from_the_right(headers.get("x-forwarded-prefix", ""))) or None


# RFC 7239, section 4. A value with a comma in it is not expected from a proxy: the entry then counts as unreadable.
_UNQUOTED: Final = r"[!#$%&'*+.^_`|~\w-]+"
_QUOTED: Final = r'"(?:[^"\\]|\\.)*"'
_PAIR: Final = re.compile(rf"({_UNQUOTED})=({_UNQUOTED}|{_QUOTED})", re.ASCII)
_ELEMENT: Final = re.compile(rf"{_PAIR.pattern}(?:\s*;\s*{_PAIR.pattern})*;?", re.ASCII)


def _forwarded_hops(headers: Mapping[str, str]) -> Iterator[Hop]:
    """Read Forwarded, the nearest proxy's element first, up to the first malformed element."""
    for element in _from_the_right(headers.get("forwarded", "")):
        pairs = _PAIR.findall(element) if _ELEMENT.fullmatch(element) else []
        values = {name.lower(): value.strip('"') for name, value in pairs}
        if not values or len(values) < len(pairs):  # a parameter may occur once
            return
        yield Hop(_address(values.get("for", "")), values.get("proto"), values.get("host"))


class _Family(NamedTuple):
    read: Callable[[Mapping[str, str]], Iterator[Hop]]
    read_prefix: Callable[[Mapping[str, str]], str | None]
    header: str
    """Name of the header with the client's address."""
    other_header: str
    """Name of that header in the family that is ignored."""


_FAMILIES: Final = {
    X_FORWARDED: _Family(_x_forwarded_hops, _read_x_forwarded_prefix, "x-forwarded-for", "forwarded"),
    FORWARDED: _Family(_forwarded_hops, lambda _headers: None, "forwarded", "x-forwarded-for"),
}


def _from_the_right(header: str) -> Iterator[str]:
    """Split a list into its last MAX_HOPS entries, the last one first."""
    entries = header.rsplit(",", MAX_HOPS)[-MAX_HOPS:]
    return (entry.strip() for entry in reversed(entries))


def _address(text: str) -> str | None:
    """Read an address that may be quoted, in brackets, and followed by a port."""
    text = text.strip('"')
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    return normalize_address(text) if len(text) <= _MAX_ADDRESS_LENGTH else None


_MAX_ADDRESS_LENGTH: Final = 64  # longer texts are not addresses, and would fill the cache of `normalize_address`
