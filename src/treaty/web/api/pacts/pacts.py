"""Pacts of a consumer and a provider: publishing one, reading one, and deleting one."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, Final, NotRequired

import orjson
from pydantic import with_config
from typing_extensions import TypedDict

from treaty.actions.pacts import publications, removal
from treaty.errors import Invalid, NotFound, Problem
from treaty.model.decisions import metadata
from treaty.model.decisions.metadata import Metadata
from treaty.model.pacts import content
from treaty.model.pacts.lists import RemainingPacts
from treaty.model.pacts.notices import PublicationOutcome, PublishedContract
from treaty.model.pacts.pacts import Contract, Pact, PactDetails, PactKey
from treaty.store.pacts import pacts
from treaty.store.pacts.pacts import PactWithBody
from treaty.web import urls
from treaty.web.hal import represent
from treaty.web.hal.documents import JSON_OPTIONS, Hal, Link, RenderContext, build_curies, render_links
from treaty.web.hal.represent import ExtendedDocument
from treaty.web.hal.shapes import OPEN_OBJECT, JsonObject, Named, Omittable, OpenName
from treaty.web.http import queries
from treaty.web.http.bodies import with_example
from treaty.web.http.media_types import EXTENDED, HAL, JSON
from treaty.web.http.request import Request
from treaty.web.http.results import Created, Updated, WithHeaders
from treaty.web.http.router import Router, link_to
from treaty.web.security.permissions import Permission

router = Router()

PACT_TYPES = (HAL, JSON, EXTENDED)
"""The media types of a pact."""


PactLinks = TypedDict(
    "PactLinks",
    {
        "self": Link,
        "pb:consumer": Link,
        "pb:consumer-version": Link,
        "pb:consumer-versions": Omittable[list[Link]],
        "pb:provider": Link,
        "pb:pact-version": Link,
        "pb:latest-pact-version": Link,
        "pb:all-pact-versions": Link,
        "pb:latest-untagged-pact-version": Link,
        "pb:latest-tagged-pact-version": Link,
        "pb:previous-distinct": Link,
        "pb:diff-previous-distinct": Link,
        "pb:diff": Link,
        "pb:pact-webhooks": Link,
        "pb:consumer-webhooks": Link,
        "pb:tag-prod-version": Link,
        "pb:tag-version": Link,
        "pb:publish-verification-results": NotRequired[Link],  # hidden from callers who may not use it
        "pb:latest-verification-results": Link,
        "pb:triggered-webhooks": Link,
        "pb:matrix-for-consumer-version": Link,
        "curies": list[Link],
    },
)


@with_config(OPEN_OBJECT)
class PactDocument(TypedDict):
    """The content as it was published, with its time and its links."""

    createdAt: datetime
    _links: PactLinks


class PactTags(TypedDict):
    tags: list[Named]


class ExtendedPactDocument(TypedDict):
    createdAt: datetime
    contract: JsonObject
    _embedded: PactTags
    _links: PactLinks


_PACT: Final[Mapping[str, Any]] = {
    "produces": PACT_TYPES,
    "response": PactDocument,
    "extended_response": ExtendedPactDocument,
}
"""Options of the routes that return a pact."""

DeletedPactsLinks = TypedDict("DeletedPactsLinks", {"index": Link, "pb:latest-pact-version": Omittable[Link]})


class DeletedPactsDocument(TypedDict):
    _links: DeletedPactsLinks


_EXAMPLE_PACT: Final = {
    "consumer": {"name": "Example App"},
    "provider": {"name": "Example API"},
    "interactions": [
        {
            "description": "a request for a product",
            "providerState": "product 7 exists",
            "request": {"method": "GET", "path": "/products/7"},
            "response": {"status": 200, "body": {"id": 7}},
        }
    ],
    "metadata": {"pactSpecification": {"version": "2.0.0"}},
}


@with_config(with_example(_EXAMPLE_PACT))
class PactBody(TypedDict, total=False):
    """A pact as Pact libraries write it, of any version of the specification."""

    consumer: OpenName
    provider: OpenName
    interactions: list[JsonObject]


_PAIR: Final = {"provider": "$request.path.provider", "consumer": "$request.path.consumer"}
PACT_LINKS: Final = link_to(
    {**_PAIR, "version": "$request.path.version"},
    *("get_pact", "patch_pact", "get_previous_distinct_pact", "compare_with_previous", "delete_pact"),
)
CONTENT_LINKS: Final = link_to(
    {**_PAIR, "sha": "$response.body#/_links/pb:pact-version/name"},
    *("get_pact_version", "publish_verification", "get_latest_verification"),
)
PAIR_LINKS: Final = link_to(_PAIR, "get_latest_pact", "get_pacts", "show_matrix_of_pair", "create_webhook_of_pair")


@router.get(urls.PACT, permission=Permission.READ, aliases=urls.PACT_ALIASES, is_cacheable=True, **_PACT)
def get_pact(call: Request, provider: str, consumer: str, version: str) -> PactDetails:
    """Read the pact of a consumer's version."""
    return _in_full(pacts.find(call.db, PactKey(consumer=consumer, version=version, provider=provider)))


