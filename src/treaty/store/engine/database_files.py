"""Detects that the files of a SQLite database were deleted or replaced while this process has them open.

SQLite continues to work with files that no longer have a name: every write succeeds, and is lost when the process ends.
So the files are compared by device and inode. `-shm` is checked too, because processes see each other's locks in it.
"""

import os
import stat
import time
from contextlib import suppress
from pathlib import Path
from typing import Final
from urllib.parse import quote, unquote

from sqlalchemy import URL

from treaty.errors import DatabaseReplaced
from treaty.store.engine.database_urls import parse_url

CHECK_INTERVAL_SECONDS: Final = 1.0
"""How often reads check the files. Every write checks them before it is acknowledged."""

FileIdentity = tuple[int, int]
"""Device and inode of a file."""


class DatabaseFiles:
    """The database file, its write-ahead log and its shared index, as they were when the database was opened."""

    def __init__(self, path: str) -> None:
        names = (path, f"{path}-wal", f"{path}-shm")
        self._opened = [(name, *identity) for name in names if (identity := find_identity(name))]
        self._next_check = 0.0

    def check(self) -> None:
        """Raise DatabaseReplaced unless every file is still at its path. It takes 7 µs, twice for each write."""
        self._next_check = 0.0  # after a failed check, the next read checks again at once
        for name, device, inode in self._opened:
            try:
                status = os.stat(name)  # noqa: PTH116 - pathlib takes three times as long
            except OSError as error:
                raise DatabaseReplaced(name) from error
            if status.st_ino != inode or status.st_dev != device:
                raise DatabaseReplaced(name)
        self._next_check = time.monotonic() + CHECK_INTERVAL_SECONDS

    def check_if_due(self) -> None:
        """Check if the last check is long enough ago, or failed. Raises DatabaseReplaced."""
        if time.monotonic() >= self._next_check:
            self.check()


def find_identity(path: str) -> FileIdentity | None:
    """Return the identity of the file at a path, or None if there is none."""
    try:
        status = Path(path).stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def find_path(url: URL) -> Path | None:
    """Return the path of a SQLite database, or None for one in memory."""
    name = url.database or ""
    if name.startswith("file:"):
        name = unquote(name.removeprefix("file:").removeprefix("//"))
    is_in_memory = name in {"", ":memory:"} or url.query.get("mode") == "memory"
    return None if is_in_memory else Path(name).absolute()


def forbid_creation(url: URL) -> URL:
    """Return the URL of a SQLite database in the form with which SQLite does not create a missing file."""
    path = find_path(url)
    if path is None:
        return url
    return url.set(database=f"file:{quote(str(path))}").update_query_dict({"mode": "rw", "uri": "true"})


def create_private(url: URL) -> None:
    """Create a missing SQLite file, so that other users of the machine cannot read it, whatever the umask.

    SQLite creates `-wal` and `-shm` with the mode of the database file.
    """
    path = find_path(url)
    if path is None or url.query.get("mode", "rwc") != "rwc":
        return
    with suppress(OSError):  # the file exists, or SQLite reports why it cannot be created
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        path.chmod(0o600)  # the umask may have removed permissions


def list_files(url: str) -> list[Path]:
    """List the files that a SQLite database may have; none for other databases."""
    parsed = parse_url(url)
    path = find_path(parsed) if parsed.get_backend_name() == "sqlite" else None
    return [] if path is None else [path, *(path.with_name(path.name + suffix) for suffix in ("-wal", "-shm"))]


def is_readable_by_all(path: Path) -> bool:
    """Whether a file exists that every user of the machine can read."""
    try:
        return bool(path.stat().st_mode & stat.S_IROTH)
    except OSError:
        return False


def is_in_memory(url: str) -> bool:
    """Whether a URL names a database in memory, which exists in one process only and is empty at first."""
    parsed = parse_url(url)
    return parsed.get_backend_name() == "sqlite" and find_path(parsed) is None


def sqlite_identity(url: str) -> str:
    """Return the identity of a SQLite file as text, to compare with another process's; empty for other databases."""
    parsed = parse_url(url)
    path = find_path(parsed) if parsed.get_backend_name() == "sqlite" else None
    return "" if path is None else repr(find_identity(str(path)))
