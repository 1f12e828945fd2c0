"""Disk usage of a history: for each result, in free pages, and in the unused parts of tables and indexes."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from sqlalchemy import Connection, func, select, text

from treaty.store.engine.database import open_database
from treaty.store.tables import metadata

MAX_TABLES: Final = 6
"""Number of tables in the report: the largest ones."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Space:
    """Bytes of a table and of its indexes."""

    rows: int
    table: int
    indexes: int
    unused: float
    """Unused share of their pages, from 0 to 1; on PostgreSQL, of the leaf pages of the indexes."""
    dead_rows: int = 0
    """Rows that vacuum has not removed yet, on PostgreSQL."""

    @property
    def total(self) -> int:
        return self.table + self.indexes


@dataclass(frozen=True, kw_only=True, slots=True)
class Disk:
    """Bytes of a database."""

    total: int
    free: int
    """Bytes of free pages, on SQLite."""
    results: int
    tables: dict[str, Space] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def measure(url: str) -> Disk:
    """Measure a database. Reads all of it."""
    database = open_database(url, connections=2)
    is_sqlite = database.engine.dialect.name == "sqlite"
    try:
        with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as db:
            return _measure_sqlite(db) if is_sqlite else _measure_postgresql(db)
    finally:
        database.close()


def _measure_sqlite(db: Connection) -> Disk:
    page = db.execute(text("PRAGMA page_size")).scalar_one()
    owners: dict[str, str] = dict(db.execute(text("SELECT name, tbl_name FROM sqlite_schema")).tuples().all())
    sizes: dict[str, list[int]] = {}
    for name, size, unused in db.execute(text("SELECT name, pgsize, unused FROM dbstat WHERE aggregate = TRUE")):
        owner = str(owners.get(name, name))
        table, indexes, unused_bytes = sizes.setdefault(owner, [0, 0, 0])
        is_table = owner == name
        sizes[owner] = [table + size * is_table, indexes + size * (not is_table), unused_bytes + unused]
    spaces = {
        name: Space(rows=_count(db, name), table=table, indexes=indexes, unused=unused_bytes / (table + indexes))
        for name, (table, indexes, unused_bytes) in sizes.items()
        if name in metadata.tables
    }
    return Disk(
        total=db.execute(text("PRAGMA page_count")).scalar_one() * page,
        free=db.execute(text("PRAGMA freelist_count")).scalar_one() * page,
        results=spaces["verification"].rows,
        tables=spaces,
    )


def _measure_postgresql(db: Connection) -> Disk:
    db.execute(text("CREATE EXTENSION IF NOT EXISTS pgstattuple"))
    spaces = {}
    for name in metadata.tables:
        sizes = db.execute(text("SELECT pg_table_size(:name), pg_indexes_size(:name)"), {"name": f'"{name}"'}).one()
        dead_rows = db.execute(
            text("SELECT coalesce(sum(n_dead_tup), 0) FROM pg_stat_user_tables WHERE relname = :name"), {"name": name}
        ).scalar_one()
        rows = _count(db, name)
        unused = _unused_leaves(db, name) if rows else 0.0
        spaces[name] = Space(rows=rows, table=sizes[0], indexes=sizes[1], unused=unused, dead_rows=int(dead_rows))
    return Disk(
        total=db.execute(text("SELECT pg_database_size(current_database())")).scalar_one(),
        free=0,
        results=spaces["verification"].rows,
        tables=spaces,
    )


def _count(db: Connection, table: str) -> int:
    rows: int = db.execute(select(func.count()).select_from(metadata.tables[table])).scalar_one()
    return rows


_UNUSED_LEAVES: Final = text(
    """
    SELECT coalesce(1 - sum(leaf_pages * avg_leaf_density) / nullif(sum(leaf_pages), 0) / 100, 0)
    FROM pg_index
    JOIN pg_class ON pg_class.oid = indexrelid
    JOIN pg_am ON pg_am.oid = pg_class.relam AND amname = 'btree'
    CROSS JOIN LATERAL pgstatindex(CAST(indexrelid AS regclass)) AS statistics
    WHERE indrelid = CAST(:name AS regclass) AND avg_leaf_density <> 'NaN'
    """
)


def _unused_leaves(db: Connection, table: str) -> float:
    return float(db.execute(_UNUSED_LEAVES, {"name": f'"{table}"'}).scalar_one())


def format_lines(kind: str, disk: Disk) -> Iterator[str]:
    """Yield the lines of the report."""
    per_result = disk.total / disk.results
    yield (
        f"{kind}: {disk.total / 2**20:,.0f} MiB for {disk.results:,} results, {per_result:.0f} bytes each; "
        f"{disk.free / 2**20:,.1f} MiB of free pages"
    )
    largest = sorted(disk.tables.items(), key=lambda item: item[1].total, reverse=True)
    for name, space in largest[:MAX_TABLES]:
        of_row = f"{space.table / max(space.rows, 1):,.0f} + {space.indexes / max(space.rows, 1):,.0f} bytes"
        dead_rows = f", {space.dead_rows:,} dead rows" if space.dead_rows else ""
        yield f"  {name}: {space.rows:,} rows, {of_row} each with indexes, {space.unused:.0%} unused{dead_rows}"
