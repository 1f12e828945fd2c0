"""The facts of the matrix: loads what a query needs to be decided, in one transaction.

A decision never mixes two states of the database, since reads see one snapshot (see ARCHITECTURE.md). The number of
statements depends on the query, not on the number of versions or results.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from operator import attrgetter
from typing import Any, Final, NamedTuple

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Connection,
    Select,
    Table,
    and_,
    bindparam,
    literal_column,
    null,
    select,
    type_coerce,
    union_all,
)
from sqlalchemy.types import NullType

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
from treaty.store.decisions.comparison_gaps import CompletedRows, complete_rows, complete_summary
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


class FactsWithIds(NamedTuple):
    """The facts of a query, and the versions in their rows by id."""

    facts: MatrixFacts
    version_keys: dict[int, VersionKey]
    records_decisions: bool = False
    """Whether the environment of the query records decisions."""


def load_facts(db: Connection, query: MatrixQuery, named: NamedIds) -> FactsWithIds:
    """Load the facts of a valid query, given the ids of the names in it.

    Selectors are resolved to versions first, then those of the other pacticipants at the destination are inferred. The
    rows between all of these versions decide.
    """
    ignored = selectors.resolve(db, query.ignore, named)
    specified = selectors.resolve(db, query.selectors, named)
    specified_ids = TargetIds.collect(specified)
    inferred, replaced = _resolve_destination(db, query, specified, specified_ids)
    scope = _narrow(db, _build_scope(query, specified, specified_ids, inferred, replaced, ignored))
    rows = matrix_rows.list_rows(db, scope)
    ignored_selectors = [target.resolved for target in ignored]
    summary = None
    if query.limit is None or len(rows) <= query.limit:
        completed = complete_rows(db, rows, ignored_selectors)
        shown: Sequence[RowWithIds] = rows
    else:
        # More rows than the response shows still decide: the database counts them.
        summary, shown = matrix_summary.summarize(db, scope, query, ignored_selectors, rows)
        summary = complete_summary(db, scope, query, summary)
        completed = CompletedRows((), {})
    facts = MatrixFacts(
        specified=[target.resolved for target in specified],
        inferred=[target.resolved for target in (*inferred, *replaced)],
        ignored=ignored_selectors,
        rows=completed.rows,
        rows_summary=summary,
        gaps=completed.gaps,
        aliases=named.aliases,
    )
    return FactsWithIds(facts, _version_keys(shown), bool(named.recording))


class MatrixSubjectNotFound(NotFound):
    """A pacticipant, branch, version or environment of a query does not exist; `subject` is which of these."""

    def __init__(self, subject: str) -> None:
        super().__init__()
        self.subject = subject


def load_facts_of_existing(db: Connection, query: MatrixQuery) -> FactsWithIds:
    """Load the facts of a query about a resource in a path. Raises MatrixSubjectNotFound.

    A missing pacticipant is reported before a missing version, and a missing environment last, as in the original.
    """
    environment = query.destination.environment
    named = selectors.load_named_ids(db, query.selectors, environment)
    if not all(selector.pacticipant in named.pacticipants for selector in query.selectors):
        raise MatrixSubjectNotFound("pacticipant")
    facts_with_ids = load_facts(db, query, named)
    for resolved in facts_with_ids.facts.specified:
        if isinstance(resolved, NoVersion):
            raise MatrixSubjectNotFound("branch" if _is_branch_missing(db, resolved.selector) else "version")
    if environment is not None and not named.environments:
        raise MatrixSubjectNotFound("environment")
    return facts_with_ids


def _is_branch_missing(db: Connection, selector: Selector) -> bool:
    return selector.branch is not None and branches.find(db, selector.pacticipant, selector.branch) is None


def find_main_branch_version(db: Connection, subject: Pacticipant) -> str | None:
    """Find the number of the latest version on the main branch, or else of the latest with a tag of its name."""
    if subject.main_branch is None:
        return None
    named = selectors.load_named_ids(db, [Selector(pacticipant=subject.name)])
    for selector in (
        Selector(pacticipant=subject.name, branch=subject.main_branch, is_latest=True),
        # Before there were branches, builds tagged their versions with the name of the branch.
        Selector(pacticipant=subject.name, tag=subject.main_branch, is_latest=True),
    ):
        for target in selectors.resolve(db, [selector], named):
            if isinstance(target.resolved, FoundVersion):
                return target.resolved.number
    return None


def _version_keys(rows: Iterable[RowWithIds]) -> dict[int, VersionKey]:
    keys: dict[int, VersionKey] = {}
    for row, consumer_version_id, provider_version_id, *_ in rows:
        keys[consumer_version_id] = (row.consumer, row.consumer_version)
        if provider_version_id is not None and row.provider_version is not None:
            keys[provider_version_id] = (row.provider, row.provider_version)
    return keys


def _resolve_destination(
    db: Connection, query: MatrixQuery, specified: Sequence[SelectorTarget], specified_ids: "TargetIds"
) -> tuple[list[SelectorTarget], list[SelectorTarget]]:
    """Find the versions at the destination of all partners of the specified pacticipants.

    The second list has live versions of the specified pacticipants themselves, if these have contracts with themselves:
    they run beside the new version, at least while it replaces them. (The original accepts a result of any version.)
    """
    if not query.destination.is_set:
        return [], []
    partners = list_partners(db, specified_ids)
    specified_pacticipants = frozenset(specified_ids.pacticipant_ids)
    names = {partner.id: partner.name for partner in partners if partner.id not in specified_pacticipants}
    with_itself = {
        partner.id: partner.name for partner in partners if partner.is_itself and query.destination.has_live_versions
    }
    names |= with_itself
    # All partners have the same criteria, so that one statement resolves them, however many they are.
    destination_selectors = [query.destination.selector(name) for name in names.values()]
    targets = selectors.resolve_for_pacticipants(db, destination_selectors, list(names))
    if not with_itself:
        return targets, []
    inferred = [target for target in targets if target.pacticipant_id not in specified_pacticipants]
    live = [target for target in targets if target.pacticipant_id in specified_pacticipants]
    return inferred, _select_replaced(specified, live)


def _select_replaced(specified: Sequence[SelectorTarget], live: Sequence[SelectorTarget]) -> list[SelectorTarget]:
    """Select the live versions that specified versions would replace.

    A pacticipant specified as a whole replaces nothing: any of its versions counts already.
    """
    version_ids = {target.version_id for target in specified}
    with_version = {target.pacticipant_id for target in specified if target.version_id is not None}
    with_version -= {target.pacticipant_id for target in specified if isinstance(target.resolved, AnyVersion)}
    return [
        target
        for target in live
        if target.version_id is not None
        and target.version_id not in version_ids
        and target.pacticipant_id in with_version
    ]


class TargetIds(NamedTuple):
    """Ids of targets, without repetitions."""

    version_ids: list[int]
    whole_pacticipant_ids: list[int]
    """Pacticipants of which any version counts."""
    pacticipant_ids: list[int]

    @classmethod
    def collect(cls, targets: Sequence[SelectorTarget]) -> "TargetIds":
        # Dictionaries keep the order, which makes statements and their plans reproducible.
        version_ids: dict[int, None] = {}
        whole_ids: dict[int, None] = {}
        pacticipant_ids: dict[int, None] = {}
        for resolved, pacticipant_id, version_id in targets:
            if version_id is not None:
                version_ids[version_id] = None
            if pacticipant_id is not None:
                pacticipant_ids[pacticipant_id] = None
                if resolved.selector.is_name_only:
                    whole_ids[pacticipant_id] = None
        return cls(list(version_ids), list(whole_ids), list(pacticipant_ids))


_NO_IDS: Final = TargetIds([], [], [])


def _build_scope(
    query: MatrixQuery,
    specified: Sequence[SelectorTarget],
    specified_ids: TargetIds,
    inferred: Sequence[SelectorTarget],
    replaced: Sequence[SelectorTarget],
    ignored: Sequence[SelectorTarget],
) -> MatrixScope:
    ids = TargetIds.collect((*specified, *inferred)) if inferred else specified_ids
    ignored_ids = TargetIds.collect(ignored) if ignored else _NO_IDS
    is_single_pacticipant = len(specified_ids.pacticipant_ids) == 1 and _has_open_partners(query, specified)
    return MatrixScope(
        version_ids=ids.version_ids,
        whole_pacticipant_ids=ids.whole_pacticipant_ids,
        pacticipant_ids=ids.pacticipant_ids,
        specified_pacticipant_ids=specified_ids.pacticipant_ids,
        replaced_version_ids=TargetIds.collect(replaced).version_ids if replaced else (),
        pair=_build_pair(specified) if query.is_one_way else None,
        is_single_pacticipant=is_single_pacticipant,
        latest_by=query.latest_by,
        limit=query.limit,
        ignored_version_ids=ignored_ids.version_ids,
        ignored_pacticipant_ids=ignored_ids.whole_pacticipant_ids,
    )


def _has_open_partners(query: MatrixQuery, specified: Sequence[SelectorTarget]) -> bool:
    """Whether contracts of the only specified pacticipant with any partner count.

    For one selector that matches several versions the API looks at contracts between these versions only, as the
    original does. The page, and several selectors of one pacticipant, ask what each version needs.
    """
    if query.is_one_way or query.destination.is_set:
        return False
    return len(specified) == 1 or len(query.selectors) > 1 or not query.counts_superseded


def _build_pair(specified: Sequence[SelectorTarget]) -> tuple[int, int]:
    consumer_id, provider_id = (target.pacticipant_id or NO_ID for target in specified)
    return consumer_id, provider_id


_PAIRS: Final = (
    select(integration.c.consumer_id, integration.c.provider_id)
    .where(
        integration.c.consumer_id.in_(bindparam("pacticipants", expanding=True)),
        integration.c.provider_id.in_(bindparam("pacticipants", expanding=True)),
    )
    .limit(2)
)


def _narrow(db: Connection, scope: MatrixScope) -> MatrixScope:
    """Narrow a scope of two whole pacticipants to their pair, if they have contracts in one direction only.

    An index has the publications of a pair in order, so that the newest are found without reading all.
    """
    whole_ids = scope.whole_pacticipant_ids
    if scope.pair or scope.version_ids or len(whole_ids) != 2 or len(scope.pacticipant_ids) != 2:  # noqa: PLR2004 - two
        return scope
    pairs = fetch_rows(db, _PAIRS, {"pacticipants": whole_ids})
    return scope._replace(pair=tuple(pairs[0])) if len(pairs) == 1 else scope


class Partner(NamedTuple):
    """A pacticipant that has a contract with a specified pacticipant."""

    name: str
    id: int
    is_itself: bool


def list_partners(db: Connection, ids: TargetIds) -> list[Partner]:
    """List the partners of the specified pacticipants in order of their names, which is that of the reasons."""
    if not ids.pacticipant_ids:
        return []
    has_many_ids = len(ids.version_ids) > MAX_BOUND_IDS or len(ids.pacticipant_ids) > MAX_BOUND_IDS
    statement = _partners_statement(
        has_versions=bool(ids.version_ids),
        has_whole_pacticipants=bool(ids.whole_pacticipant_ids),
        has_many_ids=has_many_ids,
    )
    return sorted(fetch_tuples(db, statement, ids._asdict(), Partner))


@lru_cache(maxsize=16)
def _partners_statement(
    *, has_versions: bool, has_whole_pacticipants: bool, has_many_ids: bool
) -> Select[*tuple[Any, ...]]:
    """Build the statement that lists partners, by the rules of the original.

    As a provider, a pacticipant has all consumers that ever had a contract with it: any of them may be deployed with a
    pact that the version must honour. As a consumer, it has the providers of the pacts of its specified versions.
    """

    def ids(parameter: str) -> Any:
        return bindparam(parameter, expanding=True, literal_execute=has_many_ids)

    is_itself = integration.c.consumer_id == integration.c.provider_id
    consumers = select(integration.c.consumer_id.label("id"), is_itself.label("is_itself"))
    parts = [consumers.where(integration.c.provider_id.in_(ids("pacticipant_ids")))]
    if has_versions:
        is_of_version = and_(publication.c.consumer_version_id.in_(ids("version_ids")), publication.c.is_current)
        is_pact_with_itself = publication.c.consumer_id == publication.c.provider_id
        parts.append(select(publication.c.provider_id, is_pact_with_itself).where(is_of_version))
    if has_whole_pacticipants:
        # An integration remains when its last pact has been removed; its `latest_publication_id` is then NULL.
        has_pacts = integration.c.latest_publication_id.is_not(None)
        is_of_whole = and_(integration.c.consumer_id.in_(ids("whole_pacticipant_ids")), has_pacts)
        parts.append(select(integration.c.provider_id, is_itself).where(is_of_whole))
    partner = (union_all(*parts) if len(parts) > 1 else parts[0]).subquery("partner")
    return select(pacticipant.c.name, pacticipant.c.id, partner.c.is_itself).join(
        partner, partner.c.id == pacticipant.c.id
    )


# Details of versions


_VERSIONS: Final[BindParameter[Any]] = bindparam("versions", expanding=True)
_is_head: Final = and_(tag_head.c.pacticipant_id == tag.c.pacticipant_id, tag_head.c.name == tag.c.name)


def _as_stored(time: ColumnElement[datetime]) -> ColumnElement[Any]:
    """Select a time as the driver returns it, which is enough to sort by it."""
    return type_coerce(time, NullType()).label("since")


# The rows of both unions are sorted in Python, which takes less time than a database needs to sort a few rows.
_TAGS_AND_BRANCHES: Final = union_all(
    select(
        literal_column("1").label("is_tag"),
        _as_stored(tag.c.created_at),
        tag.c.id,
        tag.c.version_id,
        tag.c.name,
        tag_head.c.version_id.label("head_id"),
    )
    .outerjoin_from(tag, tag_head, _is_head)
    .where(tag.c.version_id.in_(_VERSIONS)),
    # The order of branches is that of their rows alone.
    select(
        literal_column("0"),
        null(),
        branch_version.c.id,
        branch_version.c.version_id,
        branch.c.name,
        branch.c.head_version_id,
    )
    .join_from(branch_version, branch, branch.c.id == branch_version.c.branch_id)
    .where(branch_version.c.version_id.in_(_VERSIONS)),
)
_ORDER_OF_TAGS_AND_BRANCHES: Final = attrgetter("is_tag", "since", "id")


def _environments_of_versions(table: Table, ended_at: str) -> Select[*tuple[Any, ...]]:
    columns = ("uuid", "name", "display_name", "is_production", "created_at", "updated_at", "position")
    return (
        select(table.c.version_id, *(environment.c[name] for name in columns), _as_stored(table.c.created_at))
        .join_from(table, environment, environment.c.id == table.c.environment_id)
        .where(table.c.version_id.in_(_VERSIONS), table.c[ended_at].is_(None))
    )


_ENVIRONMENTS: Final = union_all(
    _environments_of_versions(deployed_version, "undeployed_at"),
    _environments_of_versions(released_version, "support_ended_at"),
)
_ORDER_OF_ENVIRONMENTS: Final = attrgetter("since", "name")
_MAX_VERSIONS: Final = 1000
"""Maximum number of versions in one statement, since databases limit the number of its parameters."""


def load_versions(
    db: Connection, version_keys: Mapping[int, VersionKey], shown: Collection[VersionKey]
) -> dict[VersionKey, VersionSummary]:
    """Load branches, tags and environments of the shown versions, given the keys of all versions by id."""
    details: dict[VersionKey, _VersionDetails] = {key: _VersionDetails([], [], []) for key in shown}
    details_by_id = {version_id: details[key] for version_id, key in version_keys.items() if key in details}
    ids = list(details_by_id)
    for start in range(0, len(ids), _MAX_VERSIONS):
        values = {"versions": ids[start : start + _MAX_VERSIONS]}
        for row in sorted(fetch_rows(db, _TAGS_AND_BRANCHES, values), key=_ORDER_OF_TAGS_AND_BRANCHES):
            version, is_head = details_by_id[row.version_id], row.head_id == row.version_id
            if row.is_tag:
                version.tags.append(TagSummary(row.name, is_head))
            else:
                version.branches.append(BranchSummary(row.name, is_head))
        for row in sorted(fetch_rows(db, _ENVIRONMENTS, values), key=_ORDER_OF_ENVIRONMENTS):
            details_by_id[row[0]].environments.append(EnvironmentSummary._make(row[1:-1]))
    return {key: version_details.summarize() for key, version_details in details.items()}


class _VersionDetails(NamedTuple):
    branches: list[BranchSummary]
    tags: list[TagSummary]
    environments: list[EnvironmentSummary]

    def summarize(self) -> VersionSummary:
        """Remove repeated environments: a version may be deployed to several application instances of one."""
        branches, tags, environments = self
        return VersionSummary(tuple(branches), tuple(tags), tuple(dict.fromkeys(environments)))
