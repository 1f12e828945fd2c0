"""Versions: one by its number or for being the latest, and lists."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from treaty.actions.versions import removal, versions
from treaty.errors import NotFound
from treaty.model.paging import Paged
from treaty.model.versions import VersionDetails, VersionDraft, VersionEnvironment
from treaty.store import deployments
from treaty.store.pacticipants import pacticipants
from treaty.store.versions import branches, details
from treaty.web import urls
from treaty.web.api.paging import PAGE_PARAMETERS, PageState, page_links, page_state, read_page
from treaty.web.hal import represent
from treaty.web.hal.documents import (
    DocumentWithLists,
    Hal,
    Link,
    LinkContext,
    Links,
    RenderedItem,
    build_curies,
    build_item,
    list_placeholder,
)
from treaty.web.hal.patterns import DocumentTemplate, TemplateValues, placeholder, prepend_state, template_values
from treaty.web.hal.shapes import Named, NamedHead, Omittable, Times
from treaty.web.http import bodies
from treaty.web.http.bodies import Body, RequiredNonBlankText, with_example
from treaty.web.http.media_types import MERGE_PATCH
from treaty.web.http.request import Request
from treaty.web.http.results import Created, Deleted, Updated
from treaty.web.http.router import MAX_QUICK_ITEMS, Router, link_to
from treaty.web.security.permissions import Permission

router = Router()


class TagBody(Body):
    """A tag of a version."""

    name: RequiredNonBlankText


class EmbeddedBody(Body):
    """Where the version's own representation has its tags."""

    tags: list[TagBody] | None = None


class VersionBody(Body):
    """What a client says about a version."""

    model_config = with_example({"buildUrl": "https://ci.example.org/builds/17", "tags": [{"name": "main"}]})

    build_url: str | None = None
    tags: list[TagBody] | None = None
    embedded: EmbeddedBody | None = Field(default=None, alias="_embedded")

    def tag_names(self) -> list[str] | None:
        """All tags that the version is to have; None when it says nothing of them."""
        listed = self.embedded.tags if self.tags is None and self.embedded else self.tags
        return None if listed is None else [tag.name for tag in listed]


@dataclass(frozen=True, slots=True)
class Versions:
    """A list of versions of a pacticipant, for some reason."""

    pacticipant: str
    paged: Paged[VersionDetails]
    title: str
    path: str


@dataclass(frozen=True, kw_only=True, slots=True)
class _Patterns:
    """What versions have in common in lists."""

    branch: DocumentTemplate
    tag: DocumentTemplate
    pact: DocumentTemplate
    link: DocumentTemplate
    deprecated: DocumentTemplate


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
def list_versions(call: Request, pacticipant: str) -> Versions:
    """List all versions of a pacticipant, newest first."""
    page = read_page(call)
    pacticipants.get(call.db, pacticipant)
    found = details.list_all(call.db, pacticipant, page)
    title = f"All application versions of {pacticipant}"
    return Versions(pacticipant, found, title, urls.VERSIONS.fill(pacticipant=pacticipant))


@router.get(
    urls.BRANCH_VERSIONS,
    permission=Permission.READ,
    is_cacheable=True,
    query=PAGE_PARAMETERS,
    response=VersionsDocument,
)
def list_versions_on_branch(call: Request, pacticipant: str, branch: str) -> Versions:
    """List the versions on a branch, newest first."""
    page = read_page(call)
    if branches.find(call.db, pacticipant, branch) is None:
        raise NotFound
    found = details.list_on_branch(call.db, pacticipant, branch, page)
    title = f"Versions for branch {branch} of {pacticipant}"
    return Versions(pacticipant, found, title, urls.BRANCH_VERSIONS.fill(pacticipant=pacticipant, branch=branch))


@router.get(urls.TAG_VERSIONS, permission=Permission.READ, query=PAGE_PARAMETERS, response=VersionsDocument)
def list_versions_with_tag(call: Request, pacticipant: str, tag: str) -> Versions:
    """List the versions that have a tag, newest first."""
    found = details.list_with_tag(call.db, pacticipant, tag, read_page(call))
    if not found.total:
        raise NotFound
    title = f"All application versions of {pacticipant}"
    return Versions(pacticipant, found, title, urls.TAG_VERSIONS.fill(pacticipant=pacticipant, tag=tag))


