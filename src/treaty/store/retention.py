"""Retention: what old data nothing keeps, and its removal.

What is kept is a common table expression over the conditions of all selectors. Beside it stand the versions on which
answers about kept versions rest: whoever cleans must not turn "verified" into "unknown", nor a settled pact into a
pending one.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import (
    CTE,
    Column,
    ColumnElement,
    Connection,
    FromClause,
    ScalarSelect,
    Select,
    Table,
    and_,
    bindparam,
    exists,
    func,
    not_,
    or_,
    select,
    true,
    union,
)

from treaty.model.retention import (
    Amount,
    KeepBranches,
    KeepVersions,
    Kept,
    OldBranch,
    OldVersion,
    Plan,
    Remains,
    Retention,
    oldest,
)
from treaty.store.database import column, rows
from treaty.store.tables import (
    branch,
    branch_version,
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
from treaty.store.verifications import newest_of

Condition = ColumnElement[bool]
Ids = Select[tuple[int]]

# What selectors keep


def _keeps(selector: KeepVersions, now: datetime, gone: Sequence[int]) -> Condition:
    """Say whether a selector keeps a version, after some branches are gone."""
    return and_(true(), *_conditions(selector, now, gone))


def _conditions(one: KeepVersions, now: datetime, gone: Sequence[int]) -> Iterator[Condition]:
    if one.pacticipant is not None:
        yield version.c.pacticipant_id == _named(pacticipant, one.pacticipant)
    if one.tag:
        yield version.c.id.in_(_tagged(one))
    if one.branch:
        yield version.c.id.in_(_on_branch(one, gone, *_same_name(branch, one.branch)))
    if one.main_branch:
        yield version.c.id.in_(_on_branch(one, gone, _IS_MAIN))
    if one.latest and not (one.tag or one.branch or one.main_branch):
        yield version.c.position == _HIGHEST
    yield from _in_environments(one)
    if one.max_age is not None:
        yield version.c.created_at >= oldest(now, one.max_age)


_others: Final = version.alias("others")
_owner: Final = pacticipant.alias("owner")
_IS_MAIN: Final = exists().where(_owner.c.id == branch.c.pacticipant_id, _owner.c.main_branch == branch.c.name)
_HIGHEST: Final = (
    select(func.max(_others.c.position)).where(_others.c.pacticipant_id == version.c.pacticipant_id).scalar_subquery()
)


def _named(table: Table, name: str) -> ScalarSelect[int]:
    return select(table.c.id).where(table.c.name == name).scalar_subquery()


def _same_name(table: Table, name: str | bool) -> Iterable[Condition]:  # noqa: FBT001 - a name, or true for any
    return () if name is True else (table.c.name == name,)


def _tagged(one: KeepVersions) -> Ids:
    table = tag_head if one.latest else tag
    return select(table.c.version_id).where(*_same_name(table, one.tag))


def _on_branch(one: KeepVersions, gone: Sequence[int], *conditions: Condition) -> Ids:
    remains = [branch.c.id.not_in(gone)] if gone else []
    if one.latest:
        return select(branch.c.head_version_id).where(branch.c.head_version_id.is_not(None), *conditions, *remains)
    return select(branch_version.c.version_id).join(branch).where(*conditions, *remains)


def _in_environments(one: KeepVersions) -> Iterator[Condition]:
    running = _in_place(deployed_version, deployed_version.c.undeployed_at, one)
    supported = _in_place(released_version, released_version.c.support_ended_at, one)
    if one.deployed:
        yield version.c.id.in_(running)
    if one.released:
        yield version.c.id.in_(supported)
    if one.environment is not None and not (one.deployed or one.released):
        yield or_(version.c.id.in_(running), version.c.id.in_(supported))


def _in_place(table: Table, ended_at: Column[Any], one: KeepVersions) -> Ids:
    place = () if one.environment is None else (table.c.environment_id == _named(environment, one.environment),)
    return select(table.c.version_id).where(ended_at.is_(None), *place)


# On what answers about kept versions rest


def _needed(kept: CTE, now: datetime, success_days: int, gone: Sequence[int]) -> Iterator[Ids]:
    """List the versions without which answers about kept versions would change."""
    current = (
        select(publication.c.content_id)
        .join(kept, kept.c.id == publication.c.consumer_version_id)
        .where(publication.c.is_current)
        .distinct()
        .cte("kept_content")
    )
    results = current.join(verification, verification.c.content_id == current.c.content_id)
    yield select(verification.c.provider_version_id).where(
        verification.c.id.in_(select(newest_of(current.c.content_id)).select_from(current))
    )
    yield _highest(results)
    yield from _deciding_successes(results, gone)
    yield _noted_successes(current)
    since = now - timedelta(days=success_days)
    new = and_(verification.c.success, not_(verification.c.is_wip), verification.c.verified_at >= since)
    yield select(verification.c.provider_version_id).select_from(results).where(new)
    yield _best_consumers(kept)
    yield from _beginnings(gone)


def _versions_of(verifications: Any) -> Ids:
    return select(verification.c.provider_version_id).where(verification.c.id.in_(verifications))


def _highest(results: FromClause) -> Ids:
    """List the highest provider versions with a result for each content."""
    ranked = (
        select(
            verification.c.provider_version_id.label("id"),
            func.row_number()
            .over(partition_by=verification.c.content_id, order_by=version.c.position.desc())
            .label("rank"),
        )
        .select_from(results.join(version, version.c.id == verification.c.provider_version_id))
        .subquery()
    )
    return select(ranked.c.id).where(ranked.c.rank == 1)


def _deciding_successes(results: FromClause, gone: Sequence[int]) -> Iterator[Ids]:
    """List who succeeded first: at all, on each branch and with each tag. It decides what is pending."""
    of_version = verification.c.provider_version_id
    on_branch = and_(branch_version.c.version_id == of_version, *_remaining(gone))
    for place, keys in (
        (results, []),
        (results.join(branch_version, on_branch), [branch_version.c.branch_id]),
        (results.join(tag, tag.c.version_id == of_version), [tag.c.name]),
    ):
        first = select(func.min(verification.c.id)).select_from(place).where(verification.c.success)
        yield _versions_of(first.group_by(verification.c.content_id, *keys))


def _noted_successes(current: CTE) -> Ids:
    """List who succeeded first with each tag of that moment. It decides what is work in progress."""
    noted = current.join(tag_success, tag_success.c.content_id == current.c.content_id)
    first = select(func.min(tag_success.c.verification_id)).select_from(noted).where(not_(tag_success.c.is_wip))
    return _versions_of(first.group_by(tag_success.c.content_id, tag_success.c.tag))


def _best_consumers(kept: CTE) -> Ids:
    """List the highest version of each consumer that a kept provider version has a result for."""
    top = (
        select(publication.c.content_id, func.max(publication.c.position).label("position"))
        .where(publication.c.is_current)
        .group_by(publication.c.content_id)
        .subquery()
    )
    best = (
        select(verification.c.consumer_id, verification.c.provider_id, func.max(top.c.position).label("position"))
        .select_from(verification)
        .join(kept, kept.c.id == verification.c.provider_version_id)
        .join(top, top.c.content_id == verification.c.content_id)
        .group_by(verification.c.provider_version_id, verification.c.consumer_id, verification.c.provider_id)
        .subquery()
    )
    return _at(best)


def _at(places: FromClause) -> Ids:
    """List the consumers' versions with some positions."""
    is_there = and_(version.c.pacticipant_id == places.c.consumer_id, version.c.position == places.c.position)
    return select(version.c.id).join(places, is_there)


