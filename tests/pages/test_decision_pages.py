"""Pages of recorded decisions: the list, a decision as it was, trends, and marks of deployments without one."""

import pytest

from tests.api.recorded_decisions import add_decided_versions, record, set_question, set_recording, version_question

pytestmark = pytest.mark.slow_on_postgresql  # the API runs the same statements


@pytest.fixture
def history(api):
    return add_decided_versions(api)


def test_a_decision_is_shown_as_it_was(api, show, history):
    _, kept = record(api, version_question("web", version="1"), headers={"user-agent": "<script>pipeline"})
    path = f"/decisions/{kept['uuid']}"
    history.verify("web", "1", "prices", "1")
    api.delete("/pacticipants/web/versions/1")
    page = show(path)
    for words in (
        "web 1 to Production",
        "No",
        "Who has to act",
        "has never passed",
        "<script>pipeline",
        "result",
        "Failed",
    ):
        assert words in page.text, words
    assert not [script for script in page.all("script") if "src" not in script.attributes]
    today = next(link for link in page.links if link.startswith("/matrix?"))
    assert show(today).status == 200
    assert "/docs/reasons#never_passed" in page.links
    assert "--pact-broker-url 'http://localhost' " in page.text


@pytest.mark.usefixtures("history")
def test_a_set_has_the_command_that_repeats_the_question(api, show):
    _, kept = record(api, set_question("web@2", "prices@1"))
    text = show(f"/decisions/{kept['uuid']}").text
    assert "pact-broker can-i-deploy --set web@2 --set prices@1 --to-environment production" in text
    _, kept = record(api, set_question("web@2"))
    assert "The answer today" in show(f"/decisions/{kept['uuid']}").text


@pytest.mark.usefixtures("history")
def test_the_list_has_filters(api, show):
    empty = show("/decisions").text
    assert "No decision has been recorded yet." in empty
    assert "--record" in empty
    for body in (set_question("web@1"), set_question("web@2")):
        record(api, body)
    both = show("/decisions")
    assert "1-2 of 2 decisions" in both.text
    only_yes = show("/decisions?deployable=true&environment=production&pacticipant=web")
    assert ("1-1 of 1 decisions" in only_yes.text or "1-1 of 1 decision" in only_yes.text) is True
    assert only_yes.values("pacticipant") == ["web"]
    assert "No recorded decision matches the filter." in show("/decisions?version=9").text
    assert "1-2 of 2 decisions" in show("/decisions?deployable=maybe&since=yesterday").text
    assert show("/decisions/3fa85f64-5717-4562-b3fc-2c963f66afa6").status == 404


@pytest.mark.usefixtures("history")
def test_trends_have_a_chart_and_a_table(api, show):
    assert "No decision has been recorded in the last 30 days." in show("/decisions/trends").text
    for body in (set_question("web@1"), set_question("web@3"), set_question("web@2")):
        record(api, body)
    page = show("/decisions/trends")
    assert "2024-05-06: 1 yes, 1 no, 1 not yet" in page.text
    assert "67%" in page.text
    assert len(page.all("rect")) == 33, "30 days, and the parts of the last one"
    for kind in ("yes", "no", "unknown"):
        assert [bar.attributes["height"] for bar in page.all("rect") if bar.attributes["class"] == kind] == ["20.0"]
    assert "/decisions?environment=production" in page.links
    # The bar of the day links to its rows.
    (day,) = [link for link in page.links if "until=" in link]
    assert "1-3 of 3 decisions" in show(day).text
    assert "No recorded decision matches" in show(day.replace("05-06", "05-05").replace("05-07", "05-06")).text
    assert "Recorded from 2024-05-06 00:00 UTC, before 2024-05-07 00:00 UTC" in show(day).text


def test_the_form_of_an_environment_has_the_setting(api, show, submit, history):
    path = f"/environments/{history.environment('production')}"
    assert show(f"{path}/edit").values("recordsDecisions") == []
    submit(f"{path}/edit", {"name": "production", "displayName": "Production", "recordsDecisions": "yes"})
    assert api.get(path).json()["recordsDecisions"] is True
    assert show(f"{path}/edit").values("recordsDecisions") == ["yes"]
    submit(f"{path}/edit", {"name": "production", "displayName": "Production"})
    assert "recordsDecisions" not in api.get(path).json()


def test_deployments_without_a_recorded_yes_have_a_chip(api, show, history):
    uuid = history.environment("production")
    pages = (f"/environments/{uuid}", "/environments", f"/environments/{uuid}/history/web", "/pacticipants/web")
    history.deploy("web", "2", "production")
    for path in pages:
        assert "no recorded decision" not in show(path).text, path
    set_recording(api, history)
    history.deploy("web", "3", "production")
    for path in pages:
        assert "no recorded decision" in show(path).text, path
    assert "/decisions?environment=production" in show(pages[0]).links
