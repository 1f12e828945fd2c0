"""The matrix: which results stand between versions, and whether they let a version be deployed.

The decision is one pure function, `decide`: the facts go in, and the rows, the counts and the reasons come out.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

from treaty.model.question import LatestBy, Question
from treaty.model.reason import (
    AllVerified,
    CannotIgnore,
    NoDestination,
    NoNumber,
    NoSuchVersion,
    NothingRequired,
    NotVerified,
    Reason,
    Side,
    VerificationFailed,
)
from treaty.model.selector import (
    NoPacticipant,
    NoVersion,
    Resolved,
    covers,
    known_number,
    version_of,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Integration:
    """A consumer and its provider. A required one must be verified, whether rows show it or not."""

    consumer: str
    provider: str
    is_required: bool


# What there are many of in an answer are named tuples: they are made, and compared, several times as fast.


class Row(NamedTuple):
    """A publication, and a result for its content when there is one."""

    consumer: str
    consumer_version: str
    consumer_position: int
    provider: str
    provider_version: str | None
    provider_position: int | None
    sha: str
    revision: int
    published_at: datetime
    verification: int | None
    success: bool | None
    verified_at: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Facts:
    """All that a decision asks for."""

    specified: Sequence[Resolved]
    inferred: Sequence[Resolved] = ()
    ignored: Sequence[Resolved] = ()
    integrations: Sequence[Integration] = ()
    """In order of the consumers' names, then the providers'."""
    rows: Sequence[Row] = ()
    """Those of the newest action first."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Summary:
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

    considered: list[Row]
    ignored: list[Row]
    summary: Summary
    reasons: list[Reason]

    @property
    def rows(self) -> list[Row]:
        return [*self.considered, *self.ignored]

    @property
    def versions(self) -> set["VersionKey"]:
        """The versions that the rows show."""
        keys = {(row.consumer, row.consumer_version) for row in self.rows}
        return keys | {(row.provider, row.provider_version) for row in self.rows if row.provider_version is not None}


class BranchOfVersion(NamedTuple):
    name: str
    is_head: bool


class TagOfVersion(NamedTuple):
    name: str
    is_head: bool


class EnvironmentOfVersion(NamedTuple):
    uuid: str
    name: str
    display_name: str
    is_production: bool
    created_at: datetime
    updated_at: datetime


class VersionInMatrix(NamedTuple):
    """What a row shows of a version, oldest first."""

    branches: tuple[BranchOfVersion, ...]
    tags: tuple[TagOfVersion, ...]
    environments: tuple[EnvironmentOfVersion, ...]


