"""Makes and restores backups, while servers work."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO, Final, Protocol

from sqlalchemy import Connection

from treaty.actions.maintenance import backups
from treaty.distribution import version
from treaty.errors import UnusableDatabase
from treaty.model.maintenance.backups import BackupError, Manifest
from treaty.model.webhooks.webhooks import EncryptedText
from treaty.store.engine import health, passphrases, transaction_status
from treaty.store.engine.database import Database, open_database
from treaty.store.engine.vault import KeyStatus, Vault
from treaty.store.maintenance import backup_rows, encrypted_columns
from treaty.store.maintenance.backup_files import BackupFile, creating_file, writing_backup
from treaty.store.maintenance.backup_rows import DatabaseRows, RowSource
from treaty.store.migrations import HEAD, REVISIONS, migrate, revision, run_migrations

_BATCH: Final = backup_rows.REPORT_INTERVAL


class Progress(Protocol):
    """Receives the progress of a command."""

    def plan(self, steps: int) -> None: ...

    def begin(self, subject: str, total: int) -> None: ...

    def advance(self, count: int = 1) -> None: ...

    def end(self) -> None: ...


# Backups


@dataclass(frozen=True, kw_only=True, slots=True)
class BackupOptions:
    """How a backup is made."""

    overwrites: bool = False
    """Whether an existing backup of the same name is replaced, once the new one is complete."""
    passphrase: str | None = None
    """Encrypts the server's keys in the backup; None for a backup without them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BackupResult:
    """A backup that was made."""

    manifest: Manifest
    size: int
    """Bytes of the file."""
    undecryptable_count: int
    """Secrets that the keys in the backup do not decrypt."""
    recording_problem: str | None
    """Why the audit trail does not have the backup; None if it has."""


def make_backup(
    database: Database, path: Path, options: BackupOptions, *, vault: Vault, progress: Progress
) -> BackupResult:
    """Write a consistent backup of a database to a file.

    All rows are read in one transaction, which blocks no writes. The schema is not upgraded. Raises BackupError.
    """
    keys = None
    if options.passphrase is not None:
        keys = passphrases.encrypt(json.dumps(vault.list_keys()), options.passphrase)
    with creating_file(path, overwrites=options.overwrites) as file:
        manifest = database.read(lambda db: _write(db, file, keys, progress))
        size = file.tell()
    undecryptable_count = 0
    if keys is not None and manifest.revision == HEAD:
        undecryptable_count = database.read(partial(encrypted_columns.count_by_key, vault=vault))[KeyStatus.UNKNOWN]
    return BackupResult(
        manifest=manifest,
        size=size,
        undecryptable_count=undecryptable_count,
        recording_problem=_record(database, manifest, size),
    )


def _write(db: Connection, file: BinaryIO, encrypted_keys: dict[str, Any] | None, progress: Progress) -> Manifest:
    file.seek(0)  # the transaction may be repeated after a lost connection
    file.truncate()
    created_at = datetime.now(UTC)
    rows = DatabaseRows(db)
    current_revision = revision(db)
    tables = rows.list_tables()
    progress.begin("Back up rows", sum(map(rows.count_rows, tables)))
    with writing_backup(file) as writer:
        for table in tables:
            with closing(backup_rows.reporting(rows.read_rows(table), progress.advance)) as reported_rows:
                writer.add_table(table, reported_rows)
        manifest = Manifest(
            treaty_version=version(),
            revision=str(current_revision),
            database_kind=db.dialect.name,
            created_at=created_at,
            tables=writer.tables,
            encrypted_keys=encrypted_keys,
        )
        writer.finish(manifest)
    progress.end()
    return manifest


def _record(database: Database, manifest: Manifest, size: int) -> str | None:
    """Record a backup. A failure does not make it worthless: the database may be a standby that only reads."""
    try:
        database.write(lambda db: backups.record_backup(db, manifest, size=size))
    except health.DATABASE_ERRORS as error:
        return str(error).splitlines()[0] if str(error) else type(error).__name__
    return None


# Restoring


@dataclass(frozen=True, kw_only=True, slots=True)
class ServerKeys:
    """The keys of the server that a backup is restored for."""

    keys: Sequence[str]
    """Empty if the server has none yet."""
    vault: Vault
    """Its key file is created when it encrypts, if the server has no key."""
    hint: str
    """Where the key of the original server belongs."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RestoreOptions:
    """How a backup is restored."""

    replaces: bool = False
    """Whether the data of the database is replaced."""
    is_dry: bool = False
    """Whether everything is checked, and nothing is written."""
    allows_missing_key: bool = False
    """Whether it is restored although some secrets cannot be decrypted."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RestoreResult:
    """A backup that was restored, or checked."""

    manifest: Manifest
    undecryptable_count: int
    """Secrets that the server cannot decrypt."""


def restore_backup(
    database: Database,
    path: Path,
    options: RestoreOptions,
    *,
    server_keys: ServerKeys,
    read_passphrase: Callable[[], str | None],
    progress: Progress,
) -> RestoreResult:
    """Restore a backup into a database, in one transaction, once all of the backup was checked.

    `read_passphrase` is called if the backup's keys are needed. Raises BackupError, or WrongPassphrase.
    """
    with BackupFile(path) as backup:
        _check_revision(backup)
        progress.plan(1 + (backup.manifest.revision != HEAD) + (not options.is_dry))
        if not options.replaces:
            database.read(backup_rows.check_empty)
        _check_contents(backup, progress)
        with _upgraded(backup, progress) as source:
            keys = _choose_keys(source, backup, options, server_keys, read_passphrase)
            if not options.is_dry:
                _write_all(database, source, backup.manifest, keys.vault, options, progress)
        return RestoreResult(manifest=backup.manifest, undecryptable_count=keys.undecryptable_count)


