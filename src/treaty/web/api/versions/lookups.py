"""Looks up the version that a text identifies, such as an abbreviated commit, for the command line."""

from typing import Final

from typing_extensions import TypedDict

from treaty.errors import Invalid
from treaty.model.versions import VersionLookup
from treaty.store.pacticipants import pacticipants
from treaty.store.versions import prefixes
from treaty.web import urls
from treaty.web.hal import represent
from treaty.web.hal.documents import Hal, Link
from treaty.web.hal.shapes import Omittable, SelfLink
from treaty.web.http.queries import BLANK, QueryParameter
from treaty.web.http.request import Request
from treaty.web.http.router import Router
from treaty.web.security.permissions import ANY_SCOPE, Permission

router: Final = Router()

_VERSION: Final = QueryParameter("version", "A version number, an alias, or the first seven or more characters of one.")


class LookedUpVersion(TypedDict):
    number: str
    _links: SelfLink


class LookedUpVersions(TypedDict):
    versions: list[LookedUpVersion]


class VersionLookupDocument(TypedDict):
    version: Omittable[str]
    prefix: bool
    abbreviatedCommit: bool
    problem: Omittable[str]
    _embedded: LookedUpVersions
    _links: SelfLink


@router.get(
    urls.VERSION_LOOKUP,
    permission=Permission.READ,
    scopes=ANY_SCOPE,
    query=(_VERSION,),
    response=VersionLookupDocument,
    errors=("400", "404"),
)
def look_up_version(request: Request, pacticipant: str) -> VersionLookup:
    """Look up a version by its number, an alias or a unique prefix, and list the versions that may be meant otherwise.

    A version of that number wins over an alias, and an alias over a prefix.
    """
    text = request.option("version")
    if not text:
        raise Invalid.member("version", BLANK)
    pacticipants.get(request.db, pacticipant)
    return prefixes.look_up(request.db, pacticipant, text)


@represent.register
def version_lookup(lookup: VersionLookup) -> Hal:
    return Hal(
        state={
            "version": lookup.number,
            "prefix": lookup.is_prefix,
            "abbreviatedCommit": lookup.is_abbreviated_commit,
            "problem": None if lookup.number is not None else lookup.describe_problem(),
        },
        embedded={"versions": [_candidate(lookup.pacticipant, number) for number in lookup.candidates]},
        links={"self": Link(urls.URL_WITH_QUERY_PLACEHOLDER, "Lookup of a version")},
    )


def _candidate(pacticipant: str, number: str) -> Hal:
    path = urls.VERSION.fill(pacticipant=pacticipant, version=number)
    return Hal({"number": number}, links={"self": Link(path, "Version", name=number)})
