"""The facts that the matrix decides by: only what a question needs, all of it read in one transaction."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Final, NamedTuple

from sqlalchemy import BindParameter, Connection, Select, Table, and_, bindparam, select, union_all

from treaty.errors import NotFound
from treaty.model.decisions.matrix import (
    BranchSummary,
    EnvironmentSummary,
    MatrixFacts,
    TagSummary,
    VersionKey,
    VersionSummary,
)
from treaty.model.decisions.queries import MatrixQuery
from treaty.model.decisions.selectors import AnyVersion, FoundVersion, NoVersion, Selector
from treaty.model.pacticipants.pacticipants import Pacticipant
from treaty.store.decisions import matrix_rows, matrix_summary, selectors
from treaty.store.decisions.matrix_rows import MAX_BOUND_IDS, NO_ID, MatrixScope, RowWithIds
from treaty.store.decisions.selectors import NamedIds, SelectorTarget
from treaty.store.engine.database import fetch_rows, fetch_tuples
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
from treaty.store.versions import branches


@dataclass(frozen=True, slots=True)
class FactsWithIds:
    """The facts, and the ids of the versions in their rows."""

    facts: MatrixFacts
    version_ids: dict[int, VersionKey]


def load_facts(db: Connection, question: MatrixQuery, named: NamedIds) -> FactsWithIds:
    """Find the facts for a question whose names were looked up and found."""
    ignored = selectors.resolve(db, question.ignore, named)
    specified = selectors.resolve(db, question.selectors, named)
    asked = _Ids.of(specified)
    inferred, replaced = _at_destination(db, question, specified, asked)
    scope = _scope(question, specified, asked, inferred, replaced, ignored)
    found = matrix_rows.list_rows(db, scope)
    chosen = MatrixFacts(
        specified=[one.resolved for one in specified],
        inferred=[one.resolved for one in (*inferred, *replaced)],
        ignored=[one.resolved for one in ignored],
        rows=[one.row for one in found],
    )
    if question.limit is None or len(found) <= question.limit:
        return FactsWithIds(chosen, _versions(found))
    survey, shown = matrix_summary.summarize(db, scope, question, chosen.ignored, found)
    return FactsWithIds(replace(chosen, rows=(), rows_summary=survey), _versions(shown))


class MatrixSubjectNotFound(NotFound):
    """What a question takes for granted does not exist: a pacticipant, a branch, a version or an environment."""

    def __init__(self, what: str) -> None:
        super().__init__()
        self.what = what


def load_facts_of_existing(db: Connection, question: MatrixQuery) -> FactsWithIds:
    """Find the facts for a question that makes sense only where all that it names exists. Raises Missing."""
    environment = question.destination.environment
    named = selectors.load_named_ids(db, question.selectors, environment)
    if not all(one.pacticipant in named.pacticipants for one in question.selectors):
        raise MatrixSubjectNotFound("pacticipant")
    found = load_facts(db, question, named)
    for one in found.facts.specified:
        if isinstance(one, NoVersion):
            raise MatrixSubjectNotFound("branch" if _is_branch_missing(db, one.selector) else "version")
    if environment is not None and not named.environments:
        raise MatrixSubjectNotFound("environment")
    return found


def _is_branch_missing(db: Connection, selector: Selector) -> bool:
    return selector.branch is not None and branches.find(db, selector.pacticipant, selector.branch) is None


def find_main_branch_version(db: Connection, main: Pacticipant) -> str | None:
    """Find the latest version of the main branch, or else the latest that is tagged with its name."""
    if main.main_branch is None:
        return None
    named = selectors.load_named_ids(db, [Selector(pacticipant=main.name)])
    for selector in (
        Selector(pacticipant=main.name, branch=main.main_branch, is_latest=True),
        Selector(pacticipant=main.name, tag=main.main_branch, is_latest=True),
    ):
        for target in selectors.resolve(db, [selector], named):
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


def _at_destination(
    db: Connection, question: MatrixQuery, specified: Sequence[SelectorTarget], asked: "_Ids"
) -> tuple[list[SelectorTarget], list[SelectorTarget]]:
    """Find the versions at the destination of all that have contracts with those asked about.

    The second list has live versions of those asked about, where these have contracts with themselves: they run beside
    the version asked about, at least while it replaces them.
    """
    if not question.destination.is_set:
        return [], []
    partners = _partners(db, asked)
    everyone = asked.all_pacticipants
    chosen = {one.id: one.name for one in partners if one.id not in everyone}
    itself = {one.id: one.name for one in partners if one.is_itself and question.destination.has_live_versions}
    chosen |= itself
    names = [question.destination.selector(name) for name in chosen.values()]
    targets = selectors.resolve_for_pacticipants(db, names, list(chosen))
    if not itself:
        return targets, []
    inferred = [one for one in targets if one.pacticipant_id not in everyone]
    return inferred, _replaced(specified, [one for one in targets if one.pacticipant_id in everyone])


def _replaced(specified: Sequence[SelectorTarget], live: Sequence[SelectorTarget]) -> list[SelectorTarget]:
    """Choose the live versions that are not asked about, of pacticipants of which certain versions are."""
    versions = {one.version_id for one in specified}
    certain = {one.pacticipant_id for one in specified if one.version_id is not None}
    certain -= {one.pacticipant_id for one in specified if isinstance(one.resolved, AnyVersion)}
    return [
        one
        for one in live
        if one.version_id is not None and one.version_id not in versions and one.pacticipant_id in certain
    ]


class _Ids(NamedTuple):
    """The ids of targets, each once."""

    versions: list[int]
    pacticipants: list[int]
    """Those of which any version counts."""
    all_pacticipants: list[int]

    def and_inferred(self, targets: Sequence[SelectorTarget]) -> "_Ids":
        """Add targets of other pacticipants."""
        if not targets:
            return self
        versions, pacticipants, everyone = _Ids.of(targets)
        return _Ids(
            [*self.versions, *versions], [*self.pacticipants, *pacticipants], [*self.all_pacticipants, *everyone]
        )

    @classmethod
    def of(cls, targets: Sequence[SelectorTarget]) -> "_Ids":
        versions, pacticipants, everyone = dict[int, None](), dict[int, None](), dict[int, None]()
        for resolved, pacticipant_id, version_id in targets:
            if version_id is not None:
                versions[version_id] = None
            if pacticipant_id is not None:
                everyone[pacticipant_id] = None
                if resolved.selector.is_name_only:
                    pacticipants[pacticipant_id] = None
        return cls(list(versions), list(pacticipants), list(everyone))


def _scope(
    question: MatrixQuery,
    specified: Sequence[SelectorTarget],
    asked: _Ids,
    inferred: Sequence[SelectorTarget],
    replaced: Sequence[SelectorTarget],
    ignored: Sequence[SelectorTarget],
) -> MatrixScope:
    ids, left_out = asked.and_inferred(inferred), _Ids.of(ignored) if ignored else _NO_IDS
    return MatrixScope(
        versions=ids.versions,
        pacticipants=ids.pacticipants,
        all_pacticipants=ids.all_pacticipants,
        specified=asked.all_pacticipants,
        replaced=_Ids.of(replaced).versions if replaced else (),
        pair=_pair(specified) if question.is_one_way else None,
        is_of_one=len(asked.all_pacticipants) == 1 and _is_of_anyone(question, specified),
        latest_by=question.latest_by,
        limit=question.limit,
        ignored_versions=left_out.versions,
        ignored_pacticipants=left_out.pacticipants,
    )


def _is_of_anyone(question: MatrixQuery, specified: Sequence[SelectorTarget]) -> bool:
    """Whether anyone may be on the other side of contracts with the only pacticipant asked about.

    For one selector that finds several versions the API looks at contracts between these only, as the original does.
    """
    if question.is_one_way or question.destination.is_set:
        return False
    return len(specified) == 1 or len(question.selectors) > 1 or not question.counts_superseded


def _pair(specified: Sequence[SelectorTarget]) -> tuple[int, int]:
    consumer, provider = (one.pacticipant_id or NO_ID for one in specified)
    return consumer, provider


_NO_IDS: Final = _Ids([], [], [])


class _Partner(NamedTuple):
    """The other side of a contract with a pacticipant asked about."""

    name: str
    id: int
    is_itself: bool


def _partners(db: Connection, asked: _Ids) -> list[_Partner]:
    """List the other sides of contracts with the pacticipants asked about, in order of their names."""
    if not asked.all_pacticipants:
        return []
    has_many = len(asked.versions) > MAX_BOUND_IDS or len(asked.all_pacticipants) > MAX_BOUND_IDS
    statement = _partners_statement(bool(asked.versions), bool(asked.pacticipants), has_many)
    return sorted(fetch_tuples(db, statement, asked._asdict(), _Partner))


@lru_cache(maxsize=16)
def _partners_statement(has_versions: bool, has_pacticipants: bool, has_many_ids: bool) -> Select[*tuple[Any, ...]]:  # noqa: FBT001 - a shape
    def ids(name: str) -> Any:
        return bindparam(name, expanding=True, literal_execute=has_many_ids)

    of_itself = integration.c.consumer_id == integration.c.provider_id
    consumers = select(integration.c.consumer_id.label("id"), of_itself.label("is_itself"))
    found = [consumers.where(integration.c.provider_id.in_(ids("all_pacticipants")))]
    if has_versions:
        of_version = and_(publication.c.consumer_version_id.in_(ids("versions")), publication.c.is_current)
        found.append(
            select(publication.c.provider_id, publication.c.consumer_id == publication.c.provider_id).where(of_version)
        )
    if has_pacticipants:
        has_pacts = integration.c.latest_publication_id.is_not(None)
        of_any = and_(integration.c.consumer_id.in_(ids("pacticipants")), has_pacts)
        found.append(select(integration.c.provider_id, of_itself).where(of_any))
    partner = (union_all(*found) if len(found) > 1 else found[0]).subquery("partner")
    return select(pacticipant.c.name, pacticipant.c.id, partner.c.is_itself).join(
        partner, partner.c.id == pacticipant.c.id
    )


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


def load_versions(
    db: Connection, ids: Mapping[int, VersionKey], wanted: Collection[VersionKey]
) -> dict[VersionKey, VersionSummary]:
    """Find what rows show of their versions."""
    found: dict[VersionKey, _Details] = {key: _Details([], [], []) for key in wanted}
    details = {version_id: found[key] for version_id, key in ids.items() if key in found}
    chosen = list(details)
    for start in range(0, len(chosen), _CHUNK):
        values = {"versions": chosen[start : start + _CHUNK]}
        for version_id, name, head_id in fetch_rows(db, _BRANCHES, values):
            details[version_id].branches.append(BranchSummary(name, head_id == version_id))
        for version_id, name, head_id in fetch_rows(db, _TAGS, values):
            details[version_id].tags.append(TagSummary(name, head_id == version_id))
        for row in fetch_rows(db, _ENVIRONMENTS, values):
            details[row[0]].environments.append(EnvironmentSummary._make(row[1:-1]))
    return {key: one.shown() for key, one in found.items()}


class _Details(NamedTuple):
    branches: list[BranchSummary]
    tags: list[TagSummary]
    environments: list[EnvironmentSummary]

    def shown(self) -> VersionSummary:
        """Leave repetitions out: a version may run in several instances of an environment."""
        branches, tags, environments = self
        return VersionSummary(tuple(branches), tuple(tags), tuple(dict.fromkeys(environments)))
