"""Queries of the usage index: who uses a part of a provider, and what its consumers expect.

Pacts in use are few, and are loaded first; then the statements read their interactions, and those that have the terms
of the query. Neither depends on the length of the history.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cache
from itertools import groupby
from typing import Any, Final, NamedTuple

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Connection,
    Integer,
    Select,
    and_,
    bindparam,
    exists,
    func,
    literal_column,
    or_,
    select,
)

from treaty.model.paging import Page, Paged
from treaty.model.usage.documents import FoundName
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
from treaty.store.engine.conditions import IsAmong
from treaty.store.engine.database import fetch_rows, fetch_scalar
from treaty.store.tables import (
    content,
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

_IDS: Final[BindParameter[Any]] = bindparam("ids", expanding=True)
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
    return find_terms_with_words(db, query.provider, text)


def find_terms_with_words(db: Connection, provider: str, text: str) -> list[Term]:
    """Find the names with the words of a text, shortest first; one more than MAX_TERMS if there are more."""
    provider_id = fetch_scalar(db, _PROVIDER, {"provider": provider})
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


class _Criterion(NamedTuple):
    """How the interactions that meet a criterion are found."""

    is_dense: bool
    """Whether so many interactions meet it that testing the few of a page is faster than listing all of them."""
    is_selective: bool
    """Whether it has so few terms that looking each of them up is faster than reading all terms of an interaction."""


Shape = tuple[_Criterion, ...]
"""The properties that choose the text of a statement. Its criteria have the parameters `terms0`, `terms1` and so on."""

DENSITY: Final = 25
"""Expectations for each content in use from which on a criterion is dense."""
MAX_LOOKED_UP: Final = 4
"""Terms of a criterion up to which it is selective."""


def find_shape(db: Connection, params: Mapping[str, Sequence[int]], content_count: int) -> Shape:
    """Choose how the interactions are found that meet criteria, whose terms are the parameters."""
    limit = DENSITY * content_count
    counts = (
        fetch_scalar(db, _EXPECTATIONS_UP_TO, {"terms": term_ids, "limit": limit}) for term_ids in params.values()
    )
    return tuple(
        _Criterion(is_dense=count == limit, is_selective=len(term_ids) <= MAX_LOOKED_UP)
        for count, term_ids in zip(counts, params.values(), strict=True)
    )


_met: Final = usage_expectation.alias("met")


def _meets_criteria(interaction_id: ColumnElement[int], shape: Shape) -> list[ColumnElement[bool]]:
    """Return a condition for each criterion."""
    return [_meets(interaction_id, f"terms{index}", criterion) for index, criterion in enumerate(shape)]


def _meets(interaction_id: ColumnElement[int], parameter: str, criterion: _Criterion) -> ColumnElement[bool]:
    has_indexed_term = _met.c.term_id.in_(bindparam(parameter, expanding=True))
    if not criterion.is_dense:
        return IsAmong(interaction_id, select(_met.c.interaction_id).where(has_indexed_term))
    has_term = has_indexed_term if criterion.is_selective else IsAmong(_met.c.term_id, parameter)
    # With a limit, PostgreSQL looks each interaction up. It would read all expectations for `EXISTS`.
    first: Select[int] = select(literal_column("1")).where(has_term, _met.c.interaction_id == interaction_id)
    return first.limit(literal_column("1")).scalar_subquery().is_not(None)


_occurring: Final = usage_occurrence.alias("occurring")


@cache
def _select_matching(shape: Shape) -> Select[int]:
    """Build the statement for the contents with an interaction that meets the criteria.

    The first one of each content is enough.
    """
    first: Select[int] = (
        select(literal_column("1"))
        .select_from(_occurring)
        .where(_occurring.c.content_id == content.c.id, *_meets_criteria(_occurring.c.interaction_id, shape))
        .limit(literal_column("1"))
    )
    return select(content.c.id).where(content.c.id.in_(_IDS), first.scalar_subquery().is_not(None))


_EXPECTATIONS_UP_TO: Final = select(func.count()).select_from(
    select(literal_column("1"))
    .select_from(usage_expectation)
    .where(usage_expectation.c.term_id.in_(bindparam("terms", expanding=True)))
    .limit(bindparam("limit", type_=Integer))
    .subquery()
)


@cache
def _select_interactions(shape: Shape) -> Select[int, int]:
    """Build the statement for the interactions of a page's contents that meet the criteria."""
    return select(usage_occurrence.c.content_id, usage_occurrence.c.interaction_id).where(
        usage_occurrence.c.content_id.in_(_IDS),
        *_meets_criteria(usage_occurrence.c.interaction_id, shape),
    )


