"""Contacts: the people and teams to ask about an environment or a pacticipant."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Contact:
    """A person or team. Details map names, such as `emailAddress`, to any JSON value."""

    name: str
    details: Mapping[str, Any]

    def describe(self) -> str:
        """Describe the contact in a line: the name, and the first detail that is a text."""
        detail = next((value for value in self.details.values() if isinstance(value, str) and value), None)
        return f"{self.name} ({detail})" if detail else self.name


def parse_contacts(text: str | None) -> list[Contact]:
    """Parse contacts as they are stored: a JSON array of objects with a name and details; None without contacts.

    They are stored as text because details are arbitrary JSON, which must come back as the client sent it.
    """
    members = json.loads(text) if text else []
    return [Contact(member["name"], member.get("details") or {}) for member in members]
