"""Forms that change, rename or remove an application."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from treaty.actions.pacticipants import pacticipants as pacticipant_actions
from treaty.actions.pacticipants.renaming import rename_pacticipant
from treaty.errors import Conflict, Invalid
from treaty.model.pacticipants.pacticipants import Pacticipant
from treaty.model.paging import Page
from treaty.store.overview import overview
from treaty.store.pacticipants import pacticipants
from treaty.store.versions import details
from treaty.web import urls
from treaty.web.api.pacticipants.pacticipants import NewPacticipantBody
from treaty.web.http import bodies
from treaty.web.http.forms import Form
from treaty.web.http.request import Request
from treaty.web.http.results import HtmlPage, Redirect
from treaty.web.http.router import Router
from treaty.web.pages import problems_by_field, redirect
from treaty.web.pages.contacts import ContactFields, build_contacts, fill_contacts, read_contacts, with_empty_rows
from treaty.web.security.permissions import Permission

router = Router()

_TEXT_MEMBERS: Final = ("displayName", "mainBranch", "repositoryUrl")


@dataclass(frozen=True, kw_only=True, slots=True)
class PacticipantFields:
    """The contents of the form's fields."""

    name: str
    display_name: str
    main_branch: str
    repository_url: str
    contacts: tuple[ContactFields, ...]
    allows_similar_names: bool = False
    problems: Mapping[str, list[str]] = field(default_factory=dict)
    """Error messages by field."""

    @property
    def rows(self) -> tuple[ContactFields, ...]:
        return with_empty_rows(self.contacts)


@router.page(urls.EDIT_PACTICIPANT, permission=Permission.MANAGE_PACTICIPANT)
def show_changing_pacticipant(request: Request, name: str) -> HtmlPage:
    """Show the form for an application."""
    return _form(name, _fill_fields(pacticipants.get(request.db, name)))


@router.form(urls.EDIT_PACTICIPANT, permission=Permission.MANAGE_PACTICIPANT)
def change_pacticipant(request: Request, name: str) -> HtmlPage | Redirect:
    """Change the properties of an application, and rename it if it has another name in the form."""
    existing = pacticipants.get(request.db, name)
    try:
        body = bodies.validate(_build_body(request.form, existing), NewPacticipantBody)
        # Renaming comes first: it can fail, and the transaction is not rolled back.
        if body.name != name:
            rename_pacticipant(
                request.db,
                name,
                body.name,
                now=request.now,
                settings=request.settings,
                allows_similar_names=request.form.has("allowSimilarNames"),
            )
    except (Invalid, Conflict) as error:
        return _form(name, _restore_fields(request.form, error), status=400)
    description = body.properties(only_given=True)
    pacticipant_actions.save_description(request.db, body.name, description, now=request.now)
    return redirect(request, urls.PACTICIPANT.fill(pacticipant=body.name), done="saved")


def _form(name: str, fields: PacticipantFields, *, status: int = 200) -> HtmlPage:
    return HtmlPage("pacticipant_form.html", {"name": name, "fields": fields}, status)


def _fill_fields(existing: Pacticipant) -> PacticipantFields:
    return PacticipantFields(
        name=existing.name,
        display_name=existing.display_name,
        main_branch=existing.main_branch or "",
        repository_url=existing.repository_url or "",
        contacts=fill_contacts(existing.contacts),
    )


def _restore_fields(form: Form, error: Invalid | Conflict) -> PacticipantFields:
    """Return the fields as they were submitted, with the error messages."""
    return PacticipantFields(
        name=form.raw("name"),
        display_name=form.raw("displayName"),
        main_branch=form.raw("mainBranch"),
        repository_url=form.raw("repositoryUrl"),
        contacts=read_contacts(form),
        allows_similar_names=form.has("allowSimilarNames"),
        problems=problems_by_field(error, "name"),
    )


def _build_body(form: Form, existing: Pacticipant) -> dict[str, object]:
    """Build the request body that a client of the API would send. Raises Invalid."""
    texts = {member: form.text(member) or None for member in _TEXT_MEMBERS}
    return {"name": form.text("name"), **texts, **build_contacts(form, had_any=existing.contacts is not None)}


# Removal


@router.page(urls.DELETE_PACTICIPANT, permission=Permission.MANAGE_PACTICIPANT)
def ask_before_removing(request: Request, name: str) -> HtmlPage:
    """Show the form that confirms the removal of an application."""
    return _confirmation(request, name, {})


@router.form(urls.DELETE_PACTICIPANT, permission=Permission.MANAGE_PACTICIPANT)
def remove_pacticipant(request: Request, name: str) -> HtmlPage | Redirect:
    """Remove an application, if its name was typed to confirm it."""
    if request.form.text("name") != name.strip():
        return _confirmation(request, name, {"name": [f"must be the application's name, {name}"]}, status=400)
    pacticipant_actions.remove_pacticipant(request.db, name)
    return redirect(request, urls.INDEX.fill(), done="deleted")


def _confirmation(request: Request, name: str, problems: Mapping[str, list[str]], *, status: int = 200) -> HtmlPage:
    context = {
        "found": pacticipants.get_details(request.db, name),
        "name": name,
        "total": details.list_all(request.db, name, Page(1, 1)).total,
        "consumes": overview.list_of_pacticipant(request.db, name, role="consumer"),
        "provides": overview.list_of_pacticipant(request.db, name, role="provider"),
        "problems": problems,
    }
    return HtmlPage("pacticipant_delete.html", context, status)
