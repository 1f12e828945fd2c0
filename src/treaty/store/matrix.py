"""The facts that the matrix decides by: only what a question needs, all of it read in one transaction."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, NamedTuple

from sqlalchemy import BindParameter, Connection, Select, Table, and_, bindparam, literal, select, union_all

from treaty.errors import NotFound
from treaty.model.matrix import (
    BranchOfVersion,
    EnvironmentOfVersion,
    Facts,
    Integration,
    TagOfVersion,
    VersionInMatrix,
    VersionKey,
)
from treaty.model.pacticipant import Pacticipant
from treaty.model.question import Question
from treaty.model.selector import FoundVersion, NoVersion, Selector
from treaty.store import branches, matrix_rows, selectors
from treaty.store.database import rows
from treaty.store.matrix_rows import MANY, RowWithIds, Scope
from treaty.store.selectors import Named, Target
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
)


@dataclass(frozen=True, slots=True)
class Found:
    """The facts, and the ids of the versions in their rows."""

    facts: Facts
    version_ids: dict[int, VersionKey]


def facts(db: Connection, question: Question, named: Named) -> Found:
    """Find the facts for a question whose names were looked up and found."""
    ignored = selectors.resolved(db, question.ignore, named)
    specified = selectors.resolved(db, question.selectors, named)
    wanted = _Ids.of(specified)
    integrations, ids = _integrations(db, wanted, is_inferring=question.destination.is_given)
    inferred = _inferred(db, question, integrations, ids)
    found = matrix_rows.of(db, _scope(question, wanted, [*specified, *inferred]))
    return Found(
        Facts(
            specified=[one.resolved for one in specified],
            inferred=[one.resolved for one in inferred],
            ignored=[one.resolved for one in ignored],
            integrations=integrations,
            rows=[one.row for one in found],
        ),
        _versions(found),
    )


class Missing(NotFound):
    """What a question takes for granted does not exist: a pacticipant, a branch, a version or an environment."""

    def __init__(self, what: str) -> None:
        super().__init__()
        self.what = what


def facts_of_existing(db: Connection, question: Question) -> Found:
    """Find the facts for a question that makes sense only where all that it names exists. Raises Missing."""
    environment = question.destination.environment
    named = selectors.named(db, question.selectors, environment)
    if not all(one.pacticipant in named.pacticipants for one in question.selectors):
        raise Missing("pacticipant")
    found = facts(db, question, named)
    for one in found.facts.specified:
        if isinstance(one, NoVersion):
            raise Missing("branch" if _is_branch_missing(db, one.selector) else "version")
    if environment is not None and not named.environments:
        raise Missing("environment")
    return found


def _is_branch_missing(db: Connection, selector: Selector) -> bool:
    return selector.branch is not None and branches.find(db, selector.pacticipant, selector.branch) is None


def find_main_number(db: Connection, main: Pacticipant) -> str | None:
    """Find the latest version of the main branch, or else the latest that is tagged with its name."""
    if main.main_branch is None:
        return None
    named = selectors.named(db, [Selector(pacticipant=main.name)])
    for selector in (
        Selector(pacticipant=main.name, branch=main.main_branch, is_latest=True),
        Selector(pacticipant=main.name, tag=main.main_branch, is_latest=True),
    ):
        for target in selectors.resolved(db, [selector], named):
            if isinstance(target.resolved, FoundVersion):
                return target.resolved.number
    return None


def _versions(found: Iterable[RowWithIds]) -> dict[int, VersionKey]:
    ids: dict[int, VersionKey] = {}
    for one in found:
        ids[one.consumer_version_id] = (one.row.consumer, one.row.consumer_version)
        if one.provider_version_id is not None and one.row.provider_version is not None:
            ids[one.provider_version_id] = (one.row.provider, one.row.provider_version)
    return ids


def _inferred(
    db: Connection, question: Question, integrations: Sequence[Integration], ids: Mapping[str, int]
) -> list[Target]:
    """Find where the pacticipants that were not asked about stand at the destination."""
    if not question.destination.is_given:
        return []
    given = {one.pacticipant for one in question.selectors}
    names = dict.fromkeys([name for one in integrations for name in (one.consumer, one.provider) if name not in given])
    chosen = [question.destination.selector(name) for name in names]
    return selectors.matching(db, chosen, [ids[one.pacticipant] for one in chosen])


class _Ids(NamedTuple):
    """Whom targets are about, each once."""

    versions: list[int]
    pacticipants: list[int]
    """Those of which any version counts."""
    everyone: list[int]
    is_of_one: bool

    @classmethod
    def of(cls, targets: Sequence[Target]) -> "_Ids":
        versions, pacticipants, everyone = dict[int, None](), dict[int, None](), dict[int, None]()
        for resolved, pacticipant_id, version_id in targets:
            if version_id is not None:
                versions[version_id] = None
            if pacticipant_id is not None:
                everyone[pacticipant_id] = None
                if resolved.selector.is_name_only:
                    pacticipants[pacticipant_id] = None
        return cls(list(versions), list(pacticipants), list(everyone), len(targets) == 1)


def _scope(question: Question, specified: _Ids, everyone: Sequence[Target]) -> Scope:
    ids = _Ids.of(everyone)
    return Scope(
        versions=ids.versions,
        pacticipants=ids.pacticipants,
        everyone=ids.everyone,
        specified=specified.everyone,
        is_of_one=ids.is_of_one,
        only_latest=question.latest_by is not None,
        limit=question.limit,
    )


_consumer: Final = pacticipant.alias("consumer")
_provider: Final = pacticipant.alias("provider")


class _Shape(NamedTuple):
    has_versions: bool
    has_pacticipants: bool
    is_open: bool
    """Whether all partners count, rather than those that were asked about."""
    has_many: bool


def _integrations(db: Connection, wanted: _Ids, *, is_inferring: bool) -> tuple[list[Integration], dict[str, int]]:
    """List the integrations that matter, in order of their names, and the ids of their pacticipants."""
    versions, pacticipants, everyone, is_of_one = wanted
    is_open = is_inferring or is_of_one
    if not (is_open or versions or pacticipants):
        return [], {}
    has_many = len(versions) > MANY or len(everyone) > MANY
    statement = _integrations_statement(_Shape(bool(versions), bool(pacticipants), is_open, has_many))
    ids: dict[str, int] = {}
    required: dict[tuple[str, str], bool] = {}
    for row in rows(db, statement, {"versions": versions, "pacticipants": pacticipants, "everyone": everyone}):
        consumer_id, consumer, provider_id, provider, is_required = row
        ids[consumer], ids[provider] = consumer_id, provider_id
        required[consumer, provider] = required.get((consumer, provider), False) or bool(is_required)
    pairs = sorted(required, key=_in_order) if len(required) > 1 else required
    return [Integration(consumer=one[0], provider=one[1], is_required=required[one]) for one in pairs], ids


def _in_order(pair: tuple[str, str]) -> tuple[bytes, bytes]:
    consumer, provider = pair
    return consumer.encode(), provider.encode()


@lru_cache(maxsize=16)
def _integrations_statement(shape: _Shape) -> Select[*tuple[Any, ...]]:
    pairs = union_all(*_pairs(shape)).subquery("pairs")
    return (
        select(_consumer.c.id, _consumer.c.name, _provider.c.id, _provider.c.name, pairs.c.is_required)
        .select_from(pairs)
        .join(_consumer, _consumer.c.id == pairs.c.consumer_id)
        .join(_provider, _provider.c.id == pairs.c.provider_id)
    )


def _pairs(shape: _Shape) -> Iterable[Select[*tuple[Any, ...]]]:
    def ids(name: str) -> Any:
        return bindparam(name, expanding=True, literal_execute=shape.has_many)

    required, optional = literal(1).label("is_required"), literal(0).label("is_required")
    published = select(publication.c.consumer_id, publication.c.provider_id, required).distinct()
    published = published.where(publication.c.consumer_version_id.in_(ids("versions")), publication.c.is_current)
    ever = select(integration.c.consumer_id, integration.c.provider_id, required)
    has_pacts = integration.c.latest_publication_id.is_not(None)
    ever = ever.where(integration.c.consumer_id.in_(ids("pacticipants")), has_pacts)
    if shape.has_versions:
        yield published if shape.is_open else published.where(publication.c.provider_id.in_(ids("everyone")))
    if shape.has_pacticipants:
        yield ever if shape.is_open else ever.where(integration.c.provider_id.in_(ids("everyone")))
    if shape.is_open:
        consumers = select(integration.c.consumer_id, integration.c.provider_id, optional)
        yield consumers.where(integration.c.provider_id.in_(ids("everyone")))


_VERSIONS: Final[BindParameter[Any]] = bindparam("versions", expanding=True)
_BRANCHES: Final = (
    select(branch_version.c.version_id, branch.c.name, branch.c.head_version_id)
    .join_from(branch_version, branch, branch.c.id == branch_version.c.branch_id)
    .where(branch_version.c.version_id.in_(_VERSIONS))
    .order_by(branch_version.c.id)
)
_is_head: Final = and_(tag_head.c.pacticipant_id == tag.c.pacticipant_id, tag_head.c.name == tag.c.name)
_TAGS: Final = (
    select(tag.c.version_id, tag.c.name, tag_head.c.version_id)
    .outerjoin_from(tag, tag_head, _is_head)
    .where(tag.c.version_id.in_(_VERSIONS))
    .order_by(tag.c.created_at, tag.c.id)
)


def _present(table: Table, ended_at: str) -> Select[*tuple[Any, ...]]:
    shown = ("uuid", "name", "display_name", "is_production", "created_at", "updated_at")
    return (
        select(table.c.version_id, *(environment.c[name] for name in shown), table.c.created_at.label("since"))
        .join_from(table, environment, environment.c.id == table.c.environment_id)
        .where(table.c.version_id.in_(_VERSIONS), table.c[ended_at].is_(None))
    )


_ENVIRONMENTS: Final = union_all(
    _present(deployed_version, "undeployed_at"), _present(released_version, "support_ended_at")
).order_by("since")
_CHUNK: Final = 1000
"""How many versions a statement asks for at once, as databases limit how many parameters it may have."""


def versions(
    db: Connection, ids: Mapping[int, VersionKey], wanted: Collection[VersionKey]
) -> dict[VersionKey, VersionInMatrix]:
    """Find what rows show of their versions."""
    found: dict[VersionKey, _Details] = {key: _Details([], [], []) for key in wanted}
    details = {version_id: found[key] for version_id, key in ids.items() if key in found}
    chosen = list(details)
    for start in range(0, len(chosen), _CHUNK):
        values = {"versions": chosen[start : start + _CHUNK]}
        for version_id, name, head_id in rows(db, _BRANCHES, values):
            details[version_id].branches.append(BranchOfVersion(name, head_id == version_id))
        for version_id, name, head_id in rows(db, _TAGS, values):
            details[version_id].tags.append(TagOfVersion(name, head_id == version_id))
        for row in rows(db, _ENVIRONMENTS, values):
            details[row[0]].environments.append(EnvironmentOfVersion._make(row[1:-1]))
    return {key: one.shown() for key, one in found.items()}


class _Details(NamedTuple):
    branches: list[BranchOfVersion]
    tags: list[TagOfVersion]
    environments: list[EnvironmentOfVersion]

    def shown(self) -> VersionInMatrix:
        """Leave repetitions out: a version may run in several instances of an environment."""
        branches, tags, environments = self
        return VersionInMatrix(tuple(branches), tuple(tags), tuple(dict.fromkeys(environments)))
