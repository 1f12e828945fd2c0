"""Pacts of a consumer and a provider: publishing one, reading one, and deleting one."""

from treaty.actions import publishing, unpublishing
from treaty.errors import Invalid, NotFound, Problem
from treaty.model import content, metadata
from treaty.model.metadata import Metadata
from treaty.model.notice import Outcome, PublishedContract
from treaty.model.pact import Contract, PactInFull, PactKey
from treaty.model.pact_list import Unpublished
from treaty.store import pacts
from treaty.store.pacts import Found
from treaty.web import queries, urls
from treaty.web.media import EXTENDED, HAL, JSON
from treaty.web.represent import pact_lists as _represent_left  # noqa: F401 - registers what a deletion leaves
from treaty.web.represent import pacts as _represent  # noqa: F401 - registers how pacts are represented
from treaty.web.routing import Call, Created, Headed, Permission, Router, Updated

router = Router()

PACT_TYPES = (HAL, JSON, EXTENDED)
"""The media types of a pact."""


@router.get(
    urls.PACT, permission=Permission.READ, produces=PACT_TYPES, other_urls=urls.OTHER_SPELLINGS_OF_PACT, is_cached=True
)
def get_pact(call: Call, provider: str, consumer: str, version: str) -> PactInFull:
    """Read the pact of a consumer's version."""
    return _in_full(pacts.find(call.db, PactKey(consumer=consumer, version=version, provider=provider)))


@router.put(urls.PACT, permission=Permission.PUBLISH_PACT, produces=PACT_TYPES, other_urls=urls.OTHER_SPELLINGS_OF_PACT)
def put_pact(call: Call, provider: str, consumer: str, version: str) -> Created | Updated:
    """Publish a pact for a consumer's version."""
    contract = _contract(call, provider, consumer, version)
    published = publishing.publish_pact(call.db, contract, base_url=call.base_url, now=call.now, settings=call.settings)
    return _published(call, published, contract.key)


@router.delete(
    urls.PACT, permission=Permission.DELETE_PACT, produces=PACT_TYPES, other_urls=urls.OTHER_SPELLINGS_OF_PACT
)
def delete_pact(call: Call, provider: str, consumer: str, version: str) -> Unpublished:
    """Delete the pact of a consumer's version, in all its revisions."""
    return unpublishing.unpublish_version(call.db, PactKey(consumer=consumer, version=version, provider=provider))


@router.patch(
    urls.PACT, permission=Permission.PUBLISH_PACT, produces=PACT_TYPES, other_urls=urls.OTHER_SPELLINGS_OF_PACT
)
def patch_pact(call: Call, provider: str, consumer: str, version: str) -> Created | Updated:
    """Put a pact's interactions into what the version has published already."""
    contract = _contract(call, provider, consumer, version)
    published = publishing.merge_pact(call.db, contract, base_url=call.base_url, now=call.now, settings=call.settings)
    return _published(call, published, contract.key)


def _contract(call: Call, provider: str, consumer: str, version: str) -> Contract:
    document = content.read(call.raw_body)
    problems = [
        *_blank(version, "consumer_version_number"),
        *_misnamed(consumer, content.names_in(document)[0], "consumer"),
        *_misnamed(provider, content.names_in(document)[1], "provider"),
    ]
    if problems:
        raise Invalid(*problems)
    return Contract(
        consumer=consumer,
        version=version,
        provider=provider,
        document=document,
        content=content.content_of(document),
    )


def _blank(name: str, *path: str) -> list[Problem]:
    return [] if name.strip() else [Problem(path, "cannot be blank")]


def _misnamed(in_path: str, in_pact: object, role: str) -> list[Problem]:
    blank = _blank(in_path, role, "name")
    if blank or not isinstance(in_pact, str) or not in_pact.strip() or in_pact == in_path:
        return blank
    text = f"name in pact '{in_pact}' does not match name in URL path '{in_path}'."
    return [Problem((role, "name"), text)]


def _published(call: Call, published: PublishedContract, key: PactKey) -> Created | Updated:
    call.owes = bool(published.triggered)
    pact = _in_full(pacts.find(call.db, key))
    return Created(pact) if published.outcome is Outcome.NEW else Updated(pact)


