"""Indexes the contents of pacts for the usage index: within the publication, or later by the indexing worker."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Final

from sqlalchemy import Connection

from treaty.model.pacts.pacts import Contract
from treaty.model.usage.documents import IndexedDocument
from treaty.model.usage.expectations import (
    DigestCache,
    IndexedContent,
    IndexedInteraction,
    index_content,
    index_document,
)
from treaty.model.usage.formats import CONTENT_FORMAT
from treaty.store.engine import leases
from treaty.store.pacticipants import pacticipants
from treaty.store.usage import contents, documents
from treaty.store.usage.contents import ContentKey
from treaty.store.usage.waiting import WaitingContent

MAX_INLINE_BYTES: Final = 64 * 1024
"""Size up to which a new content is indexed within its publication, so that it counts from the first query on.

Larger ones would delay other writers. Queries report them as not indexed, until the worker has indexed them.
"""
STEP_SIZE: Final = 25
"""Interactions of a content that are added in one step."""
LEASE: Final = "usage-index"
LEASE_DURATION: Final = timedelta(seconds=30)
"""Time after which another process continues the work of one that was killed."""


_DIGESTS: Final = DigestCache(16_384)
"""Interactions that this process has indexed recently. Each takes about 250 bytes."""


def index_published(db: Connection, contracts: Mapping[ContentKey, Contract]) -> set[ContentKey]:
    """Index contents that were just added, except for large ones; return those that are indexed.

    The contracts have different providers. The caller has locked them and the consumer.
    """
    indexed = {
        key: index_document(contract.document, _DIGESTS)
        for key, contract in contracts.items()
        if len(contract.content.body) <= MAX_INLINE_BYTES
    }
    if indexed:
        contents.add(db, {key: content.interactions for key, content in indexed.items()}, is_new=True)
        contents.mark(db, indexed)
    return set(indexed)


@dataclass(frozen=True, slots=True)
class IndexingStep:
    """A part of the work for a content: some of its interactions."""

    content: WaitingContent
    indexed: IndexedContent
    interactions: Mapping[str, IndexedInteraction]
    is_first: bool
    is_last: bool


def plan_steps(content: WaitingContent, body: bytes) -> Iterator[IndexingStep]:
    """Split the work for a content into steps."""
    indexed = index_content(body)
    items = iter(indexed.interactions.items())
    count = max(1, -(-len(indexed.interactions) // STEP_SIZE))
    for number in range(count):
        part = dict(islice(items, STEP_SIZE))
        yield IndexingStep(content, indexed, part, is_first=number == 0, is_last=number == count - 1)


def index_steps(db: Connection, steps: Sequence[IndexingStep]) -> int:
    """Take steps of the work in a transaction, and return the number of contents that it completes.

    Contents that were removed or indexed since the steps were planned are left out. A step may be repeated after a
    crash. It records no event, since the index says nothing that the pacts do not say.
    """
    names = {name for step in steps for name in (step.content.consumer, step.content.provider)}
    pacticipants.lock(db, names)
    return sum(_take_step(db, step) for step in steps)


def _take_step(db: Connection, step: IndexingStep) -> bool:
    key = contents.find_key(db, step.content.id)
    if key is None:
        return False
    if contents.find_format(db, key.id) == CONTENT_FORMAT:
        return False
    if step.is_first:
        # What an older version of the rules has found, or a process that was killed.
        contents.remove(db, [key.id])
    contents.add(db, {key: step.interactions})
    if step.is_last:
        contents.mark(db, {key: step.indexed})
    return step.is_last


def index_document_of_provider(db: Connection, document_id: int, indexed: IndexedDocument) -> None:
    """Index a document that its publication has not indexed, because an older Treaty has stored it."""
    document = documents.find(db, document_id)
    if document is not None:
        documents.add(db, document_id, document.provider_id, indexed)


def claim_indexing(db: Connection, *, owner: str, now: datetime) -> bool:
    """Claim or extend the lease for indexing, and return whether this owner has it."""
    return leases.claim(db, LEASE, owner=owner, now=now, until=now + LEASE_DURATION)


def release_indexing(db: Connection, *, owner: str, now: datetime) -> None:
    """End the lease, so that another process can index."""
    leases.end(db, LEASE, owner=owner, until=now)
