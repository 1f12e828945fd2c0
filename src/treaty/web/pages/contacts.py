"""Fields of contacts in forms: filling them in, and reading them back as a part of a request body of the API."""

import json
from dataclasses import dataclass
from typing import Any, Final

import orjson

from treaty.errors import Invalid, Problem
from treaty.model.contacts import Contact, parse_contacts
from treaty.web.http.forms import Form

EMPTY_ROWS: Final = 2
"""Empty rows in a form for additional contacts."""


@dataclass(frozen=True, slots=True)
class ContactFields:
    """The fields of a contact. The details have one line each: `name: value`."""

    name: str = ""
    details: str = ""


def fill_contacts(text: str | None) -> tuple[ContactFields, ...]:
    """Fill the fields from contacts as they are stored."""
    return tuple(_contact_fields(contact) for contact in parse_contacts(text))


def with_empty_rows(contacts: tuple[ContactFields, ...]) -> tuple[ContactFields, ...]:
    return (*contacts, *(ContactFields() for _ in range(EMPTY_ROWS)))


def _contact_fields(contact: Contact) -> ContactFields:
    lines = (f"{_write_name(name)}: {_write_value(value)}" for name, value in contact.details.items())
    return ContactFields(contact.name, "\n".join(lines))


# A detail is any JSON, but people type plain texts. So texts are written without quotes, unless they would be read back
# as something else; `build_contacts` must read exactly what is written here.


def _write_name(name: str) -> str:
    is_plain = name and name == name.strip() and not {":", "\n", "\r", '"'} & set(name)
    return name if is_plain else json.dumps(name, ensure_ascii=False)


def _write_value(value: Any) -> str:
    """Write plain texts as they are, and all other values as JSON. So are texts that look like JSON: `"1"`."""
    is_plain = isinstance(value, str) and value == value.strip() and not {"\n", "\r"} & set(value)
    return value if is_plain and _read_value(value) == value else json.dumps(value, ensure_ascii=False)


def _read_value(text: str) -> Any:
    """Read a value as JSON; what is not valid JSON, or contains NUL, is a plain text."""
    try:
        return text if "\\u0000" in text else orjson.loads(text)
    except orjson.JSONDecodeError:
        return text


def read_contacts(form: Form) -> tuple[ContactFields, ...]:
    pairs = zip(form.texts("contactName"), form.texts("contactDetails"), strict=False)
    return tuple(ContactFields(name, details) for name, details in pairs if name.strip() or details.strip())


def build_contacts(form: Form, *, had_any: bool) -> dict[str, Any]:
    """Build the member `contacts` of a request body. Raises Invalid.

    There is none if the object never had any contacts, so that saving a form without contacts changes nothing.
    """
    contacts = [_contact_body(fields, index) for index, fields in enumerate(read_contacts(form))]
    return {"contacts": contacts} if contacts or had_any else {}


def _contact_body(fields: ContactFields, index: int) -> dict[str, Any]:
    details = dict(_read_detail(line, index) for line in fields.details.split("\n") if line.strip())
    name = fields.name.strip()
    return {"name": name, "details": details} if details else {"name": name}


def _read_detail(line: str, index: int) -> tuple[str, Any]:
    text = line.strip()
    if text.startswith('"'):
        return _read_quoted_detail(text, index)
    name, colon, value = text.partition(":")
    if not colon or not name.strip():
        raise _invalid_detail(text, index)
    return name.strip(), _read_value(value.strip())


def _read_quoted_detail(text: str, index: int) -> tuple[str, Any]:
    try:
        name, end = json.JSONDecoder().raw_decode(text)
        name.encode()
    except ValueError as error:
        raise _invalid_detail(text, index) from error
    rest = text[end:].lstrip()
    if not rest.startswith(":") or "\0" in name:
        raise _invalid_detail(text, index)
    return name, _read_value(rest[1:].strip())


def _invalid_detail(text: str, index: int) -> Invalid:
    return Invalid(Problem(("contacts", index, "details"), f"'{text}' is not like 'e-mail: team@example.org'"))
