"""Comparisons by former versions of the engine, and their results by the server's engine."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Connection,
    FromClause,
    Select,
    Text,
    and_,
    bindparam,
    case,
    cast,
    delete,
    exists,
    func,
    insert,
    not_,
    null,
    select,
    union_all,
    update,
)

from treaty.model.compare.engine_version import ENGINE_VERSION
from treaty.model.paging import Page, Paged
from treaty.model.provider_contracts.comparisons import ComparisonInputs, NamedBody, NewComparison, PairKey
from treaty.model.provider_contracts.recomparisons import (
    ChangedComparison,
    EngineProgress,
    EngineReport,
    Outcome,
    OutdatedComparison,
    VersionInUse,
    WaitingComparison,
    list_new_findings,
)
from treaty.store.engine.batches import fetch_in_batches
from treaty.store.engine.database import execute, fetch_first, fetch_rows, fetch_scalar, fetch_tuples
from treaty.store.pacts.pacts import CONSUMER, PROVIDER
from treaty.store.provider_contracts import contracts
from treaty.store.provider_contracts.comparisons import DEFAULT_PROFILE
from treaty.store.provider_contracts.engines import list_former_engines
from treaty.store.tables import (
    branch,
    comparison,
    content,
    deployed_version,
    environment,
    pacticipant,
    publication,
    recomparison,
    released_version,
    verification,
    version,
)

_Rows = Select[*tuple[Any, ...]]
_engines: Final[BindParameter[Any]] = bindparam("engines", expanding=True)
_IS_OUTDATED: Final = comparison.c.engine.in_(_engines)
_IS_OF_COMPARISON: Final = recomparison.c.comparison_id == comparison.c.id
# A result by an engine in between is computed again, too.
_IS_BY_ENGINE: Final = recomparison.c.engine == bindparam("engine")
# No decision needs the others: those of removed versions, and by a former profile of the provider.
_IS_NEEDED: Final = (
    select(version.c.id)
    .join(pacticipant, pacticipant.c.id == version.c.pacticipant_id)
    .where(
        version.c.pacticipant_id == content.c.provider_id,
        version.c.documents_sha == comparison.c.documents_sha,
        func.coalesce(pacticipant.c.comparison_profile, DEFAULT_PROFILE) == comparison.c.profile,
    )
    .correlate(content, comparison)
    .exists()
)
_IS_CHANGED: Final = and_(recomparison.c.is_compatible.is_not(None), recomparison.c.accepted_base_url.is_(None))
_IS_ACCEPTED: Final = recomparison.c.accepted_base_url.is_not(None)

# Computing again

_COLUMNS: Final = (
    comparison.c.id,
    CONSUMER.c.name.label("consumer"),
    PROVIDER.c.name.label("provider"),
    content.c.sha,
    comparison.c.documents_sha,
    comparison.c.profile,
    comparison.c.is_compatible,
    comparison.c.is_complete,
)


def _with_names(statement: _Rows) -> _Rows:
    return (
        statement.join(content, content.c.id == comparison.c.content_id)
        .join(CONSUMER, CONSUMER.c.id == content.c.consumer_id)
        .join(PROVIDER, PROVIDER.c.id == content.c.provider_id)
    )


_IS_REMAINING: Final = and_(_IS_OUTDATED, not_(exists().where(_IS_OF_COMPARISON, _IS_BY_ENGINE)), _IS_NEEDED)
_OUTDATED: Final = (
    _with_names(select(*_COLUMNS, content.c.body).select_from(comparison))
    .where(_IS_REMAINING)
    # The newest contents are those that decisions need most.
    .order_by(comparison.c.id.desc())
    .limit(bindparam("limit"))
)
_FIND_OUTDATED: Final = _with_names(select(*_COLUMNS).select_from(comparison)).where(
    comparison.c.id == bindparam("_id"), _IS_OUTDATED
)
_ANY_VERSION: Final = (
    select(version.c.number)
    .join(pacticipant, pacticipant.c.id == version.c.pacticipant_id)
    .where(pacticipant.c.name == bindparam("provider"), version.c.documents_sha == bindparam("documents_sha"))
    .order_by(version.c.id)
    .limit(1)
)


def list_waiting(db: Connection, limit: int) -> list[WaitingComparison]:
    """List comparisons that the server's engine has to compute again, with what they depend on."""
    engines = list_former_engines(db)
    if not engines:
        return []
    rows = fetch_rows(db, _OUTDATED, {"engines": engines, "engine": ENGINE_VERSION, "limit": limit})
    waiting = []
    for row in rows:
        outdated = OutdatedComparison(*row[:-1])
        number = fetch_scalar(db, _ANY_VERSION, outdated._asdict())
        documents = [NamedBody(*body) for body in contracts.load_bodies(db, outdated.provider, number)]
        inputs = ComparisonInputs(
            pact=row.body, documents=documents, documents_sha=outdated.documents_sha, profile=outdated.profile
        )
        waiting.append(WaitingComparison(outdated, inputs))
    return waiting


