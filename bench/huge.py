"""Histories of a whole company with up to ten million results: the large history beside copies of a department.

A history remains in its folder, so that a later run need not build it again; an interrupted build is continued.
"""

import json
import sqlite3
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, event, text
from sqlalchemy.schema import CreateIndex, DropIndex

from bench import builds, departments, histories
from bench.departments import HISTORY, Block
from bench.histories import LARGE, History
from bench.stores import SqliteStore, Store
from treaty.store.engine.database import Database, open_database
from treaty.store.migrations import migrate
from treaty.workers.usage import IndexingWorker

PROGRESS: Final = 5.0
"""Seconds between two lines of progress."""
COPIES_PER_TRANSACTION: Final = 5
RESULTS: Final = int(departments.APPLICATIONS * departments.CONSUMED * HISTORY.versions * 2.5)
"""Results of a department."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Scale:
    """A history with a number of departments beside it."""

    name: str
    history: History
    departments: int


DEPARTMENT: Final = Scale(name="department", history=HISTORY, departments=1)
REFERENCE: Final = Scale(name="large", history=LARGE, departments=0)
SCALES: Final = {
    f"huge{suffix}": Scale(
        name=f"huge{suffix.replace('/', '_')}", history=replace(LARGE, name="huge", bystanders=0), departments=count
    )
    for suffix, count in (("", 500), ("/10", 50), ("/100", 5))
}
"""With 10 million, 1 million and 100,000 results in departments."""


@dataclass(kw_only=True, slots=True)
class _State:
    """Progress of building a history, in a file beside its database, so that an interrupted build can continue."""

    path: Path
    blocks: dict[str, Block] = field(default_factory=dict)
    """Ids of the first department, once it has been added."""
    has_history: bool = False
    is_complete: bool = False
    index_names: list[str] = field(default_factory=list)
    """Names of the indexes of a SQLite file, in the order of their creation. Of two that serve a query equally well,
    SQLite chooses the later one."""

    @classmethod
    def load(cls, store: Store, scale: Scale) -> "_State":
        path = store.folder / f"{store.kind.lower()}-{scale.name}.json"
        if not path.exists():
            return cls(path=path)
        values = json.loads(path.read_text("utf-8"))
        blocks = {name: (first, last) for name, (first, last) in values.pop("blocks").items()}
        return cls(path=path, blocks=blocks, **values)

    def save(self) -> None:
        values = {
            "blocks": self.blocks,
            "has_history": self.has_history,
            "is_complete": self.is_complete,
            "index_names": self.index_names,
        }
        self.path.write_text(json.dumps(values) + "\n", "utf-8")


def build(store: Store, scale: Scale) -> None:
    """Build a history if it is not complete."""
    state = _State.load(store, scale)
    if state.is_complete:
        # An earlier version of Treaty may have built it.
        with closing(open_database(store.url(scale.name), connections=1)) as database:
            migrate(database)
        return
    began = time.monotonic()
    if not state.has_history:
        store.drop(scale.name)
        _add_history(store, scale, state)
    _copy_departments(store.url(scale.name), scale, state)
    print(f"{store.kind}, {scale.name}: complete after {time.monotonic() - began:.0f} s", flush=True)


def _add_history(store: Store, scale: Scale, state: _State) -> None:
    """Add the history and the first department."""
    template = _build_department(store.folder) if scale.departments else ""
    database = _open_fast(store.create(scale.name))
    migrate(database)
    database.write(partial(histories.fill_fast, history=scale.history))
    database.write(histories.continue_all_ids)
    # So that no server has to do it while it is measured. The ids of copies follow those of the first department, so
    # nothing else may be added after it.
    IndexingWorker(database).index_all()
    if scale.departments:
        state.blocks = database.write(lambda db: departments.add_first(db, template))
    if database.engine.dialect.name == "sqlite":
        state.index_names = list(database.read(lambda db: db.scalars(_INDEX_NAMES).all()))
    database.close()
    state.has_history = True
    state.save()


_INDEX_NAMES: Final = text("SELECT name FROM sqlite_master WHERE type = 'index' ORDER BY rowid")


def _build_department(folder: Path) -> str:
    """Send the builds of a department to the application, unless that has been done, and return the database's URL.

    This is the slowest part, so all histories, on both kinds of databases, get their first department from it.
    """
    store = SqliteStore(folder)
    state = _State.load(store, DEPARTMENT)
    if not state.is_complete:
        store.drop(DEPARTMENT.name)
        database = _open_fast(store.url(DEPARTMENT.name))
        migrate(database)
        database.write(lambda db: histories.fill(db, DEPARTMENT.history))
        progress = Progress(f"builds of a department with {RESULTS:,} results", HISTORY.versions)
        builds.run(database, HISTORY, departments.team(), lambda version: progress.report(version + 1))
        state.is_complete = True
        state.save()
    return store.url(DEPARTMENT.name)


def _copy_departments(url: str, scale: Scale, state: _State) -> None:
    """Copy the department without indexes, and create these."""
    database = _open_fast(url)
    if scale.departments:
        database.write(_drop_indexes)
        present = database.read(lambda db: departments.count(db, state.blocks))
        progress = Progress("copies", scale.departments * RESULTS, present * RESULTS)
        for first in range(present, scale.departments, COPIES_PER_TRANSACTION):
            numbers = range(first, min(first + COPIES_PER_TRANSACTION, scale.departments))
            database.write(partial(_copy, state=state, numbers=numbers))
            progress.report(numbers.stop * RESULTS)
        database.write(histories.continue_all_ids)
    _create_indexes(database, state.index_names)
    if database.engine.dialect.name == "sqlite":
        with database.engine.connect() as connection:
            connection.execute(text("PRAGMA wal_checkpoint(TRUNCATE)"))
    else:
        histories.analyze(database)
    database.close()
    state.is_complete = True
    state.save()


def _copy(db: Connection, *, state: _State, numbers: range) -> None:
    histories.hurry_postgresql(db)
    for number in numbers:
        departments.copy(db, state.blocks, number)


def _open_fast(url: str) -> Database:
    """Open a database without waiting for the disk. A loss of power may destroy it."""
    database = open_database(url, connections=2)
    if database.engine.dialect.name == "sqlite":
        event.listen(database.engine, "connect", _hurry)
    return database


def _hurry(connection: sqlite3.Connection, _record: object) -> None:
    for pragma in ("synchronous = OFF", "foreign_keys = OFF", "cache_size = -400000", "temp_store = MEMORY"):
        connection.execute(f"PRAGMA {pragma}")


def _drop_indexes(db: Connection) -> None:
    for index in departments.indexes(db.dialect.name):
        db.execute(DropIndex(index, if_exists=True))


def _create_indexes(database: Database, names: Sequence[str]) -> None:
    """Create the indexes that are missing, in the order of these names, each in a transaction of its own."""
    order = {name: number for number, name in enumerate(names)}
    indexes = sorted(
        departments.indexes(database.engine.dialect.name), key=lambda index: order.get(str(index.name), len(order))
    )
    progress = Progress("indexes", len(indexes))
    for number, index in enumerate(indexes, start=1):
        database.write(partial(Connection.execute, statement=CreateIndex(index, if_not_exists=True)))
        progress.report(number)


class Progress:
    """Prints the progress of a part of the work, its rate and the remaining time, every few seconds."""

    def __init__(self, name: str, total: int, first: int = 0) -> None:
        self._name, self._total, self._first = name, total, first
        self._began = self._printed = time.monotonic()

    def report(self, count: int) -> None:
        now = time.monotonic()
        if now - self._printed < PROGRESS and count < self._total:
            return
        self._printed = now
        rate = max(count - self._first, 1) / max(now - self._began, 0.001)
        remaining = (self._total - count) / rate
        print(
            f"{self._name}: {count:,} of {self._total:,}, {rate:,.0f} per second, {remaining:.0f} s remain", flush=True
        )
