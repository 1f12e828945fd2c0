"""Departments of a large company: the application builds the rows of the first one, and the database copies them.

A department has ten applications, of which each consumes four others. A copy adds a multiple of the size of the block
of ids to all ids of the first department, and replaces the number of the department in names.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any, Final

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    bindparam,
    cast,
    func,
    insert,
    select,
)
from sqlalchemy.sql.dml import Insert

from bench import histories
from bench.builds import Team
from bench.histories import History
from treaty.store import tables
from treaty.store.engine.database import open_database
from treaty.store.maintenance.backup_rows import DatabaseRows, add_rows
from treaty.store.usage.words import join_words

APPLICATIONS: Final = 10
CONSUMED: Final = 4
"""Applications that each application consumes."""
HISTORY: Final = History(name="department", pairs=0, versions=200, bystanders=0)
COPIED: Final = (
    tables.pacticipant,
    tables.version,
    tables.branch,
    tables.branch_version,
    tables.tag,
    tables.tag_head,
    tables.deployed_version,
    tables.released_version,
    tables.content,
    tables.publication,
    tables.verification,
    tables.integration,
    tables.tag_success,
    tables.usage_term,
    tables.usage_interaction,
    tables.usage_expectation,
    tables.usage_occurrence,
    tables.usage_content,
)
"""Tables with rows of a department, each after those that it refers to."""
Block = tuple[int, int]
"""First and last id of the rows of the first department in a table."""


def application(department: int, index: int) -> str:
    """Return the name of an application."""
    return f"{_name(department)}-application-{index % APPLICATIONS}"


def team(applications: int = APPLICATIONS, consumed: int = CONSUMED) -> Team:
    """Return the first department."""
    names = [f"{_name(0)}-application-{at}" for at in range(applications)]
    edges = [(at, (at + step) % applications) for at in range(applications) for step in range(1, consumed + 1)]

    @cache
    def pact(edge: int, content: int) -> bytes:
        text = histories.build_pact(0, size=5600, mark=f"content {content} of integration {edge}").decode()
        consumer, provider = (names[at] for at in edges[edge])
        return text.replace(histories.consumer(0), consumer).replace(histories.provider(0), provider).encode()

    return Team(applications=names, edges=edges, pact=pact, repeats_results=True)


def _name(department: int) -> str:
    return f"department-{department:03d}"


def add_first(db: Connection, template: str) -> dict[str, Block]:
    """Copy the department of another database, which contains nothing else, and return the blocks of its new ids.

    Its events are left out, since a server would remove them by default for their age.
    """
    source = open_database(template)
    try:
        return source.read(lambda rows: _transfer(rows, db))
    finally:
        source.close()


def _transfer(source: Connection, db: Connection) -> dict[str, Block]:
    shifts = {table.name: _find_last(db, table) for table in COPIED if "id" in table.c}
    rows = DatabaseRows(source)
    layouts = {layout.name: layout for layout in rows.list_tables()}
    blocks = {}
    for table in COPIED:
        layout = layouts[table.name]
        shifted = [(at, shifts[target]) for at, name in enumerate(layout.columns) if (target := _target(table.c[name]))]
        add_rows(db, layout, (_shift_row(row, shifted) for row in rows.read_rows(layout)))
        if "id" in table.c:
            first = source.execute(select(func.min(table.c.id))).scalar() or 1
            blocks[table.name] = (first + shifts[table.name], _find_last(db, table))
    return blocks


def _shift_row(row: Sequence[Any], shifted: Sequence[tuple[int, int]]) -> list[Any]:
    values = list(row)
    for at, shift in shifted:
        if values[at] is not None:
            values[at] += shift
    return values


def _target(column: Column[Any]) -> str | None:
    """Return the name of the table whose ids a column contains, or None if that table is not copied."""
    if column.name == "newest_result_publication_id":  # no foreign key
        return "publication"
    table = column.table.name
    target = table if column.name == "id" else next((key.column.table.name for key in column.foreign_keys), None)
    return target if target in _NAMES else None


def _find_last(db: Connection, table: Table) -> int:
    last: int | None = db.execute(select(func.max(table.c.id))).scalar()
    return last or 0


def _find_parent(table: Table) -> tuple[str, ColumnElement[int]]:
    """Find a column that refers to a copied table, and return the table and the column."""
    keys = ((key.column.table.name, column) for column in table.columns for key in column.foreign_keys)
    return next((name, column) for name, column in keys if name in _NAMES and not column.nullable)


_NAMES: Final = frozenset(table.name for table in COPIED)


def copy(db: Connection, blocks: Mapping[str, Block], department: int) -> None:
    """Add a copy of the first department."""
    values: dict[str, Any] = {
        "name": _name(department),
        "title": _name(department).title(),
        "uuid": f"{department:012x}",
        **{f"shift_{name}": department * (last - first + 1) for name, (first, last) in blocks.items()},
    }
    for table in COPIED:
        owner = table.name if "id" in table.c else _find_parent(table)[0]
        first, last = blocks[owner]
        if first <= last:
            db.execute(_copy_statement(table, db.dialect.name), {**values, "first": first, "last": last})


@cache
def _copy_statement(table: Table, dialect: str) -> Insert:
    """Build the statement that copies the rows of a department in a table."""
    key = table.c.id if "id" in table.c else _find_parent(table)[1]
    columns = {column.name: _copy_column(column, dialect) for column in table.columns}
    rows = select(*columns.values()).where(key.between(bindparam("first"), bindparam("last"))).order_by(key)
    return insert(table).from_select(list(columns), rows, include_defaults=False)


def _copy_column(column: Column[Any], dialect: str) -> ColumnElement[Any]:
    target = _target(column)
    if target:
        return column + _shift(target)
    match column.table.name, column.name:
        case _, "uuid":
            return func.substr(column, 1, 24).concat(bindparam("uuid", type_=Text))
        case "pacticipant", "name" | "display_name":
            old, new = (_name(0), "name") if column.name == "name" else (_name(0).title(), "title")
            return func.replace(column, old, bindparam(new, type_=Text))
        case "content", "body":
            return _replace_in_bytes(column, dialect)
        case "usage_term", "words":
            return _replace_mark(column, tables.usage_term.c.provider_id)
    return column


def _shift(table: str) -> ColumnElement[int]:
    return bindparam(f"shift_{table}", type_=Integer)


def _replace_in_bytes(column: ColumnElement[bytes], dialect: str) -> ColumnElement[Any]:
    new = bindparam("name", type_=Text)
    if dialect == "sqlite":
        return cast(func.replace(cast(column, Text), _name(0), new), LargeBinary)
    return func.convert_to(func.replace(func.convert_from(column, "UTF8"), _name(0), new), "UTF8")


def _replace_mark(words: ColumnElement[str], provider_id: ColumnElement[int]) -> ColumnElement[str]:
    """Replace the id of the provider among the words of a term."""
    mark = join_words(0, ()).removesuffix("0")
    old = cast(mark, Text).concat(cast(provider_id, Text)).concat(" ")
    new = cast(mark, Text).concat(cast(provider_id + _shift("pacticipant"), Text)).concat(" ")
    return func.rtrim(func.replace(words.concat(" "), old, new))


def count(db: Connection, blocks: Mapping[str, Block]) -> int:
    """Return the number of departments, including the first one."""
    first, last = blocks["pacticipant"]
    return (_find_last(db, tables.pacticipant) - first + 1) // (last - first + 1)


def indexes(dialect: str) -> Iterator[Index]:
    """Yield the indexes that are dropped during copying, which is faster. Those of unique constraints remain."""
    tables.add_postgresql_options()
    for table in COPIED:
        for index in sorted(table.indexes, key=lambda index: str(index.name)):
            if dialect == "postgresql" or not index.dialect_options["postgresql"]["using"]:
                yield index
