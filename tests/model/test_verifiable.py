"""Selected versions become pacts to verify, with the notices that a build prints about each."""

from datetime import UTC, datetime, timedelta

import pytest

from treaty.model.decisions.consumer_selectors import (
    AllWithTag,
    Deployed,
    EveryBranch,
    InEnvironment,
    LatestFromBranch,
    LatestWithTag,
    MainBranch,
    OverallLatest,
    Released,
    SelectedPact,
    describe_briefly,
)
from treaty.model.decisions.metadata import Metadata, SelectedBy
from treaty.model.decisions.verifiable_notices import build_notices, explain_missing_wip
from treaty.model.decisions.verifiable_pacts import (
    VerifiablePact,
    VerifiablePactsQuery,
    compute_wip_window,
    group_by_content,
    group_wip,
    list_needed_fallbacks,
    mark_pending,
)

SINCE = datetime(2024, 5, 6, tzinfo=UTC)


def select(selector, version=1, *, consumer="Till", content=1, **more):
    return SelectedPact(
        selector=selector,
        consumer=consumer,
        version=str(version),
        version_id=version * 10,
        position=version,
        sha=f"sha{content}",
        content_id=content,
        **more,
    )


def texts(pact, query=None):
    return [
        text for _, text in build_notices(pact, "Ledger", query or VerifiablePactsQuery(includes_pending=False), "URL")
    ]


def descriptions(*findings):
    (pact,) = group_by_content(findings)
    return [line.removeprefix("    * ") for line in texts(pact)[0].split("\n")[1:]]


SELECTORS = [
    (
        select(OverallLatest()),
        "latest",
        "latest version of a consumer that has a pact with Ledger (1)",
        SelectedBy(is_latest=True, version_id=10),
    ),
    (
        select(OverallLatest(consumer="Till")),
        "latest",
        "latest version of Till that has a pact with Ledger (1)",
        SelectedBy(is_latest=True, version_id=10),
    ),
    (
        select(MainBranch(), branch="trunk"),
        "latest from main branch",
        "latest version from the main branch 'trunk' (1)",
        SelectedBy(is_latest=True, version_id=10),
    ),
    (
        select(MainBranch(consumer="Till", is_default=True), branch="main"),
        "latest from main branch",
        "latest version of Till from the main branch 'main' (1)",
        SelectedBy(version_id=10),
    ),
    (
        select(LatestFromBranch(branch="feat/x")),
        "latest from branch feat/x",
        "latest version from branch 'feat/x' (1)",
        SelectedBy(branch="feat/x", is_latest=True, version_id=10),
    ),
    (
        select(EveryBranch(consumer="Till"), branch="feat/x"),
        "latest from branch feat/x",
        "latest version of Till from branch 'feat/x' (1)",
        SelectedBy(branch="feat/x", is_latest=True, version_id=10),
    ),
    (
        select(LatestWithTag(tag="dev", consumer="Till")),
        "latest with tag dev",
        "latest version of Till tagged 'dev' (1)",
        SelectedBy(tag="dev", is_latest=True, version_id=10),
    ),
    (
        select(LatestWithTag(tag="dev", fallback_tag="prod"), is_fallback=True),
        "latest with tag prod",
        "latest version tagged 'prod' (fallback tag used as no pact was found with tag 'dev') (1)",
        SelectedBy(tag="dev", is_latest=True, version_id=10),
    ),
    (
        select(AllWithTag(tag="prod")),
        "one of prod",
        "all consumer versions tagged 'prod' (1)",
        SelectedBy(tag="prod", version_id=10),
    ),
    (
        select(AllWithTag(tag="prod", consumer="Till")),
        "one of Till prod",
        "all Till versions tagged 'prod' (1)",
        SelectedBy(tag="prod", version_id=10),
    ),
    (
        select(Deployed(), environment="live"),
        "deployed to live",
        "consumer version(s) currently deployed to live (1)",
        SelectedBy(version_id=10),
    ),
    (
        select(Released(environment="live", consumer="Till"), environment="live"),
        "released in live",
        "version(s) of Till released and supported in live (1)",
        SelectedBy(environment="live", version_id=10),
    ),
    (
        select(InEnvironment(environment="live"), environment="live"),
        "in environment live",
        "a consumer version in environment live (1)",
        SelectedBy(environment="live", version_id=10),
    ),
    (
        select(InEnvironment(environment="live", consumer="Till"), environment="live"),
        "in environment live",
        "Till version in environment live (1)",
        SelectedBy(environment="live", version_id=10),
    ),
]


