"""Work on tables that may have many rows: on PostgreSQL it is done beforehand, while other servers write.

`CREATE INDEX` in the transaction of a migration would block all writes to the table until the end of the migration,
and an update of all rows would block writes to these rows. A migration lists its indexes as INDEXES, and may have a
function `prepare`, which is called with a connection in autocommit mode.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final, NamedTuple

from alembic import op
from sqlalchemy import Connection, text


class LargeIndex(NamedTuple):
    """An index of a table that may have many rows.

    A migration lists those that it adds as INDEXES, and creates each with `create_unless_built`.
    """

    name: str
    table: str
    columns: Sequence[str]
    operator_class: str = ""
    """Of PostgreSQL, for all columns."""
    condition: str = ""
    """The condition of a partial index."""


_IS_VALID: Final = text("SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(:name)")


def build(db: Connection, index: LargeIndex) -> None:
    """Build an index of PostgreSQL on a connection in autocommit mode, again if an earlier attempt was interrupted."""
    is_valid = db.execute(_IS_VALID, {"name": index.name}).scalar()
    if is_valid:
        return
    if is_valid is False:
        db.execute(text(f"DROP INDEX CONCURRENTLY IF EXISTS {index.name}"))
    columns = ", ".join(f"{column} {index.operator_class}".strip() for column in index.columns)
    condition = f" WHERE {index.condition}" if index.condition else ""
    db.execute(text(f"CREATE INDEX CONCURRENTLY {index.name} ON {index.table} ({columns}){condition}"))


def create_unless_built(index: LargeIndex) -> None:
    """Create an index in a migration, unless it was built before."""
    db = op.get_bind()
    if db.dialect.name == "postgresql" and db.execute(_IS_VALID, {"name": index.name}).scalar():
        return
    operators = dict.fromkeys(index.columns, index.operator_class) if index.operator_class else {}
    condition = text(index.condition) if index.condition else None
    op.create_index(
        *(index.name, index.table, list(index.columns)),
        postgresql_ops=operators,
        postgresql_where=condition,
        sqlite_where=condition,
    )


@contextmanager
def begin_separately(db: Connection) -> Iterator[None]:
    """Run statements in a short transaction, on a connection of PostgreSQL in autocommit mode."""
    db.execute(text("BEGIN"))
    try:
        yield
    except BaseException:
        db.execute(text("ROLLBACK"))
        raise
    db.execute(text("COMMIT"))
