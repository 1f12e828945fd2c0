"""Pacticipants and their labels."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NotRequired

from typing_extensions import TypedDict

from treaty.actions.pacticipants import pacticipants as pacticipant_actions
from treaty.errors import NotFound
from treaty.model.deployments import DeployedVersion
from treaty.model.pacticipants.pacticipants import Label, ListedPacticipant, Pacticipant, PacticipantDetails
from treaty.model.paging import Paged
from treaty.store.pacticipants import labels, pacticipants
from treaty.web import urls
from treaty.web.api.paging import (
    PAGE_PARAMETERS,
    SEARCH_PARAMETERS,
    PageLinks,
    PageState,
    page_links,
    page_state,
    read_page,
)
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
from treaty.web.hal.patterns import DocumentTemplate, placeholder, prepend_state, template_values
from treaty.web.hal.shapes import Named, NameOnly, Numbered, Omittable, Times
from treaty.web.http import bodies
from treaty.web.http.bodies import Body, BranchName, EmptyBody, Line, LineNotBlank, Name, with_example
from treaty.web.http.media_types import JSON, MERGE_PATCH
from treaty.web.http.request import Request
from treaty.web.http.results import Created, Deleted, Updated
from treaty.web.http.router import Router, link_to
from treaty.web.security.permissions import Permission

router = Router()


class DescriptionBody(Body):
    """What a client says about a pacticipant."""

    model_config = with_example(
        {
            "name": "Example App",
            "displayName": "Example App",
            "repositoryUrl": "https://git.example.org/shop/example-app",
            "mainBranch": "main",
        }
    )

    display_name: LineNotBlank = None
    repository_url: Line = None
    repository_name: Line = None
    repository_namespace: Line = None
    main_branch: BranchName = None


class PacticipantBody(DescriptionBody):
    """What a client says about the pacticipant that the path names; a name in here is checked and no more."""

    name: Name = ""


class NewPacticipantBody(DescriptionBody):
    """What a client says about a pacticipant that no path names."""

    name: Name


_SAID: Final = set(DescriptionBody.model_fields)


@dataclass(frozen=True, slots=True)
class Pacticipants:
    """A list of pacticipants. That of all of them has each twice, as old clients expect."""

    paged: Paged[ListedPacticipant]
    path: str
    has_duplicates: bool = False


@dataclass(frozen=True, slots=True)
class Labels:
    """A list of labels, by name."""

    paged: Paged[str]


class PacticipantState(Times):
    name: str
    displayName: Omittable[str]
    repositoryUrl: Omittable[str]
    repositoryName: Omittable[str]
    repositoryNamespace: Omittable[str]
    mainBranch: Omittable[str]


class DeprecatedLatestVersion(Numbered):
    title: str
    name: str


_PacticipantVersions = TypedDict("_PacticipantVersions", {"latest-version": NotRequired[DeprecatedLatestVersion]})


class PacticipantParts(_PacticipantVersions):
    latestVersion: NotRequired[Numbered]
    labels: list[Named]


PacticipantLinks = TypedDict(
    "PacticipantLinks",
    {
        "self": Link,
        "pb:versions": Link,
        "pb:branches": Link,
        "pb:deployed-environments": Omittable[list[Link]],
        "pb:version": Link,
        "pb:version-tag": Link,
        "pb:branch-version": Link,
        "pb:label": Link,
        "versions": Link,
        "pb:can-i-deploy-badge": Link,
        "pb:can-i-deploy-branch-to-environment-badge": Link,
        "curies": list[Link],
    },
)


class PacticipantDocument(PacticipantState):
    _embedded: PacticipantParts
    _links: PacticipantLinks


class TitledPacticipant(PacticipantDocument):
    """An item of the deprecated list."""

    title: str


class ListedPacticipants(TypedDict):
    pacticipants: list[PacticipantDocument]


PacticipantsLinks = TypedDict(
    "PacticipantsLinks",
    {
        "self": Link,
        "next": NotRequired[Link],
        "previous": NotRequired[Link],
        "pb:pacticipants-with-label": Link,
        "pb:pacticipants": list[Link],
        "pacticipants": list[Link],
    },
)


class PacticipantsDocument(PageState):
    pacticipants: Omittable[list[TitledPacticipant]]
    _embedded: ListedPacticipants
    _links: PacticipantsLinks


class LabelLinks(TypedDict):
    self: Link
    pacticipant: Link


class LabelDocument(Times):
    name: str
    _links: LabelLinks


class ListedLabels(TypedDict):
    labels: list[NameOnly]


class LabelsLinks(PageLinks):
    self: Link


class LabelsDocument(PageState):
    _embedded: ListedLabels
    _links: LabelsLinks


_NEW_PACTICIPANT_LINKS: Final = link_to(
    {"pacticipant": "$response.body#/name"},
    *("show_pacticipant", "replace_pacticipant", "list_versions", "list_branches", "remove_pacticipant"),
    *("show_latest_version", "add_label", "replace_version", "show_group"),
)
_LABEL_LINKS: Final = link_to(
    {"pacticipant": "$request.path.pacticipant", "label": "$request.path.label"}, "show_label", "remove_label"
)


@router.get(
    urls.PACTICIPANTS,
    permission=Permission.READ,
    is_cacheable=True,
    query=SEARCH_PARAMETERS,
    response=PacticipantsDocument,
)
def list_pacticipants(call: Request) -> Pacticipants:
    """List all pacticipants, or those whose name holds a text."""
    found = pacticipants.list_matching(call.db, like=call.option("q"), page=read_page(call))
    return Pacticipants(found, urls.PACTICIPANTS.fill(), has_duplicates=True)


@router.post(
    urls.PACTICIPANTS,
    permission=Permission.MANAGE_PACTICIPANT,
    body=NewPacticipantBody,
    response=PacticipantDocument,
    errors=("409",),
    links=_NEW_PACTICIPANT_LINKS,
)
def create_pacticipant(call: Request) -> Created:
    """Create a pacticipant; one that is there stays as it is."""
    body = bodies.read(call.raw_body, NewPacticipantBody, is_json=call.is_json, empty=b"")
    pacticipant_actions.ensure_pacticipant(call.db, body.name, body.model_dump(include=_SAID), now=call.now)
    found = pacticipants.get_details(call.db, body.name, with_running=False)
    return Created(found, urls.PACTICIPANT.fill(pacticipant=body.name))


@router.get(
    urls.PACTICIPANTS_WITH_LABEL, permission=Permission.READ, query=SEARCH_PARAMETERS, response=PacticipantsDocument
)
def list_pacticipants_with_label(call: Request, label: str) -> Pacticipants:
    """List the pacticipants that have a label."""
    page = read_page(call)
    found = pacticipants.list_matching(call.db, like=call.option("q"), label=label, page=page)
    return Pacticipants(found, urls.PACTICIPANTS_WITH_LABEL.fill(label=label))


@router.get(urls.PACTICIPANT, permission=Permission.READ, is_cacheable=True, response=PacticipantDocument)
def show_pacticipant(call: Request, pacticipant: str) -> PacticipantDetails:
    """Show a pacticipant."""
    return pacticipants.get_details(call.db, pacticipant)


@router.put(
    urls.PACTICIPANT, permission=Permission.MANAGE_PACTICIPANT, body=PacticipantBody, response=PacticipantDocument
)
def replace_pacticipant(call: Request, pacticipant: str) -> Updated:
    """Replace all that is said about a pacticipant."""
    said = call.body(PacticipantBody).model_dump(include=_SAID)
    pacticipant_actions.replace_description(call.db, pacticipant, said, now=call.now)
    return Updated(pacticipants.get_details(call.db, pacticipant))


@router.patch(
    urls.PACTICIPANT,
    permission=Permission.MANAGE_PACTICIPANT,
    consumes=(JSON, MERGE_PATCH),
    body=PacticipantBody,
    response=PacticipantDocument,
)
def change_pacticipant(call: Request, pacticipant: str) -> Created | Updated:
    """Change some of what is said about a pacticipant, or create it."""
    said = call.body(PacticipantBody).model_dump(include=_SAID, exclude_unset=True)
    is_new = pacticipant_actions.save_description(call.db, pacticipant, said, now=call.now)
    found = pacticipants.get_details(call.db, pacticipant)
    return Created(found, urls.PACTICIPANT.fill(pacticipant=pacticipant)) if is_new else Updated(found)


@router.delete(urls.PACTICIPANT, permission=Permission.MANAGE_PACTICIPANT)
def remove_pacticipant(call: Request, pacticipant: str) -> Deleted:
    """Remove a pacticipant with all that belongs to it."""
    pacticipant_actions.remove_pacticipant(call.db, pacticipant)
    return Deleted()


@router.get(urls.LABELS, permission=Permission.READ, query=PAGE_PARAMETERS, response=LabelsDocument)
def list_labels(call: Request) -> Labels:
    """List all labels, each once."""
    return Labels(labels.list_names(call.db, read_page(call)))


@router.get(urls.PACTICIPANT_LABEL, permission=Permission.READ, response=LabelDocument)
def show_label(call: Request, pacticipant: str, label: str) -> Label:
    """Show a pacticipant's label."""
    found = labels.find(call.db, pacticipant, label)
    if found is None:
        raise NotFound
    return found


