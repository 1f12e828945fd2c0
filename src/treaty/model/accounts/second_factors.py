"""Second factors: time-based one-time passwords (RFC 6238) of authenticator apps, and recovery codes."""

import hmac
import secrets
from datetime import datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pyotp.totp import TOTP

PENDING_SIGN_IN_LIFETIME: Final = timedelta(minutes=5)
"""Time between entering the password and entering the code."""
RECOVERY_CODE_COUNT: Final = 10
_PERIOD: Final = 30
"""Seconds for which a code is shown. Authenticator apps support only this period, SHA-1 and six digits reliably."""
_WINDOW: Final = (0, -1, 1)
"""Periods around the current one whose codes are accepted: clocks differ, and typing takes time."""
_DIGITS: Final = 6
# Crockford's base 32 has no letters that look like digits. 16 of them are 80 random bits.
_LETTERS: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_CODE_LENGTH: Final = 16
_GROUP_LENGTH: Final = 4


def generate_secret() -> str:
    """Generate the secret of an authenticator app, in base 32."""
    from pyotp import random_base32  # noqa: PLC0415 - few servers have users with a second factor

    return random_base32()


def build_uri(secret: str, *, user: str, issuer: str) -> str:
    """Build the `otpauth:` URI for a QR code. Apps show the issuer and the user beside the codes."""
    return _generator(secret).provisioning_uri(name=user, issuer_name=issuer)


def find_step(secret: str, code: str, now: datetime) -> int | None:
    """Return the number of the period whose code this is, among the accepted periods; None for a wrong code."""
    totp = _generator(secret)
    current = totp.timecode(now)
    matches = [step for step in (current + offset for offset in _WINDOW) if _is_same(totp.generate_otp(step), code)]
    return matches[0] if matches else None


def _generator(secret: str) -> "TOTP":
    from pyotp.totp import TOTP  # noqa: PLC0415 - see generate_secret

    return TOTP(secret, interval=_PERIOD, digits=_DIGITS)


def _is_same(code: str, presented: str) -> bool:
    return hmac.compare_digest(code.encode(), presented.encode())


def normalize_code(text: str) -> str:
    """Remove spaces and hyphens from a code as it was typed."""
    return "".join(text.split()).replace("-", "").upper()


def is_one_time_password(code: str) -> bool:
    """Whether a normalized code is from an authenticator app, not a recovery code."""
    return len(code) == _DIGITS and code.isascii() and code.isdigit()


def generate_recovery_codes() -> tuple[str, ...]:
    """Generate codes, each of which takes the place of a one-time password once."""
    return tuple(_generate_recovery_code() for _ in range(RECOVERY_CODE_COUNT))


def _generate_recovery_code() -> str:
    letters = "".join(secrets.choice(_LETTERS) for _ in range(_CODE_LENGTH))
    return "-".join(letters[start : start + _GROUP_LENGTH] for start in range(0, _CODE_LENGTH, _GROUP_LENGTH))


def hash_recovery_code(code: str, *, account: str) -> str:
    """Hash a recovery code of an account (by its UUID).

    A fast hash is enough for 80 random bits. It has no key, so that the codes survive `treaty token revoke --all`.
    """
    return sha256(f"recovery code\0{account}\0{normalize_code(code)}".encode()).hexdigest()