def _remaining(gone: Sequence[int]) -> Iterable[Condition]:
    """Look past branches that are about to go."""
    return (branch_version.c.branch_id.not_in(gone),) if gone else ()


def _beginnings(gone: Sequence[int]) -> Iterator[Ids]:
    """List the first version of each branch and with each tag: when that was decides what is work in progress."""
    first = (
        select(branch_version.c.branch_id, func.min(branch_version.c.position).label("position"))
        .where(*_remaining(gone))
        .group_by(branch_version.c.branch_id)
        .subquery()
    )
    is_first = and_(branch_version.c.branch_id == first.c.branch_id, branch_version.c.position == first.c.position)
    yield select(branch_version.c.version_id).join(first, is_first)
    yield select(tag.c.version_id).where(
        tag.c.id.in_(select(func.min(tag.c.id)).group_by(tag.c.pacticipant_id, tag.c.name))
    )


# The latest pacts


def _latest_pacts(kept: CTE, gone: Sequence[int]) -> Iterator[Ids]:
    """List the versions with the latest pacts where a later version has none: of pairs, kept branches and kept tags."""
    yield select(publication.c.consumer_version_id).join(
        integration, integration.c.latest_publication_id == publication.c.id
    )
    highest = func.max(publication.c.position).label("position")
    pair = (publication.c.consumer_id, publication.c.provider_id)
    branches = (
        select(*pair, highest)
        .join(branch_version, branch_version.c.version_id == publication.c.consumer_version_id)
        .join(branch, branch.c.id == branch_version.c.branch_id)
        .join(kept, kept.c.id == branch.c.head_version_id)
        .where(*_remaining(gone))
        .group_by(branch.c.id, *pair)
    )
    tags = (
        select(*pair, highest)
        .join(tag, tag.c.version_id == publication.c.consumer_version_id)
        .join(tag_head, and_(tag_head.c.pacticipant_id == tag.c.pacticipant_id, tag_head.c.name == tag.c.name))
        .join(kept, kept.c.id == tag_head.c.version_id)
        .group_by(tag.c.name, *pair)
    )
    yield from (_at(places.subquery()) for places in (branches, tags))


