"""Secrets at rest: sealed with AES-GCM under the server's key, so that a copy of the database gives none away."""

import base64
import hashlib
import os
import secrets
from collections.abc import Callable
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from treaty.errors import TreatyError, WrongSetting
from treaty.model.webhook import Sealed
from treaty.settings import Settings

KEY_FILE: Final = "treaty.key"
_FORM: Final = "v1:"
_NONCE_BYTES: Final = 12


class WrongKey(TreatyError):
    """A secret that was sealed with another key."""


class Vault:
    """Seals and opens secrets with one key, which is asked for when there is a first secret."""

    def __init__(self, key: Callable[[], str]) -> None:
        self._key = key

    @cached_property
    def _cipher(self) -> AESGCM:
        derived = hashlib.scrypt(self._key().encode(), salt=b"treaty: secrets at rest", n=2**14, r=8, p=1, dklen=32)
        return AESGCM(derived)

    def seal(self, text: str) -> Sealed:
        """Make a text unreadable for whoever lacks the key."""
        nonce = os.urandom(_NONCE_BYTES)
        sealed = nonce + self._cipher.encrypt(nonce, text.encode(), None)
        return Sealed(_FORM + base64.b64encode(sealed).decode())

    def open(self, sealed: Sealed) -> str:
        """Read a sealed text. Raises WrongKey."""
        try:
            raw = base64.b64decode(sealed.text.removeprefix(_FORM))
            return self._cipher.decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], None).decode()
        except (InvalidTag, ValueError) as error:
            raise WrongKey(
                "A secret of this webhook was stored under another key. Start the server with the former secret_key "
                f"(or {KEY_FILE}), or save the webhook again with its secrets."
            ) from error


def vault_of(settings: Settings) -> Vault:
    """Make the vault of a server, with the setting `secret_key` or the key file."""
    return _vault_of_key(settings.secret_key) if settings.secret_key else _vault_of_file(key_file(settings))


@lru_cache(maxsize=16)
def _vault_of_key(key: str) -> Vault:
    return Vault(lambda: key)


@lru_cache(maxsize=16)
def _vault_of_file(path: Path) -> Vault:
    return Vault(lambda: key_in(path))


def key_in(path: Path) -> str:
    """Read the key file, or make it. Raises WrongSetting where neither is possible."""
    try:
        return _read(path) or _made(path)
    except OSError as error:
        raise WrongSetting(
            f"The key file {path} can neither be read nor made ({error.strerror}); set secret_key instead."
        ) from error


def key_file(settings: Settings) -> Path:
    """Say where the key is kept: beside the SQLite database, else in the working folder."""
    database = settings.database_url.partition("?")[0].removeprefix("sqlite:///")
    is_file = settings.database_url.startswith("sqlite:///") and database not in ("", ":memory:")
    return (Path(database).parent if is_file else Path()).absolute() / KEY_FILE


def _read(path: Path) -> str:
    try:
        return path.read_text("ascii").strip()
    except FileNotFoundError:
        return ""


def _made(path: Path) -> str:
    """Make the file whole or not at all; of several servers that start together, one makes it and all read it."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(secrets.token_urlsafe(32) + "\n")
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
    return _read(path)