@router.get(urls.VERSIONS_IN_ENVIRONMENT, permission=Permission.READ, query=PAGE_PARAMETERS, response=VersionsDocument)
def list_versions_in_environment(call: Request, pacticipant: str, environment: str) -> Versions:
    """List the versions that were ever deployed or released to an environment, newest first."""
    page = read_page(call)
    there = deployments.get(call.db, environment)
    pacticipants.get(call.db, pacticipant)
    found = details.list_in_environment(call.db, pacticipant, environment, page)
    title = f"Versions for {pacticipant} in environment {there.display_name}"
    path = urls.VERSIONS_IN_ENVIRONMENT.fill(pacticipant=pacticipant, environment=environment)
    return Versions(pacticipant, found, title, path)


@router.get(urls.LATEST_VERSION, permission=Permission.READ, is_cacheable=True, response=VersionDocument)
def show_latest_version(call: Request, pacticipant: str) -> VersionDetails:
    """Show the newest version of a pacticipant."""
    return details.get_latest(call.db, pacticipant)


@router.get(urls.LATEST_TAGGED_VERSION, permission=Permission.READ, is_cacheable=True, response=VersionDocument)
def show_latest_version_with_tag(call: Request, pacticipant: str, tag: str) -> VersionDetails:
    """Show the newest version that has a tag."""
    return details.get_latest_with_tag(call.db, pacticipant, tag)


@router.get(urls.LATEST_BRANCH_VERSION, permission=Permission.READ, is_cacheable=True, response=VersionDocument)
def show_latest_version_on_branch(call: Request, pacticipant: str, branch: str) -> VersionDetails:
    """Show the head of a branch."""
    return details.get_latest_on_branch(call.db, pacticipant, branch)


@router.get(urls.VERSION, permission=Permission.READ, is_cacheable=True, response=VersionDocument)
def show_version(call: Request, pacticipant: str, version: str) -> VersionDetails:
    """Show a version."""
    return details.get(call.db, pacticipant, version)


MAX_TAGS: Final = 100


"""Limit of a request."""


@router.put(
    urls.VERSION,
    permission=Permission.MANAGE_VERSION,
    max_quick_items=MAX_QUICK_ITEMS,
    body=VersionBody,
    response=VersionDocument,
    links=_VERSION_LINKS,
)
def replace_version(call: Request, pacticipant: str, version: str) -> Created | Updated:
    """Create a version, or replace what is said about it; its tags stay unless some are given."""
    return _save(call, pacticipant, version, keeps_build_url=False)


@router.patch(
    urls.VERSION,
    permission=Permission.MANAGE_VERSION,
    consumes=(MERGE_PATCH,),
    max_quick_items=MAX_QUICK_ITEMS,
    body=VersionBody,
    response=VersionDocument,
)
def change_version(call: Request, pacticipant: str, version: str) -> Created | Updated:
    """Create a version, or change some of what is said about it."""
    return _save(call, pacticipant, version, keeps_build_url=True)


def _save(call: Request, pacticipant: str, version: str, *, keeps_build_url: bool) -> Created | Updated:
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
    is_new = versions.save_version(call.db, draft, now=call.now, settings=call.settings)
    saved = details.get(call.db, pacticipant, version)
    return Created(saved) if is_new else Updated(saved)


@router.delete(urls.VERSION, permission=Permission.MANAGE_VERSION)
def remove_version(call: Request, pacticipant: str, version: str) -> Deleted:
    """Remove a version with all that hangs on it."""
    removal.remove_version(call.db, pacticipant, version)
    return Deleted()


_CURIES: Final = build_curies("version")