@router.put(
    urls.PACTICIPANT_LABEL,
    permission=Permission.MANAGE_PACTICIPANT,
    body=EmptyBody,
    response=LabelDocument,
    links=_LABEL_LINKS,
)
def add_label(call: Request, pacticipant: str, label: str) -> Created | Updated:
    """Label a pacticipant."""
    call.body(dict)
    found, is_new = pacticipant_actions.add_label(call.db, pacticipant, label, now=call.now)
    path = urls.PACTICIPANT_LABEL.fill(pacticipant=pacticipant, label=label)
    return Created(found, path) if is_new else Updated(found)


@router.delete(urls.PACTICIPANT_LABEL, permission=Permission.MANAGE_PACTICIPANT)
def remove_label(call: Request, pacticipant: str, label: str) -> Deleted:
    """Take a label off a pacticipant."""
    pacticipant_actions.remove_label(call.db, pacticipant, label)
    return Deleted()


@represent.register
def pacticipant(full: PacticipantDetails) -> Hal:
    name = full.pacticipant.name
    labels = [_label(name, label) for label in full.labels]
    return Hal(
        _state(full.pacticipant), _embedded(name, full.latest_version, labels), _links(name, full.deployed_versions)
    )


def _state(one: Pacticipant | ListedPacticipant, title: str | None = None) -> dict[str, object]:
    return {
        "name": one.name,
        "displayName": one.display_name,
        "repositoryUrl": one.repository_url,
        "repositoryName": one.repository_name,
        "repositoryNamespace": one.repository_namespace,
        "mainBranch": one.main_branch,
        "updatedAt": one.updated_at if one.updated_at != one.created_at else None,
        "createdAt": one.created_at,
        "title": title,
    }


