"""Webhooks: requests that are sent when something happens to a pact."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlsplit

MASK: Final = "**********"
"""Shown in the place of what is not shown."""
_PARAMETER: Final = re.compile(r"\$\{pactbroker\.[^}]*\}")
_SECRET_NAME: Final = re.compile("authorization|token", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class EncryptedText:
    """A text that can only be read with the server's key."""

    text: str


@dataclass(frozen=True, slots=True)
class PacticipantMatcher:
    """The consumers or providers that a webhook is about: one by name, or all with a label."""

    name: str | None = None
    label: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class WebhookFilters:
    """What else must hold for an event to count. None means that anything does."""

    consumer_branches: tuple[str, ...] | None = None
    """The consumer's version is on one of these."""
    provider_branches: tuple[str, ...] | None = None
    """The provider's version is on one of these, where the event has one."""
    tags: tuple[str, ...] | None = None
    """One of the event's versions has one of these."""
    environments: tuple[str, ...] | None = None
    """One of the event's versions runs in, or is released to, one of these."""
    main_branch_only: bool = False
    """What was published, or verified, is on the main branch of its pacticipant."""

    @property
    def is_empty(self) -> bool:
        return self == WebhookFilters()


@dataclass(frozen=True, kw_only=True, slots=True)
class WebhookRequest:
    """What a webhook sends, with its parameters not yet filled in."""

    method: str
    url: str
    headers: Mapping[str, str | EncryptedText]
    """By lower-case name."""
    body: Any
    """Any JSON; a string is sent as it is."""
    username: str | None
    password: str | EncryptedText | None

    @property
    def name(self) -> str:
        """Name the request by its method and host."""
        return f"{self.method.upper()} {urlsplit(_PARAMETER.sub('placeholder', self.url)).hostname}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Webhook:
    """A request that is sent at certain events of certain pacts."""

    uuid: str
    description: str | None
    consumer: PacticipantMatcher | None
    provider: PacticipantMatcher | None
    is_enabled: bool
    request: WebhookRequest
    events: tuple[str, ...]
    secret: EncryptedText | None
    """What its requests are signed with."""
    filters: WebhookFilters
    failing_since: datetime | None
    """When so many attempts in a row had failed that it counts as failing."""
    pauses: bool
    """Whether it is owed nothing while it is failing."""
    created_at: datetime
    updated_at: datetime

    @property
    def is_paused(self) -> bool:
        return self.pauses and self.failing_since is not None

    @property
    def title(self) -> str:
        return self.description if self.description and self.description.strip() else self.request.name

    @property
    def scope(self) -> str:
        """Say which pacts it is about."""
        if self.consumer and self.provider:
            consumer, provider = _one_of("consumers", self.consumer), _one_of("providers", self.provider)
            return f"A webhook for the pact between {consumer} and {provider}"
        if self.provider:
            return f"A webhook for all pacts with provider {_any_of(self.provider)}"
        if self.consumer:
            return f"A webhook for all pacts with consumer {_any_of(self.consumer)}"
        return "A webhook for all pacts"


def _one_of(role: str, side: PacticipantMatcher) -> str:
    return side.name or f"{role} labeled '{side.label}'"


def _any_of(side: PacticipantMatcher) -> str:
    return side.name or f"labeled '{side.label}'"


@dataclass(frozen=True, kw_only=True, slots=True)
class EventVersion:
    """Where a version stands when something happens to it."""

    branches: frozenset[str]
    tags: frozenset[str]
    environments: frozenset[str]
    is_on_main_branch: bool


def is_match(
    filters: WebhookFilters, *, consumer: EventVersion, provider: EventVersion | None, published: EventVersion
) -> bool:
    """Say whether an event passes filters: by its versions, one of which is what was `published` or verified."""
    both = [consumer, provider] if provider else [consumer]
    tags = frozenset[str]().union(*(one.tags for one in both))
    environments = frozenset[str]().union(*(one.environments for one in both))
    return (
        _meets(filters.consumer_branches, consumer.branches)
        and (provider is None or _meets(filters.provider_branches, provider.branches))
        and _meets(filters.tags, tags)
        and _meets(filters.environments, environments)
        and (published.is_on_main_branch or not filters.main_branch_only)
    )


def _meets(wanted: tuple[str, ...] | None, there: frozenset[str]) -> bool:
    return wanted is None or not there.isdisjoint(wanted)


def is_secret_header(name: str, value: str) -> bool:
    """Whether a header's value is a secret: a token, unless it is filled in when it is sent."""
    return bool(_SECRET_NAME.search(name)) and is_secret(value)


def is_secret(value: str) -> bool:
    """Whether a value that ought to be a secret is one, rather than something that is filled in when it is sent."""
    return "${pactbroker." not in value


def is_mask(value: str) -> bool:
    """Whether a client sent back what it was shown instead of a secret."""
    return not value.strip("*")


def substitute_parameters(url: str) -> str:
    """Make an URL of one that has parameters."""
    return _PARAMETER.sub("placeholder", url)
