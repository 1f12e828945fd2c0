"""Retention: which old versions and branches a clean-up may remove.

A version stays if a selector keeps it, if it is deployed or supported anywhere, or if decisions about such a version
depend on it: a clean-up must not turn "verified" into "unknown", nor a verified pact into a pending one. There are two
statements with the same rules: one for the whole database, from which a clean-up is planned, and one for a few
candidates, which each removing transaction runs again under its locks.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import (
    CTE,
    BindParameter,
    Column,
    ColumnElement,
    Connection,
    FromClause,
    Integer,
    ScalarSelect,
    Select,
    Table,
    and_,
    bindparam,
    exists,
    func,
    literal,
    not_,
    or_,
    select,
    true,
    tuple_,
    union,
    union_all,
)

from treaty.model.maintenance.retention import (
    IN_USE_SELECTORS,
    CleanupPlan,
    KeepBranches,
    KeepVersions,
    KeptBySelector,
    RemainingVersions,
    RemovableBranch,
    RemovableVersion,
    Retention,
    RowCounts,
    VersionInUse,
    compute_cutoff,
)
from treaty.store.engine.database import fetch_column, fetch_rows
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
    tag_head,
    tag_success,
    verification,
    version,
)
from treaty.store.verifications import NEWEST_FIRST

Condition = ColumnElement[bool]
Ids = Select[tuple[int]]
IsKept = Callable[[ColumnElement[int]], Condition]
"""Makes the condition that the version with an id is kept."""

_SINCE: Final[BindParameter[datetime]] = bindparam("since", type_=verification.c.verified_at.type)
"""Successes since then still count for work in progress."""
_CANDIDATES: Final[BindParameter[Any]] = bindparam("candidates", expanding=True, type_=Integer())
_CONTENTS: Final[BindParameter[Any]] = bindparam("contents", expanding=True, type_=Integer())
_PROVIDERS: Final[BindParameter[Any]] = bindparam("providers", expanding=True, type_=Integer())


def plan_parameters(retention: Retention, now: datetime) -> dict[str, datetime]:
    """Return the parameters of `removed_versions` and `removed_branches`."""
    return {"since": now - retention.success_max_age}


# What selectors keep


def _keeps(selector: KeepVersions, of: FromClause, now: datetime, removed: CTE | None) -> Condition:
    """Build the condition that a selector keeps a version, once some branches are removed."""
    return and_(true(), *_conditions(selector, of, now, removed))


def _conditions(selector: KeepVersions, of: FromClause, now: datetime, removed: CTE | None) -> Iterator[Condition]:
    if selector.pacticipant is not None:
        yield of.c.pacticipant_id == _named(pacticipant, selector.pacticipant)
    if selector.tag:
        table = tag_head if selector.latest else tag
        yield exists().where(table.c.version_id == of.c.id, *_same_name(table, selector.tag))
    if selector.branch:
        yield _is_on_branch(selector, of, removed, *_same_name(branch, selector.branch))
    if selector.main_branch:
        yield _is_on_branch(selector, of, removed, _IS_MAIN)
    if selector.latest and not (selector.tag or selector.branch or selector.main_branch):
        yield _is_highest(of)
    yield from _in_environments(selector, of)
    if selector.max_age is not None:
        yield of.c.created_at >= compute_cutoff(now, timedelta(days=selector.max_age))


_owner: Final = pacticipant.alias("owner")
_IS_MAIN: Final = exists().where(_owner.c.id == branch.c.pacticipant_id, _owner.c.main_branch == branch.c.name)


def _is_highest(of: FromClause) -> Condition:
    others = version.alias("others")
    highest = select(func.max(others.c.position)).where(others.c.pacticipant_id == of.c.pacticipant_id)
    return of.c.position == highest.correlate(of).scalar_subquery()


def _named(table: Table, name: str) -> ScalarSelect[int]:
    return select(table.c.id).where(table.c.name == name).scalar_subquery()


def _same_name(table: Table, name: str | bool) -> Iterable[Condition]:  # noqa: FBT001 - a name, or true for any
    return () if name is True else (table.c.name == name,)


def _is_on_branch(selector: KeepVersions, of: FromClause, removed: CTE | None, *conditions: Condition) -> Condition:
    if selector.latest:
        return exists().where(branch.c.head_version_id == of.c.id, *conditions, *_remains(branch.c.id, removed))
    on_branch = and_(branch_version.c.version_id == of.c.id, branch.c.id == branch_version.c.branch_id)
    return exists().where(on_branch, *conditions, *_remains(branch.c.id, removed))


def _remains(branch_id: ColumnElement[int], removed: CTE | None) -> Iterable[Condition]:
    """Exclude the branches that are about to be removed."""
    return () if removed is None else (branch_id.not_in(select(removed.c.id)),)


def _in_environments(selector: KeepVersions, of: FromClause) -> Iterator[Condition]:
    deployed = _is_in(deployed_version, deployed_version.c.undeployed_at, of, selector.environment)
    supported = _is_in(released_version, released_version.c.support_ended_at, of, selector.environment)
    if selector.deployed:
        yield deployed
    if selector.released:
        yield supported
    if selector.environment is not None and not (selector.deployed or selector.released):
        yield or_(deployed, supported)


def _is_in(table: Table, ended_at: Column[Any], of: FromClause, name: str | None) -> Condition:
    place = () if name is None else (table.c.environment_id == _named(environment, name),)
    return exists().where(table.c.version_id == of.c.id, ended_at.is_(None), *place)


def is_kept(retention: Retention, now: datetime, of: FromClause = version) -> Condition:
    """Build the condition that a selector keeps a version."""
    return or_(*(_keeps(selector, of, now, None) for selector in retention.versions))


def _selectors(retention: Retention) -> list[KeepVersions]:
    """List all selectors that count: versions in use stay, whether or not the retention mentions them."""
    return [*retention.versions, *(selector for selector in IN_USE_SELECTORS if selector not in retention.versions)]


# The latest pacts, of versions that may have been followed by versions without any

_mine: Final = publication.alias("mine")
_next: Final = publication.alias("next")
_on: Final = branch_version.alias("on")
_later: Final = branch_version.alias("later")
_tagged: Final = tag.alias("tagged")
_tagged_later: Final = tag.alias("tagged_later")


def _has_latest_pact(of: FromClause, is_kept_id: IsKept, removed: CTE | None) -> Condition:
    """Build the condition that a version has the latest pact of a pair, of a kept branch or of a kept tag."""
    own = _mine.c.consumer_version_id == of.c.id
    same_provider = _next.c.provider_id == _mine.c.provider_id
    has_later_on_branch = exists().where(
        _later.c.branch_id == _on.c.branch_id,
        _later.c.position > _on.c.position,
        _next.c.consumer_version_id == _later.c.version_id,
        same_provider,
    )
    has_later_with_tag = exists().where(
        _tagged_later.c.pacticipant_id == _tagged.c.pacticipant_id,
        _tagged_later.c.name == _tagged.c.name,
        _tagged_later.c.position > _tagged.c.position,
        _next.c.consumer_version_id == _tagged_later.c.version_id,
        same_provider,
    )
    return or_(
        exists().where(own, integration.c.latest_publication_id == _mine.c.id),
        exists().where(
            own,
            _on.c.version_id == of.c.id,
            branch.c.id == _on.c.branch_id,
            is_kept_id(branch.c.head_version_id),
            *_remains(branch.c.id, removed),
            not_(has_later_on_branch.correlate(_on, _mine)),
        ),
        exists().where(
            own,
            _tagged.c.version_id == of.c.id,
            tag_head.c.pacticipant_id == _tagged.c.pacticipant_id,
            tag_head.c.name == _tagged.c.name,
            is_kept_id(tag_head.c.version_id),
            not_(has_later_with_tag.correlate(_tagged, _mine)),
        ),
    )


# The results and versions that decisions depend on


def _deciding_versions(contents: Ids | BindParameter[Any], removed: CTE | None) -> Iterator[Ids]:
    """List the provider versions whose results decisions about these contents depend on."""
    result = verification.c.content_id.in_(contents)
    of_content = (verification.c.content_id,)
    yield _first_of_each(_RESULTS.where(result), of_content, NEWEST_FIRST)
    yield _first_of_each(_RESULTS.join(version, _BY_VERSION).where(result), of_content, (version.c.position.desc(),))
    yield from _first_successes(result, removed)
    yield _noted_successes(contents)
    yield select(verification.c.provider_version_id).where(result, _IS_RECENT_SUCCESS)


_IS_RECENT_SUCCESS: Final = and_(
    verification.c.success, not_(verification.c.is_wip), verification.c.verified_at >= _SINCE
)


# Results are ordered by the time at which they were recorded: an imported result keeps its original time.
_OLDEST_FIRST: Final = (verification.c.created_at, verification.c.id)
_RESULTS: Final = select(verification.c.provider_version_id.label("provider_version_id"))
_BY_VERSION: Final = version.c.id == verification.c.provider_version_id


def _first_of_each(results: Select[Any], groups: Sequence[Column[Any]], order: Sequence[ColumnElement[Any]]) -> Ids:
    """List the provider version of the first result in each group."""
    rank = func.row_number().over(partition_by=groups, order_by=order).label("rank")
    ranked = results.add_columns(rank).subquery()
    return select(ranked.c.provider_version_id).where(ranked.c.rank == 1)


def _first_successes(result: Condition, removed: CTE | None) -> Iterator[Ids]:
    """List the versions with the first success: of all, on each branch, with each tag. They decide what is pending."""
    successes = _RESULTS.where(result, verification.c.success)
    on_branch = branch_version.c.version_id == verification.c.provider_version_id
    of_branches = successes.join(branch_version, on_branch).where(*_remains(branch_version.c.branch_id, removed))
    of_tags = successes.join(tag, tag.c.version_id == verification.c.provider_version_id)
    content_id = verification.c.content_id
    yield _first_of_each(successes, (content_id,), _OLDEST_FIRST)
    yield _first_of_each(of_branches, (content_id, branch_version.c.branch_id), _OLDEST_FIRST)
    yield _first_of_each(of_tags, (content_id, tag.c.name), _OLDEST_FIRST)


def _noted_successes(contents: Ids | BindParameter[Any]) -> Ids:
    """List the versions that succeeded first with each tag of that moment. They decide what is work in progress."""
    with_tags = _RESULTS.join(tag_success, tag_success.c.verification_id == verification.c.id)
    noted = with_tags.where(tag_success.c.content_id.in_(contents), not_(tag_success.c.is_wip))
    # Work in progress ends by the time of the verification, which its publisher says, and not by that of the result.
    earliest = (tag_success.c.verified_at, tag_success.c.id)
    return _first_of_each(noted, (tag_success.c.content_id, tag_success.c.tag), earliest)


def _best_consumers(providers: Ids | BindParameter[Any]) -> Ids:
    """List the highest version of each consumer for which one of these provider versions has a result."""
    highest_position = (
        select(publication.c.position)
        .where(publication.c.content_id == verification.c.content_id, publication.c.is_current)
        .order_by(publication.c.position.desc())
        .limit(1)
        .scalar_subquery()
    )
    best = (
        select(verification.c.consumer_id, verification.c.provider_id, func.max(highest_position).label("position"))
        .where(verification.c.provider_version_id.in_(providers))
        .group_by(verification.c.provider_version_id, verification.c.consumer_id, verification.c.provider_id)
        .subquery()
    )
    is_best = and_(version.c.pacticipant_id == best.c.consumer_id, version.c.position == best.c.position)
    return select(version.c.id).join(best, is_best)


_earlier: Final = branch_version.alias("earlier")
_tagged_earlier: Final = tag.alias("tagged_earlier")


def _is_beginning(removed: CTE | None) -> Condition:
    """Build the condition that a version is the first on a branch or with a tag, which decides work in progress."""
    has_earlier = exists().where(_earlier.c.branch_id == _on.c.branch_id, _earlier.c.position < _on.c.position)
    has_earlier_tag = exists().where(
        _tagged_earlier.c.pacticipant_id == _tagged.c.pacticipant_id,
        _tagged_earlier.c.name == _tagged.c.name,
        # Imported tags keep their original times.
        tuple_(_tagged_earlier.c.created_at, _tagged_earlier.c.id) < tuple_(_tagged.c.created_at, _tagged.c.id),
    )
    return or_(
        exists().where(_on.c.version_id == version.c.id, *_remains(_on.c.branch_id, removed), not_(has_earlier)),
        exists().where(_tagged.c.version_id == version.c.id, not_(has_earlier_tag)),
    )


# All versions that stay


@dataclass(frozen=True, slots=True)
class _Staying:
    """Versions that stay: by a selector, and in all."""

    by_selectors: CTE
    all: CTE


def _staying(retention: Retention, now: datetime, removed: CTE | None) -> _Staying:
    """List the versions that stay in the whole database; a union, as databases check long alternatives row by row."""
    kept = union(
        *(select(version.c.id).where(_keeps(one, version, now, removed)) for one in _selectors(retention))
    ).cte("kept")
    latest = _has_latest_pact(version, lambda id_: id_.in_(select(kept.c.id)), removed)
    wanted = union(select(kept.c.id), select(version.c.id).where(latest)).cte("wanted")
    contents = (
        select(publication.c.content_id)
        .join(wanted, wanted.c.id == publication.c.consumer_version_id)
        .where(publication.c.is_current)
        .distinct()
        .cte("wanted_content")
    )
    needed = (
        *_deciding_versions(select(contents.c.content_id), removed),
        _best_consumers(select(wanted.c.id)),
        select(version.c.id).where(_is_beginning(removed)),
    )
    return _Staying(kept, union(select(wanted.c.id), *needed).cte("staying"))


@dataclass(frozen=True, slots=True)
class _CandidateStatements:
    """Statements that find out which candidates stay, by the rules of `_staying`.

    They read only what concerns the candidates, so that they fit into a transaction that others wait for. The ids of
    the first two are parameters of the third: SQLite would scan all results if it had to find them by itself.
    """

    contents: Select[tuple[int]]
    """Contents with results of candidates, and pacts of wanted versions."""
    providers: Select[tuple[int]]
    """Wanted versions with results for contents that candidates have published."""
    staying: Select[tuple[int]]
    own: Select[tuple[int]]
    """Candidates that stay for what they are, without contents and providers."""


@lru_cache(maxsize=8)
def _candidate_statements(retention: Retention, today: datetime) -> _CandidateStatements:
    other = version.alias("other")
    verified = select(verification.c.content_id).where(verification.c.provider_version_id.in_(_CANDIDATES))
    has_wanted_pact = exists().where(
        publication.c.content_id == content.c.id,
        publication.c.is_current,
        other.c.id == publication.c.consumer_version_id,
        _is_wanted(retention, other, today),
    )
    verifying = (
        select(verification.c.provider_version_id)
        .join(publication, publication.c.content_id == verification.c.content_id)
        .where(publication.c.consumer_version_id.in_(_CANDIDATES), publication.c.is_current)
    )
    stays_by_itself = or_(_is_wanted(retention, version, today), _is_beginning(None))
    own = select(version.c.id).where(version.c.id.in_(_CANDIDATES), stays_by_itself)
    staying = union(
        own,
        *_deciding_versions(_CONTENTS, None),
        _best_consumers(_PROVIDERS),
    ).subquery()
    return _CandidateStatements(
        contents=select(content.c.id).where(content.c.id.in_(verified), has_wanted_pact),
        providers=select(version.c.id).where(version.c.id.in_(verifying), _is_wanted(retention, version, today)),
        staying=select(staying.c.id).where(staying.c.id.in_(_CANDIDATES)),
        own=own,
    )


def _is_wanted(retention: Retention, of: FromClause, today: datetime) -> Condition:
    def is_kept_id(id_: ColumnElement[int]) -> Condition:
        head = version.alias("head")
        return exists().where(head.c.id == id_, _is_kept_or_in_use(retention, head, today))

    return or_(_is_kept_or_in_use(retention, of, today), _has_latest_pact(of, is_kept_id, None))


def _is_kept_or_in_use(retention: Retention, of: FromClause, today: datetime) -> Condition:
    return or_(*(_keeps(selector, of, today, None) for selector in _selectors(retention)))


def find_kept_ids(db: Connection, retention: Retention, ids: Collection[int], *, now: datetime) -> set[int]:
    """Find which of these versions stay, as the facts are now. Nobody may change them until the transaction ends."""
    statements = _candidate_statements(retention, compute_cutoff(now, timedelta(0)))
    candidates = {"candidates": list(ids)}
    contents = list(db.execute(statements.contents, candidates).scalars())
    providers = list(db.execute(statements.providers, candidates).scalars())
    if not contents and not providers:
        return {row.id for row in db.execute(statements.own, candidates)}
    needed = {"contents": contents, "providers": providers, **plan_parameters(retention, now)}
    return {row.id for row in db.execute(statements.staying, {**candidates, **needed})}


def select_removed_versions(retention: Retention, now: datetime, removed: CTE | None) -> CTE:
    """List the ids of the versions that nothing keeps, oldest first, up to the limit. Takes the parameter `since`."""
    staying = _staying(retention, now, removed).all
    return (
        select(version.c.id)
        .outerjoin(staying, staying.c.id == version.c.id)
        .where(staying.c.id.is_(None))
        .order_by(version.c.id)
        .limit(retention.limit)
        .cte("removed_version")
    )


_VERSIONS: Final = select(
    pacticipant.c.name.label("pacticipant"), version.c.number, version.c.position, version.c.created_at
).join_from(version, pacticipant)


def list_old_versions(
    db: Connection, retention: Retention, *, now: datetime, removed: CTE | None = None
) -> list[RemovableVersion]:
    """List the versions that nothing keeps, oldest first, up to the limit."""
    going = select_removed_versions(retention, now, removed)
    statement = _VERSIONS.join(going, going.c.id == version.c.id).order_by(version.c.id)
    return [RemovableVersion(**row._asdict()) for row in db.execute(statement, plan_parameters(retention, now))]


# Stale branches


def _is_stale(selectors: Iterable[KeepBranches], now: datetime) -> Condition:
    return not_(or_(_IS_MAIN, *(_keeps_branch(one, now) for one in selectors)))


def _keeps_branch(selector: KeepBranches, now: datetime) -> Condition:
    named = (branch.c.name.in_(selector.branches),) if selector.branches else ()
    if selector.max_age is None:
        return and_(true(), *named)
    return and_(*named, branch.c.updated_at >= compute_cutoff(now, timedelta(days=selector.max_age)))


def _deciding_branches(stale: CTE, *scope: Condition) -> Ids:
    """List the stale branches without which verified pacts would become pending, or in progress again.

    Only successes of versions that are on some branch count for another branch. So the version with the first of them
    for each content stays on a branch, and so does each version with a recent one: on the newest of its branches.
    """
    on_branch = branch_version.c.version_id == verification.c.provider_version_id
    successes = _RESULTS.join(branch_version, on_branch).where(verification.c.success, *scope)
    first = _first_of_each(successes, (verification.c.content_id,), _OLDEST_FIRST)
    recent = select(verification.c.provider_version_id).where(_IS_RECENT_SUCCESS, *scope)
    deciding = union(first, recent).cte("deciding")
    stays_on_another = exists().where(
        _on.c.version_id == branch_version.c.version_id, _on.c.branch_id.not_in(select(stale.c.id))
    )
    return (
        select(func.max(branch_version.c.branch_id))
        .join(deciding, deciding.c.provider_version_id == branch_version.c.version_id)
        .where(not_(stays_on_another))
        .group_by(branch_version.c.version_id)
    )


def _stale(retention: Retention, now: datetime) -> CTE:
    return select(branch.c.id).where(_is_stale(retention.branches, now)).cte("stale")


def select_removed_branches(retention: Retention, now: datetime) -> CTE | None:
    """List the ids of the branches that nothing keeps, oldest first, up to the limit. Takes the parameter `since`.

    None if the retention keeps all branches.
    """
    if not retention.branches:
        return None
    stale = _stale(retention, now)
    return (
        select(branch.c.id)
        .join(stale, stale.c.id == branch.c.id)
        .where(branch.c.id.not_in(_deciding_branches(stale)))
        .order_by(branch.c.updated_at, branch.c.id)
        .limit(retention.branch_limit)
        .cte("removed_branch")
    )


def list_stale_branches(db: Connection, retention: Retention, *, now: datetime) -> list[RemovableBranch]:
    """List the branches that nothing keeps, oldest first, up to the limit."""
    removed = select_removed_branches(retention, now)
    if removed is None:
        return []
    statement = (
        select(pacticipant.c.name.label("pacticipant"), branch.c.name, branch.c.updated_at)
        .join_from(branch, pacticipant)
        .join(removed, removed.c.id == branch.c.id)
        .order_by(branch.c.updated_at, branch.c.id)
    )
    return [RemovableBranch(**row._asdict()) for row in db.execute(statement, plan_parameters(retention, now))]


@lru_cache(maxsize=8)
def _still_stale(selectors: tuple[KeepBranches, ...], today: datetime) -> Select[str]:
    owner = select(_owner.c.id).where(_owner.c.name == bindparam("pacticipant")).scalar_subquery()
    stale = select(branch.c.id).where(branch.c.pacticipant_id == owner, _is_stale(selectors, today)).cte("stale")
    is_named = branch.c.name.in_(bindparam("names", expanding=True))
    candidates = select(branch.c.id).join(stale, stale.c.id == branch.c.id).where(is_named)
    result = verification.alias("result")
    concerned = (
        select(result.c.content_id)
        .join(branch_version, branch_version.c.version_id == result.c.provider_version_id)
        .where(branch_version.c.branch_id.in_(candidates))
    )
    return (
        select(branch.c.name)
        .where(branch.c.id.in_(candidates))
        .where(branch.c.id.not_in(_deciding_branches(stale, verification.c.content_id.in_(concerned))))
    )


def filter_stale_branches(
    db: Connection, retention: Retention, pacticipant: str, names: Collection[str], *, now: datetime
) -> list[str]:
    """List those of a pacticipant's branches that nothing keeps, as the facts are now."""
    statement = _still_stale(retention.branches, compute_cutoff(now, timedelta(0)))
    params = {"pacticipant": pacticipant, "names": list(names), **plan_parameters(retention, now)}
    return [row.name for row in db.execute(statement, params)]


