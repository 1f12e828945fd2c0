"""Things that happened before a webhook was there, to see what it would have sent."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from typing import Final

from treaty.model.webhooks.events import (
    CONTRACT_CONTENT_CHANGED,
    CONTRACT_PUBLISHED,
    CONTRACT_REQUIRING_VERIFICATION_PUBLISHED,
    list_verification_events,
)

_OF_PACTS: Final = (CONTRACT_REQUIRING_VERIFICATION_PUBLISHED, CONTRACT_CONTENT_CHANGED, CONTRACT_PUBLISHED)


@dataclass(frozen=True, kw_only=True, slots=True)
class PreviewResult:
    """A result, by its number."""

    number: int
    success: bool
    provider_version: str
    at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class PreviewPact:
    """A pact that was published, with the newest result of its content."""

    consumer: str
    consumer_version: str
    provider: str
    at: datetime
    result: PreviewResult | None


@dataclass(frozen=True, kw_only=True, slots=True)
class PreviewEvent:
    """A pact or a result that was published, and as what a webhook would have been told of it."""

    name: str
    pact: PreviewPact

    @property
    def result(self) -> PreviewResult | None:
        return self.pact.result if self.name not in _OF_PACTS else None

    @property
    def at(self) -> datetime:
        return self.result.at if self.result else self.pact.at

    @property
    def key(self) -> str:
        """Tells it from others, also when the list is another one later."""
        parts = (self.name, self.pact.consumer, self.pact.consumer_version, self.pact.provider)
        text = "\n".join((*parts, str(self.result.number) if self.result else ""))
        return blake2b(text.encode(), digest_size=12).hexdigest()


def list_preview_events(pacts: Iterable[PreviewPact], wanted: Collection[str]) -> list[PreviewEvent]:
    """List what a webhook for some events would have been told of, newest first."""
    found = (PreviewEvent(name=name, pact=one) for one in pacts for name in _names(one, wanted))
    return sorted(found, key=lambda one: one.at, reverse=True)


def _names(pact: PreviewPact, wanted: Collection[str]) -> Iterator[str]:
    """Name at most one event of the pact, and one of its result."""
    yield from [name for name in _OF_PACTS if name in wanted][:1]
    if pact.result:
        names = list_verification_events(success=pact.result.success)
        yield from [name for name in reversed(names) if name in wanted][:1]
