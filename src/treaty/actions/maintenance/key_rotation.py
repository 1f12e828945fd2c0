"""Changing the key: one at a time, and some rows in each transaction, so that servers go on."""

from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection

from treaty.model.audit import Action
from treaty.store import audit
from treaty.store.engine import leases
from treaty.store.engine.vault import Vault
from treaty.store.maintenance import encrypted_columns
from treaty.store.maintenance.encrypted_columns import Passed, SealedColumn

LEASE: Final = "rotate-key"
LEASE_TIME: Final = timedelta(seconds=10)
AT_ONCE: Final = 20
"""Rows in one transaction."""


def begin(db: Connection, *, owner: str, now: datetime) -> bool:
    """Say whether nobody else changes the key, and keep others from it for a while; it may be said again and again."""
    return leases.take(db, LEASE, owner=owner, now=now, until=now + LEASE_TIME)


def end(db: Connection, *, owner: str, now: datetime) -> None:
    """Let others change the key."""
    leases.end(db, LEASE, owner=owner, until=now)


def renew(db: Connection, one: SealedColumn, vault: Vault, *, after: Any) -> Passed:
    """Seal anew what stands in some rows after one."""
    passed = encrypted_columns.renew(db, one, vault, after=after, most=AT_ONCE)
    if passed.renewed:
        audit.note(db, Action.KEY_CHANGE, params={"secrets": passed.renewed})
    return passed
