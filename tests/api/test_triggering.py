"""The webhooks that an event triggers, and the values of their deliveries."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.api.client import BASE, Api, pact

REQUEST = {"method": "POST", "url": "https://example.org/hook"}
SIDES = {"consumer": {"name": "Till"}, "provider": {"name": "Ledger"}}
ALL_EVENTS = (
    "contract_published",
    "contract_content_changed",
    "contract_requiring_verification_published",
    "provider_verification_published",
    "provider_verification_succeeded",
    "provider_verification_failed",
)
Triggered = Callable[[str], list[str]]


@pytest.fixture
def pair(api: Api) -> Api:
    for name in ("Till", "Ledger"):
        api.post("/pacticipants", {"name": name})
    return api


def _hook(api: Api, *events: str, **more: Any) -> str:
    names = [{"name": name} for name in events or ("contract_published",)]
    return api.post("/webhooks", {"request": REQUEST, "events": names, **SIDES, **more}).link("self")


def _events(api: Api, version: str = "1") -> list[str]:
    """The events of a version's pact that have queued deliveries, oldest first."""
    page = api.get(f"/pacts/provider/Ledger/consumer/Till/version/{version}/triggered-webhooks").json()
    return [webhook["eventName"] for webhook in reversed(page["_embedded"]["triggeredWebhooks"])]


def _verify(api: Api, version: str, provider_version: str, *, success: bool = True) -> str:
    path = api.get(f"/pacts/provider/Ledger/consumer/Till/version/{version}").link("pb:publish-verification-results")
    response = api.post(path, {"success": success, "providerApplicationVersion": provider_version})
    assert response.status == 201
    return response.link("pb:triggered-webhooks")


def test_the_notices_of_a_publication_name_the_triggered_webhooks(pair: Api) -> None:
    path = _hook(pair, *ALL_EVENTS, description='w "q"')
    notices = [notice["text"] for notice in pair.publish("Till", "1", "Ledger").json()["notices"]]
    webhook_notices = [text for text in notices if text.startswith("  Webhook")]
    assert [text.split("\n")[0] for text in webhook_notices] == [
        '  Webhook "w \\"q\\"" triggered for event contract_published.',
        '  Webhook "w \\"q\\"" triggered for event contract_content_changed.',
    ]
    logs = webhook_notices[0].rpartition(" ")[2].removeprefix(BASE)
    assert pair.get(logs, accept="text/plain").status == 200
    assert pair.get(path).status == 200


def test_a_new_pact_is_published_and_changed(pair: Api) -> None:
    _hook(pair, *ALL_EVENTS)
    pair.publish("Till", "1", "Ledger")
    pair.publish("Till", "2", "Ledger")
    assert _events(pair, "1") == ["contract_published", "contract_content_changed"]
    assert _events(pair, "2") == ["contract_published"]


def test_a_pact_that_is_published_again_has_changed_if_its_content_is_another(make_api: Callable[..., Api]) -> None:
    api = make_api(allow_dangerous_contract_modification=True)
    for name in ("Till", "Ledger"):
        api.post("/pacticipants", {"name": name})
    published, changed = "contract_published", "contract_content_changed"
    _hook(api, published, changed)
    shown = []
    # Both directions, since one of two hashes is the lower one.
    for content in "abba":
        assert api.publish("Till", "1", "Ledger", content).status == 200
        shown.append(_events(api))
    assert shown == [[published, changed], [published, changed], [published, changed, published], [published, changed]]


def test_a_pact_that_is_published_again_requires_a_verification_until_it_has_one(make_api: Callable[..., Api]) -> None:
    api = make_api(allow_dangerous_contract_modification=True)
    for name in ("Till", "Ledger"):
        api.post("/pacticipants", {"name": name, "mainBranch": "main"})
    api.put("/pacticipants/Ledger/branches/main/versions/9", {})
    required = "contract_requiring_verification_published"
    _hook(api, required)
    for content in "ab":
        assert api.publish("Till", "1", "Ledger", content).status == 200
        assert _events(api) == [required]
    _verify(api, "1", "9")
    assert api.publish("Till", "1", "Ledger", "b").status == 200
    assert _events(api) == [required]


def test_a_pact_that_is_put_triggers_as_well(pair: Api) -> None:
    _hook(pair)
    assert pair.put("/pacts/provider/Ledger/consumer/Till/version/1", pact("Till", "Ledger")).status == 201
    assert _events(pair) == ["contract_published"]