# Planning


def _kept(retention: Retention, now: datetime, gone: Sequence[int]) -> CTE:
    """List what selectors keep; a union, as databases look into large lists of alternatives for each row anew."""
    return union(*(select(version.c.id).where(_keeps(one, now, gone)) for one in retention.versions)).cte("kept")


def is_kept(retention: Retention, now: datetime) -> Condition:
    """Say whether any selector keeps a version."""
    return or_(*(_keeps(one, now, ()) for one in retention.versions))


def _staying(retention: Retention, now: datetime, gone: Sequence[int]) -> tuple[CTE, CTE]:
    """Say which versions selectors keep, and which stay in all."""
    kept = _kept(retention, now, gone)
    asked = union(select(kept.c.id), *_latest_pacts(kept, gone)).cte("asked")
    staying = union(select(asked.c.id), *_needed(asked, now, retention.success_days, gone)).cte("staying")
    return kept, staying


_OLD: Final = select(pacticipant.c.name.label("pacticipant"), version.c.number, version.c.created_at).join_from(
    version, pacticipant
)


def old_versions(db: Connection, retention: Retention, *, now: datetime, gone: Sequence[int] = ()) -> list[OldVersion]:
    """List what nothing keeps, oldest first, as many as the limit allows."""
    _, staying = _staying(retention, now, gone)
    statement = (
        _OLD.outerjoin(staying, staying.c.id == version.c.id)
        .where(staying.c.id.is_(None))
        .order_by(version.c.id)
        .limit(retention.limit)
    )
    return [OldVersion(**row._asdict()) for row in db.execute(statement)]


def is_stale(selectors: Iterable[KeepBranches], now: datetime) -> Condition:
    """Say whether nothing keeps a branch."""
    return not_(or_(_IS_MAIN, *(_keeps_branch(one, now) for one in selectors)))


