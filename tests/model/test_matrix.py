"""Verdicts of the matrix for given facts: rows, counts, the answer and the reasons, as tables of cases."""

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from treaty.model.decisions import reasons as reason_texts
from treaty.model.decisions.matrix import MAX_REASONS, MatrixFacts, MatrixRow, Verdict, decide
from treaty.model.decisions.queries import Destination, LatestBy, MatrixQuery
from treaty.model.decisions.selectors import (
    AnyVersion,
    FoundVersion,
    NoPacticipant,
    NoVersion,
    ResolvedSelector,
    Selector,
)

NOW = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)
FOO_1 = Selector(pacticipant="Foo", version="1")
FOO, BAR = Selector(pacticipant="Foo"), Selector(pacticipant="Bar")
TO_PROD = Destination(environment="prod")


def row(
    consumer: str = "1",
    provider: str | None = "10",
    success: bool | None = True,  # noqa: FBT001, FBT002 - reads well in the tables
    number: int = 101,
    names: tuple[str, str] = ("Foo", "Bar"),
) -> MatrixRow:
    return MatrixRow(
        names[0],
        consumer,
        int(consumer),
        names[1],
        provider,
        int(provider) if provider else None,
        "sha",
        1,
        NOW,
        number if provider else None,
        success if provider else None,
        NOW if provider else None,
    )


def there(number: str, name: str = "Bar", *, many: bool = False) -> FoundVersion:
    selector = Selector(pacticipant=name, environment="prod")
    return FoundVersion(selector=selector, number=number, is_one_of_many=many)


def nowhere(name: str = "Bar") -> NoVersion:
    return NoVersion(selector=Selector(pacticipant=name, environment="prod"))


def to_prod(
    rows: Sequence[MatrixRow],
    inferred: Sequence[ResolvedSelector] = (),
    specified: ResolvedSelector | None = None,
) -> Verdict:
    facts = MatrixFacts(
        specified=[specified or FoundVersion(selector=FOO_1, number="1")],
        inferred=inferred,
        rows=rows,
    )
    cvpv = LatestBy.CONSUMER_VERSION_AND_PROVIDER_VERSION
    return decide(MatrixQuery(selectors=(FOO_1,), destination=TO_PROD, latest_by=cvpv), facts)


OK = "All required verification results are published and successful"
NOTHING = "There are no missing dependencies"
NOT_THERE = "(no version is currently recorded as deployed/released in this environment)"


@pytest.mark.parametrize(
    ("rows", "inferred", "deployable", "counts", "reasons"),
    [
        ([row()], [there("10")], True, (1, 0, 0), [OK]),
        ([], [], True, (0, 0, 0), [NOTHING]),
        ([], [nowhere()], True, (0, 0, 0), [NOTHING]),
        (
            [row(provider=None)],
            [nowhere()],
            None,
            (0, 0, 1),
            [f"There is no verified pact between version 1 of Foo and a version of Bar currently in prod {NOT_THERE}"],
        ),
        (
            [row(), row(provider="12", success=False), row(provider="13")],
            [there("10", many=True), there("12", many=True), there("13", many=True)],
            False,
            (2, 1, 0),
            [
                (
                    "The verification for the pact between version 1 of Foo and "
                    "one of the versions of Bar currently in prod (12) failed"
                ),
            ],
        ),
        (
            [row(provider=None, names=("Foo", "Baz")), row(success=False)],
            [there("10"), there("20", "Baz")],
            None,
            (0, 1, 1),
            [
                (
                    "The verification for the pact between version 1 of Foo and "
                    "the version of Bar currently in prod (10) failed"
                ),
                "There is no verified pact between version 1 of Foo and the version of Baz currently in prod (20)",
            ],
        ),
    ],
    ids=["verified", "alone", "not depended on", "not deployed", "one failed", "failed and unverified"],
)
def test_a_version_is_deployable_if_all_required_integrations_are_verified(
    rows: list[MatrixRow],
    inferred: list[ResolvedSelector],
    deployable: bool | None,  # noqa: FBT001 - a column of the table
    counts: tuple[int, int, int],
    reasons: list[str],
) -> None:
    verdict = to_prod(rows, inferred)
    summary = verdict.summary
    assert summary.deployable is deployable
    assert (summary.success, summary.failed, summary.unknown) == counts
    assert [reason_texts.describe_reason(reason) for reason in verdict.reasons] == reasons
    assert summary.ignored is None


