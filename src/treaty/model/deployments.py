"""Environments, and the versions that are deployed or released to them."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeVar


@dataclass(frozen=True, kw_only=True, slots=True)
class Environment:
    """An environment, such as test or production, that versions are deployed or released to."""

    uuid: str
    name: str
    display_name: str
    is_production: bool
    contacts: str | None
    """As `parse_contacts` reads them; None if the environment never had contacts."""
    created_at: datetime
    updated_at: datetime
    records_decisions: bool = False
    """Whether decisions about it are recorded, and deployments to it without a recorded yes are marked."""
    allows_first_deployments: bool = False
    """Whether a version may be deployed here before its providers, while these are deployed nowhere."""
    position: int | None = None
    """Position in the pipeline, in ascending order; None if it was never set."""


class PlacedEnvironment(Protocol):
    """What the position in the pipeline depends on."""

    @property
    def name(self) -> str: ...
    @property
    def is_production(self) -> bool: ...
    @property
    def position(self) -> int | None: ...
    @property
    def created_at(self) -> datetime: ...


E = TypeVar("E", bound=PlacedEnvironment)


def sort_by_pipeline(environments: Iterable[E]) -> list[E]:
    """Sort environments as a pipeline passes them.

    Those with a position come first, by position. The others follow in the order of their creation, with those for
    production last.
    """
    return sorted(environments, key=pipeline_key)


def pipeline_key(environment: PlacedEnvironment) -> tuple[object, ...]:
    """Return the key by which `sort_by_pipeline` sorts."""
    position = environment.position
    return (
        position is None,
        position or 0,
        environment.is_production,
        environment.created_at,
        environment.name,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class EnvironmentDraft:
    """The properties of an environment that clients set. Without a display name, it is derived from the name."""

    name: str
    display_name: str | None
    is_production: bool
    contacts: str | None
    """As in `Environment`."""
    records_decisions: bool | None = None
    """None keeps the existing value: clients of the original replace environments without knowing it."""
    allows_first_deployments: bool = False
    position: int | None = None
    sets_position: bool = False
    """Whether `position` replaces the existing one, for the same reason."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ApplicationInstance:
    """An application instance within an environment, as a filter for deployed versions."""

    name: str | None
    """None is the instance of deployments that were recorded without one. It is not a wildcard."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DeploymentTarget:
    """An existing version and an existing environment that it can be deployed or released to."""

    pacticipant: str
    pacticipant_display_name: str
    version: str
    environment: Environment


@dataclass(frozen=True, kw_only=True, slots=True)
class Deployment:
    """A deployment to be recorded. `environment` is a UUID."""

    pacticipant: str
    version: str
    environment: str
    application_instance: str | None = None
    is_auto_created: bool = False
    """Whether it was derived from a tag with the environment's name."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Release:
    """A release to be recorded. `environment` is a UUID."""

    pacticipant: str
    version: str
    environment: str


@dataclass(frozen=True, kw_only=True, slots=True)
class DeployedVersion:
    """A version that is, or was, deployed to an environment."""

    uuid: str
    pacticipant: str
    version: str
    environment: Environment
    application_instance: str | None
    created_at: datetime
    updated_at: datetime
    undeployed_at: datetime | None
    lacks_decision: bool = False
    """Whether no yes had been recorded for it, although the environment records decisions."""

    @property
    def is_current(self) -> bool:
        return self.undeployed_at is None


@dataclass(frozen=True, kw_only=True, slots=True)
class ReleasedVersion:
    """A version that was released to an environment and is, or was, supported there.

    Unlike a deployment, a release does not replace earlier releases: several versions can be supported at once.
    """

    uuid: str
    pacticipant: str
    version: str
    environment: Environment
    created_at: datetime
    updated_at: datetime
    support_ended_at: datetime | None
    lacks_decision: bool = False
    """As in `DeployedVersion`."""

    @property
    def is_supported(self) -> bool:
        return self.support_ended_at is None
