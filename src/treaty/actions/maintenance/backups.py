"""Restoring a backup, in one transaction: either all of it is written, or nothing."""

from collections.abc import Callable, Generator
from contextlib import closing
from typing import Any, Final

from sqlalchemy import Connection

from treaty.model.audit import Action
from treaty.model.maintenance.backups import BackupError, Manifest, Row
from treaty.model.webhooks.webhooks import EncryptedText
from treaty.store import audit
from treaty.store.engine.vault import Vault
from treaty.store.maintenance import backup_rows, encrypted_columns
from treaty.store.maintenance.backup_rows import RowSource
from treaty.store.maintenance.encrypted_columns import find_encrypted
from treaty.store.migrations import upgrade

Report = Callable[[int], None]
"""Called with the number of rows that were written since the last call."""
REPORT_INTERVAL: Final = 1000
"""Rows between two reports."""
_REENCRYPTION_BATCH: Final = 100
_MAX_TABLES: Final = 5


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
        check_empty(db)
    backup_rows.delete_all_rows(db)
    load(db, source, report=report)
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


def check_empty(db: Connection) -> None:
    """Raise BackupError if a database has data, apart from what a server adds when it starts."""
    counts = backup_rows.count_used_rows(db)
    if counts:
        ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        shown = [f"{name} {number:,}" for name, number in ordered[:_MAX_TABLES]]
        more = [f"{len(counts) - _MAX_TABLES} more tables"] if len(counts) > _MAX_TABLES else []
        raise BackupError(
            f"The database is not empty: it has rows ({', '.join(shown + more)}). Nothing was written. Give an empty "
            "database, or replace all of its data with --replace."
        )


def _reencrypt(db: Connection, vault: Vault) -> None:
    for column in encrypted_columns.ENCRYPTED_COLUMNS:
        last_id: Any = None
        while True:
            batch = encrypted_columns.rotate(db, column, vault, after=last_id, limit=_REENCRYPTION_BATCH)
            last_id = batch.last_id
            if last_id is None:
                break


def load(db: Connection, source: RowSource, *, report: Report) -> None:
    """Write all rows of a backup, and let ids continue where they were. Raises BackupError."""
    tables = source.list_tables()
    backup_rows.check_layouts(db, tables)
    for table in tables:
        with closing(reporting(source.read_rows(table), report)) as rows:
            backup_rows.add_rows(db, table, rows)
    for table in tables:
        backup_rows.continue_ids(db, table)


def reporting(rows: Generator[Row], report: Report) -> Generator[Row]:
    """Yield rows, and report their number now and then. Closing it closes `rows`, and so the query behind them."""
    count = 0
    with closing(rows):
        for row in rows:
            yield row
            count += 1
            if count == REPORT_INTERVAL:
                report(count)
                count = 0
    report(count)


def list_encrypted_texts(source: RowSource) -> list[EncryptedText]:
    """List the encrypted texts of a backup in the current schema."""
    tables = {table.name: table for table in source.list_tables()}
    texts: list[EncryptedText] = []
    for encrypted in encrypted_columns.ENCRYPTED_COLUMNS:
        table = tables[encrypted.column.table.name]
        index = list(table.columns).index(encrypted.column.name)
        values = (row[index] for row in source.read_rows(table))
        texts += [text for value in values if value is not None for text in find_encrypted(encrypted, value)]
    return texts
