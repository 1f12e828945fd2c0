"""Keyed hashes of credentials: the server recognises a credential, but the database does not disclose it.

Their key is created once and stored encrypted in the database. Rotating the server's own key encrypts it again, so the
hashes stay valid.
"""

import hmac
import secrets
from datetime import datetime
from functools import lru_cache
from hashlib import sha256
from typing import Final

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from treaty.errors import InvalidSetting
from treaty.model.webhooks.webhooks import EncryptedText
from treaty.store.engine.database import execute, fetch_first, fetch_scalar
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
_FIND_LOCKED: Final = _FIND.with_for_update()
_ADD: Final = insert(access).values(id=1, sealed_key=bindparam("sealed_key"))
_DELETE: Final = delete(access)
_SETUP: Final = select(access.c.setup_hash, access.c.setup_until).where(access.c.setup_hash.is_not(None))
_SET_SETUP: Final = update(access).values(setup_hash=bindparam("hash"), setup_until=bindparam("until"))
_CONSUME_SETUP: Final = (
    update(access)
    .where(
        access.c.setup_hash == bindparam("hash"),
        access.c.setup_until > bindparam("now", type_=access.c.setup_until.type),
    )
    .values(setup_hash=None, setup_until=None)
)


def find(db: Connection, vault: Vault) -> KeyedHasher | None:
    """Find the key that hashes credentials; None until the first credential exists.

    Raises InvalidSetting if it was encrypted with a key that the server does not have.
    """
    encrypted = fetch_scalar(db, _FIND, {})
    return None if encrypted is None else KeyedHasher(_decrypt(encrypted, vault))


def ensure(db: Connection, vault: Vault, *, is_changing: bool = False) -> KeyedHasher:
    """Find the key that hashes credentials, or create it. The row is locked, so `remove` waits for the transaction.

    Transactions share the lock, unless one `is_changing` the row afterwards: two that upgraded a shared lock would
    deadlock. Raises InvalidSetting if the server has no key to encrypt or decrypt it with.
    """
    encrypted = fetch_scalar(db, _FIND_LOCKED if is_changing else _FIND_SHARED, {})
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


# The link for the first administrator


def set_setup_hash(db: Connection, secret_hash: str, until: datetime) -> None:
    """Store the hash of the link that creates the first administrator; earlier links no longer work."""
    execute(db, _SET_SETUP, {"hash": secret_hash, "until": until})


def has_setup_hash(db: Connection, now: datetime) -> bool:
    """Whether any link may create the first administrator now."""
    setup = fetch_first(db, _SETUP, {})
    return setup is not None and setup.setup_until > now


def is_valid_setup_hash(db: Connection, secret_hash: str, now: datetime) -> bool:
    """Whether this link may create the first administrator now."""
    setup = fetch_first(db, _SETUP, {})
    return setup is not None and setup.setup_until > now and hmac.compare_digest(setup.setup_hash, secret_hash)


def consume_setup_hash(db: Connection, secret_hash: str, now: datetime) -> bool:
    """Invalidate the link that may create the first administrator; return whether it was this one, and still valid.

    Only one of several concurrent transactions with the same link gets True: they update the same row.
    """
    return execute(db, _CONSUME_SETUP, {"hash": secret_hash, "now": now}) == 1
