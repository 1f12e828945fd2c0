"""Versions by the beginning of their numbers, such as abbreviated commits."""

from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Column, Connection, Integer, Text, bindparam, func, select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler

from treaty.model.versions import MAX_CANDIDATES, MIN_PREFIX_LENGTH, VersionLookup
from treaty.spelling import find_similar_names
from treaty.store.engine.conditions import Condition
from treaty.store.engine.database import fetch_column, fetch_rows
from treaty.store.tables import pacticipant, version
from treaty.store.versions import aliases, versions

if TYPE_CHECKING:
    from treaty.model.decisions.matrix import VersionKey

_LAST_CHARACTER: Final = "\U0010ffff"
"""The highest character: a text followed by it is above all texts that begin with the text."""
_MIN_SEARCHED_LENGTH: Final = 4
"""Characters from which a search looks for numbers that begin with a text."""
_MAX_COMPARED: Final = 500
"""Newest versions whose numbers are compared with an unknown one."""


class BeginsWith(Condition):
    """Condition that a text column begins with the parameter `low`, as a range that an index can find.

    `high` is the text after all that begin with it. PostgreSQL compares bytes here, since the order of its collation
    may ignore punctuation; the index needs `text_pattern_ops`. SQLite always compares bytes.
    """

    def __init__(self, column: Column[str]) -> None:
        self.low: Any = bindparam("low", type_=Text)
        self.high: Any = bindparam("high", type_=Text)
        self.column = f"{column.table.name}.{column.name}"


@compiles(BeginsWith, "sqlite")
def _compile_for_sqlite(element: BeginsWith, compiler: SQLCompiler, **options: Any) -> str:
    low, high = (compiler.process(bound, **options) for bound in (element.low, element.high))
    return f"{element.column} >= {low} AND {element.column} < {high}"


@compiles(BeginsWith, "postgresql")
def _compile_for_postgresql(element: BeginsWith, compiler: SQLCompiler, **options: Any) -> str:
    low, high = (compiler.process(bound, **options) for bound in (element.low, element.high))
    return f"{element.column} ~>=~ {low} AND {element.column} ~<~ {high}"


_LIMIT: Final = bindparam("limit", type_=Integer)
_BEGINNING: Final = (
    select(version.c.number)
    .where(version.c.pacticipant_id == versions.PACTICIPANT_ID, BeginsWith(version.c.number))
    .order_by(version.c.number)
    .limit(_LIMIT)
)
_ANYWHERE: Final = (
    select(pacticipant.c.name, version.c.number)
    .join_from(version, pacticipant)
    .order_by(func.lower(pacticipant.c.name), pacticipant.c.name, version.c.number)
    .limit(_LIMIT)
)
_BEGINNING_ANYWHERE: Final = _ANYWHERE.where(BeginsWith(version.c.number))
_EQUAL_ANYWHERE: Final = _ANYWHERE.where(version.c.number == bindparam("number"))
_NEWEST: Final = (
    select(version.c.number)
    .where(version.c.pacticipant_id == versions.PACTICIPANT_ID)
    .order_by(version.c.position.desc())
    .limit(_MAX_COMPARED)
)


def search(db: Connection, prefix: str, limit: int) -> "list[VersionKey]":
    """List versions of all pacticipants whose numbers begin with a text, as pairs of name and number.

    A text of few characters has to be the whole number.
    """
    if len(prefix) < _MIN_SEARCHED_LENGTH:
        rows = fetch_rows(db, _EQUAL_ANYWHERE, {"number": prefix, "limit": limit}) if prefix else ()
    else:
        rows = fetch_rows(db, _BEGINNING_ANYWHERE, {**_range(prefix), "limit": limit})
    return [(row.name, row.number) for row in rows]


def look_up(db: Connection, name: str, text: str) -> VersionLookup:
    """Find the version that a text identifies: a number wins over an alias, and an alias over a unique prefix."""
    return _find_exact(db, name, text) or _find_prefix(db, name, text) or _suggest(db, name, text)


def _find_exact(db: Connection, name: str, text: str) -> VersionLookup | None:
    number = text if versions.find(db, name, text) else aliases.find_leading(db, name, text)
    return VersionLookup(pacticipant=name, text=text, number=number) if number is not None else None


def _find_prefix(db: Connection, name: str, text: str) -> VersionLookup | None:
    if len(text) < MIN_PREFIX_LENGTH:
        return None
    params = {**_range(text), "pacticipant": name, "limit": MAX_CANDIDATES + 1}
    numbers = fetch_column(db, _BEGINNING, params)
    if len(numbers) == 1:
        return VersionLookup(pacticipant=name, text=text, number=numbers[0], is_prefix=True)
    return (
        VersionLookup(
            pacticipant=name,
            text=text,
            candidates=tuple(numbers[:MAX_CANDIDATES]),
            is_ambiguous=True,
            has_more=len(numbers) > MAX_CANDIDATES,
        )
        if numbers
        else None
    )


def _range(prefix: str) -> dict[str, str]:
    return {"low": prefix, "high": prefix + _LAST_CHARACTER}


def _suggest(db: Connection, name: str, text: str) -> VersionLookup:
    """Suggest numbers that resemble an unknown one; if none does, the newest number, if there is any."""
    numbers = fetch_column(db, _NEWEST, {"pacticipant": name})
    # A long number resembles an abbreviation of it only in its beginning.
    by_beginning = {number[: max(len(text), MIN_PREFIX_LENGTH)]: number for number in reversed(numbers)}
    similar = [by_beginning[beginning] for beginning in find_similar_names(text, by_beginning)]
    newest = None if similar else next(iter(numbers), None)
    return VersionLookup(pacticipant=name, text=text, candidates=tuple(similar), newest=newest)
