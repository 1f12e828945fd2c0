"""Environments as pages: what is where and since when, whom to ask, and the forms that change them."""

from collections import defaultdict
from collections.abc import Mapping
from typing import Final

from treaty.actions import deployments as deployment_actions
from treaty.errors import Invalid
from treaty.model.deployments import Environment, parse_contacts
from treaty.model.overview.environment_grid import MAX_NEWER_COUNT, GridCell
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
    named = environment_grid.list_pacticipants(request.db, request.option("q") or "", page)
    cells: dict[tuple[str, str], list[GridCell]] = defaultdict(list)
    for one in environment_grid.list_cells(request.db, named.items):
        cells[one.pacticipant, one.environment].append(one)
    return HtmlPage(
        "environments.html",
        {
            "environments": sorted(deployments.list_all(request.db), key=lambda one: one.is_production),
            "names": named.items,
            "total": named.total,
            "page": page,
            "cells": dict(cells),
            "most_newer": MAX_NEWER_COUNT,
        },
    )


@router.page(urls.ENVIRONMENT, permission=Permission.READ, is_original=False)
def show_environment(request: Request, uuid: str) -> HtmlPage:
    """Show an environment: what is in it, and whom to ask about it."""
    one, page = deployments.get(request.db, uuid), read_rows_page(request, PAGE_SIZE)
    facts = {"one": one, "contacts": parse_contacts(one), "page": page, "most_newer": MAX_NEWER_COUNT}
    return HtmlPage(
        "environment.html", {**facts, "found": environment_grid.list_cells_in_environment(request.db, uuid, page)}
    )


@router.page(urls.ENVIRONMENT_HISTORY, permission=Permission.READ)
def show_history(request: Request, uuid: str, name: str) -> HtmlPage:
    """Show what has been of an application in an environment over time."""
    one, page = deployments.get(request.db, uuid), read_rows_page(request, PAGE_SIZE)
    pacticipants.get(request.db, name, "pacticipant")
    facts = {"one": one, "name": name, "page": page}
    return HtmlPage(
        "environment_history.html",
        {**facts, "found": environment_grid.list_deployment_periods(request.db, name, uuid, page)},
    )


# Forms


@router.page(urls.NEW_ENVIRONMENT, permission=Permission.READ)
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


@router.page(urls.EDIT_ENVIRONMENT, permission=Permission.READ)
def show_changing_environment(request: Request, uuid: str) -> HtmlPage:
    """Show the form for what is said about an environment."""
    existing = deployments.get(request.db, uuid)
    return _form(forms.fill_fields(existing), existing)


@router.form(urls.EDIT_ENVIRONMENT, permission=Permission.MANAGE_ENVIRONMENT)
def change_environment(request: Request, uuid: str) -> HtmlPage | Redirect:
    """Replace what is said about an environment."""
    existing = deployments.lock(request.db, uuid)
    try:
        body = bodies.validate(forms.build_body(request.form, existing), EnvironmentBody)
        deployment_actions.change_environment(request.db, existing, body.draft(), now=request.now)
    except Invalid as error:
        return _form(forms.restore_fields(request.form, error.problems), existing, status=error.status)
    return redirect(request, urls.ENVIRONMENT.fill(uuid=uuid), done="saved")


def _form(fields: EnvironmentFields, existing: Environment | None = None, *, status: int = 200) -> HtmlPage:
    return HtmlPage("environment_form.html", {"fields": fields, "existing": existing}, status)


@router.page(urls.DELETE_ENVIRONMENT, permission=Permission.READ)
def ask_before_removing(request: Request, uuid: str) -> HtmlPage:
    """Ask for the name of an environment before it is deleted."""
    return _question(request, deployments.get(request.db, uuid), {})


@router.form(urls.DELETE_ENVIRONMENT, permission=Permission.MANAGE_ENVIRONMENT)
def remove_environment(request: Request, uuid: str) -> HtmlPage | Redirect:
    """Remove an environment whose name was typed."""
    existing = deployments.lock(request.db, uuid)
    if request.form.text("name") != existing.name:
        problems = {"name": [f"must be the environment's name, {existing.name}"]}
        return _question(request, existing, problems, status=400)
    deployment_actions.remove_environment(request.db, uuid)
    return redirect(request, urls.ENVIRONMENTS.fill(), done="deleted")


def _question(request: Request, one: Environment, problems: Mapping[str, list[str]], *, status: int = 200) -> HtmlPage:
    total = environment_grid.list_cells_in_environment(request.db, one.uuid, read_rows_page(request, 1)).total
    return HtmlPage("environment_delete.html", {"one": one, "total": total, "problems": problems}, status)
