"""Fetch from a broker the pacts that a provider has to honour."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from treaty.errors import Refused
from treaty.testing.verifying import PactToVerify

if TYPE_CHECKING:
    from treaty.client import BrokerClient, Json


@dataclass(frozen=True, kw_only=True, slots=True)
class PactQuery:
    """Which pacts are wanted. Without selectors: of main branches, of what is deployed, of branches named like ours."""

    provider: str
    branch: str | None
    tags: Sequence[str] = ()
    selectors: Sequence[Mapping[str, Any]] | None = None
    includes_pending: bool = True
    wip_since: date | str | None = None

    @property
    def body(self) -> Json:
        given = {
            "providerVersionBranch": self.branch,
            "providerVersionTags": list(self.tags),
            "includeWipPactsSince": None if self.wip_since is None else str(self.wip_since),
        }
        return {
            "consumerVersionSelectors": self._selectors(),
            "includePendingStatus": self.includes_pending and bool(self.branch or self.tags),
            **{name: value for name, value in given.items() if value},
        }

    def _selectors(self) -> list[Mapping[str, Any]]:
        if self.selectors is not None:
            return list(self.selectors)
        matching = [{"matchingBranch": True}] if self.branch else []
        return [{"mainBranch": True}, {"deployedOrReleased": True}, *matching]


def fetch_pacts(broker: BrokerClient, wanted: PactQuery) -> list[PactToVerify]:
    relations = ("pb:provider-pacts-for-verification", "beta:provider-pacts-for-verification")
    try:
        answer = broker.post(broker.link(*relations, provider=wanted.provider), wanted.body)
    except Refused as refused:
        if refused.status == HTTPStatus.NOT_FOUND:
            return []
        raise
    return [_fetched(broker, each) for each in answer.embedded("pacts")]


def fetch_pact(broker: BrokerClient, url: str) -> PactToVerify:
    """Fetch the pact that a webhook named."""
    return _fetched(broker, {"_links": {"self": {"href": url}}})


def _fetched(broker: BrokerClient, listed: Json) -> PactToVerify:
    pact = broker.get(listed["_links"]["self"]["href"])
    properties = listed.get("verificationProperties") or {}
    relation = "pb:publish-verification-results"
    versions = pact.links("pb:consumer-version") or pact.links("pb:consumer-versions")
    return PactToVerify(
        content=pact.body,
        source=pact.url,
        version=versions[0].name if versions else "",
        is_pending=bool(properties.get("pending")),
        notices=tuple(properties.get("notices") or ()),
        results_url=pact.link(relation).href if pact.has_link(relation) else None,
    )
