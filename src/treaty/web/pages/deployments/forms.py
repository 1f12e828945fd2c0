"""Fields of the environment form: filling them in, and reading them back as a request body of the API."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from treaty.errors import Problem
from treaty.model.deployments import Environment
from treaty.web.http.forms import Form
from treaty.web.pages.contacts import ContactFields, build_contacts, fill_contacts, read_contacts, with_empty_rows


@dataclass(frozen=True, kw_only=True, slots=True)
class EnvironmentFields:
    """The contents of the form's fields."""

    name: str = ""
    display_name: str = ""
    production: bool = False
    records_decisions: bool = False
    first_deployments: bool = False
    position: str = ""
    contacts: tuple[ContactFields, ...] = ()
    problems: Mapping[str, list[str]] = field(default_factory=dict)
    """Error messages by field."""

    @property
    def rows(self) -> tuple[ContactFields, ...]:
        return with_empty_rows(self.contacts)


def fill_fields(environment: Environment) -> EnvironmentFields:
    """Fill the fields from an existing environment."""
    return EnvironmentFields(
        name=environment.name,
        display_name=environment.display_name,
        production=environment.is_production,
        records_decisions=environment.records_decisions,
        first_deployments=environment.allows_first_deployments,
        position="" if environment.position is None else str(environment.position),
        contacts=fill_contacts(environment.contacts),
    )


def restore_fields(form: Form, problems: Iterable[Problem] = ()) -> EnvironmentFields:
    """Return the fields as they were submitted, with the error messages."""
    return EnvironmentFields(
        name=form.raw("name"),
        display_name=form.raw("displayName"),
        production=form.has("production"),
        records_decisions=form.has("recordsDecisions"),
        first_deployments=form.has("firstDeployments"),
        position=form.raw("position"),
        contacts=read_contacts(form),
        problems=group_by_field(problems),
    )


def group_by_field(problems: Iterable[Problem]) -> dict[str, list[str]]:
    """Group error messages by the dotted path of their field, such as `contacts.0.name`."""
    messages: dict[str, list[str]] = {}
    for problem in problems:
        messages.setdefault(".".join(map(str, problem.path)), []).append(problem.text)
    return messages


def build_body(form: Form, existing: Environment | None = None) -> dict[str, Any]:
    """Build the request body that a client of the API would send. Raises Invalid."""
    had_any = existing is not None and existing.contacts is not None
    return {
        "name": form.text("name"),
        "displayName": form.text("displayName") or None,
        "production": form.has("production"),
        "recordsDecisions": form.has("recordsDecisions"),
        "firstDeployments": "allow" if form.has("firstDeployments") else None,
        "position": _read_position(form.text("position")),
        **build_contacts(form, had_any=had_any),
    }


def _read_position(text: str) -> int | str | None:
    """Read a whole number; another text stays as it is, for validation to reject."""
    return int(text) if text.isdecimal() else text or None
