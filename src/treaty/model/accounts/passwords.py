"""Passwords: which are good enough, and how they are hashed (argon2id)."""

import secrets
from collections.abc import Sequence
from functools import cache
from threading import BoundedSemaphore
from typing import Final

from argon2 import PasswordHasher, Type
from argon2.exceptions import Argon2Error, InvalidHashError

MIN_LENGTH: Final = 12
MAX_LENGTH: Final = 256
_LEAST_SCORE: Final = 2
_ESTIMATED: Final = 64
"""Characters that are looked at to guess how soon a password is guessed, which takes long for long ones."""

_HASHER: Final = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1, type=Type.ID)
_AT_A_TIME: Final = BoundedSemaphore(2)
"""Hashing takes memory and a core, so it waits in line."""


_EXAMPLES: Final = {"pact_workshop", "something-long"}
"""Passwords in documentation, ours and that of the original broker."""
_CONTEXT: Final = ("pact", "broker", "pact_broker", "pactbroker", "workshop", "treaty", "admin", "example", "contract")
"""Words that are tried first for a server of this kind."""


def find_weakness(password: str, known: Sequence[str] = ()) -> str | None:
    """Say why a password is too weak, or nothing; `known` is what others know: the name, the e-mail address."""
    if len(password) < MIN_LENGTH:
        return f"must have {MIN_LENGTH} characters or more"
    if len(password) > MAX_LENGTH:
        return f"must have {MAX_LENGTH} characters at most"
    return _guessable(password, known, _LEAST_SCORE)


def find_setting_weakness(password: str, user: str) -> str | None:
    """Say why the password of a user of the settings is weak, or nothing.

    Such a password is often used for years by many builds, so it should be harder to guess than one of a person.
    """
    if password.lower() in _EXAMPLES:
        return "is an example from documentation"
    if len(password) < MIN_LENGTH:
        return f"has fewer than {MIN_LENGTH} characters"
    return _guessable(password, (user, *_CONTEXT), _LEAST_SCORE + 1)


def _guessable(password: str, known: Sequence[str], least_score: int) -> str | None:
    from zxcvbn import zxcvbn  # noqa: PLC0415 - has long lists of words, and is needed when a password is chosen

    found = zxcvbn(password[:_ESTIMATED], user_inputs=[one for one in known if one], max_length=_ESTIMATED)
    if found["score"] >= least_score:
        return None
    advice = found["feedback"]["warning"] or "Use a few words that do not go together."
    return f"is among those that are guessed first. {advice.rstrip('.')}."


def hash_password(password: str) -> str:
    with _AT_A_TIME:
        return _HASHER.hash(password)


def is_correct(password: str, its_hash: str | None) -> bool:
    """Whether a password is the one with this hash. Without a hash it takes as long, and is not."""
    try:
        with _AT_A_TIME:
            _HASHER.verify(its_hash or _nobodys(), password)
    except (Argon2Error, InvalidHashError):
        return False
    return its_hash is not None


@cache
def _nobodys() -> str:
    """Hash something that nobody knows."""
    return _HASHER.hash(secrets.token_urlsafe(32))
