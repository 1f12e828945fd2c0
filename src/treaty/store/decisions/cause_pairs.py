"""Facts about pacts and provider versions without a success: newer versions that have one, and earlier results.

Correlated subqueries stop at the first match in an index, so that the length of a history matters little.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, Connection, FromClause, and_, bindparam, exists, or_, select
from sqlalchemy import func as functions

from treaty.model.decisions.cause_facts import PairKey, PassedVersion, Placement
from treaty.store.engine.database import fetch_rows
from treaty.store.tables import (
    branch,
    branch_version,
    content,
    deployed_version,
    environment,
    pacticipant,
    publication,
    released_version,
    verification,
    version,
)


class PairIds(NamedTuple):
    """The ids of a pact's content and its consumer version, and of a provider version."""

    content: int
    consumer_version: int
    provider_version: int | None


@dataclass(frozen=True, kw_only=True, slots=True)
class FoundPairs:
    """The ids of pairs, and their versions."""

    ids: Mapping[PairKey, PairIds]
    versions: Mapping[tuple[int, str], Any]
    """Rows of `_VERSIONS` by the id of the pacticipant and the number."""
    pacticipant_ids: Mapping[str, int]

    def find_provider_version(self, key: PairKey) -> Any | None:
        if key.provider_version is None:
            return None
        return self.versions.get((self.pacticipant_ids[key.provider], key.provider_version))

    def find_version_id(self, pacticipant_id: int, number: str) -> int | None:
        row = self.versions.get((pacticipant_id, number))
        return None if row is None else row.id


_is_verifiers: Final = verification.c.comparison_id.is_(None)
"""Whether a result is a verifier's, and not that of a comparison."""
_CONTENTS: Final = select(content.c.id, content.c.consumer_id, content.c.provider_id, content.c.sha).where(
    content.c.consumer_id.in_(bindparam("consumers", expanding=True)),
    content.c.provider_id.in_(bindparam("providers", expanding=True)),
    content.c.sha.in_(bindparam("shas", expanding=True)),
)
_VERSIONS: Final = select(
    version.c.id,
    version.c.pacticipant_id,
    version.c.number,
    version.c.created_at,
    and_(
        version.c.documents_sha.is_(None),
        ~exists().where(publication.c.consumer_version_id == version.c.id),
        ~exists().where(verification.c.provider_version_id == version.c.id, _is_verifiers),
    ).label("is_empty"),
).where(
    version.c.pacticipant_id.in_(bindparam("pacticipants", expanding=True)),
    version.c.number.in_(bindparam("numbers", expanding=True)),
)


def find_pairs(db: Connection, keys: Collection[PairKey], pacticipant_ids: Mapping[str, int]) -> FoundPairs:
    """Find the ids of pairs and their versions."""
    if not keys:
        return FoundPairs(ids={}, versions={}, pacticipant_ids=pacticipant_ids)
    consumers = sorted({pacticipant_ids[key.consumer] for key in keys})
    providers = sorted({pacticipant_ids[key.provider] for key in keys})
    shas = sorted({key.sha for key in keys})
    contents = {
        (row.consumer_id, row.provider_id, row.sha): row.id
        for row in fetch_rows(db, _CONTENTS, {"consumers": consumers, "providers": providers, "shas": shas})
    }
    numbers = {key.consumer_version for key in keys} | {key.provider_version for key in keys if key.provider_version}
    pacticipants = sorted({*consumers, *providers})
    versions = {
        (row.pacticipant_id, row.number): row
        for row in fetch_rows(db, _VERSIONS, {"pacticipants": pacticipants, "numbers": sorted(numbers)})
    }
    return FoundPairs(
        ids={key: _build_ids(key, pacticipant_ids, contents, versions) for key in keys},
        versions=versions,
        pacticipant_ids=pacticipant_ids,
    )


def _build_ids(
    key: PairKey,
    pacticipant_ids: Mapping[str, int],
    contents: Mapping[tuple[int, int, str], int],
    versions: Mapping[tuple[int, str], Any],
) -> PairIds:
    consumer_id, provider_id = pacticipant_ids[key.consumer], pacticipant_ids[key.provider]
    return PairIds(
        contents[consumer_id, provider_id, key.sha],
        versions[consumer_id, key.consumer_version].id,
        None if key.provider_version is None else versions[provider_id, key.provider_version].id,
    )


