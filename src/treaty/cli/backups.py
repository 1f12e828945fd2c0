"""Commands that make and restore backups. They work on the server's database."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from treaty import app
from treaty.cli import output
from treaty.cli.database_commands import with_settings
from treaty.cli.program import Failure, ServerCommand
from treaty.cli.progress import Progress
from treaty.store.engine.passphrases import MIN_LENGTH
from treaty.store.engine.vault import has_key, locate_key_file
from treaty.workers.backups import BackupOptions, RestoreOptions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from treaty.model.maintenance.backups import Manifest
    from treaty.settings import Settings
    from treaty.workers.backups import BackupResult, RestoreResult

_PASSPHRASE_VARIABLE: Final = "TREATY_BACKUP_PASSPHRASE"  # noqa: S105 - the name of a variable
_MEBIBYTE: Final = 1024 * 1024
_FILE: Final = click.argument("file", type=click.Path(path_type=Path))
_PASSPHRASE_FILE: Final = click.option(
    "--passphrase-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help=f"File with the passphrase of the key, in its first line. Environment: {_PASSPHRASE_VARIABLE}.",
)
_OUTPUT: Final = click.option(
    "--output", "form", type=click.Choice(["text", "json"]), default="text", help="The output format."
)


@click.command(cls=ServerCommand)
@_FILE
@click.option(
    "--with-key", is_flag=True, help="Add the encryption key, protected by a passphrase that the command asks for."
)
@_PASSPHRASE_FILE
@click.option("--overwrite", is_flag=True, help="Replace an existing backup, once the new one is complete.")
@_OUTPUT
@with_settings
def backup(
    settings: Settings, file: Path, passphrase_file: Path | None, form: str, *, with_key: bool, overwrite: bool
) -> None:
    """Write a backup of the broker's database to a file.

    The file contains everything but sessions of browsers. It can be restored into SQLite and PostgreSQL, whichever it
    is from. Servers may be running: the backup is one consistent state. Only your user can read the file.

    Secrets in it are encrypted. They can be read with the key of the servers, which is not part of the backup unless a
    passphrase is given (--with-key, --passphrase-file, or TREATY_BACKUP_PASSPHRASE).
    """
    options = BackupOptions(overwrites=overwrite, passphrase=_choose_passphrase(passphrase_file, is_asked=with_key))
    with _stopping_on_sigterm():
        result = app.make_backup(settings, file, options, progress=Progress(1))
    click.echo(_to_json(_backup_json(file, result)) if form == "json" else _describe_backup(settings, file, result))
    for warning in _backup_warnings(result):
        output.print_warning(f"Warning: {warning}")


@click.command(cls=ServerCommand)
@_FILE
@click.option("--replace", is_flag=True, help="Replace all data of the database, which must be empty otherwise.")
@_PASSPHRASE_FILE
@click.option("--without-key", is_flag=True, help="Restore everything else if secrets cannot be decrypted.")
@click.option("--dry-run", "is_dry", is_flag=True, help="Check the file, the database and the key; write nothing.")
@_OUTPUT
@with_settings
def restore(
    settings: Settings,
    file: Path,
    passphrase_file: Path | None,
    form: str,
    *,
    replace: bool,
    without_key: bool,
    is_dry: bool,
) -> None:
    """Restore a backup, also into another kind of database.

    The database is created if it is missing. All of the backup is checked first, and then written in one transaction:
    after an error, the database is as it was. A backup of an older version is upgraded.

    Secrets are encrypted with the key of this server. If that is not the key of the backup, give the passphrase with
    which the backup was made (--passphrase-file, TREATY_BACKUP_PASSPHRASE, or when asked).
    """
    options = RestoreOptions(replaces=replace, is_dry=is_dry, allows_missing_key=without_key)
    with _stopping_on_sigterm():
        result = app.restore_backup(
            settings,
            file,
            options,
            read_passphrase=lambda: _find_passphrase(passphrase_file),
            progress=Progress(2),
        )
    document = _restore_json(file, result, is_dry=is_dry)
    click.echo(_to_json(document) if form == "json" else _describe_restoration(settings, result, is_dry=is_dry))
    if result.undecryptable_count:
        output.print_warning(f"Warning: {_undecryptable_warning(result.undecryptable_count)}")


@contextmanager
def _stopping_on_sigterm() -> Iterator[None]:
    """Let SIGTERM end the command as an exception does, so that an incomplete file is removed."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)


# Passphrases


