"""Which base URL the links of an answer begin with."""

from collections.abc import Iterator, Mapping
from ipaddress import ip_address, ip_network
from typing import Final

from starlette.types import Scope

from treaty.errors import WrongSetting
from treaty.settings import Settings

_DEFAULT_PORTS: Final = {"http": ":80", "https": ":443"}


class BaseUrls:
    """The configured base URLs; without any, a request's own address.

    Forwarded headers count only when they come from a proxy that the setting `trusted_proxies` names.
    """

    def __init__(self, settings: Settings) -> None:
        self._configured = settings.base_urls
        try:
            self._trusted = [ip_network(proxy) for proxy in settings.trusted_proxies]
        except ValueError as error:
            raise WrongSetting(f"trusted_proxies: {error}") from error

    def of(self, scope: Scope, headers: Mapping[str, str]) -> str:
        """Choose the base URL for a request."""
        if len(self._configured) == 1:
            return self._configured[0]
        own = _own(scope["scheme"], headers.get("host", "localhost"))
        forwarded = self._forwarded(scope, headers, own) if self._trusted else own
        if not self._configured:
            return forwarded
        return next((url for url in (forwarded, own) if url in self._configured), self._configured[0])

    def _forwarded(self, scope: Scope, headers: Mapping[str, str], own: str) -> str:
        if not self._is_trusted(scope.get("client")):
            return own
        parts = headers.get("forwarded", "").split(",")[-1].split(";")
        split = (part.partition("=") for part in parts)
        pairs = {name.strip().lower(): value.strip().strip('"') for name, _, value in split}
        host = pairs.get("host") or headers.get("x-forwarded-host", "").rpartition(",")[2].strip()
        proto = pairs.get("proto") or headers.get("x-forwarded-proto") or headers.get("x-forwarded-scheme") or ""
        if headers.get("x-forwarded-ssl") == "on":
            proto = "https"
        return _own(proto.rpartition(",")[2].strip() or scope["scheme"], host or headers.get("host", "localhost"))

    def client_of(self, scope: Scope, headers: Mapping[str, str]) -> str | None:
        """Say from which address a request comes: the last one on its way that is no trusted proxy's."""
        client = scope.get("client")
        if not client:
            return None
        address: str = client[0]
        for before in _way(headers) if self._trusted else ():
            if not self._is_trusted((address, 0)) or not _is_address(before):
                break
            address = before
        return address

    def _is_trusted(self, client: tuple[str, int] | None) -> bool:
        try:
            return client is not None and any(ip_address(client[0]) in network for network in self._trusted)
        except ValueError:
            return False


def _way(headers: Mapping[str, str]) -> Iterator[str]:
    """List the addresses that proxies saw, the last one first."""
    given = headers.get("forwarded")
    if given is None:
        return (_bare(part) for part in reversed(headers.get("x-forwarded-for", "").split(",")))
    pairs = (pair.strip() for part in reversed(given.split(",")) for pair in part.split(";"))
    return (_bare(pair[4:]) for pair in pairs if pair.lower().startswith("for="))


def _bare(text: str) -> str:
    """Leave out quotes, brackets and a port."""
    text = text.strip().strip('"')
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.partition(":")[0] if text.count(":") == 1 else text


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _own(scheme: str, host: str) -> str:
    return f"{scheme}://{host.removesuffix(_DEFAULT_PORTS.get(scheme, ''))}"