def _embedded(name: str, latest_version: str | None, labels: object) -> Mapping[str, object]:
    if latest_version is None:
        return {"labels": labels}
    return {
        "latestVersion": _latest_version(name, latest_version, {}),
        "labels": labels,
        "latest-version": _latest_version(name, latest_version, _DEPRECATED),
    }


def _label(pacticipant: str, name: str) -> Hal:
    return Hal({"name": name}, links={"self": _label_link(pacticipant, name)})


_DEPRECATED: Final[Mapping[str, str]] = dict.fromkeys(("title", "name"), "DEPRECATED - please use latestVersion")


def _latest_version(name: str, number: str, more: Mapping[str, str]) -> Hal:
    link = Link(urls.VERSION.fill(pacticipant=name, version=number), "Version", name=number)
    return Hal({"number": number, **more}, links={"self": link})


def _links(name: str, deployed_versions: Iterable[DeployedVersion] | None) -> Links:
    versions = urls.VERSIONS.fill(pacticipant=name)
    return {
        "self": Link(urls.PACTICIPANT.fill(pacticipant=name)),
        "pb:versions": Link(versions),
        "pb:branches": Link(urls.BRANCHES.fill(pacticipant=name)),
        "pb:deployed-environments": None if deployed_versions is None else [_running(one) for one in deployed_versions],
        "pb:version": Link(urls.VERSION.fill(pacticipant=name), "Get, create or delete a pacticipant version"),
        "pb:version-tag": Link(
            urls.VERSION_TAG.fill(pacticipant=name), f"Get, create or delete a tag for a version of {name}"
        ),
        "pb:branch-version": Link(
            urls.BRANCH_VERSION.fill(pacticipant=name), f"Get or add/create a version for a branch of {name}"
        ),
        "pb:label": Link(urls.PACTICIPANT_LABEL.fill(pacticipant=name), f"Get, create or delete a label for {name}"),
        "versions": Link(versions, "Deprecated - use pb:versions"),
        "pb:can-i-deploy-badge": Link(urls.CAN_I_DEPLOY_TAG_BADGE.fill(pacticipant=name), f"Can I Deploy {name} badge"),
        "pb:can-i-deploy-branch-to-environment-badge": Link(
            urls.CAN_I_DEPLOY_BRANCH_BADGE.fill(pacticipant=name),
            f"Can I Deploy {name} from branch to environment badge",
        ),
        "curies": build_curies("pacticipant"),
    }


