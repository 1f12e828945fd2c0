"""Retention: which old versions and branches a clean-up may remove.

A version is *kept* if a selector matches it or if it is deployed or supported anywhere. It is *retained* if it is kept
or if decisions about kept versions depend on it: a clean-up must not turn "verified" into "unknown", nor a verified
pact into a pending one. Two statements apply the same rules: one to the whole database, to plan a clean-up, and one to
a few candidates. Each removing transaction runs the second under its locks, because builds publish and deploy between
plan and removal.

The retained versions are found in three steps:

1. the kept versions;
2. the *protected* versions: the kept ones, and those with the latest pact of an integration or of a kept branch or tag
   (a newer version may have published no pact, and then decisions use the older one);
3. the versions whose results or positions decide about the contents of protected versions.
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
    RemovalCounts,
    Retention,
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
    former_name,
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
"""Builds the condition that the version with this id is kept."""

_SINCE: Final[BindParameter[datetime]] = bindparam("since", type_=verification.c.verified_at.type)
"""The time since which a success still counts for work in progress."""
_CANDIDATES: Final[BindParameter[Any]] = bindparam("candidates", expanding=True, type_=Integer())
_CONTENTS: Final[BindParameter[Any]] = bindparam("contents", expanding=True, type_=Integer())
_PROVIDERS: Final[BindParameter[Any]] = bindparam("providers", expanding=True, type_=Integer())


def plan_parameters(retention: Retention, now: datetime) -> dict[str, datetime]:
    """Return the parameters of `removed_versions` and `removed_branches`."""
    return {"since": now - retention.success_max_age}


# Versions that selectors keep


def _is_kept_by(selector: KeepVersions, versions: FromClause, now: datetime, removed_branches: CTE | None) -> Condition:
    """Build the condition that a selector keeps a version.

    Branches that the same clean-up removes do not count: otherwise it would keep versions for a branch that is gone
    afterwards, and the next clean-up would have to remove them.
    """
    return and_(true(), *_selector_conditions(selector, versions, now, removed_branches))


def _selector_conditions(
    selector: KeepVersions, versions: FromClause, now: datetime, removed_branches: CTE | None
) -> Iterator[Condition]:
    if selector.pacticipant is not None:
        yield versions.c.pacticipant_id == _id_of_pacticipant(selector.pacticipant)
    if selector.tag:
        table = tag_head if selector.latest else tag
        yield exists().where(table.c.version_id == versions.c.id, *_name_condition(table, selector.tag))
    if selector.branch:
        yield _is_on_branch(selector, versions, removed_branches, *_name_condition(branch, selector.branch))
    if selector.main_branch:
        yield _is_on_branch(selector, versions, removed_branches, _IS_MAIN)
    # With a tag or branch, `latest` means the latest version with it, which the conditions above have covered.
    if selector.latest and not (selector.tag or selector.branch or selector.main_branch):
        yield _is_highest(versions)
    yield from _in_environments(selector, versions)
    if selector.max_age is not None:
        yield versions.c.created_at >= compute_cutoff(now, timedelta(days=selector.max_age))


_owner: Final = pacticipant.alias("owner")
_IS_MAIN: Final = exists().where(_owner.c.id == branch.c.pacticipant_id, _owner.c.main_branch == branch.c.name)


def _is_highest(versions: FromClause) -> Condition:
    others = version.alias("others")
    highest = select(func.max(others.c.position)).where(others.c.pacticipant_id == versions.c.pacticipant_id)
    return versions.c.position == highest.correlate(versions).scalar_subquery()


def _id_of_pacticipant(name: str) -> ColumnElement[int]:
    # A setting may still have the former name of a renamed pacticipant, whose versions it must go on keeping.
    former = select(former_name.c.pacticipant_id).where(former_name.c.name == name).scalar_subquery()
    return func.coalesce(_id_of_name(pacticipant, name), former)


def _id_of_name(table: Table, name: str) -> ScalarSelect[int]:
    return select(table.c.id).where(table.c.name == name).scalar_subquery()


def _name_condition(table: Table, name: str | bool) -> Iterable[Condition]:  # noqa: FBT001 - a name, or true for any
    return () if name is True else (table.c.name == name,)


def _is_on_branch(
    selector: KeepVersions, versions: FromClause, removed_branches: CTE | None, *conditions: Condition
) -> Condition:
    if selector.latest:
        return exists().where(
            branch.c.head_version_id == versions.c.id, *conditions, *_exclude_removed(branch.c.id, removed_branches)
        )
    on_branch = and_(branch_version.c.version_id == versions.c.id, branch.c.id == branch_version.c.branch_id)
    return exists().where(on_branch, *conditions, *_exclude_removed(branch.c.id, removed_branches))


def _exclude_removed(branch_id: ColumnElement[int], removed_branches: CTE | None) -> Iterable[Condition]:
    """Exclude the branches that are about to be removed."""
    return () if removed_branches is None else (branch_id.not_in(select(removed_branches.c.id)),)


def _in_environments(selector: KeepVersions, versions: FromClause) -> Iterator[Condition]:
    deployed = _is_in_environment(deployed_version, deployed_version.c.undeployed_at, versions, selector.environment)
    supported = _is_in_environment(
        released_version, released_version.c.support_ended_at, versions, selector.environment
    )
    if selector.deployed:
        yield deployed
    if selector.released:
        yield supported
    # An environment alone means versions in use there, in either way.
    if selector.environment is not None and not (selector.deployed or selector.released):
        yield or_(deployed, supported)


def _is_in_environment(table: Table, ended_at: Column[Any], versions: FromClause, name: str | None) -> Condition:
    in_environment = () if name is None else (table.c.environment_id == _id_of_name(environment, name),)
    return exists().where(table.c.version_id == versions.c.id, ended_at.is_(None), *in_environment)


def is_kept(retention: Retention, now: datetime, versions: FromClause = version) -> Condition:
    """Build the condition that a selector keeps a version."""
    return or_(*(_is_kept_by(selector, versions, now, None) for selector in retention.versions))


def _effective_selectors(retention: Retention) -> list[KeepVersions]:
    """List the selectors of the retention and those for versions in use, which apply even if it does not name them."""
    return [*retention.versions, *(selector for selector in IN_USE_SELECTORS if selector not in retention.versions)]


# Versions with the latest pacts. Newer versions may have none: a version need not publish each of its pacts.

_pact: Final = publication.alias("pact")
_later_pact: Final = publication.alias("later_pact")
_membership: Final = branch_version.alias("membership")
_later_membership: Final = branch_version.alias("later_membership")
_own_tag: Final = tag.alias("own_tag")
_later_tag: Final = tag.alias("later_tag")


def _has_latest_pact(versions: FromClause, is_kept_id: IsKept, removed_branches: CTE | None) -> Condition:
    """Build the condition that a version has the latest pact of a pair, of a kept branch or of a kept tag."""
    own = _pact.c.consumer_version_id == versions.c.id
    same_provider = _later_pact.c.provider_id == _pact.c.provider_id
    has_later_on_branch = exists().where(
        _later_membership.c.branch_id == _membership.c.branch_id,
        _later_membership.c.position > _membership.c.position,
        _later_pact.c.consumer_version_id == _later_membership.c.version_id,
        same_provider,
    )
    has_later_with_tag = exists().where(
        _later_tag.c.pacticipant_id == _own_tag.c.pacticipant_id,
        _later_tag.c.name == _own_tag.c.name,
        _later_tag.c.position > _own_tag.c.position,
        _later_pact.c.consumer_version_id == _later_tag.c.version_id,
        same_provider,
    )
    return or_(
        exists().where(own, integration.c.latest_publication_id == _pact.c.id),
        exists().where(
            own,
            _membership.c.version_id == versions.c.id,
            branch.c.id == _membership.c.branch_id,
            is_kept_id(branch.c.head_version_id),
            *_exclude_removed(branch.c.id, removed_branches),
            not_(has_later_on_branch.correlate(_membership, _pact)),
        ),
        exists().where(
            own,
            _own_tag.c.version_id == versions.c.id,
            tag_head.c.pacticipant_id == _own_tag.c.pacticipant_id,
            tag_head.c.name == _own_tag.c.name,
            is_kept_id(tag_head.c.version_id),
            not_(has_later_with_tag.correlate(_own_tag, _pact)),
        ),
    )


# Versions that decisions depend on


def _select_deciding_versions(contents: Ids | BindParameter[Any], removed_branches: CTE | None) -> Iterator[Ids]:
    """List the provider versions whose results decisions about these contents depend on."""
    # Depending on its query, the matrix uses the newest result or that of the highest provider version.
    is_about_content = verification.c.content_id.in_(contents)
    results = _RESULTS.where(is_about_content)
    per_content = (verification.c.content_id,)
    by_position = (version.c.position.desc(),)
    yield _select_first_of_each(results, per_content, NEWEST_FIRST)
    yield _select_first_of_each(results.join(version, _IS_RESULT_OF_VERSION), per_content, by_position)
    yield from _select_first_successes(is_about_content, removed_branches)
    yield _first_successes_by_tag(contents)
    yield select(verification.c.provider_version_id).where(is_about_content, _IS_RECENT_SUCCESS)


_IS_RECENT_SUCCESS: Final = and_(
    verification.c.success, not_(verification.c.is_wip), verification.c.verified_at >= _SINCE
)


# By the time of recording, not by id: an imported result keeps its original time and has a newer id.
_OLDEST_FIRST: Final = (verification.c.created_at, verification.c.id)
_RESULTS: Final = select(verification.c.provider_version_id.label("provider_version_id"))
_IS_RESULT_OF_VERSION: Final = version.c.id == verification.c.provider_version_id


def _select_first_of_each(
    results: Select[Any], groups: Sequence[Column[Any]], order: Sequence[ColumnElement[Any]]
) -> Ids:
    """List the provider versions of the first result in each group."""
    rank = func.row_number().over(partition_by=groups, order_by=order).label("rank")
    ranked = results.add_columns(rank).subquery()
    return select(ranked.c.provider_version_id).where(ranked.c.rank == 1)


def _select_first_successes(is_about_content: Condition, removed_branches: CTE | None) -> Iterator[Ids]:
    """List the versions with the first success: of all, on each branch, with each tag.

    A pact is pending until its content is verified from the provider's branch or tag, so the first success ends it.
    """
    successes = _RESULTS.where(is_about_content, verification.c.success)
    on_branch = branch_version.c.version_id == verification.c.provider_version_id
    of_branches = successes.join(branch_version, on_branch).where(
        *_exclude_removed(branch_version.c.branch_id, removed_branches)
    )
    of_tags = successes.join(tag, tag.c.version_id == verification.c.provider_version_id)
    content_id = verification.c.content_id
    yield _select_first_of_each(successes, (content_id,), _OLDEST_FIRST)
    yield _select_first_of_each(of_branches, (content_id, branch_version.c.branch_id), _OLDEST_FIRST)
    yield _select_first_of_each(of_tags, (content_id, tag.c.name), _OLDEST_FIRST)


def _first_successes_by_tag(contents: Ids | BindParameter[Any]) -> Ids:
    """List the versions that succeeded first with each tag that they had then. They decide what is work in progress."""
    with_tags = _RESULTS.join(tag_success, tag_success.c.verification_id == verification.c.id)
    successes = with_tags.where(tag_success.c.content_id.in_(contents), not_(tag_success.c.is_wip))
    # Work in progress ends at the time of the verification, which the provider states, not when it was recorded.
    earliest = (tag_success.c.verified_at, tag_success.c.id)
    return _select_first_of_each(successes, (tag_success.c.content_id, tag_success.c.tag), earliest)


def _highest_verified_consumers(providers: Ids | BindParameter[Any]) -> Ids:
    """List, for each of these provider versions, the highest version of each consumer that it has verified.

    So each retained provider version still has a row with each of its consumers in the matrix.
    """
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


_earlier_membership: Final = branch_version.alias("earlier_membership")
_earlier_tag: Final = tag.alias("earlier_tag")


def _is_first_on_branch_or_tag(removed_branches: CTE | None) -> Condition:
    """Build the condition that a version is the first on a branch or with a tag.

    It dates the beginning of the branch or tag, on which it depends whether a pact is work in progress for it.
    """
    has_earlier = exists().where(
        _earlier_membership.c.branch_id == _membership.c.branch_id,
        _earlier_membership.c.position < _membership.c.position,
    )
    has_earlier_tag = exists().where(
        _earlier_tag.c.pacticipant_id == _own_tag.c.pacticipant_id,
        _earlier_tag.c.name == _own_tag.c.name,
        # By time, not by id: imported tags keep their original times.
        tuple_(_earlier_tag.c.created_at, _earlier_tag.c.id) < tuple_(_own_tag.c.created_at, _own_tag.c.id),
    )
    return or_(
        exists().where(
            _membership.c.version_id == version.c.id,
            *_exclude_removed(_membership.c.branch_id, removed_branches),
            not_(has_earlier),
        ),
        exists().where(_own_tag.c.version_id == version.c.id, not_(has_earlier_tag)),
    )


# Retained versions


@dataclass(frozen=True, slots=True)
class _RetainedVersions:
    """Ids of the versions that selectors keep, and of all versions that are retained."""

    by_selectors: CTE
    all: CTE


def _select_retained(retention: Retention, now: datetime, removed_branches: CTE | None) -> _RetainedVersions:
    """List the retained versions of the whole database.

    A union of selects rather than one condition with `OR`: each select can use its own index, but both databases check
    a long alternative row by row.
    """
    kept = union(
        *(
            select(version.c.id).where(_is_kept_by(selector, version, now, removed_branches))
            for selector in _effective_selectors(retention)
        )
    ).cte("kept")
    latest = _has_latest_pact(version, lambda id_: id_.in_(select(kept.c.id)), removed_branches)
    protected = union(select(kept.c.id), select(version.c.id).where(latest)).cte("protected")
    contents = (
        select(publication.c.content_id)
        .join(protected, protected.c.id == publication.c.consumer_version_id)
        .where(publication.c.is_current)
        .distinct()
        .cte("protected_content")
    )
    needed = (
        *_select_deciding_versions(select(contents.c.content_id), removed_branches),
        _highest_verified_consumers(select(protected.c.id)),
        select(version.c.id).where(_is_first_on_branch_or_tag(removed_branches)),
    )
    return _RetainedVersions(kept, union(select(protected.c.id), *needed).cte("retained"))


@dataclass(frozen=True, slots=True)
class _CandidateStatements:
    """Statements that find the retained ones among some candidates, by the rules of `_select_retained`.

    They read only rows related to the candidates, because other writers wait for the transaction that runs them. The
    first two return ids that are parameters of the third: with subqueries in their place SQLite would scan all results.
    """

    contents: Select[tuple[int]]
    """Contents with results of candidates that are also pacts of protected versions."""
    providers: Select[tuple[int]]
    """Protected versions with results for contents that candidates have published."""
    retained: Select[tuple[int]]
    retained_by_themselves: Select[tuple[int]]
    """Candidates that are retained for other reasons than contents and providers: cheaper where there are none."""


@lru_cache(maxsize=8)
def _candidate_statements(retention: Retention, today: datetime) -> _CandidateStatements:
    other = version.alias("other")
    verified = select(verification.c.content_id).where(verification.c.provider_version_id.in_(_CANDIDATES))
    is_protected_pact = exists().where(
        publication.c.content_id == content.c.id,
        publication.c.is_current,
        other.c.id == publication.c.consumer_version_id,
        _is_protected(retention, other, today),
    )
    verifying = (
        select(verification.c.provider_version_id)
        .join(publication, publication.c.content_id == verification.c.content_id)
        .where(publication.c.consumer_version_id.in_(_CANDIDATES), publication.c.is_current)
    )
    is_retained_by_itself = or_(_is_protected(retention, version, today), _is_first_on_branch_or_tag(None))
    by_themselves = select(version.c.id).where(version.c.id.in_(_CANDIDATES), is_retained_by_itself)
    retained = union(
        by_themselves,
        *_select_deciding_versions(_CONTENTS, None),
        _highest_verified_consumers(_PROVIDERS),
    ).subquery()
    return _CandidateStatements(
        contents=select(content.c.id).where(content.c.id.in_(verified), is_protected_pact),
        providers=select(version.c.id).where(version.c.id.in_(verifying), _is_protected(retention, version, today)),
        retained=select(retained.c.id).where(retained.c.id.in_(_CANDIDATES)),
        retained_by_themselves=by_themselves,
    )


def _is_protected(retention: Retention, versions: FromClause, today: datetime) -> Condition:
    def is_kept_id(id_: ColumnElement[int]) -> Condition:
        head = version.alias("head")
        return exists().where(head.c.id == id_, _is_kept_or_in_use(retention, head, today))

    return or_(_is_kept_or_in_use(retention, versions, today), _has_latest_pact(versions, is_kept_id, None))


def _is_kept_or_in_use(retention: Retention, versions: FromClause, today: datetime) -> Condition:
    return or_(*(_is_kept_by(selector, versions, today, None) for selector in _effective_selectors(retention)))


def find_kept_ids(db: Connection, retention: Retention, ids: Collection[int], *, now: datetime) -> set[int]:
    """Find the retained ones among these versions.

    The caller holds locks that keep their facts from changing until the transaction ends.
    """
    # Ages count whole days, so the statements of a day are the same, and cached.
    statements = _candidate_statements(retention, compute_cutoff(now, timedelta(0)))
    candidates = {"candidates": list(ids)}
    contents = list(db.execute(statements.contents, candidates).scalars())
    providers = list(db.execute(statements.providers, candidates).scalars())
    if not contents and not providers:
        return {row.id for row in db.execute(statements.retained_by_themselves, candidates)}
    params = {**candidates, "contents": contents, "providers": providers, **plan_parameters(retention, now)}
    return {row.id for row in db.execute(statements.retained, params)}


def select_removed_versions(retention: Retention, now: datetime, removed_branches: CTE | None) -> CTE:
    """Select the ids of the versions that are not retained, oldest first, up to the limit.

    The statement takes `plan_parameters`.
    """
    retained = _select_retained(retention, now, removed_branches).all
    return (
        select(version.c.id)
        .outerjoin(retained, retained.c.id == version.c.id)
        .where(retained.c.id.is_(None))
        .order_by(version.c.id)
        .limit(retention.limit)
        .cte("removed_version")
    )


_VERSIONS: Final = select(
    pacticipant.c.name.label("pacticipant"), version.c.number, version.c.position, version.c.created_at
).join_from(version, pacticipant)


def list_old_versions(
    db: Connection, retention: Retention, *, now: datetime, removed_branches: CTE | None = None
) -> list[RemovableVersion]:
    """List the versions that are not retained, oldest first, up to the limit."""
    removed = select_removed_versions(retention, now, removed_branches)
    statement = _VERSIONS.join(removed, removed.c.id == version.c.id).order_by(version.c.id)
    return [RemovableVersion(**row._asdict()) for row in db.execute(statement, plan_parameters(retention, now))]


# Stale branches


def _is_stale(selectors: Iterable[KeepBranches], now: datetime) -> Condition:
    return not_(or_(_IS_MAIN, *(_is_branch_kept_by(selector, now) for selector in selectors)))


def _is_branch_kept_by(selector: KeepBranches, now: datetime) -> Condition:
    named = (branch.c.name.in_(selector.branches),) if selector.branches else ()
    if selector.max_age is None:
        return and_(true(), *named)
    return and_(*named, branch.c.updated_at >= compute_cutoff(now, timedelta(days=selector.max_age)))


def _select_deciding_branches(stale: CTE, *scope: Condition) -> Ids:
    """List the stale branches without which verified pacts would become pending, or in progress again.

    For a branch, only successes of versions that are on some branch count. So the version with the first success for
    each content must stay on a branch, and so must each version with a recent success. Of a version's branches the
    newest one is retained, unless the version is also on a branch that is not stale.
    """
    on_branch = branch_version.c.version_id == verification.c.provider_version_id
    successes = _RESULTS.join(branch_version, on_branch).where(verification.c.success, *scope)
    first = _select_first_of_each(successes, (verification.c.content_id,), _OLDEST_FIRST)
    recent = select(verification.c.provider_version_id).where(_IS_RECENT_SUCCESS, *scope)
    deciding = union(first, recent).cte("deciding")
    is_on_fresh_branch = exists().where(
        _membership.c.version_id == branch_version.c.version_id, _membership.c.branch_id.not_in(select(stale.c.id))
    )
    return (
        select(func.max(branch_version.c.branch_id))
        .join(deciding, deciding.c.provider_version_id == branch_version.c.version_id)
        .where(not_(is_on_fresh_branch))
        .group_by(branch_version.c.version_id)
    )


def _stale_branches(retention: Retention, now: datetime) -> CTE:
    return select(branch.c.id).where(_is_stale(retention.branches, now)).cte("stale")


def select_removed_branches(retention: Retention, now: datetime) -> CTE | None:
    """Select the ids of the branches that are not retained, oldest first, up to the limit.

    None if the retention keeps all branches. The statement takes `plan_parameters`.
    """
    if not retention.branches:
        return None
    stale = _stale_branches(retention, now)
    return (
        select(branch.c.id)
        .join(stale, stale.c.id == branch.c.id)
        .where(branch.c.id.not_in(_select_deciding_branches(stale)))
        .order_by(branch.c.updated_at, branch.c.id)
        .limit(retention.branch_limit)
        .cte("removed_branch")
    )


def list_stale_branches(db: Connection, retention: Retention, *, now: datetime) -> list[RemovableBranch]:
    """List the branches that are not retained, oldest first, up to the limit."""
    removed_branches = select_removed_branches(retention, now)
    if removed_branches is None:
        return []
    statement = (
        select(pacticipant.c.name.label("pacticipant"), branch.c.name, branch.c.updated_at)
        .join_from(branch, pacticipant)
        .join(removed_branches, removed_branches.c.id == branch.c.id)
        .order_by(branch.c.updated_at, branch.c.id)
    )
    return [RemovableBranch(**row._asdict()) for row in db.execute(statement, plan_parameters(retention, now))]


@lru_cache(maxsize=8)
def _remaining_stale_branches(selectors: tuple[KeepBranches, ...], today: datetime) -> Select[str]:
    owner = select(_owner.c.id).where(_owner.c.name == bindparam("pacticipant")).scalar_subquery()
    stale = select(branch.c.id).where(branch.c.pacticipant_id == owner, _is_stale(selectors, today)).cte("stale")
    is_named = branch.c.name.in_(bindparam("names", expanding=True))
    candidates = select(branch.c.id).join(stale, stale.c.id == branch.c.id).where(is_named)
    result = verification.alias("result")
    # Only contents that versions on the candidates verified: the whole table would take too long under the locks.
    affected_contents = (
        select(result.c.content_id)
        .join(branch_version, branch_version.c.version_id == result.c.provider_version_id)
        .where(branch_version.c.branch_id.in_(candidates))
    )
    return (
        select(branch.c.name)
        .where(branch.c.id.in_(candidates))
        .where(branch.c.id.not_in(_select_deciding_branches(stale, verification.c.content_id.in_(affected_contents))))
    )


def filter_stale_branches(
    db: Connection, retention: Retention, pacticipant: str, names: Collection[str], *, now: datetime
) -> list[str]:
    """List those of the named branches that are still not retained, under the caller's locks."""
    statement = _remaining_stale_branches(retention.branches, compute_cutoff(now, timedelta(0)))
    params = {"pacticipant": pacticipant, "names": list(names), **plan_parameters(retention, now)}
    return [row.name for row in db.execute(statement, params)]


