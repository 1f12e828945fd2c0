"""Declarations of settings: fields of dataclasses, each with its spelling, its meaning and its aliases."""

from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, TypeVar, cast

from treaty.settings.spellings import Spelling

T = TypeVar("T")
D = TypeVar("D")


@dataclass(frozen=True, kw_only=True, slots=True)
class Setting:
    name: str
    default: Any
    spelling: Spelling[Any]
    meaning: str
    """The text that users read, in Markdown."""
    aliases: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The name and its aliases."""
        return (self.name, *self.aliases)


@dataclass(frozen=True)
class Group:
    """Settings that are listed together."""

    heading: ClassVar[str]

    def check(self) -> None:
        """Check settings that depend on each other. Raises OutOfRange, with the names in its text."""


def setting(
    default: D, spelling: Spelling[T], meaning: str, *, aliases: tuple[str, ...] = (), is_shown: bool = True
) -> T | D:
    """Declare a setting of a group. One whose default is None is optional; `repr` omits one that is not shown."""
    metadata = {"spelling": spelling, "meaning": " ".join(meaning.split()), "aliases": aliases}
    # Type checkers see the value that the field will have.
    return cast("T | D", field(default=default, repr=is_shown, metadata=metadata))


def list_settings(group: type[Group]) -> Iterator[Setting]:
    """Yield the settings of a group, or of several that a class inherits from."""
    for each in fields(group):
        yield Setting(name=each.name, default=each.default, **each.metadata)
