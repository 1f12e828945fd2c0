"""Integrations in the database: lists, removal, and the dashboard."""

from collections.abc import Collection, Sequence
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    CompoundSelect,
    Connection,
    Executable,
    Integer,
    ScalarSelect,
    Select,
    Table,
    and_,
    bindparam,
    case,
    delete,
    exists,
    func,
    or_,
    select,
    union,
    union_all,
    update,
)

from treaty.errors import NotFound
from treaty.model.pacticipants.integrations import DashboardItem, Integration, IntegrationPolicy, LatestResult
from treaty.model.paging import MAX_OFFSET, Page, Paged
from treaty.store.engine.batches import fetch_in_batches
from treaty.store.engine.database import execute, fetch_column, fetch_first, fetch_rows, fetch_tuples
from treaty.store.engine.listing import PagedQuery, escape_like
from treaty.store.pacticipants.pacticipants import select_pacticipant_id
from treaty.store.provider_contracts.conditions import decisive_success
from treaty.store.tables import (
    branch,
    branch_version,
    content,
    deployed_version,
    digest_event,
    environment,
    integration,
    label,
    pacticipant,
    publication,
    released_version,
    tag,
    tag_head,
    tag_success,
    triggered_webhook,
    usage_content,
    usage_expectation,
    usage_interaction,
    usage_occurrence,
    usage_term,
    verification,
    version,
    webhook,
    webhook_member,
)
from treaty.store.verifications import select_newest_id

_CONSUMER: Final = pacticipant.alias("consumer")
_PROVIDER: Final = pacticipant.alias("provider")

_INTEGRATION_COLUMNS: Final[tuple[ColumnElement[Any], ...]] = (
    _CONSUMER.c.name.label("consumer"),
    _PROVIDER.c.name.label("provider"),
    integration.c.consumer_id,
    integration.c.provider_id,
)
_INTEGRATIONS: Final = (
    select(*_INTEGRATION_COLUMNS)
    .select_from(integration)
    .join(_CONSUMER, integration.c.consumer_id == _CONSUMER.c.id)
    .join(_PROVIDER, integration.c.provider_id == _PROVIDER.c.id)
)
_OLDEST_FIRST: Final = _INTEGRATIONS.order_by(integration.c.id)
_WITH_PACTS: Final = _INTEGRATIONS.where(integration.c.latest_publication_id.is_not(None)).order_by(
    func.lower(_CONSUMER.c.name), func.lower(_PROVIDER.c.name), integration.c.id
)
# This must match the expressions of the index: SQLite and PostgreSQL sort NULL differently, hence the first one.
_BY_ACTIVITY: Final = _INTEGRATIONS.order_by(
    integration.c.contract_data_updated_at.is_(None),
    integration.c.contract_data_updated_at.desc(),
    integration.c.id.desc(),
)
_NAME_PART: Final[BindParameter[str]] = bindparam("part")
_LISTING: Final = PagedQuery(_BY_ACTIVITY, Integration, counted=integration)
_LISTING_LIKE: Final = PagedQuery(
    _BY_ACTIVITY.where(
        or_(_CONSUMER.c.name.icontains(_NAME_PART, escape="!"), _PROVIDER.c.name.icontains(_NAME_PART, escape="!"))
    ),
    Integration,
)


def list_all(db: Connection) -> list[Integration]:
    """List all integrations, oldest first."""
    return fetch_tuples(db, _OLDEST_FIRST, {}, Integration)


def list_with_pacts(db: Connection) -> list[Integration]:
    """List the integrations that have a pact, by the names of consumer and provider."""
    return fetch_tuples(db, _WITH_PACTS, {}, Integration)


def list_by_activity(db: Connection, *, like: str | None, page: Page | None) -> Paged[Integration]:
    """List the integrations with a name that contains a text, if given; the most recently changed contracts first."""
    if like is None:
        return _LISTING.read(db, {}, page, list)
    return _LISTING_LIKE.read(db, {"part": escape_like(like)}, page, list)


