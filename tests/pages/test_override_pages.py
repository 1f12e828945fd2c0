"""Overrides and policies for first deployments on pages, without JavaScript."""

import base64

import pytest

from tests.api.credentials import PASSWORD
from tests.api.history import History
from tests.pages.conftest import read_fields

WRITER = {"authorization": "Basic " + base64.b64encode(f"ci:{PASSWORD}".encode()).decode()}
READER = {"authorization": "Basic " + base64.b64encode(f"eve:{PASSWORD}".encode()).decode()}
REASON = "<b>The outage</b> of today is worse."
QUESTION = "/pacticipants/web%26co?version=1&to=prod"

pytestmark = pytest.mark.long_on_postgresql  # the API runs the same statements


@pytest.fixture
def api(make_api):
    """An application with users in its settings; `web&co` 1 has no result with `prices`."""
    api = make_api(
        basic_auth_username="ci",
        basic_auth_password=PASSWORD,
        basic_auth_read_only_username="eve",
        basic_auth_read_only_password=PASSWORD,
    )
    history = History(make_api(open_access=True))
    history.publish("web&co", "1", "prices")
    history.version("prices", "1")
    history.deploy("prices", "1", "prod")
    return api


@pytest.fixture
def see(show):
    return lambda path, headers=WRITER: show(path, headers=headers)


@pytest.fixture
def send(submit):
    return lambda path, fields, headers=WRITER: submit(path, fields, **headers)


def find_link(page, beginning):
    return next(link for link in page.links if link.startswith(beginning))


def test_a_no_leads_to_the_form_which_makes_it_a_yes(api, see, send):
    question = see(QUESTION)
    assert "Not yet" in question.text
    form = see(find_link(question, "/overrides/new"))
    fields = read_fields(form)
    assert fields["pacticipantName"] == ["web&co"]
    assert fields["pacticipantVersionNumber"] == ["1"]
    assert fields["hours"] == ["24"]
    assert send("/overrides/new", {**fields, "environmentName": "prod", "reason": REASON}).moved_to == (
        "/overrides?done=created"
    )
    answer = see(QUESTION)
    assert "Yes" in answer.text
    assert "is overridden for prod until" in answer.text
    assert f"by ci: {REASON}" in answer.text
    assert "<b>The outage</b>" not in answer.answer.text
    assert not [link for link in answer.links if link.startswith("/overrides/new")]
    # An overridden pair keeps its cause.
    assert "has to act" in answer.text
    assert "is overridden for prod until" in see(f"{matrix_path()}").text
    listed = see("/overrides")
    assert REASON in listed.text
    uuid = api.get("/overrides", headers=WRITER).json()["_embedded"]["overrides"][0]["uuid"]
    assert send(f"/overrides/{uuid}/revoke", {}).moved_to == "/overrides?state=all&done=override-revoked"
    assert "Not yet" in see(QUESTION).text
    assert "No overrides apply now." in see("/overrides").text
    assert "Revoked" in see("/overrides?state=ended").text
    assert "Revoked" in see("/overrides?state=all").text


def matrix_path():
    return "/matrix?q[][pacticipant]=web%26co&q[][version]=1&environment=prod&latestby=cvpv"


@pytest.mark.parametrize(
    ("more", "text"),
    [
        ({"reason": ""}, "is missing"),
        ({"hours": "1000"}, "at the latest"),
        ({"hours": "soon"}, "must be a whole number of hours"),
        ({"hours": "0"}, "must be a whole number of hours"),
        ({"pacticipantName": "wep&co"}, "Did you mean web&co?"),
        ({"pacticipantVersionNumber": "7"}, "has no version '7'"),
        ({"counterpart": "pricse"}, "Did you mean prices?"),
    ],
)
@pytest.mark.usefixtures("api")
def test_a_wrong_field_is_explained_and_the_others_stay(send, more, text):
    fields = {
        "pacticipantName": "web&co",
        "pacticipantVersionNumber": "1",
        "environmentName": "prod",
        "reason": "An outage.",
        "hours": "2",
        **more,
    }
    page = send("/overrides/new", fields)
    assert page.status == 400
    assert text in page.text
    assert read_fields(page)["hours"] == [fields["hours"]]
    assert read_fields(page)["pacticipantName"] == [fields["pacticipantName"]]


def test_readers_see_overrides_but_no_forms(see, send, api):
    created = api.post(
        "/overrides",
        {
            "pacticipantName": "web&co",
            "pacticipantVersionNumber": "1",
            "environmentName": "prod",
            "reason": "An outage.",
        },
        headers=WRITER,
    ).json()
    listed = see("/overrides", READER)
    assert "An outage." in listed.text
    assert "Revoke" not in listed.text
    assert not [link for link in listed.links if link.startswith("/overrides/new")]
    assert see("/overrides/new", READER).status == 403
    assert send("/overrides/new", {}, READER).status == 403
    assert send(f"/overrides/{created['uuid']}/revoke", {}, READER).status == 403
    api.delete(f"/overrides/{created['uuid']}", headers=WRITER)
    assert "Override this answer" not in see(QUESTION, READER).text
    assert "Override this answer" in see(QUESTION).text


def test_the_policy_of_a_pair_is_changed_on_its_page(api, see, send):
    pair = "/integrations/provider/prices/consumer/web%26co/first-deployments"
    page = "/dashboard/provider/prices/consumer/web%26co"
    shown = see(page)
    assert "may be deployed to environments that allow it" in shown.text
    for choice, text in (("allow", "may be deployed."), ("deny", "cannot be deployed."), ("", "that allow it")):
        assert send(f"{pair}/edit", {"firstDeployments": choice}).status == 303
        assert text in see(page).text
        assert api.get(pair, headers=WRITER).json()["firstDeployments"] == (choice or None)
    assert "First deployments of this pair" not in see(page, READER).text
    assert send(f"{pair}/edit", {"firstDeployments": "allow"}, READER).status == 403


def test_the_policy_of_an_environment_is_a_field_of_its_form(api, see, send):
    uuid = api.get("/environments?name=prod", headers=WRITER).json()["_embedded"]["environments"][0]["uuid"]
    edit = f"/environments/{uuid}/edit"
    assert "Allow first deployments" in see(edit).text
    assert send(edit, {"name": "prod", "firstDeployments": "yes"}).status == 303
    assert "First deployments" in see(f"/environments/{uuid}").text
    assert api.get(f"/environments/{uuid}", headers=WRITER).json()["firstDeployments"] == "allow"
    assert send(edit, {"name": "prod"}).status == 303
    assert "firstDeployments" not in api.get(f"/environments/{uuid}", headers=WRITER).json()