_own: Final = usage_expectation.alias("own")


@cache
def _select_expectations(*, is_by_interaction: bool) -> Select[*tuple[Any, ...]]:
    """Build the statement for the expectations of a page's interactions that the answer shows.

    Interactions and the names of terms are looked up separately: joins would read them for each expectation.
    """
    has_term = (
        IsAmong(usage_expectation.c.term_id, "shown")
        if is_by_interaction
        else usage_expectation.c.term_id.in_(bindparam("shown", expanding=True))
    )
    # Terms are in the index of an interaction. Only for those that are shown, the row itself is read.
    strictness = select(_own.c.strictness).where(
        _own.c.term_id == usage_expectation.c.term_id, _own.c.interaction_id == usage_expectation.c.interaction_id
    )
    return select(
        usage_expectation.c.interaction_id,
        usage_expectation.c.term_id,
        strictness.scalar_subquery().label("strictness"),
    ).where(usage_expectation.c.interaction_id.in_(_IDS), has_term)


_INTERACTIONS: Final = select(
    usage_interaction.c.consumer_id,
    usage_interaction.c.id,
    usage_interaction.c.kind,
    usage_interaction.c.description_id,
    usage_interaction.c.operation_id,
).where(usage_interaction.c.id.in_(_IDS))


@cache
def _select_other_consumers(shape: Shape) -> Select[int, str]:
    # Of all contents, also of those that are not in use.
    return select(pacticipant.c.id, pacticipant.c.name).where(
        pacticipant.c.id.in_(_IDS),
        exists().where(
            usage_interaction.c.consumer_id == pacticipant.c.id,
            usage_interaction.c.provider_id == PROVIDER_ID,
            *_meets_criteria(usage_interaction.c.id, shape),
        ),
    )


@cache
def _select_newest_version(shape: Shape) -> Select[str]:
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
    shape = find_shape(db, params, len(in_use.content_ids))
    content_ids = {row.id for row in fetch_in_batches(db, _select_matching(shape), in_use.content_ids, params)}
    using = [pact for pact in in_use.pacts if pact.content_id in content_ids]
    consumers = _page_consumers(using, page)
    return Usage(
        query=query,
        consumers=Paged(_describe_consumers(db, consumers.items, shape, params, terms), page, consumers.total),
        former_consumers=_find_former_consumers(
            db, query, shape, params, in_use.consumer_ids - {pact.consumer_id for pact in using}
        ),
        suggestions=(),
        basis=basis,
        documented=_find_documented(db, query),
    )


def _find_documented(db: Connection, query: UsageQuery) -> tuple[FoundName, ...]:
    """Find names in the provider's documents, if the query is for words only."""
    if query.text is None or query.criteria.keys() != {"text"} or query.part is not None:
        return ()
    provider_id = fetch_scalar(db, _PROVIDER, {"provider": query.provider})
    return tuple(documents.search(db, query.text, MAX_DOCUMENTED, provider_id=provider_id))


def _page_consumers(using: Sequence[PactInUse], page: Page) -> Paged[tuple[str, tuple[PactInUse, ...]]]:
    by_consumer = [(name, tuple(pacts)) for name, pacts in groupby(using, lambda pact: pact.consumer)]
    return Paged(by_consumer[page.offset : page.offset + page.limit], page, len(by_consumer))


def _describe_consumers(
    db: Connection,
    consumers: Sequence[tuple[str, tuple[PactInUse, ...]]],
    shape: Shape,
    params: Mapping[str, list[int]],
    terms: Sequence[Sequence[Term]],
) -> list[UsingConsumer]:
    """Add the interactions that meet the criteria to the consumers of a page: the first ones, and their number."""
    interaction_ids = _find_interactions(db, [pact for _, pacts in consumers for pact in pacts], shape, params)
    listed = {
        name: sorted({id_ for pact in pacts for id_ in interaction_ids[pact.content_id]})[:MAX_INTERACTIONS]
        for name, pacts in consumers
    }
    interactions = _load_interactions(db, [id_ for ids in listed.values() for id_ in ids], terms)
    return [
        UsingConsumer(
            name=name,
            pacts=pacts,
            interaction_count=max(len(interaction_ids[pact.content_id]) for pact in pacts),
            interactions=interactions.get(pacts[0].consumer_id, ()),
        )
        for name, pacts in consumers
    ]