def _bind_ids(pairs: Iterable[PairIds]) -> dict[str, Sequence[int]]:
    return {
        "contents": sorted({pair.content for pair in pairs}),
        "consumer_versions": sorted({pair.consumer_version for pair in pairs}),
        "provider_versions": sorted({pair.provider_version for pair in pairs if pair.provider_version is not None}),
    }


# Newer versions that would do

_newer: Final = version.alias("newer")


def _is_meant_for_deployment(version_id: ColumnElement[int]) -> ColumnElement[bool]:
    """Whether a version is on the main branch of its pacticipant, if that has any version."""
    is_main = and_(branch.c.pacticipant_id == pacticipant.c.id, branch.c.name == pacticipant.c.main_branch)
    has_main = exists().where(is_main, branch.c.head_version_id.is_not(None)).correlate(pacticipant)
    is_on_main = exists().where(
        is_main, branch_version.c.branch_id == branch.c.id, branch_version.c.version_id == version_id
    )
    return or_(~has_main, is_on_main.correlate_except(branch, branch_version))


def _has_passed(content_id: ColumnElement[int], version_id: ColumnElement[int]) -> ColumnElement[bool]:
    return exists().where(
        verification.c.content_id == content_id,
        verification.c.provider_version_id == version_id,
        verification.c.is_latest,
        verification.c.success,
        _is_verifiers,
    )


_NEWER_PROVIDER: Final = (
    select(_newer.c.id)
    .where(
        _newer.c.pacticipant_id == version.c.pacticipant_id,
        _newer.c.position > version.c.position,
        _has_passed(content.c.id, _newer.c.id).correlate(content, _newer),
        _is_meant_for_deployment(_newer.c.id),
    )
    .order_by(_newer.c.position.desc())
    .limit(1)
    .correlate(version, content, pacticipant)
    .scalar_subquery()
)
_NEWER_PROVIDERS: Final = (
    select(content.c.id.label("content_id"), version.c.id.label("version_id"), _NEWER_PROVIDER.label("newer_id"))
    .join_from(content, version, version.c.pacticipant_id == content.c.provider_id)
    .join(pacticipant, pacticipant.c.id == version.c.pacticipant_id)
    .where(
        content.c.id.in_(bindparam("contents", expanding=True)),
        version.c.id.in_(bindparam("provider_versions", expanding=True)),
    )
)
_PASSED: Final = (
    select(
        verification.c.content_id,
        verification.c.provider_version_id,
        version.c.number,
        functions.max(verification.c.created_at).label("at"),
    )
    .join(version, version.c.id == verification.c.provider_version_id)
    .where(
        verification.c.content_id.in_(bindparam("contents", expanding=True)),
        verification.c.provider_version_id.in_(bindparam("provider_versions", expanding=True)),
        verification.c.is_latest,
        verification.c.success,
        _is_verifiers,
    )
    .group_by(verification.c.content_id, verification.c.provider_version_id, version.c.number)
)


def load_newer_providers(db: Connection, pairs: Collection[PairIds]) -> dict[tuple[int, int | None], PassedVersion]:
    """Load the newest provider version that is newer than that of a pair and has verified the content.

    The keys are the ids of contents and provider versions.
    """
    rows = _fetch_newer(db, _NEWER_PROVIDERS, pairs)
    if not rows:
        return {}
    values = {"contents": [row.content_id for row in rows], "provider_versions": [row.newer_id for row in rows]}
    passed = {
        (row.content_id, row.provider_version_id): PassedVersion(row.number, row.at)
        for row in fetch_rows(db, _PASSED, values)
    }
    return {(row.content_id, row.version_id): passed[row.content_id, row.newer_id] for row in rows}


def _fetch_newer(db: Connection, statement: Any, pairs: Collection[PairIds]) -> Sequence[Any]:
    values = _bind_ids(pairs)
    if not values["provider_versions"]:
        return ()
    return [row for row in fetch_rows(db, statement, values) if row.newer_id is not None]


