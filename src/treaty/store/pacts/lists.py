"""Lists of pacts, and taking pacts away.

Which versions are meant is found first, from the indexes of tags, branches and deployments; their publications follow.
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
from treaty.store.pacts.pacts import CONSUMER, PACTS, PROVIDER
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


def _named(role: str) -> Select[int]:
    return select(pacticipant.c.id).where(pacticipant.c.name == bindparam(role))


_CONSUMER_ID: Final = _named("consumer").scalar_subquery()
_PROVIDER_ID: Final = _named("provider").scalar_subquery()
_CONSUMERS: Final = select(integration.c.consumer_id).where(integration.c.provider_id == _PROVIDER_ID)
"""Who consumes the provider."""


def _shape(pact_filter: PactFilter) -> PactFilter:
    """Take the name out, so that one statement serves for all names."""
    return pact_filter if pact_filter is None or pact_filter.name is None else replace(pact_filter, name="")


def _params(pact_filter: PactFilter, **names: str) -> dict[str, Any]:
    return names if pact_filter is None else {**names, "name": pact_filter.name}


def _versions(consumers: Select[int], shape: PactsWithTag | PactsOnBranch | PactsInEnvironment) -> Any:
    """Select the versions of these consumers that are meant."""
    match shape:
        case PactsWithTag():
            return select(tag.c.version_id).where(tag.c.pacticipant_id.in_(consumers), tag.c.name == bindparam("name"))
        case PactsOnBranch():
            return _on_branch(consumers, shape)
        case PactsInEnvironment():
            return _in_environment(consumers)


def _on_branch(consumers: Select[int], shape: PactsOnBranch) -> Select[*tuple[Any, ...]]:
    owner = pacticipant.alias("owner")
    name = owner.c.main_branch if shape.name is None else bindparam("name")
    branches = branch.join(owner, owner.c.id == branch.c.pacticipant_id)
    if shape.is_head:
        found = select(branch.c.head_version_id).select_from(branches)
    else:
        places = branches.join(branch_version, branch_version.c.branch_id == branch.c.id)
        found = select(branch_version.c.version_id).select_from(places)
    return found.where(owner.c.id.in_(consumers), branch.c.name == name)


def _in_environment(consumers: Select[int]) -> Any:
    is_meant = or_(environment.c.name == bindparam("name"), environment.c.uuid == bindparam("name"))
    place = select(environment.c.id).where(is_meant)
    running = select(deployed_version.c.version_id).where(
        deployed_version.c.environment_id.in_(place),
        deployed_version.c.pacticipant_id.in_(consumers),
        deployed_version.c.undeployed_at.is_(None),
    )
    supported = select(released_version.c.version_id).where(
        released_version.c.environment_id.in_(place),
        released_version.c.pacticipant_id.in_(consumers),
        released_version.c.support_ended_at.is_(None),
    )
    return union(running, supported)


# Of a pair


@cache
def _of_pair(shape: PactFilter) -> PagedQuery:
    found = PACTS.where(
        publication.c.consumer_id == _CONSUMER_ID, publication.c.provider_id == _PROVIDER_ID, publication.c.is_current
    )
    if shape is not None:
        found = found.where(publication.c.consumer_version_id.in_(_versions(_named("consumer"), shape)))
    position = publication.c.position
    return PagedQuery(found.order_by(position if isinstance(shape, PactsOnBranch) else position.desc()))


def list_of_pair(db: Connection, *, consumer: str, provider: str, pact_filter: PactFilter, page: Page) -> Paged[Pact]:
    """List the pacts of a pair, newest first; those of a branch oldest first, as the original does."""
    return _of_pair(_shape(pact_filter)).read(
        db, _params(pact_filter, consumer=consumer, provider=provider), page, _pacts
    )


def _pacts(found: Sequence[Any]) -> list[Pact]:
    return [Pact(**row._asdict()) for row in found]


# Of a provider


def _by_consumer(found: Select[*tuple[Any, ...]]) -> PagedQuery:
    return PagedQuery(found.order_by(func.lower(CONSUMER.c.name), CONSUMER.c.name, publication.c.position))


@cache
def _of_provider(shape: PactFilter) -> PagedQuery:
    found = publication.c.provider_id == _PROVIDER_ID, publication.c.is_current
    if shape is None:
        return _by_consumer(PACTS.where(*found))
    return _by_consumer(PACTS.where(*found, publication.c.consumer_version_id.in_(_versions(_CONSUMERS, shape))))


def list_of_provider(db: Connection, provider: str, pact_filter: PactFilter, page: Page) -> Paged[Pact]:
    """List the pacts of all consumers of a provider."""
    return _of_provider(_shape(pact_filter)).read(db, _params(pact_filter, provider=provider), page, _pacts)


_LATEST_IDS: Final = select(integration.c.latest_publication_id)
_LATEST: Final = _by_consumer(
    PACTS.where(publication.c.id.in_(_LATEST_IDS.where(integration.c.provider_id == _PROVIDER_ID)))
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
    PACTS.where(publication.c.id.in_(select(_LATEST_WITH_TAG).where(integration.c.provider_id == _PROVIDER_ID)))
)
_LATEST_OF_PAIRS: Final = PagedQuery(
    PACTS.where(publication.c.id.in_(_LATEST_IDS)).order_by(
        func.lower(CONSUMER.c.name), func.lower(PROVIDER.c.name), CONSUMER.c.name, PROVIDER.c.name
    )
)


def list_latest_of_provider(db: Connection, provider: str, page: Page, *, tag: str | None = None) -> Paged[Pact]:
    """List the latest pact of each consumer of a provider; with a tag, the latest of those whose versions have it."""
    if tag is None:
        return _LATEST.read(db, {"provider": provider}, page, _pacts)
    return _LATEST_TAGGED.read(db, {"provider": provider, "tag": tag}, page, _pacts)


def list_latest_of_pairs(db: Connection, page: Page) -> Paged[Pact]:
    """List the latest pact of each pair, by the names of consumer and provider."""
    return _LATEST_OF_PAIRS.read(db, {}, page, _pacts)


@cache
def _bodies(shape: PactsWithTag | PactsOnBranch | PactsInEnvironment) -> Select[*tuple[Any, ...]]:
    return (
        select(CONSUMER.c.name, content.c.body)
        .select_from(publication)
        .join(CONSUMER, CONSUMER.c.id == publication.c.consumer_id)
        .join(content, content.c.id == publication.c.content_id)
        .where(
            publication.c.provider_id == _PROVIDER_ID,
            publication.c.is_current,
            publication.c.consumer_version_id.in_(_versions(_CONSUMERS, shape)),
        )
        .order_by(func.lower(CONSUMER.c.name), publication.c.position)
    )


def list_bodies_of_provider(
    db: Connection, provider: str, pact_filter: PactsWithTag | PactsOnBranch | PactsInEnvironment
) -> list[tuple[str, bytes]]:
    """List consumers of a provider with the contents of their pacts, as JSON."""
    shape = _shape(pact_filter)
    assert shape is not None  # noqa: S101 - the shape of something is something
    return [(name, body) for name, body in fetch_rows(db, _bodies(shape), _params(pact_filter, provider=provider))]


# Taking away


def _is_removed(shape: PactFilter) -> ColumnElement[bool]:
    pair = and_(publication.c.consumer_id == _CONSUMER_ID, publication.c.provider_id == _PROVIDER_ID)
    if shape is None:
        return pair
    return and_(pair, publication.c.consumer_version_id.in_(_versions(_named("consumer"), shape)))


@cache
def _remove(shape: PactFilter) -> Any:
    return delete(publication).where(_is_removed(shape))


@cache
def _find_removed(shape: PactFilter) -> Any:
    return select(publication.c.id).where(_is_removed(shape))


_IS_OF_VERSION: Final = and_(
    publication.c.provider_id == _PROVIDER_ID,
    publication.c.consumer_version_id.in_(
        select(version.c.id).where(version.c.pacticipant_id == _CONSUMER_ID, version.c.number == bindparam("version"))
    ),
)
_REMOVE_VERSION: Final = delete(publication).where(_IS_OF_VERSION)
_FIND_REMOVED_OF_VERSION: Final = select(publication.c.id).where(_IS_OF_VERSION)
_newest: Final = publication.alias("newest")
_FIND_LATEST: Final = (
    update(integration)
    .where(integration.c.consumer_id == _CONSUMER_ID, integration.c.provider_id == _PROVIDER_ID)
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
_HAS_PACTS: Final = select(
    exists().where(publication.c.consumer_id == _CONSUMER_ID, publication.c.provider_id == _PROVIDER_ID)
)


def list_publication_ids_of_version(db: Connection, key: PactKey) -> list[int]:
    """List the publications of a version's pact, in all revisions."""
    names = {"consumer": key.consumer, "provider": key.provider, "version": key.version}
    return fetch_column(db, _FIND_REMOVED_OF_VERSION, names)


def list_publication_ids(db: Connection, *, consumer: str, provider: str, pact_filter: PactFilter) -> list[int]:
    """List the publications of a pair, in all revisions."""
    return fetch_column(
        db, _find_removed(_shape(pact_filter)), _params(pact_filter, consumer=consumer, provider=provider)
    )


def remove_version(db: Connection, key: PactKey) -> int:
    """Take away all revisions of a version's pact; say how many there were. Content and results stay."""
    pair = {"consumer": key.consumer, "provider": key.provider}
    count = execute(db, _REMOVE_VERSION, {**pair, "version": key.version})
    execute(db, _FIND_LATEST, pair)
    return count


def remove(db: Connection, *, consumer: str, provider: str, pact_filter: PactFilter) -> int:
    """Take away pacts of a pair in all revisions; say how many there were. Content and results stay."""
    pair = {"consumer": consumer, "provider": provider}
    count = execute(db, _remove(_shape(pact_filter)), _params(pact_filter, **pair))
    execute(db, _FIND_LATEST, pair)
    return count


def has_pacts(db: Connection, *, consumer: str, provider: str) -> bool:
    return bool(fetch_scalar(db, _HAS_PACTS, {"consumer": consumer, "provider": provider}))
