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
def show_environments(call: Request) -> HtmlPage:
    """Show a grid of applications and environments."""
    page = read_rows_page(call, PAGE_SIZE)
    named = environment_grid.list_pacticipants(call.db, call.option("q") or "", page)
    cells: dict[tuple[str, str], list[GridCell]] = defaultdict(list)
    for one in environment_grid.list_cells(call.db, named.items):
        cells[one.pacticipant, one.environment].append(one)
    return HtmlPage(
        "environments.html",
        {
            "environments": sorted(deployments.list_all(call.db), key=lambda one: one.is_production),
            "names": named.items,
            "total": named.total,
            "page": page,
            "cells": dict(cells),
            "most_newer": MAX_NEWER_COUNT,
        },
    )


@router.page(urls.ENVIRONMENT, permission=Permission.READ, is_original=False)
def show_environment(call: Request, uuid: str) -> HtmlPage:
    """Show an environment: what is in it, and whom to ask about it."""
    one, page = deployments.get(call.db, uuid), read_rows_page(call, PAGE_SIZE)
    facts = {"one": one, "contacts": parse_contacts(one), "page": page, "most_newer": MAX_NEWER_COUNT}
    return HtmlPage(
        "environment.html", {**facts, "found": environment_grid.list_cells_in_environment(call.db, uuid, page)}
    )


@router.page(urls.ENVIRONMENT_HISTORY, permission=Permission.READ)
def show_history(call: Request, uuid: str, name: str) -> HtmlPage:
    """Show what has been of an application in an environment over time."""
    one, page = deployments.get(call.db, uuid), read_rows_page(call, PAGE_SIZE)
    pacticipants.get(call.db, name, "pacticipant")
    facts = {"one": one, "name": name, "page": page}
    return HtmlPage(
        "environment_history.html",
        {**facts, "found": environment_grid.list_deployment_periods(call.db, name, uuid, page)},
    )


# Forms


@router.page(urls.NEW_ENVIRONMENT, permission=Permission.READ)
def show_new_environment(_call: Request) -> HtmlPage:
    """Show the form for a new environment."""
    return _form(EnvironmentFields())


@router.form(urls.NEW_ENVIRONMENT, permission=Permission.MANAGE_ENVIRONMENT)
def add_environment(call: Request) -> HtmlPage | Redirect:
    """Add an environment."""
    try:
        body = bodies.validate(forms.build_body(call.form), EnvironmentBody)
        new = deployment_actions.add_environment(call.db, body.draft(), now=call.now)
    except Invalid as error:
        return _form(forms.restore_fields(call.form, error.problems), status=error.status)
    return redirect(call, urls.ENVIRONMENT.fill(uuid=new.uuid), done="created")


@router.page(urls.EDIT_ENVIRONMENT, permission=Permission.READ)
def show_changing_environment(call: Request, uuid: str) -> HtmlPage:
    """Show the form for what is said about an environment."""
    existing = deployments.get(call.db, uuid)
    return _form(forms.fill_fields(existing), existing)


@router.form(urls.EDIT_ENVIRONMENT, permission=Permission.MANAGE_ENVIRONMENT)
def change_environment(call: Request, uuid: str) -> HtmlPage | Redirect:
    """Replace what is said about an environment."""
    existing = deployments.lock(call.db, uuid)
    try:
        body = bodies.validate(forms.build_body(call.form, existing), EnvironmentBody)
        deployment_actions.change_environment(call.db, existing, body.draft(), now=call.now)
    except Invalid as error:
        return _form(forms.restore_fields(call.form, error.problems), existing, status=error.status)
    return redirect(call, urls.ENVIRONMENT.fill(uuid=uuid), done="saved")


def _form(fields: EnvironmentFields, existing: Environment | None = None, *, status: int = 200) -> HtmlPage:
    return HtmlPage("environment_form.html", {"fields": fields, "existing": existing}, status)


@router.page(urls.DELETE_ENVIRONMENT, permission=Permission.READ)
def ask_before_removing(call: Request, uuid: str) -> HtmlPage:
    """Ask for the name of an environment before it is deleted."""
    return _question(call, deployments.get(call.db, uuid), {})


@router.form(urls.DELETE_ENVIRONMENT, permission=Permission.MANAGE_ENVIRONMENT)
def remove_environment(call: Request, uuid: str) -> HtmlPage | Redirect:
    """Remove an environment whose name was typed."""
    existing = deployments.lock(call.db, uuid)
    if call.form.text("name") != existing.name:
        problems = {"name": [f"must be the environment's name, {existing.name}"]}
        return _question(call, existing, problems, status=400)
    deployment_actions.remove_environment(call.db, uuid)
    return redirect(call, urls.ENVIRONMENTS.fill(), done="deleted")


def _question(call: Request, one: Environment, problems: Mapping[str, list[str]], *, status: int = 200) -> HtmlPage:
    total = environment_grid.list_cells_in_environment(call.db, one.uuid, read_rows_page(call, 1)).total
    return HtmlPage("environment_delete.html", {"one": one, "total": total, "problems": problems}, status)
