"""Environments are listed as the pipeline passes them: by position, else by creation with production last."""

import re
from datetime import timedelta

import pytest

from tests.pages.conftest import deploy, uuid_of

# Created in this order, which is neither that of their names nor that of the pipeline.
CREATED = (("live", True), ("staging", False), ("acceptance", False))
DEFAULT_ORDER = ["Staging", "Acceptance", "Live"]
PAGES = {
    "overview": "/",
    "application": "/pacticipants/Till",
    "pair": "/dashboard/provider/Ledger/consumer/Till",
    "version": "/pacticipants/Till/versions/1",
    "environments": "/environments",
    "matrix": "/matrix",
    "matrix rows": "/matrix?q[][pacticipant]=Till",
    "network": "/network",
    "decisions": "/decisions",
    "webhook": "/webhooks/new",
    "pact": "/pacts/provider/Ledger/consumer/Till/version/1",
}

RUNNING = {
    "overview": ("/", "Webhooks More"),
    "pair": ("/dashboard/provider/Ledger/consumer/Till", "What runs together"),
    "version": ("/pacticipants/Till/versions/1", "State Since More"),
}
"""Pages that list where something runs, after other lists, and the words before that one."""


@pytest.fixture
def pipeline(api, clock):
    for name, is_production in CREATED:
        clock.now += timedelta(minutes=1)
        assert api.post("/environments", {"name": name, "production": is_production}).status == 201
    api.publish("Till", "1", "Ledger")
    for name, _ in CREATED:
        deploy(api, "Till", "1", name)
    return api


def place(api, name, position):
    path = f"/environments/{uuid_of(api, name)}"
    body = {"name": name, "production": name == "live", "position": position}
    assert api.put(path, body).status == 200
    return path


def _read_order(page, after=""):
    """Read the order of the first list on a page, after some words, that has all environments."""
    text = page.text.partition(after)[2] if after else page.text
    names = [name.title() for name in re.findall(r"\b(?:staging|acceptance|live)\b", text, re.IGNORECASE)]
    names = [name for name, before in zip(names, ["", *names], strict=False) if name != before]
    return next(names[start : start + 3] for start in range(len(names)) if len({*names[start : start + 3]}) == 3)


@pytest.mark.parametrize("path", PAGES.values(), ids=PAGES)
def test_every_page_lists_them_by_creation_with_production_last(pipeline, show, path):
    assert pipeline
    assert _read_order(show(path)) == DEFAULT_ORDER


@pytest.mark.parametrize("path", PAGES.values(), ids=PAGES)
def test_positions_come_before_the_default_order(pipeline, show, path):
    place(pipeline, "acceptance", 1)
    assert _read_order(show(path)) == ["Acceptance", "Staging", "Live"]
    place(pipeline, "live", 2)
    assert _read_order(show(path)) == ["Acceptance", "Live", "Staging"]


def test_the_rows_of_the_overview_have_the_order_of_the_pipeline(pipeline, show):
    place(pipeline, "acceptance", 1)
    chips = re.findall(r'class="chip place running[^"]*"[^>]*>(.*?)</a>', show("/").answer.text)
    assert [re.findall("Acceptance|Staging|Live", chip)[0] for chip in chips] == ["Acceptance", "Staging", "Live"]


def test_the_api_lists_them_as_before(pipeline):
    place(pipeline, "staging", 1)
    listed = pipeline.get("/environments").json()["_embedded"]["environments"]
    assert [environment["name"] for environment in listed] == ["acceptance", "live", "staging"]
    assert [environment.get("position") for environment in listed] == [None, None, 1]


def test_a_client_that_does_not_know_positions_keeps_them(pipeline):
    path = place(pipeline, "staging", 7)
    body = {"name": "staging", "production": False}
    assert pipeline.put(path, body).json()["position"] == 7
    assert "position" not in pipeline.put(path, {**body, "position": None}).json()


@pytest.mark.parametrize("position", [0, -1, 10_001, 1.5, "2", True])
def test_a_position_is_a_whole_number_from_1(pipeline, position):
    path = f"/environments/{uuid_of(pipeline, 'staging')}"
    response = pipeline.put(path, {"name": "staging", "production": False, "position": position})
    assert response.status == 400
    assert "position" in response.text


def test_the_form_sets_and_removes_a_position(pipeline, show, submit):
    path = f"/environments/{uuid_of(pipeline, 'staging')}"
    assert show(f"{path}/edit").field("position")["value"] == ""
    fields = {"name": "staging", "displayName": "Staging"}
    submit(f"{path}/edit", {**fields, "position": " 3 "})
    assert pipeline.get(path).json()["position"] == 3
    assert "Position 3" in show(path).text
    assert show(f"{path}/edit").field("position")["value"] == "3"
    submit(f"{path}/edit", {**fields, "position": ""})
    assert "position" not in pipeline.get(path).json()


def test_a_wrong_position_is_explained_beside_its_field(pipeline, submit):
    path = f"/environments/{uuid_of(pipeline, 'staging')}"
    page = submit(f"{path}/edit", {"name": "staging", "position": "first"})
    assert page.status == 400
    assert page.field("position")["value"] == "first"
    assert page.field("position")["aria-invalid"] == "true"


@pytest.mark.parametrize(("path", "before"), RUNNING.values(), ids=RUNNING)
def test_places_where_something_runs_are_in_the_same_order(pipeline, show, path, before):
    assert _read_order(show(path), before) == DEFAULT_ORDER
    place(pipeline, "acceptance", 1)
    assert _read_order(show(path), before) == ["Acceptance", "Staging", "Live"]
