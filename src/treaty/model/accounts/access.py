"""Who asks, and as what: accounts with their roles, tokens, sessions, and the caller that a request comes from."""

import secrets
import string
import zlib
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final


class Role(StrEnum):
    """What somebody may do, in three steps; each holds the ones below it."""

    ADMINISTRATOR = "administrator"
    READ_WRITE = "read-write"
    READ_ONLY = "read-only"


class CredentialType(StrEnum):
    """By what a caller is known."""

    NONE = "none"
    BASIC = "basic"
    TOKEN = "token"  # noqa: S105 - the name of a kind
    SESSION = "session"


@dataclass(frozen=True, kw_only=True, slots=True)
class Caller:
    """Who a request comes from. Nobody in particular has no role on a server that asks for credentials."""

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

    @property
    def is_known(self) -> bool:
        return self.kind is not CredentialType.NONE

    @property
    def title(self) -> str:
        """Name the caller for people."""
        if not self.is_known:
            return "anybody"
        return f"{self.user} (token “{self.token}”)" if self.token else str(self.user)


ANONYMOUS_CALLER: Final = Caller()
OPEN_ACCESS_CALLER: Final = Caller(role=Role.READ_WRITE)
"""Whoever asks a server that is open."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Account:
    """A person, or a system account, which has tokens only."""

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

    @property
    def key(self) -> str:
        return normalize_name(self.name)


def normalize_name(name: str) -> str:
    """Spell a name as it is looked up: names that differ in case alone are one."""
    return name.strip().casefold()


@dataclass(frozen=True, kw_only=True, slots=True)
class Token:
    """What a program signs in with. Its text is shown once, and kept as a keyed hash."""

    uuid: str
    account: str
    """The account's uuid."""
    user: str
    name: str
    role: Role
    """Read-only, or whatever the account may."""
    ending: str | None
    """How its text ends; None before it has one."""
    created_at: datetime
    expires_at: datetime | None
    used_at: datetime | None
    used_from: str | None

    @property
    def masked(self) -> str:
        """Show enough to recognise it."""
        return f"{TOKEN_PREFIX}{'*' * 12}{self.ending}" if self.ending else "not generated yet"

    def is_expired(self, now: datetime) -> bool:
        return self.expires_at is not None and self.expires_at <= now


@dataclass(frozen=True, kw_only=True, slots=True)
class Session:
    """A browser that somebody signed in with."""

    uuid: str
    user: str
    created_at: datetime
    seen_at: datetime
    address: str | None
    agent: str | None


# Names and e-mail addresses

MAX_NAME_LENGTH: Final = 100


def find_name_problem(name: str) -> str | None:
    """Say what is wrong with a user's name, or nothing."""
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
    """Say what is wrong with an e-mail address, or nothing."""
    local, at, host = email.rpartition("@")
    is_one = at and local and "." in host.strip(".") and email.isprintable() and " " not in email
    return None if is_one and len(email) <= MAX_NAME_LENGTH * 2 else "must be an e-mail address"


# Texts of tokens

TOKEN_PREFIX: Final = "treaty_"  # noqa: S105 - the beginning of every token
_LETTERS: Final = string.digits + string.ascii_letters
_RANDOM: Final = 32
_CHECK: Final = 6
TOKEN_ENDING_LENGTH: Final = 4


def generate_token() -> str:
    """Make up the text of a token: a prefix to know it by, 190 random bits, and a checksum."""
    text = "".join(secrets.choice(_LETTERS) for _ in range(_RANDOM))
    return TOKEN_PREFIX + text + _checksum(text)


def is_well_formed_token(text: str) -> bool:
    """Whether a text has the form of a token, and its checksum fits: slips are found without the database."""
    body = text.removeprefix(TOKEN_PREFIX)
    is_whole = text.startswith(TOKEN_PREFIX) and len(body) == _RANDOM + _CHECK and body.isascii() and body.isalnum()
    return is_whole and _checksum(body[:_RANDOM]) == body[_RANDOM:]


def _checksum(text: str) -> str:
    number, letters = zlib.crc32(text.encode()), ""
    for _ in range(_CHECK):
        number, index = divmod(number, len(_LETTERS))
        letters = _LETTERS[index] + letters
    return letters


def generate_secret() -> str:
    """Make up what stands in a cookie or in a link that is used once."""
    return secrets.token_urlsafe(32)
