"""SQL for PostgreSQL that it plans once, and not again for each execution.

PostgreSQL plans a prepared statement for its parameters five times. It then keeps a plan for any parameters, unless
that seems to be so much more expensive that planning each execution is worthwhile. Planning often takes several times
as long as executing, so the SQL here contains nothing that makes a plan for any parameters seem expensive.
"""

from functools import cache
from typing import Any

from sqlalchemy import ARRAY, BindParameter, Dialect, String, bindparam
from sqlalchemy.sql.operators import in_op, not_in_op


@cache
def build_postgresql_dialect(dialect_class: Any) -> Dialect:
    """Create the dialect of statements that bypass SQLAlchemy; the same one for all databases, as a key of caches.

    Its parameters are positional: a tuple of values is built faster than a dictionary.
    """
    dialect: Dialect = dialect_class(paramstyle="format")
    dialect.statement_compiler = _derive_compiler(dialect_class.statement_compiler)
    return dialect


def _derive_compiler(compiler: Any) -> Any:
    class StablePlans(compiler):  # type: ignore[misc]  # its base depends on the driver
        def limit_clause(self, select: Any, **options: Any) -> str:
            """Write a constant limit, such as that of "the newest result", into the SQL.

            For a parameter, PostgreSQL expects a tenth of all rows.
            """
            limit, offset = select._limit_clause, select._offset_clause  # noqa: SLF001 - there is no public way
            if offset is None and isinstance(limit, BindParameter) and limit.value is not None:
                options["literal_binds"] = True
            text: str = super().limit_clause(select, **options)
            return text

        def visit_binary(self, binary: Any, arrays: frozenset[str] = frozenset(), **options: Any) -> str:
            """Write the lists in the parameters `arrays` as arrays, whose length the plan does not depend on."""
            options["arrays"] = arrays
            values = binary.right
            if binary.operator not in {in_op, not_in_op} or getattr(values, "key", None) not in arrays:
                text: str = super().visit_binary(binary, **options)
                return text
            column = self.process(binary.left, **options)
            array = self.process(bindparam(values.key, type_=ARRAY(values.type)), **options)
            if binary.operator is not_in_op:
                return f"({column} <> ALL({array}))"
            # Comparing texts with each row that the other columns of an index find takes long, so they are joined.
            is_text = isinstance(values.type, String)
            return f"{column} IN (SELECT unnest({array}))" if is_text else f"{column} = ANY({array})"

    return StablePlans
