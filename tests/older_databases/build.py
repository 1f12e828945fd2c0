"""Dumps the databases of a broker that `sample_data.py` has filled, and records its answers.

A dump is built once, by the commit that it stands for, and committed: the code of every later commit must open it and
answer the same. To add the dump of another commit, check that commit out and run

    .venv/bin/python -m tests.older_databases.build NAME OLDER_SOURCE

NAME is a new folder beside this file. OLDER_SOURCE is the folder `src` of an older commit, which creates the database
and its first webhooks; the database is then upgraded, as those of early users were. Before `treaty rotate-key` was
added, secrets were encrypted in the format `v1`.
"""

import os
import re
import shutil
import sqlite3
import subprocess
import sys
from contextlib import ExitStack, closing
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from tests import postgres
from tests.older_databases.answers import new_database, opened, record, requests_about, restored
from tests.older_databases.fixture import KINDS, Fixture
from tests.older_databases.sample_data import fill

KEY: Final = "the key of a fixture, which protects nothing"


def build(folder: Path, older_source: Path) -> None:
    folder.mkdir()
    (folder / "key").write_text(KEY + "\n")
    for kind in KINDS:
        fixture = Fixture(folder, kind)
        _dump(fixture, older_source)
        _record(fixture)


def _record(fixture: Fixture) -> None:
    with restored(fixture) as (_, url, scratch), opened(fixture, url, scratch) as api:
        requests = requests_about(fixture, api)
    # Some requests that only read are recorded as well: when a token was used, and which requests were denied.
    with restored(fixture) as (_, url, scratch):
        record(fixture, url, scratch, requests)


def _dump(fixture: Fixture, older_source: Path) -> None:
    """Fill a new database and dump it, with the time when that was done."""
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(TemporaryDirectory()))
        url = new_database(fixture.kind, scratch, stack)
        shutil.copyfile(fixture.folder / "key", scratch / "treaty.key")
        facts = fill(url, scratch, older_source)
        clock = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1)
        fixture.describe(clock=clock.isoformat(), **asdict(facts))
        if fixture.kind == "sqlite":
            _dump_sqlite(Path(url.removeprefix("sqlite:///")), fixture.folder)
        else:
            _dump_postgresql(url, fixture.folder)


def _dump_sqlite(path: Path, folder: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        db.execute("VACUUM")
    shutil.copyfile(path, folder / "broker.sqlite3")


def _dump_postgresql(url: str, folder: Path) -> None:
    """Write SQL that tests can run without psql, on PostgreSQL 15 and later."""
    program = postgres.find_binaries() / "pg_dump"
    dump = subprocess.run(
        [program, "--inserts", "--no-owner", "--no-privileges", url],
        env={**os.environ, "PGTZ": "UTC"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    # Newer versions of pg_dump write commands of psql, and a setting that version 15 does not know.
    dump = re.sub(r"^(\\(un)?restrict |SET transaction_timeout).*\n", "", dump, flags=re.MULTILINE)
    (folder / "broker.sql").write_text(dump)


if __name__ == "__main__":
    build(Path(__file__).parent / sys.argv[1], Path(sys.argv[2]).absolute())
