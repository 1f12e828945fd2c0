"""Webhooks: requests that are sent when an event happens to matching pacts."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import urlsplit

from treaty.model.wording import choose_form

MASK: Final = "**********"
"""Shown instead of a secret. Clients may send it back to keep the secret."""
_PLACEHOLDER: Final = re.compile(r"\$\{(?:pactbroker|user|secret)\.[^}]*\}")


@dataclass(frozen=True, slots=True)
class EncryptedText:
    """A text encrypted with the server's key."""

    text: str


@dataclass(frozen=True, slots=True)
class PacticipantMatcher:
    """The consumers or providers that a webhook is for: a single one by name, or all that have a label."""

    name: str | None = None
    label: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class WebhookFilters:
    """Conditions on an event's versions. None means no condition."""

    consumer_branches: tuple[str, ...] | None = None
    """The consumer version is on one of these."""
    provider_branches: tuple[str, ...] | None = None
    """The provider version is on one of these, or the event has no provider version."""
    tags: tuple[str, ...] | None = None
    """One of the event's versions has one of these."""
    environments: tuple[str, ...] | None = None
    """One of the event's versions is deployed or released to one of these."""
    main_branch_only: bool = False
    """The consumer version, or for results the provider version, is on the main branch."""

    @property
    def is_empty(self) -> bool:
        return self == WebhookFilters()


@dataclass(frozen=True, kw_only=True, slots=True)
class WebhookRequest:
    """A webhook's request, with placeholders for parameters."""

    method: str
    url: str
    headers: Mapping[str, str | EncryptedText]
    """By lower-case name."""
    body: Any
    """A JSON value, or a string with any text."""
    username: str | None
    password: str | EncryptedText | None

    @property
    def name(self) -> str:
        """Method and host, as the original broker names requests."""
        return f"{self.method.upper()} {self.host}"

    @property
    def host(self) -> str | None:
        return urlsplit(_PLACEHOLDER.sub("placeholder", self.url)).hostname


@dataclass(frozen=True, kw_only=True, slots=True)
class Webhook:
    """A request that is sent when certain events happen to certain pacts."""

    uuid: str
    description: str | None
    consumer: PacticipantMatcher | None
    provider: PacticipantMatcher | None
    is_enabled: bool
    request: WebhookRequest
    events: tuple[str, ...]
    secret: EncryptedText | None
    """Key for signing requests."""
    filters: WebhookFilters
    failing_since: datetime | None
    """When the number of failed attempts in a row reached the limit; None while it is healthy."""
    pauses: bool
    """Whether events do not trigger it while it is failing."""
    created_at: datetime
    updated_at: datetime
    consumers: tuple[PacticipantMatcher, ...] | None = None
    """The consumers that it is for, instead of `consumer`. Empty matches none: all members have been removed."""
    providers: tuple[PacticipantMatcher, ...] | None = None
    digest_interval: timedelta | None = None
    """How long events are collected into a single delivery; None for a delivery for each event."""

    @property
    def is_paused(self) -> bool:
        return self.pauses and self.failing_since is not None

    @property
    def digest(self) -> str | None:
        """Interval of its digests, such as 1d; None without digests."""
        return None if self.digest_interval is None else format_interval(self.digest_interval)

    @property
    def title(self) -> str:
        """The name in the API, as in that of the original broker."""
        return self.description if self.description and self.description.strip() else self.request.name

    @property
    def display_name(self) -> str:
        """The name on pages."""
        return build_display_name(self.description, self.events, self.request)

    @property
    def scope(self) -> str:
        """Description of the matching pacts, in the original broker's words."""
        if self.consumers is not None or self.providers is not None:
            consumers = _describe_sides("consumer", self.consumer, self.consumers)
            providers = _describe_sides("provider", self.provider, self.providers)
            return f"A webhook for all pacts {' and '.join(filter(None, (consumers, providers)))}"
        if self.consumer and self.provider:
            consumer = self.consumer.name or f"consumers labeled '{self.consumer.label}'"
            provider = self.provider.name or f"providers labeled '{self.provider.label}'"
            return f"A webhook for the pact between {consumer} and {provider}"
        if self.provider:
            return f"A webhook for all pacts with provider {_describe_side(self.provider)}"
        if self.consumer:
            return f"A webhook for all pacts with consumer {_describe_side(self.consumer)}"
        return "A webhook for all pacts"


