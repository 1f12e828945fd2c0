"""Encryption of secrets at rest with AES-GCM, so that a copy of the database discloses none of them.

The newest key encrypts. Older keys only decrypt, until key rotation has encrypted their texts again. An encrypted text
is `v2:<name of the key>:<base64 of nonce and ciphertext>`.
"""

import base64
import hashlib
import hmac
import os
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from pathlib import Path
from typing import Final

from treaty.errors import InvalidSetting, TreatyError
from treaty.model.webhooks.webhooks import EncryptedText
from treaty.settings import Secret, Settings
from treaty.store.engine import ciphers

KEY_FILE: Final = "treaty.key"
_FORMAT: Final = "v2"
_FORMAT_WITHOUT_KEY_NAME: Final = "v1"
"""Format of early versions of Treaty, `v1:<base64>`; every key has to be tried."""
_KEY_SEPARATOR: Final = "\n\n"


class WrongKey(TreatyError):
    """A secret was encrypted with a key that the server does not have."""


class KeyStatus(Enum):
    """The key with which a text was encrypted, as key rotation distinguishes them."""

    NEWEST = "newest"
    OLDER = "older"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class _Key:
    name: str
    """Derived from the key, and of no use to find it."""
    secret: bytes


@lru_cache(maxsize=64)  # scrypt is slow on purpose
def _derive_key(text: str) -> _Key:
    # The salt is constant: every server with the same setting must derive the same key. Keys are long and random, or
    # at least stretched by scrypt if an administrator chose a short one.
    derived = hashlib.scrypt(text.encode(), salt=b"treaty: secrets at rest", n=2**14, r=8, p=1, dklen=32)
    return _Key(hmac.digest(derived, b"treaty: name of a key", "sha256")[:6].hex(), derived)


class Vault:
    """Encrypts and decrypts secrets."""

    def __init__(self, keys: Callable[[], Sequence[str]]) -> None:
        """`keys` returns all keys, the newest first. It is called each time: keys may be added while a server runs."""
        self._keys = keys

    def list_keys(self) -> tuple[str, ...]:
        """Return all keys, the newest first. Raises InvalidSetting if there is no key, and none can be created."""
        return tuple(self._keys())

    def with_older_keys(self, keys: Sequence[str]) -> "Vault":
        """Return a vault that also decrypts with other keys, such as those of a backup."""
        return Vault(lambda: (*self._keys(), *keys))

    def encrypt(self, text: str) -> EncryptedText:
        """Encrypt a text with the newest key."""
        key = _derive_key(self._keys()[0])
        prefix = f"{_FORMAT}:{key.name}:"
        nonce = os.urandom(ciphers.NONCE_BYTES)
        # The prefix is authenticated along with the text, so that the name of the key cannot be changed.
        ciphertext = ciphers.encrypt(key.secret, nonce, text.encode(), prefix.encode())
        return EncryptedText(prefix + base64.b64encode(nonce + ciphertext).decode())

    def decrypt(self, encrypted: EncryptedText) -> str:
        """Decrypt a text. Raises WrongKey if the server does not have its key, or the text was tampered with."""
        for key in map(_derive_key, self._keys()):
            text = _decrypt_with(key, encrypted.text)
            if text is not None:
                return text
        raise WrongKey(
            "A secret was stored under another key. Start the server with the former key in previous_secret_keys (or "
            f"in secret_key, or with the former {KEY_FILE}), or enter the secrets again and save them."
        )

    def list_hashes(self, kind: str, text: str) -> tuple[str, ...]:
        """Return keyed hashes of a text, by each key, the newest first. The kind is part of the hashes.

        A copy of the database does not suffice to compute them. Unlike encryption, they take no further library.
        """
        return tuple(_hash(_derive_key(key), kind, text) for key in self._keys())

    def get_key_status(self, encrypted: EncryptedText) -> KeyStatus:
        """Return whether a text has to be encrypted again, and whether the server can do so."""
        newest, *older = self._keys()
        if _decrypt_with(_derive_key(newest), encrypted.text) is not None:
            return KeyStatus.NEWEST
        is_older = any(_decrypt_with(key, encrypted.text) is not None for key in map(_derive_key, older))
        return KeyStatus.OLDER if is_older else KeyStatus.UNKNOWN


def _hash(key: _Key, kind: str, text: str) -> str:
    # Derived again, so that the key of the cipher serves no other purpose.
    hashing_key = hmac.digest(key.secret, b"treaty: keyed hashes", "sha256")
    return hmac.new(hashing_key, f"{kind}\0{text}".encode(), "sha256").hexdigest()


def _decrypt_with(key: _Key, encrypted: str) -> str | None:
    """Decrypt a text; return None if it was encrypted with another key or is damaged."""
    format_, _, rest = encrypted.partition(":")
    name, _, body = ("", "", rest) if format_ == _FORMAT_WITHOUT_KEY_NAME else rest.partition(":")
    if format_ == _FORMAT and name != key.name:
        return None
    prefix = None if format_ == _FORMAT_WITHOUT_KEY_NAME else f"{format_}:{name}:".encode()
    try:
        raw = base64.b64decode(body)
        nonce, ciphertext = raw[: ciphers.NONCE_BYTES], raw[ciphers.NONCE_BYTES :]
        return ciphers.decrypt(key.secret, nonce, ciphertext, prefix).decode()
    except ValueError:  # UndecryptableText, or a text that is not Base64
        return None


