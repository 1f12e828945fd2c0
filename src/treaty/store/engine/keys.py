"""Keyed hashes of credentials: the server recognises a credential, but the database does not disclose it.

Their key is created once and stored encrypted in the database. Rotating the server's own key encrypts it again, so the
hashes stay valid.
"""

import hmac
import secrets
from functools import lru_cache
from hashlib import sha256
from typing import Final

from sqlalchemy import Connection, bindparam, delete, insert, select

from treaty.errors import InvalidSetting
from treaty.model.webhooks.webhooks import EncryptedText
from treaty.store.engine.database import execute, fetch_scalar
from treaty.store.engine.vault import KEY_FILE, Vault, WrongKey
from treaty.store.tables import access


class KeyedHasher:
    """Computes HMAC-SHA256 with the database's key."""

    def __init__(self, key: str) -> None:
        self.key = key.encode()

    def hash(self, kind: str, text: str) -> str:
        """Hash a secret. The kind is part of the hash, so that a token never passes for a session."""
        return hmac.new(self.key, f"{kind}\0{text}".encode(), sha256).hexdigest()


_FIND: Final = select(access.c.sealed_key)
_FIND_SHARED: Final = _FIND.with_for_update(read=True)
_ADD: Final = insert(access).values(id=1, sealed_key=bindparam("sealed_key"))
_DELETE: Final = delete(access)


def find(db: Connection, vault: Vault) -> KeyedHasher | None:
    """Find the key that hashes credentials; None until the first credential exists.

    Raises InvalidSetting if it was encrypted with a key that the server does not have.
    """
    encrypted = fetch_scalar(db, _FIND, {})
    return None if encrypted is None else KeyedHasher(_decrypt(encrypted, vault))


def ensure(db: Connection, vault: Vault) -> KeyedHasher:
    """Find the key that hashes credentials, or create it. The row is locked, so `remove` waits for the transaction.

    Raises InvalidSetting if the server has no key to encrypt or decrypt it with.
    """
    encrypted = fetch_scalar(db, _FIND_SHARED, {})
    if encrypted is not None:
        return KeyedHasher(_decrypt(encrypted, vault))
    key = secrets.token_urlsafe(32)
    execute(db, _ADD, {"sealed_key": vault.encrypt(key).text})
    return KeyedHasher(key)


def remove(db: Connection) -> None:
    """Delete the key, which invalidates all credentials. Waits for transactions that are hashing with it."""
    execute(db, _DELETE, {})


@lru_cache(maxsize=16)  # each authenticated request needs the key
def _decrypt(encrypted: str, vault: Vault) -> str:
    try:
        return vault.decrypt(EncryptedText(encrypted))
    except WrongKey as error:
        raise InvalidSetting(
            "secret_key: tokens and sessions were stored under another key. Set it to that of other servers, or name "
            f"the former one in previous_secret_keys (or put {KEY_FILE} back). "
            "To revoke all of them: `treaty token revoke --all`."
        ) from error