def _in_full(found: Found | None, **more: object) -> PactInFull:
    if found is None:
        raise NotFound
    return PactInFull(pact=found.pact, body=found.body, **more)  # type: ignore[arg-type]  # handed on as they are


@router.get(urls.PACT_VERSION, permission=Permission.READ, produces=PACT_TYPES, is_cached=True)
def get_pact_version(call: Call, provider: str, consumer: str, sha: str) -> PactInFull:
    """Read content by its sha, in its latest publication."""
    return _in_full(pacts.find_by_sha(call.db, consumer, provider, sha))


@router.get(urls.PACT_VERSION_WITH_METADATA, permission=Permission.READ, produces=PACT_TYPES, is_cached=True)
def get_pact_version_with_metadata(call: Call, provider: str, consumer: str, sha: str, segment: str) -> PactInFull:
    """Read content by its sha, in the publication that the metadata names."""
    said = read_metadata(segment)
    found = find_as_said(call, provider, consumer, sha, said)
    numbers = pacts.numbers(call.db, consumer, version_ids=said.version_ids, version=said.version_number)
    return _in_full(found, metadata=segment, consumer_versions=tuple(numbers))


def read_metadata(segment: str) -> Metadata:
    """Read what a segment of an URL says; an unreadable one says nothing."""
    return metadata.of_query(queries.parsed_leniently(metadata.query_text(segment)))


def find_as_said(call: Call, provider: str, consumer: str, sha: str, said: Metadata) -> Found | None:
    """Find content in the publication that metadata names, else in its latest."""
    return pacts.find_by_sha(
        call.db, consumer, provider, sha, version_ids=said.version_ids, version=said.version_number
    )


@router.get(
    urls.LATEST_PACT,
    permission=Permission.READ,
    produces=PACT_TYPES,
    other_urls=[urls.OTHER_SPELLING_OF_LATEST_PACT],
    is_cached=True,
)
def get_latest_pact(call: Call, provider: str, consumer: str) -> Headed:
    """Read the latest pact of a pair."""
    return _latest(pacts.find_latest(call.db, consumer, provider))


@router.get(urls.LATEST_TAGGED_PACT, permission=Permission.READ, produces=PACT_TYPES, is_cached=True)
def get_latest_tagged_pact(call: Call, provider: str, consumer: str, tag: str) -> Headed:
    """Read the latest pact whose version has a tag."""
    return _latest(pacts.find_latest_tagged(call.db, consumer, provider, tag), tags=(tag,))


@router.get(urls.LATEST_UNTAGGED_PACT, permission=Permission.READ, produces=PACT_TYPES, is_cached=True)
def get_latest_untagged_pact(call: Call, provider: str, consumer: str) -> Headed:
    """Read the latest pact whose version has no tag."""
    return _latest(pacts.find_latest_untagged(call.db, consumer, provider), tags=("untagged",))


@router.get(urls.LATEST_BRANCH_PACT, permission=Permission.READ, produces=PACT_TYPES, is_cached=True)
def get_latest_branch_pact(call: Call, provider: str, consumer: str, branch: str) -> Headed:
    """Read the latest pact whose version is on a branch."""
    return _latest(pacts.find_latest_on_branch(call.db, consumer, provider, branch))


def _latest(found: Found | None, tags: tuple[str, ...] = ()) -> Headed:
    if found is None:
        raise NotFound
    said = metadata.encode(Metadata(tags=tags, version_id=found.pact.consumer_version_id))
    return Headed(_in_full(found, metadata=said), {"x-pact-consumer-version": urls.header(found.pact.version)})


@router.get(urls.PREVIOUS_DISTINCT_PACT, permission=Permission.READ)
def get_previous_distinct_pact(call: Call, provider: str, consumer: str, version: str) -> PactInFull:
    """Read the closest earlier pact with other content."""
    found = pacts.find(call.db, PactKey(consumer=consumer, version=version, provider=provider))
    if found is None:
        raise NotFound
    return _in_full(pacts.find_previous_distinct(call.db, found.pact))
