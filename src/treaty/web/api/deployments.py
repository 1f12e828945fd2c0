"""Environments, and recording what runs in them and what is released to them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import orjson
from pydantic import Field, with_config
from typing_extensions import TypedDict

from treaty.actions import deployments as deployment_actions
from treaty.errors import Invalid, Malformed
from treaty.model.deployments import (
    ApplicationInstance,
    DeployedVersion,
    Deployment,
    DeploymentTarget,
    Environment,
    EnvironmentDraft,
    Release,
    ReleasedVersion,
)
from treaty.store import deployments
from treaty.web import urls
from treaty.web.hal import represent
from treaty.web.hal.documents import Hal, Link
from treaty.web.hal.shapes import Named, Numbered, Omittable, SelfLinked, Times
from treaty.web.http.bodies import Body, EmptyBody, EnvironmentName, Line, RequiredBoolean, RequiredLine, with_example
from treaty.web.http.media_types import MERGE_PATCH
from treaty.web.http.queries import BLANK, QueryParameter, is_blank
from treaty.web.http.request import Request
from treaty.web.http.results import Created, Deleted, Updated
from treaty.web.http.router import Router, link_to
from treaty.web.security.permissions import Permission

router = Router()


class ContactBody(Body):
    """Whom to ask about an environment."""

    name: RequiredLine
    details: dict[str, Any] = Field(default_factory=dict)


class EnvironmentBody(Body):
    """All that a client says about an environment."""

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

    def draft(self) -> EnvironmentDraft:
        return EnvironmentDraft(
            name=self.name,
            display_name=self.display_name,
            is_production=self.production,
            contacts=self._contacts() if "contacts" in self.model_fields_set else None,
        )

    def _contacts(self) -> str:
        return _as_text([one.model_dump(exclude_unset=True) for one in self.contacts])


@dataclass(frozen=True, slots=True)
class Environments:
    """A list of environments."""

    environments: list[Environment]


@dataclass(frozen=True, slots=True)
class VersionDeployments:
    """The deployments of a version in an environment."""

    destination: DeploymentTarget
    deployed: list[DeployedVersion]


@dataclass(frozen=True, slots=True)
class VersionReleases:
    """The release of a version to an environment, if there is one."""

    destination: DeploymentTarget
    released: list[ReleasedVersion]


@dataclass(frozen=True, slots=True)
class EnvironmentDeployments:
    """What runs in an environment."""

    environment: Environment
    deployed: list[DeployedVersion]


@dataclass(frozen=True, slots=True)
class EnvironmentReleases:
    """What is supported in an environment."""

    environment: Environment
    released: list[ReleasedVersion]


def _as_text(value: object) -> str:
    try:
        return orjson.dumps(value).decode()
    except orjson.JSONEncodeError as error:  # it is read from JSON, so only its depth can be wrong
        raise Malformed("JSON::NestingError - nesting is too deep") from error


class EnvironmentState(Times):
    uuid: str
    name: str
    displayName: Omittable[str]
    production: bool
    contacts: Omittable[Any]


EnvironmentLinks = TypedDict(
    "EnvironmentLinks",
    {
        "self": Link,
        "pb:currently-deployed-deployed-versions": Link,
        "pb:currently-supported-released-versions": Link,
        "pb:environments": Link,
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
    is_cacheable=True,
    query=(QueryParameter("name", "The name of an environment."),),
    response=EnvironmentsDocument,
)
def list_environments(call: Request) -> Environments:
    """List all environments, or the one that has a name."""
    name = call.name_parameter("name")
    if name is None:
        return Environments(deployments.list_all(call.db))
    found = deployments.find_by_name(call.db, name)
    return Environments([found] if found else [])


@router.post(
    urls.ENVIRONMENTS,
    permission=Permission.MANAGE_ENVIRONMENT,
    body=EnvironmentBody,
    response=EnvironmentDocument,
    links=_ENVIRONMENT_LINKS,
)
def add_environment(call: Request) -> Created:
    """Add an environment."""
    new = deployment_actions.add_environment(call.db, call.body(EnvironmentBody).draft(), now=call.now)
    return Created(new, urls.ENVIRONMENT.fill(uuid=new.uuid))


@router.get(urls.ENVIRONMENT, permission=Permission.READ, response=EnvironmentDocument)
def show_environment(call: Request, uuid: str) -> object:
    """Show an environment."""
    return deployments.get(call.db, uuid)


@router.put(
    urls.ENVIRONMENT, permission=Permission.MANAGE_ENVIRONMENT, body=EnvironmentBody, response=EnvironmentDocument
)
def change_environment(call: Request, uuid: str) -> Updated:
    """Replace all that is said about an environment."""
    existing = deployments.lock(call.db, uuid)
    draft = call.body(EnvironmentBody).draft()
    return Updated(deployment_actions.change_environment(call.db, existing, draft, now=call.now))


@router.delete(urls.ENVIRONMENT, permission=Permission.MANAGE_ENVIRONMENT)
def remove_environment(call: Request, uuid: str) -> Deleted:
    """Remove an environment, and what was deployed and released to it."""
    deployment_actions.remove_environment(call.db, uuid)
    return Deleted()


@router.get(
    urls.CURRENTLY_DEPLOYED, permission=Permission.READ, query=_DEPLOYED_PARAMETERS, response=CurrentlyDeployedDocument
)
def list_currently_deployed(call: Request, uuid: str) -> EnvironmentDeployments:
    """List the versions that run in an environment."""
    environment = deployments.get(call.db, uuid)
    name = call.name_parameter("pacticipant")
    return EnvironmentDeployments(
        environment, deployments.list_running_in_environment(call.db, uuid, pacticipant=name, instance=_wanted(call))
    )


def _wanted(call: Request) -> ApplicationInstance | None:
    """Read whose place is asked for: a blank name asks for the place without one."""
    given = next((call.query[name] for name in ("applicationInstance", "target") if name in call.query), None)
    return ApplicationInstance(name=given or None) if isinstance(given, str) else None


@router.get(
    urls.CURRENTLY_SUPPORTED,
    permission=Permission.READ,
    query=_SUPPORTED_PARAMETERS,
    response=CurrentlySupportedDocument,
)
def list_currently_supported(call: Request, uuid: str) -> EnvironmentReleases:
    """List the versions that are supported in an environment."""
    environment = deployments.get(call.db, uuid)
    name, number = call.name_parameter("pacticipant"), call.name_parameter("version")
    return EnvironmentReleases(
        environment, deployments.list_supported_in_environment(call.db, uuid, pacticipant=name, version=number)
    )


@router.get(urls.DEPLOYMENTS, permission=Permission.READ, response=DeploymentsDocument)
def list_deployments(call: Request, pacticipant: str, version: str, environment: str) -> VersionDeployments:
    """List the deployments of a version in an environment, ended ones too."""
    wanted = Release(pacticipant=pacticipant, version=version, environment=environment)
    destination = deployments.get_destination(call.db, wanted)
    return VersionDeployments(destination, deployments.list_deployments_of_destination(call.db, destination))


@router.post(
    urls.DEPLOYMENTS,
    permission=Permission.RECORD_DEPLOYMENT,
    body=DeploymentBody,
    response=DeployedVersionDocument,
    links=link_to(_UUID, "show_deployed_version", "change_deployed_version"),
)
def record_deployment(call: Request, pacticipant: str, version: str, environment: str) -> Created:
    """Record that a version now runs in an environment."""
    deployment = Deployment(
        pacticipant=pacticipant,
        version=version,
        environment=environment,
        application_instance=_instance(call.body(dict)),
    )
    deployed = deployment_actions.record_deployment(call.db, deployment, now=call.now)
    return Created(deployed, urls.DEPLOYED_VERSION.fill(uuid=deployed.uuid))


def _instance(body: dict[str, Any]) -> str | None:
    """Read where a version is deployed. Raises Invalid for a blank name: it would replace what has no instance."""
    key = "target" if body.get("applicationInstance") is None else "applicationInstance"
    given = body.get(key)
    if is_blank(given):
        raise Invalid.member(key, BLANK)
    return given if given is None or isinstance(given, str) else _as_text(given)


@router.get(urls.RELEASES, permission=Permission.READ, response=ReleasesDocument)
def list_releases(call: Request, pacticipant: str, version: str, environment: str) -> VersionReleases:
    """List the release of a version to an environment, if there is one."""
    wanted = Release(pacticipant=pacticipant, version=version, environment=environment)
    destination = deployments.get_destination(call.db, wanted)
    return VersionReleases(destination, deployments.list_releases_of_destination(call.db, destination))


@router.post(
    urls.RELEASES,
    permission=Permission.RECORD_DEPLOYMENT,
    body=EmptyBody,
    response=ReleasedVersionDocument,
    links=link_to(_UUID, "show_released_version", "change_released_version"),
)
def record_release(call: Request, pacticipant: str, version: str, environment: str) -> Created | Updated:
    """Record that a version is released to an environment and supported there."""
    call.body(dict)
    release = Release(pacticipant=pacticipant, version=version, environment=environment)
    released, is_new = deployment_actions.record_release(call.db, release, now=call.now)
    answer = Created if is_new else Updated
    return answer(released, urls.RELEASED_VERSION.fill(uuid=released.uuid))


@router.get(urls.DEPLOYED_VERSION, permission=Permission.READ, response=DeployedVersionDocument)
def show_deployed_version(call: Request, uuid: str) -> object:
    """Show a deployed version."""
    return deployments.get_deployed(call.db, uuid)


@router.patch(
    urls.DEPLOYED_VERSION,
    permission=Permission.RECORD_DEPLOYMENT,
    consumes=(MERGE_PATCH,),
    body=UndeploymentBody,
    response=DeployedVersionDocument,
)
def change_deployed_version(call: Request, uuid: str) -> Updated:
    """Record that a version no longer runs."""
    deployed = deployments.get_deployed(call.db, uuid)
    if _ends(call, "currentlyDeployed"):
        deployed = deployment_actions.end_deployment(call.db, uuid, now=call.now)
    return Updated(deployed)


@router.get(urls.RELEASED_VERSION, permission=Permission.READ, response=ReleasedVersionDocument)
def show_released_version(call: Request, uuid: str) -> object:
    """Show a released version."""
    return deployments.get_released(call.db, uuid)


@router.patch(
    urls.RELEASED_VERSION,
    permission=Permission.RECORD_DEPLOYMENT,
    consumes=(MERGE_PATCH,),
    body=EndOfSupportBody,
    response=ReleasedVersionDocument,
)
def change_released_version(call: Request, uuid: str) -> Updated:
    """Record that a version is no longer supported."""
    released = deployments.get_released(call.db, uuid)
    if _ends(call, "currentlySupported"):
        released = deployment_actions.end_support(call.db, uuid, now=call.now)
    return Updated(released)


def _ends(call: Request, flag: str) -> bool:
    """Read whether a flag is to be lowered. Raises Invalid when it is to be raised."""
    wanted = call.body(dict).get(flag)
    if wanted is True:
        text = f"The {flag} property cannot be set back to true. Please record a new deployment."
        raise Invalid.member(flag, text, status=422)
    return wanted is False


@represent.register
def environment(one: Environment) -> Hal:
    return Hal(
        state={
            "uuid": one.uuid,
            "name": one.name,
            "displayName": one.display_name,
            "production": one.is_production,
            "contacts": None if one.contacts is None else orjson.Fragment(one.contacts),
            **_times(one),
        },
        links={
            "self": Link(urls.ENVIRONMENT.fill(uuid=one.uuid), "Environment", name=one.name),
            "pb:currently-deployed-deployed-versions": Link(
                urls.CURRENTLY_DEPLOYED.fill(uuid=one.uuid),
                f"Versions currently deployed to {one.display_name} environment",
            ),
            "pb:currently-supported-released-versions": Link(
                urls.CURRENTLY_SUPPORTED.fill(uuid=one.uuid),
                f"Versions released and supported in {one.display_name} environment",
            ),
            "pb:environments": Link(urls.ENVIRONMENTS.fill(), "Environments"),
        },
    )


@represent.register
def environments(page: Environments) -> Hal:
    return Hal(
        embedded={"environments": [environment(one) for one in page.environments]},
        links={
            "self": Link(urls.URL_PLACEHOLDER, "Environments"),
            "pb:environments": [
                Link(urls.ENVIRONMENT.fill(uuid=one.uuid), "Environment", name=one.name) for one in page.environments
            ],
        },
    )


@represent.register
def deployed_version(deployed: DeployedVersion) -> Hal:
    return _deployed(deployed, {**_version(deployed), "environment": environment(deployed.environment)})


@represent.register
def version_deployments(page: VersionDeployments) -> Hal:
    to = page.destination
    title = f"Deployed versions for {to.pacticipant} version {to.version} in environment {to.environment.display_name}"
    return _list("deployedVersions", [_deployed(one, {}) for one in page.deployed], title)


@represent.register
def environment_deployments(page: EnvironmentDeployments) -> Hal:
    title = f"Currently deployed versions for {page.environment.display_name}"
    return _list("deployedVersions", [_deployed(one, _version(one)) for one in page.deployed], title)


def _deployed(deployed: DeployedVersion, embedded: Mapping[str, object]) -> Hal:
    return Hal(
        state={
            "uuid": deployed.uuid,
            "currentlyDeployed": deployed.is_current,
            "target": deployed.application_instance,
            "applicationInstance": deployed.application_instance,
            "undeployedAt": deployed.undeployed_at,
            **_times(deployed),
        },
        embedded=embedded,
        links={"self": Link(urls.DEPLOYED_VERSION.fill(uuid=deployed.uuid))},
    )


@represent.register
def released_version(released: ReleasedVersion) -> Hal:
    return _released(released, {**_version(released), "environment": environment(released.environment)})


@represent.register
def version_releases(page: VersionReleases) -> Hal:
    to = page.destination
    title = f"Released versions for {to.pacticipant_display_name} version {to.version} in {to.environment.display_name}"
    return _list("releasedVersions", [_released(one, {}) for one in page.released], title)


@represent.register
def environment_releases(page: EnvironmentReleases) -> Hal:
    title = f"Currently supported versions in {page.environment.display_name}"
    return _list("releasedVersions", [_released(one, _version(one)) for one in page.released], title)


def _released(released: ReleasedVersion, embedded: Mapping[str, object]) -> Hal:
    return Hal(
        state={
            "uuid": released.uuid,
            "currentlySupported": released.is_supported,
            **_times(released),
            "supportEndedAt": released.support_ended_at,
        },
        embedded=embedded,
        links={"self": Link(urls.RELEASED_VERSION.fill(uuid=released.uuid))},
    )


def _list(name: str, items: list[Hal], title: str) -> Hal:
    return Hal(embedded={name: items}, links={"self": Link(urls.URL_WITH_QUERY_PLACEHOLDER, title)})


def _version(recorded: DeployedVersion | ReleasedVersion) -> dict[str, object]:
    name, number = recorded.pacticipant, recorded.version
    return {
        "pacticipant": Hal({"name": name}, links={"self": Link(urls.PACTICIPANT.fill(pacticipant=name))}),
        "version": Hal(
            {"number": number},
            links={"self": Link(urls.VERSION.fill(pacticipant=name, version=number), "Version", name=number)},
        ),
    }


def _times(one: Environment | DeployedVersion | ReleasedVersion) -> dict[str, datetime | None]:
    return {
        "updatedAt": one.updated_at if one.updated_at != one.created_at else None,
        "createdAt": one.created_at,
    }