# Planning


@dataclass(frozen=True, kw_only=True, slots=True)
class PlannedAmounts:
    """Rows that a clean-up would remove."""

    removed: Mapping[str, RowCounts]
    overwritten: Mapping[str, RowCounts]
    audit_events: RowCounts


def build_plan(db: Connection, retention: Retention, *, now: datetime, amounts: PlannedAmounts) -> CleanupPlan:
    """Describe what a clean-up would remove, and why it keeps the rest."""
    removed = select_removed_branches(retention, now)
    staying = _staying(retention, now, removed)
    since = plan_parameters(retention, now)
    versions = list_old_versions(db, retention, now=now, removed=removed)
    counted = select(_count(version), _count(staying.by_selectors), _count(staying.all), _count(branch))
    total, by_selectors, stays, branches = db.execute(counted, since).one()
    stale = list_stale_branches(db, retention, now=now)
    return CleanupPlan(
        total=total,
        kept=tuple(_kept_by(db, selector, removed, now=now, since=since) for selector in retention.versions),
        in_use=tuple(_only_in_use(db, retention, removed, now=now, since=since)),
        kept_by_selectors=by_selectors,
        kept_for_decisions=stays - by_selectors,
        not_kept=total - stays,
        versions=tuple(versions),
        **_summary(db, versions),
        total_branches=branches,
        branches=tuple(stale),
        branches_kept_for_decisions=_count_deciding_branches(db, retention, now=now, since=since),
        removed=amounts.removed,
        overwritten=amounts.overwritten,
        audit_events=amounts.audit_events,
    )


