"""Branches, and the versions on them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final, NotRequired

from typing_extensions import TypedDict

from treaty.actions.versions import removal, versions
from treaty.actions.versions.removal import RemovedBranches
from treaty.errors import Invalid, NotFound
from treaty.model.paging import Paged
from treaty.model.versions import Branch, BranchVersion, Tag
from treaty.store.pacticipants import pacticipants
from treaty.store.versions import branches
from treaty.web import urls
from treaty.web.api.paging import SEARCH_PARAMETERS, PageState, page_links, page_state, read_page
from treaty.web.hal import represent
from treaty.web.hal.documents import Hal, Link
from treaty.web.hal.shapes import NoticeDocument, Times
from treaty.web.http.bodies import EmptyBody
from treaty.web.http.queries import BLANK, QueryParameter, is_blank
from treaty.web.http.request import Request
from treaty.web.http.results import Accepted, Created, Deleted, Updated
from treaty.web.http.router import Router, link_to
from treaty.web.security.permissions import Permission

router = Router()

DEFAULT_PAGE: Final = (1, 100)
"""Branches are always listed by the page, as there may be very many."""


@dataclass(frozen=True, slots=True)
class Branches:
    """A list of branches of a pacticipant."""

    pacticipant: str
    paged: Paged[Branch]


BranchLinks = TypedDict("BranchLinks", {"self": Link, "pb:latest-version": Link})


class BranchDocument(Times):
    name: str
    _links: BranchLinks


class ListedBranches(TypedDict):
    branches: list[BranchDocument]


BranchesLinks = TypedDict(
    "BranchesLinks",
    {"self": Link, "next": NotRequired[Link], "previous": NotRequired[Link], "pb:branches": list[Link]},
)


class BranchesDocument(PageState):
    _embedded: ListedBranches
    _links: BranchesLinks


class RemovedBranchesDocument(TypedDict):
    notices: list[NoticeDocument]


BranchVersionLinks = TypedDict("BranchVersionLinks", {"self": Link, "pb:branch": Link, "pb:version": Link})


class BranchVersionDocument(Times):
    _links: BranchVersionLinks


class TagLinks(TypedDict):
    self: Link
    version: Link
    pacticipant: Link


class TagDocument(Times):
    name: str
    _links: TagLinks


_BRANCH: Final = {"pacticipant": "$request.path.pacticipant", "branch": "$request.path.branch"}
_BRANCH_LINKS: Final = (
    *link_to(_BRANCH, "show_branch", "list_versions_on_branch", "show_latest_version_on_branch", "remove_branch"),
    *link_to({**_BRANCH, "version": "$request.path.version"}, "show_branch_version", "take_off_branch"),
)


@router.get(urls.BRANCHES, permission=Permission.READ, query=SEARCH_PARAMETERS, response=BranchesDocument)
def list_branches(call: Request, pacticipant: str) -> Branches:
    """List the branches of a pacticipant, those that changed last first."""
    page = read_page(call, DEFAULT_PAGE)
    pacticipants.get(call.db, pacticipant)
    return Branches(pacticipant, branches.list_matching(call.db, pacticipant, like=call.option("q"), page=page))


@router.delete(
    urls.BRANCHES,
    permission=Permission.MANAGE_VERSION,
    query=(QueryParameter("exclude[]", "Branches to keep.", list[str]),),
    response=RemovedBranchesDocument,
)
def remove_branches(call: Request, pacticipant: str) -> Accepted:
    """Remove all branches but the main one and those that are excluded."""
    return Accepted(removal.remove_branches(call.db, pacticipant, keep=_excluded(call)))


def _excluded(call: Request) -> list[str]:
    """Read which branches are to stay. A name without brackets is one too; what is no name is refused."""
    given = call.query.get("exclude", [])
    names = [given] if isinstance(given, str) else given
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise Invalid.member("exclude", "must be an array")
    if any(is_blank(name) for name in names):
        raise Invalid.member("exclude", BLANK)  # the branch that was meant to stay would be removed
    return names


@router.get(urls.BRANCH, permission=Permission.READ, response=BranchDocument)
def show_branch(call: Request, pacticipant: str, branch: str) -> Branch:
    """Show a branch."""
    found = branches.find(call.db, pacticipant, branch)
    if found is None:
        raise NotFound
    return found


@router.delete(urls.BRANCH, permission=Permission.MANAGE_VERSION)
def remove_branch(call: Request, pacticipant: str, branch: str) -> Deleted:
    """Remove a branch; the versions on it stay."""
    removal.remove_branch(call.db, pacticipant, branch)
    return Deleted()


@router.get(urls.BRANCH_VERSION, permission=Permission.READ, response=BranchVersionDocument)
def show_branch_version(call: Request, pacticipant: str, branch: str, version: str) -> BranchVersion:
    """Show a version's place on a branch."""
    found = branches.load_state(call.db, pacticipant, branch, version).branch_version
    if found is None:
        raise NotFound
    return found


