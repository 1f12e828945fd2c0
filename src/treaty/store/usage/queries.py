"""Queries of the usage index: who uses a part of a provider, and what its consumers expect.

Pacts in use are few, and are loaded first; then the statements read their interactions, and those that have the terms
of the query. Neither depends on the length of the history.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from itertools import groupby
from typing import Any, Final, NamedTuple

from sqlalchemy import BindParameter, ColumnElement, Connection, Integer, Select, bindparam, exists, func, select

from treaty.model.paging import Page, Paged
from treaty.model.usage.documents import DocumentedName
from treaty.model.usage.expectations import BODIES, Place
from treaty.model.usage.operations import OperationQuery
from treaty.model.usage.strictness import Strictness
from treaty.model.usage.usage import (
    ExpectedInteraction,
    ExpectedOperation,
    ExpectedOperations,
    FormerConsumer,
    PactInUse,
    Term,
    Usage,
    UsageQuery,
    UsedExpectation,
    UsingConsumer,
    UsingInteraction,
    is_name_of,
    list_pointers,
)
from treaty.model.usage.words import list_query_words
from treaty.spelling import find_similar_names
from treaty.store.engine.batches import fetch_in_batches
from treaty.store.engine.database import fetch_rows, fetch_scalar
from treaty.store.tables import (
    integration,
    pacticipant,
    publication,
    usage_expectation,
    usage_interaction,
    usage_occurrence,
    usage_term,
    version,
)
from treaty.store.usage import documents
from treaty.store.usage.pacts import PROVIDER_ID, PactsOfProvider, list_in_use, load_basis
from treaty.store.usage.words import HasWords, build_search

MAX_TERMS: Final = 1000
"""Terms of a criterion that are looked up."""
MAX_INTERACTIONS: Final = 20
"""Interactions of a consumer that an answer lists."""
MAX_ROWS: Final = 2000
"""Expectations that are loaded for an answer."""
MAX_FORMER_CONSUMERS: Final = 20
MAX_DOCUMENTED: Final = 20
MAX_SUGGESTED: Final = 5000
"""Names among which suggestions are searched."""

# Terms

_HAS_WORDS: Final = HasWords(usage_term.c.id, "usage_text")
_TERM: Final = select(usage_term.c.id, usage_term.c.place, usage_term.c.name)
_OF_PROVIDER: Final = _TERM.where(usage_term.c.provider_id == PROVIDER_ID)
_IN_PLACE: Final = _OF_PROVIDER.where(usage_term.c.place == bindparam("place")).order_by(usage_term.c.name)
_WITH_NAMES: Final = _OF_PROVIDER.where(usage_term.c.name.in_(bindparam("names", expanding=True)))
_WITH_FIELD: Final = (
    _OF_PROVIDER.add_columns(usage_term.c.field)
    .where(usage_term.c.field.in_(bindparam("fields", expanding=True)))
    .order_by(usage_term.c.name, usage_term.c.place)
)
_WITH_WORDS: Final = (
    _TERM.where(_HAS_WORDS).order_by(func.length(usage_term.c.name), usage_term.c.id).limit(bindparam("limit"))
)
_FIELDS: Final = (
    select(usage_term.c.field)
    .where(usage_term.c.provider_id == PROVIDER_ID, usage_term.c.field.is_not(None))
    .distinct()
    .limit(MAX_SUGGESTED)
)
_NAMES: Final = (
    select(usage_term.c.name)
    .where(usage_term.c.provider_id == PROVIDER_ID, usage_term.c.place.in_(bindparam("places", expanding=True)))
    .distinct()
    .limit(MAX_SUGGESTED)
)
_PROVIDER: Final = select(pacticipant.c.id).where(pacticipant.c.name == bindparam("provider"))


def _read_terms(rows: Iterable[Any]) -> list[Term]:
    return [Term(row.id, Place(row.place), row.name) for row in rows]


def find_terms(db: Connection, query: UsageQuery) -> list[list[Term]]:
    """Find the terms that meet each criterion of a query; one more than MAX_TERMS if there are more."""
    finders = {
        "operation": _find_operations,
        "pointer": _find_pointers,
        "field": _find_fields,
        "state": _find_states,
        "text": _find_texts,
    }
    return [finders[name](db, query, value)[: MAX_TERMS + 1] for name, value in query.criteria.items()]


def _find_operations(db: Connection, query: UsageQuery, operation: str) -> list[Term]:
    rows = fetch_rows(db, _IN_PLACE, {"provider": query.provider, "place": Place.OPERATION.value})
    operation_query = OperationQuery(operation)
    return [term for term in _read_terms(rows) if operation_query.matches(term.name)]


def _find_pointers(db: Connection, query: UsageQuery, pointer: str) -> list[Term]:
    rows = fetch_in_batches(db, _WITH_NAMES, list_pointers(pointer), {"provider": query.provider}, parameter="names")
    return [term for term in _read_terms(rows) if term.place in BODIES and query.covers(term.place)]


def _find_fields(db: Connection, query: UsageQuery, field: str) -> list[Term]:
    params = {"provider": query.provider, "fields": [field, field.lower()]}
    return [
        Term(row.id, Place(row.place), row.name)
        for row in fetch_rows(db, _WITH_FIELD, params)
        if is_name_of(field, Place(row.place), row.field) and query.covers(Place(row.place))
    ]


def _find_states(db: Connection, query: UsageQuery, state: str) -> list[Term]:
    rows = fetch_rows(db, _WITH_NAMES, {"provider": query.provider, "names": [state]})
    return [term for term in _read_terms(rows) if term.place is Place.STATE]


def _find_texts(db: Connection, query: UsageQuery, text: str) -> list[Term]:
    provider_id = fetch_scalar(db, _PROVIDER, {"provider": query.provider})
    search = build_search(db, list_query_words(text), provider_id)
    return _read_terms(fetch_rows(db, _WITH_WORDS, {"search": search, "limit": MAX_TERMS + 1}))


def suggest(db: Connection, query: UsageQuery, name: str) -> tuple[str, ...]:
    """Return names that the provider's consumers use, and that are similar to that of a criterion."""
    value = query.criteria[name]
    if name == "text":
        return ()
    if name == "field":
        rows = fetch_rows(db, _FIELDS, {"provider": query.provider})
    else:
        places = {"operation": [Place.OPERATION], "pointer": [*BODIES], "state": [Place.STATE]}[name]
        rows = fetch_rows(db, _NAMES, {"provider": query.provider, "places": [place.value for place in places]})
    return tuple(find_similar_names(value, [row[0] for row in rows if row[0] != value]))


