"""Files with backups: a ZIP archive with one member of JSON lines for each table, and a manifest as its last member.

The file appears under its name only once it is complete and on disk.
"""

import base64
import hashlib
import os
import secrets
import struct
import zipfile
import zlib
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from errno import EDQUOT, EFBIG, ENOSPC
from pathlib import Path
from typing import IO, Any, BinaryIO, Final, Self

import orjson

from treaty.model.maintenance.backups import (
    FORMAT,
    BackupError,
    ColumnKind,
    Manifest,
    Row,
    TableLayout,
    TableSummary,
)

_MANIFEST: Final = "manifest.json"
_PROGRAM: Final = "treaty"
_PARTIAL_SUFFIX: Final = ".treaty-partial"
_COMPRESSION_LEVEL: Final = 1  # five times as fast as the default, for files that are a quarter larger
_ANOTHER_BACKUP: Final = "Nothing was written. Use another backup."
_DAMAGE: Final = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    KeyError,
    NotImplementedError,
    RuntimeError,
    TypeError,
    ValueError,
)
"""Errors of reading an archive whose bytes were changed."""


# Writing


@contextmanager
def creating_file(path: Path, *, overwrites: bool) -> Iterator[BinaryIO]:
    """Open a new file that only this user can read. It gets its name when it is complete, and is removed otherwise.

    Raises BackupError if it cannot be written, or exists and may not be overwritten.
    """
    _check_target(path, overwrites=overwrites)
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}{_PARTIAL_SUFFIX}")
    try:
        with _open_locked(partial) as file:
            _remove_partials_of_others(partial)
            try:
                yield file
                file.flush()
                os.fsync(file.fileno())
                partial.replace(path)
            except BaseException:
                partial.unlink(missing_ok=True)
                raise
        _flush_folder(path.parent)
    except OSError as error:
        raise BackupError(_explain_write_error(error, path)) from error


def _check_target(path: Path, *, overwrites: bool) -> None:
    if path.is_dir():
        raise BackupError(f"{path} is a folder. Give the path of a file, such as {path / 'treaty-backup.zip'}.")
    if not path.parent.is_dir():
        raise BackupError(f"{path} cannot be created, because there is no folder {path.parent}. Create it first.")
    if path.exists() and not overwrites:
        raise BackupError(f"{path} exists already. Give another name, or replace the file with --overwrite.")
    if path.exists() and not _is_backup(path):
        raise BackupError(f"{path} is not a backup of Treaty, and is not overwritten. Give another name.")


def _is_backup(path: Path) -> bool:
    try:
        with BackupFile(path):
            return True
    except BackupError:
        return False


def _open_locked(path: Path) -> BinaryIO:
    file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600), "w+b")
    _lock(file)
    return file


def _lock(file: IO[bytes]) -> bool:
    """Lock a file until it is closed; return whether no other process has locked it."""
    try:
        import fcntl  # noqa: PLC0415 - Windows does not have it
    except ImportError:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _remove_partials_of_others(own: Path) -> None:
    """Remove what backups have left in the folder whose processes were killed."""
    for path in own.parent.glob(f".*{_PARTIAL_SUFFIX}"):
        with suppress(OSError):
            if path != own:
                with path.open("rb") as file:
                    if _lock(file):
                        path.unlink()


def _flush_folder(folder: Path) -> None:
    """Flush the name of the new file to disk. Not all systems and file systems can."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _explain_write_error(error: OSError, path: Path) -> str:
    if error.errno in {ENOSPC, EDQUOT, EFBIG}:
        return (
            f"There is not enough space for {path} ({error.strerror}). No backup was written. Free some space, or give "
            "a path on another disk."
        )
    return f"{path} cannot be written ({error.strerror or error}). No backup was written. Give another path."


class BackupWriter:
    """Writes the tables of a backup, and then its manifest."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self.tables: list[TableSummary] = []

    def add_table(self, layout: TableLayout, rows: Iterable[Row]) -> None:
        """Write the rows of a table, one by one."""
        checksum = hashlib.sha256()
        binary = _binary_indexes(layout)
        count = 0
        with self._archive.open(_member_of(layout), "w", force_zip64=True) as member:
            for row in rows:
                line = _encode_row(row, binary)
                checksum.update(line)
                member.write(line)
                count += 1
        self.tables.append(TableSummary(layout=layout, row_count=count, sha256=checksum.hexdigest()))

    def finish(self, manifest: Manifest) -> None:
        """Write the manifest."""
        self._archive.writestr(_MANIFEST, orjson.dumps(_manifest_json(manifest), option=orjson.OPT_INDENT_2))


@contextmanager
def writing_backup(file: BinaryIO) -> Iterator[BackupWriter]:
    """Write a backup into an empty file."""
    archive = zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=_COMPRESSION_LEVEL)
    try:
        yield BackupWriter(archive)
        archive.close()
    finally:
        # After an error, closing would write to a disk that is full. It may also be tried by the garbage collector.
        archive.fp = None


def _member_of(layout: TableLayout) -> str:
    return f"tables/{layout.name}.jsonl"


