"""Checks of a SQLite file before it is opened, so that a wrong path creates nothing and changes no foreign file."""

import os
import sqlite3
from pathlib import Path
from typing import Final

from sqlalchemy import URL

from treaty.errors import UnusableDatabase
from treaty.store.engine.database_faults import (
    CORRECT_PATH,
    GIVE_DATABASE,
    GRANT_ACCESS,
    explain_sqlite_error,
)
from treaty.store.engine.database_files import find_path

VERSION_TABLE: Final = "alembic_version"
"""Table with the revision of the schema."""
SIGNATURE_TABLES: Final = frozenset({VERSION_TABLE, "pacticipant", "publication", "deployed_version"})
"""Tables of every revision, by which Treaty's schema differs from that of another program that uses Alembic."""
TABLES_ON_SQLITE: Final = "SELECT name FROM sqlite_schema WHERE type = 'table' AND substr(name, 1, 7) <> 'sqlite_'"


def check_file(url: URL, *, must_exist: bool) -> None:
    """Check that a SQLite file can be used, without creating or changing anything.

    Raises UnusableDatabase for a path where no database can be created, for a file that this user cannot write or that
    is not a database of Treaty, and with `must_exist` for a missing or empty file.
    """
    path = find_path(url)
    if path is None:
        return
    try:
        if path.is_dir():
            raise UnusableDatabase(
                f"{path} is a folder.", f"Give the path of a file, such as {path / 'treaty.sqlite'}."
            )
        size = path.stat().st_size if path.exists() else 0
        if must_exist and not size:
            raise UnusableDatabase(f"there is no database at {path}.", GIVE_DATABASE)
        _check_access(path)
    except OSError as error:
        raise UnusableDatabase(f"{path} cannot be opened: {error.strerror}.", CORRECT_PATH) from error
    if size:
        _check_tables(path, must_exist=must_exist)


def _check_access(path: Path) -> None:
    """Check that this user can write to the file, and to its folder, where SQLite adds the write-ahead log."""
    folder = path.parent
    if not folder.is_dir():
        problem = "is not a folder" if folder.exists() else "does not exist"
        raise UnusableDatabase(f"{path} cannot be created, because {folder} {problem}.", f"Create it. {CORRECT_PATH}")
    if path.exists() and not path.is_file():
        raise UnusableDatabase(f"{path} is not a regular file.", CORRECT_PATH)
    if path.exists() and not _has_access(path, os.R_OK | os.W_OK):
        raise UnusableDatabase(f"{path} cannot be {_denied_access(path)} by this user.", GRANT_ACCESS)
    if not _has_access(folder, os.W_OK | os.X_OK):
        raise UnusableDatabase(f"{path} cannot be used, because this user cannot write to {folder}.", GRANT_ACCESS)


def _denied_access(path: Path) -> str:
    return "written (it is read-only)" if _has_access(path, os.R_OK) else "read"


def _has_access(path: Path, mode: int) -> bool:
    return os.access(path, mode, effective_ids=os.access in os.supports_effective_ids)


def _check_tables(path: Path, *, must_exist: bool) -> None:
    """Check that a file is a database of Treaty, or has no tables, as far as SQLite can tell without writing.

    Only SQLite may open the file: POSIX locks belong to the process, and closing any other descriptor of the file would
    release them, even while a server in this process uses the database.
    """
    try:
        # mode=ro would leave -wal and -shm behind
        connection = sqlite3.connect(f"{path.as_uri()}?mode=rw", uri=True)
        try:
            names = {name for (name,) in connection.execute(TABLES_ON_SQLITE)}
        finally:
            connection.close()
    except sqlite3.OperationalError:
        return  # locked or in need of recovery: opening it for writing will resolve or report that
    except sqlite3.DatabaseError as error:
        raise explain_sqlite_error(error, path) from error
    if not names >= SIGNATURE_TABLES and (names or must_exist):
        raise UnusableDatabase(f"{path} is not a database of Treaty.", GIVE_DATABASE)
