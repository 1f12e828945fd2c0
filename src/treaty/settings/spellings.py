"""Types of settings: the spellings that each accepts, and the messages about others."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final, Generic, Protocol, TypeVar

from treaty.settings.secrets import Secret

T = TypeVar("T")

SECONDS: Final = timedelta(seconds=1)
HOURS: Final = timedelta(hours=1)
DAYS: Final = timedelta(days=1)
CENTURY: Final = timedelta(days=36_525)
"""Longest duration. Longer ones, and `inf`, mean the same to a server, but dates and timers cannot hold them."""
MAX_SHOWN: Final = 200
"""Characters of a value that a message shows."""


class Unreadable(ValueError):
    """A value that is not spelled as its setting requires."""


class OutOfRange(ValueError):
    """A value that is spelled correctly, but not allowed."""


def quoted(value: object) -> str:
    """Quote a value for a message on a terminal: without control characters, and not too long."""
    text = str(value)[:MAX_SHOWN]
    return "'" + "".join(char if char.isprintable() else repr(char)[1:-1] for char in text) + "'"


class Spelling(Protocol[T]):
    """How users write a value."""

    def read(self, value: object) -> T:
        """Convert a text, a value of `treaty.toml`, or a value that was read before. Raises Unreadable, OutOfRange."""
        ...

    def dump(self, value: T) -> object:
        """Return a value of JSON that `read` converts back."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Number:
    """A whole number."""

    minimum: int | None = None
    maximum: int | None = None

    def read(self, value: object) -> int:
        return _check_range(_read_number(value, int), self.minimum, self.maximum)

    def dump(self, value: int) -> int:
        return value


@dataclass(frozen=True, slots=True)
class Duration:
    """A duration that is given as a number of a unit. One that is too long for dates becomes a century."""

    unit: timedelta
    minimum: float | None = field(default=None, kw_only=True)
    kind: type[int] | type[float] = field(default=int, kw_only=True)

    def read(self, value: object) -> timedelta:
        number = self.dump(value) if isinstance(value, timedelta) else _read_number(value, self.kind)
        limit = CENTURY / self.unit
        return self.unit * max(-limit, min(_check_range(number, self.minimum), limit))

    def dump(self, value: timedelta) -> float:
        return self.kind(value / self.unit)


N = TypeVar("N", int, float)


def _read_number(value: object, kind: type[N]) -> N:
    try:
        number = kind(str(value))
    except ValueError:
        number = None
    if number is None or number != number:  # noqa: PLR0124 - true of "not a number" alone
        raise Unreadable(f"must be a number, but is {quoted(value)}")
    return number


def _check_range(number: N, minimum: float | None = None, maximum: float | None = None) -> N:
    """Return the number. Raises OutOfRange."""
    if minimum is not None and number < minimum:
        raise OutOfRange(f"must be {minimum} or more, but is {number}")
    if maximum is not None and number > maximum:
        raise OutOfRange(f"must be {maximum} or less, but is {number}")
    return number


@dataclass(frozen=True, slots=True)
class OneOf:
    """A text that is one of a few values."""

    values: Sequence[str]
    also: Sequence[str] = ()
    """Values that are accepted, but not listed for users."""
    ignores_case: bool = False

    def read(self, value: object) -> str:
        text = str(value).lower() if self.ignores_case else str(value)
        if text not in (*self.values, *self.also):
            choice = " or ".join(self.values) if len(self.values) == len("ab") else f"one of {', '.join(self.values)}"
            raise OutOfRange(f"must be {choice}, but is {quoted(value)}")
        return text

    def dump(self, value: str) -> str:
        return value


class Boolean:
    def read(self, value: object) -> bool:
        return read_boolean(value)

    def dump(self, value: bool) -> bool:  # noqa: FBT001 - the value
        return value


class Date:
    def read(self, value: object) -> datetime:
        return read_date(value)

    def dump(self, value: datetime) -> str:
        return value.isoformat()


@dataclass(frozen=True, slots=True)
class Text:
    check: Callable[[str], str] = str
    """Returns the text, or a normalized one. Raises OutOfRange."""

    def read(self, value: object) -> str:
        return self.check(str(value))

    def dump(self, value: str) -> str:
        return value


@dataclass(frozen=True, slots=True)
class SecretText:
    """A secret. Its dump contains it, because the server passes its settings to worker processes."""

    min_length: int = 0

    def read(self, value: object) -> Secret:
        secret = value if isinstance(value, Secret) else Secret(str(value))
        if len(secret) < self.min_length:
            raise OutOfRange(f"must have {self.min_length} or more characters")
        return secret

    def dump(self, value: Secret) -> str:
        return value.get_secret_value()


@dataclass(frozen=True, slots=True)
class Items(Generic[T]):
    """Several values."""

    item: Spelling[T]
    check: Callable[[tuple[T, ...]], tuple[T, ...]] = tuple
    """Returns the values, or normalized ones. Raises OutOfRange."""

    def read(self, value: object) -> tuple[T, ...]:
        return self.check(tuple(self.item.read(item) for item in read_items(value)))

    def dump(self, value: tuple[T, ...]) -> list[object]:
        return [self.item.dump(item) for item in value]


def read_boolean(value: object) -> bool:
    """Raises Unreadable."""
    text = str(value).lower()
    if text in {"true", "t", "yes", "y", "1"}:
        return True
    if text in {"false", "f", "no", "n", "0"}:
        return False
    raise Unreadable(f"must be true or false, but is {quoted(value)}")


def read_date(value: object) -> datetime:
    """Read a date, or a time with or without a zone; without one it is in UTC. Raises Unreadable."""
    try:
        time = datetime.fromisoformat(str(value).strip())
    except ValueError:
        raise Unreadable(f"must be a date like 2030-12-31, but is {quoted(value)}") from None
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


def read_items(value: object) -> tuple[object, ...]:
    """Split a text at spaces and commas; the items of a list may contain either. Raises Unreadable."""
    if isinstance(value, str):
        return tuple(value.replace(",", " ").split())
    if isinstance(value, list | tuple):
        return tuple(value)
    raise Unreadable("must be a list")
