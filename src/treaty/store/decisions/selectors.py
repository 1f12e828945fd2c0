"""Resolves selectors of the matrix to versions, with one statement for each set of criteria.

Pacticipants and versions given by name are looked up for the whole query at once, since most queries have nothing else.
"""

from collections.abc import Collection, Sequence
from functools import cache, lru_cache
from typing import Any, Final, NamedTuple

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    CompoundSelect,
    Connection,
    Select,
    and_,
    bindparam,
    case,
    null,
    select,
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
from treaty.store.versions import aliases
from treaty.store.versions.aliases import AliasKey


class SelectorTarget(NamedTuple):
    """A resolved selector, with the ids of its pacticipant and version."""

    resolved: ResolvedSelector
    pacticipant_id: int | None
    version_id: int | None = None
    """None unless the selector matches a version."""


class NamedIds(NamedTuple):
    """Ids of the existing pacticipants and versions that a query names, and its environment if it exists."""

    pacticipants: dict[str, int]
    versions: dict[tuple[int, str], int]
    """By the id of the pacticipant and the version number."""
    environments: list[str]
    aliases: dict[AliasKey, str]
    """The numbers of the versions that aliases in the query lead to."""
    recording: list[str]
    """Names of those of the environments that record decisions."""


class _SelectorShape(NamedTuple):
    """The criteria in a statement: the key of the statement cache."""

    version: bool
    branch: bool
    tag: bool
    environment: bool
    is_main_branch: bool
    is_latest: bool


_PACTICIPANT_IDS: Final[BindParameter[Any]] = bindparam("pacticipant_ids", expanding=True)
_has_number: Final = version.c.number.in_(bindparam("numbers", expanding=True))
_numbered: Final = and_(version.c.pacticipant_id == pacticipant.c.id, _has_number)
_NAMED: Final = (
    select(pacticipant.c.id, pacticipant.c.name, version.c.id, version.c.number)
    .outerjoin_from(pacticipant, version, _numbered)
    .where(pacticipant.c.name.in_(bindparam("names", expanding=True)))
)
# The environment comes in the same round trip, as a row without ids.
# Its last column is not null if it records decisions.
_recording: Final = case((environment.c.records_decisions, environment.c.name), else_=null())
_ENVIRONMENT: Final = select(null(), environment.c.name, null(), _recording).where(
    environment.c.name == bindparam("environment")
)
_NAMED_WITH_ENVIRONMENT: Final = union_all(_NAMED, _ENVIRONMENT)
_owner: Final = pacticipant.alias("owner")


def load_named_ids(db: Connection, selectors: Collection[Selector], environment: str | None = None) -> NamedIds:
    """Look up the pacticipants, versions and environment that a query names. The result has only those that exist."""
    names = list({selector.pacticipant for selector in selectors})
    # Each number is looked up for each pacticipant: a few needless hits on an index cost less than pairs in SQL.
    numbers = list({selector.version or "" for selector in selectors})
    values = {"names": names, "numbers": numbers, "environment": environment}
    named = NamedIds({}, {}, [], {}, [])
    for pacticipant_id, name, version_id, number in fetch_rows(
        db, _NAMED_WITH_ENVIRONMENT if environment else _NAMED, values
    ):
        if pacticipant_id is None:
            named.environments.append(name)
            named.recording.extend([name] if number else [])
            continue
        named.pacticipants[name] = pacticipant_id
        if version_id is not None:
            named.versions[pacticipant_id, number] = version_id
    _add_aliases(db, selectors, named)
    return named


def _add_aliases(db: Connection, selectors: Collection[Selector], named: NamedIds) -> None:
    """Look up aliases. Most queries name versions that exist, and need no statement for this."""
    missing = {
        (selector.pacticipant, selector.version)
        for selector in selectors
        if selector.version and (named.pacticipants.get(selector.pacticipant), selector.version) not in named.versions
    }
    for (owner, name), (number, version_id) in aliases.find_versions(db, missing).items():
        named.aliases[owner, name] = number
        named.versions[named.pacticipants[owner], number] = version_id


