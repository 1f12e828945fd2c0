"""Branches, and the versions on them."""

from typing import Final

from treaty.actions.versions import removal, versions
from treaty.errors import Invalid, NotFound
from treaty.model.versions import Branch, BranchVersion
from treaty.store.pacticipants import pacticipants
from treaty.store.versions import branches
from treaty.web import urls
from treaty.web.api.versions.branches_representation import Branches
from treaty.web.hal.paging import wanted_page
from treaty.web.http.queries import BLANK, is_blank
from treaty.web.routing import Accepted, Call, Created, Deleted, Permission, Router, Updated

router = Router()

FIRST_PAGE: Final = (1, 100)
"""Branches are always listed by the page, as there may be very many."""


@router.get(urls.BRANCHES, permission=Permission.READ)
def list_branches(call: Call, pacticipant: str) -> Branches:
    """List the branches of a pacticipant, those that changed last first."""
    page = wanted_page(call, FIRST_PAGE)
    pacticipants.get(call.db, pacticipant)
    return Branches(pacticipant, branches.every(call.db, pacticipant, like=call.option("q"), page=page))


@router.delete(urls.BRANCHES, permission=Permission.MANAGE_VERSION)
def remove_branches(call: Call, pacticipant: str) -> Accepted:
    """Remove all branches but the main one and those that are excluded."""
    return Accepted(removal.remove_branches(call.db, pacticipant, keep=_excluded(call)))


def _excluded(call: Call) -> list[str]:
    """Read which branches are to stay. A name without brackets is one too; what is no name is refused."""
    given = call.query.get("exclude", [])
    names = [given] if isinstance(given, str) else given
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise Invalid.member("exclude", "must be an array")
    if any(is_blank(name) for name in names):
        raise Invalid.member("exclude", BLANK)  # the branch that was meant to stay would be removed
    return names


@router.get(urls.BRANCH, permission=Permission.READ)
def show_branch(call: Call, pacticipant: str, branch: str) -> Branch:
    """Show a branch."""
    found = branches.find(call.db, pacticipant, branch)
    if found is None:
        raise NotFound
    return found


@router.delete(urls.BRANCH, permission=Permission.MANAGE_VERSION)
def remove_branch(call: Call, pacticipant: str, branch: str) -> Deleted:
    """Remove a branch; the versions on it stay."""
    removal.remove_branch(call.db, pacticipant, branch)
    return Deleted()


@router.get(urls.BRANCH_VERSION, permission=Permission.READ)
def show_branch_version(call: Call, pacticipant: str, branch: str, version: str) -> BranchVersion:
    """Show a version's place on a branch."""
    found = branches.standing(call.db, pacticipant, branch, version).branch_version
    if found is None:
        raise NotFound
    return found


@router.put(urls.BRANCH_VERSION, permission=Permission.MANAGE_VERSION)
def put_on_branch(call: Call, pacticipant: str, branch: str, version: str) -> Created | Updated:
    """Put a version on a branch, as its head."""
    call.body(dict)
    found, is_new = versions.add_to_branch(call.db, pacticipant, branch, version, now=call.now, settings=call.settings)
    path = urls.BRANCH_VERSION.fill(pacticipant=pacticipant, branch=branch, version=version)
    return Created(found, path) if is_new else Updated(found)


@router.delete(urls.BRANCH_VERSION, permission=Permission.MANAGE_VERSION)
def take_off_branch(call: Call, pacticipant: str, branch: str, version: str) -> Deleted:
    """Take a version off a branch; both stay."""
    removal.take_off_branch(call.db, pacticipant, branch, version)
    return Deleted()
