"""Versions of a pacticipant: handlers and representation."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from treaty.actions.versions import removal
from treaty.actions.versions.versions import save_version
from treaty.errors import NotFound
from treaty.model.deployments import Environment
from treaty.model.paging import Paged
from treaty.model.versions import VersionDetails, VersionDraft, VersionEnvironment
from treaty.store import deployments
from treaty.store.pacticipants import pacticipants
from treaty.store.versions import branches, details
from treaty.web import urls
from treaty.web.api.paging import PAGE_PARAMETERS, PageState, page_links, page_state, read_page
from treaty.web.api.timestamps import timestamps
from treaty.web.hal import represent
from treaty.web.hal.documents import (
    DocumentWithLists,
    Hal,
    Link,
    LinkContext,
    Links,
    RenderedItem,
    build_curies,
    list_placeholder,
    render_item,
)
from treaty.web.hal.shapes import Named, NamedHead, Omittable, Times
from treaty.web.http import bodies
from treaty.web.http.bodies import Body, RequiredNonBlankName, with_example
from treaty.web.http.media_types import MERGE_PATCH
from treaty.web.http.request import Request
from treaty.web.http.results import Created, Deleted, Updated
from treaty.web.http.router import MAX_QUICK_ITEMS, Router, link_to
from treaty.web.security.permissions import ANY_SCOPE, BUILD_SCOPES, Permission

router = Router()

MAX_TAGS: Final = 100
"""Tags of one request; each of them costs several statements."""


class TagBody(Body):
    """A tag of a version."""

    name: RequiredNonBlankName


class EmbeddedBody(Body):
    """The `_embedded` member, where the version's own representation has its tags."""

    tags: list[TagBody] | None = None


class VersionBody(Body):
    """Request body of a version. A client may send back the representation that it read."""

    model_config = with_example({"buildUrl": "https://ci.example.org/builds/17", "tags": [{"name": "main"}]})

    build_url: str | None = None
    tags: list[TagBody] | None = None
    embedded: EmbeddedBody | None = Field(default=None, alias="_embedded")

    def tag_names(self) -> list[str] | None:
        """Return the complete list of tags for the version; None if the body has no tags."""
        tags = self.embedded.tags if self.tags is None and self.embedded else self.tags
        return None if tags is None else [tag.name for tag in tags]


@dataclass(frozen=True, slots=True)
class Versions:
    """A list of versions of a pacticipant. The path leads to its other pages."""

    pacticipant: str
    paged: Paged[VersionDetails]
    title: str
    path: str


class VersionState(Times):
    number: str
    buildUrl: Omittable[str]


class VersionParts(TypedDict):
    branchVersions: list[NamedHead]
    tags: list[Named]


VersionLinks = TypedDict(
    "VersionLinks",
    {
        "self": Link,
        "pb:pacticipant": Link,
        "pb:tag": Link,
        "pb:latest-verification-results-where-pacticipant-is-consumer": Link,
        "pb:pact-versions": list[Link],
        "pb:deployed-environments": NotRequired[list[Link]],
        "pb:released-environments": NotRequired[list[Link]],
        "pb:record-deployment": NotRequired[list[Link]],
        "pb:record-release": NotRequired[list[Link]],
        "pb:recorded-decisions": Link,
        "curies": list[Link],
    },
)


class VersionDocument(VersionState):
    _embedded: VersionParts
    _links: VersionLinks


class ListedVersions(TypedDict):
    versions: list[VersionDocument]


VersionsLinks = TypedDict(
    "VersionsLinks",
    {
        "self": Link,
        "next": NotRequired[Link],
        "previous": NotRequired[Link],
        "pb:pacticipant": Link,
        "pb:versions": list[Link],
        "pacticipant": Link,
        "versions": list[Link],
    },
)


class VersionsDocument(PageState):
    _embedded: ListedVersions
    _links: VersionsLinks


_VERSION_LINKS: Final = link_to(
    {"pacticipant": "$request.path.pacticipant", "version": "$request.path.version"},
    *("show_version", "change_version", "put_tag", "put_on_branch", "remove_version"),
)