VersionKey = tuple[str, str]
"""A pacticipant and a number."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Matrix:
    """A verdict together with the versions that it speaks of."""

    verdict: Verdict
    versions: Mapping[VersionKey, VersionInMatrix]


def decide(question: Question, facts: Facts) -> Verdict:
    """Decide what the facts say to a question."""
    rows = with_success(latest_by(facts.rows, question.latest_by), question.success)
    considered, ignored = _split(rows, facts.ignored) if facts.ignored else (list(rows), [])
    considered.sort(key=_in_order)
    pairs = {(row.consumer, row.provider) for row in rows}
    missing = [one for one in facts.integrations if one.is_required and (one.consumer, one.provider) not in pairs]
    absent = list(_absent(facts))
    summary = _summary(question, considered, missing=len(missing), ignored=len(ignored), is_absent=bool(absent))
    obstacles = [] if summary.deployable else _obstacles(facts, absent, considered, missing)
    success = AllVerified() if considered else NothingRequired()
    return Verdict(
        considered=considered,
        ignored=ignored,
        summary=summary,
        reasons=[*_warnings(question, facts), *(obstacles or [success])],
    )


def _split(rows: Sequence[Row], ignored: Sequence[Resolved]) -> tuple[list[Row], list[Row]]:
    """Tell the rows that count from those that are to be ignored, which stay in order."""
    considered: list[Row] = []
    left_out: list[Row] = []
    for row in rows:
        (left_out if _is_ignored(row, ignored) else considered).append(row)
    left_out.sort(key=_in_order)
    return considered, left_out


def _is_ignored(row: Row, ignored: Sequence[Resolved]) -> bool:
    sides = ((row.consumer, row.consumer_version), (row.provider, row.provider_version))
    return any(covers(one, name, number) for one in ignored for name, number in sides)


def _in_order(row: Row) -> tuple[object, ...]:
    position = -row.provider_position if row.provider_position is not None else None
    return (
        row.consumer.encode(),
        -row.consumer_position,
        -row.revision,
        row.provider.encode(),
        (position is not None, position or 0),
        -(row.verification or 0),
    )


def latest_by(rows: Sequence[Row], latest: LatestBy | None) -> Sequence[Row]:
    """Keep the newest result of each group: that of the highest provider version, unless the newest row has none."""
    if latest is None:
        return rows
    groups: dict[tuple[str | None, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault(_group(row, latest), []).append(row)
    return [_newest(group) for group in groups.values()]


def _group(row: Row, latest: LatestBy) -> tuple[str | None, ...]:
    match latest:
        case LatestBy.PAIR:
            return (row.consumer, row.provider)
        case LatestBy.CONSUMER_VERSION:
            return (row.consumer, row.consumer_version, row.provider)
        case LatestBy.CONSUMER_VERSION_AND_PROVIDER_VERSION:
            return (row.consumer, row.consumer_version, row.provider, row.provider_version)


def _newest(group: Sequence[Row]) -> Row:
    """Choose a row; of several with the same provider version the last, as the original does."""
    newest = group[0]
    if newest.provider_position is None:
        return newest
    highest = newest.provider_position
    for row in group:
        if row.provider_position is not None and row.provider_position >= highest:
            newest, highest = row, row.provider_position
    return newest


def with_success(rows: Sequence[Row], success: Collection[bool | None] | None) -> Sequence[Row]:
    """Keep the rows with these results."""
    return rows if success is None else [row for row in rows if row.success in success]


def _summary(question: Question, considered: Sequence[Row], *, missing: int, ignored: int, is_absent: bool) -> Summary:
    results = [row.success for row in considered]
    failed, unknown = results.count(False), results.count(None) + missing
    return Summary(
        deployable=False if is_absent else None if unknown else not failed,
        success=results.count(True),
        failed=failed,
        unknown=unknown,
        ignored=ignored if question.ignore else None,
    )


def _absent(facts: Facts) -> Iterable[NoVersion]:
    """Find what was asked about, is not to be ignored, and does not exist."""
    for one in facts.specified:
        name = one.selector.pacticipant
        if isinstance(one, NoVersion) and not any(covers(other, name, None) for other in facts.ignored):
            yield one


def _warnings(question: Question, facts: Facts) -> Iterable[Reason]:
    for one in facts.ignored:
        if isinstance(one, NoVersion | NoPacticipant):
            yield CannotIgnore(selected=one)
    if len(facts.specified) == 1 and not question.destination.names_a_place:
        yield NoDestination()
    given = [one.selector for one in facts.specified]
    if not all(one.is_name_only for one in given) and not any(one.version for one in given):
        yield NoNumber()


def _obstacles(
    facts: Facts, absent: Sequence[NoVersion], considered: Sequence[Row], missing: Sequence[Integration]
) -> Sequence[Reason]:
    """Say what stands in the way: what does not exist, or else what is not verified, or failed."""
    return [NoSuchVersion(selected=one) for one in absent] or list(_unverified(facts, considered, missing))


def _unverified(facts: Facts, considered: Sequence[Row], missing: Sequence[Integration]) -> Iterable[Reason]:
    sides = _Sides(facts, considered)
    for one in missing:
        yield NotVerified(consumer=sides.side(one.consumer, None), provider=sides.side(one.provider, None))
    for success, reason in _BY_SUCCESS:
        for row in considered:
            if row.success is success:
                yield reason(
                    consumer=sides.side(row.consumer, row.consumer_version),
                    provider=sides.side(row.provider, row.provider_version),
                )


_BY_SUCCESS: Final[tuple[tuple[bool | None, type[VerificationFailed | NotVerified]], ...]] = (
    (False, VerificationFailed),
    (None, NotVerified),
)


class _Sides:
    """Finds the selector that tells people which version a reason is about."""

    def __init__(self, facts: Facts, considered: Sequence[Row]) -> None:
        self._facts = facts
        self._considered = considered
        self._selected: dict[str, list[Resolved]] = {}
        for one in (*facts.specified, *facts.inferred):
            self._selected.setdefault(one.selector.pacticipant, []).append(one)

    def side(self, pacticipant: str, number: str | None) -> Side:
        found = self._selected.get(pacticipant, [])
        if len(found) == 1:
            return Side(selected=found[0], version=number or known_number(found[0]))
        same = (one for one in found if number is not None and known_number(one) == number)
        return Side(selected=next(same, None) or self._stand_in(pacticipant), version=number)

    def _stand_in(self, pacticipant: str) -> Resolved:
        """Take the first version of it in the rows: what no selector covers is described by that, whatever its row."""
        for row in self._considered:
            if row.consumer == pacticipant:
                return version_of(pacticipant, row.consumer_version)
            if row.provider == pacticipant:
                return version_of(pacticipant, row.provider_version)
        return version_of(pacticipant, None)
