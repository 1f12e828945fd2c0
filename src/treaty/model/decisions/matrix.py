"""The matrix: the verification results between versions, and the verdict whether a version can be deployed.

The verdict is computed by one pure function, `decide`, from a query and from facts that the store has loaded. It never
sees the database, so each of its rules is tested with a table of cases.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

from treaty.model.decisions.decision import Decision
from treaty.model.decisions.exemptions import Exemption, Exemptions
from treaty.model.decisions.explanations import Explanation
from treaty.model.decisions.overrides import Override
from treaty.model.decisions.queries import LatestBy, MatrixQuery
from treaty.model.decisions.reasons import (
    AllVerified,
    CannotIgnore,
    ComparisonFailed,
    ComparisonGap,
    FirstDeployment,
    MoreObstacles,
    NamedByAlias,
    NoDestination,
    NoNumber,
    NoSuchVersion,
    NotCompared,
    NothingRequired,
    NotVerified,
    Overridden,
    OverriddenObstacle,
    PairObstacle,
    Reason,
    ReasonPact,
    ReasonSide,
    VerificationFailed,
)
from treaty.model.decisions.selectors import (
    AnyVersion,
    FoundVersion,
    NoPacticipant,
    NoVersion,
    ResolvedSelector,
    find_number,
    is_ignored_by,
    select_version,
)

# A response may have thousands of rows. Named tuples are created and compared several times as fast as dataclasses.


class MatrixRow(NamedTuple):
    """A publication, with one result for its content or, without a result, with the provider version that lacks it."""

    consumer: str
    consumer_version: str
    consumer_position: int
    provider: str
    provider_version: str | None
    """Without a result: the provider version that the query selects, or None if it selects none."""
    provider_position: int | None
    sha: str
    revision: int
    published_at: datetime
    verification: int | None
    success: bool | None
    verified_at: datetime | None
    is_superseded: bool = False
    """Whether the publication has a newer revision, or the same provider version has a newer result of the kind."""
    comparison: int | None = None
    """The comparison with the contract of the provider version that the result comes from; None for a verifier's."""
    is_self_verified: bool | None = None
    """The result of the provider version's tests against its own contract, if it has one."""


class ResultCounts(NamedTuple):
    """Number of rows by result. Ignored rows have a count of their own and no influence on the verdict."""

    success: int
    failed: int
    unknown: int
    ignored: int

    @property
    def deployable(self) -> bool | None:
        """True or False, or None while a result is missing.

        A missing result makes the verdict unknown even if another result failed, as in the original.
        """
        return None if self.unknown else not self.failed

    @property
    def is_empty(self) -> bool:
        return not (self.success or self.failed or self.unknown)


class MatrixRowsSummary(NamedTuple):
    """Counts of all rows that a query selects, and the few rows that a response shows."""

    decisive_counts: ResultCounts
    """Counts of the rows that the verdict depends on, including those that `latestby` hides."""
    latest_counts: ResultCounts
    """Counts of the rows that `latestby` selects."""
    obstacles: Sequence[MatrixRow]
    """Decisive rows that failed or have no result: up to `MAX_REASONS` of each, the newest first."""
    shown: Sequence[MatrixRow]
    """The rows to show, in no particular order."""
    total: int
    """Number of rows to show if there were no limit."""


GapKey = tuple[str, str, str, str | None]
"""Consumer, its version, provider, and its version."""


MAX_REASONS: Final = 50
"""Number of failures, and of missing results, that a response names individually. It counts the others."""


_NO_EXEMPTIONS: Final = Exemptions()
_NO_GAPS: Final[Mapping[GapKey, ComparisonGap]] = {}
_NO_ALIASES: Final[Mapping[tuple[str, str], str]] = {}


class MatrixFacts(NamedTuple):
    """The facts that a verdict is computed from."""

    specified: Sequence[ResolvedSelector]
    inferred: Sequence[ResolvedSelector] = ()
    ignored: Sequence[ResolvedSelector] = ()
    rows: Sequence[MatrixRow] = ()
    """All rows, the newest action first. Empty if there is a `rows_summary`."""
    rows_summary: MatrixRowsSummary | None = None
    """Computed by the database, where there are more rows than the limit."""
    gaps: Mapping[GapKey, ComparisonGap] = _NO_GAPS
    """Why pairs whose provider version has a contract are not verified by it."""
    aliases: Mapping[tuple[str, str], str] = _NO_ALIASES
    """The numbers of the versions that the query names by an alias, by pacticipant and alias."""
    exemptions: Exemptions = _NO_EXEMPTIONS
    """Loaded only where the answer would be no without them."""

    @property
    def members(self) -> set["VersionKey"]:
        """The versions that the query is about."""
        versions = (resolved for resolved in self.specified if isinstance(resolved, FoundVersion))
        return {(version.selector.pacticipant, version.number) for version in versions}


