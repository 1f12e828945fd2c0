"""Prepared statements: compiled by SQLAlchemy once, and executed by the database's driver.

SQLAlchemy builds and compiles statements, and converts values. Executing a statement with it takes several times as
long as SQLite needs to run it, and as long as PostgreSQL, so Treaty passes the compiled SQL to the driver itself.
"""

from collections import namedtuple
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final, cast

from sqlalchemy import ARRAY, Connection, Dialect, Executable, Integer
from sqlalchemy.dialects import sqlite
from sqlalchemy.sql import ClauseElement
from sqlalchemy.sql.selectable import ReturnsRows
from sqlalchemy.types import TypeEngine

from treaty.store.engine.query_log import driver_of, fetch

SQLITE: Final = sqlite.dialect()
MAX_LIST_LENGTH: Final = 1024
"""Number of values up to which the variants of a statement with a list are cached on SQLite."""
MAX_PLACEHOLDERS: Final = 8
"""Number of values up to which a list has placeholders on PostgreSQL; longer ones are arrays.

Planning a statement with many placeholders takes milliseconds.
"""
MIN_ARRAY_LENGTH: Final = 10
"""Number of values that PostgreSQL expects of an array that it does not know.

It keeps a plan for any parameters if that seems to cost no more than one for the given parameters. So a statement with
a shorter array would be planned again for each execution.
"""

if TYPE_CHECKING:
    from sqlalchemy.sql.compiler import ExpandedState, SQLCompiler

Params = Mapping[str, Any]
Converter = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class PreparedStatement:
    """SQL for the driver, with functions that convert parameters and rows."""

    sql: str
    values: Callable[[Params], Sequence[Any]]
    """Arranges parameters in the order of their placeholders."""
    make: Callable[[Iterable[Any]], Any]
    """Makes a named tuple of a row."""
    converters: tuple[tuple[int, Converter], ...]
    """Converters by column index, for columns whose type differs from the driver's (times, Booleans, JSON)."""

    def run(self, db: Connection, params: Params) -> int:
        """Execute a statement that changes data, and return the number of rows."""
        return driver_of(db).execute(self.sql, self.values(params)).rowcount

    def run_many(self, db: Connection, rows: Sequence[Params]) -> None:
        """Execute a statement that changes data for each row of parameters."""
        driver_of(db).cursor().executemany(self.sql, [self.values(row) for row in rows])

    def first(self, db: Connection, params: Params) -> Any:
        """Run the query, and return its first row, or None."""
        rows = fetch(db, self.sql, self.values(params), only_first=True)
        return self.make(self._convert(rows[0]) if self.converters else rows[0]) if rows else None

    def all(self, db: Connection, params: Params, make: Callable[[Any], Any] | None = None) -> list[Any]:
        """Run the query, and return its rows, each as `make` converts it."""
        rows = fetch(db, self.sql, self.values(params), only_first=False)
        return self.convert_all(rows, make)

    def convert_all(self, rows: Iterable[tuple[Any, ...]], make: Callable[[Any], Any] | None = None) -> list[Any]:
        """Convert the driver's rows."""
        return list(map(make or self.make, map(self._convert, rows) if self.converters else rows))

    def _convert(self, row: tuple[Any, ...]) -> list[Any]:
        values = list(row)
        for index, convert in self.converters:
            values[index] = convert(values[index])
        return values


_ARRAY: Final = -1
"""Stands for the length of a list that is passed as an array."""