def find_outdated(db: Connection, comparison_id: int) -> OutdatedComparison | None:
    """Find a comparison; None if it was removed, or replaced by the result of a newer engine."""
    row = fetch_first(db, _FIND_OUTDATED, {"_id": comparison_id, "engines": list_former_engines(db)})
    return None if row is None else OutdatedComparison(*row)


_REPLACE: Final = (
    update(comparison)
    .where(comparison.c.id == bindparam("_id"))
    .values({name: bindparam(name) for name in ("engine", "is_compatible", "is_complete", "details", "created_at")})
)
_REMOVE: Final = delete(recomparison).where(recomparison.c.comparison_id == bindparam("comparison_id"))
_ADD: Final = insert(recomparison).values(
    {
        name: bindparam(name)
        for name in ("comparison_id", "engine", "is_compatible", "is_complete", "details", "created_at")
    }
)


def replace(db: Connection, comparison_id: int, new: NewComparison, *, now: datetime) -> None:
    """Replace the result of a comparison by that of the server's engine."""
    remove(db, comparison_id)
    execute(db, _REPLACE, {"_id": comparison_id, **_values(new), "created_at": now})


def add(db: Connection, comparison_id: int, new: NewComparison | None, *, now: datetime) -> None:
    """Add the result of the server's engine beside the one that decides; None if the engine failed."""
    remove(db, comparison_id)
    values: dict[str, Any] = dict.fromkeys(("is_compatible", "is_complete", "details")) if new is None else _values(new)
    execute(db, _ADD, {**values, "engine": ENGINE_VERSION, "comparison_id": comparison_id, "created_at": now})


def remove(db: Connection, comparison_id: int) -> None:
    """Remove the result that waits beside the one that decides."""
    execute(db, _REMOVE, {"comparison_id": comparison_id})


def _values(new: NewComparison) -> dict[str, Any]:
    return {name: getattr(new, name) for name in ("engine", "is_compatible", "is_complete", "details")}


# Accepting

_ACCEPT: Final = update(recomparison).where(_IS_BY_ENGINE, _IS_CHANGED).values(accepted_base_url=bindparam("base_url"))
_ACCEPTED: Final = (
    _with_names(
        select(
            *_COLUMNS,
            *(recomparison.c[name].label(f"new_{name}") for name in ("engine", "is_compatible", "is_complete")),
            recomparison.c.details,
            recomparison.c.accepted_base_url,
        )
        .select_from(recomparison)
        .join(comparison, _IS_OF_COMPARISON)
    )
    .where(_IS_ACCEPTED)
    .order_by(recomparison.c.id)
    .limit(bindparam("limit"))
)


class AcceptedComparison(NamedTuple):
    """A comparison whose new result is accepted, and has not taken its place yet."""

    outdated: OutdatedComparison
    new: NewComparison
    base_url: str


def accept(db: Connection, *, base_url: str) -> int:
    """Mark the results of the server's engine as accepted, and return their number."""
    return execute(db, _ACCEPT, {"engine": ENGINE_VERSION, "base_url": base_url})


def list_accepted(db: Connection, limit: int) -> list[AcceptedComparison]:
    """List comparisons whose accepted results have not taken their place yet."""
    return [_build_accepted(row) for row in fetch_rows(db, _ACCEPTED, {"limit": limit})]