def _binary_indexes(layout: TableLayout) -> list[int]:
    return [index for index, kind in enumerate(layout.columns.values()) if kind is ColumnKind.BINARY]


def _encode_row(row: Row, binary: Sequence[int]) -> bytes:
    values = list(row)
    for index in binary:
        if values[index] is not None:
            values[index] = base64.b64encode(values[index]).decode()
    return orjson.dumps(values, option=orjson.OPT_APPEND_NEWLINE)


def _manifest_json(manifest: Manifest) -> dict[str, Any]:
    return {
        "program": _PROGRAM,
        "format": FORMAT,
        "version": manifest.treaty_version,
        "revision": manifest.revision,
        "database": manifest.database_kind,
        "createdAt": manifest.created_at.isoformat(),
        "keys": manifest.encrypted_keys,
        "tables": [
            {
                "name": table.layout.name,
                "columns": dict(table.layout.columns),
                "lastId": table.layout.last_id,
                "rows": table.row_count,
                "sha256": table.sha256,
            }
            for table in manifest.tables
        ],
    }


# Reading


class BackupFile:
    """A backup to read. A context manager."""

    def __init__(self, path: Path) -> None:
        """Open a backup, and read its manifest. Raises BackupError for a file that is not one, or is damaged."""
        self.path = path
        try:
            self._archive = zipfile.ZipFile(path)
        except OSError as error:
            raise BackupError(f"{path} cannot be read: {error.strerror or error}. Correct the path.") from error
        except _DAMAGE as error:
            raise BackupError(
                f"{path} is not a backup of Treaty, or it is damaged or truncated. {_ANOTHER_BACKUP}"
            ) from error
        try:
            self.manifest = self._read_manifest()
        except BaseException:
            self._archive.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._archive.close()

    def _read_manifest(self) -> Manifest:
        with self._explained_damage():
            if _MANIFEST not in self._archive.namelist():
                raise BackupError(f"{self.path} is not a backup of Treaty. {_ANOTHER_BACKUP}")
            document = orjson.loads(self._archive.read(_MANIFEST))
            if document["program"] != _PROGRAM:
                raise BackupError(f"{self.path} is not a backup of Treaty. {_ANOTHER_BACKUP}")
            if document["format"] > FORMAT:
                raise BackupError(
                    f"{self.path} was made by Treaty {document['version']}, in a format that this version does not "
                    "know. Nothing was written. Restore it with that version of Treaty or a later one."
                )
            return _parse_manifest(document)

    def list_tables(self) -> Sequence[TableLayout]:
        return [table.layout for table in self.manifest.tables]

    def read_rows(self, table: TableLayout) -> Generator[Row]:
        """Yield the rows of a table. Raises BackupError for damage, after the rows before it."""
        binary = _binary_indexes(table)
        for line in self._read_lines(table):
            with self._explained_damage():
                row = orjson.loads(line)
                if len(row) != len(table.columns):
                    raise ValueError(table.name)
                for index in binary:
                    if row[index] is not None:
                        row[index] = base64.b64decode(row[index])
            yield row

    def check(self, table: TableSummary) -> Iterator[int]:
        """Compare a table with its checksum, and yield the number of each row. Raises BackupError for damage."""
        checksum = hashlib.sha256()
        count = 0
        for count, line in enumerate(self._read_lines(table.layout), 1):
            checksum.update(line)
            yield count
        if (count, checksum.hexdigest()) != (table.row_count, table.sha256):
            raise self._describe_damage(f"the checksum of the table {table.layout.name} is wrong")

    def _read_lines(self, table: TableLayout) -> Iterator[bytes]:
        with self._explained_damage():
            member = self._archive.open(_member_of(table))
        with member:
            while line := self._read_line(member):
                yield line

    def _read_line(self, member: IO[bytes]) -> bytes:
        with self._explained_damage():
            return member.readline()

    @contextmanager
    def _explained_damage(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise BackupError(f"{self.path} cannot be read: {error.strerror or error}. Check the disk.") from error
        except _DAMAGE as error:
            raise self._describe_damage(str(error) or type(error).__name__) from error

    def _describe_damage(self, reason: str) -> BackupError:
        return BackupError(f"{self.path} is damaged: {reason.rstrip('.')}. {_ANOTHER_BACKUP}")


def _parse_manifest(document: Mapping[str, Any]) -> Manifest:
    return Manifest(
        treaty_version=str(document["version"]),
        revision=str(document["revision"]),
        database_kind=str(document["database"]),
        created_at=datetime.fromisoformat(document["createdAt"]),
        tables=[_parse_table(table) for table in document["tables"]],
        encrypted_keys=document["keys"],
    )


def _parse_table(table: Mapping[str, Any]) -> TableSummary:
    columns = {str(name): ColumnKind(kind) for name, kind in table["columns"].items()}
    layout = TableLayout(name=str(table["name"]), columns=columns, last_id=table["lastId"])
    return TableSummary(layout=layout, row_count=int(table["rows"]), sha256=str(table["sha256"]))
