"""Descriptions of selectors, and of versions that they do not find."""

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


def build_selector(version: str | None = None, **criteria: object) -> Selector:
    return Selector(pacticipant=NAME, version=version, **criteria)  # type: ignore[arg-type]  # criteria of a table


def resolve(selector: Selector, *, many: bool = False) -> FoundVersion:
    return FoundVersion(selector=selector, number="1", main_branch="main", is_one_of_many=many)


def missing(selector: Selector) -> NoVersion:
    return NoVersion(selector=selector)


LATEST_TAG = build_selector(tag="t", is_latest=True)
LATEST_MAIN = build_selector(is_main_branch=True, is_latest=True)
MAIN = build_selector(is_main_branch=True)
LATEST_BRANCH = build_selector(branch="b", is_latest=True)
BRANCH = build_selector(branch="b")
LATEST = build_selector(is_latest=True)
TAG = build_selector(tag="t")
ENVIRONMENT = build_selector(environment="e")


@pytest.mark.parametrize(
    ("resolved", "text"),
    [
        (resolve(LATEST_TAG), "the latest version of Foo with tag t (1)"),
        (missing(LATEST_TAG), "the latest version of Foo with tag t (no such version exists)"),
        (missing(LATEST_MAIN), "the latest version of Foo from the main branch (no versions exist for this branch)"),
        (missing(MAIN), "any version of Foo from the main branch (no versions exist for this branch)"),
        (resolve(LATEST_MAIN), "the latest version of Foo from branch main (1)"),
        (resolve(MAIN), "the version of Foo from branch main (1)"),
        (resolve(MAIN, many=True), "one of the versions of Foo from branch main (1)"),
        (resolve(LATEST_BRANCH), "the latest version of Foo from branch b (1)"),
        (missing(LATEST_BRANCH), "the latest version of Foo from branch b (no such version exists)"),
        (resolve(BRANCH), "the version of Foo from branch b (1)"),
        (resolve(BRANCH, many=True), "one of the versions of Foo from branch b (1)"),
        (missing(BRANCH), "a version of Foo from branch b (no such version exists)"),
        (resolve(LATEST), "the latest version of Foo (1)"),
        (missing(LATEST), "the latest version of Foo (no such version exists)"),
        (resolve(TAG), "a version of Foo with tag t (1)"),
        (resolve(TAG, many=True), "a version of Foo with tag t (1)"),
        (missing(TAG), "a version of Foo with tag t (no such version exists)"),
        (missing(build_selector("9", tag="t")), "a version of Foo with tag t (9)"),
        (resolve(ENVIRONMENT), "the version of Foo currently in e (1)"),
        (resolve(ENVIRONMENT, many=True), "one of the versions of Foo currently in e (1)"),
        (
            missing(ENVIRONMENT),
            (
                "a version of Foo currently in e "
                "(no version is currently recorded as deployed/released in this environment)"
            ),
        ),
        (missing(build_selector("9")), "version 9 of Foo (no such version exists)"),
        (resolve(build_selector("1")), "version 1 of Foo"),
        (NoPacticipant(selector=build_selector()), "any version of Foo (no such pacticipant exists)"),
        (AnyVersion(selector=build_selector()), "any version of Foo"),
    ],
)
def test_a_selector_is_described_by_its_criteria_and_the_version_it_found(
    resolved: ResolvedSelector, text: str
) -> None:
    assert describe(resolved) == text


@pytest.mark.parametrize(
    ("selector", "text"),
    [
        (build_selector("1", tag="t", branch="b"), "No version with tag t exists for Foo"),
        (build_selector("1", branch="b", environment="e"), "No version of Foo from branch b exists"),
        (LATEST_MAIN, "No version of Foo from the main branch exists"),
        (ENVIRONMENT, "No version of Foo is currently recorded as deployed or released in environment e"),
        (build_selector("1"), "No pacts or verifications have been published for version 1 of Foo"),
        (LATEST, "No pacts or verifications have been published for Foo"),
    ],
)
def test_the_missing_version_is_described_by_the_first_criterion(selector: Selector, text: str) -> None:
    assert describe_absence(selector) == text


@pytest.mark.parametrize(
    ("ignored", "number", "is_covered"),
    [
        (AnyVersion(selector=build_selector()), "1", True),
        (AnyVersion(selector=build_selector()), None, True),
        (resolve(build_selector("1")), "1", True),
        (resolve(build_selector("1")), "2", False),
        (resolve(build_selector("1")), None, False),
        (missing(build_selector("1")), "1", False),
        (NoPacticipant(selector=build_selector()), None, False),
    ],
)
def test_a_version_or_all_versions_of_a_pacticipant_can_be_ignored(
    ignored: ResolvedSelector, number: str | None, *, is_covered: bool
) -> None:
    assert is_ignored_by(ignored, NAME, number) is is_covered
    for other in ("Bar", "Zoo"):
        assert not is_ignored_by(ignored, other, number)


@pytest.mark.parametrize(
    ("selector", "is_name_only", "is_number_only"),
    [
        (build_selector(), True, False),
        (build_selector("1"), False, True),
        *((selector, False, False) for selector in (LATEST, MAIN, TAG, BRANCH, ENVIRONMENT)),
        *(
            (build_selector("1", **criterion), False, False)
            for criterion in ({"tag": "t"}, {"branch": "b"}, {"is_latest": True})
        ),
    ],
)
def test_a_name_alone_means_any_version_and_a_number_one(
    selector: Selector, *, is_name_only: bool, is_number_only: bool
) -> None:
    assert (selector.is_name_only, selector.is_number_only) == (is_name_only, is_number_only)
