"""Origins of URLs. Credentials are sent to the origin of a broker's base URL, and to no other."""

from __future__ import annotations

import ipaddress
from contextlib import suppress
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

import httpx

from treaty.errors import ClientError

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Origin:
    """Scheme, host and port of a URL, in one spelling."""

    scheme: str
    host: str
    port: int | None

    def shares_credentials_with(self, other: Origin) -> bool:
        """Whether credentials for this origin may be sent to the other one.

        They may follow from http to https on the same host and the default ports, as brokers redirect: they have been
        sent to this host already, and the way is now encrypted.
        """
        return self == other or (self.is_default("http") and other.is_default("https") and self.host == other.host)

    def is_default(self, scheme: str) -> bool:
        return self.scheme == scheme and self.port == _DEFAULT_PORTS[scheme]

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port in {None, _DEFAULT_PORTS.get(self.scheme)} else f":{self.port}"
        return f"{self.scheme}://{host}{port}"


def origin_of(url: httpx.URL) -> Origin:
    """Return the origin that httpx will connect to: parsing the text again could lead to another host."""
    host = url.raw_host.decode("ascii").removesuffix(".")
    with suppress(ValueError):  # a name
        host = str(ipaddress.ip_address(host))
    return Origin(url.scheme, host, url.port or _DEFAULT_PORTS.get(url.scheme))


def without_userinfo(url: httpx.URL) -> httpx.URL:
    return url.copy_with(userinfo=b"") if url.userinfo else url


def split_userinfo(url: str) -> tuple[str, str | None, str | None]:
    """Split a base URL into the URL, the username and the password. A URL that is not valid is returned unchanged.

    Raises ClientError for an `@` after the host: it probably ends a password with an unescaped `/`, `?` or `#`, which
    would be taken for a part of the path, and be printed.
    """
    scheme, separator, rest = url.strip().partition("://") if "://" in url else ("", "", url.strip())
    size = min((position for mark in "/?#" if (position := rest.find(mark)) >= 0), default=len(rest))
    userinfo, at, host = rest[:size].rpartition("@")
    if "@" in rest[size:]:
        raise ClientError(
            "The broker's address has an @ after its host.",
            hint="Write special characters of its user and password percent-encoded: @ as %40, / as %2F, # as %23.",
        )
    username, _, password = userinfo.partition(":")
    return scheme + separator + host + rest[size:], unquote(username) if at else None, unquote(password) if at else None