def _count(table: FromClause) -> ScalarSelect[int]:
    return select(func.count()).select_from(table).scalar_subquery()


def _kept_by(
    db: Connection, selector: KeepVersions, removed: CTE | None, *, now: datetime, since: Mapping[str, datetime]
) -> KeptBySelector:
    kept = select(version.c.id).where(_keeps(selector, version, now, removed)).subquery()
    return KeptBySelector(selector=selector, count=db.execute(select(_count(kept)), since).scalar_one())


def _only_in_use(
    db: Connection, retention: Retention, removed: CTE | None, *, now: datetime, since: Mapping[str, datetime]
) -> list[VersionInUse]:
    """List the versions that are deployed or supported, and that no other selector keeps."""
    others = [_keeps(one, version, now, removed) for one in retention.versions if one not in IN_USE_SELECTORS]
    places = union_all(
        *(
            select(table.c.version_id, environment.c.name, literal(is_deployed).label("is_deployed"))
            .join(environment, environment.c.id == table.c.environment_id)
            .where(ended_at.is_(None))
            .distinct()
            for table, ended_at, is_deployed in (
                (deployed_version, deployed_version.c.undeployed_at, 1),
                (released_version, released_version.c.support_ended_at, 0),
            )
        )
    ).subquery()
    statement = (
        select(version.c.id, pacticipant.c.name.label("pacticipant"), version.c.number)
        .add_columns(places.c.name, places.c.is_deployed)
        .join_from(version, pacticipant)
        .join(places, places.c.version_id == version.c.id)
        .where(not_(or_(*others)) if others else true())
        .order_by(pacticipant.c.name, version.c.position, places.c.name)
    )
    found: dict[int, list[Any]] = {}
    for row in db.execute(statement, since):
        found.setdefault(row.id, []).append(row)
    return [_version_in_use(its_places) for its_places in found.values()]


