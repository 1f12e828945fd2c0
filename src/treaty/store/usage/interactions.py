"""The interactions that consumers expect of a provider, by operation and message, from the usage index."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import BindParameter, Connection, bindparam, select

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
from treaty.store.tables import usage_interaction, usage_occurrence
from treaty.store.usage.pacts import PactsOfProvider, list_in_use, load_basis
from treaty.store.usage.queries import (
    MAX_TERMS,
    find_interaction_ids,
    find_names,
    find_terms_with_words,
    list_operation_terms,
)

_IDS: Final[BindParameter[Sequence[int]]] = bindparam("ids", expanding=True)
_OPERATIONS: Final[BindParameter[Sequence[int]]] = bindparam("operations", expanding=True)
_INTERACTIONS: Final = (
    select(
        usage_occurrence.c.content_id,
        usage_interaction.c.id,
        usage_interaction.c.kind,
        usage_interaction.c.operation_id,
        usage_interaction.c.description_id,
    )
    .join_from(usage_interaction, usage_occurrence, usage_occurrence.c.interaction_id == usage_interaction.c.id)
    # As a sum, the column uses no index: there are few operations, and many interactions in each content.
    .where(usage_interaction.c.operation_id.in_(_OPERATIONS), (usage_occurrence.c.content_id + 0).in_(_IDS))
)
_OPERATIONS_OF_INTERACTIONS: Final = (
    select(usage_interaction.c.operation_id)
    .where(usage_interaction.c.id.in_(_IDS), usage_interaction.c.operation_id.is_not(None))
    .distinct()
)
_OPERATIONS_OF_CONTENTS: Final = (
    select(usage_interaction.c.operation_id)
    .join_from(usage_occurrence, usage_interaction, usage_occurrence.c.interaction_id == usage_interaction.c.id)
    .where(usage_occurrence.c.content_id.in_(_IDS), usage_interaction.c.operation_id.is_not(None))
    .distinct()
)


def list_interactions(
    db: Connection, provider: str, page: Page, *, text: str = "", operation: str | None = None, max_interactions: int
) -> ProviderInteractions:
    """List the interactions of a provider's pacts in use by path, a page of operations and messages.

    `text` selects the interactions that have its words, and those of consumers whose names contain it. `operation`
    selects a single operation, with all its interactions; others list at most `max_interactions`.
    """
    in_use = list_in_use(db, provider)
    terms = list_operation_terms(db, provider, in_use)
    if operation is not None:
        terms = [term for term in terms if term.name == operation]
    matches = _find_matches(db, provider, in_use, text) if text.strip() else None
    if matches:
        matching_ids = matches.list_operations(db)
        terms = [term for term in terms if term.id in matching_ids]
    shown = terms[page.offset : page.offset + page.limit]
    params = {"operations": [term.id for term in shown]}
    rows = fetch_in_batches(db, _INTERACTIONS, in_use.content_ids, params) if shown else []
    rows = [row for row in rows if matches is None or matches.has(row)]
    limit = None if operation is not None else max_interactions
    return ProviderInteractions(
        operations=Paged(_describe(db, shown, rows, in_use, limit), page, len(terms)),
        consumer_count=len({pact.consumer_id for pact in in_use.pacts}),
        basis=load_basis(db, provider, in_use),
    )


class _Matches:
    """The interactions that match a search, and the contents of consumers that do."""

    def __init__(self, interaction_ids: Collection[int], content_ids: Collection[int]) -> None:
        self._interaction_ids = interaction_ids
        self._content_ids = content_ids

    def has(self, row: Any) -> bool:
        return row.id in self._interaction_ids or row.content_id in self._content_ids

    def list_operations(self, db: Connection) -> set[int]:
        rows = [
            *fetch_in_batches(db, _OPERATIONS_OF_INTERACTIONS, self._interaction_ids),
            *fetch_in_batches(db, _OPERATIONS_OF_CONTENTS, self._content_ids),
        ]
        return {row.operation_id for row in rows}


def _find_matches(db: Connection, provider: str, in_use: PactsOfProvider, text: str) -> _Matches:
    terms = find_terms_with_words(db, provider, text)[:MAX_TERMS] if list_query_words(text) else []
    sought = text.strip().casefold()
    own_contents = {pact.content_id for pact in in_use.pacts if sought in pact.consumer.casefold()}
    return _Matches(find_interaction_ids(db, in_use.pacts, [term.id for term in terms]), own_contents)


def _describe(
    db: Connection, terms: Iterable[Term], rows: Sequence[Any], in_use: PactsOfProvider, limit: int | None
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
