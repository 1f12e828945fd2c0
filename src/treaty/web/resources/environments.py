"""Environments, and recording what runs in them and what is released to them."""

from typing import Any

import orjson
from pydantic import Field

from treaty.actions import deploying
from treaty.errors import Invalid, Malformed
from treaty.model.environment import Deployment, EnvironmentDraft, Instance, Release
from treaty.store import environments
from treaty.web import urls
from treaty.web.bodies import Body, EnvironmentName, FilledLine, Line, TrueOrFalse
from treaty.web.media import MERGE
from treaty.web.queries import BLANK, is_blank
from treaty.web.represent.environments import DeploymentsOf, Environments, ReleasesOf, RunningIn, SupportedIn
from treaty.web.routing import Call, Created, Deleted, Permission, Router, Updated

router = Router()


class ContactBody(Body):
    """Whom to ask about an environment."""

    name: FilledLine
    details: dict[str, Any] = Field(default_factory=dict)


class EnvironmentBody(Body):
    """All that a client says about an environment."""

    name: EnvironmentName
    display_name: Line = None
    production: TrueOrFalse
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


def _as_text(value: object) -> str:
    try:
        return orjson.dumps(value).decode()
    except orjson.JSONEncodeError as error:  # it is read from JSON, so only its depth can be wrong
        raise Malformed("JSON::NestingError - nesting is too deep") from error


@router.get(urls.ENVIRONMENTS, permission=Permission.READ, is_cached=True)
def list_environments(call: Call) -> Environments:
    """List all environments, or the one that has a name."""
    name = call.name_option("name")
    if name is None:
        return Environments(environments.every(call.db))
    found = environments.find_by_name(call.db, name)
    return Environments([found] if found else [])


@router.post(urls.ENVIRONMENTS, permission=Permission.MANAGE_ENVIRONMENT)
def add_environment(call: Call) -> Created:
    """Add an environment."""
    new = deploying.add_environment(call.db, call.body(EnvironmentBody).draft(), now=call.now)
    return Created(new, urls.ENVIRONMENT.fill(uuid=new.uuid))


@router.get(urls.ENVIRONMENT, permission=Permission.READ)
def show_environment(call: Call, uuid: str) -> object:
    """Show an environment."""
    return environments.get(call.db, uuid)


@router.put(urls.ENVIRONMENT, permission=Permission.MANAGE_ENVIRONMENT)
def change_environment(call: Call, uuid: str) -> Updated:
    """Replace all that is said about an environment."""
    existing = environments.lock(call.db, uuid)
    draft = call.body(EnvironmentBody).draft()
    return Updated(deploying.change_environment(call.db, existing, draft, now=call.now))


@router.delete(urls.ENVIRONMENT, permission=Permission.MANAGE_ENVIRONMENT)
def remove_environment(call: Call, uuid: str) -> Deleted:
    """Remove an environment, and what was deployed and released to it."""
    deploying.remove_environment(call.db, uuid)
    return Deleted()


@router.get(urls.CURRENTLY_DEPLOYED, permission=Permission.READ)
def list_currently_deployed(call: Call, uuid: str) -> RunningIn:
    """List the versions that run in an environment."""
    environment = environments.get(call.db, uuid)
    name = call.name_option("pacticipant")
    return RunningIn(environment, environments.running_in(call.db, uuid, pacticipant=name, instance=_wanted(call)))


def _wanted(call: Call) -> Instance | None:
    """Read whose place is asked for: a blank name asks for the place without one."""
    given = next((call.query[name] for name in ("applicationInstance", "target") if name in call.query), None)
    return Instance(name=given or None) if isinstance(given, str) else None


@router.get(urls.CURRENTLY_SUPPORTED, permission=Permission.READ)
def list_currently_supported(call: Call, uuid: str) -> SupportedIn:
    """List the versions that are supported in an environment."""
    environment = environments.get(call.db, uuid)
    name, number = call.name_option("pacticipant"), call.name_option("version")
    return SupportedIn(environment, environments.supported_in(call.db, uuid, pacticipant=name, version=number))


