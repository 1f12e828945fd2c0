"""How environments, deployments and releases look."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import orjson

from treaty.model.deployments import DeployedVersion, Destination, Environment, ReleasedVersion
from treaty.web import urls
from treaty.web.hal import represent
from treaty.web.hal.documents import Hal, Link


@dataclass(frozen=True, slots=True)
class Environments:
    """A list of environments."""

    environments: list[Environment]


@dataclass(frozen=True, slots=True)
class DeploymentsOf:
    """The deployments of a version in an environment."""

    destination: Destination
    deployed: list[DeployedVersion]


@dataclass(frozen=True, slots=True)
class ReleasesOf:
    """The release of a version to an environment, if there is one."""

    destination: Destination
    released: list[ReleasedVersion]


@dataclass(frozen=True, slots=True)
class RunningIn:
    """What runs in an environment."""

    environment: Environment
    deployed: list[DeployedVersion]


@dataclass(frozen=True, slots=True)
class SupportedIn:
    """What is supported in an environment."""

    environment: Environment
    released: list[ReleasedVersion]


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
            "self": Link(urls.HERE, "Environments"),
            "pb:environments": [
                Link(urls.ENVIRONMENT.fill(uuid=one.uuid), "Environment", name=one.name) for one in page.environments
            ],
        },
    )


@represent.register
def deployed_version(deployed: DeployedVersion) -> Hal:
    return _deployed(deployed, {**_version(deployed), "environment": environment(deployed.environment)})


@represent.register
def deployments_of(page: DeploymentsOf) -> Hal:
    to = page.destination
    title = f"Deployed versions for {to.pacticipant} version {to.version} in environment {to.environment.display_name}"
    return _list("deployedVersions", [_deployed(one, {}) for one in page.deployed], title)


@represent.register
def running_in(page: RunningIn) -> Hal:
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
def releases_of(page: ReleasesOf) -> Hal:
    to = page.destination
    title = f"Released versions for {to.pacticipant_display_name} version {to.version} in {to.environment.display_name}"
    return _list("releasedVersions", [_released(one, {}) for one in page.released], title)


@represent.register
def supported_in(page: SupportedIn) -> Hal:
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
    return Hal(embedded={name: items}, links={"self": Link(urls.HERE_AND_QUERY, title)})


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
