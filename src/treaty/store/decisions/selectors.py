"""What the matrix's selectors find: versions, by one statement for each set of criteria."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, NamedTuple

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    CompoundSelect,
    Connection,
    Select,
    and_,
    bindparam,
    null,
    select,
    union,
    union_all,
)

from treaty.model.decisions.selectors import (
    AnyVersion,
    FoundVersion,
    NoPacticipant,
    NoVersion,
    ResolvedSelector,
    Selector,
)
from treaty.store.engine.database import fetch_rows
from treaty.store.tables import (
    branch,
    branch_version,
    deployed_version,
    environment,
    pacticipant,
    released_version,
    tag,
    tag_head,
    version,
)


class SelectorTarget(NamedTuple):
    """A resolved selector, with the ids by which its rows are found."""

    resolved: ResolvedSelector
    pacticipant_id: int | None
    version_id: int | None = None
    """None unless a version was found."""


@dataclass(frozen=True, slots=True)
class NamedIds:
    """The ids of all pacticipants and versions that a question names, and its environment if there is one."""

    pacticipants: dict[str, int]
    versions: dict[tuple[int, str], int]
    environments: list[str]


class _SelectorShape(NamedTuple):
    """Which criteria a statement has."""

    version: bool
    branch: bool
    tag: bool
    environment: bool
    is_main_branch: bool
    is_latest: bool


_IDS: Final[BindParameter[Any]] = bindparam("pacticipant_ids", expanding=True)
_has_number: Final = version.c.number.in_(bindparam("numbers", expanding=True))
_numbered: Final = and_(version.c.pacticipant_id == pacticipant.c.id, _has_number)
_NAMED: Final = (
    select(pacticipant.c.id, pacticipant.c.name, version.c.id, version.c.number)
    .outerjoin_from(pacticipant, version, _numbered)
    .where(pacticipant.c.name.in_(bindparam("names", expanding=True)))
)
_PLACE: Final = select(null(), environment.c.name, null(), null()).where(environment.c.name == bindparam("environment"))
_NAMED_WITH_PLACE: Final = union_all(_NAMED, _PLACE)
_owner: Final = pacticipant.alias("owner")


def load_named_ids(db: Connection, selectors: Collection[Selector], environment: str | None = None) -> NamedIds:
    """Find the pacticipants, the versions and the environment that a question names; what is missing is left out."""
    names = list({one.pacticipant for one in selectors})
    numbers = list({one.version or "" for one in selectors})
    values = {"names": names, "numbers": numbers, "environment": environment}
    found = NamedIds({}, {}, [])
    for pacticipant_id, name, version_id, number in fetch_rows(
        db, _NAMED_WITH_PLACE if environment else _NAMED, values
    ):
        if pacticipant_id is None:
            found.environments.append(name)
            continue
        found.pacticipants[name] = pacticipant_id
        if version_id is not None:
            found.versions[pacticipant_id, number] = version_id
    return found


def resolve(db: Connection, selectors: Sequence[Selector], named: NamedIds) -> list[SelectorTarget]:
    """Resolve selectors whose pacticipants were looked up."""
    return [target for one in selectors for target in _resolved(db, one, named)]


def _resolved(db: Connection, selector: Selector, named: NamedIds) -> list[SelectorTarget]:
    pacticipant_id = named.pacticipants.get(selector.pacticipant)
    if pacticipant_id is None:
        return [SelectorTarget(NoPacticipant(selector=selector), None)]
    if selector.is_name_only:
        return [SelectorTarget(AnyVersion(selector=selector), pacticipant_id)]
    if selector.is_number_only:
        return [_by_number(selector, pacticipant_id, named)]
    return resolve_for_pacticipants(db, [selector], [pacticipant_id])


def _by_number(selector: Selector, pacticipant_id: int, named: NamedIds) -> SelectorTarget:
    version_id = named.versions.get((pacticipant_id, selector.version or ""))
    if version_id is None:
        return SelectorTarget(NoVersion(selector=selector), pacticipant_id)
    return SelectorTarget(FoundVersion(selector=selector, number=selector.version or ""), pacticipant_id, version_id)


def resolve_for_pacticipants(
    db: Connection, selectors: Sequence[Selector], pacticipant_ids: Sequence[int]
) -> list[SelectorTarget]:
    """Resolve selectors that differ in their pacticipants only, all at once."""
    if not selectors:
        return []
    one = selectors[0]
    statement = _matching(_shape(one))
    values = {
        "pacticipant_ids": list(pacticipant_ids),
        "number": one.version,
        "branch": one.branch,
        "tag": one.tag,
        "environment": one.environment,
    }
    found: dict[int, list[Any]] = {one: [] for one in pacticipant_ids}
    for row in fetch_rows(db, statement, values):
        found[row.pacticipant_id].append(row)
    targets: list[SelectorTarget] = []
    for selector, pacticipant_id in zip(selectors, pacticipant_ids, strict=True):
        targets += _targets(selector, pacticipant_id, found[pacticipant_id])
    return targets


def _targets(selector: Selector, pacticipant_id: int, found: Sequence[Any]) -> list[SelectorTarget]:
    if not found:
        return [SelectorTarget(NoVersion(selector=selector), pacticipant_id)]
    if selector.is_latest:
        found = found[:1]
    many = len(found) > 1
    return [
        SelectorTarget(
            FoundVersion(selector=selector, number=row.number, main_branch=row.main_branch, is_one_of_many=many),
            pacticipant_id,
            row.id,
        )
        for row in found
    ]


def _shape(selector: Selector) -> _SelectorShape:
    return _SelectorShape(
        version=selector.version is not None,
        branch=selector.branch is not None,
        tag=selector.tag is not None,
        environment=selector.environment is not None,
        is_main_branch=selector.is_main_branch,
        is_latest=selector.is_latest,
    )


@lru_cache(maxsize=64)
def _matching(shape: _SelectorShape) -> Select[*tuple[Any, ...]]:
    """Build the statement that lists the versions meeting all criteria, the latest first."""
    return (
        select(version.c.id, version.c.pacticipant_id, version.c.number, pacticipant.c.main_branch)
        .join_from(version, pacticipant)
        .where(*_criteria(shape))
        .order_by(version.c.position.desc())
    )


def _criteria(shape: _SelectorShape) -> list[ColumnElement[bool]]:
    criteria = []
    if shape.version:
        criteria.append(and_(version.c.pacticipant_id.in_(_IDS), version.c.number == bindparam("number")))
    if shape.tag:
        criteria.append(version.c.id.in_(_latest_tagged() if _is_tag_head(shape) else _tagged()))
    if shape.branch:
        criteria.append(version.c.id.in_(_on_branch(is_main=False, is_latest=shape.is_latest)))
    if shape.is_main_branch:
        criteria.append(version.c.id.in_(_on_branch(is_main=True, is_latest=shape.is_latest)))
    if shape.environment:
        criteria.append(version.c.id.in_(_in_environment()))
    return criteria or [version.c.id.in_(_latest())]


def _is_tag_head(shape: _SelectorShape) -> bool:
    """Say whether the newest version with the tag is asked for, and nothing else of it."""
    has_more = shape.version or shape.branch or shape.environment or shape.is_main_branch
    return shape.tag and shape.is_latest and not has_more


def _tagged() -> Select[*tuple[Any, ...]]:
    return select(tag.c.version_id).where(tag.c.pacticipant_id.in_(_IDS), tag.c.name == bindparam("tag"))


def _latest_tagged() -> Select[*tuple[Any, ...]]:
    return select(tag_head.c.version_id).where(tag_head.c.pacticipant_id.in_(_IDS), tag_head.c.name == bindparam("tag"))


def _on_branch(*, is_main: bool, is_latest: bool) -> Select[*tuple[Any, ...]]:
    """Select what is on a branch; the latest there is what was put there last."""
    name = _owner.c.main_branch if is_main else bindparam("branch")
    joined = branch.join(_owner)
    if is_latest:
        found = select(branch.c.head_version_id).select_from(joined)
    else:
        on_branch = branch_version.c.branch_id == branch.c.id
        found = select(branch_version.c.version_id).select_from(joined.join(branch_version, on_branch))
    return found.where(_owner.c.id.in_(_IDS), branch.c.name == name)


def _in_environment() -> CompoundSelect[*tuple[Any, ...]]:
    place = select(environment.c.id).where(environment.c.name == bindparam("environment")).scalar_subquery()
    running = select(deployed_version.c.version_id).where(
        deployed_version.c.environment_id == place,
        deployed_version.c.pacticipant_id.in_(_IDS),
        deployed_version.c.undeployed_at.is_(None),
    )
    supported = select(released_version.c.version_id).where(
        released_version.c.environment_id == place,
        released_version.c.pacticipant_id.in_(_IDS),
        released_version.c.support_ended_at.is_(None),
    )
    return union(running, supported)


def _latest() -> Select[*tuple[Any, ...]]:
    newest = version.alias()
    latest = (
        select(newest.c.id).where(newest.c.pacticipant_id == _owner.c.id).order_by(newest.c.position.desc()).limit(1)
    )
    return select(latest.correlate(_owner).scalar_subquery()).where(_owner.c.id.in_(_IDS))