@router.get(urls.DEPLOYMENTS, permission=Permission.READ)
def list_deployments(call: Call, pacticipant: str, version: str, environment: str) -> DeploymentsOf:
    """List the deployments of a version in an environment, ended ones too."""
    wanted = Release(pacticipant=pacticipant, version=version, environment=environment)
    destination = environments.get_destination(call.db, wanted)
    return DeploymentsOf(destination, environments.deployed_of_destination(call.db, destination))


@router.post(urls.DEPLOYMENTS, permission=Permission.RECORD_DEPLOYMENT)
def record_deployment(call: Call, pacticipant: str, version: str, environment: str) -> Created:
    """Record that a version now runs in an environment."""
    deployment = Deployment(
        pacticipant=pacticipant,
        version=version,
        environment=environment,
        application_instance=_instance(call.body(dict)),
    )
    deployed = deploying.record_deployment(call.db, deployment, now=call.now)
    return Created(deployed, urls.DEPLOYED_VERSION.fill(uuid=deployed.uuid))


def _instance(body: dict[str, Any]) -> str | None:
    """Read where a version is deployed. Raises Invalid for a blank name: it would replace what has no instance."""
    key = "target" if body.get("applicationInstance") is None else "applicationInstance"
    given = body.get(key)
    if is_blank(given):
        raise Invalid.member(key, BLANK)
    return given if given is None or isinstance(given, str) else _as_text(given)


@router.get(urls.RELEASES, permission=Permission.READ)
def list_releases(call: Call, pacticipant: str, version: str, environment: str) -> ReleasesOf:
    """List the release of a version to an environment, if there is one."""
    wanted = Release(pacticipant=pacticipant, version=version, environment=environment)
    destination = environments.get_destination(call.db, wanted)
    return ReleasesOf(destination, environments.released_of_destination(call.db, destination))


@router.post(urls.RELEASES, permission=Permission.RECORD_DEPLOYMENT)
def record_release(call: Call, pacticipant: str, version: str, environment: str) -> Created | Updated:
    """Record that a version is released to an environment and supported there."""
    call.body(dict)
    release = Release(pacticipant=pacticipant, version=version, environment=environment)
    released, is_new = deploying.record_release(call.db, release, now=call.now)
    answer = Created if is_new else Updated
    return answer(released, urls.RELEASED_VERSION.fill(uuid=released.uuid))


@router.get(urls.DEPLOYED_VERSION, permission=Permission.READ)
def show_deployed_version(call: Call, uuid: str) -> object:
    """Show a deployed version."""
    return environments.get_deployed(call.db, uuid)


@router.patch(urls.DEPLOYED_VERSION, permission=Permission.RECORD_DEPLOYMENT, consumes=(MERGE,))
def change_deployed_version(call: Call, uuid: str) -> Updated:
    """Record that a version no longer runs."""
    deployed = environments.get_deployed(call.db, uuid)
    if _ends(call, "currentlyDeployed"):
        deployed = deploying.end_deployment(call.db, uuid, now=call.now)
    return Updated(deployed)


@router.get(urls.RELEASED_VERSION, permission=Permission.READ)
def show_released_version(call: Call, uuid: str) -> object:
    """Show a released version."""
    return environments.get_released(call.db, uuid)


@router.patch(urls.RELEASED_VERSION, permission=Permission.RECORD_DEPLOYMENT, consumes=(MERGE,))
def change_released_version(call: Call, uuid: str) -> Updated:
    """Record that a version is no longer supported."""
    released = environments.get_released(call.db, uuid)
    if _ends(call, "currentlySupported"):
        released = deploying.end_support(call.db, uuid, now=call.now)
    return Updated(released)


def _ends(call: Call, flag: str) -> bool:
    """Read whether a flag is to be lowered. Raises Invalid when it is to be raised."""
    wanted = call.body(dict).get(flag)
    if wanted is True:
        text = f"The {flag} property cannot be set back to true. Please record a new deployment."
        raise Invalid.member(flag, text, status=422)
    return wanted is False
