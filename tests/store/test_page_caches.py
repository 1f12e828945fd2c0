"""How much memory the connections of SQLite may take."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Connection

from tests.databases import create_missing_file
from treaty.app import open_server_database
from treaty.settings import Settings
from treaty.store.engine.database import Database, open_database


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = open_database(f"sqlite:///{tmp_path / 'treaty.sqlite'}")
    yield database
    database.close()


def read_cache_size(db: Connection) -> int:
    """Return the memory for pages in KiB, which SQLite shows as a negative number."""
    return -int(db.exec_driver_sql("PRAGMA cache_size").scalar_one())


def test_only_the_thread_that_handles_requests_has_much_memory_for_pages(database: Database) -> None:
    with ThreadPoolExecutor(1) as threads:
        other = threads.submit(database.read, read_cache_size).result()

    assert database.read(read_cache_size) == 16 * 1024
    assert other == 2 * 1024


def test_a_setting_limits_the_memory_for_pages(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'treaty.sqlite'}"
    create_missing_file(url)
    settings = Settings(database_url=url, sqlite_cache_bytes=32 * 2**20)
    with closing(open_server_database(settings)) as database, ThreadPoolExecutor(1) as threads:
        other = threads.submit(database.read, read_cache_size).result()

        assert database.read(read_cache_size) == 32 * 1024
        assert other == 4 * 1024