_CONSUMER_ID: Final = select_pacticipant_id("consumer")
_PROVIDER_ID: Final = select_pacticipant_id("provider")
_IS_PAIR: Final = and_(integration.c.consumer_id == _CONSUMER_ID, integration.c.provider_id == _PROVIDER_ID)
_POLICY: Final = select(integration.c.allows_first_deployments).where(_IS_PAIR)
_UPDATE_POLICY: Final = (
    update(integration).where(_IS_PAIR).values(allows_first_deployments=bindparam("allows_first_deployments"))
)


def find_policy(db: Connection, *, consumer: str, provider: str) -> IntegrationPolicy | None:
    row = fetch_first(db, _POLICY, {"consumer": consumer, "provider": provider})
    if row is None:
        return None
    allows = row.allows_first_deployments
    return IntegrationPolicy(consumer=consumer, provider=provider, allows_first_deployments=allows)


def get_policy(db: Connection, *, consumer: str, provider: str) -> IntegrationPolicy:
    """Find the policy of an integration. Raises NotFound."""
    policy = find_policy(db, consumer=consumer, provider=provider)
    if policy is None:
        raise NotFound
    return policy


def update_policy(db: Connection, policy: IntegrationPolicy) -> None:
    execute(db, _UPDATE_POLICY, policy)


# Removal


# Referencing tables first: cascades, which delete row by row, then find nothing left to do.
_REMOVE_PAIR: Final = tuple(
    delete(table).where(table.c.consumer_id == _CONSUMER_ID, table.c.provider_id == _PROVIDER_ID)
    for table in (triggered_webhook, digest_event, webhook, integration, verification, publication, content)
)
_REMOVE_EVERYTHING: Final = tuple(
    delete(table)
    for table in (
        usage_expectation,
        usage_occurrence,
        usage_content,
        usage_interaction,
        usage_term,
        triggered_webhook,
        digest_event,
        webhook_member,
        webhook,
        integration,
        tag_success,
        verification,
        publication,
        content,
        deployed_version,
        released_version,
        tag_head,
        tag,
        branch_version,
        branch,
        version,
        label,
        pacticipant,
    )
)


_COUNTS: Final = select(
    *(
        select(func.count())
        .select_from(table)
        .where(table.c.consumer_id == _CONSUMER_ID, table.c.provider_id == _PROVIDER_ID)
        .scalar_subquery()
        .label(name)
        for name, table in (
            ("pacts", publication),
            ("contents", content),
            ("results", verification),
            ("deliveries", triggered_webhook),
        )
    )
)
_WEBHOOKS: Final = (
    select(webhook.c.uuid)
    .where(webhook.c.consumer_id == _CONSUMER_ID, webhook.c.provider_id == _PROVIDER_ID)
    .order_by(webhook.c.id)
)


def describe_contents(db: Connection, *, consumer: str, provider: str) -> dict[str, Any]:
    """Describe what `remove` would remove: the number of pacts, contents, results and deliveries; webhooks by UUID."""
    pair = {"consumer": consumer, "provider": provider}
    (counts,) = fetch_rows(db, _COUNTS, pair)
    return {**counts._asdict(), "webhooks": fetch_column(db, _WEBHOOKS, pair)}


def remove(db: Connection, *, consumer: str, provider: str) -> None:
    """Remove the pacts, contents, results, webhooks and deliveries of a consumer and a provider."""
    for statement in _REMOVE_PAIR:
        execute(db, statement, {"consumer": consumer, "provider": provider})


def remove_all_pacticipants(db: Connection) -> None:
    """Remove all pacticipants with everything that belongs to them, and all webhooks. Environments stay."""
    for statement in _REMOVE_EVERYTHING:
        execute(db, statement, {})


_IDLE_VERSIONS: Final = select(version.c.number).where(
    version.c.pacticipant_id == select_pacticipant_id("pacticipant"),
    ~exists().where(publication.c.consumer_version_id == version.c.id),
    ~exists().where(verification.c.provider_version_id == version.c.id),
    ~exists().where(deployed_version.c.version_id == version.c.id, deployed_version.c.undeployed_at.is_(None)),
    ~exists().where(released_version.c.version_id == version.c.id, released_version.c.support_ended_at.is_(None)),
)


