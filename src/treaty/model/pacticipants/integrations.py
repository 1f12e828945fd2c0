"""Integrations between consumers and providers, and the dashboard items that show their state."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple


class Integration(NamedTuple):
    """A consumer and one of its providers. A tuple, because graphs load all integrations at once."""

    consumer: str
    provider: str
    consumer_id: int
    """Database id, which the CSV graph of the original broker's API shows. Use names everywhere else."""
    provider_id: int


@dataclass(frozen=True, kw_only=True, slots=True)
class IntegrationPolicy:
    """What is allowed for a consumer and a provider."""

    consumer: str
    provider: str
    allows_first_deployments: bool | None
    """Whether the consumer may be deployed while the provider is deployed nowhere; None if the environment decides."""


def list_connected(
    integrations: Sequence[Integration], pacticipant: str, max_pacticipants: int | None = None
) -> list[Integration]:
    """List the integrations that are connected with a pacticipant, directly or through others.

    The search stops after the step that reaches `max_pacticipants`, so the result can have more of them.
    """
    names = {pacticipant}
    connected: list[Integration] = []
    while max_pacticipants is None or len(names) < max_pacticipants:
        adjacent = [
            integration
            for integration in integrations
            if integration.consumer in names or integration.provider in names
        ]
        if len(adjacent) == len(connected):
            break
        connected = adjacent
        names.update(name for integration in adjacent for name in (integration.consumer, integration.provider))
    return connected


@dataclass(frozen=True, kw_only=True, slots=True)
class GraphNode:
    """A pacticipant in a graph, with the ids of its providers."""

    id: int
    name: str
    providers: Sequence[int]


def build_graph(integrations: Iterable[Integration]) -> list[GraphNode]:
    """List the pacticipants of these integrations, in the order of their first appearance."""
    names: dict[int, str] = {}
    providers: dict[int, list[int]] = {}
    for integration in integrations:
        names[integration.consumer_id] = integration.consumer
        names[integration.provider_id] = integration.provider
        providers.setdefault(integration.consumer_id, []).append(integration.provider_id)
    return [
        GraphNode(id=pacticipant_id, name=name, providers=providers.get(pacticipant_id, []))
        for pacticipant_id, name in names.items()
    ]


# The items of the dashboard are tuples because they are keys of the cache of rendered items: tuples hash quickly.


class LatestResult(NamedTuple):
    """The newest verification result for a pact's content, with the provider version's branches and tags."""

    provider_version: str
    branches: tuple[str, ...]
    """The branches whose head is the provider version."""
    tags: tuple[str, ...]
    """The tags whose latest version is the provider version."""
    success: bool
    was_pending: bool | None
    created_at: datetime


class DashboardItem(NamedTuple):
    """A pact on the dashboard: the latest of its integration, the latest with a tag, or that of a version in use.

    A version is in use while it is deployed or supported in any environment.
    """

    consumer: str
    consumer_version: str
    provider: str
    branches: tuple[str, ...]
    """The branches whose head is the consumer version."""
    tags: tuple[str, ...]
    """The tags for which this is the latest pact of its integration."""
    created_at: datetime
    result: LatestResult | None

    @property
    def last_activity(self) -> datetime:
        return self.created_at if self.result is None else max(self.created_at, self.result.created_at)

    @property
    def verification_status(self) -> str:
        if self.result is None:
            return "never"
        if self.result.success:
            return "success"
        return "failed_pending" if self.result.was_pending else "failed"
