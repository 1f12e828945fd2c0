"""Integrations: who consumes what of whom, and how things stand between them."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple


class Integration(NamedTuple):
    """A consumer and a provider of its. It is a tuple, since there are many of them at once."""

    consumer: str
    provider: str
    consumer_id: int
    """Stands for the consumer in graphs that are told as rows of numbers, and only there."""
    provider_id: int


def list_connected(
    integrations: Sequence[Integration], pacticipant: str, enough: int | None = None
) -> list[Integration]:
    """Find the integrations that a pacticipant is connected with, through whatever chain.

    Once `enough` pacticipants are found, no more are looked for around them.
    """
    names = {pacticipant}
    found: Collection[int] = ()
    while enough is None or len(names) < enough:
        around = {at for at, one in enumerate(integrations) if not names.isdisjoint((one.consumer, one.provider))}
        if len(around) == len(found):
            break
        found = around
        names.update(name for at in around for name in (integrations[at].consumer, integrations[at].provider))
    return [one for at, one in enumerate(integrations) if at in found]


@dataclass(frozen=True, kw_only=True, slots=True)
class GraphNode:
    """A pacticipant in a graph, and the providers that it consumes."""

    id: int
    name: str
    providers: Sequence[int]


def build_graph(integrations: Iterable[Integration]) -> list[GraphNode]:
    """Turn integrations into the pacticipants between which they are, in the order in which they appear."""
    names: dict[int, str] = {}
    providers: dict[int, list[int]] = {}
    for one in integrations:
        names[one.consumer_id] = one.consumer
        names[one.provider_id] = one.provider
        providers.setdefault(one.consumer_id, []).append(one.provider_id)
    return [GraphNode(id=node, name=name, providers=providers.get(node, [])) for node, name in names.items()]


# What the dashboard is made of. They are tuples, since a page is remembered by what is in it.


class LatestResult(NamedTuple):
    """The newest verification of a pact's content, and where the provider's version stands."""

    provider_version: str
    branches: tuple[str, ...]
    """The branches that the version is the head of."""
    tags: tuple[str, ...]
    """The tags that it is the latest version with."""
    success: bool
    was_pending: bool | None
    created_at: datetime


class DashboardItem(NamedTuple):
    """A pact that matters: the latest of its pair, the latest with a tag, or one of a version that runs somewhere."""

    consumer: str
    consumer_version: str
    provider: str
    branches: tuple[str, ...]
    """The branches that the consumer's version is the head of."""
    tags: tuple[str, ...]
    """The tags for which this is the latest pact of its pair."""
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