def get_vault(settings: Settings) -> Vault:
    """Return the vault for a server's settings. Calls with the same keys share one, and so its cached key file.

    The keys of the key file still decrypt after an administrator has set `secret_key`.
    """
    return _vault(settings.secret_key, settings.previous_secret_keys, locate_key_file(settings))


@lru_cache(maxsize=16)
def _vault(secret_key: Secret | None, previous_keys: tuple[Secret, ...], path: Path) -> Vault:
    # Lambdas, since the key file is read, or created, only when a secret has to be encrypted or decrypted.
    file = KeyFile(path)
    previous = tuple(key.get_secret_value() for key in previous_keys)
    if secret_key is None:
        return Vault(lambda: (*file.keys(), *previous))
    key = secret_key.get_secret_value()
    return Vault(lambda: (key, *previous, *file.existing_keys()))


def locate_key_file(settings: Settings) -> Path:
    """Return the path of the key file: beside the SQLite database, else in the working folder."""
    database = settings.database_url.partition("?")[0].removeprefix("sqlite:///")
    is_file = settings.database_url.startswith("sqlite:///") and database not in ("", ":memory:")
    return (Path(database).parent if is_file else Path()).absolute() / KEY_FILE


def has_key(settings: Settings) -> bool:
    """Whether the server has a key already. If not, encrypting the first secret creates the key file."""
    return settings.secret_key is not None or bool(KeyFile(locate_key_file(settings)).existing_keys())


class KeyFile:
    """A file with keys, the newest first, separated by empty lines. It is read again when it has changed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._cached: tuple[object, tuple[str, ...]] = (None, ())
        """Modification time, inode and size of the file when it was read, and its keys."""

    def keys(self) -> tuple[str, ...]:
        """Return the keys, and create the file if it is missing. Raises InvalidSetting if that is not possible."""
        try:
            keys = self._load() or self._create()
        except OSError as error:
            raise InvalidSetting(
                f"The key file {self.path} can neither be read nor created ({error.strerror}); set secret_key instead."
            ) from error
        if not keys:
            raise InvalidSetting(f"The key file {self.path} is empty. Put its key back, or remove it to get a new one.")
        return keys

    def existing_keys(self) -> tuple[str, ...]:
        """Return the keys; none if the file is missing or unreadable."""
        try:
            return self._load()
        except OSError:
            return ()

    def add(self) -> None:
        """Add a new key, as the newest. Raises InvalidSetting."""
        self._replace((_generate_key(), *self.keys()))

    def keep_newest(self) -> None:
        """Remove all keys but the newest. Raises InvalidSetting."""
        self._replace(self.keys()[:1])

    def _load(self) -> tuple[str, ...]:
        """Read the file if it has changed. While it is missing, the keys that were read before remain valid.

        Otherwise a server whose file is moved for a moment would create a new key, and lose all secrets.
        """
        state, keys = self._cached
        try:
            stat = self.path.stat()
        except FileNotFoundError:
            return keys
        if state != (stat.st_mtime_ns, stat.st_ino, stat.st_size):
            keys = tuple(key for part in self.path.read_text("ascii").split(_KEY_SEPARATOR) if (key := part.strip()))
            self._cached = ((stat.st_mtime_ns, stat.st_ino, stat.st_size), keys)
        return keys

    def _create(self) -> tuple[str, ...]:
        """Create the file atomically. If several servers start together, one creates it and all read it."""
        draft = self._write_draft([_generate_key()])
        try:
            os.link(draft, self.path)  # unlike a rename, this fails if the file exists
        except FileExistsError:
            pass
        finally:
            draft.unlink()
        return self._load()

    def _replace(self, keys: Sequence[str]) -> None:
        """Replace the file atomically; its owner and permissions stay as they were. Raises InvalidSetting."""
        try:
            target = self.path.resolve()  # a symbolic link, as of a mounted secret, stays a link
            draft = self._write_draft(keys)
            try:
                _copy_ownership(target, draft)
                draft.replace(target)
            except OSError:
                draft.unlink()
                raise
        except OSError as error:
            raise InvalidSetting(f"The key file {self.path} cannot be changed ({error.strerror}).") from error

    def _write_draft(self, keys: Sequence[str]) -> Path:
        """Write keys to a file in the same folder that only this user may read, and flush it to disk."""
        path = self.path.resolve()
        draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(_KEY_SEPARATOR.join(keys) + "\n")
            file.flush()
            os.fsync(file.fileno())
        return draft


def _generate_key() -> str:
    return secrets.token_urlsafe(32)


def _copy_ownership(source: Path, target: Path) -> None:
    """Copy owner, group and permissions: root may rotate the keys of a server that runs as another user."""
    stat = source.stat()
    if (stat.st_uid, stat.st_gid) != (target.stat().st_uid, target.stat().st_gid):
        os.chown(target, stat.st_uid, stat.st_gid)
    target.chmod(stat.st_mode & 0o777)