def test_a_missing_version_is_never_deployable_whatever_the_counts_are() -> None:
    verdict = to_prod([row(provider=None)], specified=NoVersion(selector=FOO_1))
    assert (verdict.summary.deployable, verdict.summary.unknown) == (False, 1)
    assert [reason_texts.describe_reason(reason) for reason in verdict.reasons] == [
        "No pacts or verifications have been published for version 1 of Foo",
    ]


ROWS = [
    row("2", "11", success=False, number=104),
    row("2", "10", number=103),
    row("2", "11", number=102),
    row("1", "10", number=101),
]


@pytest.mark.parametrize(
    ("latest_by", "numbers"),
    [
        (None, [104, 102, 103, 101]),
        (LatestBy.CONSUMER_VERSION_AND_PROVIDER_VERSION, [102, 103, 101]),
        (LatestBy.CONSUMER_VERSION, [102, 101]),
        (LatestBy.PAIR, [102]),
    ],
)
def test_the_latest_of_a_group_is_of_the_highest_provider_version(
    latest_by: LatestBy | None, numbers: list[int]
) -> None:
    question = MatrixQuery(selectors=(FOO, BAR), latest_by=latest_by)
    verdict = decide(question, MatrixFacts(specified=[AnyVersion(selector=FOO), AnyVersion(selector=BAR)], rows=ROWS))
    assert [row.verification for row in verdict.rows] == numbers


@pytest.mark.parametrize(
    ("rows", "left"),
    [([row("2", None), row("1", "10")], [("2", None)]), ([row("2", "10"), row("1", None)], [("2", "10")])],
)
def test_a_group_whose_newest_row_is_unverified_is_unverified(
    rows: list[MatrixRow], left: list[tuple[str, str | None]]
) -> None:
    facts = MatrixFacts(specified=[AnyVersion(selector=FOO), AnyVersion(selector=BAR)], rows=rows)
    verdict = decide(MatrixQuery(selectors=(FOO, BAR), latest_by=LatestBy.PAIR), facts)
    assert [(row.consumer_version, row.provider_version) for row in verdict.rows] == left


def test_rows_stand_in_order_of_names_and_positions_the_unverified_first() -> None:
    rows = [
        row("1", "9", number=1),
        row("1", "10", number=2),
        row("1", "10", number=3),
        row("1", None),
        row("2", "9", number=4),
        row("5", None, names=("foo", "Bar")),
        row("1", None, names=("Foo", "Baz")),
        row("1", None, names=("Aaa", "Bar")),
    ]
    verdict = decide(MatrixQuery(selectors=()), MatrixFacts(specified=[], rows=rows))
    assert [(row.consumer, row.consumer_version, row.provider, row.verification) for row in verdict.rows] == [
        ("Aaa", "1", "Bar", None),
        ("Foo", "2", "Bar", 4),
        ("Foo", "1", "Bar", None),
        ("Foo", "1", "Bar", 3),
        ("Foo", "1", "Bar", 2),
        ("Foo", "1", "Bar", 1),
        ("Foo", "1", "Baz", None),
        ("foo", "5", "Bar", None),
    ]


@pytest.mark.parametrize("success", [{True}, {False}, {None}])
def test_rows_left_out_by_their_success_still_count(success: set[bool | None]) -> None:
    chosen = [AnyVersion(selector=FOO), AnyVersion(selector=BAR)]
    rows = [row(), row(consumer="2", success=False), row(consumer="3", provider=None)]
    verdict = decide(
        MatrixQuery(selectors=(FOO, BAR), success=frozenset(success)), MatrixFacts(specified=chosen, rows=rows)
    )
    summary = verdict.summary
    assert [row.success for row in verdict.rows] == [*success]
    assert (summary.deployable, summary.success, summary.failed, summary.unknown) == (None, 1, 1, 1)
    assert len(verdict.reasons) == 2


