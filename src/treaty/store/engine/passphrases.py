"""Encryption with a passphrase, for keys that leave the server, such as in a backup."""

import base64
import hashlib
import os
from collections.abc import Mapping
from typing import Any, Final

from treaty.errors import TreatyError
from treaty.store.engine import ciphers

MIN_LENGTH: Final = 12
"""Characters of a passphrase: anyone with the file can try as many passphrases as they like."""
_COST: Final = 2**16
"""The parameter n of scrypt: a derivation takes 64 MiB of memory and about a quarter of a second."""
_MAX_COST: Final = 2**20
_BLOCK_SIZE: Final = 8
_SALT_BYTES: Final = 16
_PURPOSE: Final = b"treaty: keys of a backup"


class WrongPassphrase(TreatyError):
    """A passphrase does not decrypt a text, or the text was changed."""


def encrypt(text: str, passphrase: str) -> dict[str, Any]:
    """Encrypt a text with a passphrase. The result can be written as JSON, and contains what decryption needs."""
    salt, nonce = os.urandom(_SALT_BYTES), os.urandom(ciphers.NONCE_BYTES)
    ciphertext = ciphers.encrypt(_derive_key(passphrase, salt, _COST), nonce, text.encode(), _PURPOSE)
    return {"n": _COST, "salt": _encode(salt), "nonce": _encode(nonce), "ciphertext": _encode(ciphertext)}


def decrypt(encrypted: Mapping[str, Any], passphrase: str) -> str:
    """Decrypt a text. Raises WrongPassphrase."""
    try:
        # A file from elsewhere could ask for any amount of memory.
        cost = min(int(encrypted["n"]), _MAX_COST)
        salt, nonce, ciphertext = (base64.b64decode(encrypted[name]) for name in ("salt", "nonce", "ciphertext"))
        return ciphers.decrypt(_derive_key(passphrase, salt, cost), nonce, ciphertext, _PURPOSE).decode()
    except (KeyError, TypeError, ValueError) as error:
        raise WrongPassphrase(
            "The passphrase is not the one that the backup was made with. Nothing was written. Give the right one, or "
            "restore everything but secrets with --without-key."
        ) from error


def _derive_key(passphrase: str, salt: bytes, cost: int) -> bytes:
    memory = 128 * cost * _BLOCK_SIZE * 2
    return hashlib.scrypt(passphrase.encode(), salt=salt, n=cost, r=_BLOCK_SIZE, p=1, dklen=32, maxmem=memory)


def _encode(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
