"""Tags of versions: handlers. Their representation is beside that of branches."""

from typing import Final

from treaty.actions.versions import removal
from treaty.actions.versions.versions import tag_version
from treaty.errors import NotFound
from treaty.model.accounts.scopes import WRITE_SCOPES, Scope
from treaty.model.versions import Tag
from treaty.store import deployments
from treaty.store.versions import tags
from treaty.web import urls
from treaty.web.api.versions.branches import TagDocument
from treaty.web.http.bodies import EmptyBody
from treaty.web.http.request import Request
from treaty.web.http.results import Created, Deleted, Updated
from treaty.web.http.router import Router, link_to
from treaty.web.security.authorization import authorize_scope
from treaty.web.security.permissions import Permission

router = Router()


_TAG: Final = {"pacticipant": "$request.path.pacticipant", "tag": "$request.path.tag"}
_TAG_LINKS: Final = (
    *link_to({**_TAG, "version": "$request.path.version"}, "show_tag", "remove_tag"),
    *link_to(_TAG, "show_latest_version_with_tag", "list_versions_with_tag"),
)


@router.get(urls.VERSION_TAG, permission=Permission.READ, response=TagDocument)
def show_tag(request: Request, pacticipant: str, version: str, tag: str) -> Tag:
    """Show a tag of a version."""
    existing_tag = tags.find(request.db, pacticipant, version, tag)
    if existing_tag is None:
        raise NotFound
    return existing_tag


# A tag such as `prod` is how pipelines recorded deployments before there were environments.
@router.put(
    urls.VERSION_TAG,
    permission=Permission.MANAGE_VERSION,
    scopes=WRITE_SCOPES,
    application="pacticipant",
    body=EmptyBody,
    response=TagDocument,
    links=_TAG_LINKS,
)
def put_tag(request: Request, pacticipant: str, version: str, tag: str) -> Created | Updated:
    """Add a tag to a version."""
    request.body(dict)  # nothing in it is used, but it must be valid JSON
    if request.settings.create_deployed_versions_for_tags and deployments.find_by_name(request.db, tag):
        authorize_scope(request, Scope.RECORD_DEPLOYMENTS, Permission.RECORD_DEPLOYMENT)
    added_tag, is_new = tag_version(request.db, pacticipant, version, tag, now=request.now, settings=request.settings)
    path = urls.VERSION_TAG.fill(pacticipant=pacticipant, version=version, tag=tag)
    return Created(added_tag, path) if is_new else Updated(added_tag)


@router.delete(urls.VERSION_TAG, permission=Permission.MANAGE_VERSION)
def remove_tag(request: Request, pacticipant: str, version: str, tag: str) -> Deleted:
    """Remove a tag from a version."""
    removal.remove_tag(request.db, pacticipant, version, tag)
    return Deleted()
