"""Metrics: numbers of records in a broker, and their distribution."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from treaty.model.provider_contracts.recomparisons import EngineProgress


@dataclass(frozen=True, slots=True)
class IndexProgress:
    """How many contents of pacts there are, and how many the usage index covers."""

    contents: int
    indexed: int


@dataclass(frozen=True, kw_only=True, slots=True)
class RecordCounts:
    """Numbers of records of each kind, and times of the first and last ones."""

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
    """Equal results of a provider version for a content count once."""
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
    provider_contract_publications: int
    provider_contract_versions: int
    provider_contract_self_verifications: int
    cross_contract_comparisons: int


Distribution = Mapping[int, int]
"""Maps a number of rows in a group to the number of groups of that size."""


@dataclass(frozen=True, slots=True)
class PactSize:
    """Number of interactions and messages in a pact."""

    interactions: int
    messages: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Metrics:
    """Response of `GET /metrics`."""

    latest: PactSize
    """Total of the latest pacts of all integrations."""
    counts: RecordCounts
    revisions: Distribution
    """By number of revisions of the pact of a consumer version with a provider."""
    results: Distribution
    """By number of results for a content."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DeliveryQueue:
    """State of the queue of webhook deliveries, and the number of recorded attempts by outcome."""

    queued: int
    oldest_seconds: float
    """Age of the oldest queued delivery in seconds; 0 without one."""
    succeeded: int
    failed: int


@dataclass(frozen=True, slots=True)
class Progress:
    """State of the background work on a database, the same for all servers that use it."""

    queue: DeliveryQueue
    index: IndexProgress
    engine: EngineProgress


def measure_pact(body: bytes) -> PactSize:
    """Count the interactions and messages of a stored pact, whatever its structure: the broker accepts any JSON."""
    pact = json.loads(body)
    return PactSize(*(_count_items(pact, name) for name in ("interactions", "messages")))


def _count_items(pact: object, name: str) -> int:
    items = pact.get(name) if isinstance(pact, dict) else None
    return len(items) if isinstance(items, list) else 0


def sum_sizes(sizes: list[PactSize]) -> PactSize:
    return PactSize(sum(size.interactions for size in sizes), sum(size.messages for size in sizes))