@router.put(
    urls.PACT,
    permission=Permission.PUBLISH_PACT,
    aliases=urls.PACT_ALIASES,
    body=PactBody,
    errors=("409",),
    links=(*PACT_LINKS, *CONTENT_LINKS, *PAIR_LINKS),
    **_PACT,
)
def put_pact(call: Request, provider: str, consumer: str, version: str) -> Created | Updated:
    """Publish a pact for a consumer's version."""
    contract = _contract(call, provider, consumer, version)
    published = publications.publish_pact(
        call.db, contract, base_url=call.base_url, now=call.now, settings=call.settings
    )
    return _published(call, published, contract.key)


@router.delete(
    urls.PACT,
    permission=Permission.DELETE_PACT,
    produces=PACT_TYPES,
    aliases=urls.PACT_ALIASES,
    response=DeletedPactsDocument,
)
def delete_pact(call: Request, provider: str, consumer: str, version: str) -> RemainingPacts:
    """Delete the pact of a consumer's version, in all its revisions."""
    return removal.unpublish_version(call.db, PactKey(consumer=consumer, version=version, provider=provider))


@router.patch(
    urls.PACT,
    permission=Permission.PUBLISH_PACT,
    aliases=urls.PACT_ALIASES,
    body=PactBody,
    errors=("409-without-body",),
    **_PACT,
)
def patch_pact(call: Request, provider: str, consumer: str, version: str) -> Created | Updated:
    """Put a pact's interactions into what the version has published already."""
    contract = _contract(call, provider, consumer, version)
    published = publications.merge_pact(call.db, contract, base_url=call.base_url, now=call.now, settings=call.settings)
    return _published(call, published, contract.key)


def _contract(call: Request, provider: str, consumer: str, version: str) -> Contract:
    document = content.parse_document(call.raw_body)
    problems = [
        *_blank(version, "consumer_version_number"),
        *_misnamed(consumer, content.find_names(document)[0], "consumer"),
        *_misnamed(provider, content.find_names(document)[1], "provider"),
    ]
    if problems:
        raise Invalid(*problems)
    return Contract(
        consumer=consumer,
        version=version,
        provider=provider,
        document=document,
        content=content.build_content(document),
    )


def _blank(name: str, *path: str) -> list[Problem]:
    return [] if name.strip() else [Problem(path, "cannot be blank")]


def _misnamed(in_path: str, in_pact: object, role: str) -> list[Problem]:
    blank = _blank(in_path, role, "name")
    if blank or not isinstance(in_pact, str) or not in_pact.strip() or in_pact == in_path:
        return blank
    text = f"name in pact '{in_pact}' does not match name in URL path '{in_path}'."
    return [Problem((role, "name"), text)]


def _published(call: Request, published: PublishedContract, key: PactKey) -> Created | Updated:
    call.has_queued = bool(published.triggered)
    pact = _in_full(pacts.find(call.db, key))
    return Created(pact) if published.outcome is PublicationOutcome.NEW else Updated(pact)


def _in_full(found: PactWithBody | None, **more: object) -> PactDetails:
    if found is None:
        raise NotFound
    return PactDetails(pact=found.pact, body=found.body, **more)  # type: ignore[arg-type]  # handed on as they are


@router.get(urls.PACT_VERSION, permission=Permission.READ, is_cacheable=True, **_PACT)
def get_pact_version(call: Request, provider: str, consumer: str, sha: str) -> PactDetails:
    """Read content by its sha, in its latest publication."""
    return _in_full(pacts.find_by_sha(call.db, consumer, provider, sha))


@router.get(urls.PACT_VERSION_WITH_METADATA, permission=Permission.READ, is_cacheable=True, **_PACT)
def get_pact_version_with_metadata(call: Request, provider: str, consumer: str, sha: str, segment: str) -> PactDetails:
    """Read content by its sha, in the publication that the metadata names."""
    said = read_metadata(segment)
    found = find_with_metadata(call, provider, consumer, sha, said)
    numbers = pacts.list_version_numbers(call.db, consumer, version_ids=said.version_ids, version=said.version_number)
    return _in_full(found, metadata=segment, consumer_versions=tuple(numbers))


def read_metadata(segment: str) -> Metadata:
    """Read what a segment of an URL says; an unreadable one says nothing."""
    return metadata.parse_query(queries.parse_leniently(metadata.decode_segment(segment)))


def find_with_metadata(call: Request, provider: str, consumer: str, sha: str, said: Metadata) -> PactWithBody | None:
    """Find content in the publication that metadata names, else in its latest."""
    return pacts.find_by_sha(
        call.db, consumer, provider, sha, version_ids=said.version_ids, version=said.version_number
    )


