"""Keyed hashes: what lets a database recognise a credential and not give it away.

Their key is made once and lies sealed in the database, so it outlives a change of the server's own key.
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
    """Hashes with a key."""

    def __init__(self, key: str) -> None:
        self.key = key.encode()

    def hash(self, kind: str, text: str) -> str:
        """Hash a secret; the same text as another kind of secret has another hash."""
        return hmac.new(self.key, f"{kind}\0{text}".encode(), sha256).hexdigest()


_FIND: Final = select(access.c.sealed_key)
_FIND_SHARED: Final = _FIND.with_for_update(read=True)
_FIND_LOCKED: Final = _FIND.with_for_update()
_ADD: Final = insert(access).values(id=1, sealed_key=bindparam("sealed_key"))
_FORGET: Final = delete(access)
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
    """Find what hashes credentials; none where there was no credential yet. Raises WrongSetting for another key."""
    sealed = fetch_scalar(db, _FIND, {})
    return None if sealed is None else KeyedHasher(_opened(sealed, vault))


def ensure(db: Connection, vault: Vault, *, is_changing: bool = False) -> KeyedHasher:
    """Find the key that hashes credentials, or create it; it stays until the transaction ends.

    A transaction that `is_changing` the row afterwards locks it exclusively. Raises WrongSetting if the server
    has no key to encrypt it with.
    """
    sealed = fetch_scalar(db, _FIND_LOCKED if is_changing else _FIND_SHARED, {})
    if sealed is not None:
        return KeyedHasher(_opened(sealed, vault))
    key = secrets.token_urlsafe(32)
    execute(db, _ADD, {"sealed_key": vault.encrypt(key).text})
    return KeyedHasher(key)


def remove(db: Connection) -> None:
    """Delete the key, and with it every use of what it hashed. Waits for transactions that are hashing with it."""
    execute(db, _FORGET, {})


@lru_cache(maxsize=16)
def _opened(sealed: str, vault: Vault) -> str:
    try:
        return vault.decrypt(EncryptedText(sealed))
    except WrongKey as error:
        raise InvalidSetting(
            "secret_key: tokens and sessions were stored under another key. Set it to that of other servers, or name "
            f"the former one in previous_secret_keys (or put {KEY_FILE} back). "
            "To end them all: `treaty token revoke --all`."
        ) from error


# The link for the first administrator


def set_setup_hash(db: Connection, secret_hash: str, until: datetime) -> None:
    """Store the hash of the link that creates the first administrator; earlier links no longer work."""
    execute(db, _SET_SETUP, {"hash": secret_hash, "until": until})


def is_valid_setup_hash(db: Connection, secret_hash: str, now: datetime) -> bool:
    """Whether a link is the one that may make the first administrator now."""
    found = fetch_first(db, _SETUP, {})
    return found is not None and found.setup_until > now and hmac.compare_digest(found.setup_hash, secret_hash)


def consume_setup_hash(db: Connection, secret_hash: str, now: datetime) -> bool:
    """Use up the link that may create the first administrator now; return whether it was the right one.

    Of several transactions with the same link, one gets True.
    """
    return execute(db, _CONSUME_SETUP, {"hash": secret_hash, "now": now}) == 1
