"""Secrets at rest: sealed with AES-GCM under the server's keys, so that a copy of the database gives none away.

The newest key seals. The others open what they sealed, until that has been sealed anew. A sealed text names its key.
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

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pydantic import SecretStr

from treaty.errors import InvalidSetting, TreatyError
from treaty.model.webhooks.webhooks import EncryptedText
from treaty.settings import Settings

KEY_FILE: Final = "treaty.key"
_FORM: Final = "v2"
"""Before the name of a key."""
_NAMELESS: Final = "v1"
"""Texts that name no key."""
_NONCE_BYTES: Final = 12
_BETWEEN_KEYS: Final = "\n\n"


class WrongKey(TreatyError):
    """A secret that was sealed with a key that is not there."""


class KeyStatus(Enum):
    """Which key a text was sealed with."""

    NEWEST = "newest"
    OLDER = "older"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class _Key:
    name: str
    """Says nothing about the key, except to whoever has it."""
    cipher: AESGCM


@lru_cache(maxsize=64)
def _key(text: str) -> _Key:
    derived = hashlib.scrypt(text.encode(), salt=b"treaty: secrets at rest", n=2**14, r=8, p=1, dklen=32)
    return _Key(hmac.digest(derived, b"treaty: name of a key", "sha256")[:6].hex(), AESGCM(derived))


class Vault:
    """Seals and opens secrets."""

    def __init__(self, keys: Callable[[], Sequence[str]]) -> None:
        """`keys` says which there are, the newest first. It is asked each time: a key may come while a server runs."""
        self._keys = keys

    def encrypt(self, text: str) -> EncryptedText:
        """Make a text unreadable for whoever lacks the key."""
        key = _key(self._keys()[0])
        head = f"{_FORM}:{key.name}:"
        nonce = os.urandom(_NONCE_BYTES)
        sealed = nonce + key.cipher.encrypt(nonce, text.encode(), head.encode())
        return EncryptedText(head + base64.b64encode(sealed).decode())

    def decrypt(self, sealed: EncryptedText) -> str:
        """Read a sealed text. Raises WrongKey."""
        for key in map(_key, self._keys()):
            text = _opened(sealed.text, key)
            if text is not None:
                return text
        raise WrongKey(
            "A secret was stored under another key. Start the server with the former key in previous_secret_keys (or "
            f"in secret_key, or with the former {KEY_FILE}), or save what needs it again with its secrets."
        )

    def get_key_status(self, sealed: EncryptedText) -> KeyStatus:
        """Say whether a text has to be sealed anew, and whether it can be."""
        newest, *older = self._keys()
        if _opened(sealed.text, _key(newest)) is not None:
            return KeyStatus.NEWEST
        is_known = any(_opened(sealed.text, key) is not None for key in map(_key, older))
        return KeyStatus.OLDER if is_known else KeyStatus.UNKNOWN


def _opened(sealed: str, key: _Key) -> str | None:
    """Read a sealed text with a key, if it is the right one."""
    form, name, body = _parts(sealed)
    if form == _FORM and name != key.name:
        return None
    head = None if form == _NAMELESS else f"{form}:{name}:".encode()
    try:
        raw = base64.b64decode(body)
        return key.cipher.decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], head).decode()
    except (InvalidTag, ValueError):
        return None


def _parts(sealed: str) -> tuple[str, str, str]:
    form, _, rest = sealed.partition(":")
    name, _, body = ("", "", rest) if form == _NAMELESS else rest.partition(":")
    return form, name, body


def get_vault(settings: Settings) -> Vault:
    """Make the vault of a server, with its settings or the key file.

    What is in the file is opened also after `secret_key` was set.
    """
    return _vault(settings.secret_key, settings.previous_secret_keys, locate_key_file(settings))


@lru_cache(maxsize=16)
def _vault(secret_key: SecretStr | None, previous_keys: tuple[SecretStr, ...], path: Path) -> Vault:
    file = KeyFile(path)
    previous = tuple(key.get_secret_value() for key in previous_keys)
    if secret_key is None:
        return Vault(lambda: (*file.keys(), *previous))
    key = secret_key.get_secret_value()
    return Vault(lambda: (key, *previous, *file.existing_keys()))


def locate_key_file(settings: Settings) -> Path:
    """Say where the key is kept: beside the SQLite database, else in the working folder."""
    database = settings.database_url.partition("?")[0].removeprefix("sqlite:///")
    is_file = settings.database_url.startswith("sqlite:///") and database not in ("", ":memory:")
    return (Path(database).parent if is_file else Path()).absolute() / KEY_FILE


def has_key(settings: Settings) -> bool:
    """Whether there is a key. Where there is none, the first secret makes one."""
    return settings.secret_key is not None or bool(KeyFile(locate_key_file(settings)).existing_keys())


class KeyFile:
    """Keys in a file, the newest first, with an empty line between them. It is read again when it has changed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._read: tuple[object, tuple[str, ...]] = (None, ())

    def keys(self) -> tuple[str, ...]:
        """Read the file, or make it with a key. Raises WrongSetting where neither is possible."""
        try:
            found = self._found() or self._made()
        except OSError as error:
            raise InvalidSetting(
                f"The key file {self.path} can neither be read nor made ({error.strerror}); set secret_key instead."
            ) from error
        if not found:
            raise InvalidSetting(f"The key file {self.path} is empty. Put its key back, or remove it to get a new one.")
        return found

    def existing_keys(self) -> tuple[str, ...]:
        """Read the file if there is one that can be read."""
        try:
            return self._found()
        except OSError:
            return ()

    def add(self) -> None:
        """Put a new key before those that are there. Raises WrongSetting."""
        self._replace((_new_key(), *self.keys()))

    def keep_newest(self) -> None:
        """Take the others out. Raises WrongSetting."""
        self._replace(self.keys()[:1])

    def _found(self) -> tuple[str, ...]:
        """Read the file; once it has been read, what was read counts while it is away."""
        state, keys = self._read
        try:
            stat = self.path.stat()
        except FileNotFoundError:
            return keys
        if state != (stat.st_mtime_ns, stat.st_ino, stat.st_size):
            keys = tuple(key for part in self.path.read_text("ascii").split(_BETWEEN_KEYS) if (key := part.strip()))
            self._read = ((stat.st_mtime_ns, stat.st_ino, stat.st_size), keys)
        return keys

    def _made(self) -> tuple[str, ...]:
        """Make the file whole or not at all; of several servers that start together, one makes it and all read it."""
        draft = self._draft([_new_key()])
        try:
            os.link(draft, self.path)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
        return self._found()

    def _replace(self, keys: Sequence[str]) -> None:
        """Write other keys, for whoever could read the former ones."""
        try:
            target = self.path.resolve()
            draft = self._draft(keys)
            try:
                _give(draft, like=target)
                draft.replace(target)
            except OSError:
                draft.unlink()
                raise
        except OSError as error:
            raise InvalidSetting(f"The key file {self.path} cannot be changed ({error.strerror}).") from error

    def _draft(self, keys: Sequence[str]) -> Path:
        path = self.path.resolve()
        draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(_BETWEEN_KEYS.join(keys) + "\n")
            file.flush()
            os.fsync(file.fileno())
        return draft


def _new_key() -> str:
    return secrets.token_urlsafe(32)


def _give(draft: Path, *, like: Path) -> None:
    """Let the owner of a file have another."""
    stat = like.stat()
    if (stat.st_uid, stat.st_gid) != (draft.stat().st_uid, draft.stat().st_gid):
        os.chown(draft, stat.st_uid, stat.st_gid)
    draft.chmod(stat.st_mode & 0o777)
