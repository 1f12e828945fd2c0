"""Submitted HTML forms."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl

from treaty.errors import Malformed

MAX_FIELDS: Final = 1000
CSRF_FIELD: Final = "csrf_token"
"""The hidden field with the token that proves that the form comes from our own page."""


@dataclass(frozen=True, slots=True)
class Form:
    """The values of each field. Line breaks are normalized to newlines."""

    fields: Mapping[str, tuple[str, ...]]

    def text(self, name: str) -> str:
        """Return the stripped value of a field; the empty string if it was not sent."""
        return self.raw(name).strip()

    def raw(self, name: str) -> str:
        """Return the value of a field as it was typed. Passwords must not be stripped."""
        values = self.fields.get(name)
        return values[-1] if values else ""

    def texts(self, name: str) -> tuple[str, ...]:
        """Return the values of all fields or ticked checkboxes with a name."""
        return self.fields.get(name, ())

    def lines(self, name: str) -> tuple[str, ...]:
        """Return the lines of a field without blank ones."""
        return tuple(line.strip() for line in self.raw(name).split("\n") if line.strip())

    def has(self, name: str) -> bool:
        """Whether a checkbox was ticked, or a button pressed."""
        return name in self.fields


def read(raw: bytes) -> Form:
    """Parse a form. Raises Malformed."""
    try:
        pairs = parse_qsl(raw.decode(), keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS)
    except UnicodeDecodeError as error:
        raise Malformed("The form is not UTF-8.") from error
    except ValueError as error:
        raise Malformed(f"The form has more than {MAX_FIELDS} fields.") from error
    fields: dict[str, list[str]] = {}
    for name, value in pairs:
        if "\0" in value or "\0" in name:
            raise Malformed("A field of the form contains a null character.")
        fields.setdefault(name, []).append(value.replace("\r\n", "\n").replace("\r", "\n"))
    return Form({name: tuple(values) for name, values in fields.items()})
