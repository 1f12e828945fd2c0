"""The form of an environment: what stands in its fields, and what was meant by what came back."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from treaty.errors import Invalid, Problem
from treaty.model.deployments import Contact, Environment, parse_contacts
from treaty.web.http.forms import Form

EMPTY_CONTACT_ROWS: Final = 2
"""Rows for contacts that are still to be named."""


@dataclass(frozen=True, slots=True)
class ContactFields:
    """A contact as it is typed: its details a line each."""

    name: str = ""
    details: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class EnvironmentFields:
    """What stands in the fields."""

    name: str = ""
    display_name: str = ""
    production: bool = False
    contacts: tuple[ContactFields, ...] = ()
    problems: Mapping[str, list[str]] = field(default_factory=dict)
    """What is wrong, by field."""

    @property
    def rows(self) -> tuple[ContactFields, ...]:
        return (*self.contacts, *(ContactFields() for _ in range(EMPTY_CONTACT_ROWS)))


def fill_fields(environment: Environment) -> EnvironmentFields:
    """Fill the fields with what is known."""
    return EnvironmentFields(
        name=environment.name,
        display_name=environment.display_name,
        production=environment.is_production,
        contacts=tuple(_typed(one) for one in parse_contacts(environment)),
    )


def _typed(contact: Contact) -> ContactFields:
    lines = (f"{_name_typed(name)}: {_value_typed(value)}" for name, value in contact.details.items())
    return ContactFields(contact.name, "\n".join(lines))


def _name_typed(name: str) -> str:
    is_plain = name and name == name.strip() and not {":", "\n", "\r", '"'} & set(name)
    return name if is_plain else json.dumps(name, ensure_ascii=False)


def _value_typed(value: Any) -> str:
    """Write texts as they are, and everything else, which also texts that look like it, as JSON."""
    is_plain = isinstance(value, str) and value == value.strip() and not {"\n", "\r"} & set(value)
    return value if is_plain and _meant(value) == value else json.dumps(value, ensure_ascii=False)


def _meant(text: str) -> Any:
    """Read JSON; what is none, or holds what no text may hold, is a text."""
    try:
        return text if "\\u0000" in text else orjson.loads(text)
    except orjson.JSONDecodeError:
        return text


def restore_fields(form: Form, problems: Iterable[Problem] = ()) -> EnvironmentFields:
    """Keep what was typed, with what is wrong with it."""
    return EnvironmentFields(
        name=form.raw("name"),
        display_name=form.raw("displayName"),
        production=form.has("production"),
        contacts=_contacts(form),
        problems=group_by_field(problems),
    )


def group_by_field(problems: Iterable[Problem]) -> dict[str, list[str]]:
    """Put what is wrong under the names of fields: `contacts.0.name`."""
    found: dict[str, list[str]] = {}
    for one in problems:
        found.setdefault(".".join(map(str, one.path)), []).append(one.text)
    return found


def _contacts(form: Form) -> tuple[ContactFields, ...]:
    pairs = zip(form.texts("contactName"), form.texts("contactDetails"), strict=False)
    return tuple(ContactFields(name, details) for name, details in pairs if name.strip() or details.strip())


def build_body(form: Form, existing: Environment | None = None) -> dict[str, Any]:
    """Make the body that a client of the API would send. Raises Invalid.

    Where there are no contacts and never were any, it says nothing of them.
    """
    contacts = [_contact(one, index) for index, one in enumerate(_contacts(form))]
    had_any = existing is not None and existing.contacts is not None
    return {
        "name": form.text("name"),
        "displayName": form.text("displayName") or None,
        "production": form.has("production"),
        **({"contacts": contacts} if contacts or had_any else {}),
    }


def _contact(given: ContactFields, index: int) -> dict[str, Any]:
    details = dict(_detail(line, index) for line in given.details.split("\n") if line.strip())
    return {"name": given.name.strip(), "details": details} if details else {"name": given.name.strip()}


def _detail(line: str, index: int) -> tuple[str, Any]:
    text = line.strip()
    if text.startswith('"'):
        return _quoted(text, index)
    name, colon, value = text.partition(":")
    if not colon or not name.strip():
        raise _unclear(text, index)
    return name.strip(), _meant(value.strip())


def _quoted(text: str, index: int) -> tuple[str, Any]:
    try:
        name, end = json.JSONDecoder().raw_decode(text)
        name.encode()
    except ValueError as error:
        raise _unclear(text, index) from error
    rest = text[end:].lstrip()
    if not rest.startswith(":") or "\0" in name:
        raise _unclear(text, index)
    return name, _meant(rest[1:].strip())


def _unclear(text: str, index: int) -> Invalid:
    return Invalid(Problem(("contacts", index, "details"), f"'{text}' is not like 'e-mail: team@example.org'"))