# Planning


@dataclass(frozen=True, kw_only=True, slots=True)
class PlannedAmounts:
    """Rows that a clean-up would remove."""

    removed: Mapping[str, RemovalCounts]
    overwritten: Mapping[str, RemovalCounts]
    audit_events: RemovalCounts
    decisions: RemovalCounts


def build_plan(db: Connection, retention: Retention, *, now: datetime, amounts: PlannedAmounts) -> CleanupPlan:
    """Build the preview of a clean-up: the rows it would remove, and why it retains the others."""
    removed_branches = select_removed_branches(retention, now)
    retained = _select_retained(retention, now, removed_branches)
    since = plan_parameters(retention, now)
    versions = list_old_versions(db, retention, now=now, removed_branches=removed_branches)
    counts = select(_count(version), _count(retained.by_selectors), _count(retained.all), _count(branch))
    total, kept_count, retained_count, branch_count = db.execute(counts, since).one()
    stale_branches = list_stale_branches(db, retention, now=now)
    return CleanupPlan(
        total=total,
        kept=tuple(
            _count_kept(db, selector, removed_branches, now=now, since=since) for selector in retention.versions
        ),
        in_use=tuple(_list_only_in_use(db, retention, removed_branches, now=now, since=since)),
        kept_by_selectors=kept_count,
        kept_for_decisions=retained_count - kept_count,
        not_kept=total - retained_count,
        versions=tuple(versions),
        **_summarize(db, versions),
        total_branches=branch_count,
        branches=tuple(stale_branches),
        branches_kept_for_decisions=_count_deciding_branches(db, retention, now=now, since=since),
        removed=amounts.removed,
        overwritten=amounts.overwritten,
        audit_events=amounts.audit_events,
        decisions=amounts.decisions,
    )