def build_display_name(description: str | None, events: Sequence[str], request: WebhookRequest) -> str:
    """Return the name of a webhook on pages: its description, or else its events and the host that it sends to."""
    if description and description.strip():
        return description
    first, *others = sorted(events) or ["no event"]
    more = f" and {len(others)} more" if others else ""
    return f"{first.replace('_', ' ').capitalize()}{more} to {request.host}"


def _describe_side(side: PacticipantMatcher) -> str:
    return side.name or f"labeled '{side.label}'"


def _describe_sides(role: str, side: PacticipantMatcher | None, members: Sequence[PacticipantMatcher] | None) -> str:
    if members is None:
        return f"with {role} {_describe_side(side)}" if side else ""
    names = ", ".join(map(_describe_side, members)) or "that have all been removed"
    return f"with {choose_form(len(members), role, f'{role}s')} {names}"


# Intervals of digests

MIN_DIGEST_INTERVAL: Final = timedelta(minutes=1)
MAX_DIGEST_INTERVAL: Final = timedelta(days=31)
_INTERVAL: Final = re.compile(r"([1-9][0-9]{0,6})([smhdw])")
_UNITS: Final = {
    "w": timedelta(weeks=1),
    "d": timedelta(days=1),
    "h": timedelta(hours=1),
    "m": timedelta(minutes=1),
    "s": timedelta(seconds=1),
}


def parse_interval(text: str) -> timedelta | None:
    """Parse the interval of a digest, such as `1d` or `12h`; None if it is not valid, too short or too long."""
    match = _INTERVAL.fullmatch(text.strip())
    interval = int(match[1]) * _UNITS[match[2]] if match else timedelta(0)
    return interval if MIN_DIGEST_INTERVAL <= interval <= MAX_DIGEST_INTERVAL else None


def format_interval(interval: timedelta) -> str:
    """Format the interval of a digest in the largest unit that divides it."""
    name, unit = next((name, unit) for name, unit in _UNITS.items() if not interval % unit)
    return f"{interval // unit}{name}"


@dataclass(frozen=True, kw_only=True, slots=True)
class EventVersion:
    """Branches, tags and environments of a version at the time of an event."""

    branches: frozenset[str]
    tags: frozenset[str]
    environments: frozenset[str]
    is_on_main_branch: bool


def is_match(
    filters: WebhookFilters, *, consumer: EventVersion, provider: EventVersion | None, published: EventVersion
) -> bool:
    """Whether an event passes filters. `published` is the version whose pact or result was published."""
    versions = [consumer, provider] if provider else [consumer]
    tags = frozenset[str]().union(*(version.tags for version in versions))
    environments = frozenset[str]().union(*(version.environments for version in versions))
    return (
        _has_any(consumer.branches, filters.consumer_branches)
        and (provider is None or _has_any(provider.branches, filters.provider_branches))
        and _has_any(tags, filters.tags)
        and _has_any(environments, filters.environments)
        and (published.is_on_main_branch or not filters.main_branch_only)
    )


def _has_any(names: frozenset[str], allowed: tuple[str, ...] | None) -> bool:
    return allowed is None or not names.isdisjoint(allowed)


def is_mask(value: str) -> bool:
    """Whether a client sent back the mask that it was shown instead of a secret."""
    return not value.strip("*")


def substitute_parameters(url: str) -> str:
    """Replace the placeholders of a URL, so that it can be parsed."""
    return _PLACEHOLDER.sub("placeholder", url)
