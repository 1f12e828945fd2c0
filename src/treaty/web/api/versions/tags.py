"""Tags on versions."""

from typing import Final

from treaty.actions.versions import removal, versions
from treaty.errors import NotFound
from treaty.model.versions import Tag
from treaty.store.versions import tags
from treaty.web import urls
from treaty.web.api.versions.branches import TagDocument
from treaty.web.http.bodies import EmptyBody
from treaty.web.http.request import Request
from treaty.web.http.results import Created, Deleted, Updated
from treaty.web.http.router import Router, link_to
from treaty.web.security.permissions import Permission

router = Router()


_TAG: Final = {"pacticipant": "$request.path.pacticipant", "tag": "$request.path.tag"}
_TAG_LINKS: Final = (
    *link_to({**_TAG, "version": "$request.path.version"}, "show_tag", "remove_tag"),
    *link_to(_TAG, "show_latest_version_with_tag", "list_versions_with_tag"),
)


@router.get(urls.VERSION_TAG, permission=Permission.READ, response=TagDocument)
def show_tag(call: Request, pacticipant: str, version: str, tag: str) -> Tag:
    """Show a version's tag."""
    found = tags.find(call.db, pacticipant, version, tag)
    if found is None:
        raise NotFound
    return found


@router.put(
    urls.VERSION_TAG, permission=Permission.MANAGE_VERSION, body=EmptyBody, response=TagDocument, links=_TAG_LINKS
)
def put_tag(call: Request, pacticipant: str, version: str, tag: str) -> Created | Updated:
    """Tag a version."""
    call.body(dict)
    found, is_new = versions.tag_version(call.db, pacticipant, version, tag, now=call.now, settings=call.settings)
    path = urls.VERSION_TAG.fill(pacticipant=pacticipant, version=version, tag=tag)
    return Created(found, path) if is_new else Updated(found)


@router.delete(urls.VERSION_TAG, permission=Permission.MANAGE_VERSION)
def remove_tag(call: Request, pacticipant: str, version: str, tag: str) -> Deleted:
    """Take a tag off a version."""
    removal.remove_tag(call.db, pacticipant, version, tag)
    return Deleted()
