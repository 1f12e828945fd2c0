"""The page of an application: its consumers and providers, its versions, and the question whether one can deploy."""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import Connection

from treaty.model.contacts import Contact, parse_contacts
from treaty.model.deployments import Environment, sort_by_pipeline
from treaty.model.pacticipants.pacticipants import PacticipantDetails
from treaty.model.pacts import provider_states
from treaty.model.pacts.lists import PactsOnBranch
from treaty.model.paging import Page, Paged
from treaty.model.versions import VersionDetails
from treaty.store import deployments
from treaty.store.overview import history, overview
from treaty.store.pacticipants import pacticipants
from treaty.store.pacts import lists
from treaty.store.provider_contracts import contracts
from treaty.store.versions import branches, details
from treaty.web import urls
from treaty.web.http.page_queries import read_rows_page
from treaty.web.http.request import Request
from treaty.web.http.results import HtmlPage
from treaty.web.http.router import Router
from treaty.web.pages.audit import load_recent_changes
from treaty.web.pages.decisions.questions import answer_question
from treaty.web.security.permissions import Permission

router = Router()

PAGE_SIZE: Final = 25
MAX_INTEGRATIONS: Final = 50
"""Maximum number of consumers, and of providers, that the page lists unless all are requested."""
BRANCHES_PAGE: Final = Page(1, 200)
"""Branches in the filter of versions; the most recently changed ones."""


@router.page(urls.PACTICIPANT, permission=Permission.READ)
def show_pacticipant(request: Request, name: str) -> HtmlPage:
    """Show an application with its versions, or with the provider states that its consumers use."""
    pacticipant, environments = pacticipants.get_details(request.db, name), deployments.list_in_pipeline(request.db)
    context = {
        "found": pacticipant,
        "name": name,
        "consumes": overview.list_of_pacticipant(request.db, name, role="consumer"),
        "provides": overview.list_of_pacticipant(request.db, name, role="provider"),
        "environments": environments,
        "own_contacts": parse_contacts(pacticipant.pacticipant.contacts),
        "contacts": _list_contacts(pacticipant),
    }
    if request.option("show") == "states":
        return HtmlPage(
            "provider_states.html", {**context, "states": _provider_states(request.db, name), "tab": "states"}
        )
    page = read_rows_page(request, PAGE_SIZE)
    versions = _list_versions(request, name, page)
    numbers = [version.number for version in versions.items]
    return HtmlPage(
        "pacticipant.html",
        {
            **context,
            "tab": "versions",
            "integrations_shown": MAX_INTEGRATIONS,
            "versions": versions.items,
            "page": page,
            "total": versions.total,
            "tallies": history.count_results(request.db, name, numbers),
            "numbers_with_contract": contracts.list_versions_with_contract(request.db, name, numbers),
            "branches": [
                branch.name for branch in branches.list_matching(request.db, name, like=None, page=BRANCHES_PAGE).items
            ],
            "question": answer_question(request, pacticipant, environments),
            **load_recent_changes(request, name),
        },
    )


def _list_contacts(pacticipant: PacticipantDetails) -> list[tuple[Environment, list[Contact]]]:
    """List the environments to which an application is deployed, with their contacts, if they have any."""
    # Once for each environment, even if several application instances are deployed to it.
    environments = {deployed.environment.uuid: deployed.environment for deployed in pacticipant.deployed_versions or ()}
    ordered = sort_by_pipeline(environments.values())
    contacts = ((environment, parse_contacts(environment.contacts)) for environment in ordered)
    return [
        (environment, environment_contacts) for environment, environment_contacts in contacts if environment_contacts
    ]


def _list_versions(request: Request, name: str, page: Page) -> Paged[VersionDetails]:
    branch, tag = request.option("branch"), request.option("tag")
    if branch:
        return details.list_on_branch(request.db, name, branch, page)
    if tag:
        return details.list_with_tag(request.db, name, tag, page)
    return details.list_all(request.db, name, page)


def _provider_states(db: Connection, name: str) -> Sequence[provider_states.ProviderState]:
    """List the provider states in the pacts of the heads of the consumers' main branches."""
    main_branch_heads = PactsOnBranch(name=None, is_head=True)
    bodies = lists.list_bodies_of_provider(db, name, main_branch_heads)
    return provider_states.collect_provider_states(bodies).states