def _version_in_use(places: Sequence[Any]) -> VersionInUse:
    return VersionInUse(
        pacticipant=places[0].pacticipant,
        number=places[0].number,
        deployed_to=tuple(place.name for place in places if place.is_deployed),
        released_to=tuple(place.name for place in places if not place.is_deployed),
    )


def _count_deciding_branches(
    db: Connection, retention: Retention, *, now: datetime, since: Mapping[str, datetime]
) -> int:
    if not retention.branches:
        return 0
    spared = select(branch.c.id).where(branch.c.id.in_(_deciding_branches(_stale(retention, now)))).subquery()
    count: int = db.execute(select(_count(spared)), since).scalar_one()
    return count


_EVERY_VERSION: Final = _VERSIONS.order_by(version.c.pacticipant_id, version.c.position)
_TAGS: Final = (
    select(tag.c.name)
    .join_from(tag, version, version.c.id == tag.c.version_id)
    .where(
        version.c.pacticipant_id
        == select(_owner.c.id).where(_owner.c.name == bindparam("pacticipant")).scalar_subquery()
    )
    .where(version.c.number == bindparam("number"))
    .order_by(tag.c.name)
)


def _summary(db: Connection, going: Sequence[RemovableVersion]) -> Mapping[str, Any]:
    """Say what remains of each pacticipant, and which tags are on the versions that are named."""
    gone = {(one.pacticipant, one.number) for one in going}
    left: dict[str, list[RemovableVersion]] = {}
    for row in fetch_rows(db, _EVERY_VERSION, {}):
        mine = left.setdefault(row.pacticipant, [])
        if (row.pacticipant, row.number) not in gone:
            mine.append(RemovableVersion(**row._asdict()))
    remains = {
        name: RemainingVersions(count=len(all_), first=all_[0] if all_ else None, latest=all_[-1] if all_ else None)
        for name, all_ in left.items()
    }
    ends = {(one.pacticipant, one.number) for one in _ends(going, remains)}
    tags = {key: tuple(fetch_column(db, _TAGS, {"pacticipant": key[0], "number": key[1]})) for key in sorted(ends)}
    return {"remains": remains, "tags": tags}


def _ends(going: Sequence[RemovableVersion], remains: Mapping[str, RemainingVersions]) -> Iterator[RemovableVersion]:
    first: dict[str, RemovableVersion] = {}
    last: dict[str, RemovableVersion] = {}
    for one in going:
        first.setdefault(one.pacticipant, one)
        last[one.pacticipant] = one
    yield from first.values()
    yield from last.values()
    yield from (end for one in remains.values() for end in (one.first, one.latest) if end)
