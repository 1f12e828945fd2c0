"""Renaming of pacticipants.

All that belongs to a pacticipant refers to its row, so it follows the new name. Only the limits of tokens and accounts,
and the event log, have names; they are renamed, too.
"""

from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection

from treaty.errors import Conflict, NotFound, Renamed
from treaty.model.audit import Action
from treaty.model.pacticipants.pacticipants import Pacticipant, derive_display_name, list_similar_names, validate_name
from treaty.settings import Settings
from treaty.store import audit
from treaty.store.accounts import limits
from treaty.store.pacticipants import former_names, pacticipants
from treaty.store.webhooks import event_log


def rename_pacticipant(
    db: Connection, name: str, new_name: str, *, now: datetime, settings: Settings, allows_similar_names: bool = False
) -> int:
    """Rename a pacticipant; to its present name, or repeatedly, changes nothing.

    Returns the number of tokens and accounts that were limited to the new name before, and can write for it now.
    Raises NotFound, Invalid, Renamed for a former name, and Conflict for a name that is taken, or that resembles that
    of another pacticipant.
    """
    pacticipants.lock_all(db)
    validate_name(new_name)
    existing = pacticipants.find(db, name)
    if name == new_name or (existing is None and _is_renamed(db, name, new_name)):
        pacticipants.get(db, new_name)
        audit.record(db, Action.PACTICIPANT_RENAME, resource=new_name)
        return 0
    if existing is None:
        raise NotFound.named("pacticipant", name)
    _check_free(db, new_name)
    if settings.check_for_potential_duplicate_pacticipant_names and not allows_similar_names:
        _check_not_similar(db, name, new_name)
    earlier_credentials = limits.count_limited_to(db, new_name)
    _rename(db, existing, new_name, now=now)
    return earlier_credentials


def _is_renamed(db: Connection, name: str, new_name: str) -> bool:
    """Whether the pacticipant with this former name has the new name already. Raises Renamed if it has another one."""
    current_name = former_names.find_current_names(db, [name]).get(name)
    if current_name not in {None, new_name}:
        raise Renamed(name, str(current_name))
    return current_name is not None


def _check_free(db: Connection, new_name: str) -> None:
    if pacticipants.find(db, new_name):
        raise Conflict(
            f"There is another application with the name '{new_name}', so nothing was renamed. Choose another name, or "
            "rename or delete the other application first."
        )


def _check_not_similar(db: Connection, name: str, new_name: str) -> None:
    others = [other for other in pacticipants.list_names(db) if other != name]
    if similar_names := list_similar_names(new_name, others):
        quoted_names = ", ".join(f"'{similar_name}'" for similar_name in similar_names)
        raise Conflict(
            f"The name '{new_name}' is so similar to {quoted_names} that it probably means the same application, so "
            "nothing was renamed. Choose another name, or allow this one with allowSimilarNames=true."
        )


def _rename(db: Connection, existing: Pacticipant, new_name: str, *, now: datetime) -> None:
    # A display name that a user has chosen stays.
    has_own_display_name = existing.display_name != derive_display_name(existing.name)
    display_name = existing.display_name if has_own_display_name else derive_display_name(new_name)
    renamed = replace(existing, name=new_name, display_name=display_name, updated_at=now)
    pacticipants.rename(db, existing.name, renamed)
    event_log.rename_pacticipant(db, existing.name, new_name)
    former_names.remove(db, new_name)
    former_names.add(db, existing.name, pacticipant=new_name, now=now)
    audit.record(
        db,
        Action.PACTICIPANT_RENAME,
        resource=new_name,
        other=existing.name,
        params={"limited_credentials": limits.rename_application(db, existing.name, new_name)},
        before={"name": existing.name, "display_name": existing.display_name},
        after={"name": new_name, "display_name": display_name},
    )
