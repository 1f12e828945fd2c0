"""The page with the effects of a change of an environment."""

import pytest

from tests.api.history import History
from tests.api.what_if import add_incompatible_versions
from tests.pages.conftest import uuid_of

pytestmark = pytest.mark.long_on_postgresql  # the API runs the same statements


@pytest.fixture
def path(api):
    add_incompatible_versions(History(api))
    return f"/environments/{uuid_of(api, 'prod')}/what-if"


def test_the_page_of_the_environment_leads_to_the_form(show, path):
    assert path in show(path.removesuffix("/what-if")).links
    page = show(path)
    assert "Which applications would no longer work together" in page.text
    assert "treaty what-if --environment prod" in page.text


def test_broken_pairs_are_shown_with_the_reasons(show, path):
    text = show(f"{path}?change=deploy&pacticipant=prices&version=2").text
    for words in (
        "Deploy prices to 2 in Prod, instead of 1.",
        "This would break",
        "till",
        "prices (2) fails the pact of till (1).",
    ):
        assert words in text
    assert "Nothing would break." not in text


def test_a_change_that_breaks_nothing_has_a_message(show, path):
    # The version does not belong to the change, and is ignored.
    text = show(f"{path}?change=undeploy&pacticipant=till&version=7").text
    assert "Undeploy till (1) from Prod." in text
    assert "Nothing would break." in text


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ("change=deploy&pacticipant=prices", "Version is missing"),
        ("change=retire&pacticipant=nobody", "does not match an existing application"),
        ("change=retire", "Application is missing"),
        ("change=undeploy&pacticipant=prices&applicationInstance=blue", "no version of 'prices' is deployed there"),
        ("change=explode&pacticipant=prices", "Change"),
    ],
)
def test_a_problem_is_shown_above_the_form(show, path, query, problem):
    page = show(f"{path}?{query}")
    assert page.status == 400
    assert problem in page.text


def test_an_unknown_environment_is_not_found(show, path):
    assert path
    assert show("/environments/nothing/what-if").status == 404
