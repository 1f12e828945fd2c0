"""Adds contents of pacts to the usage index, and removes them.

The index depends on contents only: publishing a known content changes nothing. All writes happen under the locks of
the consumer and the provider, so that two transactions cannot add the same term or interaction.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ARRAY, BindParameter, Connection, Select, Text, bindparam, delete, exists, func, select

from treaty.model.maintenance.metrics import IndexProgress
from treaty.model.usage.expectations import IndexedContent, IndexedInteraction, TermKey, field_of
from treaty.model.usage.formats import CONTENT_FORMAT
from treaty.model.usage.words import list_words
from treaty.store.engine.batches import execute_in_batches, fetch_in_batches, fetch_in_batches_for_each
from treaty.store.engine.database import execute, fetch_first, fetch_rows, fetch_scalar
from treaty.store.engine.inserts import add_rows
from treaty.store.engine.prepared import MAX_PLACEHOLDERS
from treaty.store.pacticipants.pacticipants import select_pacticipant_id
from treaty.store.tables import (
    content,
    usage_content,
    usage_expectation,
    usage_interaction,
    usage_occurrence,
    usage_term,
)
from treaty.store.usage.words import join_words


@dataclass(frozen=True, slots=True)
class ContentKey:
    """A content, with its pair."""

    id: int
    consumer_id: int
    provider_id: int


_KEY: Final = select(content.c.id, content.c.consumer_id, content.c.provider_id)
_BY_ID: Final = _KEY.where(content.c.id == bindparam("content"))
_BODY: Final = select(content.c.body).where(content.c.id == bindparam("content"))


def find_key(db: Connection, content_id: int) -> ContentKey | None:
    """Find a content; None if it has been removed."""
    row = fetch_first(db, _BY_ID, {"content": content_id})
    return None if row is None else ContentKey(*row)


def find_body(db: Connection, content_id: int) -> bytes | None:
    """Find the JSON of a content; None if it has been removed."""
    body: bytes | None = fetch_scalar(db, _BODY, {"content": content_id})
    return body


# State of the index

_COUNTS: Final = select(
    select(func.count()).select_from(content).scalar_subquery().label("contents"),
    select(func.count()).select_from(usage_content).where(usage_content.c.format == CONTENT_FORMAT).scalar_subquery(),
)
_FORMAT: Final = select(usage_content.c.format).where(usage_content.c.content_id == bindparam("content"))


def find_format(db: Connection, content_id: int) -> int | None:
    """Find the version of the rules by which a content was indexed; None if it is not indexed."""
    version: int | None = fetch_scalar(db, _FORMAT, {"content": content_id})
    return version


def count_contents(db: Connection) -> IndexProgress:
    """Count all contents, and those that are indexed."""
    return IndexProgress(*fetch_first(db, _COUNTS, {}))


# Adding

_OCCURRENCES: Final = select(usage_occurrence.c.interaction_id).where(
    usage_occurrence.c.content_id == bindparam("content")
)
_TERMS: Final = select(usage_term.c.place, usage_term.c.name, usage_term.c.id).where(
    usage_term.c.provider_id == bindparam("provider_id"), usage_term.c.name.in_(bindparam("names", expanding=True))
)
_INTERACTIONS: Final = select(usage_interaction.c.digest, usage_interaction.c.id).where(
    usage_interaction.c.consumer_id == bindparam("consumer_id"),
    usage_interaction.c.provider_id == bindparam("provider_id"),
    usage_interaction.c.digest.in_(bindparam("digests", expanding=True)),
)
_FEW_DIGESTS: Final = MAX_PLACEHOLDERS
_digest: Final = func.unnest(bindparam("digests", type_=ARRAY(Text))).table_valued("digest").render_derived("wanted")
# PostgreSQL expects hardly any interactions of a pair. It would compare each of them with each of many digests.
_MANY_INTERACTIONS_ON_POSTGRESQL: Final = select(
    _digest.c.digest,
    select(usage_interaction.c.id)
    .where(
        usage_interaction.c.consumer_id == bindparam("consumer_id"),
        usage_interaction.c.provider_id == bindparam("provider_id"),
        usage_interaction.c.digest == _digest.c.digest,
    )
    .scalar_subquery()
    .label("id"),
)


Interactions = Mapping[str, IndexedInteraction]
"""Interactions by their digests."""


def add(db: Connection, contents: Mapping[ContentKey, Interactions], *, is_new: bool = False) -> None:
    """Add interactions of contents of different providers to the index; those that it has already stay as they are.

    A large content is added in several transactions. It counts as indexed once it is marked (`mark`). `is_new` is
    whether the contents were added in this transaction, so that the index has none of their interactions yet.
    """
    ids = _find_interactions(db, contents)
    missing = {
        # Looked up one by one, since an interaction may be read from the pact only then.
        key: {digest: interactions[digest] for digest in interactions if digest not in ids[key]}
        for key, interactions in contents.items()
    }
    for key, new_ids in _add_interactions(db, {key: items for key, items in missing.items() if items}).items():
        ids[key] |= new_ids
    if not is_new:
        for key in contents:
            existing = {row.interaction_id for row in fetch_rows(db, _OCCURRENCES, {"content": key.id})}
            ids[key] = {digest: id_ for digest, id_ in ids[key].items() if id_ not in existing}
    rows = [{"content_id": key.id, "interaction_id": id_} for key in ids for id_ in sorted(ids[key].values())]
    add_rows(db, usage_occurrence, rows)


def mark(db: Connection, contents: Mapping[ContentKey, IndexedContent]) -> None:
    """Mark contents as indexed."""
    markers = [
        {
            "content_id": key.id,
            "format": CONTENT_FORMAT,
            "interactions": len(indexed.interactions),
            "is_truncated": indexed.is_truncated,
        }
        for key, indexed in contents.items()
    ]
    add_rows(db, usage_content, markers)


def _find_interactions(db: Connection, contents: Mapping[ContentKey, Interactions]) -> dict[ContentKey, dict[str, int]]:
    is_few = all(len(interactions) <= _FEW_DIGESTS for interactions in contents.values())
    statement = _INTERACTIONS if is_few or db.dialect.name == "sqlite" else _MANY_INTERACTIONS_ON_POSTGRESQL
    requests = [(interactions, _pair(key)) for key, interactions in contents.items()]
    rows_of_each = fetch_in_batches_for_each(db, statement, requests, parameter="digests")
    return {
        key: {row.digest: row.id for row in rows if row.id is not None}
        for key, rows in zip(contents, rows_of_each, strict=True)
    }


def _pair(key: ContentKey) -> dict[str, int]:
    return {"consumer_id": key.consumer_id, "provider_id": key.provider_id}


def _add_interactions(db: Connection, missing: Mapping[ContentKey, Interactions]) -> dict[ContentKey, dict[str, int]]:
    """Add interactions with their expectations, and return their ids."""
    if not missing:
        return {}
    term_ids = _ensure_terms(db, {key.provider_id: items.values() for key, items in missing.items()})
    rows = [
        {**_pair(key), **_interaction_row(digest, item, term_ids[key.provider_id])}
        for key, items in missing.items()
        for digest, item in items.items()
    ]
    add_rows(db, usage_interaction, rows)
    new_ids = _find_interactions(db, missing)
    expectations = sorted(
        (term_ids[key.provider_id][term], new_ids[key][digest], int(strictness))
        for key, items in missing.items()
        for digest, item in items.items()
        for term, strictness in item.expectations.items()
    )
    # In the order of the primary key, which takes SQLite less time.
    names = ("term_id", "interaction_id", "strictness")
    add_rows(db, usage_expectation, [dict(zip(names, row, strict=True)) for row in expectations])
    return new_ids


def _interaction_row(digest: str, item: IndexedInteraction, term_ids: Mapping[TermKey, int]) -> dict[str, Any]:
    description = next(key for key in item.expectations if key[0] == "description")
    return {
        "digest": digest,
        "kind": item.kind,
        "description_id": term_ids[description],
        "operation_id": term_ids[item.operation] if item.operation else None,
    }


def _ensure_terms(
    db: Connection, items_by_provider: Mapping[int, Iterable[IndexedInteraction]]
) -> dict[int, dict[TermKey, int]]:
    """Find or add the terms of interactions, and return their ids by provider."""
    keys = {
        provider_id: list(dict.fromkeys(key for item in items for key in item.expectations))
        for provider_id, items in items_by_provider.items()
    }
    ids = _find_terms(db, keys)
    missing = {
        provider_id: [term for term in terms if term not in ids[provider_id]] for provider_id, terms in keys.items()
    }
    rows = [
        {
            "provider_id": provider_id,
            "place": place.value,
            "name": name,
            "field": field_of(place, name),
            "words": join_words(provider_id, list_words(name)),
        }
        for provider_id, terms in missing.items()
        for place, name in terms
    ]
    if rows:
        add_rows(db, usage_term, rows)
        for provider_id, new_ids in _find_terms(db, missing).items():
            ids[provider_id] |= new_ids
    return ids


def _find_terms(db: Connection, keys: Mapping[int, Collection[TermKey]]) -> dict[int, dict[TermKey, int]]:
    requests = [({name for _, name in terms}, {"provider_id": provider_id}) for provider_id, terms in keys.items()]
    rows_of_each = fetch_in_batches_for_each(db, _TERMS, requests, parameter="names")
    return {
        provider_id: {(row.place, row.name): row.id for row in rows}
        for provider_id, rows in zip(keys, rows_of_each, strict=True)
    }


# Removal

_IDS: Final[BindParameter[Sequence[int]]] = bindparam("ids", expanding=True)
_INTERACTIONS_OF_CONTENTS: Final = (
    select(usage_occurrence.c.interaction_id).where(usage_occurrence.c.content_id.in_(_IDS)).distinct()
)
_TERMS_OF_INTERACTIONS: Final = (
    select(usage_expectation.c.term_id).where(usage_expectation.c.interaction_id.in_(_IDS)).distinct()
)
_REMOVE_OCCURRENCES: Final = delete(usage_occurrence).where(usage_occurrence.c.content_id.in_(_IDS))
_REMOVE_CONTENTS: Final = delete(usage_content).where(usage_content.c.content_id.in_(_IDS))
_DOES_NOT_OCCUR: Final = ~exists().where(usage_occurrence.c.interaction_id == usage_interaction.c.id)
_UNUSED_INTERACTIONS: Final = select(usage_interaction.c.id).where(usage_interaction.c.id.in_(_IDS), _DOES_NOT_OCCUR)
_REMOVE_EXPECTATIONS: Final = delete(usage_expectation).where(usage_expectation.c.interaction_id.in_(_IDS))
_REMOVE_INTERACTIONS: Final = delete(usage_interaction).where(usage_interaction.c.id.in_(_IDS))
_IS_UNUSED: Final = ~exists().where(usage_expectation.c.term_id == usage_term.c.id)
_REMOVE_TERMS: Final = delete(usage_term).where(usage_term.c.id.in_(_IDS), _IS_UNUSED)
_REMOVE_UNUSED_TERMS: Final = delete(usage_term).where(_IS_UNUSED)
_CONTENTS_OF_PAIR: Final = select(content.c.id).where(
    content.c.consumer_id == select_pacticipant_id("consumer"),
    content.c.provider_id == select_pacticipant_id("provider"),
)


def remove(db: Connection, content_ids: Sequence[int]) -> None:
    """Remove contents from the index, with the interactions and terms that occur in no other content."""
    interaction_ids = _fetch_ids(db, _INTERACTIONS_OF_CONTENTS, content_ids)
    execute_in_batches(db, _REMOVE_OCCURRENCES, content_ids)
    execute_in_batches(db, _REMOVE_CONTENTS, content_ids)
    unused = _fetch_ids(db, _UNUSED_INTERACTIONS, interaction_ids)
    term_ids = _fetch_ids(db, _TERMS_OF_INTERACTIONS, unused)
    execute_in_batches(db, _REMOVE_EXPECTATIONS, unused)
    execute_in_batches(db, _REMOVE_INTERACTIONS, unused)
    execute_in_batches(db, _REMOVE_TERMS, term_ids)


def remove_pair(db: Connection, *, consumer: str, provider: str) -> None:
    """Remove all contents of a consumer and a provider from the index."""
    rows = fetch_rows(db, _CONTENTS_OF_PAIR, {"consumer": consumer, "provider": provider})
    remove(db, [row.id for row in rows])


def remove_unused_terms(db: Connection) -> None:
    """Remove the terms that no interaction has any more, after a pacticipant was removed with its contents."""
    execute(db, _REMOVE_UNUSED_TERMS, {})


def _fetch_ids(db: Connection, statement: Select[int], ids: Sequence[int]) -> list[int]:
    return list(dict.fromkeys(row[0] for row in fetch_in_batches(db, statement, ids)))
