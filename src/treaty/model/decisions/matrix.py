"""The matrix: which results stand between versions, and whether they let a version be deployed.

The decision is one pure function, `decide`: the facts go in, and the rows, the counts and the reasons come out.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

from treaty.model.decisions.queries import LatestBy, MatrixQuery
from treaty.model.decisions.reasons import (
    AllVerified,
    CannotIgnore,
    MoreObstacles,
    NoDestination,
    NoNumber,
    NoSuchVersion,
    NothingRequired,
    NotVerified,
    Reason,
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

# What there are many of in an answer are named tuples: they are made, and compared, several times as fast.


class MatrixRow(NamedTuple):
    """A publication with a result for its content, or with a provider version that has none, or alone."""

    consumer: str
    consumer_version: str
    consumer_position: int
    provider: str
    provider_version: str | None
    """Without a result it is the version that the question is about, or None if no version of the provider is."""
    provider_position: int | None
    sha: str
    revision: int
    published_at: datetime
    verification: int | None
    success: bool | None
    verified_at: datetime | None
    is_superseded: bool = False
    """Whether the publication has a newer revision, or the result was followed by another of the same version."""


class ResultCounts(NamedTuple):
    """Counts of results."""

    success: int
    failed: int
    unknown: int
    ignored: int

    @property
    def deployable(self) -> bool | None:
        """The answer that the results give: yes, no, or None while results are missing."""
        return None if self.unknown else not self.failed

    @property
    def is_empty(self) -> bool:
        return not (self.success or self.failed or self.unknown)


@dataclass(frozen=True, kw_only=True, slots=True)
class MatrixRowsSummary:
    """All rows of a question, however many: counts of all of them, and an excerpt to show."""

    decisive: ResultCounts
    """Counts of the rows that the answer depends on, whatever `latestby` leaves out."""
    counts: ResultCounts
    """Counts of the rows that `latestby` leaves."""
    obstacles: Sequence[MatrixRow]
    """Decisive rows that failed or have no result: up to `MOST_REASONS` of each, the newest first."""
    shown: Sequence[MatrixRow]
    """The rows to show, without regard to order."""
    total: int
    """How many rows there are to show, beyond the limit as well."""


MAX_REASONS: Final = 50
"""How many failures, and how many missing results, a response names. The others are counted."""


@dataclass(frozen=True, kw_only=True, slots=True)
class MatrixFacts:
    """The facts that a decision is made from."""

    specified: Sequence[ResolvedSelector]
    inferred: Sequence[ResolvedSelector] = ()
    ignored: Sequence[ResolvedSelector] = ()
    rows: Sequence[MatrixRow] = ()
    """All rows, those of the newest action first, unless there is a survey."""
    rows_summary: MatrixRowsSummary | None = None
    """The survey that the database made because there are more rows than the limit."""


@dataclass(frozen=True, kw_only=True, slots=True)
class VerdictSummary:
    """Counts, and the answer: yes, no, or None while results are missing."""

    deployable: bool | None
    success: int
    failed: int
    unknown: int
    ignored: int | None
    """None when nothing was to be ignored."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """What the matrix says."""

    considered: list[MatrixRow]
    ignored: list[MatrixRow]
    summary: VerdictSummary
    reasons: list[Reason]
    total: int
    """How many rows there are; a limit leaves some of them out."""
    alternatives: AbstractSet[str]
    """The pacticipants of which the question selects several versions."""

    @property
    def rows(self) -> list[MatrixRow]:
        return [*self.considered, *self.ignored]

    def shown_provider_version(self, row: MatrixRow) -> str | None:
        """Return the provider version that clients are shown.

        As in the original, a row without a result shows no version, unless it must be told from rows of others.
        """
        if row.verification is None and row.provider not in self.alternatives:
            return None
        return row.provider_version

    @property
    def versions(self) -> set["VersionKey"]:
        """The versions that the rows show."""
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


class VersionSummary(NamedTuple):
    """What a row shows of a version, oldest first."""

    branches: tuple[BranchSummary, ...]
    tags: tuple[TagSummary, ...]
    environments: tuple[EnvironmentSummary, ...]


VersionKey = tuple[str, str]
"""A pacticipant and a number."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Matrix:
    """A verdict together with the versions that it speaks of."""

    verdict: Verdict
    versions: Mapping[VersionKey, VersionSummary]


