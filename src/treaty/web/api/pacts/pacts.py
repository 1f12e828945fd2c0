"""A pact of a consumer and a provider: publication, retrieval and removal."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, Final, NotRequired

import orjson
from pydantic import with_config
from typing_extensions import TypedDict

from treaty import exact_json
from treaty.actions.pacts.publications import merge_pact, publish_pact
from treaty.actions.pacts.removal import unpublish_version
from treaty.errors import Invalid, NotFound, Problem
from treaty.model.accounts.scopes import Scope
from treaty.model.decisions import metadata
from treaty.model.decisions.metadata import Metadata
from treaty.model.pacts import content, documents
from treaty.model.pacts.documents import BROKER_MEMBERS
from treaty.model.pacts.lists import RemainingPacts
from treaty.model.pacts.notices import PublicationOutcome, PublishedContract
from treaty.model.pacts.pacts import Contract, Pact, PactDetails, PactKey
from treaty.model.versions import find_order_problem
from treaty.store.pacts import pacts
from treaty.store.pacts.pacts import PactWithBody
from treaty.web import urls
from treaty.web.hal import represent
from treaty.web.hal.documents import JSON_OPTIONS, Hal, Link, RenderContext, build_curies, render_links
from treaty.web.hal.represent import ExtendedDocument
from treaty.web.hal.shapes import OPEN_OBJECT, JsonObject, Named, NameOnly, Omittable
from treaty.web.http import queries
from treaty.web.http.bodies import with_example
from treaty.web.http.media_types import EXTENDED, HAL, JSON
from treaty.web.http.queries import FlagText, QueryParameter
from treaty.web.http.request import Request
from treaty.web.http.results import Created, Updated, WithHeaders
from treaty.web.http.router import Router, link_to
from treaty.web.security.permissions import VERIFICATION_READS, Permission

router = Router()

PACT_TYPES = (HAL, JSON, EXTENDED)
"""Media types of a pact."""


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


@with_config(OPEN_OBJECT)
class OpenName(NameOnly):
    """The name of a consumer or provider."""


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


ALLOW_SIMILAR_NAMES: Final = QueryParameter(
    "allowSimilarNames", "Whether a new pacticipant may have a name that is similar to an existing one.", FlagText
)


@router.get(
    urls.PACT,
    permission=Permission.READ,
    scopes=VERIFICATION_READS,
    aliases=urls.PACT_ALIASES,
    is_cacheable=True,
    **_PACT,
)
def get_pact(request: Request, provider: str, consumer: str, version: str) -> PactDetails:
    """Return the pact of a consumer version."""
    return _build_details(pacts.find(request.db, PactKey(consumer=consumer, version=version, provider=provider)))


@router.put(
    urls.PACT,
    permission=Permission.PUBLISH_PACT,
    scopes={Scope.PUBLISH_PACTS},
    application="consumer",
    aliases=urls.PACT_ALIASES,
    body=PactBody,
    query=(ALLOW_SIMILAR_NAMES,),
    errors=("409",),
    links=(*PACT_LINKS, *CONTENT_LINKS, *PAIR_LINKS),
    **_PACT,
)
def put_pact(request: Request, provider: str, consumer: str, version: str) -> Created | Updated:
    """Publish a pact for a consumer version."""
    contract = _read_contract(request, provider, consumer, version)
    published = publish_pact(
        request.db, contract, base_url=request.base_url, now=request.now, settings=request.settings
    )
    return _respond(request, published, contract.key)


@router.delete(
    urls.PACT,
    permission=Permission.DELETE_PACT,
    produces=PACT_TYPES,
    aliases=urls.PACT_ALIASES,
    response=DeletedPactsDocument,
)
def delete_pact(request: Request, provider: str, consumer: str, version: str) -> RemainingPacts:
    """Delete the pact of a consumer version, in all its revisions."""
    return unpublish_version(request.db, PactKey(consumer=consumer, version=version, provider=provider))


@router.patch(
    urls.PACT,
    permission=Permission.PUBLISH_PACT,
    scopes={Scope.PUBLISH_PACTS},
    application="consumer",
    aliases=urls.PACT_ALIASES,
    body=PactBody,
    query=(ALLOW_SIMILAR_NAMES,),
    errors=("409",),
    **_PACT,
)
def patch_pact(request: Request, provider: str, consumer: str, version: str) -> Created | Updated:
    """Merge a pact into the pact that the version has already published."""
    contract = _read_contract(request, provider, consumer, version)
    published = merge_pact(request.db, contract, base_url=request.base_url, now=request.now, settings=request.settings)
    return _respond(request, published, contract.key)


def _read_contract(request: Request, provider: str, consumer: str, version: str) -> Contract:
    document = content.parse_published(request.raw_body)
    consumer_in_pact, provider_in_pact = content.find_names(document)
    problems = [
        *_check_version(request, version),
        *_check_name(consumer, consumer_in_pact, "consumer"),
        *_check_name(provider, provider_in_pact, "provider"),
    ]
    if problems:
        raise Invalid(*problems)
    return Contract(
        consumer=consumer,
        version=version,
        provider=provider,
        document=document,
        content=content.build_content(document),
        allows_similar_names=request.flag("allowSimilarNames"),
    )


def _check_version(request: Request, number: str) -> list[Problem]:
    path = "consumer_version_number"
    if blank := _check_not_blank(number, path):
        return blank
    problem = None if request.settings.order_versions_by_date else find_order_problem(number)
    return [] if problem is None else [Problem((path,), problem)]


def _check_not_blank(name: str, *path: str) -> list[Problem]:
    return [] if name.strip() else [Problem(path, "cannot be blank")]


def _check_name(in_path: str, in_pact: object, role: str) -> list[Problem]:
    blank_name = _check_not_blank(in_path, role, "name")
    if blank_name or not isinstance(in_pact, str) or not in_pact.strip() or in_pact == in_path:
        return blank_name
    text = f"name in pact '{in_pact}' does not match name in URL path '{in_path}'."
    return [Problem((role, "name"), text)]


def _respond(request: Request, published: PublishedContract, key: PactKey) -> Created | Updated:
    request.has_queued = published.has_background_work
    details = _build_details(pacts.find(request.db, key))
    return Created(details) if published.outcome is PublicationOutcome.NEW else Updated(details)


def require(pact: PactWithBody | None) -> PactWithBody:
    """Return the pact. Raises NotFound for None."""
    if pact is None:
        raise NotFound
    return pact


def _build_details(
    pact: PactWithBody | None, *, metadata: str | None = None, consumer_versions: Sequence[str] = ()
) -> PactDetails:
    pact = require(pact)
    return PactDetails(pact=pact.pact, body=pact.body, metadata=metadata, consumer_versions=tuple(consumer_versions))


@router.get(urls.PACT_VERSION, permission=Permission.READ, scopes=VERIFICATION_READS, is_cacheable=True, **_PACT)
def get_pact_version(request: Request, provider: str, consumer: str, sha: str) -> PactDetails:
    """Return a content by its hash, in its latest publication."""
    return _build_details(pacts.find_by_sha(request.db, consumer, provider, sha))


@router.get(
    urls.PACT_VERSION_WITH_METADATA,
    permission=Permission.READ,
    scopes=VERIFICATION_READS,
    is_cacheable=True,
    **_PACT,
)
def get_pact_version_with_metadata(
    request: Request, provider: str, consumer: str, sha: str, segment: str
) -> PactDetails:
    """Return a content by its hash, in the publication that the metadata identifies."""
    selection = read_metadata(segment)
    pact = find_with_metadata(request, provider, consumer, sha, selection)
    numbers = pacts.list_version_numbers(
        request.db, consumer, version_ids=selection.version_ids, version=selection.version_number
    )
    return _build_details(pact, metadata=segment, consumer_versions=numbers)


def read_metadata(segment: str) -> Metadata:
    """Decode the metadata segment of a URL. Unreadable metadata is empty, as in the original."""
    return metadata.parse_query(queries.parse_leniently(metadata.decode_segment(segment)))


def find_with_metadata(
    request: Request, provider: str, consumer: str, sha: str, selection: Metadata
) -> PactWithBody | None:
    """Find a content in the publication that the metadata identifies, or else in its latest."""
    return pacts.find_by_sha(
        request.db, consumer, provider, sha, version_ids=selection.version_ids, version=selection.version_number
    )


@router.get(
    urls.LATEST_PACT,
    permission=Permission.READ,
    scopes=VERIFICATION_READS,
    aliases=[urls.LATEST_PACT_ALIAS],
    is_cacheable=True,
    links=CONTENT_LINKS,
    **_PACT,
)
def get_latest_pact(request: Request, provider: str, consumer: str) -> WithHeaders:
    """Return the latest pact of a pair."""
    return _with_selection(pacts.find_latest(request.db, consumer, provider))


@router.get(urls.LATEST_TAGGED_PACT, permission=Permission.READ, scopes=VERIFICATION_READS, is_cacheable=True, **_PACT)
def get_latest_tagged_pact(request: Request, provider: str, consumer: str, tag: str) -> WithHeaders:
    """Return the latest pact whose version has a tag."""
    return _with_selection(pacts.find_latest_tagged(request.db, consumer, provider, tag), tags=(tag,))


@router.get(
    urls.LATEST_UNTAGGED_PACT, permission=Permission.READ, scopes=VERIFICATION_READS, is_cacheable=True, **_PACT
)
def get_latest_untagged_pact(request: Request, provider: str, consumer: str) -> WithHeaders:
    """Return the latest pact whose version has no tag."""
    return _with_selection(pacts.find_latest_untagged(request.db, consumer, provider), tags=("untagged",))


@router.get(urls.LATEST_BRANCH_PACT, permission=Permission.READ, scopes=VERIFICATION_READS, is_cacheable=True, **_PACT)
def get_latest_branch_pact(request: Request, provider: str, consumer: str, branch: str) -> WithHeaders:
    """Return the latest pact whose version is on a branch."""
    return _with_selection(pacts.find_latest_on_branch(request.db, consumer, provider, branch))


def _with_selection(pact: PactWithBody | None, tags: tuple[str, ...] = ()) -> WithHeaders:
    """Add metadata, so that results that verifiers publish refer to the version that they have fetched."""
    pact = require(pact)
    segment = metadata.encode(Metadata(tags=tags, version_id=pact.pact.consumer_version_id))
    return WithHeaders(
        _build_details(pact, metadata=segment), {"x-pact-consumer-version": urls.encode_header(pact.pact.version)}
    )


@router.get(urls.PREVIOUS_DISTINCT_PACT, permission=Permission.READ, response=PactDocument)
def get_previous_distinct_pact(request: Request, provider: str, consumer: str, version: str) -> PactDetails:
    """Return the closest earlier pact with different content."""
    pact = require(pacts.find(request.db, PactKey(consumer=consumer, version=version, provider=provider)))
    return _build_details(pacts.find_previous_distinct(request.db, pact.pact))


_BROKER_MEMBERS: Final = (b'"createdAt"', b'"_links"')


@represent.register
def pact_details(details: PactDetails) -> ExtendedDocument:
    # The stored JSON is sent without parsing it; the broker's members are appended as bytes.
    body = details.body
    if any(name in body for name in _BROKER_MEMBERS):
        body = _without_broker_members(body)
    # The members do not depend on the request's path and query, so these must not be part of the cache's key.
    key = (details.pact, details.metadata, details.consumer_versions)
    return ExtendedDocument(
        body,
        lambda context: _render_members(
            *key, RenderContext(context.base_url, hidden_relations=context.hidden_relations)
        ),
    )


# A pact does not change, and each build of its provider fetches it.
@lru_cache(maxsize=1024)
def _render_members(
    pact: Pact, metadata: str | None, consumer_versions: tuple[str, ...], context: RenderContext
) -> bytes:
    created_at = orjson.dumps(pact.created_at, option=JSON_OPTIONS)
    links = render_links(_links(pact, metadata, consumer_versions), context)
    return b'"createdAt":' + created_at + b',"_links":' + links


def _without_broker_members(body: bytes) -> bytes:
    # A client that publishes a pact which it has fetched from a broker also publishes the members of that response.
    tree = documents.parse_document(body).tree
    if tree.keys().isdisjoint(BROKER_MEMBERS):
        return body
    return exact_json.serialize({name: tree[name] for name in tree if name not in BROKER_MEMBERS}).encode()


@represent.register_extended
def extended_pact(details: PactDetails) -> Hal:
    return Hal(
        state={"createdAt": details.pact.created_at, "contract": orjson.Fragment(details.body)},
        embedded={"tags": []},
        links=_links(details.pact, details.metadata, details.consumer_versions),
    )


def pact_link(pact: Pact) -> Link:
    """Link to a pact by its consumer version."""
    return Link(
        urls.PACT.fill(provider=pact.provider, consumer=pact.consumer, version=pact.version), "Pact", name=pact.title
    )


def _links(pact: Pact, metadata: str | None, consumer_versions: Sequence[str]) -> PactLinks:
    consumer, version, provider, sha = pact.consumer, pact.version, pact.provider, pact.sha
    pair: Mapping[str, str] = {"provider": provider, "consumer": consumer}
    return {
        "self": pact_link(pact),
        "pb:consumer": Link(urls.PACTICIPANT.fill(pacticipant=consumer), "Consumer", name=consumer),
        "pb:consumer-version": version_link(consumer, version),
        "pb:consumer-versions": [version_link(consumer, number) for number in consumer_versions] or None,
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
        "pb:tag-version": _tag_link(consumer, version),
        "pb:publish-verification-results": Link(_results_path(pact, metadata), "Publish verification results"),
        "pb:latest-verification-results": Link(urls.LATEST_VERIFICATION.fill(sha=sha, **pair)),
        "pb:triggered-webhooks": Link(
            urls.PACT_TRIGGERED_WEBHOOKS.fill(version=version, **pair),
            "Webhooks triggered by the publication of this pact",
        ),
        "pb:matrix-for-consumer-version": Link(
            f"{urls.MATRIX.fill()}?q%5B%5D%5Bpacticipant%5D={_encode_form_value(consumer)}&q%5B%5D%5Bversion%5D={_encode_form_value(version)}&latestby=cvpv",
            "View matrix rows for the consumer version to which this pact belongs",
        ),
        "curies": build_curies("pact"),
    }


def version_link(consumer: str, number: str) -> Link:
    return Link(urls.VERSION.fill(pacticipant=consumer, version=number), "Consumer version", name=number)


def _tag_link(consumer: str, version: str) -> Link:
    link = Link(
        urls.VERSION_TAG.fill(pacticipant=consumer, version=version),
        "PUT to this resource to tag this consumer version",
    )
    del link["templated"]  # the original does not mark it as a template, although it has a placeholder
    return link


def _results_path(pact: Pact, metadata: str | None) -> str:
    names = {"provider": pact.provider, "consumer": pact.consumer, "sha": pact.sha}
    if metadata is None:
        return urls.VERIFICATIONS.fill(**names)
    return urls.VERIFICATIONS_WITH_METADATA.fill(metadata=urls.encode_minimally(metadata), **names)


def _encode_form_value(text: str) -> str:
    return urls.quote(text).replace("%20", "+")


@represent.register
def unpublished(remaining: RemainingPacts) -> Hal:
    latest_path = urls.LATEST_PACT.fill(provider=remaining.provider, consumer=remaining.consumer)
    return Hal(
        links={
            "index": Link(""),
            "pb:latest-pact-version": Link(latest_path, "Latest pact") if remaining.has_pacts else None,
        }
    )
