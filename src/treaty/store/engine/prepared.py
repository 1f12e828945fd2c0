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
from typing import TYPE_CHECKING, Any, Final, cast

from sqlalchemy import Connection, Dialect, Executable
from sqlalchemy.dialects import sqlite
from sqlalchemy.sql import ClauseElement
from sqlalchemy.sql.selectable import ReturnsRows
from sqlalchemy.types import TypeEngine

from treaty.store.engine.query_log import driver_of, fetch

SQLITE: Final = sqlite.dialect()
MAX_LIST_LENGTH: Final = 1024
"""Number of values up to which the forms of a list are cached."""

if TYPE_CHECKING:
    from sqlalchemy.sql.compiler import ExpandedState, SQLCompiler

Params = Mapping[str, Any]
Converter = Callable[[Any], Any]


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
        """Execute a statement that changes something, and return the number of rows."""
        return driver_of(db).execute(self.sql, self.values(params)).rowcount

    def first(self, db: Connection, params: Params) -> Any:
        """Run the query, and return its first row, or None."""
        rows = fetch(db, self.sql, self.values(params), only_first=True)
        return self.make(self._converted(rows[0]) if self.converters else rows[0]) if rows else None

    def all(self, db: Connection, params: Params, make: Callable[[Any], Any] | None = None) -> list[Any]:
        """Run the query, and return its rows, each as `make` converts it."""
        rows = fetch(db, self.sql, self.values(params), only_first=False)
        return list(map(make or self.make, map(self._converted, rows) if self.converters else rows))

    def _converted(self, found: tuple[Any, ...]) -> list[Any]:
        values = list(found)
        for index, convert in self.converters:
            values[index] = convert(values[index])
        return values


_ROUNDED: Final = [0, *(1 << length.bit_length() for length in range(MAX_LIST_LENGTH))]
"""Lengths, rounded up to a power of two: a list is filled with its last value, which makes no difference to `IN`."""


class _Forms:
    """The forms of a statement for lists of several lengths, which are rounded up so that there are few forms."""

    __slots__ = ("_converters", "_dialect", "_forms", "_has_literals", "_lists", "_make", "_statement")

    def __init__(self, statement: Executable, dialect: Dialect) -> None:
        binds = _compiled(statement, dialect).binds
        columns = _columns(statement)
        row: type[tuple[Any, ...]] = namedtuple("Row", [name for name, _ in columns], rename=True)  # type: ignore[misc]  # noqa: PYI024 - its fields are a statement's
        self._statement = statement
        self._dialect = dialect
        self._lists = tuple(name for name, bind in binds.items() if bind.expanding)
        self._has_literals = any(bind.literal_execute for bind in binds.values())
        self._make = partial(tuple.__new__, row)  # the constructor of a named tuple counts its arguments each time
        converts = ((index, _from_driver(kind, dialect)) for index, (_, kind) in enumerate(columns))
        self._converters = tuple((index, convert) for index, convert in converts if convert)
        self._forms: dict[tuple[int, ...], PreparedStatement] = {}

    def form(self, params: Params) -> PreparedStatement:
        """Return the form for some parameters."""
        try:
            lengths = tuple([_ROUNDED[len(params[name])] for name in self._lists]) if self._lists else ()
        except IndexError:
            return self._prepared(params)
        return self._forms.get(lengths) or self._add(lengths, params)

    def _add(self, lengths: tuple[int, ...], params: Params) -> PreparedStatement:
        if self._has_literals:
            return self._prepared(params)
        samples = {name: [None] * length for name, length in zip(self._lists, lengths, strict=True)}
        return self._forms.setdefault(lengths, self._prepared(samples))

    def _prepared(self, samples: Params) -> PreparedStatement:
        """Prepare a form for lists as long as those of the samples, whose values become part of it as literals."""
        compiled = _compiled(self._statement, self._dialect)
        required = {name: samples.get(name) for name, bind in compiled.binds.items() if bind.required}
        state = compiled.construct_expanded_state(required)
        lengths = {name: len(samples[name]) for name in self._lists}
        return PreparedStatement(
            state.statement, _together(list(_parts(compiled, state, lengths))), self._make, self._converters
        )


def prepare(statement: Executable, params: Params, dialect: Dialect = SQLITE) -> PreparedStatement:
    """Return a statement in the form for some parameters. Forms are cached, unless a list is literal or very long."""
    return _forms(statement, dialect).form(params)


_forms: Final = lru_cache(maxsize=2048)(_Forms)


@lru_cache(maxsize=64)  # few, since a compiled statement is large and is needed again only for literal and long lists
def _compiled(statement: Executable, dialect: Dialect) -> "SQLCompiler":
    assert isinstance(statement, ClauseElement)  # noqa: S101 - every statement of ours is one
    return cast("SQLCompiler", statement.compile(dialect=dialect))


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
