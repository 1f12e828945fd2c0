"""Environments, deployments and releases: handlers and representation."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Final, Literal

import orjson
from pydantic import Field, with_config
from typing_extensions import TypedDict

from treaty.actions import deployments as deployment_actions
from treaty.errors import Invalid
from treaty.model.accounts.scopes import Scope
from treaty.model.deployments import (
    ApplicationInstance,
    DeployedVersion,
    Deployment,
    Environment,
    EnvironmentDraft,
    Release,
    ReleasedVersion,
)
from treaty.model.names import check_name
from treaty.store import deployments
from treaty.web import urls
from treaty.web.api.contacts import ContactBody, dump_contacts, dump_json
from treaty.web.api.timestamps import timestamps
from treaty.web.hal import represent
from treaty.web.hal.documents import Hal, Link
from treaty.web.hal.shapes import Named, Numbered, Omittable, SelfLinked, Times
from treaty.web.http.bodies import Body, EmptyBody, EnvironmentName, Line, RequiredBoolean, with_example
from treaty.web.http.media_types import JSON, MERGE_PATCH, NO_CONTENT_TYPE
from treaty.web.http.queries import BLANK, QueryParameter, is_blank
from treaty.web.http.request import Request
from treaty.web.http.results import Created, Deleted, Updated
from treaty.web.http.router import Router, link_to
from treaty.web.security.permissions import DEPLOYMENT_READS, Permission

router = Router()


MAX_POSITION: Final = 10_000
EnvironmentPosition = Annotated[int, Field(ge=1, le=MAX_POSITION, strict=True)]


class EnvironmentBody(Body):
    """Request body of an environment: all its properties."""

    model_config = with_example(
        {
            "name": "production",
            "displayName": "Production",
            "production": True,
            "contacts": [{"name": "Platform", "details": {"emailAddress": "platform@example.org"}}],
        }
    )

    name: EnvironmentName
    display_name: Line = None
    production: RequiredBoolean
    contacts: list[ContactBody] = Field(default_factory=list)
    first_deployments: Literal["allow", "deny"] | None = None
    """Whether a version may be deployed here before its providers, while these are deployed nowhere."""
    records_decisions: bool | None = None
    position: EnvironmentPosition | None = None
    """Position in the pipeline, in ascending order; null removes it, and leaving it out keeps it."""

    def draft(self) -> EnvironmentDraft:
        # Without the member, `contacts` stays absent in responses; an empty list comes back as an empty list.
        return EnvironmentDraft(
            name=self.name,
            display_name=self.display_name,
            is_production=self.production,
            contacts=dump_contacts(self.contacts) if "contacts" in self.model_fields_set else None,
            records_decisions=self.records_decisions,
            allows_first_deployments=self.first_deployments == "allow",
            position=self.position,
            sets_position="position" in self.model_fields_set,
        )


@dataclass(frozen=True, slots=True)
class Environments:
    """A list of environments."""

    environments: list[Environment]


@dataclass(frozen=True, slots=True)
class DeployedVersions:
    """A list of deployments."""

    deployed: Sequence[DeployedVersion]
    title: str
    has_versions: bool
    """Whether each item embeds its pacticipant and version, because they differ between items."""


@dataclass(frozen=True, slots=True)
class ReleasedVersions:
    """A list of releases."""

    released: Sequence[ReleasedVersion]
    title: str
    has_versions: bool
    """As in `DeployedVersions`."""


class EnvironmentState(Times):
    uuid: str
    name: str
    displayName: Omittable[str]
    production: bool
    contacts: Omittable[Any]
    recordsDecisions: Omittable[bool]
    firstDeployments: Omittable[Literal["allow"]]
    position: Omittable[int]


EnvironmentLinks = TypedDict(
    "EnvironmentLinks",
    {
        "self": Link,
        "pb:currently-deployed-deployed-versions": Link,
        "pb:currently-supported-released-versions": Link,
        "pb:environments": Link,
        "pb:recorded-decisions": Link,
    },
)


class EnvironmentDocument(EnvironmentState):
    _links: EnvironmentLinks


class ListedEnvironments(TypedDict):
    environments: list[EnvironmentDocument]


EnvironmentsLinks = TypedDict("EnvironmentsLinks", {"self": Link, "pb:environments": list[Link]})


class EnvironmentsDocument(TypedDict):
    _embedded: ListedEnvironments
    _links: EnvironmentsLinks


class RecordedVersion(TypedDict):
    pacticipant: Named
    version: Numbered


class RecordedVersionInEnvironment(RecordedVersion):
    environment: EnvironmentDocument


class ListedDeployment(Times, SelfLinked):
    uuid: str
    currentlyDeployed: bool
    target: Omittable[str]
    applicationInstance: Omittable[str]
    undeployedAt: Omittable[datetime]
    lacksDecision: Omittable[bool]


class DeployedVersionDocument(ListedDeployment):
    _embedded: RecordedVersionInEnvironment


class ListedDeployments(TypedDict):
    deployedVersions: list[ListedDeployment]


class DeploymentsDocument(SelfLinked):
    _embedded: ListedDeployments


class CurrentDeployment(ListedDeployment):
    _embedded: RecordedVersion


class CurrentDeployments(TypedDict):
    deployedVersions: list[CurrentDeployment]


class CurrentlyDeployedDocument(SelfLinked):
    _embedded: CurrentDeployments


class ListedRelease(Times, SelfLinked):
    uuid: str
    currentlySupported: bool
    supportEndedAt: Omittable[datetime]
    lacksDecision: Omittable[bool]


class ReleasedVersionDocument(ListedRelease):
    _embedded: RecordedVersionInEnvironment


class ListedReleases(TypedDict):
    releasedVersions: list[ListedRelease]


class ReleasesDocument(SelfLinked):
    _embedded: ListedReleases


class SupportedRelease(ListedRelease):
    _embedded: RecordedVersion


class SupportedReleases(TypedDict):
    releasedVersions: list[SupportedRelease]


class CurrentlySupportedDocument(SelfLinked):
    _embedded: SupportedReleases


@with_config(with_example({"applicationInstance": "blue"}))
class DeploymentBody(TypedDict, total=False):
    applicationInstance: str | None
    target: str | None


@with_config(with_example({"currentlyDeployed": False}))
class UndeploymentBody(TypedDict, total=False):
    currentlyDeployed: bool


@with_config(with_example({"currentlySupported": False}))
class EndOfSupportBody(TypedDict, total=False):
    currentlySupported: bool


_UUID: Final = {"uuid": "$response.body#/uuid"}
_ENVIRONMENT_LINKS: Final = (
    *link_to(
        _UUID,
        *("show_environment", "change_environment", "list_currently_deployed", "list_currently_supported"),
        "remove_environment",
    ),
    *link_to(
        {"environment": "$response.body#/uuid"},
        *("record_deployment", "record_release", "list_deployments", "list_versions_in_environment"),
    ),
)
_PACTICIPANT: Final = QueryParameter("pacticipant", "The name of a pacticipant.")
_DEPLOYED_PARAMETERS: Final = (
    _PACTICIPANT,
    QueryParameter("applicationInstance", "The name of an application instance; blank for versions without one."),
)
_SUPPORTED_PARAMETERS: Final = (_PACTICIPANT, QueryParameter("version", "The number of a version."))


@router.get(
    urls.ENVIRONMENTS,
    permission=Permission.READ,
    scopes=DEPLOYMENT_READS,
    is_cacheable=True,
    query=(QueryParameter("name", "The name of an environment."),),
    response=EnvironmentsDocument,
)
def list_environments(request: Request) -> Environments:
    """List all environments, or only the one with the given name."""
    name = request.name_parameter("name")
    if name is None:
        return Environments(deployments.list_all(request.db))
    environment = deployments.find_by_name(request.db, name)
    return Environments([environment] if environment else [])


@router.post(
    urls.ENVIRONMENTS,
    permission=Permission.MANAGE_ENVIRONMENT,
    body=EnvironmentBody,
    response=EnvironmentDocument,
    links=_ENVIRONMENT_LINKS,
)
def add_environment(request: Request) -> Created:
    """Add an environment."""
    new = deployment_actions.add_environment(request.db, request.body(EnvironmentBody).draft(), now=request.now)
    return Created(new, urls.ENVIRONMENT.fill(uuid=new.uuid))


@router.get(urls.ENVIRONMENT, permission=Permission.READ, scopes=DEPLOYMENT_READS, response=EnvironmentDocument)
def show_environment(request: Request, uuid: str) -> object:
    """Show an environment."""
    return deployments.get(request.db, uuid)


@router.put(
    urls.ENVIRONMENT, permission=Permission.MANAGE_ENVIRONMENT, body=EnvironmentBody, response=EnvironmentDocument
)
def change_environment(request: Request, uuid: str) -> Updated:
    """Replace the properties of an environment."""
    existing = deployments.lock(request.db, uuid)
    draft = request.body(EnvironmentBody).draft()
    return Updated(deployment_actions.change_environment(request.db, existing, draft, now=request.now))


@router.delete(urls.ENVIRONMENT, permission=Permission.MANAGE_ENVIRONMENT)
def remove_environment(request: Request, uuid: str) -> Deleted:
    """Remove an environment with its deployments and releases."""
    deployment_actions.remove_environment(request.db, uuid)
    return Deleted()


@router.get(
    urls.CURRENTLY_DEPLOYED,
    permission=Permission.READ,
    scopes=DEPLOYMENT_READS,
    query=_DEPLOYED_PARAMETERS,
    response=CurrentlyDeployedDocument,
)
def list_currently_deployed(request: Request, uuid: str) -> DeployedVersions:
    """List the versions that are currently deployed to an environment."""
    environment = deployments.get(request.db, uuid)
    deployed = deployments.list_running_in_environment(
        request.db, uuid, pacticipant=request.name_parameter("pacticipant"), instance=_instance_filter(request)
    )
    title = f"Currently deployed versions for {environment.display_name}"
    return DeployedVersions(deployed, title, has_versions=True)


def _instance_filter(request: Request) -> ApplicationInstance | None:
    """Read the requested application instance. A blank name selects deployments without an instance.

    `target` is the deprecated name of the parameter, which old clients send.
    """
    names = (request.query[name] for name in ("applicationInstance", "target") if name in request.query)
    name = next(names, None)
    return ApplicationInstance(name=name or None) if isinstance(name, str) else None


@router.get(
    urls.CURRENTLY_SUPPORTED,
    permission=Permission.READ,
    scopes=DEPLOYMENT_READS,
    query=_SUPPORTED_PARAMETERS,
    response=CurrentlySupportedDocument,
)
def list_currently_supported(request: Request, uuid: str) -> ReleasedVersions:
    """List the versions that are released to an environment and supported there."""
    environment = deployments.get(request.db, uuid)
    released = deployments.list_supported_in_environment(
        request.db,
        uuid,
        pacticipant=request.name_parameter("pacticipant"),
        version=request.name_parameter("version"),
    )
    title = f"Currently supported versions in {environment.display_name}"
    return ReleasedVersions(released, title, has_versions=True)


@router.get(urls.DEPLOYMENTS, permission=Permission.READ, scopes=DEPLOYMENT_READS, response=DeploymentsDocument)
def list_deployments(request: Request, pacticipant: str, version: str, environment: str) -> DeployedVersions:
    """List the deployments of a version to an environment, including ended ones."""
    target = deployments.get_target(request.db, pacticipant=pacticipant, version=version, environment=environment)
    deployed = deployments.list_deployments_of_target(request.db, target)
    display_name = target.environment.display_name
    title = f"Deployed versions for {target.pacticipant} version {target.version} in environment {display_name}"
    return DeployedVersions(deployed, title, has_versions=False)


@router.post(
    urls.DEPLOYMENTS,
    permission=Permission.RECORD_DEPLOYMENT,
    scopes={Scope.RECORD_DEPLOYMENTS},
    application="pacticipant",
    consumes=(JSON, NO_CONTENT_TYPE),
    body=DeploymentBody,
    response=DeployedVersionDocument,
    links=link_to(_UUID, "show_deployed_version", "change_deployed_version"),
)
def record_deployment(request: Request, pacticipant: str, version: str, environment: str) -> Created:
    """Record that a version has been deployed to an environment."""
    deployment = Deployment(
        pacticipant=pacticipant,
        version=version,
        environment=environment,
        application_instance=_read_instance(request.body(dict)),
    )
    deployed = deployment_actions.record_deployment(
        request.db, deployment, now=request.now, decision_validity=request.settings.decision_validity
    )
    return Created(deployed, urls.DEPLOYED_VERSION.fill(uuid=deployed.uuid))


def _read_instance(body: dict[str, Any]) -> str | None:
    """Read the application instance of a deployment.

    Raises Invalid for a name that breaks the rules: a blank one would replace the deployment without an instance.
    """
    member = "target" if body.get("applicationInstance") is None else "applicationInstance"
    instance = body.get(member)
    if is_blank(instance):
        raise Invalid.member(member, BLANK)
    if isinstance(instance, str):
        check_name(member, instance)
    return instance if instance is None or isinstance(instance, str) else dump_json(instance)


@router.get(urls.RELEASES, permission=Permission.READ, scopes=DEPLOYMENT_READS, response=ReleasesDocument)
def list_releases(request: Request, pacticipant: str, version: str, environment: str) -> ReleasedVersions:
    """List the release of a version to an environment; it has at most one."""
    target = deployments.get_target(request.db, pacticipant=pacticipant, version=version, environment=environment)
    released = deployments.list_releases_of_target(request.db, target)
    # Unlike for deployments, the original broker shows the display name of the pacticipant here.
    name, display_name = target.pacticipant_display_name, target.environment.display_name
    title = f"Released versions for {name} version {target.version} in {display_name}"
    return ReleasedVersions(released, title, has_versions=False)


@router.post(
    urls.RELEASES,
    permission=Permission.RECORD_DEPLOYMENT,
    scopes={Scope.RECORD_DEPLOYMENTS},
    application="pacticipant",
    consumes=(JSON, NO_CONTENT_TYPE),
    body=EmptyBody,
    response=ReleasedVersionDocument,
    links=link_to(_UUID, "show_released_version", "change_released_version"),
)
def record_release(request: Request, pacticipant: str, version: str, environment: str) -> Created | Updated:
    """Record that a version has been released to an environment and is supported there."""
    request.body(dict)  # nothing in it is used, but it must be valid JSON
    release = Release(pacticipant=pacticipant, version=version, environment=environment)
    released, is_new = deployment_actions.record_release(
        request.db, release, now=request.now, decision_validity=request.settings.decision_validity
    )
    result = Created if is_new else Updated
    return result(released, urls.RELEASED_VERSION.fill(uuid=released.uuid))


@router.get(
    urls.DEPLOYED_VERSION, permission=Permission.READ, scopes=DEPLOYMENT_READS, response=DeployedVersionDocument
)
def show_deployed_version(request: Request, uuid: str) -> object:
    """Show a deployed version."""
    return deployments.get_deployed(request.db, uuid)


def _find_deployed_application(request: Request, names: Sequence[str]) -> Sequence[str]:
    return [deployments.get_deployed(request.db, *names).pacticipant]


@router.patch(
    urls.DEPLOYED_VERSION,
    permission=Permission.RECORD_DEPLOYMENT,
    scopes={Scope.RECORD_DEPLOYMENTS},
    application=_find_deployed_application,
    consumes=(MERGE_PATCH,),
    body=UndeploymentBody,
    response=DeployedVersionDocument,
)
def change_deployed_version(request: Request, uuid: str) -> Updated:
    """Record that a version is no longer deployed."""
    deployed = deployments.get_deployed(request.db, uuid)
    if _ends(request, "currentlyDeployed"):
        deployed = deployment_actions.end_deployment(request.db, uuid, now=request.now)
    return Updated(deployed)


@router.get(
    urls.RELEASED_VERSION, permission=Permission.READ, scopes=DEPLOYMENT_READS, response=ReleasedVersionDocument
)
def show_released_version(request: Request, uuid: str) -> object:
    """Show a released version."""
    return deployments.get_released(request.db, uuid)


def _find_released_application(request: Request, names: Sequence[str]) -> Sequence[str]:
    return [deployments.get_released(request.db, *names).pacticipant]


@router.patch(
    urls.RELEASED_VERSION,
    permission=Permission.RECORD_DEPLOYMENT,
    scopes={Scope.RECORD_DEPLOYMENTS},
    application=_find_released_application,
    consumes=(MERGE_PATCH,),
    body=EndOfSupportBody,
    response=ReleasedVersionDocument,
)
def change_released_version(request: Request, uuid: str) -> Updated:
    """Record that a version is no longer supported."""
    released = deployments.get_released(request.db, uuid)
    if _ends(request, "currentlySupported"):
        released = deployment_actions.end_support(request.db, uuid, now=request.now)
    return Updated(released)


def _ends(request: Request, member: str) -> bool:
    """Read whether the request ends a deployment or release. Raises Invalid if it would make it current again."""
    value = request.body(dict).get(member)
    if value is True:
        text = f"The {member} property cannot be set back to true. Please record a new deployment."
        raise Invalid.member(member, text, status=422)
    return value is False


@represent.register
def single_environment(environment: Environment) -> Hal:
    uuid, display_name = environment.uuid, environment.display_name
    state: EnvironmentState = {
        "uuid": uuid,
        "name": environment.name,
        "displayName": display_name,
        "production": environment.is_production,
        "contacts": None if environment.contacts is None else orjson.Fragment(environment.contacts),
        # Treaty's own; left out where it is off, so that other environments are as in the original.
        "recordsDecisions": environment.records_decisions or None,
        # Like contacts, it is absent unless it was set.
        "firstDeployments": "allow" if environment.allows_first_deployments else None,
        "position": environment.position,
        **timestamps(environment),
    }
    return Hal(
        state=state,
        links={
            "self": _environment_link(environment),
            "pb:currently-deployed-deployed-versions": Link(
                urls.CURRENTLY_DEPLOYED.fill(uuid=uuid), f"Versions currently deployed to {display_name} environment"
            ),
            "pb:currently-supported-released-versions": Link(
                urls.CURRENTLY_SUPPORTED.fill(uuid=uuid),
                f"Versions released and supported in {display_name} environment",
            ),
            "pb:environments": Link(urls.ENVIRONMENTS.fill(), "Environments"),
            "pb:recorded-decisions": Link(
                f"{urls.DECISIONS.fill()}?environment={urls.quote(environment.name)}",
                f"Recorded decisions about {display_name}",
                templated=False,
            ),
        },
    )


def _environment_link(environment: Environment) -> Link:
    return Link(urls.ENVIRONMENT.fill(uuid=environment.uuid), "Environment", name=environment.name)


@represent.register
def environment_list(page: Environments) -> Hal:
    return Hal(
        embedded={"environments": [single_environment(environment) for environment in page.environments]},
        links={
            "self": Link(urls.URL_PLACEHOLDER, "Environments"),
            "pb:environments": [_environment_link(environment) for environment in page.environments],
        },
    )


@represent.register
def deployed_version(deployed: DeployedVersion) -> Hal:
    return _deployed(deployed, has_version=True, has_environment=True)


@represent.register
def released_version(released: ReleasedVersion) -> Hal:
    return _released(released, has_version=True, has_environment=True)


@represent.register
def deployed_version_list(page: DeployedVersions) -> Hal:
    documents = [_deployed(deployed, has_version=page.has_versions) for deployed in page.deployed]
    return _list_document("deployedVersions", documents, page.title)


@represent.register
def released_version_list(page: ReleasedVersions) -> Hal:
    documents = [_released(released, has_version=page.has_versions) for released in page.released]
    return _list_document("releasedVersions", documents, page.title)


def _deployed(deployed: DeployedVersion, *, has_version: bool, has_environment: bool = False) -> Hal:
    return Hal(
        state={
            "uuid": deployed.uuid,
            "currentlyDeployed": deployed.is_current,
            # `target` is the deprecated name of the application instance, which old clients read.
            "target": deployed.application_instance,
            "applicationInstance": deployed.application_instance,
            "undeployedAt": deployed.undeployed_at,
            "lacksDecision": deployed.lacks_decision or None,
            **timestamps(deployed),
        },
        embedded=_embedded(deployed, has_version=has_version, has_environment=has_environment),
        links={"self": Link(urls.DEPLOYED_VERSION.fill(uuid=deployed.uuid))},
    )


def _released(released: ReleasedVersion, *, has_version: bool, has_environment: bool = False) -> Hal:
    return Hal(
        state={
            "uuid": released.uuid,
            "currentlySupported": released.is_supported,
            **timestamps(released),
            "supportEndedAt": released.support_ended_at,
            "lacksDecision": released.lacks_decision or None,
        },
        embedded=_embedded(released, has_version=has_version, has_environment=has_environment),
        links={"self": Link(urls.RELEASED_VERSION.fill(uuid=released.uuid))},
    )


def _embedded(
    record: DeployedVersion | ReleasedVersion, *, has_version: bool, has_environment: bool
) -> dict[str, object]:
    embedded: dict[str, object] = {}
    if has_version:
        name, number = record.pacticipant, record.version
        version_link = Link(urls.VERSION.fill(pacticipant=name, version=number), "Version", name=number)
        embedded["pacticipant"] = Hal({"name": name}, links={"self": Link(urls.PACTICIPANT.fill(pacticipant=name))})
        embedded["version"] = Hal({"number": number}, links={"self": version_link})
    if has_environment:
        embedded["environment"] = single_environment(record.environment)
    return embedded


def _list_document(name: str, documents: list[Hal], title: str) -> Hal:
    return Hal(embedded={name: documents}, links={"self": Link(urls.URL_WITH_QUERY_PLACEHOLDER, title)})
