"""Decides which hosts and addresses webhooks may send to: the original broker's whitelist, and public addresses."""

import re
from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

Address = IPv4Address | IPv6Address


def is_whitelisted(host: str, entries: Iterable[str]) -> bool:
    """Whether a host is on a whitelist. An address matches only addresses and networks, never a name or a pattern."""
    name = encode_host(host)
    address = _parse_address(name)
    if address is not None:
        return is_address_whitelisted(address, entries)
    return any(_is_name_match(name, entry) for entry in entries)


def encode_host(host: str) -> str:
    """Return a host in lower case and in ASCII, as it is looked up; a host that cannot be encoded stays as it is."""
    try:
        return (host if host.isascii() else host.encode("idna").decode()).lower()
    except UnicodeError:
        return host.lower()


def is_address_whitelisted(address: Address, entries: Iterable[str]) -> bool:
    """Whether an address, or a network that it is in, is on a whitelist."""
    unwrapped = _unwrap(address)
    return any(network is not None and unwrapped in network for network in map(_parse_network, entries))


def _parse_address(host: str) -> Address | None:
    try:
        return ip_address(host.strip("[]"))
    except ValueError:
        return None


@lru_cache(maxsize=256)
def _parse_network(entry: str) -> IPv4Network | IPv6Network | None:
    try:
        return ip_network(entry.strip("[]"), strict=False)
    except ValueError:
        return None


def _is_name_match(host: str, entry: str) -> bool:
    if is_regular_expression(entry):
        # The whole host: `/ci.example.org/` must not allow `ci.example.org.evil.example`.
        return re.fullmatch(entry[1:-1], host, re.IGNORECASE) is not None
    if entry.startswith("*"):
        first, _, rest = host.partition(".")
        return bool(first) and rest == encode_host(entry[1:].removeprefix(".")) and bool(rest)
    return host == encode_host(entry)


def is_regular_expression(entry: str) -> bool:
    """Whether an entry of the whitelist is a regular expression."""
    return len(entry) > 1 and entry.startswith("/") and entry.endswith("/")


def format_entry(entry: str) -> str:
    """Show an entry of the whitelist in a message."""
    return entry if is_regular_expression(entry) else f'"{entry}"'


# Public addresses

# Transition addresses contain an IPv4 address, to which a gateway may forward the request. It is checked too.
_NAT64: Final = ip_network("64:ff9b::/96")
_SIX_TO_FOUR: Final = ip_network("2002::/16")
_ISATAP: Final = (0x00005EFE, 0x02005EFE)
_UNICAST: Final = ip_network("2000::/3")
# Networks that `is_global` calls global in some Python version, or that are global but lead into a provider's network.
_NOT_PUBLIC: Final = tuple(
    ip_network(network)
    for network in (
        "0.0.0.0/8",
        "100.64.0.0/10",  # carrier-grade NAT; includes Alibaba's metadata service
        "168.63.129.16/32",  # Azure's platform services
        "192.0.0.0/24",
        "192.88.99.0/24",  # 6to4 relays
        "198.18.0.0/15",
        "240.0.0.0/4",
        "2001::/23",  # Teredo and other protocols
        "2001:db8::/32",
        "3fff::/20",
    )
)
_METADATA_SERVICES: Final = tuple(map(ip_address, ("100.100.100.200", "168.63.129.16", "fd00:ec2::254")))


def is_public(address: Address) -> bool:
    """Whether an address is public, including the IPv4 address that an IPv6 transition address contains."""
    unwrapped = _unwrap(address)
    if isinstance(unwrapped, IPv4Address):
        return unwrapped.is_global and not unwrapped.is_multicast and not _is_in_not_public(unwrapped)
    if unwrapped in _NAT64:
        return is_public(_embedded_ipv4(unwrapped))
    if unwrapped not in _UNICAST or _is_in_not_public(unwrapped):
        return False
    if unwrapped in _SIX_TO_FOUR:
        return is_public(IPv4Address(int(unwrapped) >> 80 & 0xFFFFFFFF))
    if int(unwrapped) >> 32 & 0xFFFFFFFF in _ISATAP:
        return is_public(_embedded_ipv4(unwrapped))
    return unwrapped.is_global


def _is_in_not_public(address: Address) -> bool:
    return any(address in network for network in _NOT_PUBLIC)


def is_local(address: Address) -> bool:
    """Whether an address is link-local, unspecified, multicast, reserved, or a cloud's metadata service.

    Metadata services hand out credentials, and the owner of a DNS name can point it to them. So a name on the whitelist
    does not open these addresses; the address or network itself must be listed.
    """
    unwrapped = _unwrap(address)
    inner = _embedded_ipv4(unwrapped) if isinstance(unwrapped, IPv6Address) and unwrapped in _NAT64 else unwrapped
    return (
        inner.is_link_local
        or inner.is_unspecified
        or inner.is_multicast
        or (inner.is_reserved and not inner.is_loopback)
        or inner in _METADATA_SERVICES
    )


def _unwrap(address: Address) -> Address:
    """Return the IPv4 address in an IPv4-mapped one, and an IPv6 address without its zone."""
    if isinstance(address, IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return IPv6Address(int(address))


def _embedded_ipv4(address: IPv6Address) -> IPv4Address:
    return IPv4Address(int(address) & 0xFFFFFFFF)