# Interactions that meet all criteria of a query


class _Shape(NamedTuple):
    """What determines the text of a statement: the number of criteria, and how their interactions are found."""

    criteria_count: int
    is_selective: bool
    """Whether the criteria have so few terms that looking up each interaction is faster than listing all of theirs."""
    has_few_interactions: bool = False
    """Whether so few interactions are compared that reading their expectations is faster than listing all of theirs."""


MAX_LOOKED_UP: Final = 4
"""Terms of a criterion up to which it is selective."""


def _shape_of(params: Mapping[str, Sequence[int]]) -> _Shape:
    return _Shape(len(params), is_selective=all(len(term_ids) <= MAX_LOOKED_UP for term_ids in params.values()))


def _meets_criteria(interaction_id: ColumnElement[int], shape: _Shape) -> list[ColumnElement[bool]]:
    """Return a condition for each criterion, whose terms are the parameters `terms0`, `terms1` and so on."""
    return [_has_terms(interaction_id, f"terms{index}", shape) for index in range(shape.criteria_count)]


_met: Final = usage_expectation.alias("met")


def _has_terms(interaction_id: ColumnElement[int], parameter: str, shape: _Shape) -> ColumnElement[bool]:
    terms: BindParameter[Sequence[int]] = bindparam(parameter, expanding=True)
    # As a sum, a column uses no index. Otherwise SQLite would look up every term with every interaction.
    if shape.is_selective:
        return exists().where(_met.c.term_id.in_(terms), _met.c.interaction_id == interaction_id)
    if shape.has_few_interactions:
        return exists().where((_met.c.term_id + 0).in_(terms), _met.c.interaction_id == interaction_id)
    return (interaction_id + 0).in_(select(_met.c.interaction_id).where(_met.c.term_id.in_(terms)))