def _find_interactions(
    db: Connection, pacts: Sequence[PactInUse], shape: Shape, params: Mapping[str, list[int]]
) -> dict[int, list[int]]:
    """Find the interactions of each content that meet the criteria."""
    interactions: dict[int, list[int]] = {}
    rows = fetch_in_batches(db, _select_interactions(shape), {pact.content_id for pact in pacts}, params)
    for content_id, interaction_id in rows:
        interactions.setdefault(content_id, []).append(interaction_id)
    return interactions


def _load_interactions(
    db: Connection, interaction_ids: Sequence[int], terms: Sequence[Sequence[Term]]
) -> dict[int, tuple[UsingInteraction, ...]]:
    """Load interactions by their consumers."""
    # The operation of each interaction is shown in any case, so that it need not be an expectation beside others.
    matching_terms = [term for matching in terms for term in matching[:MAX_TERMS]]
    shown = [term.id for term in matching_terms if len(terms) == 1 or not _is_operation(term)]
    # Many terms would all be looked up with each interaction.
    statement = _select_expectations(is_by_interaction=len(shown) > MAX_LOOKED_UP)
    by_id = {term.id: term for term in matching_terms}
    ranks = {
        term.id: rank for rank, term in enumerate(sorted(by_id.values(), key=lambda term: (term.place, term.name)))
    }
    interactions = {row.id: row for row in fetch_in_batches(db, _INTERACTIONS, interaction_ids)}
    rows = sorted(
        fetch_in_batches(db, statement, interaction_ids, {"shown": shown}),
        key=lambda row: (interactions[row.interaction_id].consumer_id, row.interaction_id, ranks[row.term_id]),
    )[:MAX_ROWS]
    names = _find_names(db, interactions.values())
    by_consumer: dict[int, list[UsingInteraction]] = {}
    for interaction_id, own_rows in groupby(rows, lambda row: row.interaction_id):
        interaction = interactions[interaction_id]
        by_consumer.setdefault(interaction.consumer_id, []).append(
            _read_interaction(interaction, own_rows, by_id, names)
        )
    return {consumer_id: tuple(own) for consumer_id, own in by_consumer.items()}


def _is_operation(term: Term) -> bool:
    return term.place is Place.OPERATION


def _find_names(db: Connection, rows: Iterable[Any]) -> dict[int, str]:
    """Find the descriptions and operations of interactions, by the ids of their terms."""
    ids = {term_id for row in rows for term_id in (row.description_id, row.operation_id) if term_id is not None}
    return find_names(db, ids)


def _read_interaction(
    interaction: Any, rows: Iterable[Any], terms: Mapping[int, Term], names: Mapping[int, str]
) -> UsingInteraction:
    own_terms = [(terms[row.term_id], Strictness(row.strictness)) for row in rows]
    return UsingInteraction(
        kind=interaction.kind,
        description=names[interaction.description_id],
        operation=None if interaction.operation_id is None else names[interaction.operation_id],
        expectations=tuple(UsedExpectation(term.place, term.name, strictness) for term, strictness in own_terms),
    )


def _find_former_consumers(
    db: Connection,
    query: UsageQuery,
    shape: Shape,
    params: Mapping[str, list[int]],
    candidate_ids: Collection[int],
) -> tuple[FormerConsumer, ...]:
    if len(candidate_ids) > MAX_FORMER_CONSUMERS:
        # Together they have too many interactions to test each of them.
        shape = tuple(criterion._replace(is_dense=False) for criterion in shape)
    values = {**params, "provider": query.provider}
    rows = fetch_in_batches(db, _select_other_consumers(shape), candidate_ids, values)
    others = sorted(rows, key=lambda row: row.name)
    newest_versions = (
        (row.name, fetch_scalar(db, _select_newest_version(shape), {**values, "consumer_id": row.id}))
        for row in others[:MAX_FORMER_CONSUMERS]
    )
    # Without a version, all pacts with these contents have been deleted.
    return tuple(FormerConsumer(name, number) for name, number in newest_versions if number is not None)


