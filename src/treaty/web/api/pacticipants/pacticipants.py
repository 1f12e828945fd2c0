"""Pacticipants and their labels: handlers and representation."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Final, NotRequired

import orjson
from pydantic.alias_generators import to_camel
from typing_extensions import TypedDict

from treaty.actions.pacticipants import pacticipants as pacticipant_actions
from treaty.actions.pacticipants.pacticipants import Description, EnsuredPacticipant
from treaty.actions.pacticipants.renaming import rename_pacticipant as rename
from treaty.errors import NotFound
from treaty.model.deployments import DeployedVersion
from treaty.model.pacticipants.pacticipants import Label, ListedPacticipant, Pacticipant, PacticipantDetails
from treaty.model.paging import Paged
from treaty.store.pacticipants import labels, pacticipants
from treaty.web import urls
from treaty.web.api.contacts import ContactBody, dump_contacts
from treaty.web.api.pacts.pacts import ALLOW_SIMILAR_NAMES
from treaty.web.api.paging import (
    PAGE_PARAMETERS,
    SEARCH_PARAMETERS,
    PageLinks,
    PageState,
    page_links,
    page_state,
    read_page,
)
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
from treaty.web.hal.shapes import Named, NameOnly, Numbered, Omittable, Times
from treaty.web.http.bodies import Body, BranchName, EmptyBody, Line, LineNotBlank, Name, with_example
from treaty.web.http.media_types import JSON, MERGE_PATCH
from treaty.web.http.request import Request
from treaty.web.http.results import Created, Deleted, Updated
from treaty.web.http.router import Router, link_to
from treaty.web.security.permissions import ANY_SCOPE, BUILD_SCOPES, Permission

router = Router()


class DescriptionBody(Body):
    """Properties of a pacticipant that clients can change."""

    model_config = with_example(
        {
            "name": "Example App",
            "displayName": "Example App",
            "repositoryUrl": "https://git.example.org/shop/example-app",
            "mainBranch": "main",
            "contacts": [{"name": "Shop team", "details": {"emailAddress": "shop@example.org", "chat": "#shop"}}],
        }
    )

    display_name: LineNotBlank = None
    repository_url: Line = None
    repository_name: Line = None
    repository_namespace: Line = None
    main_branch: BranchName = None
    contacts: list[ContactBody] | None = None

    def properties(self, *, only_given: bool = False) -> Description:
        """Return the properties by field, those that the body lacks as None; contacts only if the body has them.

        Clients of the original broker know no contacts, and would remove them.
        """
        names = _DESCRIPTION_FIELDS & self.model_fields_set if only_given else _DESCRIPTION_FIELDS
        properties = self.model_dump(include=names)
        if "contacts" in self.model_fields_set:
            properties["contacts"] = None if self.contacts is None else dump_contacts(self.contacts)
        return properties


class PacticipantBody(DescriptionBody):
    """Request body for the pacticipant in the path. A name in the body is validated but otherwise ignored."""

    name: Name = ""


class NewPacticipantBody(DescriptionBody):
    """Request body for a new pacticipant, whose name is not in the path."""

    name: Name


class RenameBody(Body):
    """The new name of a pacticipant."""

    model_config = with_example({"name": "New Example App"})

    name: Name


_DESCRIPTION_FIELDS: Final = set(DescriptionBody.model_fields) - {"contacts"}
"""The fields that are plain texts."""


@dataclass(frozen=True, slots=True)
class Pacticipants:
    """A list of pacticipants."""

    paged: Paged[ListedPacticipant]
    path: str
    has_duplicates: bool = False
    """Whether the document repeats the list as the member `pacticipants`, where old clients read it."""


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
    contacts: Omittable[Any]


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
        "pb:rename": NotRequired[Link],  # hidden from callers who may not use it
        "versions": Link,
        "pb:can-i-deploy-badge": Link,
        "pb:can-i-deploy-branch-to-environment-badge": Link,
        "curies": list[Link],
    },
)


class PacticipantDocument(PacticipantState):
    formerNames: Omittable[list[str]]
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
def list_pacticipants(request: Request) -> Pacticipants:
    """List all pacticipants, or those whose name contains a text."""
    paged = pacticipants.list_matching(request.db, like=request.option("q"), page=read_page(request))
    return Pacticipants(paged, urls.PACTICIPANTS.fill(), has_duplicates=True)


def _read_new(request: Request) -> NewPacticipantBody:
    return request.body(NewPacticipantBody, empty=b"")


@router.post(
    urls.PACTICIPANTS,
    permission=Permission.MANAGE_PACTICIPANT,
    scopes=BUILD_SCOPES,
    application=lambda request, _names: [_read_new(request).name],
    body=NewPacticipantBody,
    response=PacticipantDocument,
    errors=("409",),
    links=_NEW_PACTICIPANT_LINKS,
)
def create_pacticipant(request: Request) -> Created:
    """Create a pacticipant. An existing pacticipant stays unchanged."""
    body = _read_new(request)
    ensured = pacticipant_actions.ensure_pacticipant(request.db, body.name, body.properties(), now=request.now)
    details = pacticipants.get_details(request.db, body.name, with_running=False)
    _warn_of_creation(request, body, ensured, details.pacticipant)
    return Created(details, urls.PACTICIPANT.fill(pacticipant=body.name))


@router.get(
    urls.PACTICIPANTS_WITH_LABEL, permission=Permission.READ, query=SEARCH_PARAMETERS, response=PacticipantsDocument
)
def list_pacticipants_with_label(request: Request, label: str) -> Pacticipants:
    """List the pacticipants that have a label."""
    page = read_page(request)
    paged = pacticipants.list_matching(request.db, like=request.option("q"), label=label, page=page)
    return Pacticipants(paged, urls.PACTICIPANTS_WITH_LABEL.fill(label=label))


@router.get(
    urls.PACTICIPANT, permission=Permission.READ, scopes=ANY_SCOPE, is_cacheable=True, response=PacticipantDocument
)
def show_pacticipant(request: Request, pacticipant: str) -> PacticipantDetails:
    """Show a pacticipant."""
    return pacticipants.get_details(request.db, pacticipant)


@router.put(
    urls.PACTICIPANT,
    permission=Permission.MANAGE_PACTICIPANT,
    scopes=BUILD_SCOPES,
    application="pacticipant",
    body=PacticipantBody,
    response=PacticipantDocument,
)
def replace_pacticipant(request: Request, pacticipant: str) -> Updated:
    """Replace the properties of a pacticipant."""
    body = request.body(PacticipantBody)
    _warn_of_other_name(request, body, pacticipant)
    pacticipant_actions.replace_description(request.db, pacticipant, body.properties(), now=request.now)
    return Updated(pacticipants.get_details(request.db, pacticipant))


@router.patch(
    urls.PACTICIPANT,
    permission=Permission.MANAGE_PACTICIPANT,
    scopes=BUILD_SCOPES,
    application="pacticipant",
    consumes=(JSON, MERGE_PATCH),
    body=PacticipantBody,
    response=PacticipantDocument,
)
def change_pacticipant(request: Request, pacticipant: str) -> Created | Updated:
    """Change some properties of a pacticipant, or create it."""
    body = request.body(PacticipantBody)
    _warn_of_other_name(request, body, pacticipant)
    description = body.properties(only_given=True)
    is_new = pacticipant_actions.save_description(request.db, pacticipant, description, now=request.now)
    details = pacticipants.get_details(request.db, pacticipant)
    return Created(details, urls.PACTICIPANT.fill(pacticipant=pacticipant)) if is_new else Updated(details)


def _warn_of_creation(
    request: Request, body: NewPacticipantBody, ensured: EnsuredPacticipant, pacticipant: Pacticipant
) -> None:
    name = pacticipant.name
    if ensured.renamed_from is not None:
        request.warnings.append(
            f"{name} was a former name of {ensured.renamed_from}. From now on it is another application, without that "
            f"history, and requests for it no longer lead to {ensured.renamed_from}."
        )
    if not ensured.is_new and (ignored := _list_differences(body, pacticipant)):
        request.warnings.append(
            f"{name} exists already and was not changed. These fields were ignored: {', '.join(sorted(ignored))}. To "
            f"change the application, send PATCH {urls.PACTICIPANT.fill(pacticipant=name)}."
        )


def _list_differences(body: NewPacticipantBody, pacticipant: Pacticipant) -> list[str]:
    """List the members of a body that differ from an existing pacticipant's properties."""
    properties, members = body.properties(only_given=True), {field: to_camel(field) for field in body.model_fields_set}
    return [members[field] for field, value in properties.items() if value != getattr(pacticipant, field)]


