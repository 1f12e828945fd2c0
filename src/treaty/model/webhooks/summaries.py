"""Summaries of events for people, and digests of several events."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

from treaty.model.webhooks.events import (
    CONTRACT_CONTENT_CHANGED,
    CONTRACT_PUBLISHED,
    CONTRACT_REQUIRING_VERIFICATION_PUBLISHED,
    CONTRACT_UNUSED,
    DEPLOYMENT_BLOCKED,
    EVENT_TYPES_BY_NAME,
    PROVIDER_VERIFICATION_FAILED,
    PROVIDER_VERIFICATION_PUBLISHED,
    PROVIDER_VERIFICATION_SUCCEEDED,
    VERIFICATION_OVERDUE,
    WEBHOOK_FAILING,
)
from treaty.model.wording import choose_form

_PACT: Final = "its pact with {consumerName} {consumerVersionNumber}"
_PROVIDER: Final = "{providerName} {providerVersionNumber}"
_TEMPLATES: Final[Mapping[str, str]] = MappingProxyType(
    {
        CONTRACT_PUBLISHED: "{consumerName} {consumerVersionNumber} has published a pact with {providerName}.",
        CONTRACT_CONTENT_CHANGED: "{consumerName} {consumerVersionNumber} has changed its pact with {providerName}.",
        PROVIDER_VERIFICATION_PUBLISHED: f"{_PROVIDER} has published a result for {_PACT}.",
        PROVIDER_VERIFICATION_SUCCEEDED: f"{_PROVIDER} has verified {_PACT}.",
        PROVIDER_VERIFICATION_FAILED: f"{_PROVIDER} has failed the verification of {_PACT}.",
        CONTRACT_REQUIRING_VERIFICATION_PUBLISHED: f"{_PROVIDER} has to verify {_PACT}.",
        VERIFICATION_OVERDUE: f"{_PROVIDER} has not verified {_PACT}. {{reason}}",
        DEPLOYMENT_BLOCKED: "{applicationName} {applicationVersionNumber} must not be deployed to {environmentName}."
        " {reason}",
        WEBHOOK_FAILING: "The webhook “{failingWebhookName}” is failing. {reason}",
        CONTRACT_UNUSED: "The pact of {consumerName} with {providerName} is unused. {reason}",
    }
)
_TEST: Final = "This is a test with the pact of {consumerName} {consumerVersionNumber} and {providerName}."
MAX_LENGTH: Final = 2500
"""Characters of a summary. Slack accepts 3000 in a text."""
MAX_LINE_LENGTH: Final = 240


def describe_event(values: Mapping[str, str]) -> str:
    """Describe an event in a sentence or two, from the values of its parameters."""
    text = _TEMPLATES.get(values["eventName"], _TEST).format_map(_Values(values))
    # Values that are missing, such as the provider version of a pair without one, leave two spaces.
    return _shorten(" ".join(text.split()), MAX_LENGTH)


class _Values(dict[str, str]):
    """Values of parameters; those that an event does not have are empty."""

    def __missing__(self, key: str) -> str:
        return ""


@dataclass(frozen=True, kw_only=True, slots=True)
class DigestEvent:
    """An event that waits for the next digest of a webhook."""

    event: str
    consumer: str
    consumer_version: str
    provider: str
    context: Mapping[str, Any]
    created_at: datetime


def build_digest(events: Sequence[DigestEvent]) -> dict[str, Any]:
    """Build the context of a digest: counts, and a line for each event up to a limit. The oldest event is first."""
    lines = [_shorten(describe_event(_values_of(event)), MAX_LINE_LENGTH) for event in events]
    counts = Counter(event.event for event in events)
    return {
        "count": len(events),
        "since": format_time(events[0].created_at),
        "counts": dict(counts),
        "lines": _select_lines(lines),
    }


def _values_of(event: DigestEvent) -> dict[str, str]:
    context = event.context
    return {
        "eventName": event.event,
        "consumerName": event.consumer,
        "consumerVersionNumber": event.consumer_version,
        "providerName": event.provider,
        "providerVersionNumber": context.get("provider_version_number") or "",
        "applicationName": event.consumer,
        "applicationVersionNumber": context.get("application_version_number", ""),
        "environmentName": context.get("environment", ""),
        "failingWebhookName": context.get("failing_webhook_title", ""),
        "reason": context.get("reason", ""),
    }


_MAX_LINES_LENGTH: Final = MAX_LENGTH - 900
"""Leaves room for the first line, which has a count for each event."""


def _select_lines(lines: Sequence[str]) -> list[str]:
    selected: list[str] = []
    length = 0
    for line in lines:
        length += len(line) + 3
        if length > _MAX_LINES_LENGTH:
            break
        selected.append(line)
    return selected


def describe_digest(digest: Mapping[str, Any]) -> str:
    """Describe a digest in plain text, which is a list in Markdown, too."""
    count, lines = digest["count"], digest["lines"]
    counts = ", ".join(f"{_label(event)}: {number}" for event, number in digest["counts"].items())
    more = [f"- and {count - len(lines)} more"] if count > len(lines) else []
    first = f"{count} {choose_form(count, 'event', 'events')} since {digest['since']}. {counts}."
    return "\n".join([first, "", *(f"- {line}" for line in lines), *more])


def _label(event: str) -> str:
    event_type = EVENT_TYPES_BY_NAME.get(event)
    return event_type.label if event_type else event


def format_time(at: datetime) -> str:
    """Format a time for people."""
    return f"{at:%Y-%m-%d %H:%M} UTC"


def _shorten(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"