@pytest.mark.parametrize("latest_by", list(LatestBy))
@pytest.mark.parametrize(("older", "deployable"), [(True, True), (False, False), (None, None)])
def test_rows_left_out_as_older_still_count(
    latest_by: LatestBy,
    older: bool | None,  # noqa: FBT001 - a column of the table
    deployable: bool | None,  # noqa: FBT001 - a column of the table
) -> None:
    rows = [row(provider="11", number=102), row(provider="10", success=older)]
    chosen = [FoundVersion(selector=FOO_1, number="1"), there("10", many=True), there("11", many=True)]
    verdict = decide(MatrixQuery(selectors=(FOO_1,), latest_by=latest_by), MatrixFacts(specified=chosen, rows=rows))
    assert verdict.summary.deployable is deployable
    assert (verdict.summary.failed, verdict.summary.unknown) == (int(older is False), int(older is None))


def test_reasons_name_a_bounded_number_of_results_and_count_the_others() -> None:
    chosen = [AnyVersion(selector=FOO), AnyVersion(selector=BAR)]
    rows = [row(consumer=str(number), success=False) for number in range(MAX_REASONS + 2)]
    rows += [row(consumer=str(number), provider=None) for number in range(1000, 1000 + MAX_REASONS + 1)]
    verdict = decide(MatrixQuery(selectors=(FOO, BAR)), MatrixFacts(specified=chosen, rows=rows))
    assert len(verdict.reasons) == 2 * MAX_REASONS + 1
    assert verdict.summary.failed == MAX_REASONS + 2
    assert reason_texts.describe_reason(verdict.reasons[-1]) == (
        "Of the required verification results, 2 more failed and 1 more is missing"
    )


def ignoring(*ignored: ResolvedSelector) -> Verdict:
    facts = MatrixFacts(
        specified=[FoundVersion(selector=FOO_1, number="1")],
        inferred=[there("10"), nowhere("Baz")],
        ignored=ignored,
        rows=[row(), row(provider=None, names=("Foo", "Baz"))],
    )
    question = MatrixQuery(
        selectors=(FOO_1,), ignore=tuple(resolved.selector for resolved in ignored), destination=TO_PROD
    )
    return decide(question, facts)


def test_ignored_rows_are_shown_but_do_not_count() -> None:
    verdict = ignoring(AnyVersion(selector=Selector(pacticipant="Baz")))
    assert [row.provider for row in verdict.considered] == ["Bar"]
    assert [row.provider for row in verdict.ignored] == ["Baz"]
    assert (verdict.summary.deployable, verdict.summary.unknown, verdict.summary.ignored) == (True, 0, 1)
    assert [reason_texts.describe_reason(reason) for reason in verdict.reasons] == [OK]


def test_ignoring_a_missing_pacticipant_or_version_causes_a_warning() -> None:
    verdict = ignoring(
        NoPacticipant(selector=Selector(pacticipant="Qux")),
        NoVersion(selector=Selector(pacticipant="Baz", version="7")),
    )
    assert verdict.summary.ignored == 0
    assert [reason_texts.describe_reason(reason) for reason in verdict.reasons[:2]] == [
        "WARN: Cannot ignore any version of Qux (no such pacticipant exists)",
        "WARN: Cannot ignore version 7 of Baz (no such version exists)",
    ]
    assert verdict.summary.deployable is None


def test_a_missing_version_does_not_count_where_its_pacticipant_is_ignored() -> None:
    facts = MatrixFacts(specified=[NoVersion(selector=FOO_1)], ignored=[AnyVersion(selector=FOO)])
    verdict = decide(MatrixQuery(selectors=(FOO_1,), ignore=(FOO,), destination=TO_PROD), facts)
    assert verdict.summary.deployable is True


NO_PLACE, NO_NUMBER = reason_texts.NoDestination(), reason_texts.NoNumber()


@pytest.mark.parametrize(
    ("specified", "destination", "warnings"),
    [
        ([FoundVersion(selector=FOO_1, number="1")], Destination(), [NO_PLACE]),
        ([FoundVersion(selector=FOO_1, number="1")], Destination(is_latest=True), [NO_PLACE]),
        ([FoundVersion(selector=FOO_1, number="1")], Destination(tag="t"), []),
        ([FoundVersion(selector=FOO_1, number="1")], Destination(is_main_branch=False), [NO_PLACE]),
        ([there("1", "Foo")], Destination(is_main_branch=True), [NO_NUMBER]),
        ([there("1", "Foo")], Destination(), [NO_PLACE, NO_NUMBER]),
        ([there("1", "Foo"), there("2", "Foo")], Destination(), [NO_PLACE, NO_NUMBER]),
        ([there("1", "Foo"), FoundVersion(selector=FOO_1, number="1")], Destination(), [NO_PLACE]),
        ([AnyVersion(selector=FOO), AnyVersion(selector=BAR)], Destination(), []),
    ],
)
def test_vague_questions_are_warned_of(
    specified: list[ResolvedSelector], destination: Destination, warnings: list[reason_texts.Reason]
) -> None:
    question = MatrixQuery(selectors=tuple(resolved.selector for resolved in specified), destination=destination)
    verdict = decide(question, MatrixFacts(specified=specified))
    assert verdict.reasons == [*warnings, reason_texts.NothingRequired()]