def _running(deployed: DeployedVersion) -> Link:
    name = deployed.environment.display_name
    path = urls.DEPLOYED_VERSION.fill(uuid=deployed.uuid)
    return Link(path, f"Version deployed to {name}", name=name, extra={"currently_deployed": deployed.is_current})


_TITLE: Final = "DEPRECATED - Please use the embedded pacticipants collection"


@represent.register
def pacticipant_list(listed: Pacticipants) -> Hal:
    return DocumentWithLists(
        state={
            **page_state(listed.paged),
            "pacticipants": list_placeholder("titled") if listed.has_duplicates else None,
        },
        embedded={"pacticipants": list_placeholder("pacticipants")},
        links={
            **page_links(listed.paged, listed.path),
            "self": Link(urls.PACTICIPANTS.fill()),
            "pb:pacticipants-with-label": Link(urls.PACTICIPANTS_WITH_LABEL.fill(), "Find pacticipants by label"),
            "pb:pacticipants": list_placeholder("links"),
            "pacticipants": list_placeholder("deprecated"),
        },
        lists=("pacticipants", "titled", "links", "deprecated"),
        render_items=lambda view: [_item(one, view) for one in listed.paged.items],
    )


@lru_cache(maxsize=2048)
def _item(one: ListedPacticipant, view: LinkContext) -> RenderedItem:
    """Show a pacticipant as one of many. It is remembered: few change from one reading of the list to the next."""
    names = template_values(pacticipant=one.name, version=one.latest_version or "")
    labels = ",".join(DocumentTemplate(_label(one.name, label), view).fill({}) for label in one.labels)
    rest = _pattern_of_rest(view, has_version=one.latest_version is not None).fill({**names, "labels": f"[{labels}]"})
    patterns = _patterns_of_links(view)
    return build_item(
        prepend_state(_state(one), rest),
        prepend_state(_state(one, _TITLE), rest),
        *(pattern.fill(names).encode() for pattern in patterns),
    )


_NAME: Final = placeholder("pacticipant")


@lru_cache(maxsize=128)
def _pattern_of_rest(view: LinkContext, *, has_version: bool) -> DocumentTemplate:
    """Make the pattern of all but the properties."""
    embedded = _embedded(_NAME, placeholder("version") if has_version else None, list_placeholder("labels"))
    return DocumentTemplate(Hal(embedded=embedded, links=_links(_NAME, None)), view)


@lru_cache(maxsize=64)
def _patterns_of_links(view: LinkContext) -> tuple[DocumentTemplate, DocumentTemplate]:
    """Make the patterns of the link to a pacticipant, and of the deprecated one."""
    deprecated = Link(urls.PACTICIPANT.fill(pacticipant=_NAME), _NAME, name="DEPRECATED - please use pb:pacticipants")
    return DocumentTemplate(_pacticipant_link(_NAME), view), DocumentTemplate(deprecated, view)


def _pacticipant_link(name: str) -> Link:
    return Link(urls.PACTICIPANT.fill(pacticipant=name), "Pacticipant", name=name)


def _label_link(pacticipant: str, name: str) -> Link:
    return Link(urls.PACTICIPANT_LABEL.fill(pacticipant=pacticipant, label=name), "Label", name=name)


@represent.register
def label(one: Label) -> Hal:
    return Hal(
        state={
            "name": one.name,
            "updatedAt": one.updated_at if one.updated_at != one.created_at else None,
            "createdAt": one.created_at,
        },
        links={"self": _label_link(one.pacticipant, one.name), "pacticipant": _pacticipant_link(one.pacticipant)},
    )


@represent.register
def label_list(listed: Labels) -> Hal:
    return Hal(
        state=page_state(listed.paged),
        embedded={"labels": [{"name": name} for name in listed.paged.items]},
        links={"self": Link(urls.URL_PLACEHOLDER, "Labels"), **page_links(listed.paged, urls.LABELS.fill())},
    )
