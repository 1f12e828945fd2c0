"""Creation, changes, labels and removal of pacticipants."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection

from treaty.actions.versions.versions import check_not_renamed, ensure_pacticipants
from treaty.actions.webhooks.cancellations import record_cancellations
from treaty.actions.webhooks.webhooks import remove_webhook
from treaty.errors import NotFound
from treaty.model.audit import REDACTED, Action, FieldValues, collect_fields, diff_fields
from treaty.model.names import check_name
from treaty.model.pacticipants.pacticipants import Label, Pacticipant, derive_display_name, validate_name
from treaty.store import audit
from treaty.store.pacticipants import former_names, labels, pacticipants
from treaty.store.usage import contents as usage_contents
from treaty.store.webhooks import deliveries, webhooks

Description = Mapping[str, str | None]
"""Properties of a pacticipant by field name; None removes the value."""


@dataclass(frozen=True, kw_only=True, slots=True)
class EnsuredPacticipant:
    """A pacticipant that exists now."""

    is_new: bool
    renamed_from: str | None = None
    """The pacticipant to which the name led so far; None if it led nowhere."""


def ensure_pacticipant(db: Connection, name: str, description: Description, *, now: datetime) -> EnsuredPacticipant:
    """Add a pacticipant unless it exists. It takes its name even if that is the former name of another one."""
    if pacticipants.lock(db, [name]):
        audit.record(db, Action.PACTICIPANT_CHANGE, resource=name)
        return EnsuredPacticipant(is_new=False)
    renamed = former_names.find_current_names(db, [name]).get(name)
    if renamed is not None:
        former_names.remove(db, name)
    _add(db, name, description, now=now)
    return EnsuredPacticipant(is_new=True, renamed_from=renamed)


def save_description(db: Connection, name: str, description: Description, *, now: datetime) -> bool:
    """Change the given properties of a pacticipant, or add it; return whether it is new. Raises Renamed."""
    existing = pacticipants.lock(db, [name])
    if not existing:
        check_not_renamed(db, [name])
        _add(db, name, description, now=now)
        return True
    _change(db, existing[0], description, now=now)
    return False


def replace_description(db: Connection, name: str, description: Description, *, now: datetime) -> None:
    """Change an existing pacticipant; the description has all properties. Raises NotFound."""
    existing = pacticipants.lock(db, [name])
    if not existing:
        raise NotFound.named("pacticipant", name)
    _change(db, existing[0], description, now=now)


def _change(db: Connection, existing: Pacticipant, description: Description, *, now: datetime) -> None:
    changed = _apply_description(existing, description, now=now)
    pacticipants.change(db, changed)
    before, after = diff_fields(_audited_fields(existing), _audited_fields(changed))
    audit.record(db, Action.PACTICIPANT_CHANGE, resource=existing.name, before=before, after=after)


def _add(db: Connection, name: str, description: Description, *, now: datetime) -> None:
    unnamed = Pacticipant(name=validate_name(name), display_name="", created_at=now, updated_at=now)
    new = _apply_description(unnamed, {"display_name": None, **description}, now=now)
    pacticipants.add(db, new)
    audit.record(db, Action.PACTICIPANT_CREATION, resource=name, after=_audited_fields(new, "name"))


def _audited_fields(pacticipant: Pacticipant, *excluded: str) -> FieldValues:
    """List the fields for the audit trail. Contacts are personal data, which it would keep after their removal."""
    contacts = None if pacticipant.contacts is None else REDACTED
    return {**collect_fields(pacticipant, "contacts", *excluded), "contacts": contacts}


def _apply_description(pacticipant: Pacticipant, description: Description, *, now: datetime) -> Pacticipant:
    """Return the pacticipant with the given properties. A missing display name is derived from the name."""
    changed: Pacticipant = replace(pacticipant, **description, updated_at=now)  # type: ignore[arg-type]  # field names
    return changed if changed.display_name else replace(changed, display_name=derive_display_name(pacticipant.name))


def remove_pacticipant(db: Connection, name: str) -> None:
    """Remove a pacticipant with everything that belongs to it. Raises NotFound."""
    removed = pacticipants.lock_with_counterparts(db, name)
    if removed is None:
        raise NotFound.named("pacticipant", name)
    record_cancellations(
        db, deliveries.list_queued_of_pacticipant(db, name), f"The pacticipant {name} has been removed."
    )
    # Without its last member, a webhook has nothing to be sent for.
    for uuid in webhooks.list_with_single_member(db, name):
        remove_webhook(db, uuid)
    pacticipants.remove(db, name)
    usage_contents.remove_unused_terms(db)
    audit.record(db, Action.PACTICIPANT_REMOVAL, resource=name, before=_audited_fields(removed, "name"))


def add_label(db: Connection, pacticipant: str, name: str, *, now: datetime) -> tuple[Label, bool]:
    """Add a label to a pacticipant, which is added if missing; return whether the label is new."""
    ensure_pacticipants(db, [pacticipant], now=now)
    audit.record(db, Action.LABEL_CREATION, resource=pacticipant, params={"label": name})
    existing = labels.find(db, pacticipant, name)
    if existing:
        return existing, False
    new = Label(pacticipant=pacticipant, name=check_name("label", name), created_at=now, updated_at=now)
    labels.add(db, new)
    return new, True


def remove_label(db: Connection, pacticipant: str, name: str) -> None:
    """Remove a label from a pacticipant. Raises NotFound."""
    pacticipants.lock(db, [pacticipant])
    label = labels.find(db, pacticipant, name)
    if label is None:
        raise NotFound
    labels.remove(db, label)
    audit.record(db, Action.LABEL_REMOVAL, resource=pacticipant, params={"label": name})