@router.get(
    urls.VERSIONS, permission=Permission.READ, is_cacheable=True, query=PAGE_PARAMETERS, response=VersionsDocument
)
def list_versions(request: Request, pacticipant: str) -> Versions:
    """List all versions of a pacticipant, newest first."""
    page = read_page(request)
    pacticipants.get(request.db, pacticipant)
    paged = details.list_all(request.db, pacticipant, page)
    title = f"All application versions of {pacticipant}"
    return Versions(pacticipant, paged, title, urls.VERSIONS.fill(pacticipant=pacticipant))


@router.get(
    urls.BRANCH_VERSIONS,
    permission=Permission.READ,
    is_cacheable=True,
    query=PAGE_PARAMETERS,
    response=VersionsDocument,
)
def list_versions_on_branch(request: Request, pacticipant: str, branch: str) -> Versions:
    """List the versions on a branch, newest first."""
    page = read_page(request)
    if branches.find(request.db, pacticipant, branch) is None:
        raise NotFound
    paged = details.list_on_branch(request.db, pacticipant, branch, page)
    title = f"Versions for branch {branch} of {pacticipant}"
    return Versions(pacticipant, paged, title, urls.BRANCH_VERSIONS.fill(pacticipant=pacticipant, branch=branch))


@router.get(urls.TAG_VERSIONS, permission=Permission.READ, query=PAGE_PARAMETERS, response=VersionsDocument)
def list_versions_with_tag(request: Request, pacticipant: str, tag: str) -> Versions:
    """List the versions that have a tag, newest first."""
    paged = details.list_with_tag(request.db, pacticipant, tag, read_page(request))
    if not paged.total:
        raise NotFound
    title = f"All application versions of {pacticipant}"
    return Versions(pacticipant, paged, title, urls.TAG_VERSIONS.fill(pacticipant=pacticipant, tag=tag))


@router.get(urls.VERSIONS_IN_ENVIRONMENT, permission=Permission.READ, query=PAGE_PARAMETERS, response=VersionsDocument)
def list_versions_in_environment(request: Request, pacticipant: str, environment: str) -> Versions:
    """List the versions that were ever deployed or released to an environment, newest first."""
    page = read_page(request)
    display_name = deployments.get(request.db, environment).display_name
    pacticipants.get(request.db, pacticipant)
    paged = details.list_in_environment(request.db, pacticipant, environment, page)
    title = f"Versions for {pacticipant} in environment {display_name}"
    path = urls.VERSIONS_IN_ENVIRONMENT.fill(pacticipant=pacticipant, environment=environment)
    return Versions(pacticipant, paged, title, path)


@router.get(urls.LATEST_VERSION, permission=Permission.READ, is_cacheable=True, response=VersionDocument)
def show_latest_version(request: Request, pacticipant: str) -> VersionDetails:
    """Show the newest version of a pacticipant."""
    return details.get_latest(request.db, pacticipant)


@router.get(urls.LATEST_TAGGED_VERSION, permission=Permission.READ, is_cacheable=True, response=VersionDocument)
def show_latest_version_with_tag(request: Request, pacticipant: str, tag: str) -> VersionDetails:
    """Show the newest version that has a tag."""
    return details.get_latest_with_tag(request.db, pacticipant, tag)


@router.get(urls.LATEST_BRANCH_VERSION, permission=Permission.READ, is_cacheable=True, response=VersionDocument)
def show_latest_version_on_branch(request: Request, pacticipant: str, branch: str) -> VersionDetails:
    """Show the head of a branch."""
    return details.get_latest_on_branch(request.db, pacticipant, branch)


@router.get(urls.VERSION, permission=Permission.READ, scopes=ANY_SCOPE, is_cacheable=True, response=VersionDocument)
def show_version(request: Request, pacticipant: str, version: str) -> VersionDetails:
    """Show a version."""
    return details.get(request.db, pacticipant, version)


