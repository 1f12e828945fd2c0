"""Environments, and which versions run in them or are released to them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, kw_only=True, slots=True)
class Environment:
    """A place where versions run."""

    uuid: str
    name: str
    display_name: str
    is_production: bool
    contacts: str | None
    """A JSON array of objects with a name and details; None when none was ever given."""
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Contact:
    """Whom to ask about an environment, and how. Details are any JSON by name."""

    name: str
    details: Mapping[str, Any]


def parse_contacts(environment: Environment) -> list[Contact]:
    """List whom to ask about an environment."""
    given = json.loads(environment.contacts) if environment.contacts else []
    return [Contact(one["name"], one.get("details") or {}) for one in given]


@dataclass(frozen=True, kw_only=True, slots=True)
class EnvironmentDraft:
    """What a client says about an environment. Without a display name one is made of the name."""

    name: str
    display_name: str | None
    is_production: bool
    contacts: str | None
    """As in Environment."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ApplicationInstance:
    """A place within an environment. The one without a name is a place of its own."""

    name: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class DeploymentTarget:
    """A version, and an environment where it may run or be released to."""

    pacticipant: str
    pacticipant_display_name: str
    version: str
    environment: Environment


@dataclass(frozen=True, kw_only=True, slots=True)
class Deployment:
    """A version that is to be recorded as running. The environment is given by its UUID."""

    pacticipant: str
    version: str
    environment: str
    application_instance: str | None = None
    is_auto_created: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Release:
    """A version that is to be recorded as released. The environment is given by its UUID."""

    pacticipant: str
    version: str
    environment: str


@dataclass(frozen=True, kw_only=True, slots=True)
class DeployedVersion:
    """A version that runs, or ran, in an environment."""

    uuid: str
    pacticipant: str
    version: str
    environment: Environment
    application_instance: str | None
    created_at: datetime
    updated_at: datetime
    undeployed_at: datetime | None

    @property
    def is_current(self) -> bool:
        return self.undeployed_at is None


@dataclass(frozen=True, kw_only=True, slots=True)
class ReleasedVersion:
    """A version that was released to an environment and is, or was, supported there."""

    uuid: str
    pacticipant: str
    version: str
    environment: Environment
    created_at: datetime
    updated_at: datetime
    support_ended_at: datetime | None

    @property
    def is_supported(self) -> bool:
        return self.support_ended_at is None
