"""Finds the pacts whose verification is overdue, and those that are no longer used; and marks that were reported."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, and_, bindparam, exists, insert, or_, select, update

from treaty.model.webhooks.events import RequiredVerification, group_by_version
from treaty.store.engine.database import execute, fetch_first, fetch_rows
from treaty.store.pacticipants.pacticipants import select_pacticipant_id
from treaty.store.tables import (
    Time,
    branch,
    branch_version,
    content,
    deployed_version,
    integration,
    overdue_verification,
    pacticipant,
    publication,
    released_version,
    triggered_webhook,
    verification,
    version,
)

_consumer: Final = pacticipant.alias("consumer")
_provider: Final = pacticipant.alias("provider")

# Overdue verifications


@dataclass(frozen=True, kw_only=True, slots=True)
class PublishedPact:
    """A published pact."""

    publication: int
    content: int
    sha: str
    consumer: str
    version: str
    provider: str
    published_at: datetime


_newer: Final = publication.alias("newer")
_own_branch: Final = branch_version.alias("own_branch")
_newer_branch: Final = branch_version.alias("newer_branch")
# A newer pact with another content replaces a pact if both are on one branch, or if the older one is on none.
_IS_SUPERSEDED: Final = exists().where(
    _newer.c.consumer_id == publication.c.consumer_id,
    _newer.c.provider_id == publication.c.provider_id,
    _newer.c.position > publication.c.position,
    _newer.c.is_current,
    _newer.c.content_id != publication.c.content_id,
    or_(
        ~exists().where(_own_branch.c.version_id == publication.c.consumer_version_id).correlate(publication),
        exists()
        .where(
            _own_branch.c.version_id == publication.c.consumer_version_id,
            _newer_branch.c.branch_id == _own_branch.c.branch_id,
            _newer_branch.c.version_id == _newer.c.consumer_version_id,
        )
        .correlate(publication, _newer),
    ),
)
_PACTS: Final = (
    select(
        publication.c.id,
        publication.c.content_id,
        publication.c.created_at,
        content.c.sha,
        version.c.number,
        _consumer.c.name.label("consumer"),
        _provider.c.name.label("provider"),
    )
    .join(content, content.c.id == publication.c.content_id)
    .join(version, version.c.id == publication.c.consumer_version_id)
    .join(_consumer, _consumer.c.id == publication.c.consumer_id)
    .join(_provider, _provider.c.id == publication.c.provider_id)
    .where(publication.c.is_current, ~_IS_SUPERSEDED)
)
_PUBLISHED_BETWEEN: Final = _PACTS.where(
    publication.c.created_at > bindparam("after", type_=Time),
    publication.c.created_at <= bindparam("until", type_=Time),
).order_by(publication.c.created_at, publication.c.id)
_CURRENT: Final = _PACTS.where(publication.c.id == bindparam("publication"))


def list_published(db: Connection, *, after: datetime, until: datetime) -> list[PublishedPact]:
    """List the pacts that were published in a period and have not been replaced since, oldest first."""
    return [_build_pact(row) for row in fetch_rows(db, _PUBLISHED_BETWEEN, {"after": after, "until": until})]


def is_current(db: Connection, pact: PublishedPact) -> bool:
    """Whether a pact has neither been removed nor replaced."""
    return fetch_first(db, _CURRENT, {"publication": pact.publication}) is not None


def _build_pact(row: Any) -> PublishedPact:
    return PublishedPact(
        publication=row.id,
        content=row.content_id,
        sha=row.sha,
        consumer=row.consumer,
        version=row.number,
        provider=row.provider,
        published_at=row.created_at,
    )


_RESULT: Final = select(verification.c.id).where(verification.c.content_id == bindparam("content")).limit(1)
_MARKS: Final = select(overdue_verification.c.provider_version).where(
    overdue_verification.c.content_id == bindparam("content")
)
_EXISTING_AT: Final = (
    select(version.c.number)
    .join(pacticipant, pacticipant.c.id == version.c.pacticipant_id)
    .where(
        pacticipant.c.name == bindparam("provider"),
        version.c.number.in_(bindparam("numbers", expanding=True)),
        version.c.created_at <= bindparam("at", type_=Time),
    )
)
ANY_VERSION: Final = ""
"""Marks a pact that no version of its provider has verified."""


@dataclass(frozen=True, kw_only=True, slots=True)
class OverdueVerification:
    """A result that is missing. `provider_version` is ANY_VERSION if no version has published one."""

    provider_version: str
    required: RequiredVerification | None
    """A version that has to verify the pact; None if the provider has no such version."""


def list_overdue(db: Connection, pact: PublishedPact) -> list[OverdueVerification]:
    """List the missing results of a pact that were not reported yet.

    If there is no result at all, that is a single one. Otherwise each version that is still required and existed when
    the pact was published lacks its own; later versions are built with their own verifications.
    """
    from treaty.store.pacts import publications  # noqa: PLC0415 - takes 2 MiB, and few pacts are overdue

    marks = {row.provider_version for row in fetch_rows(db, _MARKS, {"content": pact.content})}
    required = group_by_version(publications.list_required_of_content(db, _params_of(pact)))
    if fetch_first(db, _RESULT, {"content": pact.content}) is None:
        first = next(iter(required), None)
        return [] if marks else [OverdueVerification(provider_version=ANY_VERSION, required=first)]
    numbers = [requirement.version for requirement in required if requirement.version not in marks]
    params = {"provider": pact.provider, "numbers": numbers, "at": pact.published_at}
    existing = {row.number for row in fetch_rows(db, _EXISTING_AT, params)} if numbers else set()
    return [
        OverdueVerification(provider_version=requirement.version, required=requirement)
        for requirement in required
        if requirement.version in existing
    ]


def _params_of(pact: PublishedPact) -> dict[str, str]:
    return {"consumer": pact.consumer, "provider": pact.provider, "sha": pact.sha}


_ADD_MARK: Final = insert(overdue_verification).values(
    content_id=bindparam("content"), provider_version=bindparam("provider_version"), created_at=bindparam("now")
)


def mark_overdue(db: Connection, pact: PublishedPact, provider_version: str, *, now: datetime) -> None:
    """Mark a missing result as reported."""
    execute(db, _ADD_MARK, {"content": pact.content, "provider_version": provider_version, "now": now})


# Unused contracts


@dataclass(frozen=True, kw_only=True, slots=True)
class ContractUse:
    """Whether the contract of a pair is in use, and whether it was reported as unused."""

    consumer: str
    version: str
    """The consumer version of the latest pact."""
    provider: str
    published_at: datetime
    is_used: bool
    is_reported: bool


_HAS_PACT: Final = and_(
    publication.c.consumer_id == integration.c.consumer_id,
    publication.c.provider_id == integration.c.provider_id,
    publication.c.is_current,
)
_latest: Final = publication.alias("latest")
_latest_version: Final = version.alias("latest_version")
_IS_RUNNING: Final = or_(
    *(
        exists()
        .where(_HAS_PACT, publication.c.consumer_version_id == table.c.version_id, ended_at.is_(None))
        .where(table.c.pacticipant_id == integration.c.consumer_id)
        .correlate(integration)
        for table, ended_at in (
            (deployed_version, deployed_version.c.undeployed_at),
            (released_version, released_version.c.support_ended_at),
        )
    )
)
_IS_ON_MAIN: Final = (
    exists()
    .where(
        branch.c.pacticipant_id == integration.c.consumer_id,
        branch.c.name == _consumer.c.main_branch,
        branch.c.head_version_id == publication.c.consumer_version_id,
        _HAS_PACT,
    )
    .correlate(integration, _consumer)
)
_IS_USED: Final = or_(_latest.c.created_at > bindparam("before", type_=Time), _IS_RUNNING, _IS_ON_MAIN)
_USES: Final = (
    select(
        _consumer.c.name.label("consumer"),
        _provider.c.name.label("provider"),
        _latest_version.c.number,
        _latest.c.created_at,
        _IS_USED.label("is_used"),
        integration.c.unused_since,
    )
    .select_from(integration)
    .join(_latest, _latest.c.id == integration.c.latest_publication_id)
    .join(_latest_version, _latest_version.c.id == _latest.c.consumer_version_id)
    .join(_consumer, _consumer.c.id == integration.c.consumer_id)
    .join(_provider, _provider.c.id == integration.c.provider_id)
)
# Whose mark has to change: reported and used, or neither.
_CHANGED: Final = _USES.where(
    or_(
        and_(integration.c.unused_since.is_(None), ~_IS_USED),
        and_(integration.c.unused_since.is_not(None), _IS_USED),
    )
).order_by(integration.c.id)
_OF_PAIR: Final = _USES.where(
    integration.c.consumer_id == select_pacticipant_id("consumer"),
    integration.c.provider_id == select_pacticipant_id("provider"),
)


def list_changed_uses(db: Connection, *, before: datetime) -> list[ContractUse]:
    """List the pairs that are unused and were not reported, and those that were reported and are in use again.

    The latest pact of an unused pair was published no later than `before`.
    """
    return [_build_use(row) for row in fetch_rows(db, _CHANGED, {"before": before})]


def find_use(db: Connection, *, consumer: str, provider: str, before: datetime) -> ContractUse | None:
    row = fetch_first(db, _OF_PAIR, {"consumer": consumer, "provider": provider, "before": before})
    return None if row is None else _build_use(row)


def _build_use(row: Any) -> ContractUse:
    return ContractUse(
        consumer=row.consumer,
        version=row.number,
        provider=row.provider,
        published_at=row.created_at,
        is_used=bool(row.is_used),
        is_reported=row.unused_since is not None,
    )


_MARK_UNUSED: Final = (
    update(integration)
    .where(
        integration.c.consumer_id == select_pacticipant_id("consumer"),
        integration.c.provider_id == select_pacticipant_id("provider"),
    )
    .values(unused_since=bindparam("at"))
)


def mark_unused(db: Connection, *, consumer: str, provider: str, at: datetime | None) -> None:
    """Mark a pair as reported, or remove the mark."""
    execute(db, _MARK_UNUSED, {"consumer": consumer, "provider": provider, "at": at})


_LAST_CONTEXT: Final = select(triggered_webhook.c.context).order_by(triggered_webhook.c.id.desc()).limit(1)


def find_last_context(db: Connection) -> str | None:
    """Return the context, as JSON, of the delivery that was enqueued last."""
    row = fetch_first(db, _LAST_CONTEXT, {})
    return None if row is None else str(row.context)
