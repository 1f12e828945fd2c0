"""The names in providers' documents: those of versions in environments, on main branches, and the newest documents."""

from collections.abc import Collection, Iterable, Sequence
from typing import Any, Final, NamedTuple

import orjson
from sqlalchemy import Connection, Integer, Select, bindparam, delete, func, insert, select, union

from treaty.model.usage.documents import DocumentedName, FoundName, IndexedDocument
from treaty.model.usage.formats import DOCUMENT_FORMAT
from treaty.model.usage.words import list_query_words
from treaty.store.engine.batches import fetch_in_batches
from treaty.store.engine.database import execute, fetch_first, fetch_rows
from treaty.store.tables import (
    branch,
    deployed_version,
    document_index,
    pacticipant,
    provider_contract,
    provider_document,
    released_version,
    version,
)
from treaty.store.usage.words import HasWords, build_search, join_words

MAX_DOCUMENTS: Final = 100
"""Documents in which names are searched, the newest ones."""

# Adding

_ADD: Final = insert(document_index).values(
    {name: bindparam(name) for name in ("provider_document_id", "format", "words", "names")}
)
_REMOVE: Final = delete(document_index).where(document_index.c.provider_document_id == bindparam("document_id"))
_DOCUMENT: Final = select(provider_document.c.provider_id, provider_document.c.body).where(
    provider_document.c.id == bindparam("document_id")
)


class DocumentToIndex(NamedTuple):
    """A document, as JSON, and its provider."""

    provider_id: int
    body: bytes


def add(db: Connection, document_id: int, provider_id: int, indexed: IndexedDocument) -> None:
    """Index a document, whose provider is locked."""
    execute(db, _REMOVE, {"document_id": document_id})
    names = [(name.place, name.name, words) for name, words in indexed.names.items()]
    values = {"words": join_words(provider_id, indexed.words), "names": orjson.dumps(names).decode()}
    execute(db, _ADD, {"provider_document_id": document_id, "format": DOCUMENT_FORMAT, **values})


def find(db: Connection, document_id: int) -> DocumentToIndex | None:
    """Find a document; None if it has been removed."""
    row = fetch_first(db, _DOCUMENT, {"document_id": document_id})
    return None if row is None else DocumentToIndex(*row)


# Search


def _select_documents(version_id: Any) -> Select[int]:
    return select(provider_contract.c.provider_document_id).where(provider_contract.c.version_id == version_id)


_IN_USE: Final = union(
    _select_documents(deployed_version.c.version_id).where(deployed_version.c.undeployed_at.is_(None)),
    _select_documents(released_version.c.version_id).where(released_version.c.support_ended_at.is_(None)),
    _select_documents(branch.c.head_version_id).where(
        branch.c.pacticipant_id == pacticipant.c.id, branch.c.name == pacticipant.c.main_branch
    ),
    select(func.max(provider_document.c.id)).group_by(provider_document.c.provider_id),
).subquery("in_use")
_owner: Final = pacticipant.alias("owner")
_MATCHING: Final = (
    select(_owner.c.name.label("provider"), document_index.c.provider_document_id, document_index.c.names)
    .select_from(document_index)
    .join(provider_document, provider_document.c.id == document_index.c.provider_document_id)
    .join(_owner, _owner.c.id == provider_document.c.provider_id)
    .where(
        HasWords(document_index.c.provider_document_id, "usage_text_documents"),
        document_index.c.provider_document_id.in_(select(_IN_USE.c[0])),
    )
    .order_by(document_index.c.provider_document_id.desc())
    .limit(bindparam("limit", type_=Integer))
)

_newest: Final = (
    select(provider_contract.c.provider_document_id, func.max(provider_contract.c.version_id).label("version_id"))
    .where(provider_contract.c.provider_document_id.in_(bindparam("ids", expanding=True)))
    .group_by(provider_contract.c.provider_document_id)
    .subquery("newest")
)
_NEWEST_VERSIONS: Final = select(_newest.c.provider_document_id, version.c.number).join(
    version, version.c.id == _newest.c.version_id
)


def search(db: Connection, text: str, limit: int, *, provider_id: int | None = None) -> Sequence[FoundName]:
    """Find names with the words of a text, shortest first, each in the newest document that has it."""
    words = list_query_words(text)
    if not words:
        return []
    params = {"search": build_search(db, words, provider_id), "limit": MAX_DOCUMENTS}
    document_ids: dict[tuple[str, DocumentedName], int] = {}
    for row in fetch_rows(db, _MATCHING, params):
        for name in _find(row.names, text):
            document_ids.setdefault((row.provider, name), row.provider_document_id)
    shortest = sorted(document_ids, key=lambda pair: (len(pair[1].name), pair[1].name, pair[0], pair[1].place))[:limit]
    numbers = _find_versions(db, {document_ids[pair] for pair in shortest})
    return [FoundName(provider, numbers.get(document_ids[provider, name]), name) for provider, name in shortest]


def _find_versions(db: Connection, document_ids: Collection[int]) -> dict[int, str]:
    """Find the number of the newest version with each document."""
    return dict(map(tuple, fetch_in_batches(db, _NEWEST_VERSIONS, document_ids)))


def _find(names: str, text: str) -> Iterable[DocumentedName]:
    return IndexedDocument({DocumentedName(place, name): words for place, name, words in orjson.loads(names)}).find(
        text
    )
