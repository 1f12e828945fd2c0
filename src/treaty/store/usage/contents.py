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
from treaty.store.engine.batches import execute_in_batches, fetch_in_batches
from treaty.store.engine.database import execute, fetch_first, fetch_rows, fetch_scalar
from treaty.store.engine.inserts import add_rows
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
_FEW_DIGESTS: Final = 16
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


def add(
    db: Connection, key: ContentKey, interactions: Mapping[str, IndexedInteraction], *, is_new: bool = False
) -> None:
    """Add interactions of a content to the index; those that it has already stay as they are.

    A large content is added in several transactions. It counts as indexed once it is marked (`mark`). `is_new` is
    whether the content was added in this transaction, so that the index has none of its interactions yet.
    """
    pair = {"consumer_id": key.consumer_id, "provider_id": key.provider_id}
    ids = _find_interactions(db, pair, interactions)
    missing = {digest: interactions[digest] for digest in interactions if digest not in ids}
    if missing:
        ids |= _add_interactions(db, pair, missing)
    existing = set() if is_new else {row.interaction_id for row in fetch_rows(db, _OCCURRENCES, {"content": key.id})}
    new_ids = sorted(set(ids.values()) - existing)
    add_rows(db, usage_occurrence, [{"content_id": key.id, "interaction_id": new_id} for new_id in new_ids])


def _add_interactions(
    db: Connection, pair: Mapping[str, int], missing: Mapping[str, IndexedInteraction]
) -> dict[str, int]:
    term_ids = _ensure_terms(db, pair["provider_id"], missing.values())
    rows = [{**pair, **_interaction_row(digest, item, term_ids)} for digest, item in missing.items()]
    add_rows(db, usage_interaction, rows)
    ids = _find_interactions(db, pair, missing)
    expectations = sorted(
        (term_ids[term], ids[digest], int(strictness))
        for digest, item in missing.items()
        for term, strictness in item.expectations.items()
    )
    # In the order of the primary key, which takes SQLite less time.
    names = ("term_id", "interaction_id", "strictness")
    add_rows(db, usage_expectation, [dict(zip(names, row, strict=True)) for row in expectations])
    return ids


def mark(db: Connection, key: ContentKey, indexed: IndexedContent) -> None:
    """Mark a content as indexed."""
    marker = {
        "content_id": key.id,
        "format": CONTENT_FORMAT,
        "interactions": len(indexed.interactions),
        "is_truncated": indexed.is_truncated,
    }
    add_rows(db, usage_content, [marker])


def _find_interactions(db: Connection, pair: Mapping[str, int], digests: Iterable[str]) -> dict[str, int]:
    batch = list(digests)
    is_few = len(batch) <= _FEW_DIGESTS
    statement = _INTERACTIONS if is_few or db.dialect.name == "sqlite" else _MANY_INTERACTIONS_ON_POSTGRESQL
    rows = fetch_in_batches(db, statement, batch, pair, parameter="digests")
    return {row.digest: row.id for row in rows if row.id is not None}


def _interaction_row(digest: str, item: IndexedInteraction, term_ids: Mapping[TermKey, int]) -> dict[str, Any]:
    description = next(key for key in item.expectations if key[0] == "description")
    return {
        "digest": digest,
        "kind": item.kind,
        "description_id": term_ids[description],
        "operation_id": term_ids[item.operation] if item.operation else None,
    }


def _ensure_terms(db: Connection, provider_id: int, items: Iterable[IndexedInteraction]) -> dict[TermKey, int]:
    """Find or add the terms of interactions, and return their ids."""
    keys = list(dict.fromkeys(key for item in items for key in item.expectations))
    ids = _find_terms(db, provider_id, keys)
    missing = [key for key in keys if key not in ids]
    rows = [
        {
            "provider_id": provider_id,
            "place": place.value,
            "name": name,
            "field": field_of(place, name),
            "words": join_words(provider_id, list_words(name)),
        }
        for place, name in missing
    ]
    add_rows(db, usage_term, rows)
    return ids | _find_terms(db, provider_id, missing) if missing else ids


def _find_terms(db: Connection, provider_id: int, keys: Collection[TermKey]) -> dict[TermKey, int]:
    names = {name for _, name in keys}
    rows = fetch_in_batches(db, _TERMS, names, {"provider_id": provider_id}, parameter="names")
    ids = {(row.place, row.name): row.id for row in rows}
    return {key: ids[key] for key in keys if key in ids}


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