_provider_version: Final = version.alias("provider_version")
_consumer_version: Final = version.alias("consumer_version")
_newer_publication: Final = publication.alias("newer_publication")
_NEWER_CONSUMER: Final = (
    select(_newer_publication.c.id)
    .where(
        _newer_publication.c.consumer_id == publication.c.consumer_id,
        _newer_publication.c.provider_id == publication.c.provider_id,
        _newer_publication.c.position > publication.c.position,
        _newer_publication.c.is_current,
        _has_passed(_newer_publication.c.content_id, _provider_version.c.id).correlate(
            _newer_publication, _provider_version
        ),
        _is_meant_for_deployment(_newer_publication.c.consumer_version_id),
    )
    .order_by(_newer_publication.c.position.desc())
    .limit(1)
    .correlate(publication, _provider_version, pacticipant)
    .scalar_subquery()
)


def _join_pairs() -> FromClause:
    """Join the current pacts of consumer versions with the provider versions, and with the consumers."""
    return publication.join(_provider_version, _provider_version.c.pacticipant_id == publication.c.provider_id).join(
        pacticipant, pacticipant.c.id == publication.c.consumer_id
    )


_is_pair: Final = and_(
    publication.c.consumer_version_id.in_(bindparam("consumer_versions", expanding=True)),
    publication.c.content_id.in_(bindparam("contents", expanding=True)),
    publication.c.is_current,
    _provider_version.c.id.in_(bindparam("provider_versions", expanding=True)),
)
_NEWER_CONSUMERS: Final = (
    select(
        publication.c.consumer_version_id.label("version_id"),
        _provider_version.c.id.label("provider_version_id"),
        _NEWER_CONSUMER.label("newer_id"),
    )
    .select_from(_join_pairs())
    .where(_is_pair)
)
_PUBLISHED: Final = (
    select(publication.c.id, publication.c.content_id, version.c.number)
    .join(version, version.c.id == publication.c.consumer_version_id)
    .where(publication.c.id.in_(bindparam("publications", expanding=True)))
)


def load_newer_consumers(db: Connection, pairs: Collection[PairIds]) -> dict[tuple[int, int | None], PassedVersion]:
    """Load the newest consumer version that is newer than that of a pair, with a pact that the provider has verified.

    The keys are the ids of consumer versions and provider versions.
    """
    rows = _fetch_newer(db, _NEWER_CONSUMERS, pairs)
    if not rows:
        return {}
    published = {
        row.id: row for row in fetch_rows(db, _PUBLISHED, {"publications": sorted({row.newer_id for row in rows})})
    }
    values = {
        "contents": sorted({row.content_id for row in published.values()}),
        "provider_versions": sorted({row.provider_version_id for row in rows}),
    }
    passed = {(row.content_id, row.provider_version_id): row.at for row in fetch_rows(db, _PASSED, values)}
    newer: dict[tuple[int, int | None], PassedVersion] = {}
    for row in rows:
        pact = published[row.newer_id]
        at = passed[pact.content_id, row.provider_version_id]
        newer[row.version_id, row.provider_version_id] = PassedVersion(pact.number, at)
    return newer


# How versions are in environments


class PlacedVersion(NamedTuple):
    """A version in an environment."""

    pacticipant_id: int
    number: str
    environment: str
    placement: Placement


_DEPLOYED: Final = (
    select(version.c.pacticipant_id, version.c.number, environment.c.name, deployed_version.c.application_instance)
    .join_from(deployed_version, version, version.c.id == deployed_version.c.version_id)
    .join(environment, environment.c.id == deployed_version.c.environment_id)
    .where(
        deployed_version.c.version_id.in_(bindparam("versions", expanding=True)),
        environment.c.name.in_(bindparam("environments", expanding=True)),
        deployed_version.c.undeployed_at.is_(None),
    )
    .order_by(deployed_version.c.id)
)
_RELEASED: Final = (
    select(version.c.pacticipant_id, version.c.number, environment.c.name)
    .join_from(released_version, version, version.c.id == released_version.c.version_id)
    .join(environment, environment.c.id == released_version.c.environment_id)
    .where(
        released_version.c.version_id.in_(bindparam("versions", expanding=True)),
        environment.c.name.in_(bindparam("environments", expanding=True)),
        released_version.c.support_ended_at.is_(None),
    )
    .order_by(released_version.c.id)
)


