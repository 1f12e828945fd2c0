"""Past events for previewing what a webhook would have sent."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from typing import Any, Final

from treaty.model.webhooks.events import (
    DEPLOYMENT_BLOCKED,
    EVENT_NAMES,
    NOTICES,
    WEBHOOK_FAILING,
    EventSubject,
    get_subject,
    list_form_event_types,
    list_verification_events,
)

# Forms list the events of pacts with the most specific first.
_PACT_EVENTS: Final = tuple(
    event_type.name
    for event_type in list_form_event_types(EVENT_NAMES)
    if event_type.subject is not EventSubject.RESULT and event_type.name not in NOTICES
)


@dataclass(frozen=True, kw_only=True, slots=True)
class PreviewResult:
    """A verification result."""

    number: int
    success: bool
    provider_version: str
    at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class PreviewPact:
    """A published pact with the newest result of its content."""

    consumer: str
    consumer_version: str
    provider: str
    at: datetime
    result: PreviewResult | None


@dataclass(frozen=True, kw_only=True, slots=True)
class PreviewEvent:
    """A past publication of a pact or a result, as one of the events that it counted as."""

    name: str
    pact: PreviewPact

    @property
    def result(self) -> PreviewResult | None:
        return self.pact.result if get_subject(self.name) is EventSubject.RESULT else None

    @property
    def at(self) -> datetime:
        return self.result.at if self.result else self.pact.at

    @property
    def key(self) -> str:
        """Identifies the event in forms. It is independent of the list, which changes with each publication."""
        parts = (self.name, self.pact.consumer, self.pact.consumer_version, self.pact.provider)
        text = "\n".join((*parts, str(self.result.number) if self.result else ""))
        return blake2b(text.encode(), digest_size=12).hexdigest()


def list_preview_events(pacts: Iterable[PreviewPact], event_names: Collection[str]) -> list[PreviewEvent]:
    """List past events that a webhook for these events would have been sent for, newest first."""
    listed = list(pacts)
    events = [PreviewEvent(name=name, pact=pact) for pact in listed for name in _choose_events(pact, event_names)]
    # Whether such an event has happened to a pact is not stored, so the newest pact serves as an example.
    events += [PreviewEvent(name=name, pact=pact) for pact in listed[:1] for name in NOTICES if name in event_names]
    return sorted(events, key=lambda event: event.at, reverse=True)


def _choose_events(pact: PreviewPact, event_names: Collection[str]) -> Iterator[str]:
    """Choose at most one event of the pact and one of its result, the most specific ones."""
    yield from [name for name in _PACT_EVENTS if name in event_names][:1]
    if pact.result:
        result_events = list_verification_events(success=pact.result.success)
        yield from [name for name in reversed(result_events) if name in event_names][:1]


def build_example_context(event: str, *, webhook: str, title: str) -> dict[str, Any]:
    """Build a context with example values for an event that no publication causes. `webhook` is the UUID of any."""
    reasons = {
        DEPLOYMENT_BLOCKED: {
            "application_version_number": "1",
            "environment": "production",
            "reason": "This is an example of a cause.",
        },
        WEBHOOK_FAILING: {
            "failing_webhook": webhook,
            "failing_webhook_title": title,
            "since": "2024-01-01 00:00 UTC",
            "reason": "This is an example.",
        },
    }
    return reasons.get(event, {"since": "2024-01-01 00:00 UTC", "reason": "This is an example of a reason."})