@pytest.mark.parametrize(("finding", "short", "long", "metadata"), SELECTORS)
def test_each_kind_of_selector_has_its_own_description(finding, short, long, metadata):
    assert describe_briefly(finding) == short
    assert descriptions(finding) == [long]
    assert group_by_content([finding])[0].metadata == Metadata(selected_by=(metadata,))


def test_the_same_content_is_verified_once_under_its_highest_version():
    older, newer = select(LatestFromBranch(branch="b"), 1), select(LatestFromBranch(branch="a"), 2)
    (pact,) = group_by_content([older, newer])
    assert (pact.version, pact.selections) == ("2", (newer, older))


def test_the_same_content_of_two_consumers_is_verified_twice():
    pacts = group_by_content([select(OverallLatest(), content=1), select(OverallLatest(), consumer="Apron", content=2)])
    assert [pact.consumer for pact in pacts] == ["Apron", "Till"]


def test_pacts_stand_by_consumer_whatever_its_case_and_then_by_version():
    findings = [
        select(OverallLatest(), version, consumer=consumer, content=content)
        for content, (consumer, version) in enumerate([("b", 2), ("C", 1), ("b", 1), ("A", 9)])
    ]
    assert [(pact.consumer, pact.version) for pact in group_by_content(findings)] == [
        ("A", "9"),
        ("b", "1"),
        ("b", "2"),
        ("C", "1"),
    ]


def test_the_selectors_of_a_pact_stand_by_kind_and_name():
    ordered = [
        select(OverallLatest(), 1),
        select(OverallLatest(), 2),
        select(LatestFromBranch(branch="a"), 2),
        select(LatestFromBranch(branch="b"), 1),
        select(LatestWithTag(tag="a"), 2),
        select(LatestWithTag(tag="b"), 1),
        select(AllWithTag(tag="a", consumer="Till"), 2),
        select(AllWithTag(tag="a"), 1),
        select(AllWithTag(tag="b"), 1),
        select(Deployed(), 2, environment="b"),
        select(Deployed(), 1, environment="c"),
        select(Deployed(), 1, environment="a", is_production=True),
        select(Released(), 1, environment="a"),
        select(Released(), 1, environment="a", is_production=True),
        select(MainBranch(consumer="Till"), 2, branch="main"),
        select(MainBranch(), 1, branch="main"),
        select(InEnvironment(environment="a"), 2, environment="a"),
    ]
    (pact,) = group_by_content(reversed(ordered))
    assert list(pact.selections) == ordered


def test_places_share_a_line_for_each_consumer_filter():
    assert descriptions(
        select(Deployed(), 1, environment="a"),
        select(Deployed(), 2, environment="b"),
        select(Deployed(), 3, environment="c"),
        select(Deployed(consumer="Till"), 1, environment="d"),
        select(Released(), 1, environment="a"),
    ) == [
        "consumer version(s) currently deployed to a (1), b (2) and c (3)",
        "version(s) of Till currently deployed to d (1)",
        "consumer version(s) released and supported in a (1)",
    ]


def test_several_criteria_are_described_in_the_plural():
    (pact,) = group_by_content([select(OverallLatest()), select(LatestFromBranch(branch="main"))])
    (text,) = texts(pact)
    assert text == (
        "The pact at URL is being verified because the pact content belongs to the consumer versions matching the "
        "following criteria:\n"
        "    * latest version of a consumer that has a pact with Ledger (1)\n"
        "    * latest version from branch 'main' (1)"
    )


def test_a_fallback_is_used_only_when_no_consumer_has_the_tag():
    first, second = LatestWithTag(tag="a", fallback_tag="z"), LatestWithTag(tag="b", fallback_tag="z", consumer="Till")
    without = LatestWithTag(tag="c")
    assert list_needed_fallbacks([first, second, without], [select(LatestWithTag(tag="a"), consumer="Apron")]) == [
        second
    ]


@pytest.mark.parametrize(
    ("successes", "is_pending", "tags"),
    [
        ({None: set()}, True, ()),
        ({None: {1}}, False, ()),
        ({"dev": {1}, "feat": {2}}, True, ("feat",)),
        ({"dev": {1}, "feat": {1}}, False, ()),
    ],
)
def test_a_pact_is_pending_until_each_tag_has_succeeded(successes, is_pending, tags):
    (pact,) = mark_pending(group_by_content([select(OverallLatest())]), successes)
    assert (pact.is_pending, pact.pending_tags) == (is_pending, tags)