@represent.register
def version(one: VersionDetails) -> Hal:
    """Represent a version; alone it links to the path by which it was asked for."""
    owner, number = one.pacticipant, one.number
    hanging = {
        "branches": [_on_branch(owner, number, at.name, is_head=at.is_head) for at in one.branches],
        "tags": [_tagged(owner, number, tag.name) for tag in one.tags],
        "pacts": [_pact(owner, number, provider) for provider in one.providers],
        "deployed": [_deployed(at) for at in one.deployed],
        "released": [_released(at) for at in one.released],
    }
    rest = _rest(owner, number, hanging, itself=urls.URL_PLACEHOLDER, more=_recording_links(one))
    return Hal(_state(one) | rest)


def _state(one: VersionDetails) -> dict[str, object]:
    return {
        "number": one.number,
        "buildUrl": one.build_url,
        "updatedAt": one.updated_at if one.updated_at != one.created_at else None,
        "createdAt": one.created_at,
    }


def _rest(pacticipant: str, number: str, hanging: Mapping[str, object], *, itself: str, more: Links) -> Hal:
    """Represent all but the properties of a version. In a pattern, what hangs on it are parts."""
    return Hal(
        embedded={"branchVersions": hanging["branches"], "tags": hanging["tags"]},
        links={
            "self": Link(itself, "Version", name=number),
            **_links_of(pacticipant, number),
            "pb:pact-versions": hanging["pacts"],
            "pb:deployed-environments": hanging["deployed"],
            "pb:released-environments": hanging["released"],
            **more,
            "curies": _CURIES,
        },
    )


def _path(pacticipant: str, number: str) -> str:
    return urls.VERSION.fill(pacticipant=pacticipant, version=number)


def _on_branch(pacticipant: str, number: str, branch: str, *, is_head: object) -> Hal:
    path = urls.BRANCH_VERSION.fill(pacticipant=pacticipant, branch=branch, version=number)
    return Hal({"name": branch, "latest": is_head}, links={"self": Link(path, "Branch version", name=branch)})


def _tagged(pacticipant: str, number: str, tag: str) -> Hal:
    path = urls.VERSION_TAG.fill(pacticipant=pacticipant, version=number, tag=tag)
    return Hal({"name": tag}, links={"self": Link(path, "Tag", name=tag)})


def _links_of(pacticipant: str, number: str) -> Links:
    return {
        "pb:pacticipant": Link(urls.PACTICIPANT.fill(pacticipant=pacticipant), "Pacticipant", name=pacticipant),
        "pb:tag": Link(
            urls.VERSION_TAG.fill(pacticipant=pacticipant, version=number),
            "Get, create or delete a tag for this pacticipant version",
        ),
        "pb:latest-verification-results-where-pacticipant-is-consumer": Link(
            urls.VERIFICATIONS_OF_CONSUMER_VERSION.fill(consumer=pacticipant, version=number),
            "Latest verification results for consumer version",
        ),
    }


def _pact(consumer: str, number: str, provider: str) -> Link:
    path = urls.PACT.fill(provider=provider, consumer=consumer, version=number)
    return Link(path, "Pact", name=f"Pact between {consumer} ({number}) and {provider}")


def _deployed(at: VersionEnvironment) -> Link:
    extra: dict[str, object] = {"currently_deployed": at.is_current}
    if at.application_instance is not None:
        extra["application_instance"] = at.application_instance
    path = urls.DEPLOYED_VERSION.fill(uuid=at.uuid)
    return Link(path, f"Version deployed to {at.environment}", name=at.environment, extra=extra)


def _released(at: VersionEnvironment) -> Link:
    extra = {"currently_supported": at.is_current}
    path = urls.RELEASED_VERSION.fill(uuid=at.uuid)
    return Link(path, f"Version released to {at.environment}", name=at.environment, extra=extra)


def _recording_links(one: VersionDetails) -> Links:
    deployments, releases = [], []
    for environment in one.environments or ():
        names = {"pacticipant": one.pacticipant, "version": one.number, "environment": environment.uuid}
        to = environment.display_name
        deployments.append(Link(urls.DEPLOYMENTS.fill(**names), f"Record deployment to {to}", name=environment.name))
        releases.append(Link(urls.RELEASES.fill(**names), f"Record release to {to}", name=environment.name))
    return {"pb:record-deployment": deployments, "pb:record-release": releases}


