"""The page of an application: what it consumes and provides, its versions, and where they may go."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from sqlalchemy import Connection

from treaty.actions.pacticipants import pacticipants as pacticipant_actions
from treaty.errors import NotFound
from treaty.model.decisions.matrix import Verdict, decide
from treaty.model.decisions.queries import Destination, build_deployment_query
from treaty.model.decisions.selectors import Selector
from treaty.model.deployments import Contact, Environment, parse_contacts
from treaty.model.pacticipants.pacticipants import PacticipantDetails
from treaty.model.pacts import provider_states
from treaty.model.pacts.lists import PactsOnBranch
from treaty.model.paging import Page as Part
from treaty.model.paging import Paged
from treaty.model.versions import VersionDetails
from treaty.store import deployments
from treaty.store.decisions import matrix, selectors
from treaty.store.overview import history, overview
from treaty.store.pacticipants import pacticipants
from treaty.store.pacts import lists
from treaty.store.versions import branches, details
from treaty.web import urls
from treaty.web.http.page_queries import read_rows_page
from treaty.web.http.request import Request
from treaty.web.http.results import HtmlPage, Redirect
from treaty.web.http.router import Router
from treaty.web.pages import redirect
from treaty.web.pages.decisions.verdicts import describe_reasons
from treaty.web.security.permissions import Permission

router = Router()

PAGE_SIZE: Final = 25
BRANCHES_PAGE: Final = Part(1, 200)
MAX_ROWS: Final = 100
"""Rows that an answer reads; where there are more, the database counts them."""


@router.page(urls.PACTICIPANT, permission=Permission.READ)
def show_pacticipant(call: Request, name: str) -> HtmlPage:
    """Show an application: by default its versions, else the provider states that others ask of it."""
    found, known = pacticipants.get_details(call.db, name), deployments.list_all(call.db)
    facts = {
        "found": found,
        "name": name,
        "consumes": overview.list_of_pacticipant(call.db, name, role="consumer"),
        "provides": overview.list_of_pacticipant(call.db, name, role="provider"),
        "environments": known,
        "contacts": _contacts(found),
    }
    if call.option("show") == "states":
        return HtmlPage("provider_states.html", {**facts, "states": _states(call.db, name), "tab": "states"})
    page = read_rows_page(call, PAGE_SIZE)
    listed = _versions(call, name, page)
    return HtmlPage(
        "pacticipant.html",
        {
            **facts,
            "tab": "versions",
            "versions": listed.items,
            "page": page,
            "total": listed.total,
            "tallies": history.count_results(call.db, name, [one.number for one in listed.items]),
            "branches": [
                one.name for one in branches.list_matching(call.db, name, like=None, page=BRANCHES_PAGE).items
            ],
            "answer": _answer(call, name, known),
        },
    )


def _contacts(found: PacticipantDetails) -> list[tuple[Environment, list[Contact]]]:
    """List whom to ask about the environments where an application runs."""
    places = {one.environment.uuid: one.environment for one in found.deployed_versions or ()}
    asked = ((one, parse_contacts(one)) for one in places.values())
    return [(one, contacts) for one, contacts in asked if contacts]


@router.page(urls.DELETE_PACTICIPANT, permission=Permission.READ)
def ask_before_removing(call: Request, name: str) -> HtmlPage:
    """Ask for the name of an application before it is deleted."""
    return _question(call, name, {})


@router.form(urls.DELETE_PACTICIPANT, permission=Permission.MANAGE_PACTICIPANT)
def remove_pacticipant(call: Request, name: str) -> HtmlPage | Redirect:
    """Remove an application whose name was typed."""
    if call.form.text("name") != name.strip():
        return _question(call, name, {"name": [f"must be the application's name, {name}"]}, status=400)
    pacticipant_actions.remove_pacticipant(call.db, name)
    return redirect(call, urls.INDEX.fill(), done="deleted")


def _question(call: Request, name: str, problems: Mapping[str, list[str]], *, status: int = 200) -> HtmlPage:
    facts = {
        "found": pacticipants.get_details(call.db, name),
        "name": name,
        "total": details.list_all(call.db, name, Part(1, 1)).total,
        "consumes": overview.list_of_pacticipant(call.db, name, role="consumer"),
        "provides": overview.list_of_pacticipant(call.db, name, role="provider"),
        "problems": problems,
    }
    return HtmlPage("pacticipant_delete.html", facts, status)


def _versions(call: Request, name: str, page: Part) -> Paged[VersionDetails]:
    branch, tag = call.option("branch"), call.option("tag")
    if branch:
        return details.list_on_branch(call.db, name, branch, page)
    if tag:
        return details.list_with_tag(call.db, name, tag, page)
    return details.list_all(call.db, name, page)


def _states(db: Connection, name: str) -> Sequence[provider_states.ProviderState]:
    return provider_states.collect_provider_states(
        lists.list_bodies_of_provider(db, name, PactsOnBranch(name=None, is_head=True))
    ).states


def _answer(call: Request, name: str, known: Sequence[Environment]) -> dict[str, object] | None:
    """Say whether the version asked about can be deployed, if one is asked about."""
    version, to = call.option("version"), call.option("to")
    if not version or not to:
        return None
    if to not in {one.name for one in known}:
        raise NotFound.named("environment", to)
    verdict = _decided(call.db, Selector(pacticipant=name, version=version), to)
    return {
        "version": version,
        "to": next(one for one in known if one.name == to),
        "deployable": verdict.summary.deployable,
        "reasons": describe_reasons(verdict.reasons),
    }


def _decided(db: Connection, selector: Selector, to: str) -> Verdict:
    question = replace(build_deployment_query(selector, Destination(environment=to)), limit=MAX_ROWS)
    return decide(question, matrix.load_facts(db, question, selectors.load_named_ids(db, question.selectors)).facts)