def _warn_of_other_name(request: Request, body: PacticipantBody, pacticipant: str) -> None:
    if body.name not in {"", pacticipant}:
        path = urls.RENAME_PACTICIPANT.fill(pacticipant=pacticipant)
        request.warnings.append(
            f"The field `name` was ignored: the application keeps the name {pacticipant}. To rename it, send "
            f'POST {path} with {{"name": "{body.name}"}}.'
        )


@router.post(
    urls.RENAME_PACTICIPANT,
    permission=Permission.MANAGE_PACTICIPANT,
    body=RenameBody,
    query=(ALLOW_SIMILAR_NAMES,),
    response=PacticipantDocument,
    errors=("409",),
)
def rename_pacticipant(request: Request, pacticipant: str) -> Updated:
    """Rename a pacticipant, with all that belongs to it. Reads of the former name are redirected.

    Tokens that are limited to the pacticipant follow it. Writes to the former name get 409 until another pacticipant is
    created with it.
    """
    name = request.body(RenameBody).name
    earlier_credentials = rename(
        request.db,
        pacticipant,
        name,
        now=request.now,
        settings=request.settings,
        allows_similar_names=request.flag("allowSimilarNames"),
    )
    if earlier_credentials:
        request.warnings.append(
            f"Tokens and system accounts that were limited to {name} before ({earlier_credentials} of them) can write "
            "for the renamed application now. Check them under Settings."
        )
    return Updated(pacticipants.get_details(request.db, name), urls.PACTICIPANT.fill(pacticipant=name))