_IDS: Final[BindParameter[Sequence[int]]] = bindparam("ids", expanding=True)


@cache
def _count_by_content(shape: _Shape) -> Select[int, int]:
    return (
        select(usage_occurrence.c.content_id, func.count().label("interactions"))
        .where(usage_occurrence.c.content_id.in_(_IDS), *_meets_criteria(usage_occurrence.c.interaction_id, shape))
        .group_by(usage_occurrence.c.content_id)
    )


_description: Final = usage_term.alias("description")
_operation: Final = usage_term.alias("operation")


@cache
def _select_expectations(shape: _Shape) -> Select[*tuple[Any, ...]]:
    """Build the statement for the expectations of the first interactions of each consumer of a page."""
    occurring = select(usage_occurrence.c.interaction_id).where(usage_occurrence.c.content_id.in_(_IDS))
    number = func.row_number().over(partition_by=usage_interaction.c.consumer_id, order_by=usage_interaction.c.id)
    listed = (
        select(
            usage_interaction.c.id,
            usage_interaction.c.consumer_id,
            usage_interaction.c.kind,
            usage_interaction.c.description_id,
            usage_interaction.c.operation_id,
            number.label("number"),
        )
        .where(
            usage_interaction.c.id.in_(occurring),
            *_meets_criteria(usage_interaction.c.id, shape._replace(has_few_interactions=True)),
        )
        .subquery("listed")
    )
    return (
        select(
            listed.c.consumer_id,
            listed.c.id,
            listed.c.kind,
            _description.c.name.label("description"),
            _operation.c.name.label("operation"),
            usage_term.c.place,
            usage_term.c.name,
            usage_expectation.c.strictness,
        )
        .join_from(listed, usage_expectation, usage_expectation.c.interaction_id == listed.c.id)
        .join(usage_term, usage_term.c.id == usage_expectation.c.term_id)
        .join(_description, _description.c.id == listed.c.description_id)
        .outerjoin(_operation, _operation.c.id == listed.c.operation_id)
        .where(listed.c.number <= MAX_INTERACTIONS, usage_expectation.c.term_id.in_(bindparam("shown", expanding=True)))
        .order_by(listed.c.consumer_id, listed.c.id, usage_term.c.place, usage_term.c.name)
        .limit(bindparam("limit", type_=Integer))
    )


@cache
def _select_other_consumers(shape: _Shape) -> Select[int, str]:
    # Of all contents, also of those that are not in use.
    return (
        select(pacticipant.c.id, pacticipant.c.name)
        .join_from(integration, pacticipant, pacticipant.c.id == integration.c.consumer_id)
        .where(
            integration.c.provider_id == PROVIDER_ID,
            integration.c.consumer_id.not_in(bindparam("current", expanding=True)),
            exists().where(
                usage_interaction.c.consumer_id == integration.c.consumer_id,
                usage_interaction.c.provider_id == integration.c.provider_id,
                *_meets_criteria(usage_interaction.c.id, shape),
            ),
        )
        .order_by(pacticipant.c.name)
    )


@cache
def _select_newest_version(shape: _Shape) -> Select[str]:
    return (
        select(version.c.number)
        .join_from(publication, version, version.c.id == publication.c.consumer_version_id)
        .where(
            publication.c.consumer_id == bindparam("consumer_id"),
            publication.c.provider_id == PROVIDER_ID,
            exists().where(
                usage_occurrence.c.content_id == publication.c.content_id,
                *_meets_criteria(usage_occurrence.c.interaction_id, shape),
            ),
        )
        .order_by(publication.c.position.desc())
        .limit(1)
    )


