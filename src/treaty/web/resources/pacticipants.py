"""Pacticipants and their labels."""

from typing import Final

from treaty.actions import registering
from treaty.errors import NotFound
from treaty.model.pacticipant import Label, PacticipantInFull
from treaty.store import labels, pacticipants
from treaty.web import bodies, urls
from treaty.web.bodies import Body, BranchName, Line, LineNotBlank, Name
from treaty.web.media import JSON, MERGE
from treaty.web.paging import wanted_page
from treaty.web.represent.pacticipants import Labels, Pacticipants
from treaty.web.routing import Call, Created, Deleted, Permission, Router, Updated

router = Router()


class DescriptionBody(Body):
    """What a client says about a pacticipant."""

    display_name: LineNotBlank = None
    repository_url: Line = None
    repository_name: Line = None
    repository_namespace: Line = None
    main_branch: BranchName = None


class PacticipantBody(DescriptionBody):
    """What a client says about the pacticipant that the path names; a name in here is checked and no more."""

    name: Name = ""


class NewPacticipantBody(DescriptionBody):
    """What a client says about a pacticipant that no path names."""

    name: Name


_SAID: Final = set(DescriptionBody.model_fields)


@router.get(urls.PACTICIPANTS, permission=Permission.READ, is_cached=True)
def list_pacticipants(call: Call) -> Pacticipants:
    """List all pacticipants, or those whose name holds a text."""
    found = pacticipants.every_listed(call.db, like=call.option("q"), page=wanted_page(call))
    return Pacticipants(found, urls.PACTICIPANTS.fill(), has_each_twice=True)


@router.post(urls.PACTICIPANTS, permission=Permission.MANAGE_PACTICIPANT)
def create_pacticipant(call: Call) -> Created:
    """Create a pacticipant; one that is there stays as it is."""
    body = bodies.read(call.raw_body, NewPacticipantBody, is_json=call.is_json, empty=b"")
    registering.register(call.db, body.name, body.model_dump(include=_SAID), now=call.now)
    found = pacticipants.get_in_full(call.db, body.name, with_running=False)
    return Created(found, urls.PACTICIPANT.fill(pacticipant=body.name))


@router.get(urls.PACTICIPANTS_WITH_LABEL, permission=Permission.READ)
def list_pacticipants_with_label(call: Call, label: str) -> Pacticipants:
    """List the pacticipants that have a label."""
    page = wanted_page(call)
    found = pacticipants.every_listed(call.db, like=call.option("q"), label=label, page=page)
    return Pacticipants(found, urls.PACTICIPANTS_WITH_LABEL.fill(label=label))


@router.get(urls.PACTICIPANT, permission=Permission.READ, is_cached=True)
def show_pacticipant(call: Call, pacticipant: str) -> PacticipantInFull:
    """Show a pacticipant."""
    return pacticipants.get_in_full(call.db, pacticipant)


@router.put(urls.PACTICIPANT, permission=Permission.MANAGE_PACTICIPANT)
def replace_pacticipant(call: Call, pacticipant: str) -> Updated:
    """Replace all that is said about a pacticipant."""
    said = call.body(PacticipantBody).model_dump(include=_SAID)
    registering.describe_anew(call.db, pacticipant, said, now=call.now)
    return Updated(pacticipants.get_in_full(call.db, pacticipant))


@router.patch(urls.PACTICIPANT, permission=Permission.MANAGE_PACTICIPANT, consumes=(JSON, MERGE))
def change_pacticipant(call: Call, pacticipant: str) -> Created | Updated:
    """Change some of what is said about a pacticipant, or create it."""
    said = call.body(PacticipantBody).model_dump(include=_SAID, exclude_unset=True)
    is_new = registering.describe(call.db, pacticipant, said, now=call.now)
    found = pacticipants.get_in_full(call.db, pacticipant)
    return Created(found, urls.PACTICIPANT.fill(pacticipant=pacticipant)) if is_new else Updated(found)


@router.delete(urls.PACTICIPANT, permission=Permission.MANAGE_PACTICIPANT)
def remove_pacticipant(call: Call, pacticipant: str) -> Deleted:
    """Remove a pacticipant with all that belongs to it."""
    registering.remove(call.db, pacticipant)
    return Deleted()


@router.get(urls.LABELS, permission=Permission.READ)
def list_labels(call: Call) -> Labels:
    """List all labels, each once."""
    return Labels(labels.every_name(call.db, wanted_page(call)))


@router.get(urls.PACTICIPANT_LABEL, permission=Permission.READ)
def show_label(call: Call, pacticipant: str, label: str) -> Label:
    """Show a pacticipant's label."""
    found = labels.find(call.db, pacticipant, label)
    if found is None:
        raise NotFound
    return found


@router.put(urls.PACTICIPANT_LABEL, permission=Permission.MANAGE_PACTICIPANT)
def add_label(call: Call, pacticipant: str, label: str) -> Created | Updated:
    """Label a pacticipant."""
    call.body(dict)
    found, is_new = registering.label(call.db, pacticipant, label, now=call.now)
    path = urls.PACTICIPANT_LABEL.fill(pacticipant=pacticipant, label=label)
    return Created(found, path) if is_new else Updated(found)


@router.delete(urls.PACTICIPANT_LABEL, permission=Permission.MANAGE_PACTICIPANT)
def remove_label(call: Call, pacticipant: str, label: str) -> Deleted:
    """Take a label off a pacticipant."""
    registering.unlabel(call.db, pacticipant, label)
    return Deleted()
