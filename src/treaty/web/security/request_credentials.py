"""Credentials that a request presents, parsed from its headers. Nothing is checked here."""

import base64
import binascii
import hmac
import secrets
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from treaty.web.http.request import Request
from treaty.web.security import csrf

_PROCESS_KEY: Final = secrets.token_bytes(32)
"""Key of the hashes that exist in this process only."""


@dataclass(frozen=True)
class BasicCredentials:
    """A name and a password."""

    name: str
    password: str

    @cached_property
    def cache_key(self) -> bytes:
        """A keyed hash of both: caches of this process recognize the password without storing it."""
        return hmac.digest(_PROCESS_KEY, f"{self.name}\0{self.password}".encode(), "sha256")


@dataclass(frozen=True, slots=True)
class BearerToken:
    """The text of a token."""

    text: str


@dataclass(frozen=True, slots=True)
class SessionCookie:
    """The secret of a session."""

    secret: str


@dataclass(frozen=True, slots=True)
class UnsupportedAuthorization:
    """An `Authorization` header that is malformed or has an unknown scheme."""


RequestCredential = BasicCredentials | BearerToken | SessionCookie | UnsupportedAuthorization | None


def read_credential(request: Request) -> RequestCredential:
    """Read the credential of a request. The `Authorization` header takes precedence over the session cookie."""
    header = request.headers.get("authorization")
    if header is None:
        secret = csrf.find_cookie(request, csrf.SESSION_COOKIE) if "cookie" in request.headers else None
        return SessionCookie(secret) if secret else None
    scheme, _, parameter = header.strip().partition(" ")
    match scheme.lower():
        case "bearer":
            return BearerToken(parameter.strip())
        case "basic":
            return _parse_basic(parameter.strip())
        case _:
            return UnsupportedAuthorization()


def _parse_basic(encoded: str) -> BasicCredentials | UnsupportedAuthorization:
    try:
        name, colon, password = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        return UnsupportedAuthorization()
    return BasicCredentials(name, password) if colon else UnsupportedAuthorization()