def _keeps_branch(one: KeepBranches, now: datetime) -> Condition:
    named = (branch.c.name.in_(one.branches),) if one.branches else ()
    young = (branch.c.updated_at >= oldest(now, one.max_age),) if one.max_age is not None else ()
    return and_(true(), *named, *young)


_OLD_BRANCHES: Final = (
    select(branch.c.id, pacticipant.c.name.label("pacticipant"), branch.c.name, branch.c.updated_at)
    .join_from(branch, pacticipant)
    .order_by(branch.c.updated_at, branch.c.id)
)


def stale_branches(db: Connection, retention: Retention, *, now: datetime) -> dict[int, OldBranch]:
    """List the branches that nothing keeps, by id, oldest first, as many as the limit allows."""
    if not retention.branches:
        return {}
    statement = _OLD_BRANCHES.where(is_stale(retention.branches, now)).limit(retention.branch_limit)
    return {
        row.id: OldBranch(pacticipant=row.pacticipant, name=row.name, updated_at=row.updated_at)
        for row in db.execute(statement)
    }


def plan(db: Connection, retention: Retention, *, now: datetime, overwritten: Mapping[str, Amount]) -> Plan:
    """Say what would go, and change nothing."""
    going = stale_branches(db, retention, now=now)
    gone = list(going)
    kept, staying = _staying(retention, now, gone)
    versions = old_versions(db, retention, now=now, gone=gone)
    total, by_selectors, stays = db.execute(select(_count(version), _count(kept), _count(staying))).one()
    return Plan(
        total=total,
        kept=tuple(_kept_by(db, one, now, gone) for one in retention.versions),
        kept_by_selectors=by_selectors,
        kept_for_decisions=stays - by_selectors,
        not_kept=total - stays,
        versions=tuple(versions),
        **_summary(db, versions),
        total_branches=_amount(db, branch),
        branches=tuple(going.values()),
        overwritten=overwritten,
    )


def _count(table: FromClause) -> ScalarSelect[int]:
    return select(func.count()).select_from(table).scalar_subquery()


def _amount(db: Connection, table: Table, *conditions: Condition) -> int:
    found: int = db.execute(select(func.count()).select_from(table).where(*conditions)).scalar_one()
    return found


def _kept_by(db: Connection, one: KeepVersions, now: datetime, gone: Sequence[int]) -> Kept:
    return Kept(selector=one, count=_amount(db, version, _keeps(one, now, gone)))


_EVERY_VERSION: Final = _OLD.order_by(version.c.pacticipant_id, version.c.position)
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


def _summary(db: Connection, going: Sequence[OldVersion]) -> Mapping[str, Any]:
    """Say what remains of each pacticipant, and which tags are on the versions that are named."""
    gone = {(one.pacticipant, one.number) for one in going}
    left: dict[str, list[OldVersion]] = {}
    for row in rows(db, _EVERY_VERSION, {}):
        mine = left.setdefault(row.pacticipant, [])
        if (row.pacticipant, row.number) not in gone:
            mine.append(OldVersion(**row._asdict()))
    remains = {
        name: Remains(count=len(all_), first=all_[0] if all_ else None, latest=all_[-1] if all_ else None)
        for name, all_ in left.items()
    }
    ends = {(one.pacticipant, one.number) for one in _ends(going, remains)}
    tags = {key: tuple(column(db, _TAGS, {"pacticipant": key[0], "number": key[1]})) for key in sorted(ends)}
    return {"remains": remains, "tags": tags}


def _ends(going: Sequence[OldVersion], remains: Mapping[str, Remains]) -> Iterator[OldVersion]:
    first: dict[str, OldVersion] = {}
    last: dict[str, OldVersion] = {}
    for one in going:
        first.setdefault(one.pacticipant, one)
        last[one.pacticipant] = one
    yield from first.values()
    yield from last.values()
    yield from (end for one in remains.values() for end in (one.first, one.latest) if end)
