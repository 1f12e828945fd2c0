"""Aliases of versions: handlers and representation."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from typing_extensions import TypedDict

from treaty.actions.versions.aliases import put_alias, remove_alias
from treaty.errors import NotFound
from treaty.model.accounts.scopes import WRITE_SCOPES
from treaty.model.versions import VersionAlias
from treaty.store.versions import aliases, versions
from treaty.web import urls
from treaty.web.hal import represent
from treaty.web.hal.documents import Hal, Link
from treaty.web.hal.shapes import SelfLink
from treaty.web.http.bodies import EmptyBody
from treaty.web.http.request import Request
from treaty.web.http.results import Created, Deleted, Updated
from treaty.web.http.router import Router, link_to
from treaty.web.security.permissions import Permission

router = Router()

_ALIAS: Final = {
    "pacticipant": "$request.path.pacticipant",
    "version": "$request.path.version",
    "alias": "$request.path.alias",
}
_ALIAS_LINKS: Final = (
    *link_to(_ALIAS, "show_alias", "delete_alias"),
    *link_to({name: _ALIAS[name] for name in ("pacticipant", "version")}, "list_aliases"),
)


@dataclass(frozen=True, slots=True)
class AliasesOfVersion:
    """All aliases of a version."""

    pacticipant: str
    version: str
    aliases: Sequence[VersionAlias]


class AliasLinks(TypedDict):
    self: Link
    version: Link
    pacticipant: Link


class AliasDocument(TypedDict):
    name: str
    version: str
    createdAt: datetime
    _links: AliasLinks


class ListedAliases(TypedDict):
    aliases: list[AliasDocument]


class AliasesDocument(TypedDict):
    _embedded: ListedAliases
    _links: SelfLink


@router.get(urls.VERSION_ALIASES, permission=Permission.READ, response=AliasesDocument)
def list_aliases(request: Request, pacticipant: str, version: str) -> AliasesOfVersion:
    """List the aliases of a version, the oldest first."""
    if versions.find(request.db, pacticipant, version) is None:
        raise NotFound
    return AliasesOfVersion(pacticipant, version, aliases.list_of_version(request.db, pacticipant, version))


@router.get(urls.VERSION_ALIAS, permission=Permission.READ, response=AliasDocument)
def show_alias(request: Request, pacticipant: str, version: str, alias: str) -> VersionAlias:
    """Show an alias of a version."""
    existing = aliases.find(request.db, pacticipant, alias)
    if existing is None or existing.version != version:
        raise NotFound
    return existing


@router.put(
    urls.VERSION_ALIAS,
    permission=Permission.MANAGE_VERSION,
    scopes=WRITE_SCOPES,
    application="pacticipant",
    body=EmptyBody,
    response=AliasDocument,
    errors=("404", "409"),
    links=_ALIAS_LINKS,
)
def add_alias(request: Request, pacticipant: str, version: str, alias: str) -> Created | Updated:
    """Give a version another name, such as a commit of a monorepo that leaves the pacticipant unchanged.

    Wherever a version is expected, the alias leads to this version, unless there is a version of that number.
    """
    request.body(dict)  # nothing in it is used, but it must be valid JSON
    result, is_new = put_alias(request.db, pacticipant, version, alias, now=request.now)
    if versions.find(request.db, pacticipant, alias) is not None:
        request.warnings.append(
            f"The alias has no effect, since there is a version '{alias}' of '{pacticipant}', which wins over it."
        )
    path = urls.VERSION_ALIAS.fill(pacticipant=pacticipant, version=result.version, alias=alias)
    return Created(result, path) if is_new else Updated(result)


@router.delete(urls.VERSION_ALIAS, permission=Permission.MANAGE_VERSION)
def delete_alias(request: Request, pacticipant: str, version: str, alias: str) -> Deleted:
    """Remove an alias; the version stays."""
    remove_alias(request.db, pacticipant, version, alias)
    return Deleted()


@represent.register
def single_alias(alias: VersionAlias) -> Hal:
    pacticipant, version = alias.pacticipant, alias.version
    path = urls.VERSION_ALIAS.fill(pacticipant=pacticipant, version=version, alias=alias.name)
    return Hal(
        state={"name": alias.name, "version": version, "createdAt": alias.created_at},
        links={
            "self": Link(path, "Alias", name=alias.name),
            "version": Link(urls.VERSION.fill(pacticipant=pacticipant, version=version), "Version", name=version),
            "pacticipant": Link(urls.PACTICIPANT.fill(pacticipant=pacticipant), "Pacticipant", name=pacticipant),
        },
    )


@represent.register
def aliases_of_version(content: AliasesOfVersion) -> Hal:
    path = urls.VERSION_ALIASES.fill(pacticipant=content.pacticipant, version=content.version)
    return Hal(
        {},
        links={"self": Link(path, "Aliases of the version")},
        embedded={"aliases": [single_alias(alias) for alias in content.aliases]},
    )
