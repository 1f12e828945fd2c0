"""Lists of pacts, and removal of pacts.

Filters select consumer versions first, from the indexes of tags, branches and deployments, and then their publications.
One statement is built for each shape of filter, because building a statement takes longer than running it.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    and_,
    bindparam,
    delete,
    exists,
    func,
    or_,
    select,
    union,
    update,
)

from treaty.model.pacts.lists import PactFilter, PactsInEnvironment, PactsOnBranch, PactsWithTag
from treaty.model.pacts.pacts import Pact, PactKey
from treaty.model.paging import Page, Paged
from treaty.store.engine.database import execute, fetch_column, fetch_rows, fetch_scalar
from treaty.store.engine.listing import PagedQuery
from treaty.store.pacts.pacts import CONSUMER, CONSUMER_ID, IS_OF_PAIR, PACTS, PROVIDER, PROVIDER_ID
from treaty.store.tables import (
    branch,
    branch_version,
    content,
    deployed_version,
    environment,
    integration,
    pacticipant,
    publication,
    released_version,
    tag,
    version,
)

_CONSUMER_ONLY: Final = select(pacticipant.c.id).where(pacticipant.c.name == bindparam("consumer"))
"""The consumer of a pair, in the form that the filters take."""
_CONSUMERS: Final = select(integration.c.consumer_id).where(integration.c.provider_id == PROVIDER_ID)
"""The consumers of the provider."""


def _shape(pact_filter: PactFilter) -> PactFilter:
    """Blank out the name, so that filters of one shape share a cached statement."""
    return pact_filter if pact_filter is None or pact_filter.name is None else replace(pact_filter, name="")


def _params(pact_filter: PactFilter, **names: str) -> dict[str, Any]:
    return names if pact_filter is None else {**names, "name": pact_filter.name}


def _select_versions(consumers: Select[int], shape: PactsWithTag | PactsOnBranch | PactsInEnvironment) -> Any:
    """Select the ids of the consumers' versions that match the filter."""
    match shape:
        case PactsWithTag():
            return select(tag.c.version_id).where(tag.c.pacticipant_id.in_(consumers), tag.c.name == bindparam("name"))
        case PactsOnBranch():
            return _select_on_branch(consumers, shape)
        case PactsInEnvironment():
            return _select_in_environment(consumers)


def _select_on_branch(consumers: Select[int], shape: PactsOnBranch) -> Select[*tuple[Any, ...]]:
    owner = pacticipant.alias("owner")
    name = owner.c.main_branch if shape.name is None else bindparam("name")
    branches = branch.join(owner, owner.c.id == branch.c.pacticipant_id)
    if shape.is_head:
        versions = select(branch.c.head_version_id).select_from(branches)
    else:
        branch_versions = branches.join(branch_version, branch_version.c.branch_id == branch.c.id)
        versions = select(branch_version.c.version_id).select_from(branch_versions)
    return versions.where(owner.c.id.in_(consumers), branch.c.name == name)


def _select_in_environment(consumers: Select[int]) -> Any:
    has_name = or_(environment.c.name == bindparam("name"), environment.c.uuid == bindparam("name"))
    environment_id = select(environment.c.id).where(has_name)
    deployed = select(deployed_version.c.version_id).where(
        deployed_version.c.environment_id.in_(environment_id),
        deployed_version.c.pacticipant_id.in_(consumers),
        deployed_version.c.undeployed_at.is_(None),
    )
    supported = select(released_version.c.version_id).where(
        released_version.c.environment_id.in_(environment_id),
        released_version.c.pacticipant_id.in_(consumers),
        released_version.c.support_ended_at.is_(None),
    )
    return union(deployed, supported)


# Pacts of a pair


@cache
def _build_list_of_pair(shape: PactFilter) -> PagedQuery:
    pacts = PACTS.where(IS_OF_PAIR, publication.c.is_current)
    if shape is not None:
        pacts = pacts.where(publication.c.consumer_version_id.in_(_select_versions(_CONSUMER_ONLY, shape)))
    position = publication.c.position
    return PagedQuery(pacts.order_by(position if isinstance(shape, PactsOnBranch) else position.desc()))