def find_usage(db: Connection, query: UsageQuery, page: Page) -> Usage:
    """Find who uses a part of a provider."""
    terms = find_terms(db, query)
    in_use = list_in_use(db, query.provider)
    is_search_truncated = any(len(matching) > MAX_TERMS for matching in terms)
    basis = load_basis(db, query.provider, in_use, is_search_truncated=is_search_truncated)
    params = {f"terms{index}": [term.id for term in matching[:MAX_TERMS]] for index, matching in enumerate(terms)}
    missing = next((name for name, matching in zip(query.criteria, terms, strict=True) if not matching), None)
    if missing is not None:
        suggestions = suggest(db, query, missing)
        return Usage(
            query=query,
            consumers=Paged([], page, 0),
            former_consumers=(),
            suggestions=suggestions,
            basis=basis,
            documented=_find_documented(db, query),
        )
    counts = _count_interactions(db, in_use, params)
    using = [pact for pact in in_use.pacts if pact.content_id in counts]
    consumers = _page_consumers(using, counts, page)
    return Usage(
        query=query,
        consumers=replace(consumers, items=_add_interactions(db, consumers.items, params, terms)),
        former_consumers=_find_former_consumers(db, query, params, {pact.consumer_id for pact in using}),
        suggestions=(),
        basis=basis,
        documented=_find_documented(db, query),
    )


def _find_documented(db: Connection, query: UsageQuery) -> tuple[DocumentedName, ...]:
    """Find names in the provider's documents, if the query is for words only."""
    if query.text is None or query.criteria.keys() != {"text"} or query.part is not None:
        return ()
    provider_id = fetch_scalar(db, _PROVIDER, {"provider": query.provider})
    found = documents.search(db, query.text, MAX_DOCUMENTED, provider_id=provider_id)
    return tuple(name for _, name in found)


def _count_interactions(db: Connection, in_use: PactsOfProvider, params: Mapping[str, list[int]]) -> dict[int, int]:
    """Count the interactions of each content in use that meet the criteria."""
    rows = fetch_in_batches(db, _count_by_content(_shape_of(params)), in_use.content_ids, params)
    return {row.content_id: row.interactions for row in rows}


def _page_consumers(using: Sequence[PactInUse], counts: Mapping[int, int], page: Page) -> Paged[UsingConsumer]:
    by_consumer = [(name, tuple(pacts)) for name, pacts in groupby(using, lambda pact: pact.consumer)]
    consumers = [
        UsingConsumer(name=name, pacts=pacts, interaction_count=max(counts[pact.content_id] for pact in pacts))
        for name, pacts in by_consumer[page.offset : page.offset + page.limit]
    ]
    return Paged(consumers, page, len(by_consumer))


def _add_interactions(
    db: Connection, consumers: Sequence[UsingConsumer], params: Mapping[str, list[int]], terms: Sequence[Sequence[Term]]
) -> list[UsingConsumer]:
    content_ids = {pact.content_id for consumer in consumers for pact in consumer.pacts}
    if not content_ids:
        return []
    # The operation of each interaction is shown in any case, so that it need not be an expectation beside others.
    matching_terms = [term for matching in terms for term in matching[:MAX_TERMS]]
    shown = [term.id for term in matching_terms if len(terms) == 1 or not _is_operation(term)]
    values = {**params, "shown": shown, "ids": sorted(content_ids), "limit": MAX_ROWS}
    rows = fetch_rows(db, _select_expectations(_shape_of(params)), values)
    by_consumer = groupby(rows, lambda row: row.consumer_id)
    interactions = {consumer_id: _read_interactions(list(own_rows)) for consumer_id, own_rows in by_consumer}
    return [
        replace(consumer, interactions=interactions.get(consumer.pacts[0].consumer_id, ())) for consumer in consumers
    ]


def _is_operation(term: Term) -> bool:
    return term.place is Place.OPERATION


def _read_interactions(rows: Sequence[Any]) -> tuple[UsingInteraction, ...]:
    interactions = []
    for _, group in groupby(rows, lambda row: row.id):
        own_rows = list(group)
        first = own_rows[0]
        interactions.append(
            UsingInteraction(
                kind=first.kind,
                description=first.description,
                operation=first.operation,
                expectations=tuple(
                    UsedExpectation(Place(row.place), row.name, Strictness(row.strictness)) for row in own_rows
                ),
            )
        )
    return tuple(interactions)


