"""Pacticipants are registered, described, labelled and removed."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection

from treaty.actions.versioning import ensure_pacticipants
from treaty.errors import NotFound
from treaty.model.name import not_too_long
from treaty.model.pacticipant import Label, Pacticipant, checked_name, display_name
from treaty.store import labels, pacticipants

Description = Mapping[str, str | None]
"""What is said about a pacticipant, by the names of its fields; None takes back what was said before."""


def register(db: Connection, name: str, description: Description, *, now: datetime) -> None:
    """Add a pacticipant; one that is there stays as it is."""
    if not pacticipants.lock(db, [name]):
        _add(db, name, description, now=now)


def describe(db: Connection, name: str, description: Description, *, now: datetime) -> bool:
    """Change what is said about a pacticipant, or add it; say whether it is new."""
    found = pacticipants.lock(db, [name])
    if not found:
        _add(db, name, description, now=now)
        return True
    pacticipants.change(db, _described(found[0], description, now=now))
    return False


def describe_anew(db: Connection, name: str, description: Description, *, now: datetime) -> None:
    """Change what is said about a pacticipant, with all fields given. Raises NotFound."""
    pacticipants.get(db, name)
    describe(db, name, description, now=now)


def _add(db: Connection, name: str, description: Description, *, now: datetime) -> None:
    bare = Pacticipant(name=checked_name(name), display_name="", created_at=now, updated_at=now)
    pacticipants.add(db, _described(bare, {"display_name": None, **description}, now=now))


def _described(one: Pacticipant, description: Description, *, now: datetime) -> Pacticipant:
    changed: Pacticipant = replace(one, **description, updated_at=now)  # type: ignore[arg-type]  # a field's name each
    return changed if changed.display_name else replace(changed, display_name=display_name(one.name))


def remove(db: Connection, name: str) -> None:
    """Remove a pacticipant with all that belongs to it. Raises NotFound."""
    if not pacticipants.lock(db, [name]):
        raise NotFound.named("pacticipant", name)
    pacticipants.remove(db, name)


def label(db: Connection, pacticipant: str, name: str, *, now: datetime) -> tuple[Label, bool]:
    """Label a pacticipant, which is added if missing; say whether the label is new."""
    ensure_pacticipants(db, [pacticipant], now=now)
    found = labels.find(db, pacticipant, name)
    if found:
        return found, False
    new = Label(pacticipant=pacticipant, name=not_too_long("label", name), created_at=now, updated_at=now)
    labels.add(db, new)
    return new, True


def unlabel(db: Connection, pacticipant: str, name: str) -> None:
    """Take a label off. Raises NotFound."""
    found = labels.find(db, pacticipant, name)
    if found is None:
        raise NotFound
    labels.remove(db, found)