def decide(question: MatrixQuery, facts: MatrixFacts) -> Verdict:
    """Decide a question by its facts.

    Every row counts, whether it is shown or not: neither a limit nor a filter of rows changes the answer.
    """
    survey = facts.rows_summary or summarize_rows(question, facts)
    considered, ignored = _split(survey.shown, facts.ignored)
    considered.sort(key=_in_order)
    ignored.sort(key=_in_order)
    absent = list(_absent(facts))
    summary = _summary(question, _counts(question, facts, survey), is_absent=bool(absent))
    obstacles = [] if summary.deployable else _obstacles(facts, absent, survey)
    success = NothingRequired() if survey.decisive.is_empty else AllVerified()
    return Verdict(
        considered=considered,
        ignored=ignored,
        summary=summary,
        reasons=[*_warnings(question, facts), *(obstacles or [success])],
        total=survey.total,
        alternatives=_alternatives(facts),
    )


def _counts(question: MatrixQuery, facts: MatrixFacts, rows_summary: MatrixRowsSummary) -> ResultCounts:
    """Choose the counts to show: of all decisive rows, so that they do not contradict the answer.

    Where any version counts, they are of the rows that `latestby` leaves, as in the original, if these agree with it.
    """
    is_of_any = question.latest_by is not None and any(isinstance(one, AnyVersion) for one in facts.specified)
    return (
        rows_summary.counts
        if is_of_any and rows_summary.counts.deployable == rows_summary.decisive.deployable
        else rows_summary.decisive
    )


def summarize_rows(question: MatrixQuery, facts: MatrixFacts) -> MatrixRowsSummary:
    """Survey rows that were all read."""
    latest = select_latest(facts.rows, question.latest_by)
    shown = filter_by_success(latest, question.success)
    decisive = facts.rows if question.counts_superseded else [row for row in facts.rows if not row.is_superseded]
    considered, _ = _split(decisive, facts.ignored)
    counts = count_row_results(decisive, facts.ignored)
    return MatrixRowsSummary(
        decisive=counts,
        counts=counts if latest is decisive else count_row_results(latest, facts.ignored),
        obstacles=[*_first_with(considered, False), *_first_with(considered, None)] if not counts.deployable else (),  # noqa: FBT003 - values of rows
        shown=shown if question.limit is None else shown[: question.limit],
        total=len(shown),
    )


def count_row_results(rows: Sequence[MatrixRow], ignored: Sequence[ResolvedSelector]) -> ResultCounts:
    considered, left_out = _split(rows, ignored)
    results = [row.success for row in considered]
    return ResultCounts(results.count(True), results.count(False), results.count(None), len(left_out))


def _first_with(rows: Sequence[MatrixRow], success: bool | None) -> Sequence[MatrixRow]:  # noqa: FBT001 - a value of a row
    return [row for row in rows if row.success is success][:MAX_REASONS]


def _alternatives(facts: MatrixFacts) -> AbstractSet[str]:
    chosen = [one for one in (*facts.specified, *facts.inferred) if isinstance(one, FoundVersion)]
    numbers = {one.selector.pacticipant: one.number for one in chosen}
    return {one.selector.pacticipant for one in chosen if numbers[one.selector.pacticipant] != one.number}


def _split(rows: Sequence[MatrixRow], ignored: Sequence[ResolvedSelector]) -> tuple[list[MatrixRow], list[MatrixRow]]:
    """Separate the rows that count from those to be ignored."""
    if not ignored:
        return list(rows), []
    considered: list[MatrixRow] = []
    left_out: list[MatrixRow] = []
    for row in rows:
        (left_out if _is_ignored(row, ignored) else considered).append(row)
    return considered, left_out


def _is_ignored(row: MatrixRow, ignored: Sequence[ResolvedSelector]) -> bool:
    sides = ((row.consumer, row.consumer_version), (row.provider, row.provider_version))
    return any(is_ignored_by(one, name, number) for one in ignored for name, number in sides)


def _in_order(row: MatrixRow) -> tuple[object, ...]:
    position = -row.provider_position if row.provider_position is not None else None
    return (
        row.consumer.encode(),
        -row.consumer_position,
        -row.revision,
        row.provider.encode(),
        (position is not None, position or 0),
        -(row.verification or 0),
    )


def select_latest(rows: Sequence[MatrixRow], latest: LatestBy | None) -> Sequence[MatrixRow]:
    """Choose the newest result of each group: that of the highest provider version.

    For a pair it is chosen among the newest results of its consumer versions, unless the newest of these has none.
    """
    if len(rows) < 2:  # noqa: PLR2004 - one row is the newest
        return rows
    match latest:
        case None:
            return rows
        case LatestBy.CONSUMER_VERSION_AND_PROVIDER_VERSION:
            return _highest_of_each(rows, lambda row: (*_consumer_version(row), row.provider_version))
        case LatestBy.CONSUMER_VERSION:
            return _highest_of_each(rows, _consumer_version)
        case LatestBy.PAIR:
            chosen = set(_highest_of_each(rows, _consumer_version))
            groups = _groups((row for row in rows if row in chosen), lambda row: (row.consumer, row.provider))
            return [_newest_of_pair(group) for group in groups]


