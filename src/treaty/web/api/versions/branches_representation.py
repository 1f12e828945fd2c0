"""How branches, versions on branches, and tags look."""

from dataclasses import dataclass
from datetime import datetime

from treaty.actions.versions.removal import BranchesRemoved
from treaty.model.paging import Paged
from treaty.model.versions import Branch, BranchVersion, Tag
from treaty.web import urls
from treaty.web.hal import represent
from treaty.web.hal.documents import Hal, Link
from treaty.web.hal.paging import page_links, page_state


@dataclass(frozen=True, slots=True)
class Branches:
    """A list of branches of a pacticipant."""

    pacticipant: str
    paged: Paged[Branch]


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
def branches(listed: Branches) -> Hal:
    path = urls.BRANCHES.fill(pacticipant=listed.pacticipant)
    return Hal(
        state=page_state(listed.paged),
        embedded={"branches": [branch(one) for one in listed.paged.items]},
        links={
            "self": Link(urls.HERE_AND_QUERY, f"{listed.pacticipant} branches"),
            "pb:branches": [Link(_path(one), name=one.name) for one in listed.paged.items],
            **page_links(listed.paged, path),
        },
    )


@represent.register
def branches_removed(removed: BranchesRemoved) -> Hal:
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
