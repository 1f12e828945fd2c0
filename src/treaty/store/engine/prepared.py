"""Statements as a database's driver takes them.

SQLAlchemy builds the statements, and says how they and their parameters are written. To execute one it takes several
times as long as SQLite, and as long as PostgreSQL, so that is done with the driver itself.
"""

from collections import namedtuple
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from functools import lru_cache, partial
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final, Protocol, cast

from sqlalchemy import Connection, Dialect, Executable
from sqlalchemy.dialects import sqlite
from sqlalchemy.sql import ClauseElement
from sqlalchemy.sql.selectable import ReturnsRows
from sqlalchemy.types import TypeEngine

from treaty.store.engine.traces import CURRENT

SQLITE: Final = sqlite.dialect()
MAX_LIST_LENGTH: Final = 1024
"""How many values a list may have; a longer one is left to SQLAlchemy."""

if TYPE_CHECKING:
    from sqlalchemy.sql.compiler import ExpandedState, SQLCompiler

Params = Mapping[str, Any]
Converter = Callable[[Any], Any]


class Cursor(Protocol):
    """What drivers give for a statement."""

    @property
    def rowcount(self) -> int: ...

    def fetchone(self) -> tuple[Any, ...] | None: ...

    def fetchall(self) -> list[tuple[Any, ...]]: ...


class Driver(Protocol):
    """A connection of SQLite's driver or of PostgreSQL's."""

    def execute(self, sql: str, values: Sequence[Any], /) -> Cursor: ...


@dataclass(frozen=True, slots=True)
class PreparedStatement:
    """A statement that was written, with how to find its parameters and what its rows are."""

    sql: str
    values: Callable[[Params], Sequence[Any]]
    make: Callable[[Iterable[Any]], Any]
    """Makes a row, whose columns have names."""
    converters: tuple[tuple[int, Converter], ...]
    """How columns are converted that are not what the driver makes of them."""

    def run(self, db: Connection, params: Params) -> int:
        """Execute a statement that changes something. Says how many rows."""
        if trace := CURRENT.query_log:
            trace.has_writes = True
        return _driver(db).execute(self.sql, self.values(params)).rowcount

    def first(self, db: Connection, params: Params) -> Any:
        """Execute the statement, and give its first row, or None."""
        values = self.values(params)
        found = _driver(db).execute(self.sql, values).fetchone()
        if trace := CURRENT.query_log:
            trace.record(self.sql, values, found, is_one=True)
        return None if found is None else self.make(self._converted(found) if self.converters else found)

    def all(self, db: Connection, params: Params, make: Callable[[Any], Any] | None = None) -> list[Any]:
        """Execute the statement, and list its rows, or what else is made of them."""
        values = self.values(params)
        found = _driver(db).execute(self.sql, values).fetchall()
        if trace := CURRENT.query_log:
            trace.record(self.sql, values, found)
        return list(map(make or self.make, map(self._converted, found) if self.converters else found))

    def _converted(self, found: tuple[Any, ...]) -> list[Any]:
        values = list(found)
        for index, convert in self.converters:
            values[index] = convert(values[index])
        return values


def _driver(db: Connection) -> Driver:
    return db.connection.dbapi_connection  # type: ignore[return-value]  # as SQLAlchemy types it for any driver


_ROUNDED: Final = [0, *(1 << length.bit_length() for length in range(MAX_LIST_LENGTH))]
"""Lengths, rounded up to a power of two: a list is filled with its last value, which makes no difference to `IN`."""


class _Forms:
    """How a statement is written for lists of several lengths, which are rounded up so that few of them occur."""

    __slots__ = ("_dialect", "_known", "_lists", "_statement")

    def __init__(self, statement: Executable, dialect: Dialect, lists: tuple[str, ...]) -> None:
        self._statement = statement
        self._dialect = dialect
        self._lists = lists
        self._known: dict[tuple[int, ...], PreparedStatement] = {}

    def form(self, params: Params) -> PreparedStatement | None:
        """Write it for some parameters; None when one of their lists is too long."""
        try:
            lengths = tuple([_ROUNDED[len(params[name])] for name in self._lists]) if self._lists else ()
        except IndexError:
            return None
        return self._known.get(lengths) or self._written(lengths)

    def _written(self, lengths: tuple[int, ...]) -> PreparedStatement:
        by_list = dict(zip(self._lists, lengths, strict=True))
        return self._known.setdefault(lengths, _prepared(self._statement, self._dialect, by_list))


