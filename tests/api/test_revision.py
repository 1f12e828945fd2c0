"""The revision of all data, by which open pages find out that they may be outdated."""

from datetime import timedelta

import pytest

from tests.api.client import Api, Clock
from tests.pages.conftest import deploy, history, verify  # noqa: F401 - a fixture

WEBHOOK = {
    "events": [{"name": "contract_published"}],
    "request": {"method": "POST", "url": "https://ci.example.org/build"},
}
CHANGES = {
    "a publication": lambda api: api.publish("Till", "9", "Ledger", "thing 9"),
    "a result": lambda api: verify(api, "3", "12", success=True),
    "a tag": lambda api: api.put("/pacticipants/Till/versions/1/tags/prod", {}),
    "a deployment": lambda api: deploy(api, "Till", "2", "test"),
    "an application": lambda api: api.post("/pacticipants", {"name": "New"}),
    "a main branch": lambda api: api.patch("/pacticipants/Till", {"mainBranch": "main"}),
    "a webhook": lambda api: api.post("/webhooks", WEBHOOK),
    "a deletion": lambda api: api.delete("/pacticipants/Till/versions/3"),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_every_change_changes_the_revision(history, clock: Clock, change):  # noqa: F811 - the fixture
    before = history.get("/revision")
    assert history.get("/revision").json() == before.json()
    unchanged = history.get("/revision", headers={"if-none-match": before.headers["etag"]})
    assert (unchanged.status, unchanged.body) == (304, b"")
    clock.now += timedelta(minutes=1)
    change(history)
    after = history.get("/revision", headers={"if-none-match": before.headers["etag"]})
    assert after.status == 200
    assert after.json()["revision"] != before.json()["revision"]
    assert after.json()["changedAt"] == "2024-05-06T07:09:09+00:00"


def test_reads_do_not_change_it(history):  # noqa: F811 - the fixture
    before = history.get("/revision").json()
    for path in ("/", "/matrix?q[][pacticipant]=Till", "/pacticipants/Till"):
        assert history.get(path).status == 200
    assert history.get("/revision").json() == before


def test_a_new_broker_has_a_revision(api: Api):
    document = api.get("/revision").json()
    assert document["revision"] == "0.0.0"
    assert "changedAt" not in document
