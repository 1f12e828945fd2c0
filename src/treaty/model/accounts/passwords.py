"""Passwords: how strong they must be, and how they are hashed (argon2id)."""

import secrets
from collections.abc import Sequence
from functools import cache
from threading import BoundedSemaphore
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from argon2 import PasswordHasher

MIN_LENGTH: Final = 12
MAX_LENGTH: Final = 256
_MIN_SCORE: Final = 2
"""Of zxcvbn's scores from 0 to 4. 2 resists guessing at the rate that throttling allows."""
_MAX_ESTIMATED_LENGTH: Final = 64
"""Characters from which the strength is estimated. The time for that grows faster than the length."""

_HASHING_SLOTS: Final = BoundedSemaphore(2)
"""Limits parallel hashing, since each hash takes 19 MiB and a core: a flood of guesses must not exhaust them."""


_EXAMPLES: Final = {"pact_workshop", "something-long"}
"""Passwords in the documentation of Treaty and of the original broker."""
_CONTEXT: Final = ("pact", "broker", "pact_broker", "pactbroker", "workshop", "treaty", "admin", "example", "contract")
"""Words that attackers try first for a server of this kind."""


def find_weakness(password: str, public_words: Sequence[str] = ()) -> str | None:
    """Describe why a password is too weak; None if it is strong enough.

    `public_words` are known to attackers, such as the user's name and e-mail address.
    """
    if len(password) < MIN_LENGTH:
        return f"must have {MIN_LENGTH} characters or more"
    if len(password) > MAX_LENGTH:
        return f"must have {MAX_LENGTH} characters at most"
    return _find_guessability(password, public_words, _MIN_SCORE)


def find_setting_weakness(password: str, user: str) -> str | None:
    """Describe why the password of a user of the settings is weak; None if it is strong enough.

    Many builds use such a password for years, so it should be harder to guess than a person's.
    """
    if password.lower() in _EXAMPLES:
        return "is an example from documentation"
    if len(password) < MIN_LENGTH:
        return f"has fewer than {MIN_LENGTH} characters"
    return _find_guessability(password, (user, *_CONTEXT), _MIN_SCORE + 1)


def _find_guessability(password: str, public_words: Sequence[str], min_score: int) -> str | None:
    from zxcvbn import zxcvbn  # noqa: PLC0415 - loads long lists of words, only needed when a password is chosen

    user_inputs = [word for word in public_words if word]
    estimate = zxcvbn(password[:_MAX_ESTIMATED_LENGTH], user_inputs=user_inputs, max_length=_MAX_ESTIMATED_LENGTH)
    if estimate["score"] >= min_score:
        return None
    advice = estimate["feedback"]["warning"] or "Use a few unrelated words"
    return f"is easy to guess. {advice.rstrip('.')}."


def hash_password(password: str) -> str:
    with _HASHING_SLOTS:
        return _hasher().hash(password)


def is_correct(password: str, password_hash: str | None) -> bool:
    """Whether a password matches a hash. Without a hash the result is False, after the same time."""
    from argon2.exceptions import Argon2Error, InvalidHashError  # noqa: PLC0415 - see `_hasher`

    try:
        with _HASHING_SLOTS:
            _hasher().verify(password_hash or _dummy_hash(), password)
    except (Argon2Error, InvalidHashError):
        return False
    return password_hash is not None


@cache
def _dummy_hash() -> str:
    """Hash a random password, to compare passwords of unknown users with: otherwise their time would reveal them."""
    return _hasher().hash(secrets.token_urlsafe(32))


@cache
def _hasher() -> "PasswordHasher":
    from argon2 import PasswordHasher, Type  # noqa: PLC0415 - many servers only have users in their settings

    # The minimum that OWASP recommends for argon2id: 19 MiB and two passes.
    return PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1, type=Type.ID)
