"""The link that creates the first administrator: a hash of its secret, and its expiry."""

import hmac
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from treaty.store.engine.database import execute, fetch_first
from treaty.store.tables import setup_link

_FIND: Final = select(setup_link.c.hash, setup_link.c.until)
_ADD: Final = insert(setup_link).values(id=1, hash=bindparam("new_hash"), until=bindparam("new_until"))
_CHANGE: Final = update(setup_link).values(hash=bindparam("new_hash"), until=bindparam("new_until"))
_REMOVE: Final = delete(setup_link)
_CONSUME: Final = delete(setup_link).where(
    setup_link.c.hash == bindparam("hash"),
    setup_link.c.until > bindparam("now", type_=setup_link.c.until.type),
)


def replace(db: Connection, secret_hash: str, until: datetime) -> None:
    """Store the hash of a new link; earlier links no longer work."""
    params = {"new_hash": secret_hash, "new_until": until}
    if not execute(db, _CHANGE, params):
        execute(db, _ADD, params)


def remove(db: Connection) -> None:
    execute(db, _REMOVE, {})


def has_valid(db: Connection, now: datetime) -> bool:
    """Whether any link may create the first administrator now."""
    link = fetch_first(db, _FIND, {})
    return link is not None and link.until > now


def is_valid(db: Connection, secret_hashes: Sequence[str], now: datetime) -> bool:
    """Whether a link with one of these hashes may create the first administrator now."""
    link = fetch_first(db, _FIND, {})
    if link is None or link.until <= now:
        return False
    return any(hmac.compare_digest(link.hash, secret_hash) for secret_hash in secret_hashes)


def consume(db: Connection, secret_hashes: Sequence[str], now: datetime) -> bool:
    """Remove the link if it has one of these hashes, and return whether it had, and was still valid.

    Only one of several concurrent transactions with the same link gets True: they delete the same row.
    """
    return any(execute(db, _CONSUME, {"hash": secret_hash, "now": now}) == 1 for secret_hash in secret_hashes)