def _count(table: FromClause) -> ScalarSelect[int]:
    return select(func.count()).select_from(table).scalar_subquery()


def _count_kept(
    db: Connection,
    selector: KeepVersions,
    removed_branches: CTE | None,
    *,
    now: datetime,
    since: Mapping[str, datetime],
) -> KeptBySelector:
    kept = select(version.c.id).where(_is_kept_by(selector, version, now, removed_branches)).subquery()
    return KeptBySelector(selector=selector, count=db.execute(select(_count(kept)), since).scalar_one())


def _list_only_in_use(
    db: Connection, retention: Retention, removed_branches: CTE | None, *, now: datetime, since: Mapping[str, datetime]
) -> list[VersionInUse]:
    """List the versions that only the selectors for versions in use keep."""
    others = [
        _is_kept_by(selector, version, now, removed_branches)
        for selector in retention.versions
        if selector not in IN_USE_SELECTORS
    ]
    uses = union_all(
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
        .add_columns(uses.c.name, uses.c.is_deployed)
        .join_from(version, pacticipant)
        .join(uses, uses.c.version_id == version.c.id)
        .where(not_(or_(*others)) if others else true())
        .order_by(pacticipant.c.name, version.c.position, uses.c.name)
    )
    rows_by_version: dict[int, list[Any]] = {}
    for row in db.execute(statement, since):
        rows_by_version.setdefault(row.id, []).append(row)
    return [_version_in_use(rows) for rows in rows_by_version.values()]