class _Variants:
    """The variants of a statement, one per length of its lists.

    `IN` needs a placeholder for each value. Lists are padded to powers of two, by repeating their last value, which
    does not change `IN`: so a statement has few variants per list, and the database's cache of prepared statements is
    not filled with variants that occur once.
    """

    __slots__ = (
        "_converters",
        "_dialect",
        "_lists",
        "_literals",
        "_longer",
        "_make",
        "_padded_lengths",
        "_statement",
        "_variants",
    )

    def __init__(self, statement: Executable, dialect: Dialect) -> None:
        binds = _compile(statement, dialect, frozenset()).binds
        columns = _columns(statement)
        row: type[tuple[Any, ...]] = namedtuple("Row", [name for name, _ in columns], rename=True)  # type: ignore[misc]  # noqa: PYI024 - its fields are a statement's
        self._statement = statement
        self._dialect = dialect
        is_sqlite = dialect.name == "sqlite"
        self._padded_lengths = _PADDED_ON_SQLITE if is_sqlite else _PADDED_ON_POSTGRESQL
        self._longer = None if is_sqlite else _ARRAY
        self._lists = tuple(name for name, bind in binds.items() if bind.expanding)
        self._literals = frozenset(name for name, bind in binds.items() if bind.literal_execute)
        self._make = partial(tuple.__new__, row)  # the constructor of a named tuple counts its arguments each time
        converts = ((index, _from_driver(kind, dialect)) for index, (_, kind) in enumerate(columns))
        self._converters = tuple((index, convert) for index, convert in converts if convert)
        self._variants: dict[tuple[int | None, ...], PreparedStatement] = {}

    def get(self, params: Params) -> PreparedStatement:
        """Return the variant for parameters, from the cache if possible."""
        lengths: tuple[int | None, ...] = ()
        if self._lists:
            pad, longer = self._padded_lengths.get, self._longer
            lengths = tuple([pad(len(params[name]), longer) for name in self._lists])
        return self._variants.get(lengths) or self._add(lengths, params)

    def _add(self, lengths: tuple[int | None, ...], params: Params) -> PreparedStatement:
        arrays = frozenset(name for name, length in zip(self._lists, lengths, strict=True) if length == _ARRAY)
        if self._literals:  # the values are part of the SQL, so it serves these parameters only
            return self._prepare(params, arrays - self._literals)
        if None in lengths:
            return self._prepare(params, arrays)
        samples = {name: [None] * (length or 0) for name, length in zip(self._lists, lengths, strict=True)}
        # Threads share the cache: setdefault returns the variant of the thread that was first.
        return self._variants.setdefault(lengths, self._prepare(samples, arrays))

    def _prepare(self, samples: Params, arrays: frozenset[str]) -> PreparedStatement:
        """Prepare a variant for lists as long as those of `samples`. Literals get their values from there, too."""
        compiled = _compile(self._statement, self._dialect, arrays)
        required = {name: samples.get(name) for name, bind in compiled.binds.items() if bind.required}
        state = compiled.construct_expanded_state(required)
        lengths = {name: len(samples[name]) for name in self._lists}
        placeholders = [
            replace(placeholder, convert=partial(_pad_array, placeholder.convert))
            if placeholder.name in arrays
            else placeholder
            for placeholder in _placeholders(compiled, state, lengths)
        ]
        return PreparedStatement(state.statement, _build_reader(placeholders), self._make, self._converters)


def _find_power_of_two(length: int) -> int:
    return 1 << (length - 1).bit_length() if length else 0


_PADDED_ON_SQLITE: Final = {length: _find_power_of_two(length) for length in range(MAX_LIST_LENGTH + 1)}
_PADDED_ON_POSTGRESQL: Final = {length: _find_power_of_two(length) for length in range(MAX_PLACEHOLDERS + 1)}


def _pad_array(convert: Converter | None, values: Iterable[Any]) -> Any:
    padded = list(values)
    padded += padded[-1:] * (MIN_ARRAY_LENGTH - len(padded))
    return convert(padded) if convert else padded


def prepare(statement: Executable, params: Params, dialect: Dialect = SQLITE) -> PreparedStatement:
    """Return the prepared statement for parameters. It is cached, unless it has literals or a very long list."""
    return _variants(statement, dialect).get(params)


_variants: Final = lru_cache(maxsize=2048)(_Variants)


@lru_cache(maxsize=64)  # few: a compiled statement is large, and is used again only for literals and other lengths
def _compile(statement: Executable, dialect: Dialect, arrays: frozenset[str]) -> "SQLCompiler":
    """Compile a statement that passes the lists in the parameters `arrays` as arrays."""
    assert isinstance(statement, ClauseElement)  # noqa: S101 - true of every statement of Treaty
    options = {"arrays": arrays} if arrays else {}
    return cast("SQLCompiler", statement.compile(dialect=dialect, compile_kwargs=options))


@dataclass(frozen=True, slots=True)
class _Placeholder:
    """A parameter of the SQL: a constant, a named value, or a list (`length` placeholders) padded to a length."""

    name: str | None
    convert: Converter | None
    length: int | None
    constant: object = None


