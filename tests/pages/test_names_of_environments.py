"""Pages call environments by their display names. Commands, the audit trail and reasons have the names of the API."""

import re
from dataclasses import replace

import pytest

from tests.api.history import History
from tests.api.recorded_decisions import record, set_question
from tests.pages.conftest import read_page

pytestmark = pytest.mark.slow_on_postgresql

NAME, DISPLAY_NAME = "eu-prod-1", "Europe"
QUOTATIONS = re.compile(r'<(pre|ul class="(?:changes|reasons)").*?</(?:pre|ul)>', re.DOTALL)
"""Commands, sentences of the audit trail, and reasons, whose texts are those of the API."""


@pytest.fixture
def uuid(api):
    history = History(api)
    body = {"name": NAME, "displayName": DISPLAY_NAME, "production": True}
    uuid = history.environments[NAME] = api.post("/environments", body).json()["uuid"]
    history.publish("web", "1", "prices", "thing", branch="main")
    history.verify("web", "1", "prices", "7", success=False)
    for name, version in (("web", "1"), ("prices", "7")):
        history.deploy(name, version, NAME)
    record(api, {**set_question("web@1"), "environment": NAME})
    override = {"pacticipantName": "web", "pacticipantVersionNumber": "1", "environmentName": NAME}
    later = "2024-05-07T00:00:00Z"
    assert api.post("/overrides", {**override, "reason": "An outage", "expiresAt": later}).status == 201
    return uuid


PATHS = (
    "/",
    "/?tags=true",
    "/attention",
    "/network",
    "/environments",
    "/environments/{uuid}/history/web",
    "/environments/{uuid}/what-if?change=undeploy&pacticipant=prices",
    "/pacticipants/web",
    "/pacticipants/web/versions/1",
    "/pacticipants/prices/interactions",
    "/pacticipants/prices/usage?text=thing",
    "/dashboard/provider/prices/consumer/web",
    "/dashboard/provider/prices/consumer/web?view=environment",
    "/pacts/provider/prices/consumer/web/version/1",
    "/matrix?q[][pacticipant]=web&q[][version]=1&environment=eu-prod-1",
    "/matrix?q[][pacticipant]=web&q[][environment]=eu-prod-1",
    "/overrides",
    "/overrides/new",
    "/decisions",
    "/decisions/{decision}",
    "/decisions/trends",
    "/trends/rows?show=deployments",
    "/search?q=europe",
)


def test_every_page_has_the_display_name_and_none_the_other_name(api, show, uuid):
    decision = api.get("/decisions").json()["decisions"][0]["uuid"]
    faults = {}
    for path in PATHS:
        page = show(path.format(uuid=uuid, decision=decision))
        text = read_page(replace(page.answer, body=QUOTATIONS.sub("", page.answer.text).encode())).text
        if page.status != 200 or DISPLAY_NAME not in text or NAME in text:
            faults[path] = page.status, re.findall(rf".{{0,60}}{NAME}.{{0,30}}", text)
    assert not faults, "\n".join(f"{path}: {fault}" for path, fault in faults.items())