def _find_former_consumers(
    db: Connection, query: UsageQuery, params: Mapping[str, list[int]], current: Collection[int]
) -> tuple[FormerConsumer, ...]:
    shape = _shape_of(params)
    values = {**params, "provider": query.provider}
    others = fetch_rows(db, _select_other_consumers(shape), {**values, "current": sorted(current)})
    newest_versions = (
        (row.name, fetch_scalar(db, _select_newest_version(shape), {**values, "consumer_id": row.id}))
        for row in others[:MAX_FORMER_CONSUMERS]
    )
    # Without a version, all pacts with these contents have been deleted.
    return tuple(FormerConsumer(name, number) for name, number in newest_versions if number is not None)


# What consumers expect

_OCCURRING: Final = select(usage_occurrence.c.interaction_id).where(usage_occurrence.c.content_id.in_(_IDS))
_OPERATIONS_IN_USE: Final = (
    select(usage_term.c.id, usage_term.c.place, usage_term.c.name)
    .join_from(usage_interaction, usage_term, usage_term.c.id == usage_interaction.c.operation_id)
    .where(usage_interaction.c.id.in_(_OCCURRING))
    .distinct()
)
_INTERACTIONS_OF_OPERATIONS: Final = (
    select(
        usage_interaction.c.operation_id,
        usage_term.c.name.label("description"),
        pacticipant.c.name.label("consumer"),
    )
    .join_from(usage_interaction, usage_term, usage_term.c.id == usage_interaction.c.description_id)
    .join(pacticipant, pacticipant.c.id == usage_interaction.c.consumer_id)
    .where(
        usage_interaction.c.operation_id.in_(bindparam("operations", expanding=True)),
        (usage_interaction.c.id + 0).in_(_OCCURRING),
    )
    .distinct()
    .order_by(usage_interaction.c.operation_id, usage_term.c.name, pacticipant.c.name)
)


def list_operations(db: Connection, provider: str, page: Page) -> ExpectedOperations:
    """List the operations and messages that pacts in use expect of a provider, by path."""
    in_use = list_in_use(db, provider)
    terms = list(dict.fromkeys(_read_terms(fetch_in_batches(db, _OPERATIONS_IN_USE, in_use.content_ids))))
    terms.sort(key=lambda term: (term.place, term.name.partition(" ")[2], term.name))
    shown = terms[page.offset : page.offset + page.limit]
    interactions = _load_interactions(db, [term.id for term in shown], in_use.content_ids)
    operations = [ExpectedOperation(term.place, term.name, interactions.get(term.id, ())) for term in shown]
    return ExpectedOperations(provider, Paged(operations, page, len(terms)), load_basis(db, provider, in_use))


def _load_interactions(
    db: Connection, operation_ids: Sequence[int], content_ids: Collection[int]
) -> dict[int, tuple[ExpectedInteraction, ...]]:
    consumers: dict[int, dict[str, dict[str, None]]] = {}
    params = {"operations": list(operation_ids)}
    for row in fetch_in_batches(db, _INTERACTIONS_OF_OPERATIONS, content_ids, params):
        consumers.setdefault(row.operation_id, {}).setdefault(row.description, {})[row.consumer] = None
    return {
        operation_id: tuple(
            ExpectedInteraction(description, tuple(names)) for description, names in by_description.items()
        )
        for operation_id, by_description in consumers.items()
    }


# Search in all providers

_WITH_WORDS_ANYWHERE: Final = (
    _TERM.add_columns(pacticipant.c.name.label("provider"))
    .join_from(usage_term, pacticipant, pacticipant.c.id == usage_term.c.provider_id)
    .where(_HAS_WORDS)
    .order_by(func.length(usage_term.c.name), usage_term.c.name, pacticipant.c.name, usage_term.c.place)
    .limit(bindparam("limit", type_=Integer))
)


def search(db: Connection, text: str, limit: int) -> list[tuple[str, Term]]:
    """Find the names of all providers that have the words of a text, shortest first; each with the provider's name."""
    words = list_query_words(text)
    if not words:
        return []
    rows = fetch_rows(db, _WITH_WORDS_ANYWHERE, {"search": build_search(db, words, None), "limit": limit})
    return [(row.provider, Term(row.id, Place(row.place), row.name)) for row in rows]