@router.put(
    urls.VERSION,
    permission=Permission.MANAGE_VERSION,
    scopes=BUILD_SCOPES,
    application="pacticipant",
    max_quick_items=MAX_QUICK_ITEMS,
    body=VersionBody,
    response=VersionDocument,
    links=_VERSION_LINKS,
)
def replace_version(request: Request, pacticipant: str, version: str) -> Created | Updated:
    """Create a version or replace its properties. Its tags stay unless the body has tags."""
    return _save(request, pacticipant, version, keeps_build_url=False)


@router.patch(
    urls.VERSION,
    permission=Permission.MANAGE_VERSION,
    scopes=BUILD_SCOPES,
    application="pacticipant",
    consumes=(MERGE_PATCH,),
    max_quick_items=MAX_QUICK_ITEMS,
    body=VersionBody,
    response=VersionDocument,
)
def change_version(request: Request, pacticipant: str, version: str) -> Created | Updated:
    """Create a version or change some of its properties."""
    return _save(request, pacticipant, version, keeps_build_url=True)


def _save(request: Request, pacticipant: str, version: str, *, keeps_build_url: bool) -> Created | Updated:
    body = request.body(VersionBody)
    tags = body.tag_names()
    bodies.check_sizes({"tags": tags}, {"tags": MAX_TAGS})
    draft = VersionDraft(
        pacticipant=pacticipant,
        number=version,
        build_url=body.build_url,
        keeps_build_url=keeps_build_url and "build_url" not in body.model_fields_set,
        tags=tags,
    )
    is_new = save_version(request.db, draft, now=request.now, settings=request.settings)
    saved_version = details.get(request.db, pacticipant, version)
    return Created(saved_version) if is_new else Updated(saved_version)


@router.delete(urls.VERSION, permission=Permission.MANAGE_VERSION)
def remove_version(request: Request, pacticipant: str, version: str) -> Deleted:
    """Remove a version with its pacts, results, tags, deployments and releases."""
    removal.remove_version(request.db, pacticipant, version)
    return Deleted()


_CURIES: Final = build_curies("version")


@represent.register
def single_version(version: VersionDetails) -> Hal:
    """Represent a single version.

    Its `self` link is the requested URL, which may be that of the latest version. Only here are links for recording
    deployments and releases: in a list they would repeat every environment for every version.
    """
    return represent_version(
        version,
        self_path=urls.URL_PLACEHOLDER,
        deployed=[deployed_link(deployed) for deployed in version.deployed],
        released=[released_link(released) for released in version.released],
        recording_links=_recording_links(version, version.environments or ()),
    )


@represent.register
def version_list(versions: Versions) -> Hal:
    pacticipant_path = urls.PACTICIPANT.fill(pacticipant=versions.pacticipant)
    return DocumentWithLists(
        state=page_state(versions.paged),
        embedded={"versions": list_placeholder("versions")},
        links={
            "self": Link(urls.URL_WITH_QUERY_PLACEHOLDER, versions.title),
            **page_links(versions.paged, versions.path),
            "pb:pacticipant": Link(pacticipant_path, versions.pacticipant),
            "pb:versions": list_placeholder("links"),
            "pacticipant": Link(pacticipant_path, "Deprecated - please use pb:pacticipant"),
            "versions": list_placeholder("deprecated"),
        },
        lists=("versions", "links", "deprecated"),
        render_items=lambda context: [_list_item(version, context) for version in versions.paged.items],
    )


@lru_cache(maxsize=2048)
def _list_item(version: VersionDetails, context: LinkContext) -> RenderedItem:
    """Render a version for the three lists. It is cached because few versions change between two reads of a list."""
    path = version_path(version)
    updated_at = version.updated_at
    document = represent_version(
        version,
        self_path=path,
        # The original broker leaves empty lists of environments out of items, but not out of a single version.
        deployed=[deployed_link(deployed) for deployed in version.deployed] or None,
        released=[released_link(released) for released in version.released] or None,
        recording_links={},
    )
    return render_item(
        context,
        document,
        Link(path, f"Version {version.number} - {updated_at.day:02}/{updated_at.month:02}/{updated_at.year}"),
        Link(path, "Deprecated - please use pb:versions"),
    )


