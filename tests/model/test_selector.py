"""How selectors are described, and what is said when they find nothing."""

import pytest

from treaty.model.decisions.selectors import (
    AnyVersion,
    FoundVersion,
    NoPacticipant,
    NoVersion,
    ResolvedSelector,
    Selector,
    describe,
    describe_absence,
    is_ignored_by,
)

NAME = "Foo"


def asked(version: str | None = None, **criteria: object) -> Selector:
    return Selector(pacticipant=NAME, version=version, **criteria)  # type: ignore[arg-type]  # criteria of a table


def found(selector: Selector, *, many: bool = False) -> FoundVersion:
    return FoundVersion(selector=selector, number="1", main_branch="main", is_one_of_many=many)


def missing(selector: Selector) -> NoVersion:
    return NoVersion(selector=selector)


LATEST_TAG = asked(tag="t", is_latest=True)
LATEST_MAIN = asked(is_main_branch=True, is_latest=True)
MAIN = asked(is_main_branch=True)
LATEST_BRANCH = asked(branch="b", is_latest=True)
BRANCH = asked(branch="b")
LATEST = asked(is_latest=True)
TAG = asked(tag="t")
ENVIRONMENT = asked(environment="e")


@pytest.mark.parametrize(
    ("resolved", "text"),
    [
        (found(LATEST_TAG), "the latest version of Foo with tag t (1)"),
        (missing(LATEST_TAG), "the latest version of Foo with tag t (no such version exists)"),
        (missing(LATEST_MAIN), "the latest version of Foo from the main branch (no versions exist for this branch)"),
        (missing(MAIN), "any version of Foo from the main branch (no versions exist for this branch)"),
        (found(LATEST_MAIN), "the latest version of Foo from branch main (1)"),
        (found(MAIN), "the version of Foo from branch main (1)"),
        (found(MAIN, many=True), "one of the versions of Foo from branch main (1)"),
        (found(LATEST_BRANCH), "the latest version of Foo from branch b (1)"),
        (missing(LATEST_BRANCH), "the latest version of Foo from branch b (no such version exists)"),
        (found(BRANCH), "the version of Foo from branch b (1)"),
        (found(BRANCH, many=True), "one of the versions of Foo from branch b (1)"),
        (missing(BRANCH), "a version of Foo from branch b (no such version exists)"),
        (found(LATEST), "the latest version of Foo (1)"),
        (missing(LATEST), "the latest version of Foo (no such version exists)"),
        (found(TAG), "a version of Foo with tag t (1)"),
        (found(TAG, many=True), "a version of Foo with tag t (1)"),
        (missing(TAG), "a version of Foo with tag t (no such version exists)"),
        (missing(asked("9", tag="t")), "a version of Foo with tag t (9)"),
        (found(ENVIRONMENT), "the version of Foo currently in e (1)"),
        (found(ENVIRONMENT, many=True), "one of the versions of Foo currently in e (1)"),
        (
            missing(ENVIRONMENT),
            (
                "a version of Foo currently in e "
                "(no version is currently recorded as deployed/released in this environment)"
            ),
        ),
        (missing(asked("9")), "version 9 of Foo (no such version exists)"),
        (found(asked("1")), "version 1 of Foo"),
        (NoPacticipant(selector=asked()), "any version of Foo (no such pacticipant exists)"),
        (AnyVersion(selector=asked()), "any version of Foo"),
    ],
)
def test_a_selector_is_described_by_what_it_asks_for_and_what_it_found(resolved: ResolvedSelector, text: str) -> None:
    assert describe(resolved) == text


@pytest.mark.parametrize(
    ("selector", "text"),
    [
        (asked("1", tag="t", branch="b"), "No version with tag t exists for Foo"),
        (asked("1", branch="b", environment="e"), "No version of Foo from branch b exists"),
        (LATEST_MAIN, "No version of Foo from the main branch exists"),
        (ENVIRONMENT, "No version of Foo is currently recorded as deployed or released in environment e"),
        (asked("1"), "No pacts or verifications have been published for version 1 of Foo"),
        (LATEST, "No pacts or verifications have been published for Foo"),
    ],
)
def test_the_first_criterion_names_what_is_missing(selector: Selector, text: str) -> None:
    assert describe_absence(selector) == text


@pytest.mark.parametrize(
    ("ignored", "number", "is_covered"),
    [
        (AnyVersion(selector=asked()), "1", True),
        (AnyVersion(selector=asked()), None, True),
        (found(asked("1")), "1", True),
        (found(asked("1")), "2", False),
        (found(asked("1")), None, False),
        (missing(asked("1")), "1", False),
        (NoPacticipant(selector=asked()), None, False),
    ],
)
def test_what_is_ignored_is_a_version_or_a_pacticipant_as_a_whole(
    ignored: ResolvedSelector, number: str | None, *, is_covered: bool
) -> None:
    assert is_ignored_by(ignored, NAME, number) is is_covered
    for other in ("Bar", "Zoo"):
        assert not is_ignored_by(ignored, other, number)


@pytest.mark.parametrize(
    ("selector", "is_name_only", "is_number_only"),
    [
        (asked(), True, False),
        (asked("1"), False, True),
        *((selector, False, False) for selector in (LATEST, MAIN, TAG, BRANCH, ENVIRONMENT)),
        *(
            (asked("1", **criterion), False, False)
            for criterion in ({"tag": "t"}, {"branch": "b"}, {"is_latest": True})
        ),
    ],
)
def test_a_name_alone_means_any_version_and_a_number_one(
    selector: Selector, *, is_name_only: bool, is_number_only: bool
) -> None:
    assert (selector.is_name_only, selector.is_number_only) == (is_name_only, is_number_only)
