"""Pacticipants are registered, described, labelled and removed."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection

from treaty.actions.versions.versions import ensure_pacticipants
from treaty.actions.webhooks.cancellations import record_cancellations
from treaty.errors import NotFound
from treaty.model.audit import Action, collect_fields, diff_fields
from treaty.model.names import check_length
from treaty.model.pacticipants.pacticipants import Label, Pacticipant, derive_display_name, validate_name
from treaty.store import audit
from treaty.store.pacticipants import labels, pacticipants
from treaty.store.webhooks import deliveries

Description = Mapping[str, str | None]
"""What is said about a pacticipant, by the names of its fields; None takes back what was said before."""


def ensure_pacticipant(db: Connection, name: str, description: Description, *, now: datetime) -> None:
    """Add a pacticipant; one that is there stays as it is."""
    if pacticipants.lock(db, [name]):
        audit.record(db, Action.PACTICIPANT_CHANGE, resource=name)
    else:
        _add(db, name, description, now=now)


def save_description(db: Connection, name: str, description: Description, *, now: datetime) -> bool:
    """Change what is said about a pacticipant, or add it; say whether it is new."""
    existing = pacticipants.lock(db, [name])
    if not existing:
        _add(db, name, description, now=now)
        return True
    _change(db, existing[0], description, now=now)
    return False


def replace_description(db: Connection, name: str, description: Description, *, now: datetime) -> None:
    """Change what is said about a pacticipant, with all fields given. Raises NotFound."""
    existing = pacticipants.lock(db, [name])
    if not existing:
        raise NotFound.named("pacticipant", name)
    _change(db, existing[0], description, now=now)


def _change(db: Connection, existing: Pacticipant, description: Description, *, now: datetime) -> None:
    changed = _described(existing, description, now=now)
    pacticipants.change(db, changed)
    before, after = diff_fields(collect_fields(existing), collect_fields(changed))
    audit.record(db, Action.PACTICIPANT_CHANGE, resource=existing.name, before=before, after=after)


def _add(db: Connection, name: str, description: Description, *, now: datetime) -> None:
    bare = Pacticipant(name=validate_name(name), display_name="", created_at=now, updated_at=now)
    new = _described(bare, {"display_name": None, **description}, now=now)
    pacticipants.add(db, new)
    audit.record(db, Action.PACTICIPANT_CREATION, resource=name, after=collect_fields(new, "name"))


def _described(one: Pacticipant, description: Description, *, now: datetime) -> Pacticipant:
    changed: Pacticipant = replace(one, **description, updated_at=now)  # type: ignore[arg-type]  # a field's name each
    return changed if changed.display_name else replace(changed, display_name=derive_display_name(one.name))


def remove_pacticipant(db: Connection, name: str) -> None:
    """Remove a pacticipant with all that belongs to it. Raises NotFound."""
    found = pacticipants.lock_with_counterparts(db, name)
    if found is None:
        raise NotFound.named("pacticipant", name)
    record_cancellations(
        db, deliveries.list_queued_of_pacticipant(db, name), f"The pacticipant {name} has been removed."
    )
    pacticipants.remove(db, name)
    audit.record(db, Action.PACTICIPANT_REMOVAL, resource=name, before=collect_fields(found, "name"))


def add_label(db: Connection, pacticipant: str, name: str, *, now: datetime) -> tuple[Label, bool]:
    """Label a pacticipant, which is added if missing; say whether the label is new."""
    ensure_pacticipants(db, [pacticipant], now=now)
    audit.record(db, Action.LABEL_CREATION, resource=pacticipant, params={"label": name})
    found = labels.find(db, pacticipant, name)
    if found:
        return found, False
    new = Label(pacticipant=pacticipant, name=check_length("label", name), created_at=now, updated_at=now)
    labels.add(db, new)
    return new, True


def remove_label(db: Connection, pacticipant: str, name: str) -> None:
    """Take a label off. Raises NotFound."""
    pacticipants.lock(db, [pacticipant])
    found = labels.find(db, pacticipant, name)
    if found is None:
        raise NotFound
    labels.remove(db, found)
    audit.record(db, Action.LABEL_REMOVAL, resource=pacticipant, params={"label": name})