@represent.register
def version_list(listed: Versions) -> Hal:
    owner = urls.PACTICIPANT.fill(pacticipant=listed.pacticipant)
    return DocumentWithLists(
        state=page_state(listed.paged),
        embedded={"versions": list_placeholder("versions")},
        links={
            "self": Link(urls.URL_WITH_QUERY_PLACEHOLDER, listed.title),
            **page_links(listed.paged, listed.path),
            "pb:pacticipant": Link(owner, listed.pacticipant),
            "pb:versions": list_placeholder("links"),
            "pacticipant": Link(owner, "Deprecated - please use pb:pacticipant"),
            "versions": list_placeholder("deprecated"),
        },
        lists=("versions", "links", "deprecated"),
        render_items=lambda view: [_item(one, view) for one in listed.paged.items],
    )


@lru_cache(maxsize=2048)
def _item(one: VersionDetails, view: LinkContext) -> RenderedItem:
    """Show a version as one of many. It is remembered: from one reading of a list to the next few of them change."""
    patterns, names = _patterns(view), template_values(pacticipant=one.pacticipant, number=one.number)
    at = one.updated_at
    rest = _pattern_of_rest(view, has_deployed=bool(one.deployed), has_released=bool(one.released))
    return build_item(
        prepend_state(_state(one), rest.fill({**names, **_hanging(one, names, patterns, view)})),
        patterns.link.fill({**names, "date": f"{at.day:02}/{at.month:02}/{at.year}"}).encode(),
        patterns.deprecated.fill(names).encode(),
    )


def _hanging(one: VersionDetails, names: TemplateValues, patterns: "_Patterns", view: LinkContext) -> TemplateValues:
    """Write what hangs on a version."""
    branches = [(template_values(branch=at.name), "true" if at.is_head else "false") for at in one.branches]
    written = {
        "branches": [patterns.branch.fill({**names, **branch, "is_head": is_head}) for branch, is_head in branches],
        "tags": [patterns.tag.fill({**names, **template_values(tag=tag.name)}) for tag in one.tags],
        "pacts": [patterns.pact.fill({**names, **template_values(provider=provider)}) for provider in one.providers],
        "deployed": [DocumentTemplate(_deployed(at), view).fill({}) for at in one.deployed],
        "released": [DocumentTemplate(_released(at), view).fill({}) for at in one.released],
    }
    return {name: f"[{','.join(items)}]" for name, items in written.items()}


_OWNER: Final = placeholder("pacticipant")


_NUMBER: Final = placeholder("number")


@lru_cache(maxsize=64)
def _patterns(view: LinkContext) -> _Patterns:
    path = _path(_OWNER, _NUMBER)
    documents = {
        "branch": _on_branch(_OWNER, _NUMBER, placeholder("branch"), is_head=list_placeholder("is_head")),
        "tag": _tagged(_OWNER, _NUMBER, placeholder("tag")),
        "pact": _pact(_OWNER, _NUMBER, placeholder("provider")),
        "link": Link(path, f"Version {_NUMBER} - {placeholder('date')}"),
        "deprecated": Link(path, "Deprecated - please use pb:versions"),
    }
    return _Patterns(**{name: DocumentTemplate(document, view) for name, document in documents.items()})


@lru_cache(maxsize=256)
def _pattern_of_rest(view: LinkContext, *, has_deployed: bool, has_released: bool) -> DocumentTemplate:
    """Make the pattern of all but the properties; lists leave out where a version never was."""
    hanging = {name: list_placeholder(name) for name in ("branches", "tags", "pacts")}
    environments = {
        "deployed": list_placeholder("deployed") if has_deployed else None,
        "released": list_placeholder("released") if has_released else None,
    }
    return DocumentTemplate(
        _rest(_OWNER, _NUMBER, {**hanging, **environments}, itself=_path(_OWNER, _NUMBER), more={}), view
    )