@router.delete(urls.PACTICIPANT, permission=Permission.MANAGE_PACTICIPANT)
def remove_pacticipant(request: Request, pacticipant: str) -> Deleted:
    """Remove a pacticipant with all that belongs to it."""
    pacticipant_actions.remove_pacticipant(request.db, pacticipant)
    return Deleted()


@router.get(urls.LABELS, permission=Permission.READ, query=PAGE_PARAMETERS, response=LabelsDocument)
def list_labels(request: Request) -> Labels:
    """List all labels, each once."""
    return Labels(labels.list_names(request.db, read_page(request)))


@router.get(urls.PACTICIPANT_LABEL, permission=Permission.READ, response=LabelDocument)
def show_label(request: Request, pacticipant: str, label: str) -> Label:
    """Show a pacticipant's label."""
    existing_label = labels.find(request.db, pacticipant, label)
    if existing_label is None:
        raise NotFound
    return existing_label


@router.put(
    urls.PACTICIPANT_LABEL,
    permission=Permission.MANAGE_PACTICIPANT,
    body=EmptyBody,
    response=LabelDocument,
    links=_LABEL_LINKS,
)
def add_label(request: Request, pacticipant: str, label: str) -> Created | Updated:
    """Label a pacticipant."""
    request.body(dict)
    added_label, is_new = pacticipant_actions.add_label(request.db, pacticipant, label, now=request.now)
    path = urls.PACTICIPANT_LABEL.fill(pacticipant=pacticipant, label=label)
    return Created(added_label, path) if is_new else Updated(added_label)


@router.delete(urls.PACTICIPANT_LABEL, permission=Permission.MANAGE_PACTICIPANT)
def remove_label(request: Request, pacticipant: str, label: str) -> Deleted:
    """Remove a label from a pacticipant."""
    pacticipant_actions.remove_label(request.db, pacticipant, label)
    return Deleted()


_LATEST_VERSION_NOTICE: Final[Mapping[str, str]] = dict.fromkeys(
    ("title", "name"), "DEPRECATED - please use latestVersion"
)
_PACTICIPANTS_NOTICE: Final = {"title": "DEPRECATED - Please use the embedded pacticipants collection"}


@represent.register
def single_pacticipant(details: PacticipantDetails) -> Hal:
    deployed_versions = details.deployed_versions
    deployed_links = None if deployed_versions is None else [_deployed_link(deployed) for deployed in deployed_versions]
    name = details.pacticipant.name
    own_links = {
        "pb:deployed-environments": deployed_links,
        "pb:rename": Link(urls.RENAME_PACTICIPANT.fill(pacticipant=name), f"Rename {name}"),
    }
    former_names = list(details.former_names) or None
    return _pacticipant(details.pacticipant, details.latest_version, details.labels, former_names, own_links)


@represent.register
def pacticipant_list(pacticipants: Pacticipants) -> Hal:
    return DocumentWithLists(
        state={
            **page_state(pacticipants.paged),
            "pacticipants": list_placeholder("duplicates") if pacticipants.has_duplicates else None,
        },
        embedded={"pacticipants": list_placeholder("pacticipants")},
        links={
            **page_links(pacticipants.paged, pacticipants.path),
            "self": Link(urls.PACTICIPANTS.fill()),
            "pb:pacticipants-with-label": Link(urls.PACTICIPANTS_WITH_LABEL.fill(), "Find pacticipants by label"),
            "pb:pacticipants": list_placeholder("links"),
            "pacticipants": list_placeholder("deprecated"),
        },
        lists=("pacticipants", "duplicates", "links", "deprecated"),
        render_items=lambda context: [_list_item(pacticipant, context) for pacticipant in pacticipants.paged.items],
    )