def resolve(db: Connection, selectors: Sequence[Selector], named: NamedIds) -> list[SelectorTarget]:
    """Resolve the selectors of a query, given the ids of its names.

    A selector has as many targets as it matches versions; without a match it has one target, of `NoVersion`. One that
    names a version by an alias becomes a selector of that version.
    """
    if named.aliases:
        selectors = [_without_alias(selector, named) for selector in selectors]
    return [target for selector in selectors for target in _resolve_selector(db, selector, named)]


def _without_alias(selector: Selector, named: NamedIds) -> Selector:
    number = named.aliases.get((selector.pacticipant, selector.version or ""))
    return selector if number is None else selector._replace(version=number)


def _resolve_selector(db: Connection, selector: Selector, named: NamedIds) -> list[SelectorTarget]:
    pacticipant_id = named.pacticipants.get(selector.pacticipant)
    if pacticipant_id is None:
        return [SelectorTarget(NoPacticipant(selector=selector), None)]
    if selector.is_name_only:
        return [SelectorTarget(AnyVersion(selector=selector), pacticipant_id)]
    if selector.is_number_only:
        return [_resolve_number(selector, pacticipant_id, named)]
    return resolve_for_pacticipants(db, [selector], [pacticipant_id])


def _resolve_number(selector: Selector, pacticipant_id: int, named: NamedIds) -> SelectorTarget:
    version_id = named.versions.get((pacticipant_id, selector.version or ""))
    if version_id is None:
        return SelectorTarget(NoVersion(selector=selector), pacticipant_id)
    return SelectorTarget(FoundVersion(selector=selector, number=selector.version or ""), pacticipant_id, version_id)


def resolve_for_pacticipants(
    db: Connection, selectors: Sequence[Selector], pacticipant_ids: Sequence[int]
) -> list[SelectorTarget]:
    """Resolve selectors that differ only in their pacticipants, with one statement.

    A destination has the same criteria for all partners of a pacticipant, of which there may be hundreds.
    """
    if not selectors:
        return []
    criteria = selectors[0]
    statement = _versions_statement(_derive_shape(criteria))
    values = {
        "pacticipant_ids": list(pacticipant_ids),
        "number": criteria.version,
        "branch": criteria.branch,
        "tag": criteria.tag,
        "environment": criteria.environment,
    }
    versions: dict[int, list[Any]] = {pacticipant_id: [] for pacticipant_id in pacticipant_ids}
    for row in fetch_rows(db, statement, values):
        versions[row.pacticipant_id].append(row)
    targets: list[SelectorTarget] = []
    for selector, pacticipant_id in zip(selectors, pacticipant_ids, strict=True):
        targets += _build_targets(selector, pacticipant_id, versions[pacticipant_id])
    return targets


def list_ids_in_environment(
    db: Connection, environment_name: str, pacticipant_ids: Sequence[int]
) -> Sequence[tuple[int, int]]:
    """List the ids of the versions of pacticipants in an environment, each with the id of its pacticipant."""
    if not pacticipant_ids:
        return []
    values = {"pacticipant_ids": pacticipant_ids, "environment": environment_name}
    return [(row.id, row.pacticipant_id) for row in fetch_rows(db, _in_environment_statement(), values)]


@cache
def _in_environment_statement() -> Select[*tuple[Any, ...]]:
    return select(version.c.id, version.c.pacticipant_id).where(version.c.id.in_(_versions_in_environment()))


def _build_targets(selector: Selector, pacticipant_id: int, versions: Sequence[Any]) -> list[SelectorTarget]:
    if not versions:
        return [SelectorTarget(NoVersion(selector=selector), pacticipant_id)]
    if selector.is_latest:
        # Rows are sorted by position, so the first of those that meet the other criteria is the latest.
        versions = versions[:1]
    is_one_of_many = len(versions) > 1
    return [
        SelectorTarget(
            FoundVersion(
                selector=selector, number=row.number, main_branch=row.main_branch, is_one_of_many=is_one_of_many
            ),
            pacticipant_id,
            row.id,
        )
        for row in versions
    ]