def prepare(statement: Executable, params: Params, dialect: Dialect = SQLITE) -> PreparedStatement | None:
    """Write a statement for some parameters, once; None when it is to be left to SQLAlchemy."""
    forms = _forms(statement, dialect)
    return None if forms is None else forms.form(params)


@lru_cache(maxsize=2048)
def _forms(statement: Executable, dialect: Dialect) -> _Forms | None:
    """Make the forms of a statement, unless one of its lists is written into it."""
    binds = _compiled(statement, dialect).binds
    if any(bind.literal_execute for bind in binds.values()):
        return None
    return _Forms(statement, dialect, tuple(name for name, bind in binds.items() if bind.expanding))


def _compiled(statement: Executable, dialect: Dialect) -> "SQLCompiler":
    assert isinstance(statement, ClauseElement)  # noqa: S101 - every statement of ours is one
    return cast("SQLCompiler", statement.compile(dialect=dialect))


def _prepared(statement: Executable, dialect: Dialect, lengths: Mapping[str, int]) -> PreparedStatement:
    compiled = _compiled(statement, dialect)
    samples = {name: [None] * lengths.get(name, 0) for name, bind in compiled.binds.items() if bind.required}
    state = compiled.construct_expanded_state(samples)
    columns = _columns(statement)
    row: type[tuple[Any, ...]] = namedtuple("Row", [name for name, _ in columns], rename=True)  # type: ignore[misc]  # noqa: PYI024 - its fields are a statement's
    return PreparedStatement(
        state.statement,
        _together(list(_parts(compiled, state, lengths))),
        partial(tuple.__new__, row),  # what a named tuple makes rows with itself counts columns each time
        tuple((index, convert) for index, (_, kind) in enumerate(columns) if (convert := _from_driver(kind, dialect))),
    )


@dataclass(frozen=True, slots=True)
class _Part:
    """One parameter in a statement: a constant, one by its name, or a list filled up to a length."""

    name: str | None
    convert: Converter | None
    length: int | None
    constant: object = None


def _parts(compiled: "SQLCompiler", state: "ExpandedState", lengths: Mapping[str, int]) -> Iterable[_Part]:
    firsts = {names[0]: list_ for list_, names in state.parameter_expansion.items() if names}
    others = {one for names in state.parameter_expansion.values() for one in names}
    for name in state.positiontup or ():
        bind = compiled.binds[firsts.get(name, name)] if name in firsts or name not in others else None
        if bind is None:
            continue
        convert = _to_driver(bind.type, compiled.dialect)
        if name in firsts:
            yield _Part(firsts[name], convert, lengths[firsts[name]])
        elif bind.required:
            yield _Part(name, convert, None)
        else:
            constant = state.parameters[name]
            yield _Part(None, None, None, convert(constant) if convert else constant)


def _together(parts: Sequence[_Part]) -> Callable[[Params], Sequence[Any]]:
    """Read all parameters; names alone, as most statements have, at once."""
    names = [one.name for one in parts if one.name and not one.convert and one.length is None]
    if len(names) == len(parts) > 1:
        return itemgetter(*names)
    if len(parts) == 1 and parts[0].name and parts[0].length and not parts[0].convert:
        return partial(_filled, parts[0].name, parts[0].length)
    return partial(_values, [(one.name, one.convert, one.length, one.constant) for one in parts])


def _filled(name: str, length: int, params: Params) -> Sequence[Any]:
    given: list[Any] = params[name]
    return given if len(given) == length else [*given, *given[-1:] * (length - len(given))]


def _values(parts: Iterable[tuple[str | None, Converter | None, int | None, object]], params: Params) -> Sequence[Any]:
    values: list[Any] = []
    for name, convert, length, constant in parts:
        if name is None:
            values.append(constant)
        elif length is None:
            values.append(convert(params[name]) if convert else params[name])
        elif length:
            given = params[name]
            values += [convert(one) for one in given] if convert else given
            values += values[-1:] * (length - len(given))
    return values


def _columns(statement: Executable) -> list[tuple[str, TypeEngine[Any]]]:
    if not isinstance(statement, ReturnsRows):
        return []
    # What SQLAlchemy finds it keeps, even for statements that are made of this one later; so a copy is asked.
    return [(column.key or "", column.type) for column in copy(statement).exported_columns]


def _to_driver(kind: TypeEngine[Any], dialect: Dialect) -> Converter | None:
    return kind.dialect_impl(dialect).bind_processor(dialect)


def _from_driver(kind: TypeEngine[Any], dialect: Dialect) -> Converter | None:
    return kind.dialect_impl(dialect).result_processor(dialect, None)