def list_idle_versions(db: Connection, pacticipant: str) -> list[str]:
    """List the versions of a pacticipant that have neither pacts nor results, and are not deployed or supported."""
    return fetch_column(db, _IDLE_VERSIONS, {"pacticipant": pacticipant})


_IS_IDLE: Final = and_(
    pacticipant.c.name.in_(bindparam("names", expanding=True)),
    ~exists().where(version.c.pacticipant_id == pacticipant.c.id),
    *(
        ~exists().where(side == pacticipant.c.id)
        for table in (publication, webhook)
        for side in (table.c.consumer_id, table.c.provider_id)
    ),
    ~exists().where(webhook_member.c.pacticipant_id == pacticipant.c.id),
)
_IDLE: Final = select(pacticipant.c.name).where(_IS_IDLE).order_by(pacticipant.c.name)
_REMOVE_IDLE: Final = delete(pacticipant).where(_IS_IDLE)


def remove_idle(db: Connection, names: Collection[str]) -> list[str]:
    """Remove those of these pacticipants that have no versions, pacts or webhooks; return their names."""
    removed = fetch_column(db, _IDLE, {"names": list(names)})
    execute(db, _REMOVE_IDLE, {"names": list(names)})
    return removed


# The dashboard


def select_pact_of_member(member: Table) -> ScalarSelect[int]:
    """Select the pact of a version that has a tag or is on a branch, for a subquery that goes from newest to oldest.

    It ends at the first pact. With a join, PostgreSQL compares all members with all pacts.
    """
    return (
        select(publication.c.id)
        .where(
            publication.c.consumer_version_id == member.c.version_id,
            publication.c.provider_id == integration.c.provider_id,
            publication.c.is_current,
        )
        .correlate(member, integration)
        .scalar_subquery()
    )


_PACT_OF_TAGGED: Final = select_pact_of_member(tag)
LATEST_WITH_TAG: Final = (
    select(_PACT_OF_TAGGED)
    .where(
        tag.c.pacticipant_id == integration.c.consumer_id,
        tag.c.name == tag_head.c.name,
        _PACT_OF_TAGGED.is_not(None),
    )
    .order_by(tag.c.position.desc())
    .limit(1)
    .correlate(integration, tag_head)
    .scalar_subquery()
)


def select_running_pacts(table: Any, ended_at: Any) -> Select[Any]:
    """Select the pacts of versions that are currently deployed to, or supported in, any environment."""
    return (
        select(publication.c.id)
        .select_from(environment)
        .join(table, table.c.environment_id == environment.c.id)
        .join(publication, publication.c.consumer_version_id == table.c.version_id)
        .where(ended_at.is_(None), publication.c.is_current)
    )