class VerdictSummary(NamedTuple):
    """The answer, with the counts that explain it."""

    deployable: bool | None
    """None while results are missing."""
    success: int
    failed: int
    unknown: int
    ignored: int | None
    """None unless the query ignores anything: clients detect by this number that the broker supports `ignore`."""


class Verdict(NamedTuple):
    """The answer to a query of the matrix, with its rows and reasons."""

    considered: list[MatrixRow]
    ignored: list[MatrixRow]
    summary: VerdictSummary
    reasons: list[Reason]
    total: int
    """Number of rows, including those beyond the limit."""
    multi_version_pacticipants: AbstractSet[str]
    """The pacticipants of which the query selects several versions."""
    gaps: Mapping[GapKey, ComparisonGap] = _NO_GAPS
    """Why rows whose provider version has a contract have no result; empty where the database has summarized them."""

    @property
    def rows(self) -> list[MatrixRow]:
        return [*self.considered, *self.ignored]

    def shown_provider_version(self, row: MatrixRow) -> str | None:
        """Return the provider version to show to clients.

        As in the original, a row without a result shows no version. Where the query selects several versions of the
        provider, it does, because the reader must see which of them lacks the result.
        """
        if row.verification is None and row.provider not in self.multi_version_pacticipants:
            return None
        return row.provider_version

    def find_gap(self, row: MatrixRow) -> ComparisonGap | None:
        """Return why a row has no result, if its provider version has a contract."""
        key = (row.consumer, row.consumer_version, row.provider, row.provider_version)
        return self.gaps.get(key) if row.success is None else None

    @property
    def versions(self) -> set["VersionKey"]:
        """The versions in the rows."""
        keys = {(row.consumer, row.consumer_version) for row in self.rows}
        return keys | {(row.provider, row.provider_version) for row in self.rows if row.provider_version is not None}


class BranchSummary(NamedTuple):
    name: str
    is_head: bool


class TagSummary(NamedTuple):
    name: str
    is_head: bool


class EnvironmentSummary(NamedTuple):
    uuid: str
    name: str
    display_name: str
    is_production: bool
    created_at: datetime
    updated_at: datetime
    position: int | None = None


class VersionSummary(NamedTuple):
    """Branches, tags and environments of a version, as rows show them, each list oldest first."""

    branches: tuple[BranchSummary, ...]
    tags: tuple[TagSummary, ...]
    environments: tuple[EnvironmentSummary, ...]