def _derive_shape(selector: Selector) -> _SelectorShape:
    return _SelectorShape(
        version=selector.version is not None,
        branch=selector.branch is not None,
        tag=selector.tag is not None,
        environment=selector.environment is not None,
        is_main_branch=selector.is_main_branch,
        is_latest=selector.is_latest,
    )


@lru_cache(maxsize=64)
def _versions_statement(shape: _SelectorShape) -> Select[*tuple[Any, ...]]:
    """Build the statement that lists the versions that meet all criteria, the latest first."""
    return (
        select(version.c.id, version.c.pacticipant_id, version.c.number, pacticipant.c.main_branch)
        .join_from(version, pacticipant)
        .where(*_criteria(shape))
        .order_by(version.c.position.desc())
    )


def _criteria(shape: _SelectorShape) -> list[ColumnElement[bool]]:
    criteria = []
    if shape.version:
        criteria.append(and_(version.c.pacticipant_id.in_(_PACTICIPANT_IDS), version.c.number == bindparam("number")))
    if shape.tag:
        # The latest version with a tag is denormalized as the head of the tag. Where there are other criteria too, the
        # latest version that meets all of them need not be the head.
        is_tag_alone = not (shape.version or shape.branch or shape.environment or shape.is_main_branch)
        table = tag_head if shape.is_latest and is_tag_alone else tag
        has_tag = table.c.name == bindparam("tag")
        criteria.append(
            version.c.id.in_(select(table.c.version_id).where(table.c.pacticipant_id.in_(_PACTICIPANT_IDS), has_tag))
        )
    if shape.branch:
        criteria.append(version.c.id.in_(_versions_on_branch(is_main=False, is_latest=shape.is_latest)))
    if shape.is_main_branch:
        criteria.append(version.c.id.in_(_versions_on_branch(is_main=True, is_latest=shape.is_latest)))
    if shape.environment:
        criteria.append(version.c.id.in_(_versions_in_environment()))
    return criteria or [version.c.id.in_(_latest_versions())]


def _versions_on_branch(*, is_main: bool, is_latest: bool) -> Select[*tuple[Any, ...]]:
    """Select the versions of a branch, or its head: the version added to the branch last.

    The head is not the version of the highest position, as a version may be added to another branch later. Both the
    branch and other criteria must then hold for the head, as in the original.
    """
    name = _owner.c.main_branch if is_main else bindparam("branch")
    joined = branch.join(_owner)
    if is_latest:
        versions = select(branch.c.head_version_id).select_from(joined)
    else:
        is_on_branch = branch_version.c.branch_id == branch.c.id
        versions = select(branch_version.c.version_id).select_from(joined.join(branch_version, is_on_branch))
    return versions.where(_owner.c.id.in_(_PACTICIPANT_IDS), branch.c.name == name)


def _versions_in_environment() -> CompoundSelect[*tuple[Any, ...]]:
    """Select the versions that are currently deployed to an environment, or released there and still supported."""
    environment_id = select(environment.c.id).where(environment.c.name == bindparam("environment")).scalar_subquery()
    deployed = select(deployed_version.c.version_id).where(
        deployed_version.c.environment_id == environment_id,
        deployed_version.c.pacticipant_id.in_(_PACTICIPANT_IDS),
        deployed_version.c.undeployed_at.is_(None),
    )
    supported = select(released_version.c.version_id).where(
        released_version.c.environment_id == environment_id,
        released_version.c.pacticipant_id.in_(_PACTICIPANT_IDS),
        released_version.c.support_ended_at.is_(None),
    )
    # The result is a set anyway, as the right side of IN, so that a union would only remove repetitions twice.
    return union_all(deployed, supported)


def _latest_versions() -> Select[*tuple[Any, ...]]:
    """Select the latest version of each pacticipant, by a lookup in the index of positions for each."""
    newest = version.alias()
    latest = (
        select(newest.c.id).where(newest.c.pacticipant_id == _owner.c.id).order_by(newest.c.position.desc()).limit(1)
    )
    return select(latest.correlate(_owner).scalar_subquery()).where(_owner.c.id.in_(_PACTICIPANT_IDS))
