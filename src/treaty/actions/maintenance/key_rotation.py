"""Changing the key: one at a time, and some rows in each transaction, so that servers go on."""

from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection

from treaty.model.audit import Action
from treaty.store import audit
from treaty.store.engine import leases
from treaty.store.engine.vault import Vault
from treaty.store.maintenance import encrypted_columns
from treaty.store.maintenance.encrypted_columns import EncryptedColumn, RotationBatch

LEASE: Final = "rotate-key"
LEASE_DURATION: Final = timedelta(seconds=10)
BATCH_SIZE: Final = 20
"""Rows in one transaction."""


def claim_rotation(db: Connection, *, owner: str, now: datetime) -> bool:
    """Say whether nobody else changes the key, and keep others from it for a while; it may be said again and again."""
    return leases.claim(db, LEASE, owner=owner, now=now, until=now + LEASE_DURATION)


def release_rotation(db: Connection, *, owner: str, now: datetime) -> None:
    """Let others change the key."""
    leases.end(db, LEASE, owner=owner, until=now)


def reencrypt(db: Connection, one: EncryptedColumn, vault: Vault, *, after: Any) -> RotationBatch:
    """Seal anew what stands in some rows after one."""
    passed = encrypted_columns.rotate(db, one, vault, after=after, limit=BATCH_SIZE)
    if passed.rotated_count:
        audit.record(db, Action.KEY_CHANGE, params={"secrets": passed.rotated_count})
    return passed
