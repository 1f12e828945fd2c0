"""Types of settings: the spellings that each accepts, and the messages about others.

pydantic's own conversions accept more than these ("1.0" for a whole number, "PT5S" for a duration), so that they would
give the same text another meaning than the original broker does.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, GetCoreSchemaHandler, PlainSerializer, SecretStr
from pydantic_core import CoreSchema, core_schema

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


@dataclass(frozen=True, kw_only=True, slots=True)
class Range:
    """Annotates a number, or a duration that is given as a number of `unit`."""

    kind: type[int] | type[float] = int
    unit: timedelta | None = None
    minimum: float | None = None
    maximum: float | None = None

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        to_number = core_schema.plain_serializer_function_ser_schema(self.to_number, when_used="json")
        return core_schema.no_info_before_validator_function(self.read, handler(source), serialization=to_number)

    def read(self, value: object) -> float | timedelta:
        """Convert a plain number. Raises Unreadable, OutOfRange."""
        number = self.to_number(value) if isinstance(value, timedelta) else self._number(value)
        if self.minimum is not None and number < self.minimum:
            raise OutOfRange(f"must be {self.minimum} or more, but is {number}")
        if self.maximum is not None and number > self.maximum:
            raise OutOfRange(f"must be {self.maximum} or less, but is {number}")
        if self.unit is None:
            return number
        limit = CENTURY / self.unit
        return self.unit * max(-limit, min(number, limit))

    def _number(self, value: object) -> float:
        try:
            number = self.kind(str(value))
        except ValueError:
            number = float("nan")
        if number != number:  # noqa: PLR0124 - true of "not a number" alone, and of integers of any size never
            raise Unreadable(f"must be a number, but is {quoted(value)}")
        return number

    def to_number(self, value: Any) -> float:
        """Convert back: return the plain number that means this value."""
        return self.kind(value if self.unit is None else value / self.unit)


@dataclass(frozen=True, slots=True)
class OneOf:
    """Annotates a text that is one of a few values."""

    values: Sequence[str]
    also: Sequence[str] = ()
    """Values that are accepted, but not listed for users."""
    ignores_case: bool = False

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_before_validator_function(self.read, handler(source))

    def read(self, value: object) -> str:
        """Raises OutOfRange."""
        text = str(value).lower() if self.ignores_case else str(value)
        if text not in (*self.values, *self.also):
            choice = " or ".join(self.values) if len(self.values) == len("ab") else f"one of {', '.join(self.values)}"
            raise OutOfRange(f"must be {choice}, but is {quoted(value)}")
        return text


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


def read_secret(value: object) -> object:
    return value if isinstance(value, SecretStr) else str(value)


def reveal(secret: SecretStr) -> str:
    return secret.get_secret_value()


Boolean = Annotated[bool, BeforeValidator(read_boolean)]
Text = Annotated[str, BeforeValidator(str)]
Texts = Annotated[tuple[Text, ...], BeforeValidator(read_items)]
Secret = Annotated[SecretStr, BeforeValidator(read_secret), PlainSerializer(reveal, when_used="json")]
"""A text that `repr` and messages hide. JSON contains it, because the server passes its settings to workers as JSON."""
Secrets = Annotated[tuple[Secret, ...], BeforeValidator(read_items)]