def list_of_pair(db: Connection, *, consumer: str, provider: str, pact_filter: PactFilter, page: Page) -> Paged[Pact]:
    """List the pacts of a pair, newest first; those of a branch oldest first, as in the original."""
    return _build_list_of_pair(_shape(pact_filter)).read(
        db, _params(pact_filter, consumer=consumer, provider=provider), page, _read_pacts
    )


def _read_pacts(rows: Sequence[Any]) -> list[Pact]:
    return [Pact._make(row) for row in rows]


# Pacts of a provider, and of all pairs


def _by_consumer(pacts: Select[*tuple[Any, ...]]) -> PagedQuery:
    return PagedQuery(pacts.order_by(func.lower(CONSUMER.c.name), CONSUMER.c.name, publication.c.position))


@cache
def _build_list_of_provider(shape: PactFilter) -> PagedQuery:
    pacts = PACTS.where(publication.c.provider_id == PROVIDER_ID, publication.c.is_current)
    if shape is not None:
        pacts = pacts.where(publication.c.consumer_version_id.in_(_select_versions(_CONSUMERS, shape)))
    return _by_consumer(pacts)


def list_of_provider(db: Connection, provider: str, pact_filter: PactFilter, page: Page) -> Paged[Pact]:
    """List the pacts of all consumers of a provider."""
    return _build_list_of_provider(_shape(pact_filter)).read(
        db, _params(pact_filter, provider=provider), page, _read_pacts
    )


# The latest publication of each pair is denormalized into its integration, so these lists never read the history.
_LATEST_IDS: Final = select(integration.c.latest_publication_id)
_LATEST: Final = _by_consumer(
    PACTS.where(publication.c.id.in_(_LATEST_IDS.where(integration.c.provider_id == PROVIDER_ID)))
)
_LATEST_WITH_TAG: Final = (
    select(publication.c.id)
    .join(tag, tag.c.version_id == publication.c.consumer_version_id)
    .where(
        tag.c.pacticipant_id == integration.c.consumer_id,
        tag.c.name == bindparam("tag"),
        publication.c.provider_id == integration.c.provider_id,
        publication.c.is_current,
    )
    .order_by(tag.c.position.desc())
    .limit(1)
    .correlate(integration)
    .scalar_subquery()
)
_LATEST_TAGGED: Final = _by_consumer(
    PACTS.where(publication.c.id.in_(select(_LATEST_WITH_TAG).where(integration.c.provider_id == PROVIDER_ID)))
)
_LATEST_OF_PAIRS: Final = PagedQuery(
    PACTS.where(publication.c.id.in_(_LATEST_IDS)).order_by(
        func.lower(CONSUMER.c.name), func.lower(PROVIDER.c.name), CONSUMER.c.name, PROVIDER.c.name
    )
)


def list_latest_of_provider(db: Connection, provider: str, page: Page, *, tag: str | None = None) -> Paged[Pact]:
    """List the latest pact of each consumer of a provider; with a tag, the latest pact of a version with the tag."""
    if tag is None:
        return _LATEST.read(db, {"provider": provider}, page, _read_pacts)
    return _LATEST_TAGGED.read(db, {"provider": provider, "tag": tag}, page, _read_pacts)


def list_latest_of_pairs(db: Connection, page: Page) -> Paged[Pact]:
    """List the latest pact of each pair, ordered by the names of consumer and provider."""
    return _LATEST_OF_PAIRS.read(db, {}, page, _read_pacts)


@cache
def _build_bodies(shape: PactsWithTag | PactsOnBranch | PactsInEnvironment) -> Select[*tuple[Any, ...]]:
    return (
        select(CONSUMER.c.name, content.c.body)
        .select_from(publication)
        .join(CONSUMER, CONSUMER.c.id == publication.c.consumer_id)
        .join(content, content.c.id == publication.c.content_id)
        .where(
            publication.c.provider_id == PROVIDER_ID,
            publication.c.is_current,
            publication.c.consumer_version_id.in_(_select_versions(_CONSUMERS, shape)),
        )
        .order_by(func.lower(CONSUMER.c.name), CONSUMER.c.name, publication.c.position)
    )


