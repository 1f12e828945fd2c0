"""Data is replaced by a backup while others read and write: they see all of the former or all of the new data."""

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from threading import Event, Thread

import pytest
from sqlalchemy import Connection, func, insert, select

from tests.api.client import Api
from tests.databases import create_missing_file, open_kept
from tests.waiting import PATIENCE
from treaty import app
from treaty.cli.progress import Progress
from treaty.settings import Settings
from treaty.store.engine.database import Database
from treaty.store.tables import label, pacticipant
from treaty.workers.backups import BackupOptions, RestoreOptions

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def add(db: Connection, name: str) -> None:
    times = {"created_at": NOW, "updated_at": NOW}
    (new_id,) = db.execute(
        insert(pacticipant).values(name=name, display_name=name, **times).returning(pacticipant.c.id)
    ).one()
    db.execute(insert(label).values(pacticipant_id=new_id, name=name, **times)).close()


def names(db: Connection) -> set[str]:
    return set(db.execute(select(pacticipant.c.name)).scalars())


class PausingProgress(Progress):
    """Stops in the middle of a restoration, until it may continue."""

    def __init__(self) -> None:
        super().__init__(2)
        self.is_writing, self.may_continue = Event(), Event()
        self._is_restoring = False
        self._reports = 0

    def begin(self, subject: str, total: int) -> None:
        self._is_restoring = subject == "Restore rows"
        super().begin(subject, total)

    def advance(self, count: int = 1) -> None:
        super().advance(count)
        if self._is_restoring:
            self._reports += 1
            if self._reports == 10:  # all rows were deleted, and those of some tables were added
                self.is_writing.set()
                assert self.may_continue.wait(PATIENCE)


@pytest.fixture
def backup(tmp_path: Path) -> Path:
    """Return a backup with the pacticipants `new 0` to `new 2`."""
    url = f"sqlite:///{tmp_path / 'source.sqlite'}"
    create_missing_file(url)
    with closing(open_kept(url)) as database:
        for number in range(3):
            database.write(partial(add, name=f"new {number}"))
    path = tmp_path / "backup.zip"
    app.make_backup(Settings(database_url=url), path, BackupOptions(), progress=Progress(1))
    return path


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    with closing(open_kept(database_url)) as database:
        database.write(lambda db: add(db, "former"))
        yield database


def test_readers_see_the_former_data_until_all_of_the_new_data_is_there(
    database: Database, database_url: str, backup: Path
) -> None:
    progress = PausingProgress()
    options = RestoreOptions(replaces=True)
    restoration = Thread(
        target=app.restore_backup,
        args=(Settings(database_url=database_url), backup, options),
        kwargs={"read_passphrase": lambda: None, "progress": progress},
    )
    snapshot: list[set[str]] = []

    def read_twice(db: Connection) -> None:
        """Read before and after the restoration, in one transaction, which sees one state."""
        snapshot.append(names(db))
        progress.may_continue.set()
        restoration.join(PATIENCE)
        snapshot.append(names(db))

    restoration.start()
    assert progress.is_writing.wait(PATIENCE)
    database.read(read_twice)
    assert snapshot == [{"former"}, {"former"}]
    assert database.read(names) == {"new 0", "new 1", "new 2"}


def test_a_write_during_the_restoration_waits_and_is_added_to_the_new_data(
    database: Database, database_url: str, backup: Path
) -> None:
    progress = PausingProgress()
    options = RestoreOptions(replaces=True)
    restoration = Thread(
        target=app.restore_backup,
        args=(Settings(database_url=database_url), backup, options),
        kwargs={"read_passphrase": lambda: None, "progress": progress},
    )
    writing = Event()

    def write() -> None:
        with closing(open_kept(database_url)) as other:
            writing.set()
            other.write(lambda db: add(db, "written meanwhile"))

    restoration.start()
    assert progress.is_writing.wait(PATIENCE)
    writer = Thread(target=write)
    writer.start()
    assert writing.wait(PATIENCE)
    assert database.read(names) == {"former"}
    progress.may_continue.set()
    restoration.join(PATIENCE)
    writer.join(PATIENCE)
    expected = {"new 0", "new 1", "new 2", "written meanwhile"}
    assert database.read(names) == expected
    assert database.read(lambda db: db.execute(select(func.count()).select_from(label)).scalar_one()) == len(expected)


def test_the_metrics_have_the_time_of_the_latest_backup(api: Api, database_url: str, tmp_path: Path) -> None:
    def backed_up_at() -> float:
        lines = api.get("/metrics/prometheus", accept="*/*").text.splitlines()
        (value,) = (line.split()[1] for line in lines if line.startswith("treaty_backup_timestamp_seconds "))
        return float(value)

    assert backed_up_at() == 0
    started = datetime.now(UTC).timestamp()
    path = tmp_path / "backup.zip"
    app.make_backup(Settings(database_url=database_url), path, BackupOptions(), progress=Progress(1))
    assert started <= backed_up_at() <= datetime.now(UTC).timestamp()