@router.put(
    urls.BRANCH_VERSION,
    permission=Permission.MANAGE_VERSION,
    body=EmptyBody,
    response=BranchVersionDocument,
    links=_BRANCH_LINKS,
)
def put_on_branch(call: Request, pacticipant: str, branch: str, version: str) -> Created | Updated:
    """Put a version on a branch, as its head."""
    call.body(dict)
    found, is_new = versions.add_to_branch(call.db, pacticipant, branch, version, now=call.now, settings=call.settings)
    path = urls.BRANCH_VERSION.fill(pacticipant=pacticipant, branch=branch, version=version)
    return Created(found, path) if is_new else Updated(found)


@router.delete(urls.BRANCH_VERSION, permission=Permission.MANAGE_VERSION)
def take_off_branch(call: Request, pacticipant: str, branch: str, version: str) -> Deleted:
    """Take a version off a branch; both stay."""
    removal.remove_from_branch(call.db, pacticipant, branch, version)
    return Deleted()


@represent.register
def branch(one: Branch) -> Hal:
    latest = urls.LATEST_BRANCH_VERSION.fill(pacticipant=one.pacticipant, branch=one.name)
    return Hal(
        state={"name": one.name, **_times(one)},
        links={"self": Link(_path(one), "Branch"), "pb:latest-version": Link(latest, "Latest version for branch")},
    )


def _path(one: Branch) -> str:
    return urls.BRANCH.fill(pacticipant=one.pacticipant, branch=one.name)


@represent.register
def branch_list(listed: Branches) -> Hal:
    path = urls.BRANCHES.fill(pacticipant=listed.pacticipant)
    return Hal(
        state=page_state(listed.paged),
        embedded={"branches": [branch(one) for one in listed.paged.items]},
        links={
            "self": Link(urls.URL_WITH_QUERY_PLACEHOLDER, f"{listed.pacticipant} branches"),
            "pb:branches": [Link(_path(one), name=one.name) for one in listed.paged.items],
            **page_links(listed.paged, path),
        },
    )


@represent.register
def removed_branches(removed: RemovedBranches) -> Hal:
    """Say in the original's words what went. There it goes afterwards; here it has gone already."""
    text = (
        f"Scheduled deletion of {removed.count} branches for pacticipant {removed.pacticipant}."
        f" Remaining branches are: {', '.join(removed.remaining)}"
    )
    return Hal({"notices": [{"type": "success", "text": text}]})


@represent.register
def branch_version(place: BranchVersion) -> Hal:
    names = {"pacticipant": place.pacticipant, "branch": place.branch, "version": place.version}
    number = place.version
    return Hal(
        state=_times(place),
        links={
            "self": Link(urls.BRANCH_VERSION.fill(**names), "Branch version"),
            "pb:branch": Link(
                urls.BRANCH.fill(pacticipant=place.pacticipant, branch=place.branch), "Branch", name=place.branch
            ),
            "pb:version": Link(
                urls.VERSION.fill(pacticipant=place.pacticipant, version=number), "Version", name=number
            ),
        },
    )


@represent.register
def tag(one: Tag) -> Hal:
    names = {"pacticipant": one.pacticipant, "version": one.version}
    return Hal(
        state={"name": one.name, **_times(one)},
        links={
            "self": Link(urls.VERSION_TAG.fill(**names, tag=one.name), "Tag", name=one.name),
            "version": Link(urls.VERSION.fill(**names), "Version", name=one.version),
            "pacticipant": Link(
                urls.PACTICIPANT.fill(pacticipant=one.pacticipant), "Pacticipant", name=one.pacticipant
            ),
        },
    )


def _times(one: Branch | BranchVersion | Tag) -> dict[str, datetime | None]:
    return {
        "updatedAt": one.updated_at if one.updated_at != one.created_at else None,
        "createdAt": one.created_at,
    }
