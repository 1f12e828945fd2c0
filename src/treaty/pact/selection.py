"""The pacts that a broker selects for a verification."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

from treaty.client import BrokerClient

if TYPE_CHECKING:
    from treaty.client import Json
    from treaty.pact.verification_options import VerificationOptions

_CONSUMER: Final = re.compile(r"/consumer/([^/]+)/")


def list_consumers(provider: str, options: VerificationOptions) -> list[str]:
    """Return the consumers of the selected pacts. Raises ClientError."""
    with BrokerClient(options.connection) as broker:
        matches = [_CONSUMER.search(link) for link in _list_links(broker, provider, options)]
    return list(dict.fromkeys(unquote(match[1]) for match in matches if match))


def fetch_pacts(provider: str, options: VerificationOptions) -> list[Json]:
    """Return the contents of the selected pacts. Raises ClientError."""
    with BrokerClient(options.connection) as broker:
        return [broker.get(link).body for link in _list_links(broker, provider, options)]


def _list_links(broker: BrokerClient, provider: str, options: VerificationOptions) -> list[str]:
    link = broker.link("pb:provider-pacts-for-verification", provider=provider)
    pacts = broker.post(link, _query(options)).embedded("pacts")
    return [pact["_links"]["self"]["href"] for pact in pacts]


def _query(options: VerificationOptions) -> Json:
    query = {
        "includePendingStatus": options.enable_pending,
        "includeWipPactsSince": options.include_wip_pacts_since,
        "providerVersionBranch": options.provider_branch,
        "providerVersionTags": options.provider_tags,
    }
    selectors = [*options.selectors, *({"tag": tag, "latest": True} for tag in options.consumer_tags)]
    return {"consumerVersionSelectors": selectors, **{name: value for name, value in query.items() if value}}
