"""Rows of all tables, in a form that both kinds of databases can write and read."""

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import UTC
from typing import Any, Final, Protocol

from sqlalchemy import Boolean, Column, Connection, Integer, LargeBinary, Table, func, inspect, select, text
from sqlalchemy.types import TypeEngine

from treaty.model.maintenance.backups import (
    SETUP_ACTIONS,
    UNCOUNTED_ACTIONS,
    BackupError,
    ColumnKind,
    Row,
    TableLayout,
)
from treaty.model.webhooks.webhooks import EncryptedText
from treaty.store.engine.query_log import driver_of
from treaty.store.maintenance.encrypted_columns import ENCRYPTED_COLUMNS, find_encrypted
from treaty.store.tables import Time, metadata
from treaty.store.tables import audit as trail

OMITTED_TABLES: Final[Mapping[str, str]] = {
    "session": "a session that was ended since must not become valid again, so users sign in again",
    "pending_sign_in": "it ends with the page that asks for the code",
    "setup_link": "a server without users creates a new link when it starts",
    "guess": "throttling concerns the last minutes only",
}
"""Tables that are not in a backup, with the reasons."""
_UNUSED_TABLES: Final = frozenset(
    {*OMITTED_TABLES, "access", "event_log", "lease", "trusted_address", "audit", "audit_forwarded"}
)
"""Tables that have rows as soon as a server has started, so that they say nothing about the use of a database."""


class RowSource(Protocol):
    """Tables with their rows: a database, or a backup."""

    def list_tables(self) -> Sequence[TableLayout]:
        """List the tables, each after those that its rows refer to."""
        ...

    def read_rows(self, table: TableLayout) -> Generator[Row]:
        """Yield the rows of a table, without keeping them in memory."""
        ...


# Reading


class DatabaseRows:
    """The rows of a database, in an open transaction that sees one snapshot."""

    def __init__(self, db: Connection) -> None:
        self._db = db

    def list_tables(self) -> Sequence[TableLayout]:
        inspector = inspect(self._db)
        names = set(inspector.get_table_names())
        tables = [table for table in metadata.sorted_tables if table.name in names - OMITTED_TABLES.keys()]
        return [self._describe(table, inspector.get_columns(table.name)) for table in tables]

    def _describe(self, table: Table, columns: Iterable[Any]) -> TableLayout:
        """Describe a table by the columns that it has: those of an older revision may lack some."""
        kinds = {column["name"]: _kind_of(_declared_type(table, column)) for column in columns}
        return TableLayout(name=table.name, columns=kinds, last_id=self._find_last_id(table))

    def _find_last_id(self, table: Table) -> int | None:
        if not _has_identity(table):
            return None
        if self._db.dialect.name == "postgresql":
            statement = text("SELECT pg_sequence_last_value(CAST(pg_get_serial_sequence(:name, 'id') AS regclass))")
            last_id: int | None = self._db.execute(statement, {"name": _quote(self._db, table.name)}).scalar()
            return last_id
        highest: int | None = self._db.execute(select(func.max(table.c.id))).scalar()
        assigned: int | None = self._db.execute(_LAST_ID_ON_SQLITE, {"name": table.name}).scalar()
        return max(highest or 0, assigned or 0) or None

    def count_rows(self, table: TableLayout) -> int:
        return _count_rows(self._db, table.name)

    def read_rows(self, table: TableLayout) -> Generator[Row]:
        columns = ", ".join(_quote(self._db, name) for name in table.columns)
        order = ", ".join(_quote(self._db, column.name) for column in metadata.tables[table.name].primary_key)
        sql = f"SELECT {columns} FROM {_quote(self._db, table.name)} ORDER BY {order}"  # noqa: S608 - quoted names
        is_sqlite = self._db.dialect.name == "sqlite"
        converters = [
            (index, convert)
            for index, kind in enumerate(table.columns.values())
            if (convert := (_SQLITE_CONVERTERS if is_sqlite else _POSTGRESQL_CONVERTERS).get(kind))
        ]
        for row in _stream(self._db, sql):
            values = list(row)
            for index, convert in converters:
                if values[index] is not None:
                    values[index] = convert(values[index])
            yield values


_LAST_ID_ON_SQLITE: Final = text("SELECT seq FROM sqlite_sequence WHERE name = :name")
_SQLITE_CONVERTERS: Final = {ColumnKind.BOOLEAN: bool}
_POSTGRESQL_CONVERTERS: Final = {
    ColumnKind.TIME: lambda value: value.astimezone(UTC).isoformat(timespec="microseconds"),
    ColumnKind.BINARY: bytes,
}


