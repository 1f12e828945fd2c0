"""Branches and their versions: handlers and representation, and the representation of tags."""

from dataclasses import dataclass
from typing import Final, NotRequired

from typing_extensions import TypedDict

from treaty.actions.versions import removal
from treaty.actions.versions.removal import RemovedBranches, remove_from_branch
from treaty.actions.versions.versions import add_to_branch
from treaty.errors import Invalid, NotFound
from treaty.model.paging import Paged
from treaty.model.versions import Branch, BranchVersion, Tag
from treaty.store.pacticipants import pacticipants
from treaty.store.versions import branches
from treaty.web import urls
from treaty.web.api.paging import SEARCH_PARAMETERS, PageState, page_links, page_state, read_page
from treaty.web.api.timestamps import timestamps
from treaty.web.hal import represent
from treaty.web.hal.documents import Hal, Link
from treaty.web.hal.shapes import NoticeDocument, Times
from treaty.web.http.bodies import EmptyBody
from treaty.web.http.queries import BLANK, QueryParameter, is_blank
from treaty.web.http.request import Request
from treaty.web.http.results import Accepted, Created, Deleted, Updated
from treaty.web.http.router import Router, link_to
from treaty.web.security.permissions import BUILD_SCOPES, Permission

router = Router()

DEFAULT_PAGE: Final = (1, 100)
"""Number and size. Unlike other lists, that of branches always has pages, because there may be very many branches."""


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
def list_branches(request: Request, pacticipant: str) -> Branches:
    """List the branches of a pacticipant, the most recently changed first."""
    page = read_page(request, DEFAULT_PAGE)
    pacticipants.get(request.db, pacticipant)
    return Branches(pacticipant, branches.list_matching(request.db, pacticipant, like=request.option("q"), page=page))


@router.delete(
    urls.BRANCHES,
    permission=Permission.MANAGE_VERSION,
    query=(QueryParameter("exclude[]", "Branches to keep.", list[str]),),
    response=RemovedBranchesDocument,
)
def remove_branches(request: Request, pacticipant: str) -> Accepted:
    """Remove all branches except the main branch and those in the parameter `exclude`."""
    return Accepted(removal.remove_branches(request.db, pacticipant, keep=_excluded(request)))


def _excluded(request: Request) -> list[str]:
    """Read the branches to keep, from `exclude[]` or a single `exclude`. Raises Invalid for anything else.

    Ignoring an invalid value would remove branches that the client wanted to keep.
    """
    value = request.query.get("exclude", [])
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise Invalid.member("exclude", "must be an array")
    if any(is_blank(name) for name in names):
        raise Invalid.member("exclude", BLANK)
    return names


@router.get(urls.BRANCH, permission=Permission.READ, response=BranchDocument)
def show_branch(request: Request, pacticipant: str, branch: str) -> Branch:
    """Show a branch."""
    existing_branch = branches.find(request.db, pacticipant, branch)
    if existing_branch is None:
        raise NotFound
    return existing_branch


@router.delete(urls.BRANCH, permission=Permission.MANAGE_VERSION)
def remove_branch(request: Request, pacticipant: str, branch: str) -> Deleted:
    """Remove a branch; its versions stay."""
    removal.remove_branch(request.db, pacticipant, branch)
    return Deleted()


@router.get(urls.BRANCH_VERSION, permission=Permission.READ, response=BranchVersionDocument)
def show_branch_version(request: Request, pacticipant: str, branch: str, version: str) -> BranchVersion:
    """Show the membership of a version in a branch."""
    existing = branches.load_state(request.db, pacticipant, branch, version).branch_version
    if existing is None:
        raise NotFound
    return existing


@router.put(
    urls.BRANCH_VERSION,
    permission=Permission.MANAGE_VERSION,
    scopes=BUILD_SCOPES,
    application="pacticipant",
    body=EmptyBody,
    response=BranchVersionDocument,
    links=_BRANCH_LINKS,
)
def put_on_branch(request: Request, pacticipant: str, branch: str, version: str) -> Created | Updated:
    """Add a version to a branch, as its head."""
    request.body(dict)  # nothing in it is used, but it must be valid JSON
    added, is_new = add_to_branch(request.db, pacticipant, branch, version, now=request.now, settings=request.settings)
    path = urls.BRANCH_VERSION.fill(pacticipant=pacticipant, branch=branch, version=version)
    return Created(added, path) if is_new else Updated(added)


@router.delete(urls.BRANCH_VERSION, permission=Permission.MANAGE_VERSION)
def take_off_branch(request: Request, pacticipant: str, branch: str, version: str) -> Deleted:
    """Remove a version from a branch; both stay."""
    remove_from_branch(request.db, pacticipant, branch, version)
    return Deleted()


@represent.register
def single_branch(branch: Branch) -> Hal:
    latest_path = urls.LATEST_BRANCH_VERSION.fill(pacticipant=branch.pacticipant, branch=branch.name)
    return Hal(
        state={"name": branch.name, **timestamps(branch)},
        links={
            "self": Link(_path(branch), "Branch"),
            "pb:latest-version": Link(latest_path, "Latest version for branch"),
        },
    )


def _path(branch: Branch) -> str:
    return urls.BRANCH.fill(pacticipant=branch.pacticipant, branch=branch.name)


@represent.register
def branch_list(page: Branches) -> Hal:
    path = urls.BRANCHES.fill(pacticipant=page.pacticipant)
    return Hal(
        state=page_state(page.paged),
        embedded={"branches": [single_branch(branch) for branch in page.paged.items]},
        links={
            "self": Link(urls.URL_WITH_QUERY_PLACEHOLDER, f"{page.pacticipant} branches"),
            "pb:branches": [Link(_path(branch), name=branch.name) for branch in page.paged.items],
            **page_links(page.paged, path),
        },
    )


@represent.register
def removed_branches(removed: RemovedBranches) -> Hal:
    """Report the removal with the original broker's text, although the branches are already removed here."""
    text = (
        f"Scheduled deletion of {removed.count} branches for pacticipant {removed.pacticipant}."
        f" Remaining branches are: {', '.join(removed.remaining)}"
    )
    return Hal({"notices": [{"type": "success", "text": text}]})


@represent.register
def single_branch_version(branch_version: BranchVersion) -> Hal:
    pacticipant, branch, version = branch_version.pacticipant, branch_version.branch, branch_version.version
    self_path = urls.BRANCH_VERSION.fill(pacticipant=pacticipant, branch=branch, version=version)
    return Hal(
        state=timestamps(branch_version),
        links={
            "self": Link(self_path, "Branch version"),
            "pb:branch": Link(urls.BRANCH.fill(pacticipant=pacticipant, branch=branch), "Branch", name=branch),
            "pb:version": Link(urls.VERSION.fill(pacticipant=pacticipant, version=version), "Version", name=version),
        },
    )


@represent.register
def single_tag(tag: Tag) -> Hal:
    pacticipant, version = tag.pacticipant, tag.version
    self_path = urls.VERSION_TAG.fill(pacticipant=pacticipant, version=version, tag=tag.name)
    return Hal(
        state={"name": tag.name, **timestamps(tag)},
        links={
            "self": Link(self_path, "Tag", name=tag.name),
            "version": Link(urls.VERSION.fill(pacticipant=pacticipant, version=version), "Version", name=version),
            "pacticipant": Link(urls.PACTICIPANT.fill(pacticipant=pacticipant), "Pacticipant", name=pacticipant),
        },
    )
