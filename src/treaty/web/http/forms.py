"""What browsers send when somebody fills in a form and presses its button, scripts or not."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl

from treaty.errors import Malformed

MAX_FIELDS: Final = 1000
CSRF_FIELD: Final = "csrf_token"
"""The field that shows that a form is one of ours."""


@dataclass(frozen=True, slots=True)
class Form:
    """The fields of a form by name, each with all its values. Lines end as they do here, not as on the wire."""

    fields: Mapping[str, tuple[str, ...]]

    def text(self, name: str) -> str:
        """What stands in a field, without the spaces around it; nothing for one that was not sent."""
        return self.raw(name).strip()

    def raw(self, name: str) -> str:
        """What stands in a field, as it was typed."""
        values = self.fields.get(name)
        return values[-1] if values else ""

    def texts(self, name: str) -> tuple[str, ...]:
        """All values of fields that share a name, or of the boxes that were ticked."""
        return self.fields.get(name, ())

    def lines(self, name: str) -> tuple[str, ...]:
        """What stands in a field line by line, blank ones left out."""
        return tuple(line.strip() for line in self.raw(name).split("\n") if line.strip())

    def has(self, name: str) -> bool:
        """Whether a box was ticked, or a button pressed."""
        return name in self.fields


def read(raw: bytes) -> Form:
    """Take a form apart. Raises Malformed."""
    try:
        pairs = parse_qsl(raw.decode(), keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS)
    except UnicodeDecodeError as error:
        raise Malformed("The form is not UTF-8.") from error
    except ValueError as error:
        raise Malformed(f"The form has more than {MAX_FIELDS} fields.") from error
    fields: dict[str, list[str]] = {}
    for name, value in pairs:
        if "\0" in value or "\0" in name:
            raise Malformed("A field of the form holds a null character.")
        fields.setdefault(name, []).append(value.replace("\r\n", "\n").replace("\r", "\n"))
    return Form({name: tuple(values) for name, values in fields.items()})