# The dashboard is ordered by consumer, and each consumer with a pact has at least one item. So the items up to the end
# of a page belong to at most as many consumers as there are items, and all other consumers can be skipped. Names that
# differ only in case have the same position, so they are included together.
#
# Usually many pacticipants are consumers, so that it is enough to look at few of them in the order of their names. Only
# if it is not enough, all integrations are read.
_CANDIDATES_PER_CONSUMER: Final = 10
_LOWER_NAME: Final = func.lower(_CONSUMER.c.name)
_NEAREST: Final = (
    select(_CONSUMER.c.id, _LOWER_NAME.label("name"))
    .order_by(_LOWER_NAME)
    .limit(bindparam("max_candidates", type_=Integer))
    .subquery("nearest")
)
_MAX_CONSUMERS: Final[BindParameter[int]] = bindparam("max_consumers", type_=Integer)
_NEAREST_NAMES: Final = (
    select(_NEAREST.c.name)
    .where(exists().where(integration.c.consumer_id == _NEAREST.c.id, integration.c.latest_publication_id.is_not(None)))
    .order_by(_NEAREST.c.name)
    .limit(_MAX_CONSUMERS)
    .cte("nearest_names")
)
_NEAREST_COUNT: Final = select(func.count()).select_from(_NEAREST_NAMES).scalar_subquery()
_ALL_NAMES: Final = (
    select(_LOWER_NAME)
    .where(
        _CONSUMER.c.id.in_(select(integration.c.consumer_id).where(integration.c.latest_publication_id.is_not(None)))
    )
    .order_by(_LOWER_NAME)
    # Both databases read nothing for a limit of 0. SQLite would read all integrations for a condition that is false.
    .limit(case((_NEAREST_COUNT < _MAX_CONSUMERS, _MAX_CONSUMERS), else_=0))
    .subquery("all_names")
)
_FIRST_NAMES: Final = union_all(select(_NEAREST_NAMES.c.name), select(_ALL_NAMES))
# PostgreSQL expects a tenth of the rows for a limit that it does not know, so it looks up what belongs to the few
# consumers, rather than reading all tags and releases.
_FIRST_CONSUMERS: Final = (
    select(pacticipant.c.id)
    .where(func.lower(pacticipant.c.name).in_(_FIRST_NAMES))
    .limit(bindparam("no_limit", type_=Integer))
    .cte("first")
)


@lru_cache(maxsize=2)
def _shown_publications(*, of_pair: bool) -> CompoundSelect[Any]:
    """Select the publications that the dashboard shows, of a pair or of the first consumers."""
    latest = select(integration.c.latest_publication_id.label("id"))
    tagged = select(LATEST_WITH_TAG.label("id")).join_from(
        integration, tag_head, tag_head.c.pacticipant_id == integration.c.consumer_id
    )
    # Each with the table that has the pair, and the column with the consumer.
    parts: Sequence[tuple[Select[Any], Any, Any]] = (
        (latest, integration, integration.c.consumer_id),
        (tagged, integration, integration.c.consumer_id),
        (
            select_running_pacts(deployed_version, deployed_version.c.undeployed_at),
            publication,
            deployed_version.c.pacticipant_id,
        ),
        (
            select_running_pacts(released_version, released_version.c.support_ended_at),
            publication,
            released_version.c.pacticipant_id,
        ),
    )
    if of_pair:
        return union(
            *(
                part.where(table.c.consumer_id == _CONSUMER_ID, table.c.provider_id == _PROVIDER_ID)
                for part, table, _ in parts
            )
        )
    return union(*(part.join(_FIRST_CONSUMERS, _FIRST_CONSUMERS.c.id == consumer) for part, _, consumer in parts))


@lru_cache(maxsize=2)
def _dashboard(*, of_pair: bool) -> Executable:
    """Select a page of the dashboard."""
    shown = _shown_publications(of_pair=of_pair).subquery("shown")
    return (
        select(
            publication.c.id,
            publication.c.content_id,
            publication.c.consumer_version_id,
            publication.c.created_at,
            _CONSUMER.c.name.label("consumer"),
            version.c.number.label("consumer_version"),
            _PROVIDER.c.name.label("provider"),
        )
        .join(shown, shown.c.id == publication.c.id)
        .join(_CONSUMER, _CONSUMER.c.id == publication.c.consumer_id)
        .join(_PROVIDER, _PROVIDER.c.id == publication.c.provider_id)
        .join(version, version.c.id == publication.c.consumer_version_id)
        .order_by(
            func.lower(_CONSUMER.c.name), publication.c.position.desc(), func.lower(_PROVIDER.c.name), publication.c.id
        )
        .limit(bindparam("limit", type_=Integer))
        .offset(bindparam("offset", type_=Integer))
    )