# What consumers expect


@cache
def _select_operations_in_use(shape: Shape | None) -> Select[*tuple[Any, ...]]:
    """Build the statement for the operations of contents, all or those that a search finds.

    The first use of each operation is enough; there are many more interactions than operations.
    """
    first_use: Select[int] = (
        select(literal_column("1"))
        .select_from(usage_interaction)
        .join(usage_occurrence, usage_occurrence.c.interaction_id == usage_interaction.c.id)
        .where(
            usage_interaction.c.operation_id == usage_term.c.id,
            IsAmong(usage_occurrence.c.content_id, "ids"),
            *is_found(shape),
        )
        .limit(literal_column("1"))
    )
    return _OF_PROVIDER.where(
        usage_term.c.place.in_(bindparam("places", expanding=True)), first_use.scalar_subquery().is_not(None)
    )


def is_found(shape: Shape | None) -> list[ColumnElement[bool]]:
    """Return the condition that a search finds an occurrence; none if there is no search.

    It finds interactions that meet the criteria, and all those of the contents in the parameter `own`.
    """
    if shape is None:
        return []
    return [
        or_(
            and_(*_meets_criteria(usage_occurrence.c.interaction_id, shape)),
            IsAmong(usage_occurrence.c.content_id, "own"),
        )
    ]


_INTERACTIONS_OF_OPERATIONS: Final = (
    select(usage_interaction.c.operation_id, usage_interaction.c.description_id, usage_interaction.c.consumer_id)
    .where(
        usage_interaction.c.operation_id.in_(bindparam("operations", expanding=True)),
        IsAmong(
            usage_interaction.c.id,
            select(usage_occurrence.c.interaction_id).where(usage_occurrence.c.content_id.in_(_IDS)),
        ),
    )
    .distinct()
)
_NAMES_OF_TERMS: Final = select(usage_term.c.id, usage_term.c.name).where(usage_term.c.id.in_(_IDS))


def list_operations(db: Connection, provider: str, page: Page) -> ExpectedOperations:
    """List the operations and messages that pacts in use expect of a provider, by path."""
    in_use = list_in_use(db, provider)
    terms = list_operation_terms(db, provider, in_use)
    shown = terms[page.offset : page.offset + page.limit]
    interactions = _list_expected(db, [term.id for term in shown], in_use)
    operations = [ExpectedOperation(term.place, term.name, interactions.get(term.id, ())) for term in shown]
    return ExpectedOperations(provider, Paged(operations, page, len(terms)), load_basis(db, provider, in_use))


def list_operation_terms(
    db: Connection, provider: str, in_use: PactsOfProvider, shape: Shape | None = None, **search: Sequence[int]
) -> list[Term]:
    """List the operations and messages of pacts in use by path, all or those that a search finds (`is_found`)."""
    params = {**search, "provider": provider, "places": [Place.OPERATION.value, Place.MESSAGE.value]}
    rows = fetch_in_batches(db, _select_operations_in_use(shape), in_use.content_ids, params)
    return sorted(dict.fromkeys(_read_terms(rows)), key=lambda term: (term.place, term.path, term.name))


def find_names(db: Connection, term_ids: Collection[int]) -> dict[int, str]:
    """Find the names of terms by their ids."""
    return {row.id: row.name for row in fetch_in_batches(db, _NAMES_OF_TERMS, term_ids)}


def _list_expected(
    db: Connection, operation_ids: Sequence[int], in_use: PactsOfProvider
) -> dict[int, tuple[ExpectedInteraction, ...]]:
    """List the interactions of each operation by their descriptions, each with its consumers."""
    params = {"operations": list(operation_ids)}
    rows = {tuple(row) for row in fetch_in_batches(db, _INTERACTIONS_OF_OPERATIONS, in_use.content_ids, params)}
    descriptions = find_names(db, {row[1] for row in rows})
    names = {pact.consumer_id: pact.consumer for pact in in_use.pacts}
    consumers: dict[int, dict[str, list[str]]] = {}
    for operation_id, description, consumer in sorted((row[0], descriptions[row[1]], names[row[2]]) for row in rows):
        consumers.setdefault(operation_id, {}).setdefault(description, []).append(consumer)
    return {
        operation_id: tuple(
            ExpectedInteraction(description, tuple(own_names)) for description, own_names in by_description.items()
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