VersionKey = tuple[str, str]
"""Name of the pacticipant, and version number."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Matrix(Decision):
    """A verdict together with the details of the versions in its rows."""

    verdict: Verdict
    versions: Mapping[VersionKey, VersionSummary]
    explanations: Sequence[Explanation | None] = ()
    """An explanation for each reason of the verdict; None for warnings and counts. Empty if the answer is yes."""
    records_decisions: bool = False
    """Whether the environment in question records decisions, so that clients repeat the question to record it."""

    def is_deployable(self) -> bool | None:
        return self.verdict.summary.deployable


def decide(query: MatrixQuery, facts: MatrixFacts) -> Verdict:
    """Compute the verdict on a query from its facts.

    Every row counts, whether it is shown or not: neither `limit` nor `latestby` nor `success` changes the answer. (In
    the original they do, so that a failure beyond the limit is overlooked; see docs/differences.md.)
    """
    rows_summary = facts.rows_summary or summarize_rows(query, facts)
    considered, ignored = _split(rows_summary.shown, facts.ignored)
    considered.sort(key=_sort_key)
    ignored.sort(key=_sort_key)
    missing_versions = list(_list_missing_versions(facts))
    summary = _build_summary(query, facts, rows_summary, has_missing_versions=bool(missing_versions))
    obstacles = [] if summary.deployable else _list_obstacles(facts, missing_versions, rows_summary)
    if not summary.deployable and not missing_versions and not facts.exemptions.is_empty:
        summary = summary._replace(deployable=_decide_with_exemptions(query, facts, rows_summary))
        obstacles = [reason for reason in obstacles if not (summary.deployable and isinstance(reason, MoreObstacles))]
    success = NothingRequired() if rows_summary.decisive_counts.is_empty else AllVerified()
    return Verdict(
        considered=considered,
        ignored=ignored,
        summary=summary,
        reasons=[*_list_warnings(query, facts), *(obstacles or [success])],
        total=rows_summary.total,
        multi_version_pacticipants=_find_multi_version_pacticipants(facts),
        gaps=facts.gaps,
    )


def _build_summary(
    query: MatrixQuery, facts: MatrixFacts, rows_summary: MatrixRowsSummary, *, has_missing_versions: bool
) -> VerdictSummary:
    decisive, latest = rows_summary.decisive_counts, rows_summary.latest_counts
    selects_any_version = any(isinstance(resolved, AnyVersion) for resolved in facts.specified)
    # Where a pacticipant is selected as a whole, the original counts the rows that `latestby` selects. Treaty does too,
    # unless these counts contradict the answer, which is always that of all decisive rows.
    shows_latest = query.latest_by is not None and selects_any_version and latest.deployable == decisive.deployable
    counts = latest if shows_latest else decisive
    return VerdictSummary(
        # A version that does not exist cannot be deployed, whatever the results of the others are.
        deployable=False if has_missing_versions else counts.deployable,
        success=counts.success,
        failed=counts.failed,
        unknown=counts.unknown,
        ignored=counts.ignored if query.ignore else None,
    )


def _decide_with_exemptions(query: MatrixQuery, facts: MatrixFacts, rows_summary: MatrixRowsSummary) -> bool | None:
    """Decide by the rows that no exemption covers.

    Of rows that the database has summarized, those that are counted but not listed count as not covered.
    """
    if facts.exemptions.cover_all(facts.members):
        return True
    listed = rows_summary.obstacles if facts.rows_summary else _split(_list_decisive(query, facts), facts.ignored)[0]
    covered = Counter(row.success for row in listed if not row.success and _find_exemption(facts, row))
    counts = rows_summary.decisive_counts
    uncovered = counts._replace(failed=counts.failed - covered[False], unknown=counts.unknown - covered[None])
    return uncovered.deployable


def _find_exemption(facts: MatrixFacts, row: MatrixRow) -> Exemption | None:
    return facts.exemptions.find((row.consumer, row.consumer_version), (row.provider, row.provider_version))


def _list_decisive(query: MatrixQuery, facts: MatrixFacts) -> Sequence[MatrixRow]:
    return facts.rows if query.counts_superseded else [row for row in facts.rows if not row.is_superseded]


def summarize_rows(query: MatrixQuery, facts: MatrixFacts) -> MatrixRowsSummary:
    """Summarize rows that were all loaded. `store.decisions.matrix_summary` does the same in SQL for many rows."""
    latest = select_latest(facts.rows, query.latest_by)
    shown = filter_by_success(latest, query.success)
    decisive = _list_decisive(query, facts)
    considered, _ = _split(decisive, facts.ignored)
    decisive_counts = count_row_results(decisive, facts.ignored)
    has_obstacles = not decisive_counts.deployable
    return MatrixRowsSummary(
        decisive_counts=decisive_counts,
        # Mostly `latestby` hides nothing: then the rows are the same list and need not be counted again.
        latest_counts=decisive_counts if latest is decisive else count_row_results(latest, facts.ignored),
        obstacles=[*_first_rows(considered, success=False), *_first_rows(considered, success=None)]
        if has_obstacles
        else (),
        shown=shown[: query.limit],
        total=len(shown),
    )


def count_row_results(rows: Sequence[MatrixRow], ignored: Sequence[ResolvedSelector]) -> ResultCounts:
    considered, ignored_rows = _split(rows, ignored)
    results = [row.success for row in considered]
    return ResultCounts(results.count(True), results.count(False), results.count(None), len(ignored_rows))


def _first_rows(rows: Sequence[MatrixRow], *, success: bool | None) -> Sequence[MatrixRow]:
    return [row for row in rows if row.success is success][:MAX_REASONS]


def _find_multi_version_pacticipants(facts: MatrixFacts) -> AbstractSet[str]:
    versions = [resolved for resolved in (*facts.specified, *facts.inferred) if isinstance(resolved, FoundVersion)]
    # A later version of the same pacticipant overwrites the entry, so that the first one differs from it.
    last_numbers = {version.selector.pacticipant: version.number for version in versions}
    return {
        version.selector.pacticipant
        for version in versions
        if last_numbers[version.selector.pacticipant] != version.number
    }


def _split(rows: Sequence[MatrixRow], ignored: Sequence[ResolvedSelector]) -> tuple[list[MatrixRow], list[MatrixRow]]:
    """Separate the rows that count from the ignored ones."""
    if not ignored:
        return list(rows), []
    considered: list[MatrixRow] = []
    ignored_rows: list[MatrixRow] = []
    for row in rows:
        (ignored_rows if is_row_ignored(row, ignored) else considered).append(row)
    return considered, ignored_rows


def is_row_ignored(row: MatrixRow, ignored: Iterable[ResolvedSelector]) -> bool:
    sides = ((row.consumer, row.consumer_version), (row.provider, row.provider_version))
    return any(is_ignored_by(resolved, name, number) for resolved in ignored for name, number in sides)


def _sort_key(row: MatrixRow) -> tuple[object, ...]:
    """Return the key of the original's order: by consumer and provider, newest first, missing results first.

    Names are compared as bytes, because the original sorts in its process and not by a database's collation.
    """
    position = -row.provider_position if row.provider_position is not None else None
    return (
        row.consumer.encode(),
        -row.consumer_position,
        -row.revision,
        row.provider.encode(),
        (position is not None, position or 0),
        -(row.verification or 0),
    )


def select_latest(rows: Sequence[MatrixRow], latest_by: LatestBy | None) -> Sequence[MatrixRow]:
    """Select the row of the highest provider version from each group that `latest_by` makes.

    For a pair it is selected among the latest rows of its consumer versions, unless the newest of these has no result.
    (The original fails with 500 where a pair has both kinds of rows.)
    """
    if len(rows) < 2:  # noqa: PLR2004 - one row is the newest
        return rows
    match latest_by:
        case None:
            return rows
        case LatestBy.CONSUMER_VERSION_AND_PROVIDER_VERSION:
            # A comparison and a verification of the same versions both count, so both are shown.
            return _highest_of_each(
                rows, lambda row: (*_consumer_version_key(row), row.provider_version, row.comparison is None)
            )
        case LatestBy.CONSUMER_VERSION:
            return _highest_of_each(rows, _consumer_version_key)
        case LatestBy.PAIR:
            # Filtering by membership keeps the rows in their order, the newest action first.
            latest = set(_highest_of_each(rows, _consumer_version_key))
            pairs = _group((row for row in rows if row in latest), lambda row: (row.consumer, row.provider))
            return [_latest_of_pair(pair) for pair in pairs]


def _consumer_version_key(row: MatrixRow) -> tuple[str | None, ...]:
    return row.consumer, row.consumer_version, row.provider


def _group(rows: Iterable[MatrixRow], key: Callable[[MatrixRow], tuple[object, ...]]) -> Iterable[Sequence[MatrixRow]]:
    groups: dict[tuple[object, ...], list[MatrixRow]] = {}
    for row in rows:
        groups.setdefault(key(row), []).append(row)
    return groups.values()


def _highest_of_each(rows: Sequence[MatrixRow], key: Callable[[MatrixRow], tuple[object, ...]]) -> Sequence[MatrixRow]:
    highest = [_highest(group) for group in _group(rows, key)]
    # Returning the same list lets the caller see that nothing was hidden.
    return rows if len(highest) == len(rows) else highest


def _latest_of_pair(rows: Sequence[MatrixRow]) -> MatrixRow:
    verified = [row for row in rows if row.verification is not None]
    return _highest(verified) if rows[0].verification is not None else rows[0]


def _highest(rows: Sequence[MatrixRow]) -> MatrixRow:
    """Return the row of the highest provider version; among equals the last, as in the original."""
    return max(reversed(rows), key=lambda row: row.provider_position or -1)


def filter_by_success(rows: Sequence[MatrixRow], success: Collection[bool | None] | None) -> Sequence[MatrixRow]:
    """Select the rows with these results."""
    return rows if success is None else [row for row in rows if row.success in success]


def _list_missing_versions(facts: MatrixFacts) -> Iterable[NoVersion]:
    """Yield the specified selectors that match no version.

    A selector that matches nothing can only be ignored together with its whole pacticipant: there is no version number
    to compare.
    """
    for resolved in facts.specified:
        name = resolved.selector.pacticipant
        if isinstance(resolved, NoVersion) and not any(is_ignored_by(ignored, name, None) for ignored in facts.ignored):
            yield resolved


def _list_warnings(query: MatrixQuery, facts: MatrixFacts) -> Iterable[Reason]:
    """Yield the versions that aliases lead to, and what makes an answer unreliable, by the rules of the original."""
    for (pacticipant, alias), number in facts.aliases.items():
        yield NamedByAlias(pacticipant=pacticipant, alias=alias, version=number)
    for ignored in facts.ignored:
        if isinstance(ignored, NoVersion | NoPacticipant):
            yield CannotIgnore(selected=ignored)
    specified = [resolved.selector for resolved in facts.specified]
    # The original looks at resolved selectors: one tag that selects two versions needs no environment. Several
    # selectors of one pacticipant do, since each of their versions is to be deployed on its own.
    is_single_pacticipant = len({selector.pacticipant for selector in specified}) == 1
    is_deployment = is_single_pacticipant and (len(specified) == 1 or len(query.selectors) > 1)
    if is_deployment and not query.destination.has_location and not query.is_one_way:
        yield NoDestination()
    if not all(selector.is_name_only for selector in specified) and not any(selector.version for selector in specified):
        yield NoNumber()


def _list_obstacles(
    facts: MatrixFacts, missing_versions: Sequence[NoVersion], rows_summary: MatrixRowsSummary
) -> Sequence[Reason]:
    """List what prevents the deployment: versions that do not exist, or else failures and missing results."""
    return [NoSuchVersion(selected=resolved) for resolved in missing_versions] or list(
        _explain_rows(facts, rows_summary)
    )


def _explain_rows(facts: MatrixFacts, rows_summary: MatrixRowsSummary) -> Iterable[Reason]:
    """Yield a reason for each failure, then for each missing result, and one that counts those left out.

    What exemptions cover follows what prevents the deployment.
    """
    finder = _SideFinder(facts)
    exempt: list[OverriddenObstacle | FirstDeployment] = []
    for row in sorted(rows_summary.obstacles, key=lambda row: (row.success is None, _sort_key(row))):
        obstacle = _explain_row(facts, row, finder)
        match _find_exemption(facts, row):
            case None:
                yield obstacle
            case Override() as override:
                exempt.append(OverriddenObstacle(obstacle=obstacle, override=override))
            case policy:
                exempt.append(FirstDeployment(obstacle=obstacle, policy=policy))
    overrides = [reason.override for reason in exempt if isinstance(reason, OverriddenObstacle)]
    yield from (Overridden(override=override) for override in dict.fromkeys(overrides))
    yield from exempt
    named = Counter(row.success for row in rows_summary.obstacles)
    counts = rows_summary.decisive_counts
    others = MoreObstacles(failed=counts.failed - named[False], unknown=counts.unknown - named[None])
    if others.failed or others.unknown:
        yield others


def _explain_row(facts: MatrixFacts, row: MatrixRow, finder: "_SideFinder") -> PairObstacle:
    consumer = finder.find(row.consumer, row.consumer_version)
    provider = finder.find(row.provider, row.provider_version)
    pact = ReasonPact(
        row.consumer_version, row.sha, row.published_at, row.verification, row.verified_at, row.is_superseded
    )
    gap = facts.gaps.get((row.consumer, row.consumer_version, row.provider, row.provider_version))
    if row.success is None and gap is not None:
        return NotCompared(consumer=consumer, provider=provider, gap=gap, pact=pact)
    if row.success is None:
        return NotVerified(consumer=consumer, provider=provider, pact=pact)
    if row.comparison is not None:
        is_self_verified = row.is_self_verified is not False
        return ComparisonFailed(consumer=consumer, provider=provider, is_self_verified=is_self_verified, pact=pact)
    return VerificationFailed(consumer=consumer, provider=provider, pact=pact)


class _SideFinder:
    """Finds the selector that describes a version in a reason."""

    def __init__(self, facts: MatrixFacts) -> None:
        self._selectors: dict[str, list[ResolvedSelector]] = {}
        for resolved in (*facts.specified, *facts.inferred):
            self._selectors.setdefault(resolved.selector.pacticipant, []).append(resolved)

    def find(self, pacticipant: str, number: str | None) -> ReasonSide:
        selectors = self._selectors.get(pacticipant, [])
        if len(selectors) == 1:
            return ReasonSide(selected=selectors[0], version=number or find_number(selectors[0]))
        matching = (resolved for resolved in selectors if number is not None and find_number(resolved) == number)
        # No selector covers the other side of a contract where there is no destination. The original then describes the
        # version of the first row; a reason must name the version that it is about.
        numbers = {find_number(resolved) for resolved in selectors}
        return ReasonSide(
            selected=next(matching, None) or select_version(pacticipant, number),
            version=number,
            required_version=numbers.pop() if len(numbers) == 1 else None,
        )
