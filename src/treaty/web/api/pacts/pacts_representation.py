"""Pacts, as their clients read them: the stored content with its publication's time and links behind it."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Final

import orjson

from treaty.model.pacts import content
from treaty.model.pacts.pacts import Pact, PactInFull
from treaty.web import urls
from treaty.web.hal import represent
from treaty.web.hal.documents import OPTIONS, Hal, Link, Links, Place, curies, rendered_links
from treaty.web.hal.represent import Spliced

_OWN_MEMBERS: Final = (b'"createdAt"', b'"_links"')


@represent.register
def pact_in_full(found: PactInFull) -> Spliced:
    body = found.body
    if any(name in body for name in _OWN_MEMBERS):
        body = _without_own_members(body)
    whose = (found.pact, found.metadata, found.consumer_versions)
    return Spliced(body, lambda place: _members(*whose, Place(place.base_url, hidden=place.hidden)))


@lru_cache(maxsize=1024)
def _members(pact: Pact, metadata: str | None, consumer_versions: tuple[str, ...], place: Place) -> bytes:
    """Make what is put behind a pact. A pact does not change, and is read by every build of its provider."""
    created = orjson.dumps(pact.created_at, option=OPTIONS)
    links = rendered_links(_links(pact, metadata, consumer_versions), place)
    return b'"createdAt":' + created + b',"_links":' + links


def _without_own_members(body: bytes) -> bytes:
    """Drop members that the answer has of its own, as they were when the pact was fetched from a broker once."""
    tree = content.read(body).tree
    if tree.keys().isdisjoint({"createdAt", "_links"}):
        return body
    return content.written({name: tree[name] for name in tree if name not in {"createdAt", "_links"}}).encode()


@represent.register_extended
def extended_pact(found: PactInFull) -> Hal:
    return Hal(
        state={"createdAt": found.pact.created_at, "contract": orjson.Fragment(found.body)},
        embedded={"tags": []},
        links=_links(found.pact, found.metadata, found.consumer_versions),
    )


def link_to(pact: Pact) -> Link:
    """Link to a pact by its version."""
    return Link(
        urls.PACT.fill(provider=pact.provider, consumer=pact.consumer, version=pact.version), "Pact", name=pact.title
    )


def _links(pact: Pact, metadata: str | None, consumer_versions: Sequence[str]) -> Links:
    """Everything that can be done from a pact."""
    consumer, version, provider, sha = pact.consumer, pact.version, pact.provider, pact.sha
    pair: Mapping[str, str] = {"provider": provider, "consumer": consumer}
    links: dict[str, Link | Sequence[Link] | None] = {
        "self": link_to(pact),
        "pb:consumer": Link(urls.PACTICIPANT.fill(pacticipant=consumer), "Consumer", name=consumer),
        "pb:consumer-version": version_link(consumer, version),
        "pb:consumer-versions": [version_link(consumer, one) for one in consumer_versions] or None,
        "pb:provider": Link(urls.PACTICIPANT.fill(pacticipant=provider), "Provider", name=provider),
        "pb:pact-version": Link(urls.PACT_VERSION.fill(sha=sha, **pair), "Pact content version permalink", name=sha),
        "pb:latest-pact-version": Link(urls.LATEST_PACT.fill(**pair), "Latest version of this pact"),
        "pb:all-pact-versions": Link(urls.PACTS.fill(**pair), "All versions of this pact"),
        "pb:latest-untagged-pact-version": Link(
            urls.LATEST_UNTAGGED_PACT.fill(**pair), "Latest untagged version of this pact"
        ),
        "pb:latest-tagged-pact-version": Link(
            urls.LATEST_TAGGED_PACT.fill(**pair), "Latest tagged version of this pact"
        ),
        "pb:previous-distinct": Link(
            urls.PREVIOUS_DISTINCT_PACT.fill(version=version, **pair), "Previous distinct version of this pact"
        ),
        "pb:diff-previous-distinct": Link(
            urls.DIFF_WITH_PREVIOUS.fill(version=version, **pair), "Diff with previous distinct version of this pact"
        ),
        "pb:diff": Link(
            urls.DIFF_WITH_PACT_VERSION.fill(sha=sha, **pair), "Diff with another specified version of this pact"
        ),
        "pb:pact-webhooks": Link(
            urls.PAIR_WEBHOOKS.fill(**pair), f"Webhooks for the pact between {consumer} and {provider}"
        ),
        "pb:consumer-webhooks": Link(
            urls.CONSUMER_WEBHOOKS.fill(consumer=consumer), f"Webhooks for all pacts with consumer {consumer}"
        ),
        "pb:tag-prod-version": Link(
            urls.VERSION_TAG.fill(pacticipant=consumer, version=version, tag="prod"),
            "PUT to this resource to tag this consumer version as 'production'",
        ),
        "pb:tag-version": _tag_version(consumer, version),
        "pb:publish-verification-results": Link(_verifications(pact, metadata), "Publish verification results"),
        "pb:latest-verification-results": Link(urls.LATEST_VERIFICATION.fill(sha=sha, **pair)),
        "pb:triggered-webhooks": Link(
            urls.PACT_TRIGGERED_WEBHOOKS.fill(version=version, **pair),
            "Webhooks triggered by the publication of this pact",
        ),
        "pb:matrix-for-consumer-version": Link(
            f"{urls.MATRIX.fill()}?q%5B%5D%5Bpacticipant%5D={_form(consumer)}&q%5B%5D%5Bversion%5D={_form(version)}&latestby=cvpv",
            "View matrix rows for the consumer version to which this pact belongs",
        ),
        "curies": curies("pact"),
    }
    return links


def version_link(consumer: str, number: str) -> Link:
    return Link(urls.VERSION.fill(pacticipant=consumer, version=number), "Consumer version", name=number)


def _tag_version(consumer: str, version: str) -> Link:
    link = Link(
        urls.VERSION_TAG.fill(pacticipant=consumer, version=version),
        "PUT to this resource to tag this consumer version",
    )
    del link["templated"]  # as the original has it, although there is a variable
    return link


def _verifications(pact: Pact, metadata: str | None) -> str:
    names = {"provider": pact.provider, "consumer": pact.consumer, "sha": pact.sha}
    if metadata is None:
        return urls.VERIFICATIONS.fill(**names)
    return urls.VERIFICATIONS_WITH_METADATA.fill(metadata=urls.sparingly(metadata), **names)


def _form(text: str) -> str:
    return urls.quote(text).replace("%20", "+")