@lru_cache(maxsize=2048)
def _list_item(pacticipant: ListedPacticipant, context: LinkContext) -> RenderedItem:
    """Render a pacticipant for the four lists. It is cached because few pacticipants change between two reads."""
    name = pacticipant.name
    document = _pacticipant(pacticipant, pacticipant.latest_version, pacticipant.labels)
    return render_item(
        context,
        document,
        # The notice belongs to the properties, which come before the embedded documents and links.
        {
            **{member: value for member, value in document.items() if not member.startswith("_")},
            **_PACTICIPANTS_NOTICE,
            "_embedded": document["_embedded"],
            "_links": document["_links"],
        },
        _pacticipant_link(name),
        Link(urls.PACTICIPANT.fill(pacticipant=name), name, name="DEPRECATED - please use pb:pacticipants"),
    )


def _pacticipant(
    pacticipant: Pacticipant | ListedPacticipant,
    latest_version: str | None,
    labels: Iterable[str],
    former_names: list[str] | None = None,
    own_links: Links = MappingProxyType({}),
) -> Hal:
    """Represent a pacticipant, alone and in lists, where it has fewer links and no former names."""
    name = pacticipant.name
    state: PacticipantState = {
        "name": name,
        "displayName": pacticipant.display_name,
        "repositoryUrl": pacticipant.repository_url,
        "repositoryName": pacticipant.repository_name,
        "repositoryNamespace": pacticipant.repository_namespace,
        "mainBranch": pacticipant.main_branch,
        "contacts": None if pacticipant.contacts is None else orjson.Fragment(pacticipant.contacts),
        **timestamps(pacticipant),
    }
    return Hal(
        state={**state, "formerNames": former_names},
        embedded={
            "latestVersion": _latest_version(name, latest_version),
            "labels": [Hal({"name": label}, links={"self": _label_link(name, label)}) for label in labels],
            "latest-version": _latest_version(name, latest_version, _LATEST_VERSION_NOTICE),
        },
        links=_links(name, own_links),
    )


def _latest_version(
    pacticipant: str, number: str | None, notice: Mapping[str, str] = MappingProxyType({})
) -> Hal | None:
    if number is None:
        return None
    link = Link(urls.VERSION.fill(pacticipant=pacticipant, version=number), "Version", name=number)
    return Hal({"number": number, **notice}, links={"self": link})


def _links(name: str, own_links: Links) -> Links:
    versions_path = urls.VERSIONS.fill(pacticipant=name)
    return {
        "self": Link(urls.PACTICIPANT.fill(pacticipant=name)),
        "pb:versions": Link(versions_path),
        "pb:branches": Link(urls.BRANCHES.fill(pacticipant=name)),
        **own_links,
        "pb:version": Link(urls.VERSION.fill(pacticipant=name), "Get, create or delete a pacticipant version"),
        "pb:version-tag": Link(
            urls.VERSION_TAG.fill(pacticipant=name), f"Get, create or delete a tag for a version of {name}"
        ),
        "pb:branch-version": Link(
            urls.BRANCH_VERSION.fill(pacticipant=name), f"Get or add/create a version for a branch of {name}"
        ),
        "pb:label": Link(urls.PACTICIPANT_LABEL.fill(pacticipant=name), f"Get, create or delete a label for {name}"),
        "versions": Link(versions_path, "Deprecated - use pb:versions"),
        "pb:can-i-deploy-badge": Link(urls.CAN_I_DEPLOY_TAG_BADGE.fill(pacticipant=name), f"Can I Deploy {name} badge"),
        "pb:can-i-deploy-branch-to-environment-badge": Link(
            urls.CAN_I_DEPLOY_BRANCH_BADGE.fill(pacticipant=name),
            f"Can I Deploy {name} from branch to environment badge",
        ),
        "curies": build_curies("pacticipant"),
    }


def _deployed_link(deployed: DeployedVersion) -> Link:
    name = deployed.environment.display_name
    path = urls.DEPLOYED_VERSION.fill(uuid=deployed.uuid)
    return Link(path, f"Version deployed to {name}", name=name, extra={"currently_deployed": deployed.is_current})


def _pacticipant_link(name: str) -> Link:
    return Link(urls.PACTICIPANT.fill(pacticipant=name), "Pacticipant", name=name)


def _label_link(pacticipant: str, name: str) -> Link:
    return Link(urls.PACTICIPANT_LABEL.fill(pacticipant=pacticipant, label=name), "Label", name=name)


@represent.register
def single_label(label: Label) -> Hal:
    return Hal(
        state={"name": label.name, **timestamps(label)},
        links={
            "self": _label_link(label.pacticipant, label.name),
            "pacticipant": _pacticipant_link(label.pacticipant),
        },
    )


@represent.register
def label_list(labels: Labels) -> Hal:
    return Hal(
        state=page_state(labels.paged),
        embedded={"labels": [{"name": name} for name in labels.paged.items]},
        links={"self": Link(urls.URL_PLACEHOLDER, "Labels"), **page_links(labels.paged, urls.LABELS.fill())},
    )
