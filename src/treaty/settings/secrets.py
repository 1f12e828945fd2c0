"""Texts that must not be shown."""

from dataclasses import dataclass
from typing import Final

_HIDDEN: Final = "**********"


@dataclass(frozen=True, slots=True, repr=False)
class Secret:
    """A text that `repr`, `str` and messages hide."""

    _text: str

    def get_secret_value(self) -> str:
        return self._text

    def __len__(self) -> int:
        return len(self._text)

    def __repr__(self) -> str:
        return f"Secret({_HIDDEN!r})"

    def __str__(self) -> str:
        return _HIDDEN
