"""Pages of environments: their versions, history and contacts, and the forms that change them."""

from collections import defaultdict
from collections.abc import Mapping
from typing import Final

from treaty.actions import deployments as deployment_actions
from treaty.errors import Invalid
from treaty.model.contacts import parse_contacts
from treaty.model.deployments import Environment
from treaty.model.overview.environment_grid import GridCell
from treaty.store import deployments
from treaty.store.overview import environment_grid
from treaty.store.pacticipants import pacticipants
from treaty.web import urls
from treaty.web.api.deployments import EnvironmentBody
from treaty.web.http import bodies
from treaty.web.http.page_queries import read_rows_page
from treaty.web.http.request import Request
from treaty.web.http.results import HtmlPage, Redirect
from treaty.web.http.router import Router
from treaty.web.pages import redirect
from treaty.web.pages.deployments import forms
from treaty.web.pages.deployments.forms import EnvironmentFields
from treaty.web.security.permissions import Permission

router = Router()

PAGE_SIZE: Final = 50


@router.page(urls.ENVIRONMENTS, permission=Permission.READ, is_original=False)
def show_environments(request: Request) -> HtmlPage:
    """Show a grid of applications and environments."""
    page = read_rows_page(request, PAGE_SIZE)
    pacticipant_names = environment_grid.list_pacticipants(request.db, request.option("q") or "", page)
    cells: dict[tuple[str, str], list[GridCell]] = defaultdict(list)
    for cell in environment_grid.list_cells(request.db, pacticipant_names.items):
        cells[cell.pacticipant, cell.environment].append(cell)
    return HtmlPage(
        "environments.html",
        {
            "environments": deployments.list_in_pipeline(request.db),
            "names": pacticipant_names.items,
            "total": pacticipant_names.total,
            "page": page,
            "cells": dict(cells),
        },
    )


@router.page(urls.ENVIRONMENT, permission=Permission.READ, is_original=False)
def show_environment(request: Request, uuid: str) -> HtmlPage:
    """Show an environment with its versions and contacts."""
    environment, page = deployments.get(request.db, uuid), read_rows_page(request, PAGE_SIZE)
    return HtmlPage(
        "environment.html",
        {
            "environment": environment,
            "contacts": parse_contacts(environment.contacts),
            "cells": environment_grid.list_cells_in_environment(request.db, uuid, page),
            "page": page,
        },
    )


@router.page(urls.ENVIRONMENT_HISTORY, permission=Permission.READ)
def show_history(request: Request, uuid: str, name: str) -> HtmlPage:
    """Show the deployments and releases of an application to an environment, newest first."""
    environment, page = deployments.get(request.db, uuid), read_rows_page(request, PAGE_SIZE)
    pacticipants.get(request.db, name)
    periods = environment_grid.list_deployment_periods(request.db, name, uuid, page)
    return HtmlPage(
        "environment_history.html", {"environment": environment, "name": name, "page": page, "periods": periods}
    )


# Forms


@router.page(urls.NEW_ENVIRONMENT, permission=Permission.MANAGE_ENVIRONMENT)
def show_new_environment(_request: Request) -> HtmlPage:
    """Show the form for a new environment."""
    return _form(EnvironmentFields())


@router.form(urls.NEW_ENVIRONMENT, permission=Permission.MANAGE_ENVIRONMENT)
def add_environment(request: Request) -> HtmlPage | Redirect:
    """Add an environment."""
    try:
        body = bodies.validate(forms.build_body(request.form), EnvironmentBody)
        new = deployment_actions.add_environment(request.db, body.draft(), now=request.now)
    except Invalid as error:
        return _form(forms.restore_fields(request.form, error.problems), status=error.status)
    return redirect(request, urls.ENVIRONMENT.fill(uuid=new.uuid), done="created")


@router.page(urls.EDIT_ENVIRONMENT, permission=Permission.MANAGE_ENVIRONMENT)
def show_changing_environment(request: Request, uuid: str) -> HtmlPage:
    """Show the form for an existing environment."""
    existing = deployments.get(request.db, uuid)
    return _form(forms.fill_fields(existing), existing)


@router.form(urls.EDIT_ENVIRONMENT, permission=Permission.MANAGE_ENVIRONMENT)
def change_environment(request: Request, uuid: str) -> HtmlPage | Redirect:
    """Replace the properties of an environment."""
    existing = deployments.lock(request.db, uuid)
    try:
        body = bodies.validate(forms.build_body(request.form, existing), EnvironmentBody)
        deployment_actions.change_environment(request.db, existing, body.draft(), now=request.now)
    except Invalid as error:
        return _form(forms.restore_fields(request.form, error.problems), existing, status=error.status)
    return redirect(request, urls.ENVIRONMENT.fill(uuid=uuid), done="saved")


def _form(fields: EnvironmentFields, existing: Environment | None = None, *, status: int = 200) -> HtmlPage:
    return HtmlPage("environment_form.html", {"fields": fields, "existing": existing}, status)


@router.page(urls.DELETE_ENVIRONMENT, permission=Permission.MANAGE_ENVIRONMENT)
def ask_before_removing(request: Request, uuid: str) -> HtmlPage:
    """Show the form that confirms the removal of an environment."""
    return _confirmation(request, deployments.get(request.db, uuid), {})


@router.form(urls.DELETE_ENVIRONMENT, permission=Permission.MANAGE_ENVIRONMENT)
def remove_environment(request: Request, uuid: str) -> HtmlPage | Redirect:
    """Remove an environment, if its name was typed to confirm it."""
    existing = deployments.lock(request.db, uuid)
    if request.form.text("name") != existing.name:
        problems = {"name": [f"must be the environment's name, {existing.name}"]}
        return _confirmation(request, existing, problems, status=400)
    deployment_actions.remove_environment(request.db, uuid)
    return redirect(request, urls.ENVIRONMENTS.fill(), done="deleted")


def _confirmation(
    request: Request, environment: Environment, problems: Mapping[str, list[str]], *, status: int = 200
) -> HtmlPage:
    total = environment_grid.list_cells_in_environment(request.db, environment.uuid, read_rows_page(request, 1)).total
    return HtmlPage(
        "environment_delete.html", {"environment": environment, "total": total, "problems": problems}, status
    )