@pytest.mark.parametrize(
    ("success", "events"),
    [
        (True, ["provider_verification_published", "provider_verification_succeeded"]),
        (False, ["provider_verification_published", "provider_verification_failed"]),
    ],
)
def test_a_result_triggers_its_own_events(pair: Api, success: bool, events: list[str]) -> None:  # noqa: FBT001 - a case
    pair.publish("Till", "1", "Ledger")
    _hook(pair, *ALL_EVENTS)
    page = pair.get(_verify(pair, "1", "5", success=success)).json()
    assert [webhook["eventName"] for webhook in reversed(page["_embedded"]["triggeredWebhooks"])] == events
    assert _events(pair) == events


def test_content_without_a_result_triggers_one_event_for_each_main_or_deployed_version(pair: Api) -> None:
    production = pair.post("/environments", {"name": "prod", "production": True}).json()["uuid"]
    for branch, number in (("other", "b0"), ("main", "b1")):
        pair.put(f"/pacticipants/Ledger/branches/{branch}/versions/{number}", {})
    pair.post(f"/pacticipants/Ledger/versions/b0/deployed-versions/environment/{production}", {})
    _hook(pair, "contract_requiring_verification_published")
    pair.publish("Till", "1", "Ledger")
    assert _events(pair) == ["contract_requiring_verification_published"] * 2
    _verify(pair, "1", "b0")
    pair.publish("Till", "2", "Ledger")
    assert _events(pair, "2") == ["contract_requiring_verification_published"]
    _verify(pair, "1", "b1")
    pair.publish("Till", "3", "Ledger")
    assert _events(pair, "3") == []


def test_a_failed_publication_enqueues_no_delivery(pair: Api) -> None:
    _hook(pair)
    pair.publish("Till", "1", "Ledger", 1)
    assert pair.publish("Till", "1", "Ledger", 2).status == 409
    assert _events(pair) == ["contract_published"]


@pytest.mark.parametrize(
    ("sides", "matches"),
    [
        ({}, True),
        (SIDES, True),
        ({"consumer": {"name": "Till"}, "provider": None}, True),
        ({"consumer": None, "provider": {"name": "Ledger"}}, True),
        ({"consumer": None, "provider": None}, True),
        ({"consumer": {"label": "red"}, "provider": None}, True),
        ({"consumer": {"label": "blue"}, "provider": None}, False),
        ({"consumer": None, "provider": {"label": "blue"}}, True),
        ({"consumer": {"label": "red"}, "provider": {"label": "blue"}}, True),
        ({"consumer": {"label": "red"}, "provider": {"label": "red"}}, False),
        ({"consumer": {"label": "red"}, "provider": {"name": "Ledger"}}, True),
        ({"consumer": {"label": "red"}, "provider": {"name": "Till"}}, False),
        ({"consumer": {"name": "Ledger"}, "provider": {"name": "Till"}}, False),
        ({"enabled": False}, False),
        ({"events": [{"name": "contract_content_changed"}, {"name": "contract_published"}]}, True),
        ({"events": [{"name": "provider_verification_failed"}]}, False),
    ],
)
def test_a_webhook_is_triggered_when_it_is_about_the_pair(pair: Api, sides: dict[str, Any], matches: bool) -> None:  # noqa: FBT001 - a case
    pair.put("/pacticipants/Till/labels/red", {})
    pair.put("/pacticipants/Ledger/labels/blue", {})
    _hook(pair, **sides)
    pair.publish("Till", "1", "Ledger")
    assert ("contract_published" in _events(pair)) is matches


@pytest.mark.parametrize(
    ("filters", "passes"),
    [
        ({"consumerBranches": ["main", "feat/x"]}, True),
        ({"consumerBranches": ["main"]}, False),
        ({"consumerBranches": []}, False),
        ({"tags": ["dev", "prod"]}, True),
        ({"tags": ["prod"]}, False),
        ({"mainBranchOnly": True}, False),
        ({"mainBranchOnly": False}, True),
        ({"providerBranches": ["main"]}, True),
        ({"environments": ["prod"]}, False),
    ],
)
def test_filters_judge_the_version_that_is_published(pair: Api, filters: dict[str, Any], passes: bool) -> None:  # noqa: FBT001 - a case
    pair.put("/pacticipants/Till", {"mainBranch": "main"})
    _hook(pair, **filters)
    pair.publish("Till", "1", "Ledger", branch="feat/x", tags=["dev"])
    assert _events(pair) == (["contract_published"] if passes else [])