def list_placements(db: Connection, versions: Collection[int], environments: Collection[str]) -> list[PlacedVersion]:
    """List how versions are in environments: deployments first, each by age."""
    values = {"versions": sorted(versions), "environments": sorted(environments)}
    deployed = [
        PlacedVersion(row.pacticipant_id, row.number, row.name, Placement(row.application_instance, is_release=False))
        for row in fetch_rows(db, _DEPLOYED, values)
    ]
    released = [
        PlacedVersion(row.pacticipant_id, row.number, row.name, Placement(None, is_release=True))
        for row in fetch_rows(db, _RELEASED, values)
    ]
    return [*deployed, *released]


# Verifications that left a pact out

_other_content: Final = content.alias("other_content")
_SKIPPED_AT: Final = (
    select(functions.min(verification.c.created_at))
    .join_from(_other_content, verification, verification.c.content_id == _other_content.c.id)
    .where(
        _other_content.c.consumer_id == publication.c.consumer_id,
        _other_content.c.provider_id == publication.c.provider_id,
        _other_content.c.id != publication.c.content_id,
        verification.c.provider_version_id == _provider_version.c.id,
        _is_verifiers,
        verification.c.created_at > publication.c.created_at,
    )
    .correlate(publication, _provider_version)
    .scalar_subquery()
)
_SKIPPED: Final = (
    select(
        publication.c.content_id,
        publication.c.consumer_version_id,
        _provider_version.c.id.label("provider_version_id"),
        _SKIPPED_AT.label("skipped_at"),
    )
    .select_from(_join_pairs())
    .where(_is_pair)
)


def load_skipped(db: Connection, pairs: Collection[PairIds]) -> dict[PairIds, datetime]:
    """Load when a provider version first published a result for another pact of the consumer after the pair's pact."""
    values = _bind_ids(pairs)
    if not values["provider_versions"]:
        return {}
    return {
        PairIds(row.content_id, row.consumer_version_id, row.provider_version_id): row.skipped_at
        for row in fetch_rows(db, _SKIPPED, values)
        if row.skipped_at is not None
    }


# Failures


@dataclass(frozen=True, kw_only=True, slots=True)
class Failure:
    """A failed result, with the latest success of the same content before it."""

    last_success: PassedVersion | None
    failing_since: datetime | None
    """The first failure after that success."""
    is_pending: bool


_earlier: Final = verification.alias("earlier")
_LAST_SUCCESS: Final = (
    select(_earlier.c.id)
    .where(
        _earlier.c.content_id == verification.c.content_id,
        _earlier.c.success,
        _earlier.c.comparison_id.is_(None),
        or_(
            _earlier.c.created_at < verification.c.created_at,
            and_(_earlier.c.created_at == verification.c.created_at, _earlier.c.id < verification.c.id),
        ),
    )
    .order_by(_earlier.c.created_at.desc(), _earlier.c.id.desc())
    .limit(1)
    .correlate(verification)
    .scalar_subquery()
)
_success: Final = verification.alias("success")
_later: Final = verification.alias("later")
_FIRST_FAILURE: Final = (
    select(functions.min(_later.c.created_at))
    .where(
        _later.c.content_id == _success.c.content_id,
        _later.c.success.is_(False),
        _later.c.comparison_id.is_(None),
        or_(
            _later.c.created_at > _success.c.created_at,
            and_(_later.c.created_at == _success.c.created_at, _later.c.id > _success.c.id),
        ),
    )
    .correlate(_success)
    .scalar_subquery()
)
_FAILURES: Final = (
    select(
        verification.c.id,
        verification.c.was_pending,
        version.c.number,
        _success.c.created_at.label("passed_at"),
        _FIRST_FAILURE.label("failing_since"),
    )
    .outerjoin_from(verification, _success, _success.c.id == _LAST_SUCCESS)
    .outerjoin(version, version.c.id == _success.c.provider_version_id)
    .where(verification.c.id.in_(bindparam("failures", expanding=True)))
)


def load_failures(db: Connection, numbers: Collection[int]) -> dict[int, Failure]:
    """Load the history of failed results, by their numbers."""
    if not numbers:
        return {}
    return {row.id: _build_failure(row) for row in fetch_rows(db, _FAILURES, {"failures": sorted(numbers)})}


def _build_failure(row: Any) -> Failure:
    return Failure(
        last_success=None if row.number is None else PassedVersion(row.number, row.passed_at),
        failing_since=row.failing_since,
        is_pending=bool(row.was_pending),
    )
