"""The interactions that consumers expect of a provider, by operation and message, from the usage index."""

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any, Final, NamedTuple

from sqlalchemy import BindParameter, Connection, Select, bindparam, select

from treaty.model.paging import Page, Paged
from treaty.model.usage.usage import (
    InteractionUser,
    ListedInteraction,
    ListedOperation,
    PactInUse,
    ProviderInteractions,
    Term,
)
from treaty.model.usage.words import list_query_words
from treaty.store.engine.batches import fetch_in_batches
from treaty.store.engine.conditions import IsAmong
from treaty.store.tables import usage_interaction, usage_occurrence
from treaty.store.usage.pacts import PactsOfProvider, list_in_use, load_basis
from treaty.store.usage.queries import (
    MAX_TERMS,
    Shape,
    find_names,
    find_shape,
    find_terms_with_words,
    is_found,
    list_operation_terms,
)

_IDS: Final[BindParameter[Any]] = bindparam("ids", expanding=True)
_OPERATIONS: Final[BindParameter[Any]] = bindparam("operations", expanding=True)
_IN_USE: Final = select(usage_occurrence.c.interaction_id).where(usage_occurrence.c.content_id.in_(_IDS))
_INTERACTIONS: Final = select(
    usage_interaction.c.id,
    usage_interaction.c.kind,
    usage_interaction.c.operation_id,
    usage_interaction.c.description_id,
).where(
    usage_interaction.c.operation_id.in_(_OPERATIONS),
    IsAmong(usage_interaction.c.id, _IN_USE),
)
_OF_OPERATIONS: Final = select(usage_interaction.c.id).where(usage_interaction.c.operation_id.in_(_OPERATIONS))


@cache
def _select_occurrences(shape: Shape | None) -> Select[int, int]:
    """Build the statement for the occurrences of some operations' interactions, all or those that a search finds."""
    return select(usage_occurrence.c.content_id, usage_occurrence.c.interaction_id).where(
        usage_occurrence.c.content_id.in_(_IDS),
        IsAmong(usage_occurrence.c.interaction_id, _OF_OPERATIONS),
        *is_found(shape),
    )


@cache
def _select_rows(shape: Shape | None) -> Select[int, int, int, str]:
    """Build the statement that joins both, in the order of the fields of `_Row`."""
    return (
        select(
            usage_occurrence.c.content_id,
            usage_interaction.c.operation_id,
            usage_interaction.c.description_id,
            usage_interaction.c.kind,
        )
        .join_from(usage_interaction, usage_occurrence, usage_occurrence.c.interaction_id == usage_interaction.c.id)
        .where(
            usage_interaction.c.operation_id.in_(_OPERATIONS),
            IsAmong(usage_occurrence.c.content_id, "ids"),
            *is_found(shape),
        )
    )


def list_interactions(
    db: Connection, provider: str, page: Page, *, text: str = "", operation: str | None = None, max_interactions: int
) -> ProviderInteractions:
    """List the interactions of a provider's pacts in use by path, a page of operations and messages.

    `text` selects the interactions that have its words, and those of consumers whose names contain it. `operation`
    selects a single operation, with all its interactions; others list at most `max_interactions`.
    """
    in_use = list_in_use(db, provider)
    shape, search = _find_search(db, provider, in_use, text)
    terms = list_operation_terms(db, provider, in_use, shape, **search)
    if operation is not None:
        terms = [term for term in terms if term.name == operation]
    shown = terms[page.offset : page.offset + page.limit]
    rows = _list_rows(db, in_use, shape, {**search, "operations": [term.id for term in shown]}) if shown else []
    limit = None if operation is not None else max_interactions
    return ProviderInteractions(
        operations=Paged(_describe(db, shown, rows, in_use, limit), page, len(terms)),
        consumer_count=len({pact.consumer_id for pact in in_use.pacts}),
        basis=load_basis(db, provider, in_use),
    )


def _find_search(
    db: Connection, provider: str, in_use: PactsOfProvider, text: str
) -> tuple[Shape | None, dict[str, list[int]]]:
    """Find the terms that have the words of a text, and the contents of consumers whose names contain it."""
    sought = text.strip().casefold()
    if not sought:
        return None, {}
    terms = find_terms_with_words(db, provider, text)[:MAX_TERMS] if list_query_words(text) else []
    params = {"terms0": [term.id for term in terms]}
    own = {pact.content_id for pact in in_use.pacts if sought in pact.consumer.casefold()}
    return find_shape(db, params, len(in_use.content_ids)), {**params, "own": sorted(own)}


class _Row(NamedTuple):
    """An interaction in a content."""

    content_id: int
    operation_id: int
    description_id: int
    kind: str


def _list_rows(
    db: Connection, in_use: PactsOfProvider, shape: Shape | None, params: Mapping[str, Sequence[int]]
) -> list[_Row]:
    if db.dialect.name == "sqlite":
        return [_Row(*row) for row in fetch_in_batches(db, _select_rows(shape), in_use.content_ids, params)]
    # For the join, PostgreSQL would read the occurrences of all providers.
    interactions = {row.id: row for row in fetch_in_batches(db, _INTERACTIONS, in_use.content_ids, params)}
    occurrences = fetch_in_batches(db, _select_occurrences(shape), in_use.content_ids, params)
    rows = ((content_id, interactions[interaction_id]) for content_id, interaction_id in occurrences)
    return [_Row(content_id, row.operation_id, row.description_id, row.kind) for content_id, row in rows]


def _describe(
    db: Connection, terms: Iterable[Term], rows: Sequence[_Row], in_use: PactsOfProvider, limit: int | None
) -> list[ListedOperation]:
    descriptions = find_names(db, {row.description_id for row in rows})
    by_operation: dict[int, dict[tuple[str, str], set[int]]] = {}
    for row in rows:
        by_description = by_operation.setdefault(row.operation_id, {})
        by_description.setdefault((descriptions[row.description_id], row.kind), set()).add(row.content_id)
    pacts: dict[int, list[PactInUse]] = {}
    for pact in in_use.pacts:
        pacts.setdefault(pact.content_id, []).append(pact)
    return [_describe_operation(term, by_operation.get(term.id, {}), pacts, limit) for term in terms]


def _describe_operation(
    term: Term,
    contents: Mapping[tuple[str, str], set[int]],
    pacts: Mapping[int, Sequence[PactInUse]],
    limit: int | None,
) -> ListedOperation:
    interactions = tuple(
        ListedInteraction(description, kind, _list_users(content_ids, pacts))
        for (description, kind), content_ids in sorted(contents.items())[:limit]
    )
    return ListedOperation(term.name, term.method, term.path, interactions, len(contents))


def _list_users(content_ids: Iterable[int], pacts: Mapping[int, Sequence[PactInUse]]) -> tuple[InteractionUser, ...]:
    by_consumer: dict[str, list[PactInUse]] = {}
    for content_id in sorted(content_ids):
        for pact in pacts[content_id]:
            by_consumer.setdefault(pact.consumer, []).append(pact)
    return tuple(InteractionUser(name, tuple(own_pacts)) for name, own_pacts in sorted(by_consumer.items()))
