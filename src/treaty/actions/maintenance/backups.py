"""Restoring a backup, in one transaction: either all of it is written, or nothing."""

from typing import Any, Final

from sqlalchemy import Connection

from treaty.model.audit import Action
from treaty.model.maintenance.backups import Manifest
from treaty.store import audit
from treaty.store.engine.vault import Vault
from treaty.store.maintenance import backup_rows, encrypted_columns
from treaty.store.maintenance.backup_rows import Report, RowSource
from treaty.store.migrations import upgrade

_REENCRYPTION_BATCH: Final = 100


def record_backup(db: Connection, manifest: Manifest, *, size: int) -> None:
    """Record a backup in the audit trail, which is where `treaty doctor` finds the latest one."""
    params = {
        "state_of": manifest.created_at.isoformat(),
        "rows": manifest.row_count,
        "bytes": size,
        "has_key": manifest.encrypted_keys is not None,
    }
    audit.record(db, Action.BACKUP, params=params)


def restore(
    db: Connection, source: RowSource, manifest: Manifest, *, vault: Vault | None, replaces: bool, report: Report
) -> None:
    """Write all rows of a backup into a database that is empty, or whose rows it replaces.

    The source has the current schema. With a `vault`, secrets are encrypted again with its newest key. Raises
    BackupError if the database has data and may not be replaced, or cannot store a row.
    """
    upgrade(db)
    backup_rows.lock_tables(db)
    if not replaces:
        backup_rows.check_empty(db)
    backup_rows.delete_all_rows(db)
    backup_rows.load(db, source, report=report)
    if vault is not None:
        _reencrypt(db, vault)
    audit.record(db, Action.RESTORATION, params=_describe(manifest))


def _describe(manifest: Manifest) -> dict[str, Any]:
    return {
        "state_of": manifest.created_at.isoformat(),
        "rows": manifest.row_count,
        "database": manifest.database_kind,
        "version": manifest.treaty_version,
    }


def _reencrypt(db: Connection, vault: Vault) -> None:
    for column in encrypted_columns.ENCRYPTED_COLUMNS:
        last_id: Any = None
        while True:
            batch = encrypted_columns.rotate(db, column, vault, after=last_id, limit=_REENCRYPTION_BATCH)
            last_id = batch.last_id
            if last_id is None:
                break
