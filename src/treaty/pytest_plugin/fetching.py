"""Fetches the pacts that a provider has to honour from a broker."""

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
    """Selects pacts to verify.

    The default is main branches, deployed or released versions, and branches with the name of the provider's.
    """

    provider: str
    branch: str | None
    tags: Sequence[str] = ()
    selectors: Sequence[Mapping[str, Any]] | None = None
    includes_pending: bool = True
    wip_since: date | str | None = None

    @property
    def body(self) -> Json:
        options = {
            "providerVersionBranch": self.branch,
            "providerVersionTags": list(self.tags),
            "includeWipPactsSince": None if self.wip_since is None else str(self.wip_since),
        }
        return {
            "consumerVersionSelectors": self._selectors(),
            # Whether a pact is pending depends on the provider's branch or tags: without them it has no meaning.
            "includePendingStatus": self.includes_pending and bool(self.branch or self.tags),
            **{name: value for name, value in options.items() if value},
        }

    def _selectors(self) -> list[Mapping[str, Any]]:
        if self.selectors is not None:
            return list(self.selectors)
        matching = [{"matchingBranch": True}] if self.branch else []
        return [{"mainBranch": True}, {"deployedOrReleased": True}, *matching]


def fetch_pacts(broker: BrokerClient, query: PactQuery) -> list[PactToVerify]:
    """Fetch the selected pacts; none if the broker does not know the provider."""
    # Older brokers only have the beta relation.
    relations = ("pb:provider-pacts-for-verification", "beta:provider-pacts-for-verification")
    try:
        response = broker.post(broker.link(*relations, provider=query.provider), query.body)
    except Refused as refused:
        if refused.status == HTTPStatus.NOT_FOUND:
            return []
        raise
    return [_fetch(broker, entry) for entry in response.embedded("pacts")]


def fetch_pact(broker: BrokerClient, url: str) -> PactToVerify:
    """Fetch the pact at a URL, as webhooks pass it to a provider's build. Raises ForeignOrigin."""
    broker.check_origin(url, "The option --pact-url (PACT_URL)")
    return _fetch(broker, {"_links": {"self": {"href": url}}})


def _fetch(broker: BrokerClient, entry: Json) -> PactToVerify:
    """Fetch the pact of an entry in the list of pacts to verify."""
    pact = broker.get(entry["_links"]["self"]["href"])
    properties = entry.get("verificationProperties") or {}
    relation = "pb:publish-verification-results"
    providers = pact.links("pb:provider")
    versions = pact.links("pb:consumer-version") or pact.links("pb:consumer-versions")
    return PactToVerify(
        content=pact.body,
        source=pact.url,
        version=versions[0].name if versions else "",
        current_provider=providers[0].name if providers else "",
        is_pending=bool(properties.get("pending")),
        notices=tuple(properties.get("notices") or ()),
        # Brokers leave the link out if the credentials do not permit it: the response then gives the reason.
        results_url=pact.link(relation).href if pact.has_link(relation) else f"{pact.url}/verification-results",
    )