def _check_revision(backup: BackupFile) -> None:
    revision = backup.manifest.revision
    if revision not in REVISIONS:
        raise BackupError(
            f"{backup.path} was made by Treaty {backup.manifest.treaty_version}, whose schema (revision {revision}) is "
            f"newer than this version's ({HEAD}). Nothing was written. Restore it with that version or a later one."
        )


def _check_contents(backup: BackupFile, progress: Progress) -> None:
    progress.begin("Check the backup", backup.manifest.row_count)
    for table in backup.manifest.tables:
        for number in backup.check(table):
            if not number % _BATCH:
                progress.advance(_BATCH)
        progress.advance(table.row_count % _BATCH)
    progress.end()


@contextmanager
def _upgraded(backup: BackupFile, progress: Progress) -> Iterator[RowSource]:
    """Yield the rows of a backup in the current schema; one of an older schema is upgraded in a temporary database."""
    if backup.manifest.revision == HEAD:
        yield backup
        return
    with (
        TemporaryDirectory(prefix="treaty-restore-") as folder,
        closing(open_database(f"sqlite:///{folder}/upgraded.sqlite")) as scratch,
    ):
        progress.begin("Upgrade the backup", backup.manifest.row_count)
        scratch.write(lambda db: run_migrations(db, backup.manifest.revision))
        scratch.write(lambda db: backup_rows.load(db, backup, report=progress.advance))
        migrate(scratch)
        progress.end()
        with scratch.engine.connect() as db:
            yield DatabaseRows(db)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Keys:
    vault: Vault | None
    """What secrets are encrypted with again; None if they stay as they are."""
    undecryptable_count: int


def _choose_keys(
    source: RowSource,
    backup: BackupFile,
    options: RestoreOptions,
    server: ServerKeys,
    read_passphrase: Callable[[], str | None],
) -> _Keys:
    """Find the keys that decrypt the secrets of a backup. Raises BackupError if there are none."""
    texts = backup_rows.list_encrypted_texts(source)
    keys = tuple(server.keys)
    unknown_count = _count_unknown(texts, keys)
    if unknown_count and backup.manifest.encrypted_keys is not None:
        passphrase = read_passphrase()
        if passphrase is not None:
            keys = (*keys, *json.loads(passphrases.decrypt(backup.manifest.encrypted_keys, passphrase)))
            unknown_count = _count_unknown(texts, keys)
    if unknown_count and not options.allows_missing_key:
        raise BackupError(_explain_missing_key(backup, unknown_count, server))
    needs_vault = bool(texts and keys)
    return _Keys(vault=server.vault.with_older_keys(keys) if needs_vault else None, undecryptable_count=unknown_count)


def _count_unknown(texts: Sequence[EncryptedText], keys: Sequence[str]) -> int:
    if not keys:
        return len(texts)
    vault = Vault(lambda: keys)
    return sum(vault.get_key_status(text) is KeyStatus.UNKNOWN for text in texts)


def _explain_missing_key(backup: BackupFile, count: int, server: ServerKeys) -> str:
    subject = "1 secret in the backup is" if count == 1 else f"{count} secrets in the backup are"
    remedy = (
        "Give the passphrase of the backup, which contains the key (--passphrase-file, or TREATY_BACKUP_PASSPHRASE)"
        if backup.manifest.encrypted_keys is not None
        else f"The backup does not contain the key: {server.hint}"
    )
    return (
        f"{subject} encrypted with another key than this server's. Nothing was written. {remedy}. Without the key, "
        "--without-key restores everything else: secrets of webhooks have to be entered again, and tokens and second "
        "factors no longer work."
    )


def _explain_unknown_commit(options: RestoreOptions) -> str:
    remedy = (
        "see whether the newest events of the audit trail (/audit) have the restoration, or repeat the command, which "
        "replaces all data again"
        if options.replaces
        else "repeat the command: if the backup was written, it refuses because the database is not empty"
    )
    return (
        "The connection to the database was lost during the commit, and the database does not respond, so it is "
        f"unknown whether the backup was written: all of it, or nothing. Once the database responds again, {remedy}."
    )


def _write_all(
    database: Database,
    source: RowSource,
    manifest: Manifest,
    vault: Vault | None,
    options: RestoreOptions,
    progress: Progress,
) -> None:
    finished_id: str | None = None

    def write(db: Connection) -> None:
        nonlocal finished_id
        # A transaction runs again if its connection is lost, also during its commit, which may have succeeded.
        if finished_id is not None and transaction_status.is_committed(db, finished_id):
            return
        finished_id = None
        progress.begin("Restore rows", manifest.row_count)
        backups.restore(db, source, manifest, vault=vault, replaces=options.replaces, report=progress.advance)
        finished_id = transaction_status.find_transaction_id(db)

    try:
        database.write(write)
    except (*health.DATABASE_ERRORS, UnusableDatabase) as error:
        if finished_id is None:
            raise
        raise BackupError(_explain_unknown_commit(options)) from error
    progress.end()
    database.checkpoint()
    with suppress(
        *health.DATABASE_ERRORS
    ):  # the backup is restored, and PostgreSQL collects statistics by itself later
        database.read_once(backup_rows.update_statistics)
