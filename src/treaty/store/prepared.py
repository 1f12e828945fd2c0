"""Statements as SQLite's driver takes them.

SQLAlchemy builds the statements, and says how they and their parameters are written. To execute one it takes several
times as long as SQLite, so that is done with the driver itself.
"""

import sqlite3
from collections import namedtuple
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from functools import lru_cache, partial
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final, cast

from sqlalchemy import BindParameter, Connection, Executable
from sqlalchemy.dialects import sqlite
from sqlalchemy.sql import ClauseElement
from sqlalchemy.sql.selectable import ReturnsRows
from sqlalchemy.types import TypeEngine

DIALECT: Final = sqlite.dialect()
MOST: Final = 1024
"""How many values a list may have; a longer one is left to SQLAlchemy."""

if TYPE_CHECKING:
    from sqlalchemy.sql.compiler import SQLCompiler

Params = Mapping[str, Any]
Convert = Callable[[Any], Any]
Read = Callable[[Params], Any]


@dataclass(frozen=True, slots=True)
class Prepared:
    """A statement that was written, with how to find its parameters and what its rows are."""

    sql: str
    values: Callable[[Params], Sequence[Any]]
    make: Callable[[Iterable[Any]], Any]
    """Makes a row, whose columns have names."""
    converts: tuple[tuple[int, Convert], ...]
    """How columns are converted that are not what the driver makes of them."""

    def execute(self, db: Connection, params: Params) -> sqlite3.Cursor:
        """Execute the statement."""
        driver: sqlite3.Connection = db.connection.dbapi_connection  # type: ignore[assignment]  # as SQLAlchemy types it for any driver
        return driver.execute(self.sql, self.values(params))

    def rows(self, found: Iterable[tuple[Any, ...]]) -> list[Any]:
        """Make rows of what the driver found."""
        return list(map(self.make, map(self._converted, found) if self.converts else found))

    def _converted(self, found: tuple[Any, ...]) -> list[Any]:
        values = list(found)
        for index, convert in self.converts:
            values[index] = convert(values[index])
        return values


def prepared(statement: Executable, params: Params) -> Prepared | None:
    """Write a statement for some parameters; None when it is to be left to SQLAlchemy.

    What is written is kept: for a list, by its length, which is rounded up so that few of them occur.
    """
    lists = _lists(statement)
    if not lists:
        return None if lists is None else _prepared(statement, ())
    lengths = tuple([_rounded(len(params[name])) for name in lists])
    return None if max(lengths) > MOST else _prepared(statement, lengths)


def _rounded(length: int) -> int:
    """Round up to a power of two. A list is filled with its last value, which changes nothing about what is in it."""
    return 1 << (length - 1).bit_length() if length else 0


@lru_cache(maxsize=2048)
def _lists(statement: Executable) -> tuple[str, ...] | None:
    """Name the parameters that are lists; None if one of them is written into the statement."""
    binds = _compiled(statement).binds
    if any(bind.literal_execute for bind in binds.values()):
        return None
    return tuple(name for name, bind in binds.items() if bind.expanding)


def _compiled(statement: Executable) -> "SQLCompiler":
    assert isinstance(statement, ClauseElement)  # noqa: S101 - every statement of ours is one
    return cast("SQLCompiler", statement.compile(dialect=DIALECT))


@lru_cache(maxsize=2048)
def _prepared(statement: Executable, lengths: tuple[int, ...]) -> Prepared:
    compiled = _compiled(statement)
    sizes = dict(zip(_lists(statement) or (), lengths, strict=True))
    samples = {name: [None] * sizes.get(name, 0) for name, bind in compiled.binds.items() if bind.required}
    state = compiled.construct_expanded_state(samples)
    places = {one: (name, index) for name, all_ in state.parameter_expansion.items() for index, one in enumerate(all_)}
    order = state.positiontup or ()
    reads = [_read(name, places.get(name), compiled.binds, state.parameters) for name in order]
    whole = _whole([places.get(name) for name in order], compiled.binds)
    columns = _columns(statement)
    row: type[tuple[Any, ...]] = namedtuple("Row", [name for name, _ in columns], rename=True)  # type: ignore[misc]  # noqa: PYI024 - its fields are a statement's
    return Prepared(
        state.statement,
        whole or _together(reads),
        partial(tuple.__new__, row),  # what a named tuple makes rows with itself counts columns each time
        tuple((index, convert) for index, (_, kind) in enumerate(columns) if (convert := _from_driver(kind))),
    )


def _read(
    name: str, place: tuple[str, int] | None, binds: Mapping[str, BindParameter[Any]], constants: Params
) -> str | Read:
    """Make what reads a parameter's value: one of a list, one by its name, or a constant."""
    if place is not None:
        return _reader(_element(*place), _to_driver(binds[place[0]].type))
    convert = _to_driver(binds[name].type)
    if binds[name].required:
        return name if convert is None else _reader(itemgetter(name), convert)
    constant = convert(constants[name]) if convert else constants[name]
    return lambda _params: constant


def _whole(
    places: Sequence[tuple[str, int] | None], binds: Mapping[str, BindParameter[Any]]
) -> Callable[[Params], Sequence[Any]] | None:
    """Read one list as it is, where there is nothing else to read."""
    first = places[0] if places else None
    if (
        first is None
        or places != [(first[0], index) for index in range(len(places))]
        or _to_driver(binds[first[0]].type)
    ):
        return None
    name, length = first[0], len(places)

    def read(params: Params) -> Sequence[Any]:
        values: Sequence[Any] = params[name]
        return values if len(values) == length else [*values, *[values[-1]] * (length - len(values))]

    return read


def _reader(read: Read, convert: Convert | None) -> Read:
    return read if convert is None else lambda params: convert(read(params))


def _element(name: str, index: int) -> Read:
    """Read an element of a list; behind its end, the last one."""
    if index == 0:
        return lambda params: params[name][0]

    def read(params: Params) -> Any:
        values: Sequence[Any] = params[name]
        return values[index] if index < len(values) else values[-1]

    return read


def _together(reads: Sequence[str | Read]) -> Callable[[Params], Sequence[Any]]:
    """Read all parameters; names alone, as most statements have, at once."""
    names = [one for one in reads if isinstance(one, str)]
    if len(names) == len(reads) > 1:
        return itemgetter(*names)
    each = [itemgetter(one) if isinstance(one, str) else one for one in reads]
    return lambda params: [read(params) for read in each]


def _columns(statement: Executable) -> list[tuple[str, TypeEngine[Any]]]:
    if not isinstance(statement, ReturnsRows):
        return []
    # What SQLAlchemy finds it keeps, even for statements that are made of this one later; so a copy is asked.
    return [(column.key or "", column.type) for column in copy(statement).exported_columns]


def _to_driver(kind: TypeEngine[Any]) -> Convert | None:
    return kind.dialect_impl(DIALECT).bind_processor(DIALECT)


def _from_driver(kind: TypeEngine[Any]) -> Convert | None:
    return kind.dialect_impl(DIALECT).result_processor(DIALECT, None)