def _placeholders(
    compiled: "SQLCompiler", state: "ExpandedState", lengths: Mapping[str, int]
) -> Iterable[_Placeholder]:
    """List the placeholders in the order in which the SQL has them.

    SQLAlchemy names the elements of an expanded list after it (`ids_1`, `ids_2`, …). The first one stands for all.
    """
    lists_by_first_element = {names[0]: list_ for list_, names in state.parameter_expansion.items() if names}
    elements = {element for names in state.parameter_expansion.values() for element in names}
    for name in state.positiontup or ():
        if name in elements and name not in lists_by_first_element:
            continue
        bind = compiled.binds[lists_by_first_element.get(name, name)]
        convert = _to_driver(bind.type, compiled.dialect)
        if list_name := lists_by_first_element.get(name):
            yield _Placeholder(list_name, convert, lengths[list_name])
        elif bind.required:
            yield _Placeholder(name, convert, None)
        else:
            constant = state.parameters[name]
            yield _Placeholder(None, None, None, convert(constant) if convert else constant)


def _build_reader(placeholders: Sequence[_Placeholder]) -> Callable[[Params], Sequence[Any]]:
    """Build the function that arranges parameters. Statements without lists have a faster one."""
    plain_names = [item.name for item in placeholders if item.name and not item.convert and item.length is None]
    if len(plain_names) == len(placeholders) > 1:
        return itemgetter(*plain_names)
    first = placeholders[0] if len(placeholders) == 1 else None
    if first and first.name and first.length and not first.convert:
        return partial(_read_list, first.name, first.length)
    if len(placeholders) > 1 and all(item.length is None for item in placeholders):
        return _build_scalar_reader(placeholders)
    return partial(_read_values, [(item.name, item.convert, item.length, item.constant) for item in placeholders])


def _build_scalar_reader(placeholders: Sequence[_Placeholder]) -> Callable[[Params], Sequence[Any]]:
    # Constants have names that no parameter has, so that one call fetches all values.
    names = [item.name or f" {index}" for index, item in enumerate(placeholders)]
    constants = {name: item.constant for name, item in zip(names, placeholders, strict=True) if item.name is None}
    converters = [(index, item.convert) for index, item in enumerate(placeholders) if item.name and item.convert]
    return partial(_read_scalars, itemgetter(*names), constants, converters)


def _read_scalars(
    fetch_values: Callable[[Params], tuple[Any, ...]],
    constants: Params,
    converters: Iterable[tuple[int, Converter]],
    params: Params,
) -> Sequence[Any]:
    values = list(fetch_values({**constants, **params} if constants else params))
    for index, convert in converters:
        values[index] = convert(values[index])
    return values


def _read_list(name: str, length: int, params: Params) -> Sequence[Any]:
    values: list[Any] = params[name]
    return values if len(values) == length else [*values, *values[-1:] * (length - len(values))]


def _read_values(
    placeholders: Iterable[tuple[str | None, Converter | None, int | None, object]], params: Params
) -> Sequence[Any]:
    values: list[Any] = []
    for name, convert, length, constant in placeholders:  # tuples, since reading attributes takes longer
        if name is None:
            values.append(constant)
        elif length is None:
            values.append(convert(params[name]) if convert else params[name])
        elif length:
            elements = params[name]
            values += [convert(element) for element in elements] if convert else elements
            if length > len(elements):
                values += values[-1:] * (length - len(elements))
    return values


def _columns(statement: Executable) -> list[tuple[str, TypeEngine[Any]]]:
    if not isinstance(statement, ReturnsRows):
        return []
    # SQLAlchemy caches the result in the statement, and hands it on to statements derived from it; a copy avoids that.
    return [(column.key or "", column.type) for column in copy(statement).exported_columns]


def _to_driver(kind: TypeEngine[Any], dialect: Dialect) -> Converter | None:
    if isinstance(kind, ARRAY) and isinstance(kind.item_type, Integer):
        return _write_integers
    return kind.dialect_impl(dialect).bind_processor(dialect)


def _write_integers(values: Iterable[int | None]) -> str:
    """Write an array as PostgreSQL reads it. The driver does so for arrays of any type, and takes ten times as long."""
    return f"{{{','.join(['NULL' if value is None else str(value) for value in values])}}}"


def _from_driver(kind: TypeEngine[Any], dialect: Dialect) -> Converter | None:
    return kind.dialect_impl(dialect).result_processor(dialect, None)
