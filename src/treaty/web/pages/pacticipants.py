"""The page of an application: what it consumes and provides, its versions, and where they may go."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from sqlalchemy import Connection

from treaty.actions.pacticipants import pacticipants as pacticipant_actions
from treaty.errors import NotFound
from treaty.model.decisions.matrix import Verdict, decide
from treaty.model.decisions.questions import Destination, deployment
from treaty.model.decisions.selectors import Selector
from treaty.model.deployments import Contact, Environment, contacts_of
from treaty.model.pacticipants.pacticipants import PacticipantInFull
from treaty.model.pacts import provider_states
from treaty.model.pacts.lists import OnBranch
from treaty.model.paging import Page as Part
from treaty.model.paging import Paged
from treaty.model.versions import VersionInFull
from treaty.store import deployments
from treaty.store.decisions import matrix, selectors
from treaty.store.overview import history, overview
from treaty.store.pacticipants import pacticipants
from treaty.store.pacts import lists
from treaty.store.versions import branches, details
from treaty.web import urls
from treaty.web.http.page_queries import part_of
from treaty.web.http.request import Call
from treaty.web.http.results import Page, Redirected
from treaty.web.http.router import Router
from treaty.web.pages import sent_on
from treaty.web.pages.decisions.verdicts import told
from treaty.web.security.permissions import Permission

router = Router()

SIZE: Final = 25
MOST_BRANCHES: Final = Part(1, 200)
MOST_ROWS: Final = 100
"""Rows that an answer reads; where there are more, the database counts them."""


@router.page(urls.PACTICIPANT, permission=Permission.READ)
def show_pacticipant(call: Call, name: str) -> Page:
    """Show an application: by default its versions, else the provider states that others ask of it."""
    found, known = pacticipants.get_in_full(call.db, name), deployments.every(call.db)
    facts = {
        "found": found,
        "name": name,
        "consumes": overview.of_pacticipant(call.db, name, role="consumer"),
        "provides": overview.of_pacticipant(call.db, name, role="provider"),
        "environments": known,
        "contacts": _contacts(found),
    }
    if call.option("show") == "states":
        return Page("provider_states.html", {**facts, "states": _states(call.db, name), "tab": "states"})
    page = part_of(call, SIZE)
    listed = _versions(call, name, page)
    return Page(
        "pacticipant.html",
        {
            **facts,
            "tab": "versions",
            "versions": listed.items,
            "page": page,
            "total": listed.total,
            "tallies": history.tallies(call.db, name, [one.number for one in listed.items]),
            "branches": [one.name for one in branches.every(call.db, name, like=None, page=MOST_BRANCHES).items],
            "answer": _answer(call, name, known),
        },
    )


def _contacts(found: PacticipantInFull) -> list[tuple[Environment, list[Contact]]]:
    """List whom to ask about the environments where an application runs."""
    places = {one.environment.uuid: one.environment for one in found.running or ()}
    asked = ((one, contacts_of(one)) for one in places.values())
    return [(one, contacts) for one, contacts in asked if contacts]


@router.page(urls.DELETE_PACTICIPANT, permission=Permission.READ)
def ask_before_removing(call: Call, name: str) -> Page:
    """Ask for the name of an application before it is deleted."""
    return _question(call, name, {})


@router.form(urls.DELETE_PACTICIPANT, permission=Permission.MANAGE_PACTICIPANT)
def remove_pacticipant(call: Call, name: str) -> Page | Redirected:
    """Remove an application whose name was typed."""
    if call.form.text("name") != name.strip():
        return _question(call, name, {"name": [f"must be the application's name, {name}"]}, status=400)
    pacticipant_actions.remove(call.db, name)
    return sent_on(call, urls.INDEX.fill(), done="deleted")


def _question(call: Call, name: str, problems: Mapping[str, list[str]], *, status: int = 200) -> Page:
    facts = {
        "found": pacticipants.get_in_full(call.db, name),
        "name": name,
        "total": details.every(call.db, name, Part(1, 1)).total,
        "consumes": overview.of_pacticipant(call.db, name, role="consumer"),
        "provides": overview.of_pacticipant(call.db, name, role="provider"),
        "problems": problems,
    }
    return Page("pacticipant_delete.html", facts, status)


def _versions(call: Call, name: str, page: Part) -> Paged[VersionInFull]:
    branch, tag = call.option("branch"), call.option("tag")
    if branch:
        return details.on_branch(call.db, name, branch, page)
    if tag:
        return details.with_tag(call.db, name, tag, page)
    return details.every(call.db, name, page)


def _states(db: Connection, name: str) -> Sequence[provider_states.ProviderState]:
    return provider_states.of_pacts(lists.bodies_of_provider(db, name, OnBranch(name=None, is_head=True))).states


def _answer(call: Call, name: str, known: Sequence[Environment]) -> dict[str, object] | None:
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
        "reasons": told(verdict.reasons),
    }


def _decided(db: Connection, selector: Selector, to: str) -> Verdict:
    question = replace(deployment(selector, Destination(environment=to)), limit=MOST_ROWS)
    return decide(question, matrix.facts(db, question, selectors.named(db, question.selectors)).facts)
