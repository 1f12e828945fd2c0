"""Search by words: FTS5 on SQLite, text search on PostgreSQL, with the same result.

Neither splits texts itself. A term has the words that `treaty.model.usage.words` finds, and a mark of its provider, so
that a search within one provider reads nothing of the others.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from sqlalchemy import BindParameter, Column, Connection, Text, bindparam
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler

from treaty.store.engine.conditions import Condition

_PROVIDER_MARK: Final = "\u00a7"
"""Begins the mark of a provider. No word contains this character."""


def join_words(provider_id: int, words: Iterable[str]) -> str:
    """Return the value of the column `words`."""
    return " ".join((f"{_PROVIDER_MARK}{provider_id}", *words))


def build_search(db: Connection, words: Sequence[str], provider_id: int | None) -> str:
    """Return the search for terms with words that begin with the given ones, in the database's language.

    The words have only letters and digits, so they need no escaping.
    """
    mark = None if provider_id is None else f"{_PROVIDER_MARK}{provider_id}"
    if db.dialect.name == "sqlite":
        return " AND ".join([*([f'"{mark}"'] if mark else []), *(f'"{word}"*' for word in words)])
    return " & ".join([*([f"'{mark}'"] if mark else []), *(f"'{word}':*" for word in words)])


class HasWords(Condition):
    """Condition that a row's column `words` matches the search in the parameter `search`.

    `key` is the primary key, and `index` the full-text table of SQLite.
    """

    def __init__(self, key: Column[int], index: str) -> None:
        self.search: BindParameter[str] = bindparam("search", type_=Text)
        self.key = f"{key.table.name}.{key.name}"
        self.words = f"{key.table.name}.words"
        self.index = index


@compiles(HasWords, "sqlite")
def _compile_for_sqlite(element: HasWords, compiler: SQLCompiler, **options: Any) -> str:
    search = compiler.process(element.search, **options)
    return f"{element.key} IN (SELECT rowid FROM {element.index} WHERE {element.index} MATCH {search})"  # noqa: S608 - a placeholder


@compiles(HasWords, "postgresql")
def _compile_for_postgresql(element: HasWords, compiler: SQLCompiler, **options: Any) -> str:
    search = compiler.process(element.search, **options)
    return f"array_to_tsvector(string_to_array({element.words}, ' ')) @@ CAST({search} AS tsquery)"
