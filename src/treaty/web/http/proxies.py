"""Finds the client's address, and the scheme and host that the client used, in the headers of trusted proxies.

Each proxy appends its peer to the headers of one family (`X-Forwarded-*` or `Forwarded`). Entries to the left of it may
have been sent by the client itself. They are therefore read from the right, as long as each address belongs to a
trusted proxy. Headers of the other family are ignored, since a proxy passes them on as the client sent them.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
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


class ClientConnection(NamedTuple):
    """The client's address, and the scheme and host that it used if trusted proxies report them."""

    address: str | None
    scheme: str | None = None
    host: str | None = None


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
        if not self._networks:
            return ClientConnection(address)
        if address is not None and self._is_trusted(address):
            self._check_family(address, headers)
        scheme = host = None
        for hop in self._family.read(headers):
            if address is None or not self._is_trusted(address):
                break
            scheme, host = hop.scheme or scheme, hop.host or host
            if hop.address is None:  # the entries to the left cannot be attributed to a proxy any more
                break
            address = hop.address
        return ClientConnection(address, truncate_host(scheme and scheme.lower()), truncate_host(host))

    def _check_family(self, proxy: str, headers: Mapping[str, str]) -> None:
        """Log once if a proxy uses the other family of headers: all of its clients then count as one client."""
        _, header, other_header = self._family
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
    """Read X-Forwarded-For, -Proto and -Host, the nearest proxy's entries first.

    All proxies append to -For, but with -Proto and -Host some append, some replace and some pass them on. Their entries
    cannot be matched with addresses, and only the last one is certainly a proxy's, so it is used for the nearest hop.
    """
    first, *others = (_address(entry) for entry in _from_the_right(headers.get("x-forwarded-for", "")))
    scheme, host = (
        next(_from_the_right(headers.get(name, ""))) or None for name in ("x-forwarded-proto", "x-forwarded-host")
    )
    yield Hop(first, scheme, host)
    for address in others:
        yield Hop(address, None, None)


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
    header: str
    """Name of the header with the client's address."""
    other_header: str
    """Name of that header in the family that is ignored."""


_FAMILIES: Final = {
    X_FORWARDED: _Family(_x_forwarded_hops, "x-forwarded-for", "forwarded"),
    FORWARDED: _Family(_forwarded_hops, "forwarded", "x-forwarded-for"),
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
