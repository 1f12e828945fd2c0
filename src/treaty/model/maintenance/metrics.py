"""Metrics: how much a broker holds."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class RecordCounts:
    """How many there are of everything that is counted row by row."""

    pacticipants: int
    with_main_branch: int
    integrations: int
    publications: int
    first_publication: datetime | None
    last_publication: datetime | None
    contents: int
    verifications: int
    successes: int
    distinct_verifications: int
    """Several equal results of a provider version for a content count once."""
    first_verification: datetime | None
    last_verification: datetime | None
    versions: int
    with_user_created_branch: int
    with_branch: int
    webhooks: int
    tags: int
    distinct_tags: int
    distinct_tags_of_pacticipants: int
    triggered_webhooks: int
    webhook_executions: int
    environments: int
    deployed_versions: int
    user_created_deployed_versions: int
    currently_deployed: int
    released_versions: int
    currently_supported: int


Distribution = Mapping[int, int]
"""Of how many there are how many."""


@dataclass(frozen=True, slots=True)
class PactSize:
    """How much a pact asks for."""

    interactions: int
    messages: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Metrics:
    """How much a broker holds, and how it is spread."""

    latest: PactSize
    """Of the latest pacts of all pairs together."""
    counts: RecordCounts
    revisions: Distribution
    """Revisions of the pact of a consumer version with a provider."""
    results: Distribution
    """Results for a content."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DeliveryQueue:
    """What is owed to webhooks, and how attempts went."""

    queued: int
    oldest_seconds: float
    """Age of what is owed for the longest time; 0 when nothing is."""
    succeeded: int
    failed: int


def measure_pact(body: bytes) -> PactSize:
    """Count what a stored pact holds."""
    pact = json.loads(body)
    return PactSize(*(_length(pact, name) for name in ("interactions", "messages")))


def _length(pact: object, name: str) -> int:
    found = pact.get(name) if isinstance(pact, dict) else None
    return len(found) if isinstance(found, list) else 0


def sum_sizes(sizes: list[PactSize]) -> PactSize:
    """Add sizes up."""
    return PactSize(sum(one.interactions for one in sizes), sum(one.messages for one in sizes))
