"""Key rotation: re-encrypts secrets in small transactions, so that servers keep working meanwhile."""

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
"""Time after which a rotation may take over from one that was killed; a running one renews its lease."""
BATCH_SIZE: Final = 20
"""Rows in one transaction."""


def claim_rotation(db: Connection, *, owner: str, now: datetime) -> bool:
    """Claim or renew the lease for the rotation, and return whether this owner has it.

    Two rotations at a time could each remove the key that the other has just begun to use.
    """
    return leases.claim(db, LEASE, owner=owner, now=now, until=now + LEASE_DURATION)


def release_rotation(db: Connection, *, owner: str, now: datetime) -> None:
    """End the lease, so that another rotation may start."""
    leases.end(db, LEASE, owner=owner, until=now)


def reencrypt(db: Connection, column: EncryptedColumn, vault: Vault, *, after: Any) -> RotationBatch:
    """Re-encrypt a batch of rows of a column, those after an id, with the newest key."""
    batch = encrypted_columns.rotate(db, column, vault, after=after, limit=BATCH_SIZE)
    if batch.rotated_count:
        audit.record(db, Action.KEY_CHANGE, params={"secrets": batch.rotated_count})
    return batch
