"""Which hosts webhooks may go to: the original broker's whitelist, and which addresses are public."""

import re
from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

Address = IPv4Address | IPv6Address


def is_whitelisted(host: str, entries: Iterable[str]) -> bool:
    """Whether a host is on a whitelist. An address is only compared with addresses and networks."""
    address = _address(host)
    if address is not None:
        return is_address_whitelisted(address, entries)
    return any(_is_named(host, entry) for entry in entries)


def is_address_whitelisted(address: Address, entries: Iterable[str]) -> bool:
    """Whether an address, or a network that it is in, is on a whitelist."""
    plain = _plain(address)
    return any(network is not None and plain in network for network in map(_network, entries))


def _address(host: str) -> Address | None:
    try:
        return ip_address(host.strip("[]"))
    except ValueError:
        return None


@lru_cache(maxsize=256)
def _network(entry: str) -> IPv4Network | IPv6Network | None:
    try:
        return ip_network(entry.strip("[]"), strict=False)
    except ValueError:
        return None


def _is_named(host: str, entry: str) -> bool:
    if is_regular_expression(entry):
        return re.search(entry[1:-1], host, re.IGNORECASE) is not None
    if entry.startswith("*"):
        first, _, rest = host.partition(".")
        return bool(first) and rest.lower() == entry[1:].removeprefix(".").lower() and bool(rest)
    return host.lower() == entry.lower()


def is_regular_expression(entry: str) -> bool:
    """Whether an entry of the whitelist is a regular expression."""
    return len(entry) > 1 and entry.startswith("/") and entry.endswith("/")


def format_entry(entry: str) -> str:
    """Show an entry of the whitelist in a message."""
    return entry if is_regular_expression(entry) else f'"{entry}"'


# Public addresses

_UNICAST: Final = ip_network("2000::/3")
_NAT64: Final = ip_network("64:ff9b::/96")
_SIX_TO_FOUR: Final = ip_network("2002::/16")
_NOT_PUBLIC: Final = tuple(
    ip_network(one)
    for one in (
        "0.0.0.0/8",
        "100.64.0.0/10",  # shared, also Alibaba's metadata
        "168.63.129.16/32",  # Azure's platform
        "192.0.0.0/24",
        "192.88.99.0/24",  # relays of 6to4
        "198.18.0.0/15",
        "240.0.0.0/4",
        "2001::/23",  # Teredo and other protocols
        "2001:db8::/32",
        "3fff::/20",
    )
)
_ISATAP: Final = (0x00005EFE, 0x02005EFE)


def is_public(address: Address) -> bool:
    """Whether an address, and any IPv4 address inside it, is one of the internet's and nobody's own."""
    plain = _plain(address)
    if isinstance(plain, IPv4Address):
        return plain.is_global and not plain.is_multicast and not any(plain in one for one in _NOT_PUBLIC)
    if plain in _NAT64:
        return is_public(_last_four(plain))
    if plain not in _UNICAST or any(plain in one for one in _NOT_PUBLIC):
        return False
    if plain in _SIX_TO_FOUR:
        return is_public(IPv4Address(int(plain) >> 80 & 0xFFFFFFFF))
    if int(plain) >> 32 & 0xFFFFFFFF in _ISATAP:
        return is_public(_last_four(plain))
    return plain.is_global


def is_local(address: Address) -> bool:
    """Whether an address is a neighbour's or nobody's (link-local, where clouds keep credentials; unspecified; many's).

    Only an address on the whitelist, not a name, makes such a one reachable.
    """
    plain = _plain(address)
    inner = _last_four(plain) if isinstance(plain, IPv6Address) and plain in _NAT64 else plain
    return (
        inner.is_link_local
        or inner.is_unspecified
        or inner.is_multicast
        or (inner.is_reserved and not inner.is_loopback)
        or any(inner == ip_address(one) for one in ("100.100.100.200", "168.63.129.16", "fd00:ec2::254"))
    )


def _plain(address: Address) -> Address:
    """Take an IPv4 address out of its mapped or compatible form, and a zone off."""
    if isinstance(address, IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return IPv6Address(int(address))


def _last_four(address: IPv6Address) -> IPv4Address:
    return IPv4Address(int(address) & 0xFFFFFFFF)