@pytest.mark.parametrize(
    ("filters", "passes"),
    [
        ({"providerBranches": ["main"]}, True),
        ({"providerBranches": ["other"]}, False),
        ({"consumerBranches": ["feat/x"]}, True),
        ({"consumerBranches": ["main"]}, False),
        ({"tags": ["live"]}, True),
        ({"environments": ["prod"]}, True),
        ({"environments": ["test"]}, False),
        ({"mainBranchOnly": True}, True),
        ({"mainBranchOnly": True, "tags": ["nope"]}, False),
    ],
)
def test_filters_judge_the_version_that_is_verified(pair: Api, filters: dict[str, Any], passes: bool) -> None:  # noqa: FBT001 - a case
    production = pair.post("/environments", {"name": "prod", "production": True}).json()["uuid"]
    pair.publish("Till", "1", "Ledger", branch="feat/x")
    pair.put("/pacticipants/Ledger", {"mainBranch": "main"})
    pair.put("/pacticipants/Ledger/branches/main/versions/5", {})
    pair.put("/pacticipants/Ledger/versions/5/tags/live", {})
    pair.post(f"/pacticipants/Ledger/versions/5/deployed-versions/environment/{production}", {})
    _hook(pair, "provider_verification_succeeded", **filters)
    _verify(pair, "1", "5")
    assert _events(pair) == (["provider_verification_succeeded"] if passes else [])


def test_a_result_of_selected_pacts_triggers_one_event_for_each_consumer_version(pair: Api) -> None:
    for number, branch in (("1", "main"), ("2", "feat/y")):
        pair.publish("Till", number, "Ledger", branch=branch)
    _hook(pair, "provider_verification_published")
    selectors = {"consumerVersionSelectors": [{"branch": "main"}, {"branch": "feat/y"}]}
    pacts = pair.post("/pacts/provider/Ledger/for-verification", selectors).json()["_embedded"]["pacts"]
    assert len(pacts) == 1
    path = pair.get(pacts[0]["_links"]["self"]["href"]).link("pb:publish-verification-results")
    pair.post(path, {"success": True, "providerApplicationVersion": "5"})
    assert [_events(pair, "1"), _events(pair, "2")] == [["provider_verification_published"]] * 2


def test_the_status_of_a_pair_is_the_latest_of_each_webhook_and_event(pair: Api) -> None:
    _hook(pair)
    _hook(pair, "contract_published", "contract_content_changed")
    for number in ("1", "2"):
        pair.publish("Till", number, "Ledger", number)
    status = pair.get("/pacts/provider/Ledger/consumer/Till/webhooks/status").json()
    assert status["summary"] == {"successful": 0, "failed": 0, "notRun": 3}
    assert len(status["_embedded"]["triggeredWebhooks"]) == 3
    assert status["_links"]["pb:pact-version"]["name"] == "Pact between Till (2) and Ledger"


@pytest.mark.parametrize(
    "path",
    [
        "/pacts/provider/Ledger/consumer/Till/version/9/triggered-webhooks",
        "/pacts/provider/Ledger/consumer/Till/pact-version/abc/verification-results/7/triggered-webhooks",
        "/pacts/provider/Ledger/consumer/Till/pact-version/abc/verification-results/x/triggered-webhooks",
        "/triggered-webhooks/nope/logs",
    ],
)
def test_triggered_webhooks_of_missing_resources_return_404(pair: Api, path: str) -> None:
    assert pair.get(path, accept="*/*").status == 404


def test_a_queued_delivery_outlives_the_pact_that_triggered_it(pair: Api) -> None:
    _hook(pair)
    notices = pair.publish("Till", "1", "Ledger").json()["notices"]
    logs = next(notice["text"] for notice in notices if "View logs" in notice["text"]).rpartition(" ")[2]
    assert pair.get(logs, accept="text/plain").status == 200
    assert pair.delete("/pacts/provider/Ledger/consumer/Till/version/1").status in (200, 204)
    assert "has not executed yet" in pair.get(logs, accept="text/plain").text


def test_reading_webhooks_is_open_to_readers_and_trying_them_out_is_not(make_api: Callable[..., Api]) -> None:
    api = make_api(
        basic_auth_username="w",
        basic_auth_password="w",  # noqa: S106 - none
        basic_auth_read_only_username="r",
        basic_auth_read_only_password="r",  # noqa: S106 - none
    )
    reader = {"authorization": "Basic cjpy"}
    assert api.get("/webhooks", headers=reader).status == 200
    for path in ("/webhooks", "/webhooks/execute", "/webhooks/x/execute", "/triggered-webhooks/x/redeliver"):
        assert api.post(path, {}, headers=reader).status == 403
    assert api.post("/webhooks/execute", {}, headers={"authorization": "Basic dzp3"}).status == 400
