"""Access: accounts with their roles, tokens, sessions, and the caller of a request."""

import secrets
import string
import zlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from treaty.model.accounts.scopes import Limits


class Role(StrEnum):
    """The role of a user. Each role has the permissions of the roles below it, and more."""

    ADMINISTRATOR = "administrator"
    READ_WRITE = "read-write"
    READ_ONLY = "read-only"


class CredentialType(StrEnum):
    """How a caller was authenticated."""

    NONE = "none"
    BASIC = "basic"
    TOKEN = "token"  # noqa: S105 - the name of a kind
    SESSION = "session"


@dataclass(frozen=True, kw_only=True, slots=True)
class Caller:
    """The caller of a request. Anonymous callers have no role, except on a server with open access."""

    kind: CredentialType = CredentialType.NONE
    role: Role | None = None
    user: str | None = None
    """The name of the account, or of the user in the settings."""
    account: str | None = None
    """The account's uuid; None for users of the settings."""
    token: str | None = None
    """The name of the token."""
    credential: str | None = None
    """The uuid of the token or session."""
    limits: Limits | None = None
    """The limits of the token and its account; None if the role alone decides."""
    authenticated_at: datetime | None = None
    """When the user of a session last entered the password."""
    has_second_factor: bool = False
    """Whether authentication with the password requires a code, too."""
    lacks_second_factor: bool = False
    """Whether the user has to set up a second factor before anything else."""

    @property
    def is_known(self) -> bool:
        return self.kind is not CredentialType.NONE

    @property
    def title(self) -> str:
        """The caller's name in messages."""
        if not self.is_known:
            return "anybody"
        return f"{self.user} (token “{self.token}”)" if self.token else str(self.user)


REAUTHENTICATION_LIFETIME: Final = timedelta(minutes=10)
"""Time for which a session may change users, credentials and secrets after its user has entered the password."""
ANONYMOUS_CALLER: Final = Caller()
OPEN_ACCESS_CALLER: Final = Caller(role=Role.READ_WRITE)
"""Every caller of a server with open access."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Account:
    """A user, or a system account, which has tokens but no password."""

    uuid: str
    name: str
    email: str | None
    password: str | None
    """Its argon2id hash."""
    role: Role
    is_active: bool
    is_system: bool
    created_at: datetime
    updated_at: datetime
    signed_in_at: datetime | None
    limits: Limits | None = None
    """The limits of a system account, which apply to all of its tokens."""
    second_factor_at: datetime | None = None
    """Since when signing in with the password requires a code, too."""

    @property
    def has_second_factor(self) -> bool:
        return self.second_factor_at is not None

    @property
    def key(self) -> str:
        return normalize_name(self.name)


def normalize_name(name: str) -> str:
    """Return the form of a name in which it is unique and looked up: names are not case-sensitive."""
    return name.strip().casefold()


@dataclass(frozen=True, kw_only=True, slots=True)
class Token:
    """A credential of a program. Its text is shown once; the database stores a keyed hash of it."""

    uuid: str
    account: str
    """The account's uuid."""
    user: str
    name: str
    role: Role
    """READ_ONLY, or READ_WRITE for all permissions of the account."""
    ending: str | None
    """The last characters of its text; None if it has none, so that it cannot be used."""
    created_at: datetime
    expires_at: datetime | None
    used_at: datetime | None
    used_from: str | None
    issued_at: datetime | None = None
    """When its present text was generated; None for texts that are as old as the token."""
    limits: Limits | None = None

    @property
    def is_read_only(self) -> bool:
        return self.role is Role.READ_ONLY or (self.limits is not None and self.limits.is_read_only)

    @property
    def masked(self) -> str:
        """The text with all but its ends hidden, by which the owner recognizes it."""
        return f"{TOKEN_PREFIX}{'*' * 12}{self.ending}" if self.ending else "not generated yet"

    def is_expired(self, now: datetime) -> bool:
        return self.expires_at is not None and self.expires_at <= now

    def expires_soon(self, now: datetime) -> bool:
        """Whether it expires within a week, so that builds need another one."""
        return self.expires_at is not None and now < self.expires_at <= now + EXPIRY_NOTICE

    def is_unused(self, now: datetime) -> bool:
        """Whether it has not been used for so long that it should probably be revoked."""
        latest = max(time for time in (self.created_at, self.issued_at, self.used_at) if time is not None)
        return self.ending is not None and now - latest >= UNUSED_NOTICE

    def exceeds(self, max_lifetime: timedelta, now: datetime) -> bool:
        """Whether it is valid for longer than a maximum lifetime permits for new tokens; zero is no maximum."""
        if not max_lifetime or self.ending is None:
            return False
        return self.expires_at is None or self.expires_at - now > max_lifetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Session:
    """A browser in which a user is signed in."""

    uuid: str
    user: str
    created_at: datetime
    seen_at: datetime
    address: str | None
    agent: str | None


