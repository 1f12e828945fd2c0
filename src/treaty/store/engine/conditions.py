"""Conditions that each database has its own SQL for, so that both plan them well.

Lists to look up in an index need none: `IN` is compiled for each database (see `postgresql_sql`).
"""

from typing import Any, Final, Self

from sqlalchemy import ARRAY, BindParameter, Boolean, ColumnElement, Integer, Select, bindparam
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

_IDS: Final = ARRAY(Integer)


class Condition(ColumnElement[bool]):
    """A condition whose SQL is compiled for each database."""

    inherit_cache = False
    type = Boolean()

    def self_group(self, against: object = None) -> Self:  # noqa: ARG002 - of the superclass
        """Return the condition as it is. SQLAlchemy would compare it with 1 on SQLite, which then uses no index."""
        return self


class IsAmong(Condition, FunctionElement[bool]):
    """Condition that a value is one of the ids in a parameter or of a query, which is tested for each row.

    No database looks the ids up in an index instead, or reads another table first: the statement reads the rows that
    its other conditions find.
    """

    def __init__(self, value: ColumnElement[int], ids: str | Select[int]) -> None:
        super().__init__(value)
        self.value = value
        self.ids = ids


@compiles(IsAmong, "sqlite")
def _test_on_sqlite(element: IsAmong, compiler: SQLCompiler, **options: Any) -> str:
    ids: Any = bindparam(element.ids, expanding=True) if isinstance(element.ids, str) else element.ids
    return compiler.process((element.value + 0).in_(ids), **options)  # as a sum, a column uses no index


@compiles(IsAmong, "postgresql")
def _test_on_postgresql(element: IsAmong, compiler: SQLCompiler, **options: Any) -> str:
    # A subquery that is no condition by itself becomes a hash table, and no join.
    value = compiler.process(element.value, **options)
    if isinstance(element.ids, str):
        return f"({value} IN (SELECT unnest({_process_array(element.ids, compiler, options)}))) IS TRUE"
    return f"({value} IN {compiler.process(element.ids.scalar_subquery(), **options)}) IS TRUE"


def _process_array(parameter: str, compiler: SQLCompiler, options: dict[str, Any]) -> str:
    array: BindParameter[Any] = bindparam(parameter, type_=_IDS)
    return compiler.process(array, **options)