_IDS: Final[BindParameter[Any]] = bindparam("ids", expanding=True)
_RESULTS: Final = (
    select(
        verification.c.content_id,
        verification.c.provider_version_id,
        decisive_success(verification).label("success"),
        verification.c.was_pending,
        verification.c.created_at,
        version.c.number,
    )
    .join(version, version.c.id == verification.c.provider_version_id)
    .join(content, content.c.id == verification.c.content_id)
    .where(content.c.id.in_(_IDS), verification.c.id == select_newest_id(content.c.id))
)
_BRANCHES: Final = (
    select(branch.c.head_version_id.label("owner_id"), branch.c.name)
    .where(branch.c.head_version_id.in_(_IDS))
    .order_by(branch.c.id)
)
_TAGS: Final = (
    select(tag_head.c.version_id.label("owner_id"), tag_head.c.name)
    .where(tag_head.c.version_id.in_(_IDS))
    .order_by(tag_head.c.name)
)
_NEWER_TAG: Final = tag.alias("newer_tag")
_NEWER: Final = publication.alias("newer")
_PACT_TAGS: Final = (
    select(publication.c.id.label("owner_id"), tag.c.name)
    .join(tag, tag.c.version_id == publication.c.consumer_version_id)
    .where(
        publication.c.id.in_(_IDS),
        ~exists()
        .where(
            _NEWER_TAG.c.pacticipant_id == tag.c.pacticipant_id,
            _NEWER_TAG.c.name == tag.c.name,
            _NEWER_TAG.c.position > tag.c.position,
            _NEWER.c.consumer_version_id == _NEWER_TAG.c.version_id,
            _NEWER.c.provider_id == publication.c.provider_id,
        )
        .correlate(publication, tag),
    )
    .order_by(tag.c.name)
)


def list_dashboard_items(db: Connection, page: Page, *, pair: tuple[str, str] | None = None) -> list[DashboardItem]:
    """List a page of the dashboard, optionally only that of a consumer and a provider.

    Results, branches and tags are loaded with one statement each for all items of the page.
    """
    names = {} if pair is None else {"consumer": pair[0], "provider": pair[1]}
    max_consumers = min(page.offset + page.limit, MAX_OFFSET)
    params = {
        **names,
        "limit": page.limit,
        "offset": page.offset,
        "max_consumers": max_consumers,
        "max_candidates": min(_CANDIDATES_PER_CONSUMER * max_consumers, MAX_OFFSET),
        "no_limit": 2**31 - 1,
    }
    rows = fetch_rows(db, _dashboard(of_pair=pair is not None), params)
    contents = {row.content_id for row in rows}
    # Without a needed comparison, a verification is no result yet.
    results = {row.content_id: row for row in fetch_in_batches(db, _RESULTS, contents) if row.success is not None}
    consumer_versions = {row.consumer_version_id for row in rows}
    provider_versions = {result.provider_version_id for result in results.values()}
    branches = _fetch_names(db, _BRANCHES, consumer_versions | provider_versions)
    tags = _fetch_names(db, _TAGS, provider_versions)
    pact_tags = _fetch_names(db, _PACT_TAGS, {row.id for row in rows})
    return [
        DashboardItem(
            consumer=row.consumer,
            consumer_version=row.consumer_version,
            provider=row.provider,
            branches=tuple(branches.get(row.consumer_version_id, ())),
            tags=tuple(pact_tags.get(row.id, ())),
            created_at=row.created_at,
            result=_result(results[row.content_id], branches, tags) if row.content_id in results else None,
        )
        for row in rows
    ]


_NamesById = dict[int, list[str]]


def _fetch_names(db: Connection, statement: Executable, ids: Collection[int]) -> _NamesById:
    """Load names, such as tags, grouped by the id of their owner."""
    names: _NamesById = {}
    for owner_id, name in fetch_in_batches(db, statement, ids):
        names.setdefault(owner_id, []).append(name)
    return names


def _result(row: Any, branches: _NamesById, tags: _NamesById) -> LatestResult:
    return LatestResult(
        provider_version=row.number,
        branches=tuple(branches.get(row.provider_version_id, ())),
        tags=tuple(tags.get(row.provider_version_id, ())),
        success=row.success,
        was_pending=row.was_pending,
        created_at=row.created_at,
    )
