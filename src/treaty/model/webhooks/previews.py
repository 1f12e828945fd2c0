"""Past events for previewing what a webhook would have sent."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from typing import Final

from treaty.model.webhooks.events import (
    EVENT_NAMES,
    EventSubject,
    get_subject,
    list_form_event_types,
    list_verification_events,
)

# Forms list the events of pacts with the most specific first.
_PACT_EVENTS: Final = tuple(
    event_type.name
    for event_type in list_form_event_types(EVENT_NAMES)
    if event_type.subject is not EventSubject.RESULT
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
    events = (PreviewEvent(name=name, pact=pact) for pact in pacts for name in _choose_events(pact, event_names))
    return sorted(events, key=lambda event: event.at, reverse=True)


def _choose_events(pact: PreviewPact, event_names: Collection[str]) -> Iterator[str]:
    """Choose at most one event of the pact and one of its result, the most specific ones."""
    yield from [name for name in _PACT_EVENTS if name in event_names][:1]
    if pact.result:
        result_events = list_verification_events(success=pact.result.success)
        yield from [name for name in reversed(result_events) if name in event_names][:1]
