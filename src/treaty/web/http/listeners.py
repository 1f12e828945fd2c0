"""The sockets on which a server listens: one for each address of its hosts, all of them on the same port."""

import errno
import os
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final, NamedTuple

from treaty.errors import InvalidSetting

_BACKLOG: Final = 2048
"""Connections that wait to be accepted, uvicorn's default."""
_ANY_ADDRESS: Final = {socket.AF_INET: "0.0.0.0", socket.AF_INET6: "::"}  # noqa: S104 - only if the settings contain it
_MAX_FREE_PORTS: Final = 10
"""Free ports to try: a port that is free at the first address may be in use at another."""
_UNAVAILABLE: Final = {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}
_REMEDIES: Final = {
    errno.EADDRINUSE: "Stop the program that uses it, or choose another port (--port).",
    errno.EACCES: "Choose a port above 1023 (--port), because lower ones need the rights of root.",
    **dict.fromkeys(_UNAVAILABLE, "This machine does not have this address: choose another one (--host)."),
}


class _Address(NamedTuple):
    family: socket.AddressFamily
    text: str
    rest: tuple[int, ...]
    """The parts of a socket's address after the port; only IPv6 has them."""


@contextmanager
def bind(hosts: Sequence[str], port: int) -> Iterator[list[socket.socket]]:
    """Bind a socket to each address of the hosts, until the block ends. Port 0 chooses a free port.

    Raises InvalidSetting for an unknown host, an address of another machine, or a port that is in use.

    Clients cannot connect before `listen` is called. So a server notices that its port is in use before it migrates the
    database, and its health checks fail until it is ready.
    """
    sockets = _bind_free_port(hosts, port)
    try:
        yield sockets
    finally:
        for listener in sockets:
            listener.close()


def _bind_free_port(hosts: Sequence[str], port: int) -> list[socket.socket]:
    addresses = {host: _resolve(host, port) for host in hosts}
    for _ in range(_MAX_FREE_PORTS if port == 0 else 0):
        try:
            return _bind_all(addresses, port)
        except InvalidSetting as error:
            if getattr(error.__cause__, "errno", None) != errno.EADDRINUSE:
                raise
    return _bind_all(addresses, port)


def listen(listeners: Sequence[socket.socket]) -> None:
    """Accept connections from now on. Raises InvalidSetting if another program has begun to listen there meanwhile."""
    for listener in listeners:
        host, port, *_ = listener.getsockname()
        try:
            listener.listen(_BACKLOG)
        except OSError as error:
            raise _explain(host, port, error) from error


def format_url(host: str, port: int) -> str:
    """Return the base URL of a server that listens on a host."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _resolve(host: str, port: int) -> list[_Address]:
    """Return the addresses of a host. `::` stands for all addresses of the machine, so it has those of IPv4 as well.

    IPv4 has a socket of its own, since a socket for both families reports IPv4 clients by unusual addresses
    (`::ffff:192.0.2.1`), which would not match those in settings.
    """
    names = [host, _ANY_ADDRESS[socket.AF_INET]] if host == _ANY_ADDRESS[socket.AF_INET6] else [host]
    try:
        infos = [info for name in names for info in socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)]
    except UnicodeError as error:  # of a name that no host can have
        raise _explain(host, port, socket.gaierror(socket.EAI_NONAME, "Invalid name")) from error
    except OSError as error:
        raise _explain(host, port, error) from error
    return list(dict.fromkeys(_Address(family, str(place[0]), tuple(place[2:])) for family, _, _, _, place in infos))


def _bind_all(addresses: Mapping[str, Sequence[_Address]], port: int) -> list[socket.socket]:
    every_address = [address for group in addresses.values() for address in group]
    covering = {address.family: address for address in every_address if address.text == _ANY_ADDRESS[address.family]}
    listeners: dict[_Address, socket.socket] = {}
    try:
        for host, group in addresses.items():
            _bind_host(host, [covering.get(address.family, address) for address in group], port, listeners)
    except InvalidSetting:
        for listener in listeners.values():
            listener.close()
        raise
    return list(listeners.values())


def _bind_host(host: str, addresses: Sequence[_Address], port: int, listeners: dict[_Address, socket.socket]) -> None:
    """Bind the addresses of a host that are not bound yet. Raises InvalidSetting.

    If a host has several addresses, such as localhost, those that this machine does not have are left out.
    """
    for address in addresses:
        if address in listeners:
            continue
        port = next(iter(listeners.values())).getsockname()[1] if listeners else port
        try:
            listeners[address] = _bind_address(address, port)
        except OSError as error:
            is_last = address == addresses[-1] and not any(other in listeners for other in addresses)
            if is_last or error.errno not in _UNAVAILABLE:
                raise _explain(host, port, error) from error


def _bind_address(address: _Address, port: int) -> socket.socket:
    listener = socket.socket(address.family, socket.SOCK_STREAM)
    try:
        if os.name == "posix":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if address.family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind((address.text, port, *address.rest))
        listener.set_inheritable(True)  # worker processes accept on it too
    except BaseException:
        listener.close()
        raise
    return listener


def _explain(host: str, port: int, error: OSError) -> InvalidSetting:
    is_unknown = isinstance(error, socket.gaierror)
    remedy = (
        "Correct the host (--host)." if is_unknown else _REMEDIES.get(error.errno or 0, "Choose another host or port.")
    )
    return InvalidSetting(f"cannot listen on {host} port {port}: {error.strerror or error}. {remedy}")