def represent_version(
    version: VersionDetails,
    *,
    self_path: str,
    deployed: list[Link] | None,
    released: list[Link] | None,
    recording_links: Links,
) -> Hal:
    """Represent a version, alone and in lists."""
    pacticipant, number = version.pacticipant, version.number
    pacticipant_path = urls.PACTICIPANT.fill(pacticipant=pacticipant)
    results_path = urls.VERIFICATIONS_OF_CONSUMER_VERSION.fill(consumer=pacticipant, version=number)
    state: VersionState = {"number": number, "buildUrl": version.build_url, **timestamps(version)}
    return Hal(
        state=state,
        embedded={
            "branchVersions": [_branch(version, branch.name, is_head=branch.is_head) for branch in version.branches],
            "tags": [_tag(version, tag.name) for tag in version.tags],
        },
        links={
            "self": Link(self_path, "Version", name=number),
            "pb:pacticipant": Link(pacticipant_path, "Pacticipant", name=pacticipant),
            "pb:tag": Link(
                urls.VERSION_TAG.fill(pacticipant=pacticipant, version=number),
                "Get, create or delete a tag for this pacticipant version",
            ),
            "pb:latest-verification-results-where-pacticipant-is-consumer": Link(
                results_path, "Latest verification results for consumer version"
            ),
            "pb:pact-versions": [_pact_link(version, provider) for provider in version.providers],
            "pb:deployed-environments": deployed,
            "pb:released-environments": released,
            **recording_links,
            "pb:recorded-decisions": Link(
                f"{urls.DECISIONS.fill()}?pacticipant={urls.quote(pacticipant)}&version={urls.quote(number)}",
                "Recorded decisions about this version",
                templated=False,
            ),
            "curies": _CURIES,
        },
    )


def version_path(version: VersionDetails) -> str:
    return urls.VERSION.fill(pacticipant=version.pacticipant, version=version.number)


def _branch(version: VersionDetails, name: str, *, is_head: bool) -> Hal:
    path = urls.BRANCH_VERSION.fill(pacticipant=version.pacticipant, branch=name, version=version.number)
    return Hal({"name": name, "latest": is_head}, links={"self": Link(path, "Branch version", name=name)})


def _tag(version: VersionDetails, name: str) -> Hal:
    path = urls.VERSION_TAG.fill(pacticipant=version.pacticipant, version=version.number, tag=name)
    return Hal({"name": name}, links={"self": Link(path, "Tag", name=name)})


def _pact_link(version: VersionDetails, provider: str) -> Link:
    consumer, number = version.pacticipant, version.number
    path = urls.PACT.fill(provider=provider, consumer=consumer, version=number)
    return Link(path, "Pact", name=f"Pact between {consumer} ({number}) and {provider}")


def deployed_link(deployed: VersionEnvironment) -> Link:
    extra: dict[str, object] = {"currently_deployed": deployed.is_current}
    if deployed.application_instance is not None:
        extra["application_instance"] = deployed.application_instance
    path = urls.DEPLOYED_VERSION.fill(uuid=deployed.uuid)
    return Link(path, f"Version deployed to {deployed.environment}", name=deployed.environment, extra=extra)


def released_link(released: VersionEnvironment) -> Link:
    extra = {"currently_supported": released.is_current}
    path = urls.RELEASED_VERSION.fill(uuid=released.uuid)
    return Link(path, f"Version released to {released.environment}", name=released.environment, extra=extra)


def _recording_links(version: VersionDetails, environments: Iterable[Environment]) -> Mapping[str, list[Link]]:
    deployment_links, release_links = [], []
    for environment in environments:
        names = {"pacticipant": version.pacticipant, "version": version.number, "environment": environment.uuid}
        display_name = environment.display_name
        deployment_links.append(
            Link(urls.DEPLOYMENTS.fill(**names), f"Record deployment to {display_name}", name=environment.name)
        )
        release_links.append(
            Link(urls.RELEASES.fill(**names), f"Record release to {display_name}", name=environment.name)
        )
    return {"pb:record-deployment": deployment_links, "pb:record-release": release_links}
