"""Versions: one by its number or for being the latest, and lists."""

from typing import Final

from pydantic import Field

from treaty.actions import removing, versioning
from treaty.errors import NotFound
from treaty.model.version import VersionDraft, VersionInFull
from treaty.store import branches, environments, full_versions, pacticipants
from treaty.web import bodies, urls
from treaty.web.bodies import Body, FilledNotBlank
from treaty.web.media import MERGE
from treaty.web.paging import wanted_page
from treaty.web.represent.versions import Versions
from treaty.web.routing import MAX_QUICK_ITEMS, Call, Created, Deleted, Permission, Router, Updated

router = Router()


class TagBody(Body):
    """A tag of a version."""

    name: FilledNotBlank


class EmbeddedBody(Body):
    """Where the version's own representation has its tags."""

    tags: list[TagBody] | None = None


class VersionBody(Body):
    """What a client says about a version."""

    build_url: str | None = None
    tags: list[TagBody] | None = None
    embedded: EmbeddedBody | None = Field(default=None, alias="_embedded")

    def tag_names(self) -> list[str] | None:
        """All tags that the version is to have; None when it says nothing of them."""
        listed = self.embedded.tags if self.tags is None and self.embedded else self.tags
        return None if listed is None else [tag.name for tag in listed]


@router.get(urls.VERSIONS, permission=Permission.READ, is_cached=True)
def list_versions(call: Call, pacticipant: str) -> Versions:
    """List all versions of a pacticipant, newest first."""
    page = wanted_page(call)
    pacticipants.get(call.db, pacticipant)
    found = full_versions.every(call.db, pacticipant, page)
    title = f"All application versions of {pacticipant}"
    return Versions(pacticipant, found, title, urls.VERSIONS.fill(pacticipant=pacticipant))


@router.get(urls.BRANCH_VERSIONS, permission=Permission.READ, is_cached=True)
def list_versions_on_branch(call: Call, pacticipant: str, branch: str) -> Versions:
    """List the versions on a branch, newest first."""
    page = wanted_page(call)
    if branches.find(call.db, pacticipant, branch) is None:
        raise NotFound
    found = full_versions.on_branch(call.db, pacticipant, branch, page)
    title = f"Versions for branch {branch} of {pacticipant}"
    return Versions(pacticipant, found, title, urls.BRANCH_VERSIONS.fill(pacticipant=pacticipant, branch=branch))


@router.get(urls.TAG_VERSIONS, permission=Permission.READ)
def list_versions_with_tag(call: Call, pacticipant: str, tag: str) -> Versions:
    """List the versions that have a tag, newest first."""
    found = full_versions.with_tag(call.db, pacticipant, tag, wanted_page(call))
    if not found.total:
        raise NotFound
    title = f"All application versions of {pacticipant}"
    return Versions(pacticipant, found, title, urls.TAG_VERSIONS.fill(pacticipant=pacticipant, tag=tag))


@router.get(urls.VERSIONS_IN_ENVIRONMENT, permission=Permission.READ)
def list_versions_in_environment(call: Call, pacticipant: str, environment: str) -> Versions:
    """List the versions that were ever deployed or released to an environment, newest first."""
    page = wanted_page(call)
    there = environments.get(call.db, environment)
    pacticipants.get(call.db, pacticipant)
    found = full_versions.in_environment(call.db, pacticipant, environment, page)
    title = f"Versions for {pacticipant} in environment {there.display_name}"
    path = urls.VERSIONS_IN_ENVIRONMENT.fill(pacticipant=pacticipant, environment=environment)
    return Versions(pacticipant, found, title, path)


@router.get(urls.LATEST_VERSION, permission=Permission.READ, is_cached=True)
def show_latest_version(call: Call, pacticipant: str) -> VersionInFull:
    """Show the newest version of a pacticipant."""
    return full_versions.get_latest(call.db, pacticipant)


@router.get(urls.LATEST_TAGGED_VERSION, permission=Permission.READ, is_cached=True)
def show_latest_version_with_tag(call: Call, pacticipant: str, tag: str) -> VersionInFull:
    """Show the newest version that has a tag."""
    return full_versions.get_latest_with_tag(call.db, pacticipant, tag)


@router.get(urls.LATEST_BRANCH_VERSION, permission=Permission.READ, is_cached=True)
def show_latest_version_on_branch(call: Call, pacticipant: str, branch: str) -> VersionInFull:
    """Show the head of a branch."""
    return full_versions.get_latest_on_branch(call.db, pacticipant, branch)


@router.get(urls.VERSION, permission=Permission.READ, is_cached=True)
def show_version(call: Call, pacticipant: str, version: str) -> VersionInFull:
    """Show a version."""
    return full_versions.get(call.db, pacticipant, version)


MAX_TAGS: Final = 100
"""Limit of a request."""


@router.put(urls.VERSION, permission=Permission.MANAGE_VERSION, max_quick_items=MAX_QUICK_ITEMS)
def replace_version(call: Call, pacticipant: str, version: str) -> Created | Updated:
    """Create a version, or replace what is said about it; its tags stay unless some are given."""
    return _save(call, pacticipant, version, keeps_build_url=False)


@router.patch(urls.VERSION, permission=Permission.MANAGE_VERSION, consumes=(MERGE,), max_quick_items=MAX_QUICK_ITEMS)
def change_version(call: Call, pacticipant: str, version: str) -> Created | Updated:
    """Create a version, or change some of what is said about it."""
    return _save(call, pacticipant, version, keeps_build_url=True)


def _save(call: Call, pacticipant: str, version: str, *, keeps_build_url: bool) -> Created | Updated:
    body = call.body(VersionBody)
    tags = body.tag_names()
    bodies.check_sizes({"tags": tags}, {"tags": MAX_TAGS})
    draft = VersionDraft(
        pacticipant=pacticipant,
        number=version,
        build_url=body.build_url,
        keeps_build_url=keeps_build_url and "build_url" not in body.model_fields_set,
        tags=tags,
    )
    is_new = versioning.save_version(call.db, draft, now=call.now, settings=call.settings)
    saved = full_versions.get(call.db, pacticipant, version)
    return Created(saved) if is_new else Updated(saved)


@router.delete(urls.VERSION, permission=Permission.MANAGE_VERSION)
def remove_version(call: Call, pacticipant: str, version: str) -> Deleted:
    """Remove a version with all that hangs on it."""
    removing.remove_version(call.db, pacticipant, version)
    return Deleted()