@pytest.mark.parametrize(("selector_count", "warnings"), [(1, [NO_NUMBER]), (2, [NO_PLACE, NO_NUMBER])])
def test_one_selector_that_finds_several_versions_needs_no_place(
    selector_count: int, warnings: list[reason_texts.Reason]
) -> None:
    selector = Selector(pacticipant="Foo", tag="t")
    specified = [FoundVersion(selector=selector, number=number, is_one_of_many=True) for number in "12"]
    verdict = decide(MatrixQuery(selectors=(selector,) * selector_count), MatrixFacts(specified=specified))
    assert verdict.reasons == [*warnings, reason_texts.NothingRequired()]


@pytest.mark.parametrize(
    ("inferred", "shown"),
    [([there("10")], [None, "11"]), ([there("10", many=True), there("11", many=True)], ["10", "11"])],
)
def test_a_row_without_a_result_shows_its_provider_version_where_there_are_several(
    inferred: list[ResolvedSelector], shown: list[str | None]
) -> None:
    rows = [row()._replace(verification=None, success=None), row(provider="11", number=102)]
    verdict = to_prod(rows, inferred)
    assert sorted((verdict.shown_provider_version(row) for row in verdict.rows), key=str) == sorted(shown, key=str)


@pytest.mark.parametrize(
    ("newest", "counts"),
    [
        # The counts are those of the latest rows, unless they contradict the answer.
        (True, (1, 0)),
        (False, (0, 1)),
    ],
)
@pytest.mark.parametrize(("older", "others"), [(True, (1, 0)), (False, (0, 1))])
def test_where_any_version_counts_the_latest_rows_are_counted(
    *, newest: bool, counts: tuple[int, int], older: bool, others: tuple[int, int]
) -> None:
    rows = [row(provider="11", number=102, success=newest), row(provider="10", success=older)]
    is_same_answer = newest is (newest and older)
    all_rows = (counts[0] + others[0], counts[1] + others[1])
    for loaded_rows in (rows, rows[::-1]):
        facts = MatrixFacts(
            specified=[FoundVersion(selector=FOO_1, number="1"), AnyVersion(selector=BAR)], rows=loaded_rows
        )
        summary = decide(MatrixQuery(selectors=(FOO_1, BAR), latest_by=LatestBy.CONSUMER_VERSION), facts).summary
        assert summary.deployable is (newest and older)
        assert (summary.success, summary.failed) == (counts if is_same_answer else all_rows)
        without_latest = decide(MatrixQuery(selectors=(FOO_1, BAR)), facts).summary
        assert (without_latest.success, without_latest.failed) == all_rows


@pytest.mark.parametrize(("limit", "count"), [(None, 3), (0, 0), (2, 2), (3, 3), (4, 3)])
def test_rows_beyond_the_limit_are_left_out_but_still_count(limit: int | None, count: int) -> None:
    rows = [row(), row(consumer="2"), row(consumer="3", success=False)]
    facts = MatrixFacts(specified=[AnyVersion(selector=FOO), AnyVersion(selector=BAR)], rows=rows)
    verdict = decide(MatrixQuery(selectors=(FOO, BAR), limit=limit), facts)
    assert (len(verdict.rows), verdict.total) == (count, 3)
    assert (verdict.summary.deployable, verdict.summary.success, verdict.summary.failed) == (False, 2, 1)