def _consumer_version(row: MatrixRow) -> tuple[str | None, ...]:
    return row.consumer, row.consumer_version, row.provider


def _groups(
    rows: Iterable[MatrixRow], key: Callable[[MatrixRow], tuple[str | None, ...]]
) -> Iterable[Sequence[MatrixRow]]:
    groups: dict[tuple[str | None, ...], list[MatrixRow]] = {}
    for row in rows:
        groups.setdefault(key(row), []).append(row)
    return groups.values()


def _highest_of_each(
    rows: Sequence[MatrixRow], key: Callable[[MatrixRow], tuple[str | None, ...]]
) -> Sequence[MatrixRow]:
    chosen = [_highest(group) for group in _groups(rows, key)]
    return rows if len(chosen) == len(rows) else chosen


def _newest_of_pair(group: Sequence[MatrixRow]) -> MatrixRow:
    verified = [row for row in group if row.verification is not None]
    return _highest(verified) if group[0].verification is not None else group[0]


def _highest(group: Sequence[MatrixRow]) -> MatrixRow:
    """Choose the row of the highest provider version; of several the last, as the original does."""
    return max(reversed(group), key=lambda row: row.provider_position or -1)


def filter_by_success(rows: Sequence[MatrixRow], success: Collection[bool | None] | None) -> Sequence[MatrixRow]:
    """Keep the rows with these results."""
    return rows if success is None else [row for row in rows if row.success in success]


def _summary(question: MatrixQuery, counts: ResultCounts, *, is_absent: bool) -> VerdictSummary:
    return VerdictSummary(
        deployable=False if is_absent else counts.deployable,
        success=counts.success,
        failed=counts.failed,
        unknown=counts.unknown,
        ignored=counts.ignored if question.ignore else None,
    )


def _absent(facts: MatrixFacts) -> Iterable[NoVersion]:
    """Find what was asked about, is not to be ignored, and does not exist."""
    for one in facts.specified:
        name = one.selector.pacticipant
        if isinstance(one, NoVersion) and not any(is_ignored_by(other, name, None) for other in facts.ignored):
            yield one


def _warnings(question: MatrixQuery, facts: MatrixFacts) -> Iterable[Reason]:
    for one in facts.ignored:
        if isinstance(one, NoVersion | NoPacticipant):
            yield CannotIgnore(selected=one)
    given = [one.selector for one in facts.specified]
    is_of_one = len({one.pacticipant for one in given}) == 1 and (len(given) == 1 or len(question.selectors) > 1)
    if is_of_one and not question.destination.has_location and not question.is_one_way:
        yield NoDestination()
    if not all(one.is_name_only for one in given) and not any(one.version for one in given):
        yield NoNumber()


def _obstacles(facts: MatrixFacts, absent: Sequence[NoVersion], rows_summary: MatrixRowsSummary) -> Sequence[Reason]:
    """List what prevents the deployment: versions that do not exist, or else missing results and failures."""
    return [NoSuchVersion(selected=one) for one in absent] or list(_unverified(facts, rows_summary))


def _unverified(facts: MatrixFacts, rows_summary: MatrixRowsSummary) -> Iterable[Reason]:
    sides = _Sides(facts)
    for row in sorted(rows_summary.obstacles, key=lambda row: (row.success is None, _in_order(row))):
        reason = NotVerified if row.success is None else VerificationFailed
        yield reason(
            consumer=sides.side(row.consumer, row.consumer_version),
            provider=sides.side(row.provider, row.provider_version),
        )
    named = Counter(row.success for row in rows_summary.obstacles)
    more = MoreObstacles(
        failed=rows_summary.decisive.failed - named[False], unknown=rows_summary.decisive.unknown - named[None]
    )
    if more.failed or more.unknown:
        yield more


class _Sides:
    """Finds the selectors that describe the versions of a reason."""

    def __init__(self, facts: MatrixFacts) -> None:
        self._selected: dict[str, list[ResolvedSelector]] = {}
        for one in (*facts.specified, *facts.inferred):
            self._selected.setdefault(one.selector.pacticipant, []).append(one)

    def side(self, pacticipant: str, number: str | None) -> ReasonSide:
        selected = self._selected.get(pacticipant, [])
        if len(selected) == 1:
            return ReasonSide(selected=selected[0], version=number or find_number(selected[0]))
        same = (one for one in selected if number is not None and find_number(one) == number)
        return ReasonSide(selected=next(same, None) or select_version(pacticipant, number), version=number)