def _build_accepted(row: Any) -> AcceptedComparison:
    new = NewComparison(
        documents_sha=row.documents_sha,
        engine=row.new_engine,
        profile=row.profile,
        is_compatible=bool(row.new_is_compatible),
        is_complete=bool(row.new_is_complete),
        details=row.details,
    )
    return AcceptedComparison(OutdatedComparison(*row[: len(_COLUMNS)]), new, row.accepted_base_url)


_PAIRS: Final = (
    select(CONSUMER.c.name, PROVIDER.c.name, content.c.sha, version.c.number)
    .select_from(verification)
    .join(version, version.c.id == verification.c.provider_version_id)
    .join(content, content.c.id == verification.c.content_id)
    .join(CONSUMER, CONSUMER.c.id == content.c.consumer_id)
    .join(PROVIDER, PROVIDER.c.id == content.c.provider_id)
    .where(verification.c.comparison_id == bindparam("_id"), verification.c.is_latest)
    .order_by(verification.c.id)
)


def list_pairs(db: Connection, comparison_id: int) -> list[PairKey]:
    """List the pairs with a result that follows from a comparison."""
    return fetch_tuples(db, _PAIRS, {"_id": comparison_id}, PairKey)


# Report

_IS_FAILED: Final = recomparison.c.is_compatible.is_(None)
_TOTAL: Final = select(func.count()).select_from(comparison)
_COUNTS: Final = select(
    select(func.count())
    .select_from(comparison)
    .join(content, content.c.id == comparison.c.content_id)
    .where(_IS_REMAINING)
    .scalar_subquery()
    .label("remaining"),
    *(
        select(func.count()).select_from(recomparison).where(condition, _IS_BY_ENGINE).scalar_subquery().label(name)
        for name, condition in (("changed", _IS_CHANGED), ("accepted", _IS_ACCEPTED), ("failed", _IS_FAILED))
    ),
)
_OUTDATED_COUNT: Final = select(func.count()).select_from(comparison).where(_IS_OUTDATED)


def load_progress(db: Connection) -> EngineProgress:
    """Count the comparisons by what the server's engine has done with them."""
    total: int = fetch_scalar(db, _TOTAL, {})
    engines = list_former_engines(db)
    if not engines:
        return EngineProgress(
            engine=ENGINE_VERSION, total=total, current=total, remaining=0, changed=0, accepted=0, failed=0
        )
    counts = fetch_first(db, _COUNTS, {"engines": engines, "engine": ENGINE_VERSION})
    outdated: int = fetch_scalar(db, _OUTDATED_COUNT, {"engines": engines})
    return EngineProgress(engine=ENGINE_VERSION, total=total, current=total - outdated, **counts._asdict())


_BY_CONSUMER: Final = and_(publication.c.content_id == comparison.c.content_id, publication.c.is_current)
_BY_PROVIDER: Final = and_(
    version.c.pacticipant_id == content.c.provider_id, version.c.documents_sha == comparison.c.documents_sha
)
_IN_CONSUMER_VERSIONS: Final = (
    recomparison.join(comparison, _IS_OF_COMPARISON)
    .join(publication, _BY_CONSUMER)
    .join(version, version.c.id == publication.c.consumer_version_id)
)
_IN_PROVIDER_VERSIONS: Final = (
    recomparison.join(comparison, _IS_OF_COMPARISON)
    .join(content, content.c.id == comparison.c.content_id)
    .join(version, _BY_PROVIDER)
)


def _select_uses(source: FromClause) -> list[_Rows]:
    """Select the versions in use: with the name of an environment, or NULL for the head of the main branch."""
    columns = (recomparison.c.comparison_id, version.c.number, version.c.is_self_verified)
    running = [
        select(*columns, environment.c.name.label("environment"))
        .select_from(source)
        .join(table, and_(table.c.version_id == version.c.id, ended_at.is_(None)))
        .join(environment, environment.c.id == table.c.environment_id)
        for table, ended_at in (
            (deployed_version, deployed_version.c.undeployed_at),
            (released_version, released_version.c.support_ended_at),
        )
    ]
    main = (
        select(*columns, cast(null(), Text).label("environment"))
        .select_from(source)
        .join(branch, branch.c.head_version_id == version.c.id)
        .join(pacticipant, pacticipant.c.id == version.c.pacticipant_id)
        .where(pacticipant.c.main_branch == branch.c.name)
    )
    return [*running, main]


