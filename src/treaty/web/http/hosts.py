"""Validation of the hosts in requests: `Host`, `X-Forwarded-Host` and `host` in `Forwarded`.

Responses contain the host in all of their links, so an invalid one must never get into a response or a cache.
"""

import re
from ipaddress import IPv6Address
from typing import Final, NamedTuple

from treaty.errors import TreatyError

_MAX_NAME_LENGTH: Final = 253  # of a DNS name, in characters
_MAX_LENGTH: Final = _MAX_NAME_LENGTH + len(":65535")
_MAX_PORT: Final = 65_535
DEFAULT_PORTS: Final = {"http": "80", "https": "443"}
# RFC 3986 also allows sub-delimiters and percent-encoding in a reg-name. DNS names and addresses need neither.
_LABEL: Final = r"[A-Za-z0-9_~-]+"
_HOST: Final = re.compile(rf"({_LABEL}(?:\.{_LABEL})*\.?|\[[0-9A-Fa-f:.]+\])(?::([0-9]*))?")


class InvalidHost(TreatyError):
    """A host that is not a name or an address with an optional port; the text is what follows the header's name."""


class Host(NamedTuple):
    """A host with its port, "" if the request names none."""

    name: str
    port: str

    def base_url(self, scheme: str) -> str:
        """Build a base URL without a path. The scheme's default port is left out."""
        is_default = self.port in {"", DEFAULT_PORTS.get(scheme)}
        return f"{scheme}://{self.name}" if is_default else f"{scheme}://{self.name}:{self.port}"


def truncate_host(text: str | None) -> str | None:
    """Truncate a host that is too long, so that caches of hosts stay small; the rest is still too long to be valid."""
    return text if text is None or len(text) <= _MAX_LENGTH else text[: _MAX_LENGTH + 1]


def parse_host(text: str) -> Host:
    """Parse a host with an optional port. Raises InvalidHost."""
    if "," in text:
        raise InvalidHost("names more than one host: send one Host header with one host.")
    if len(text) > _MAX_LENGTH:
        raise InvalidHost(f"is longer than {_MAX_LENGTH} characters.")
    match = _HOST.fullmatch(text)
    if match is None or not _is_valid(match[1], match[2] or ""):
        raise InvalidHost(
            "is not a host: send a name (letters, digits, '-', '_' and '.'), an IPv4 address or an IPv6 address in "
            "brackets, and a port from 0 to 65535 if it is not the default one."
        )
    return Host(match[1], match[2] or "")


def parse_port(text: str) -> str:
    """Parse the port that a header reports apart from the host. Raises InvalidHost."""
    is_number = text.isascii() and text.isdecimal() and len(text) <= len(str(_MAX_PORT))
    if not is_number or not 0 < int(text) <= _MAX_PORT:
        raise InvalidHost(f"is not a port: send a number from 1 to {_MAX_PORT}.")
    return str(int(text))


def _is_valid(name: str, port: str) -> bool:
    if len(name) > _MAX_NAME_LENGTH or (port and int(port) > _MAX_PORT):
        return False
    if not name.startswith("["):
        return True
    try:
        IPv6Address(name[1:-1])
    except ValueError:
        return False
    return True