def _version_in_use(rows: Sequence[Any]) -> VersionInUse:
    """Combine the rows of a version, one for each environment that it is deployed to or supported in."""
    return VersionInUse(
        pacticipant=rows[0].pacticipant,
        number=rows[0].number,
        deployed_to=tuple(row.name for row in rows if row.is_deployed),
        released_to=tuple(row.name for row in rows if not row.is_deployed),
    )


def _count_deciding_branches(
    db: Connection, retention: Retention, *, now: datetime, since: Mapping[str, datetime]
) -> int:
    if not retention.branches:
        return 0
    retained = (
        select(branch.c.id)
        .where(branch.c.id.in_(_select_deciding_branches(_stale_branches(retention, now))))
        .subquery()
    )
    count: int = db.execute(select(_count(retained)), since).scalar_one()
    return count


_ALL_VERSIONS: Final = _VERSIONS.order_by(version.c.pacticipant_id, version.c.position)
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


def _summarize(db: Connection, removable: Sequence[RemovableVersion]) -> Mapping[str, Any]:
    """Load the versions that remain of each pacticipant, and the tags of the versions that the preview names."""
    removable_keys = {(old_version.pacticipant, old_version.number) for old_version in removable}
    remaining: dict[str, list[RemovableVersion]] = {}
    for row in fetch_rows(db, _ALL_VERSIONS, {}):
        # Also without a remaining version the pacticipant has an entry: the preview shows that none remains.
        versions = remaining.setdefault(row.pacticipant, [])
        if (row.pacticipant, row.number) not in removable_keys:
            versions.append(RemovableVersion(**row._asdict()))
    remains = {
        name: RemainingVersions(
            count=len(versions),
            first=versions[0] if versions else None,
            latest=versions[-1] if versions else None,
        )
        for name, versions in remaining.items()
    }
    named_keys = {(named.pacticipant, named.number) for named in _list_named_versions(removable, remains)}
    tags = {
        (pacticipant_name, number): tuple(fetch_column(db, _TAGS, {"pacticipant": pacticipant_name, "number": number}))
        for pacticipant_name, number in sorted(named_keys)
    }
    return {"remains": remains, "tags": tags}


def _list_named_versions(
    removable: Sequence[RemovableVersion], remains: Mapping[str, RemainingVersions]
) -> Iterator[RemovableVersion]:
    """List the versions that the preview names: the first and last removable and remaining ones of each pacticipant."""
    first: dict[str, RemovableVersion] = {}
    last: dict[str, RemovableVersion] = {}
    for old_version in removable:
        first.setdefault(old_version.pacticipant, old_version)
        last[old_version.pacticipant] = old_version
    yield from first.values()
    yield from last.values()
    for versions in remains.values():
        yield from (remaining for remaining in (versions.first, versions.latest) if remaining)
