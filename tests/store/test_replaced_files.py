"""A write whose SQLite file is replaced while its transaction runs."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from tests.waiting import PATIENCE
from treaty.errors import DatabaseReplaced
from treaty.store.engine.database import open_database
from treaty.store.migrations import migrate

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Connection


@pytest.mark.parametrize("suffix", ["", "-wal", "-shm"])
def test_a_commit_to_a_file_that_was_replaced_meanwhile_is_not_acknowledged(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / "some.sqlite"
    database = open_database(f"sqlite:///{path}")
    database.write(lambda db: db.exec_driver_sql("CREATE TABLE rows (a)").close())

    def write(db: Connection) -> None:
        db.exec_driver_sql("INSERT INTO rows VALUES (1)").close()
        path.with_name(path.name + suffix).rename(tmp_path / "moved")

    with pytest.raises(DatabaseReplaced, match=f"{path.name}{suffix} was deleted or replaced"):
        database.write(write)
    database.close()


def test_a_thread_that_connects_later_does_not_create_the_file_again(tmp_path: Path) -> None:
    path = tmp_path / "some.sqlite"
    database = open_database(f"sqlite:///{path}")
    database.write(lambda db: db.exec_driver_sql("CREATE TABLE rows (a)").close())
    for each in tmp_path.iterdir():
        each.unlink()
    with ThreadPoolExecutor(1) as pool, pytest.raises(DatabaseReplaced):
        pool.submit(database.read_once, lambda db: db.exec_driver_sql("SELECT 1").all()).result()
    assert list(tmp_path.iterdir()) == []
    database.close()


def test_looking_whether_a_database_exists_keeps_the_locks_of_this_process(tmp_path: Path) -> None:
    """Another process that closes the database removes its log, unless it sees the locks of this one."""
    path = tmp_path / "treaty.sqlite"
    database = open_database(f"sqlite:///{path}")
    migrate(database)
    open_database(f"sqlite:///{path}", must_exist=True).close()
    look = "import sqlite3, sys; sqlite3.connect(sys.argv[1]).execute('SELECT 1 FROM alembic_version').fetchall()"
    subprocess.run([sys.executable, "-c", look, str(path)], check=True, timeout=PATIENCE)
    database.write(lambda db: db.exec_driver_sql("CREATE TABLE more (a)").close())
    database.close()


def test_a_database_in_memory_has_no_files_to_lose() -> None:
    database = open_database("sqlite://")
    database.write(lambda db: db.exec_driver_sql("CREATE TABLE rows (a)").close())
    assert database.read(lambda db: db.exec_driver_sql("SELECT count(*) FROM rows").scalar()) == 0
    database.close()
