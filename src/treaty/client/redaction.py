"""Removes credentials from the requests and responses that --verbose shows."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from treaty.client.connection import BrokerConnection

_REDACTED: Final = "[redacted]"
_SECRET_NAME: Final = r"auth(?!enticate)|cookie|token|secret|passw|api-?key|signature"  # noqa: S105 - names only
_SECRET_HEADER: Final = re.compile(_SECRET_NAME, re.IGNORECASE)
_SECRET_MEMBER: Final = re.compile(rf'("[^"]*(?:{_SECRET_NAME})[^"]*"\s*:\s*)"(?:[^"\\]|\\.)*"', re.IGNORECASE)
"""A member of JSON with a text that may be a credential, such as the password of a webhook's request."""
_MIN_LENGTH: Final = 8
"""Characters of a credential from which it is redacted in texts, where shorter ones would match words."""
_MIN_HEADER_LENGTH: Final = 20
"""The same for a custom header whose name is not that of a credential."""


class Redactor:
    """Redacts the credentials of a connection, which proxies and debugging pages repeat in their responses."""

    def __init__(self, connection: BrokerConnection) -> None:
        secrets = (secret for secret in _list_secrets(connection) if len(secret) >= _MIN_LENGTH)
        self._pattern = re.compile("|".join(map(re.escape, sorted(secrets, key=len, reverse=True))) or r"(?!)")

    def redact(self, text: str) -> str:
        return self._pattern.sub(_REDACTED, text)

    def redact_request(self, text: str) -> str:
        return self.redact(_SECRET_MEMBER.sub(rf'\1"{_REDACTED}"', text))

    def redact_headers(self, headers: Mapping[str, str]) -> Iterable[tuple[str, str]]:
        for name, value in headers.items():
            yield name, _REDACTED if _SECRET_HEADER.search(name) else self.redact(value)


def _list_secrets(connection: BrokerConnection) -> Iterator[str]:
    user, password = connection.username or "", connection.password or ""
    yield base64.b64encode(f"{user}:{password}".encode()).decode()
    yield from (password, (connection.token or "").strip())
    for name, value in connection.headers.items():
        if _SECRET_HEADER.search(name) or len(value) >= _MIN_HEADER_LENGTH:
            yield value