@pytest.mark.parametrize(
    ("failed", "unknown", "text"),
    [
        (1, 0, "1 more failed"),
        (0, 1, "1 more is missing"),
        (0, 2, "2 more are missing"),
        (2, 2, "2 more failed and 2 more are missing"),
    ],
)
def test_results_that_are_not_named_are_counted(failed: int, unknown: int, text: str) -> None:
    reason = reason_texts.MoreObstacles(failed=failed, unknown=unknown)
    assert reason_texts.describe_reason(reason) == f"Of the required verification results, {text}"


def test_a_row_that_no_selector_covers_is_described_by_its_version() -> None:
    rows = [row("1", "11", success=False), row("1", "10", success=False)]
    facts = MatrixFacts(specified=[FoundVersion(selector=FOO_1, number="1")], rows=rows)
    verdict = decide(MatrixQuery(selectors=(FOO_1,)), facts)
    assert [reason_texts.describe_reason(reason) for reason in verdict.reasons[1:]] == [
        f"The verification for the pact between version 1 of Foo and version {number} of Bar failed"
        for number in (11, 10)
    ]


def test_a_reason_has_its_versions_code_severity_and_next_step() -> None:
    verdict = decide(
        MatrixQuery(selectors=(FOO, BAR)),
        MatrixFacts(specified=[AnyVersion(selector=FOO), AnyVersion(selector=BAR)], rows=[row(success=False)]),
    )
    (failed,) = verdict.reasons
    assert isinstance(failed, reason_texts.VerificationFailed)
    assert (failed.consumer.version, failed.provider.version) == ("1", "10")
    assert (reason_texts.get_code(failed), reason_texts.get_severity(failed)) == ("failed_verification", "error")
    assert reason_texts.suggest_next_step(failed) == "Make Bar (10) honour the pact, or change what Foo (1) expects."


@pytest.mark.parametrize(
    ("inferred", "kind", "step"),
    [
        (nowhere(), "not_deployed", "Deploy a version of Bar to prod first, and record its deployment."),
        (
            there("10"),
            "missing_verification",
            "Verify the pact of Foo (1) with Bar (10), and publish the result.",
        ),
    ],
)
def test_a_missing_verification_has_a_code_and_a_next_step(inferred: ResolvedSelector, kind: str, step: str) -> None:
    (stop,) = to_prod([row(provider=None)], [inferred]).reasons
    assert isinstance(stop, reason_texts.NotVerified)
    assert (reason_texts.get_code(stop), reason_texts.suggest_next_step(stop)) == (kind, step)


def test_a_missing_version_has_a_code_and_a_next_step() -> None:
    (stop,) = to_prod([], specified=NoVersion(selector=FOO_1)).reasons
    assert isinstance(stop, reason_texts.NoSuchVersion)
    assert reason_texts.get_code(stop) == "no_such_version"
    assert reason_texts.suggest_next_step(stop).startswith("Publish the pacts or verification results of Foo (1)")


@pytest.mark.parametrize("counts_superseded", [True, False])
def test_superseded_results_count_if_they_are_to(*, counts_superseded: bool) -> None:
    rows = [row(success=False)._replace(is_superseded=True), row(number=102)]
    facts = MatrixFacts(specified=[AnyVersion(selector=FOO), AnyVersion(selector=BAR)], rows=rows)
    verdict = decide(MatrixQuery(selectors=(FOO, BAR), counts_superseded=counts_superseded), facts)
    assert len(verdict.rows) == 2
    assert verdict.summary.deployable is not counts_superseded


@pytest.mark.parametrize(
    ("failed", "unknown"), [(MAX_REASONS + 1, 0), (0, MAX_REASONS + 1), (MAX_REASONS, MAX_REASONS)]
)
def test_obstacles_beyond_the_limit_are_counted_whatever_they_are(failed: int, unknown: int) -> None:
    rows = [row(consumer=str(number), success=False) for number in range(failed)]
    rows += [row(consumer=str(number), provider=None) for number in range(1000, 1000 + unknown)]
    facts = MatrixFacts(specified=[AnyVersion(selector=FOO), AnyVersion(selector=BAR)], rows=rows)
    reasons = decide(MatrixQuery(selectors=(FOO, BAR)), facts).reasons
    others = [reason for reason in reasons if isinstance(reason, reason_texts.MoreObstacles)]
    counts = [(max(0, failed - MAX_REASONS), max(0, unknown - MAX_REASONS))]
    assert [(reason.failed, reason.unknown) for reason in others] == [count for count in counts if any(count)]
