"""Tags on versions."""

import treaty.web.api.versions.branches  # noqa: F401 - knows how tags look
from treaty.actions.versions import removal, versions
from treaty.errors import NotFound
from treaty.model.versions import Tag
from treaty.store.versions import tags
from treaty.web import urls
from treaty.web.http.request import Request
from treaty.web.http.results import Created, Deleted, Updated
from treaty.web.http.router import Router
from treaty.web.security.permissions import Permission

router = Router()


@router.get(urls.VERSION_TAG, permission=Permission.READ)
def show_tag(call: Request, pacticipant: str, version: str, tag: str) -> Tag:
    """Show a version's tag."""
    found = tags.find(call.db, pacticipant, version, tag)
    if found is None:
        raise NotFound
    return found


@router.put(urls.VERSION_TAG, permission=Permission.MANAGE_VERSION)
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