EXPIRY_NOTICE: Final = timedelta(days=7)
UNUSED_NOTICE: Final = timedelta(days=90)
USE_RECORD_INTERVAL: Final = timedelta(minutes=1)
"""Precision of the recorded last use of tokens and sessions. Without it, every read would write to the database."""


def is_use_due(recorded_at: datetime | None, now: datetime) -> bool:
    """Whether the use of a token or session must be recorded again."""
    return recorded_at is None or now - recorded_at >= USE_RECORD_INTERVAL


# Names and e-mail addresses

MAX_NAME_LENGTH: Final = 100


def find_name_problem(name: str) -> str | None:
    """Describe why a user's name is invalid; None if it is valid."""
    if not name.strip():
        return "must not be blank"
    if name != name.strip():
        return "must not begin or end with spaces"
    if len(name) > MAX_NAME_LENGTH:
        return f"must have {MAX_NAME_LENGTH} characters at most"
    if ":" in name:
        return "must not contain a colon, which ends the name in basic auth"
    return None if name.isprintable() else "must not contain control characters"


def find_email_problem(email: str) -> str | None:
    """Describe why an e-mail address is invalid; None if it is valid."""
    local, at, host = email.rpartition("@")
    is_address = at and local and "." in host.strip(".") and email.isprintable() and " " not in email
    return None if is_address and len(email) <= MAX_NAME_LENGTH * 2 else "must be an e-mail address"


# Texts of tokens

TOKEN_PREFIX: Final = "treaty_"  # noqa: S105 - the beginning of every token
_LETTERS: Final = string.digits + string.ascii_letters
_RANDOM_LENGTH: Final = 32
_CHECKSUM_LENGTH: Final = 6
TOKEN_ENDING_LENGTH: Final = 4


def generate_token() -> str:
    """Generate the text of a token: a prefix, 190 random bits, and a checksum.

    Secret scanners recognize leaked tokens by the prefix and the checksum.
    """
    text = "".join(secrets.choice(_LETTERS) for _ in range(_RANDOM_LENGTH))
    return TOKEN_PREFIX + text + _checksum(text)


def is_well_formed_token(text: str) -> bool:
    """Whether a text has the form of a token and its checksum is right. Finds typing errors without the database."""
    body = text.removeprefix(TOKEN_PREFIX)
    is_token = text.startswith(TOKEN_PREFIX) and body.isascii() and body.isalnum()
    return is_token and _checksum(body[:_RANDOM_LENGTH]) == body[_RANDOM_LENGTH:]


def _checksum(text: str) -> str:
    """Write a CRC-32 in base 62. It is not secret: it finds mistakes, not forgeries."""
    number, letters = zlib.crc32(text.encode()), ""
    for _ in range(_CHECKSUM_LENGTH):
        number, index = divmod(number, len(_LETTERS))
        letters = _LETTERS[index] + letters
    return letters


def generate_secret() -> str:
    """Generate the secret of a session or a setup link, with 256 random bits."""
    return secrets.token_urlsafe(32)