def _stream(db: Connection, sql: str) -> Iterator[Sequence[Any]]:
    """Run a query, and yield its rows one by one: a single row can have 50 MB."""
    driver: Any = driver_of(db)
    if db.dialect.name == "sqlite":
        yield from driver.execute(sql)
        return
    with driver.cursor() as cursor:
        yield from cursor.stream(sql)


def _quote(db: Connection, name: str) -> str:
    return db.dialect.identifier_preparer.quote(name)


def _declared_type(table: Table, column: Mapping[str, Any]) -> TypeEngine[Any]:
    declared: Column[Any] | None = table.columns.get(column["name"])
    kind: TypeEngine[Any] = column["type"] if declared is None else declared.type
    return kind


def _kind_of(kind: TypeEngine[Any]) -> ColumnKind:
    match kind:
        case Time():
            return ColumnKind.TIME
        case Boolean():
            return ColumnKind.BOOLEAN
        case LargeBinary():
            return ColumnKind.BINARY
        case Integer():
            return ColumnKind.INTEGER
        case _:
            return ColumnKind.TEXT


def _has_identity(table: Table) -> bool:
    return "id" in table.columns and table.c.id.identity is not None


def _count_rows(db: Connection, name: str) -> int:
    count: int = db.execute(select(func.count()).select_from(metadata.tables[name])).scalar_one()
    return count


def list_encrypted_texts(source: RowSource) -> list[EncryptedText]:
    """List the encrypted texts of a backup in the current schema."""
    tables = {table.name: table for table in source.list_tables()}
    texts: list[EncryptedText] = []
    for encrypted in ENCRYPTED_COLUMNS:
        table = tables[encrypted.column.table.name]
        index = list(table.columns).index(encrypted.column.name)
        values = (row[index] for row in source.read_rows(table))
        texts += [text for value in values if value is not None for text in find_encrypted(encrypted, value)]
    return texts


# Writing

Report = Callable[[int], None]
"""Called with the number of rows that were read or written since the last call."""
REPORT_INTERVAL: Final = 1000
"""Rows between two reports."""
_MAX_TABLES: Final = 5


def lock_tables(db: Connection) -> None:
    """Let no other transaction write before the end of this one. Reads are not blocked."""
    if db.dialect.name == "postgresql":
        names = ", ".join(_quote(db, table.name) for table in metadata.sorted_tables)
        db.execute(text(f"LOCK TABLE {names} IN EXCLUSIVE MODE"))


def count_used_rows(db: Connection) -> dict[str, int]:
    """Count the rows of each table that has any, apart from those that a server adds when it starts."""
    existing = set(inspect(db).get_table_names())
    names = [table.name for table in metadata.sorted_tables if table.name in existing - _UNUSED_TABLES]
    counts = {name: _count_rows(db, name) for name in names}
    if trail.name in existing:
        counts[trail.name] = db.execute(_COUNT_EVENTS_OF_USE).scalar_one()
    return {name: count for name, count in counts.items() if count}


_COUNT_EVENTS_OF_USE: Final = (
    select(func.count()).select_from(trail).where(trail.c.type.not_in([*UNCOUNTED_ACTIONS, *SETUP_ACTIONS]))
)


def check_empty(db: Connection) -> None:
    """Raise BackupError if a database has data, apart from what a server adds when it starts."""
    counts = count_used_rows(db)
    if counts:
        ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        shown = [f"{name} {number:,}" for name, number in ordered[:_MAX_TABLES]]
        more = [f"{len(counts) - _MAX_TABLES} more tables"] if len(counts) > _MAX_TABLES else []
        raise BackupError(
            f"The database is not empty: it has rows ({', '.join(shown + more)}). Nothing was written. Give an empty "
            "database, or replace all of its data with --replace."
        )


def delete_all_rows(db: Connection) -> None:
    """Delete all rows of all tables.

    TRUNCATE would be faster on PostgreSQL, but transactions that began earlier would then see empty tables, and
    answer that nothing prevents a deployment.
    """
    for table in reversed(metadata.sorted_tables):
        db.execute(table.delete())


def load(db: Connection, source: RowSource, *, report: Report) -> None:
    """Write all rows of a backup, and let ids continue where they were. Raises BackupError."""
    tables = source.list_tables()
    check_layouts(db, tables)
    for table in tables:
        with closing(reporting(source.read_rows(table), report)) as rows:
            add_rows(db, table, rows)
    for table in tables:
        continue_ids(db, table)


def reporting(rows: Generator[Row], report: Report) -> Generator[Row]:
    """Yield rows, and report their number now and then. Closing it closes `rows`, and so the query behind them."""
    count = 0
    with closing(rows):
        for row in rows:
            yield row
            count += 1
            if count == REPORT_INTERVAL:
                report(count)
                count = 0
    report(count)


