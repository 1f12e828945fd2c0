"""The page of an application answers whether a version can be deployed together with others."""

from urllib.parse import urlencode

import pytest

from tests.api.history import History
from tests.pages.conftest import uuid_of

pytestmark = pytest.mark.long_on_postgresql  # the API runs the same statements


@pytest.fixture
def history(api):
    history = History(api)
    history.publish("@acme/web", "1", "prices", "old")
    history.publish("@acme/web", "2", "prices", "new")
    history.verify("@acme/web", "1", "prices", "1")
    history.verify("@acme/web", "1", "prices", "2")
    history.deploy("@acme/web", "1", "prod")
    history.deploy("prices", "1", "prod")
    return history


def address(name="%40acme%2Fweb", version="2", **more):
    return f"/pacticipants/{name}?{urlencode({'version': version, 'to': 'prod', **more})}"


def test_an_answer_about_several_versions_has_the_order(show, history):
    history.verify("@acme/web", "2", "prices", "2")
    alone = show(address())
    assert "Not yet" in alone.text
    assert alone.areas("with") == [""]
    page = show(address(**{"with": " prices@2 \r\n\r\n"}))
    assert "@acme/web 2 and prices 2 to Environment: Prod" in page.text
    assert "In this order, every step is safe: prices 2 @acme/web 2" in page.text
    assert "All required verification results are published and successful" in page.text
    assert page.areas("with") == [" prices@2 \r\n\r\n"]


@pytest.mark.usefixtures("history")
def test_a_no_names_the_causes_and_the_versions_to_leave_out(show):
    page = show(address(**{"with": "prices@2"}))
    assert "Without @acme/web (2), the other versions can be deployed" in page.text
    assert "In this order" not in page.text
    assert any("/docs/reasons#" in link for link in page.links)


def test_versions_that_are_only_safe_together_have_no_order(show, history):
    history.verify("@acme/web", "2", "prices", "2")
    history.verify("@acme/web", "1", "prices", "2", success=False)
    page = show(address(name="prices", **{"with": "@acme/web@2"}))
    assert "In this order" not in page.text
    assert "no order is safe" in page.text


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("prices", "prices has no version: write the name and the version as NAME@VERSION."),
        ("@acme/web", "@acme/web has no version"),
        ("prices@2\nnobody@1", "nobody@1: 'nobody' does not match an existing application."),
        ("a pacticipant@1", "a pacticipant@1: 'a pacticipant' does not match an existing application."),
        ("pacticipant-b@1", "pacticipant-b@1: 'pacticipant-b' does not match an existing application."),
        ("@acme/web@1", "@acme/web@1: '@acme/web' is in the set twice."),
        ("<b>@1", "<b>@1: '<b>' does not match an existing application."),
        ("\n".join(f"n{number}@1" for number in range(101)), "size cannot be greater than 100"),
    ],
)
@pytest.mark.usefixtures("history")
def test_problems_are_shown_below_the_form(show, text, problem):
    page = show(address(**{"with": text}))
    assert page.status == 200
    assert problem in page.text
    assert "Deployable" not in page.text
    assert page.areas("with") == [text]


@pytest.mark.usefixtures("history")
def test_the_answer_links_to_the_what_if_page(api, show):
    page = show(address())
    link = next(link for link in page.links if "/what-if" in link)
    assert link.startswith(f"/environments/{uuid_of(api, 'prod')}/what-if?")
    effect = show(link.removesuffix("#effect"))
    assert "Deploy @acme/web to 2 in Prod, instead of 1." in effect.text
