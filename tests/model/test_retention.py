"""The selectors of versions and branches to keep, as users write them."""

from datetime import UTC, datetime, timedelta

import pytest

from treaty.errors import InvalidSetting
from treaty.model.maintenance.retention import (
    DEFAULT_BRANCH_SELECTORS,
    DEFAULT_VERSION_SELECTORS,
    KeepBranches,
    KeepVersions,
    RemovedCounts,
    add_in_use_selectors,
    compute_cutoff,
    order_consumers_first,
    parse_branch_selectors,
    parse_selector_json,
    parse_version_selectors,
)


@pytest.mark.parametrize(
    ("raw", "selector"),
    [
        ({"latest": True}, KeepVersions(latest=True)),
        ({"tag": True, "latest": True}, KeepVersions(tag=True, latest=True)),
        ({"tag": "prod"}, KeepVersions(tag="prod")),
        ({"branch": "main", "max_age": 30}, KeepVersions(branch="main", max_age=30)),
        ({"pacticipant_name": "Till", "mainBranch": True}, KeepVersions(pacticipant="Till", main_branch=True)),
        ({"environmentName": "test", "deployed": True}, KeepVersions(environment="test", deployed=True)),
        ({"maxAge": 0}, KeepVersions(max_age=0)),
        ({"latest": True, "tag": None}, KeepVersions(latest=True)),
    ],
)
def test_a_selector_is_read_under_each_of_its_names(raw, selector):
    assert parse_version_selectors([raw]) == (selector,)
    assert parse_version_selectors(raw) == (selector,)


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("all", "selectors must be a list of objects"),
        (["all"], "selector 1: must be an object"),
        ([{"latest": True}, {"lastest": True}], "selector 2: unknown condition 'lastest'"),
        ([{"latest": 1}], "selector 1: latest must be true or false"),
        ([{"tag": ""}], "selector 1: tag must be a name or true"),
        ([{"tag": " "}], "selector 1: tag must be a name or true"),
        ([{"branch": "\t"}], "selector 1: branch must be a name or true"),
        ([{"pacticipant": " ", "latest": True}], "selector 1: pacticipant must be a name"),
        ([{"environment": " "}], "selector 1: environment must be a name"),
        ([{"tag": ["prod"]}], "selector 1: tag must be a name or true"),
        ([{"max_age": "7"}], "selector 1: max_age must be a number of days"),
        ([{"max_age": -1}], "selector 1: max_age must be a number of days"),
        ([{"max_age": 10**9}], "selector 1: max_age must be a number of days"),
        ([{"max_age": True}], "selector 1: max_age must be a number of days"),
        ([{}], "selector 1 has no condition"),
        ([{"latest": False}], "selector 1 has no condition"),
    ],
)
def test_invalid_selectors_are_refused_with_the_reason(raw, text):
    with pytest.raises(InvalidSetting) as refused:
        parse_version_selectors(raw)
    assert str(refused.value) == text


@pytest.mark.parametrize(
    ("raw", "selector"),
    [
        ({"max_age": 90}, KeepBranches(max_age=90)),
        ({"branch": "develop"}, KeepBranches(branches=("develop",))),
        ({"branch": ["a", "b"], "maxAge": 1}, KeepBranches(branches=("a", "b"), max_age=1)),
    ],
)
def test_branches_are_named_or_young(raw, selector):
    assert parse_branch_selectors([raw]) == (selector,)


@pytest.mark.parametrize(
    "raw", [{}, {"branch": True}, {"branch": [""]}, {"branch": " "}, {"branch": []}, {"max_age": "1"}, {"tag": 1}]
)
def test_other_selectors_of_branches_are_refused(raw):
    with pytest.raises(InvalidSetting, match="selector 1: must have max_age"):
        parse_branch_selectors([raw])


def test_deployed_and_supported_versions_are_always_kept():
    assert add_in_use_selectors(DEFAULT_VERSION_SELECTORS) == DEFAULT_VERSION_SELECTORS
    added = (KeepVersions(deployed=True), KeepVersions(released=True))
    assert add_in_use_selectors([KeepVersions(latest=True)]) == (KeepVersions(latest=True), *added)


def test_the_defaults_are_the_documented_ones():
    heads = [{"tag": True, "latest": True}, {"branch": True, "latest": True}, {"latest": True}]
    documented = [*heads, {"deployed": True}, {"released": True}, {"max_age": 90}]
    assert parse_version_selectors(documented) == DEFAULT_VERSION_SELECTORS
    assert parse_branch_selectors([{"max_age": 90}]) == DEFAULT_BRANCH_SELECTORS


def test_something_must_be_kept():
    with pytest.raises(InvalidSetting, match="You must specify which versions to keep"):
        add_in_use_selectors([])


def test_days_are_counted_from_their_beginning():
    now = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)
    assert compute_cutoff(now, timedelta(days=2)) == datetime(2024, 5, 4, tzinfo=UTC)


def test_removed_counts_add_up():
    assert RemovedCounts(versions=1, branches=2) + RemovedCounts(versions=3) == RemovedCounts(versions=4, branches=2)


def test_invalid_json_is_refused_with_the_name_of_the_setting():
    with pytest.raises(InvalidSetting, match="database_clean_keep_version_selectors: is not valid JSON"):
        parse_selector_json("[{", "database_clean_keep_version_selectors")


@pytest.mark.parametrize(
    ("names", "integrations", "order"),
    [
        ("ABC", [], "ABC"),
        ("PC", ["CP"], "CP"),
        ("CBA", ["AB", "BC"], "ABC"),
        ("PA", ["XP"], "PA"),
        ("A", ["AA"], "A"),
        ("AB", ["AB", "BA"], "BA"),
        ("DCBA", ["AB", "AC", "BD", "CD"], "ABCD"),
    ],
)
def test_consumers_come_before_their_providers(names, integrations, order):
    assert "".join(order_consumers_first(names, [(pair[0], pair[1]) for pair in integrations])) == order


@pytest.mark.parametrize(
    ("selector", "conditions"),
    [
        (KeepVersions(), {}),
        (KeepVersions(latest=True, tag=True, max_age=0), {"latest": True, "tag": True, "max_age": 0}),
        (KeepVersions(branch="main", environment="test"), {"branch": "main", "environment": "test"}),
        (KeepBranches(), {}),
        (KeepBranches(max_age=0), {"max_age": 0}),
        (KeepBranches(branches=("a", "b")), {"branch": ["a", "b"]}),
        (KeepBranches(branches=("a",), max_age=7), {"branch": ["a"], "max_age": 7}),
    ],
)
def test_a_selector_lists_the_conditions_that_are_set(selector, conditions):
    assert selector.to_dict() == conditions