def check_layouts(db: Connection, tables: Iterable[TableLayout]) -> None:
    """Raise BackupError if the database lacks a table or column of a backup."""
    inspector = inspect(db)
    names = set(inspector.get_table_names())
    for table in tables:
        existing = {column["name"] for column in inspector.get_columns(table.name)} if table.name in names else set()
        if table.name not in metadata.tables or not table.columns.keys() <= existing:
            raise BackupError(
                f"The backup has a table {table.name} that this version of Treaty does not know. Nothing was written. "
                "Restore it with the version that made it."
            )


def add_rows(db: Connection, table: TableLayout, rows: Iterable[Row]) -> None:
    """Add rows with their ids to a table. Raises BackupError if the database cannot store one."""
    columns = ", ".join(_quote(db, name) for name in table.columns)
    name = _quote(db, table.name)
    driver: Any = driver_of(db)
    with _explained_faults(db, table):
        if db.dialect.name == "sqlite":
            placeholders = ", ".join("?" for _ in table.columns)
            driver.executemany(f"INSERT INTO {name} ({columns}) VALUES ({placeholders})", rows)  # noqa: S608 - quoted names
        else:
            with driver.cursor() as cursor, cursor.copy(f"COPY {name} ({columns}) FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(row)


@contextmanager
def _explained_faults(db: Connection, table: TableLayout) -> Iterator[None]:
    """Raise BackupError for a row that the database cannot store.

    Otherwise such an error would pass for a lost race, and the whole transaction would be repeated.
    """
    driver: Any = db.dialect.loaded_dbapi
    try:
        yield
    except (driver.DataError, driver.IntegrityError, driver.ProgrammingError, OverflowError) as error:
        raise _cannot_store(db, table, error) from error
    except driver.OperationalError as error:
        if getattr(error, "sqlstate", None) != _PROGRAM_LIMIT_EXCEEDED:
            raise
        raise _cannot_store(db, table, error) from error


_PROGRAM_LIMIT_EXCEEDED: Final = "54000"
"""SQLSTATE of a value that is too long for an index."""


def _cannot_store(db: Connection, table: TableLayout, error: Exception) -> BackupError:
    kind = "PostgreSQL" if db.dialect.name == "postgresql" else "SQLite"
    lines = str(error).strip().splitlines() or [type(error).__name__]
    context = next((line.removeprefix("CONTEXT:").strip() for line in lines if line.startswith("CONTEXT:")), "")
    place = f" ({context[:200]})" if context else ""
    return BackupError(
        f"{kind} cannot store a row of the table {table.name}: {lines[0]}{place}. Nothing was written. "
        "Restore into a database of the same kind as the original, or remove or shorten this value there, and make "
        "another backup."
    )


def continue_ids(db: Connection, table: TableLayout) -> None:
    """Let ids continue after the highest one that was ever assigned, since clients may have stored links with it."""
    if table.last_id is None or not _has_identity(metadata.tables[table.name]):
        return
    if db.dialect.name == "postgresql":
        db.execute(_SET_LAST_ID_ON_POSTGRESQL, {"name": _quote(db, table.name), "last_id": table.last_id})
    elif metadata.tables[table.name].dialect_options["sqlite"]["autoincrement"]:
        params = {"name": table.name, "last_id": table.last_id}
        if not db.execute(_SET_LAST_ID_ON_SQLITE, params).rowcount:
            db.execute(_ADD_LAST_ID_ON_SQLITE, params)


# Sequences are not part of a transaction, so they are never set back: after a rollback, the next ids would collide.
_SET_LAST_ID_ON_POSTGRESQL: Final = text(
    """
    SELECT setval(sequence, CAST(:last_id AS bigint))
    FROM (SELECT CAST(pg_get_serial_sequence(:name, 'id') AS regclass) AS sequence) AS sequences
    WHERE coalesce(pg_sequence_last_value(sequence), 0) < CAST(:last_id AS bigint)
    """
)
_SET_LAST_ID_ON_SQLITE: Final = text("UPDATE sqlite_sequence SET seq = max(seq, :last_id) WHERE name = :name")
_ADD_LAST_ID_ON_SQLITE: Final = text("INSERT INTO sqlite_sequence (name, seq) VALUES (:name, :last_id)")


def update_statistics(db: Connection) -> None:
    """Let PostgreSQL collect the statistics of the tables, without which its plans are slow at first."""
    if db.dialect.name == "postgresql":
        db.execute(text("ANALYZE " + ", ".join(_quote(db, table.name) for table in metadata.sorted_tables)))