@router.get(
    urls.LATEST_PACT,
    permission=Permission.READ,
    aliases=[urls.LATEST_PACT_ALIAS],
    is_cacheable=True,
    links=CONTENT_LINKS,
    **_PACT,
)
def get_latest_pact(call: Request, provider: str, consumer: str) -> WithHeaders:
    """Read the latest pact of a pair."""
    return _latest(pacts.find_latest(call.db, consumer, provider))


@router.get(urls.LATEST_TAGGED_PACT, permission=Permission.READ, is_cacheable=True, **_PACT)
def get_latest_tagged_pact(call: Request, provider: str, consumer: str, tag: str) -> WithHeaders:
    """Read the latest pact whose version has a tag."""
    return _latest(pacts.find_latest_tagged(call.db, consumer, provider, tag), tags=(tag,))


@router.get(urls.LATEST_UNTAGGED_PACT, permission=Permission.READ, is_cacheable=True, **_PACT)
def get_latest_untagged_pact(call: Request, provider: str, consumer: str) -> WithHeaders:
    """Read the latest pact whose version has no tag."""
    return _latest(pacts.find_latest_untagged(call.db, consumer, provider), tags=("untagged",))


@router.get(urls.LATEST_BRANCH_PACT, permission=Permission.READ, is_cacheable=True, **_PACT)
def get_latest_branch_pact(call: Request, provider: str, consumer: str, branch: str) -> WithHeaders:
    """Read the latest pact whose version is on a branch."""
    return _latest(pacts.find_latest_on_branch(call.db, consumer, provider, branch))


def _latest(found: PactWithBody | None, tags: tuple[str, ...] = ()) -> WithHeaders:
    if found is None:
        raise NotFound
    said = metadata.encode(Metadata(tags=tags, version_id=found.pact.consumer_version_id))
    return WithHeaders(
        _in_full(found, metadata=said), {"x-pact-consumer-version": urls.encode_header(found.pact.version)}
    )


@router.get(urls.PREVIOUS_DISTINCT_PACT, permission=Permission.READ, response=PactDocument)
def get_previous_distinct_pact(call: Request, provider: str, consumer: str, version: str) -> PactDetails:
    """Read the closest earlier pact with other content."""
    found = pacts.find(call.db, PactKey(consumer=consumer, version=version, provider=provider))
    if found is None:
        raise NotFound
    return _in_full(pacts.find_previous_distinct(call.db, found.pact))


_OWN_MEMBERS: Final = (b'"createdAt"', b'"_links"')


@represent.register
def pact_details(found: PactDetails) -> ExtendedDocument:
    body = found.body
    if any(name in body for name in _OWN_MEMBERS):
        body = _without_own_members(body)
    whose = (found.pact, found.metadata, found.consumer_versions)
    return ExtendedDocument(
        body, lambda place: _members(*whose, RenderContext(place.base_url, hidden_relations=place.hidden_relations))
    )


@lru_cache(maxsize=1024)
def _members(pact: Pact, metadata: str | None, consumer_versions: tuple[str, ...], place: RenderContext) -> bytes:
    """Make what is put behind a pact. A pact does not change, and is read by every build of its provider."""
    created = orjson.dumps(pact.created_at, option=JSON_OPTIONS)
    links = render_links(_links(pact, metadata, consumer_versions), place)
    return b'"createdAt":' + created + b',"_links":' + links


def _without_own_members(body: bytes) -> bytes:
    """Drop members that the answer has of its own, as they were when the pact was fetched from a broker once."""
    tree = content.parse_document(body).tree
    if tree.keys().isdisjoint({"createdAt", "_links"}):
        return body
    return content.serialize({name: tree[name] for name in tree if name not in {"createdAt", "_links"}}).encode()


@represent.register_extended
def extended_pact(found: PactDetails) -> Hal:
    return Hal(
        state={"createdAt": found.pact.created_at, "contract": orjson.Fragment(found.body)},
        embedded={"tags": []},
        links=_links(found.pact, found.metadata, found.consumer_versions),
    )


def pact_link(pact: Pact) -> Link:
    """Link to a pact by its version."""
    return Link(
        urls.PACT.fill(provider=pact.provider, consumer=pact.consumer, version=pact.version), "Pact", name=pact.title
    )


def _links(pact: Pact, metadata: str | None, consumer_versions: Sequence[str]) -> PactLinks:
    """Everything that can be done from a pact."""
    consumer, version, provider, sha = pact.consumer, pact.version, pact.provider, pact.sha
    pair: Mapping[str, str] = {"provider": provider, "consumer": consumer}
    return {
        "self": pact_link(pact),
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
        "curies": build_curies("pact"),
    }


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
    return urls.VERIFICATIONS_WITH_METADATA.fill(metadata=urls.encode_minimally(metadata), **names)


def _form(text: str) -> str:
    return urls.quote(text).replace("%20", "+")