def _list_uses(source: FromClause) -> _Rows:
    uses = union_all(*_select_uses(source)).subquery("uses")
    return (
        select(uses.c.comparison_id, uses.c.number, uses.c.is_self_verified, uses.c.environment)
        .where(uses.c.comparison_id.in_(bindparam("ids", expanding=True)))
        .distinct()
    )


def _has_uses(source: FromClause) -> ColumnElement[bool]:
    uses = union_all(*_select_uses(source)).subquery("uses")
    return comparison.c.id.in_(select(uses.c.comparison_id))


_CONSUMER_USES: Final = _list_uses(_IN_CONSUMER_VERSIONS)
_PROVIDER_USES: Final = _list_uses(_IN_PROVIDER_VERSIONS)
_IS_IN_USE: Final = and_(_has_uses(_IN_CONSUMER_VERSIONS), _has_uses(_IN_PROVIDER_VERSIONS))
_WAITS: Final = and_(recomparison.c.is_compatible.is_not(None), _IS_BY_ENGINE)
_CHANGED_COUNTS: Final = (
    select(func.count(), func.sum(case((_IS_IN_USE, 1), else_=0)))
    .select_from(recomparison)
    .join(comparison, _IS_OF_COMPARISON)
    .where(_WAITS)
)
_CHANGES: Final = (
    _with_names(
        select(
            *_COLUMNS,
            comparison.c.engine,
            comparison.c.details,
            *(recomparison.c[name].label(f"new_{name}") for name in ("engine", "is_compatible", "is_complete")),
            recomparison.c.details.label("new_details"),
            recomparison.c.accepted_base_url,
        )
        .select_from(recomparison)
        .join(comparison, _IS_OF_COMPARISON)
    )
    .where(_WAITS)
    .order_by(_IS_IN_USE.desc(), comparison.c.id.desc())
    .limit(bindparam("limit"))
    .offset(bindparam("offset"))
)


def load_report(db: Connection, page: Page) -> EngineReport:
    """Load what the server's engine has computed, and a page of the verdicts that it would change."""
    params = {"engine": ENGINE_VERSION}
    total, in_use = fetch_first(db, _CHANGED_COUNTS, params)
    rows = fetch_rows(db, _CHANGES, {**params, "limit": page.limit, "offset": page.offset})
    ids = [row.id for row in rows]
    consumers, providers = (_group_uses(db, statement, ids) for statement in (_CONSUMER_USES, _PROVIDER_USES))
    changes = [_build_change(row, consumers.get(row.id, []), providers.get(row.id, [])) for row in rows]
    paged = Paged(changes, page if page.is_requested or total > len(changes) else None, total)
    return EngineReport(progress=load_progress(db), changed_in_use=in_use or 0, changes=paged)


def _group_uses(db: Connection, statement: _Rows, ids: Collection[int]) -> dict[int, list[VersionInUse]]:
    """Group the versions in use by the ids of their comparisons, and each version's environments."""
    groups: dict[tuple[int, str], list[Any]] = {}
    for row in fetch_in_batches(db, statement, ids):
        groups.setdefault((row.comparison_id, row.number), []).append(row)
    uses: dict[int, list[VersionInUse]] = {}
    for (comparison_id, number), rows in sorted(groups.items()):
        is_self_verified = rows[0].is_self_verified
        use = VersionInUse(
            number=number,
            environments=tuple(sorted(row.environment for row in rows if row.environment is not None)),
            is_on_main=any(row.environment is None for row in rows),
            is_self_verified=None if is_self_verified is None else bool(is_self_verified),
        )
        uses.setdefault(comparison_id, []).append(use)
    return uses


def _build_change(row: Any, consumers: Sequence[VersionInUse], providers: Sequence[VersionInUse]) -> ChangedComparison:
    return ChangedComparison(
        consumer=row.consumer,
        provider=row.provider,
        sha=row.sha,
        profile=row.profile,
        before=Outcome(row.engine, bool(row.is_compatible), bool(row.is_complete)),
        after=Outcome(row.new_engine, bool(row.new_is_compatible), bool(row.new_is_complete)),
        is_accepted=row.accepted_base_url is not None,
        findings=list_new_findings(row.details, row.new_details),
        resolved_findings=list_new_findings(row.new_details, row.details),
        consumer_versions=consumers,
        provider_versions=providers,
    )
