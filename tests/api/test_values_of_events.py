"""Each value in a webhook comes from the versions that its event is about, whatever other versions came to."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select, update

from tests.api.client import BASE
from tests.api.deliveries import Broker
from treaty.actions.webhooks import deliveries
from treaty.model.decisions.metadata import Metadata, SelectedBy, encode
from treaty.model.webhooks import parameters, previews
from treaty.store.tables import pacticipant, triggered_webhook, version
from treaty.store.webhooks import preview_events, webhooks
from treaty.web.parameter_urls import PARAMETER_URLS

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.api.client import Api
    from tests.receiver import Receiver

pytestmark = pytest.mark.slow_on_postgresql  # about the values of webhooks; other tests have the same statements

NAMES = (
    *("consumerName", "consumerVersionNumber", "consumerVersionTags", "consumerVersionBranch", "consumerLabels"),
    *("providerName", "providerVersionNumber", "providerVersionTags", "providerVersionBranch", "providerLabels"),
    *("providerVersionDescriptions", "pactUrl", "verificationResultUrl", "eventName", "buildUrl"),
    *("githubVerificationStatus", "gitlabVerificationStatus", "bitbucketVerificationStatus"),
    "azureDevOpsVerificationStatus",
)
BODY = {name: f"${{pactbroker.{name}}}" for name in NAMES}
REQUIRING = "contract_requiring_verification_published"
RESULT = "provider_verification_published"
STATUSES = {
    "pending": ("pending", "pending", "INPROGRESS", "pending"),
    "success": ("success", "success", "SUCCESSFUL", "succeeded"),
    "failure": ("failure", "failed", "FAILED", "failed"),
}


@pytest.fixture
def broker(make_broker: Callable[..., Broker]) -> Broker:
    return make_broker()


def _history(api: Api) -> None:
    """Several provider versions: on main, deployed, released, tagged, and with results for an earlier pact."""
    api.put("/pacticipants/Till/labels/red", {})
    api.put("/pacticipants/Ledger/labels/blue", {})
    api.put("/pacticipants/Ledger", {"mainBranch": "main"})
    api.put("/pacticipants/Ledger/branches/main/versions/m", {})
    api.put("/pacticipants/Ledger/versions/m/tags/live", {})
    for number in ("d", "r"):
        api.put(f"/pacticipants/Ledger/versions/{number}", {})
    api.put("/pacticipants/Ledger/branches/release/versions/r", {})
    api.put("/pacticipants/Ledger/versions/r/tags/lts", {})
    for name in ("prod", "stage"):
        environment = api.post("/environments", {"name": name, "production": False}).json()["uuid"]
        api.post(f"/pacticipants/Ledger/versions/d/deployed-versions/environment/{environment}", {})
        if name == "prod":
            api.post(f"/pacticipants/Ledger/versions/r/released-versions/environment/{environment}", {})


def _verify(api: Api, consumer_version: str, provider_version: str, *, success: bool = True, **more: str) -> str:
    path = api.get(f"/pacts/provider/Ledger/consumer/Till/version/{consumer_version}").link(
        "pb:publish-verification-results"
    )
    answer = api.post(path, {"success": success, "providerApplicationVersion": provider_version, **more})
    assert answer.status == 201, answer.text
    return answer.link("self")


def _let_time_pass(broker: Broker) -> None:
    """Move events a minute back, so that no result follows them at once."""
    earlier = datetime.now(UTC) - timedelta(minutes=1)
    required = update(triggered_webhook).where(triggered_webhook.c.event == REQUIRING)
    broker.database.write(lambda db: db.execute(required.values(created_at=earlier)))


def _value_of(arrival: dict[str, Any]) -> dict[str, Any]:
    """Take a delivered body apart: the result by its number, the pact by whether it is there."""
    status = (
        *(arrival.pop("githubVerificationStatus"), arrival.pop("gitlabVerificationStatus")),
        *(arrival.pop("bitbucketVerificationStatus"), arrival.pop("azureDevOpsVerificationStatus")),
    )
    (word,) = (word for word, statuses in STATUSES.items() if statuses == status)
    assert arrival.pop("pactUrl").startswith(f"{BASE}/pacts/provider/Ledger/consumer/Till/pact-version/")
    return {**{name: value for name, value in arrival.items() if value}, "status": word}


CONSUMER = {"consumerName": "Till", "providerName": "Ledger", "consumerLabels": "red", "providerLabels": "blue"}
SECOND = {**CONSUMER, "consumerVersionNumber": "2", "consumerVersionBranch": "main"}


def test_each_value_of_each_event_comes_from_its_own_versions(
    make_broker: Callable[..., Broker],
    receiver: Receiver,
) -> None:
    broker = make_broker(starts=False)
    api = broker.api
    _history(api)
    broker.publish("1", branch="feat", tags=["dev"])
    by_main = _verify(api, "1", "m", buildUrl="https://ci.test/old")
    request = {"body": BODY, "headers": {"content-type": "application/json"}}
    broker.hook(receiver.url, REQUIRING, "contract_published", RESULT, request=request)
    broker.publish("2", branch="main", buildUrl="https://ci.test/2")
    by_unbranched = _verify(api, "2", "unbranched", success=False, buildUrl="https://ci.test/x")
    by_released = _verify(api, "2", "r", success=False)
    # By now another version has the latest result.
    latest = _verify(api, "2", "m")
    _let_time_pass(broker)
    broker.worker.start()
    arrivals = [_value_of(arrival.json()) for arrival in receiver.wait(6)]
    broker.worker.stop()
    results = [arrival.pop("verificationResultUrl", "").removeprefix(BASE) for arrival in arrivals]
    required = {"eventName": REQUIRING, "buildUrl": "https://ci.test/2", **SECOND}
    assert arrivals == [
        {
            **required,
            "eventName": "contract_published",
            "providerVersionNumber": "m",
            "providerVersionBranch": "main",
            "providerVersionTags": "live",
            "status": "success",
        },
        {
            **required,
            "providerVersionNumber": "d",
            "providerVersionDescriptions": "deployed in prod, deployed in stage",
            "status": "pending",
        },
        {
            **required,
            "providerVersionNumber": "r",
            "providerVersionBranch": "release",
            "providerVersionTags": "lts",
            "providerVersionDescriptions": "released in prod",
            "status": "failure",
        },
        {
            **SECOND,
            "eventName": RESULT,
            "providerVersionNumber": "unbranched",
            "buildUrl": "https://ci.test/x",
            "status": "failure",
        },
        {
            **SECOND,
            "eventName": RESULT,
            "providerVersionNumber": "r",
            "providerVersionBranch": "release",
            "providerVersionTags": "lts",
            "status": "failure",
        },
        {
            **SECOND,
            "eventName": RESULT,
            "providerVersionNumber": "m",
            "providerVersionBranch": "main",
            "providerVersionTags": "live",
            "status": "success",
        },
    ]
    assert results == [by_main, "", by_released, by_unbranched, by_released, latest]


def _one_body(broker: Broker, receiver: Receiver, event: str, publish: Callable[[], object]) -> dict[str, Any]:
    request = {"body": BODY, "headers": {"content-type": "application/json"}}
    broker.hook(receiver.url, event, request=request)
    publish()
    (arrival,) = receiver.wait(1)
    body: dict[str, Any] = arrival.json()
    return body


def test_a_deployed_version_without_branch_and_result_is_not_the_head_of_main(
    broker: Broker,
    receiver: Receiver,
) -> None:
    api = broker.api
    api.put("/pacticipants/Ledger", {"mainBranch": "main"})
    broker.publish("1")
    api.put("/pacticipants/Ledger/branches/main/versions/m", {})
    api.put("/pacticipants/Ledger/versions/m/tags/live", {})
    _verify(api, "1", "m")
    environment = api.post("/environments", {"name": "prod", "production": True}).json()["uuid"]
    api.put("/pacticipants/Ledger/versions/d", {})
    api.post(f"/pacticipants/Ledger/versions/d/deployed-versions/environment/{environment}", {})
    body = _one_body(broker, receiver, REQUIRING, lambda: broker.publish("2"))
    assert body["providerVersionNumber"] == "d"
    for name in ("providerVersionBranch", "providerVersionTags", "verificationResultUrl"):
        assert body[name] == ""
    assert body["githubVerificationStatus"] == "pending"


def test_a_filter_skips_the_versions_that_do_not_match_it_and_no_others(broker: Broker, receiver: Receiver) -> None:
    api = broker.api
    api.put("/pacticipants/Ledger", {"mainBranch": "main"})
    api.put("/pacticipants/Ledger/branches/main/versions/m", {})
    api.put("/pacticipants/Ledger/branches/support/versions/d", {})
    environment = api.post("/environments", {"name": "prod", "production": True}).json()["uuid"]
    api.post(f"/pacticipants/Ledger/versions/d/deployed-versions/environment/{environment}", {})
    request = {"body": BODY, "headers": {"content-type": "application/json"}}
    broker.hook(receiver.url, REQUIRING, request=request, providerBranches=["support"])
    broker.publish("1")
    (arrival,) = receiver.wait(1)
    assert arrival.json()["providerVersionNumber"] == "d"


def test_a_version_that_only_has_the_tag_of_the_main_branch_keeps_its_own_branch(
    broker: Broker,
    receiver: Receiver,
) -> None:
    api = broker.api
    api.put("/pacticipants/Ledger", {"mainBranch": "main"})
    api.put("/pacticipants/Ledger/branches/feat/versions/t", {})
    api.put("/pacticipants/Ledger/versions/t/tags/main", {})
    body = _one_body(broker, receiver, REQUIRING, lambda: broker.publish("1"))
    assert body["providerVersionNumber"] == "t"
    assert body["providerVersionBranch"] == "feat"
    assert body["providerVersionDescriptions"] == "latest from main branch"


def test_a_result_that_was_deleted_before_delivery_is_not_replaced_by_another(
    make_broker: Callable[..., Broker],
    receiver: Receiver,
) -> None:
    broker = make_broker(starts=False)
    broker.publish("1")
    broker.hook(receiver.url, "provider_verification_failed", request={"body": BODY})
    _verify(broker.api, "1", "5", success=False)
    _verify(broker.api, "1", "6")
    broker.database.write(lambda db: db.exec_driver_sql("UPDATE triggered_webhook SET verification_id = NULL"))
    broker.worker.start()
    (arrival,) = receiver.wait(1)
    broker.worker.stop()
    body = arrival.json()
    assert body["providerVersionNumber"] == body["verificationResultUrl"] == ""
    assert body["githubVerificationStatus"] == "pending"


def test_a_result_leads_to_the_content_that_was_verified(
    make_broker: Callable[..., Broker],
    receiver: Receiver,
) -> None:
    broker = make_broker(allow_dangerous_contract_modification=True)
    broker.publish("1", "old")
    api = broker.api
    pact = api.get("/pacts/provider/Ledger/consumer/Till/version/1")
    results = pact.link("pb:publish-verification-results")
    broker.publish("1", "new")
    broker.hook(receiver.url, RESULT, request={"body": BODY})
    answer = api.post(results, {"success": True, "providerApplicationVersion": "5"})
    (arrival,) = receiver.wait(1)
    assert arrival.json()["verificationResultUrl"] == f"{BASE}{answer.link('self')}"
    sha = pact.link("pb:pact-version").rpartition("/")[2] if "pb:pact-version" in pact.json()["_links"] else None
    assert sha is None or f"/{sha}/" in arrival.json()["pactUrl"]


def test_a_preview_of_a_pact_that_requires_verification_mixes_in_no_other_version(
    broker: Broker,
    receiver: Receiver,
) -> None:
    api = broker.api
    api.put("/pacticipants/Ledger", {"mainBranch": "main"})
    api.put("/pacticipants/Ledger/branches/main/versions/m", {})
    broker.publish("1")
    _verify(api, "1", "other")
    uuid = broker.hook(receiver.url, REQUIRING, request={"body": BODY}).rpartition("/")[2]

    def preview(db: Any) -> Any:
        webhook = webhooks.find(db, uuid)
        assert webhook
        (event,) = previews.list_preview_events(preview_events.list_latest(db, webhook), webhook.events)
        return deliveries.prepare_past_event_test(db, webhook, event, base_url=BASE)

    trial = broker.database.read(preview)
    values = parameters.build_parameters(trial.facts, trial.context, PARAMETER_URLS)
    assert values["providerVersionNumber"] == "m"
    assert values["verificationResultUrl"] == ""
    assert values["githubVerificationStatus"] == "pending"


@pytest.mark.parametrize("known", [True, False])
def test_ids_in_metadata_only_count_for_versions_with_the_verified_pact(
    broker: Broker,
    receiver: Receiver,
    known: bool,  # noqa: FBT001
) -> None:
    api = broker.api
    broker.publish("1", branch="main")
    api.publish("Shop", "77", "Ledger", "elsewhere")
    broker.hook(receiver.url, RESULT, request={"body": BODY})
    consumer = "Till" if known else "Shop"
    number = "1" if known else "77"
    query = select(version.c.id).join(pacticipant, pacticipant.c.id == version.c.pacticipant_id)
    of_version = query.where(pacticipant.c.name == consumer, version.c.number == number)
    identifier = broker.database.read(lambda db: db.scalar(of_version))
    segment = encode(Metadata(selected_by=(SelectedBy(branch="main", version_id=identifier),)))
    sha = api.get("/pacts/provider/Ledger/consumer/Till/version/1").link("pb:publish-verification-results")
    sha = sha.partition("/pact-version/")[2].partition("/")[0]
    path = f"/pacts/provider/Ledger/consumer/Till/pact-version/{sha}/metadata/{segment}/verification-results"
    assert api.post(path, {"success": True, "providerApplicationVersion": "5"}).status == 201
    (arrival,) = receiver.wait(1)
    assert arrival.json()["consumerVersionNumber"] == "1"


@pytest.mark.parametrize(("tag", "own_tags"), [("prod", "prod"), ("feat", "")])
def test_a_pact_has_the_requested_tag_unless_it_was_selected_by_the_fallback_tag(
    broker: Broker, receiver: Receiver, tag: str, own_tags: str
) -> None:
    api = broker.api
    broker.publish("1", tags=["prod"])
    broker.hook(receiver.url, RESULT, request={"body": BODY})
    selectors = {"consumerVersionSelectors": [{"tag": tag, "latest": True, "fallbackTag": "prod"}]}
    (pact,) = api.post("/pacts/provider/Ledger/for-verification", selectors).json()["_embedded"]["pacts"]
    results = api.get(pact["_links"]["self"]["href"]).link("pb:publish-verification-results")
    assert api.post(results, {"success": True, "providerApplicationVersion": "5"}).status == 201
    (arrival,) = receiver.wait(1)
    assert arrival.json()["consumerVersionTags"] == own_tags
