"""The pacts of a version with their results, and the results that it gave as a provider."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from treaty.model.overview.history import ResultInHistory
from treaty.model.overview.overview import PactState


@dataclass(frozen=True, kw_only=True, slots=True)
class PactOfVersion:
    """A pact that a consumer version published, with the latest results of provider versions, the newest first."""

    provider: str
    sha: str
    published_at: datetime
    state: PactState
    results: Sequence[ResultInHistory]


@dataclass(frozen=True, kw_only=True, slots=True)
class VerifiedPact:
    """The latest result of a provider version for a content, and the newest consumer version that published it."""

    consumer: str
    consumer_version: str | None
    """None if no version of the consumer has the content any more."""
    sha: str
    number: int
    success: bool
    is_comparison: bool
    created_at: datetime