def test_work_in_progress_is_merged_in_the_order_in_which_it_was_found():
    candidates = [
        ("a", select(LatestWithTag(tag="x"), 1)),
        ("b", select(LatestWithTag(tag="x"), 1)),
        ("a", select(LatestFromBranch(branch="y"), 2)),
    ]
    (pact,) = group_wip(candidates, [])
    assert (pact.version, pact.is_wip, pact.is_pending, pact.pending_tags) == ("2", True, True, ("a", "b", "a"))
    assert pact.selections == tuple(finding for _, finding in candidates)
    assert pact.metadata == Metadata(is_wip=True)


def test_selected_pacts_are_not_work_in_progress():
    explicit = group_by_content([select(OverallLatest(), content=1)])
    candidates = [(None, select(LatestFromBranch(branch="b"), content=content)) for content in (1, 2)]
    assert [pact.sha for pact in group_wip(candidates, explicit)] == ["sha2"]


@pytest.mark.parametrize(
    ("ages", "days"),
    [([], 5), ([1, 1, 1], 7), ([9, 8, 10, 12, 11], 11), ([0] * 4 + [13], 7), ([30], 14), ([9, 9, 9, 9, 13, 13], 13)],
)
def test_the_window_holds_four_of_five_ages_within_its_bounds(ages, days):
    window = compute_wip_window(
        [timedelta(days=age) for age in ages],
        least=timedelta(days=7),
        most=timedelta(days=14),
        default=timedelta(days=5),
    )
    assert window == timedelta(days=days)


def progress(*selectors):
    (pact,) = group_wip([(None, select(selector)) for selector in selectors], [])
    return pact


HEADS = [
    ([LatestFromBranch(branch="a")], "version of Till from branch 'a' and"),
    (
        [LatestFromBranch(branch="a"), LatestWithTag(tag="t")],
        "version of Till from branch 'a' and tagged with 't' (both have the same content) and",
    ),
    (
        [LatestFromBranch(branch="a"), LatestFromBranch(branch="b")],
        "versions of Till from branches 'a' and 'b' (both have the same content) and",
    ),
    (
        [LatestFromBranch(branch="a"), LatestFromBranch(branch="b"), LatestWithTag(tag="t")],
        "version of Till from branches 'a' and 'b' and tagged with 't' (all have the same content) and",
    ),
    (
        [LatestWithTag(tag="t"), LatestWithTag(tag="u"), LatestWithTag(tag="v")],
        "versions of Till tagged with 't', 'u' and 'v' (all have the same content) and",
    ),
]


@pytest.mark.parametrize(("selectors", "text"), HEADS)
def test_work_in_progress_names_its_branches_and_tags(selectors, text):
    assert (
        f"it is the pact for the latest {text} it has not yet"
        in texts(progress(*selectors), VerifiablePactsQuery(branch="main"))[0]
    )


BRANCH = VerifiablePactsQuery(branch="main", tags=("dev",))
TAG = VerifiablePactsQuery(tags=("dev",))
TAGS = VerifiablePactsQuery(tags=("dev", "feat"))
WHO = [
    (VerifiablePactsQuery(), (), "Ledger", "Ledger", ""),
    (BRANCH, (), "a version of Ledger from branch 'main'", "any version of Ledger from branch 'main'", ""),
    (
        VerifiablePactsQuery(branch=""),
        (),
        "a version of Ledger from branch ''",
        "any version of Ledger from branch ''",
        "",
    ),
    (TAG, ("dev",), "a version of Ledger with tag 'dev'", "any version of Ledger with tag 'dev'", "with this tag "),
    (
        TAGS,
        ("dev", "feat"),
        "a versions of Ledger with tag 'dev' and 'feat'",
        "any versions of Ledger with tag 'dev' and 'feat'",
        "with these tags ",
    ),
    (TAGS, ("feat",), "a version of Ledger with tag 'feat'", "any version of Ledger with tag 'feat'", "with this tag "),
]


def pending(*, tags=(), is_pending=True) -> VerifiablePact:
    (pact,) = group_by_content([select(OverallLatest())])
    return pact._replace(is_pending=is_pending, pending_tags=tags)


