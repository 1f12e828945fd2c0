"""Authenticated encryption (AES-GCM).

The library takes 6 MiB, and is loaded with the first text, since many servers have no secrets.
"""

from typing import Final

NONCE_BYTES: Final = 12


class UndecryptableText(ValueError):
    """A text was encrypted with another key, belongs to other data, or was changed."""


def encrypt(key: bytes, nonce: bytes, text: bytes, associated_data: bytes | None) -> bytes:
    """Encrypt a text, and authenticate it together with other data. `key` has 32 bytes; a nonce is used once."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415 - see above

    return AESGCM(key).encrypt(nonce, text, associated_data)


def decrypt(key: bytes, nonce: bytes, ciphertext: bytes, associated_data: bytes | None) -> bytes:
    """Decrypt a text. Raises UndecryptableText."""
    from cryptography.exceptions import InvalidTag  # noqa: PLC0415 - see above
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415 - likewise

    try:
        return AESGCM(key).decrypt(nonce, ciphertext, associated_data)
    except (InvalidTag, ValueError) as error:  # ValueError: for a nonce of another length
        raise UndecryptableText from error