def list_bodies_of_provider(
    db: Connection, provider: str, pact_filter: PactsWithTag | PactsOnBranch | PactsInEnvironment
) -> list[tuple[str, bytes]]:
    """List the bodies (JSON) of a provider's pacts, each with the name of its consumer."""
    shape = _shape(pact_filter)
    assert shape is not None  # noqa: S101 - only None has no shape
    return [
        (name, body) for name, body in fetch_rows(db, _build_bodies(shape), _params(pact_filter, provider=provider))
    ]


_CONSUMERS_WITH_PACTS: Final = (
    select(pacticipant.c.name)
    .join(integration, integration.c.consumer_id == pacticipant.c.id)
    .where(integration.c.provider_id == PROVIDER_ID, integration.c.latest_publication_id.is_not(None))
    .order_by(pacticipant.c.name)
)


def list_consumers(db: Connection, provider: str) -> list[str]:
    """List the consumers that have a pact with a provider."""
    return list(fetch_column(db, _CONSUMERS_WITH_PACTS, {"provider": provider}))


# Removal


def _matches(shape: PactFilter) -> ColumnElement[bool]:
    if shape is None:
        return IS_OF_PAIR
    return and_(IS_OF_PAIR, publication.c.consumer_version_id.in_(_select_versions(_CONSUMER_ONLY, shape)))


@cache
def _build_removal(shape: PactFilter) -> Any:
    return delete(publication).where(_matches(shape))


@cache
def _select_publication_ids(shape: PactFilter) -> Any:
    return select(publication.c.id).where(_matches(shape))


_IS_OF_VERSION: Final = and_(
    publication.c.provider_id == PROVIDER_ID,
    publication.c.consumer_version_id.in_(
        select(version.c.id).where(version.c.pacticipant_id == CONSUMER_ID, version.c.number == bindparam("version"))
    ),
)
_REMOVE_VERSION: Final = delete(publication).where(_IS_OF_VERSION)
_PUBLICATION_IDS_OF_VERSION: Final = select(publication.c.id).where(_IS_OF_VERSION)
_newest: Final = publication.alias("newest")
_RECOMPUTE_LATEST: Final = (
    update(integration)
    .where(integration.c.consumer_id == CONSUMER_ID, integration.c.provider_id == PROVIDER_ID)
    .values(
        latest_publication_id=select(_newest.c.id)
        .where(
            _newest.c.consumer_id == integration.c.consumer_id,
            _newest.c.provider_id == integration.c.provider_id,
            _newest.c.is_current,
        )
        .order_by(_newest.c.position.desc())
        .limit(1)
        .scalar_subquery()
    )
)
_HAS_PACTS: Final = select(exists().where(IS_OF_PAIR))


def list_publication_ids_of_version(db: Connection, key: PactKey) -> list[int]:
    """List the ids of the publications of a version's pact, in all revisions."""
    names = {"consumer": key.consumer, "provider": key.provider, "version": key.version}
    return fetch_column(db, _PUBLICATION_IDS_OF_VERSION, names)


def list_publication_ids(db: Connection, *, consumer: str, provider: str, pact_filter: PactFilter) -> list[int]:
    """List the ids of the publications of a pair that match the filter, in all revisions."""
    return fetch_column(
        db, _select_publication_ids(_shape(pact_filter)), _params(pact_filter, consumer=consumer, provider=provider)
    )


def remove_version(db: Connection, key: PactKey) -> int:
    """Remove all revisions of a version's pact; return how many there were. Content and results stay."""
    pair = {"consumer": key.consumer, "provider": key.provider}
    count = execute(db, _REMOVE_VERSION, {**pair, "version": key.version})
    execute(db, _RECOMPUTE_LATEST, pair)
    return count


def remove(db: Connection, *, consumer: str, provider: str, pact_filter: PactFilter) -> int:
    """Remove matching pacts of a pair, in all revisions; return how many there were. Content and results stay."""
    pair = {"consumer": consumer, "provider": provider}
    count = execute(db, _build_removal(_shape(pact_filter)), _params(pact_filter, **pair))
    execute(db, _RECOMPUTE_LATEST, pair)
    return count


def has_pacts(db: Connection, *, consumer: str, provider: str) -> bool:
    return bool(fetch_scalar(db, _HAS_PACTS, {"consumer": consumer, "provider": provider}))