@pytest.mark.parametrize(("query", "tags", "who", "any_", "with_tags"), WHO)
def test_the_notice_of_a_pending_pact_names_the_missing_success(query, tags, who, any_, with_tags):
    more = "Read more at https://docs.pact.io/go/pending"
    waits = (
        "This pact is in pending state for this version of Ledger because a successful verification result for "
        f"{who} has not yet been published. "
        f"If this verification fails, it will not cause the overall build to fail. {more}"
    )
    unpublished = (
        f"This pact is still in pending state for {any_} as the successful verification results {with_tags}"
        "have not yet been published."
    )
    failed = (
        f"This pact is still in pending state for {any_} as a successful verification result {with_tags}"
        "has not yet been published"
    )
    succeeded = (
        f"This pact is no longer in pending state for {any_}, as a successful verification result {with_tags}"
        f"has been published. If a verification for a version of Ledger {with_tags}fails in the future, it will "
        f"fail the build. {more}"
    )
    assert build_notices(pending(tags=tags), "Ledger", query, "URL")[1:] == [
        ("before_verification", waits),
        ("after_verification:success_true_published_false", unpublished),
        ("after_verification:success_false_published_false", failed),
        ("after_verification:success_true_published_true", succeeded),
        ("after_verification:success_false_published_true", failed),
    ]


@pytest.mark.parametrize(
    ("query", "who"),
    [
        (VerifiablePactsQuery(), "Ledger"),
        (BRANCH, "a version of Ledger from branch 'main'"),
        (TAG, "a version of Ledger with tag 'dev'"),
        (TAGS, "a version of Ledger with tag 'dev' and 'feat'"),
    ],
)
def test_the_notice_of_a_pact_that_is_not_pending_names_its_verifier(query, who):
    (_, text) = texts(pending(is_pending=False), query)
    assert text == (
        f"This pact has previously been successfully verified by {who}. If this verification fails, it will fail the "
        "build. Read more at https://docs.pact.io/go/pending"
    )


def test_the_pending_notice_is_absent_unless_it_was_requested():
    assert len(texts(pending(), VerifiablePactsQuery(includes_pending=False))) == 1


@pytest.mark.parametrize(
    ("query", "has_wip"),
    [
        (VerifiablePactsQuery(branch="main"), False),
        (VerifiablePactsQuery(wip_since=0), False),  # type: ignore[arg-type]  # any time will do
        (VerifiablePactsQuery(wip_since=0, tags=("dev",)), True),  # type: ignore[arg-type]  # likewise
        (VerifiablePactsQuery(wip_since=0, branch=""), True),  # type: ignore[arg-type]  # likewise
    ],
)
def test_work_in_progress_needs_a_date_and_a_branch_or_tag(query, has_wip):
    assert query.has_wip is has_wip


@pytest.mark.parametrize(
    ("query", "is_explained"),
    [
        ({}, False),
        ({"wip_since": SINCE}, True),
        ({"wip_since": SINCE, "branch": "b"}, False),
        ({"wip_since": SINCE, "tags": ("t",)}, False),
        ({"branch": "b"}, False),
    ],
)
def test_missing_work_in_progress_is_explained_if_it_was_requested(query, is_explained):
    text = explain_missing_wip(VerifiablePactsQuery(includes_pending=False, **query))
    assert (text is not None and "providerVersionBranch" in text) is is_explained


@pytest.mark.parametrize(("count", "rank"), [(1, 1), (4, 4), (5, 4), (99, 80), (100, 80), (101, 81), (105, 84)])
def test_the_window_is_an_age_by_nearest_rank(count, rank):
    ages = [timedelta(hours=age) for age in range(count, 0, -1)]
    bounds = {"least": timedelta(0), "most": timedelta(days=30), "default": timedelta(0)}
    assert compute_wip_window(ages, **bounds) == timedelta(hours=rank)


@pytest.mark.parametrize("consumer", [None, "Till"])
def test_a_fallback_branch_is_a_selector_of_its_own(consumer):
    assert LatestFromBranch(branch="b", consumer=consumer).fallback is None
    fallback = LatestFromBranch(branch="b", consumer=consumer, fallback_branch="main").fallback
    assert fallback == LatestFromBranch(branch="main", consumer=consumer, fallback_for="b")


def test_one_criterion_is_described_in_the_singular():
    (pact,) = group_by_content([select(OverallLatest())])
    assert texts(pact)[0].split("\n")[0] == (
        "The pact at URL is being verified because the pact content belongs to the consumer version matching the "
        "following criterion:"
    )