def _choose_passphrase(path: Path | None, *, is_asked: bool) -> str | None:
    """Return the passphrase for a new backup; None for a backup without the key."""
    passphrase = _read_passphrase(path)
    if passphrase is None and is_asked:
        passphrase = _ask_passphrase(is_new=True)
        if passphrase is None:
            raise Failure(
                "There is no terminal to ask for a passphrase. Give it in a file, with --passphrase-file, or as "
                f"{_PASSPHRASE_VARIABLE}."
            )
    if passphrase is not None and len(passphrase) < MIN_LENGTH:
        raise Failure(f"The passphrase is too short: use at least {MIN_LENGTH} characters.")
    return passphrase


def _find_passphrase(path: Path | None) -> str | None:
    passphrase = _read_passphrase(path)
    return _ask_passphrase(is_new=False) if passphrase is None else passphrase


def _read_passphrase(path: Path | None) -> str | None:
    if path is None:
        return os.environ.get(_PASSPHRASE_VARIABLE) or None
    lines = path.read_text("utf-8").splitlines()
    if not lines or not lines[0]:
        raise Failure(f"{path} is empty. Write the passphrase into its first line.")
    return lines[0]


def _ask_passphrase(*, is_new: bool) -> str | None:
    if not sys.stdin.isatty():
        return None
    return str(click.prompt("Passphrase of the backup", hide_input=True, confirmation_prompt=is_new, err=True))


# Reports


def _to_json(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)


def _manifest_json(manifest: Manifest) -> dict[str, Any]:
    return {
        "createdAt": manifest.created_at.isoformat(),
        "version": manifest.treaty_version,
        "revision": manifest.revision,
        "database": manifest.database_kind,
        "hasKey": manifest.encrypted_keys is not None,
        "rows": {table.layout.name: table.row_count for table in manifest.tables},
    }


def _backup_json(path: Path, result: BackupResult) -> dict[str, Any]:
    return {
        "file": str(path),
        "bytes": result.size,
        **_manifest_json(result.manifest),
        "undecryptableSecrets": result.undecryptable_count,
        "recorded": result.recording_problem is None,
    }


def _describe_backup(settings: Settings, path: Path, result: BackupResult) -> str:
    manifest = result.manifest
    done = f"Backed up {manifest.row_count:,} rows to {path} ({result.size / _MEBIBYTE:,.1f} MiB)."
    if manifest.encrypted_keys is not None:
        return f"{done}\nIt contains the encryption key, protected by the passphrase. Keep the passphrase elsewhere."
    source = "secret_key" if settings.secret_key is not None else str(locate_key_file(settings))
    return (
        f"{done}\nIt does not contain the encryption key ({source}), which is needed for the secrets of webhooks, for "
        "tokens and for second factors: keep a copy of the key elsewhere, or add it with --with-key."
    )


def _backup_warnings(result: BackupResult) -> Iterator[str]:
    if result.undecryptable_count:
        yield (
            f"{result.undecryptable_count} secrets are encrypted with another key than the one in this backup. Run the "
            "command with the key of the servers."
        )
    if result.recording_problem is not None:
        yield (
            f"the backup is complete, but could not be recorded in the audit trail ({result.recording_problem}), so "
            "`treaty doctor` does not count it."
        )


def _restore_json(path: Path, result: RestoreResult, *, is_dry: bool) -> dict[str, Any]:
    return {
        "file": str(path),
        "restored": not is_dry,
        **_manifest_json(result.manifest),
        "undecryptableSecrets": result.undecryptable_count,
    }


def _describe_restoration(settings: Settings, result: RestoreResult, *, is_dry: bool) -> str:
    manifest = result.manifest
    state = f"{manifest.row_count:,} rows, the state of {manifest.created_at:%Y-%m-%d %H:%M:%S} UTC"
    if is_dry:
        return f"The backup can be restored: {state}. Nothing was written."
    lines = [f"Restored {state}."]
    if settings.secret_key is None and has_key(settings):
        lines.append(f"The key of its secrets is in {locate_key_file(settings)}, which every server needs.")
    lines.append("Users have to sign in again. `treaty doctor` checks the data.")
    return "\n".join(lines)


def _undecryptable_warning(count: int) -> str:
    subject = "1 secret" if count == 1 else f"{count} secrets"
    return (
        f"{subject} cannot be decrypted. Enter the secrets of webhooks again. If tokens and passwords are refused, "
        "`treaty token revoke --all` creates a new key for them."
    )
