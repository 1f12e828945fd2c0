"""The dashboard: the latest pacts, and their states."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.api.client import Api, Clock

PAIR = "/dashboard/provider/Ledger/consumer/Till"


def items(api: Api, path: str = PAIR) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = api.get(path).json()["items"]
    return entries


def versions(api: Api, path: str = PAIR) -> list[str]:
    return [entry["consumer"]["version"]["number"] for entry in items(api, path)]


def verify(api: Api, version: str, provider_version: str, *, success: bool = True) -> None:
    pact = api.get(f"/pacts/provider/Ledger/consumer/Till/version/{version}")
    result = {"success": success, "providerApplicationVersion": provider_version}
    api.post(pact.link("pb:publish-verification-results"), result)


def deploy(api: Api, version: str) -> str:
    """Deploy a version of Till, and return the path of the deployment."""
    environments = api.get("/environments?name=live").json()["_embedded"]["environments"]
    live = environments[0] if environments else api.post("/environments", {"name": "live", "production": True}).json()
    path = f"/pacticipants/Till/versions/{version}/deployed-versions/environment/{live['uuid']}"
    return api.post(path, {}).link("self")


@pytest.fixture
def three(api: Api, clock: Clock) -> Api:
    """Versions 1 to 3 of Till have a pact with Ledger, a day apart."""
    for day in (1, 2, 3):
        clock.now = datetime(2024, 1, day, tzinfo=UTC)
        api.publish("Till", str(day), "Ledger", day)
    return api


def test_the_latest_pact_is_shown(three: Api) -> None:
    assert versions(three) == ["3"]


def test_the_latest_pact_with_each_tag_is_shown(three: Api) -> None:
    for version, tag in (("1", "dev"), ("2", "dev"), ("2", "live"), ("3", "dev"), ("3", "feat")):
        three.put(f"/pacticipants/Till/versions/{version}/tags/{tag}", {})
    shown = {entry["consumer"]["version"]["number"]: entry for entry in items(three)}
    tags = {number: [tag["name"] for tag in entry["pactTags"]] for number, entry in shown.items()}
    assert tags == {"2": ["live"], "3": ["dev", "feat"]}
    assert shown["2"]["pactTags"][0] == {
        "name": "live",
        "latest": True,
        "_links": {"self": {"href": "http://localhost/pacticipants/Till/versions/2/tags/live"}},
    }


def test_a_tag_on_a_version_without_the_pact_does_not_hide_the_latest_with_it(three: Api) -> None:
    three.put("/pacticipants/Till/versions/1/tags/dev", {})
    three.publish("Till", "4", "Bank", 4, tags=["dev"])
    shown = {entry["consumer"]["version"]["number"]: entry for entry in items(three)}
    assert [tag["name"] for tag in shown["1"]["pactTags"]] == ["dev"]


def test_pacts_of_versions_that_run_somewhere_are_shown(three: Api) -> None:
    path = deploy(three, "1")
    assert versions(three) == ["3", "1"]
    three.patch(path, {"currentlyDeployed": False})
    assert versions(three) == ["3"]


def test_pacts_of_versions_that_are_supported_somewhere_are_shown(three: Api) -> None:
    uuid = three.post("/environments", {"name": "store", "production": True}).json()["uuid"]
    released = three.post(f"/pacticipants/Till/versions/2/released-versions/environment/{uuid}", {})
    assert versions(three) == ["3", "2"]
    three.patch(released.link("self"), {"currentlySupported": False})
    assert versions(three) == ["3"]


def test_a_pact_that_matters_twice_is_shown_once(three: Api) -> None:
    deploy(three, "3")
    three.put("/pacticipants/Till/versions/3/tags/dev", {})
    assert versions(three) == ["3"]


def test_missing_values_are_null(three: Api) -> None:
    (item,) = items(three)
    assert item["provider"]["version"] is None
    assert item["latestVerificationResult"] is None
    assert item["latestVerificationResultTags"] == []
    assert item["consumer"]["version"]["branch"] is None
    assert (item["verificationStatus"], item["webhookStatus"]) == ("never", "none")
    assert item["latestWebhookExecution"] is None


def test_the_newest_result_is_shown_with_the_branches_and_tags_of_its_version(three: Api, clock: Clock) -> None:
    verify(three, "3", "10")
    verify(three, "3", "11", success=False)
    for version in ("10", "11"):
        three.put(f"/pacticipants/Ledger/branches/main/versions/{version}", {})
        three.put(f"/pacticipants/Ledger/versions/{version}/tags/live", {})
    three.put("/pacticipants/Ledger/versions/10/tags/old", {})
    (item,) = items(three)
    assert item["provider"]["version"] == {"number": "11", "branch": "main", "headBranchNames": ["main"]}
    assert item["verificationStatus"] == "failed"
    assert item["latestVerificationResult"]["success"] is False
    assert item["latestVerificationResult"]["verifiedAt"] == clock.now.isoformat(timespec="seconds")
    assert [tag["name"] for tag in item["latestVerificationResultTags"]] == ["live"]


def test_a_version_shows_the_branches_that_it_is_the_head_of(three: Api) -> None:
    for branch, version in (("a", "3"), ("b", "2"), ("b", "3"), ("c", "3"), ("c", "2")):
        three.put(f"/pacticipants/Till/branches/{branch}/versions/{version}", {})
    (item,) = items(three)
    assert item["consumer"]["version"]["headBranchNames"] == ["a", "b"]
    assert item["consumer"]["version"]["branch"] == "b"


def test_a_failure_of_a_pending_pact_has_its_own_status(api: Api) -> None:
    api.publish("Till", "1", "Ledger", 1, branch="main")
    request = {"consumerVersionSelectors": [{"branch": "main"}], "includePendingStatus": True}
    pacts = api.post("/pacts/provider/Ledger/for-verification", request).json()["_embedded"]["pacts"]
    assert pacts[0]["verificationProperties"]["pending"] is True
    pact = api.get(pacts[0]["_links"]["self"]["href"])
    api.post(pact.link("pb:publish-verification-results"), {"success": False, "providerApplicationVersion": "1"})
    assert items(api)[0]["verificationStatus"] == "failed_pending"


def test_the_latest_change_comes_first(three: Api, clock: Clock) -> None:
    deploy(three, "1")
    deploy_two = "/pacticipants/Till/versions/2/tags/dev"
    three.put(deploy_two, {})
    assert versions(three) == ["3", "2", "1"]
    clock.now = datetime(2024, 1, 9, tzinfo=UTC)
    verify(three, "1", "10")
    assert versions(three) == ["1", "3", "2"]


def test_the_dashboard_of_all_integrations_is_paged(three: Api) -> None:
    three.publish("Ant", "1", "Ledger", 4)
    three.publish("zebra", "1", "Ledger", 5)
    three.put("/pacticipants/Till/versions/1/tags/dev", {})

    def page(number: int) -> list[tuple[str, str]]:
        shown = items(three, f"/dashboard?page={number}&size=2")
        return sorted((entry["consumer"]["name"], entry["consumer"]["version"]["number"]) for entry in shown)

    assert [page(1), page(2), page(3)] == [[("Ant", "1"), ("Till", "3")], [("Till", "1"), ("zebra", "1")], []]


@pytest.mark.parametrize("consumers", [["Zebra", "Zoo"], ["Ant", "Zebra", "Zoo"], ["Ant", "Bee", "Zebra"]])
def test_applications_without_pacts_do_not_hide_consumers(api: Api, consumers: list[str]) -> None:
    for number in range(21):  # more than are looked at for a page of two items
        api.post("/pacticipants", {"name": f"Cat {number:02d}"})
    for number, consumer in enumerate(consumers):
        api.publish(consumer, "1", "Ledger", number)
    pages = [items(api, f"/dashboard?page={number}&size=2") for number in (1, 2)]
    assert [[item["consumer"]["name"] for item in page] for page in pages] == [consumers[:2], consumers[2:]]


def test_the_default_page_size_is_thirty(api: Api) -> None:
    for number in range(31):
        api.publish(f"Consumer {number}", "1", "Ledger", number)
    assert len(items(api, "/dashboard")) == 30
    assert len(items(api, "/dashboard?size=40")) == 31


@pytest.mark.parametrize(
    ("query", "errors"),
    [
        ("page=x", {"page": ["must be an integer"]}),
        ("pageSize=0", {"pageSize": ["must be greater than or equal to 1"]}),
    ],
)
def test_a_page_that_cannot_be_is_refused(api: Api, query: str, errors: object) -> None:
    answer = api.get(f"/dashboard?{query}")
    assert (answer.status, answer.json()) == (400, {"errors": errors})


def test_the_dashboard_is_available_as_a_text_table(three: Api) -> None:
    verify(three, "3", "10")
    three.put("/pacticipants/Till/versions/3/tags/dev", {})
    three.put("/pacticipants/Till/versions/3/tags/beta", {})
    assert three.get(PAIR, accept="text/plain").text == (
        "CONSUMER_NAME | C_VERSION | C_TAGS    | PROVIDER_NAME | P_VERSION | P_TAGS | SUCCESS\n"
        "--------------|-----------|-----------|---------------|-----------|--------|--------\n"
        "Till          | 3         | beta, dev | Ledger        | 10        |        | success\n"
    )


def test_the_table_is_ordered_by_names_and_versions_and_the_document_by_activity(three: Api, clock: Clock) -> None:
    clock.now += timedelta(minutes=1)
    three.put("/pacticipants/Till/versions/1/tags/old", {})
    verify(three, "1", "10")
    rows = three.get(PAIR, accept="text/plain").text.splitlines()[2:]
    assert [row.split("|")[1].strip() for row in rows] == ["3", "1"]
    items = three.get(PAIR).json()["items"]
    assert [item["consumer"]["version"]["number"] for item in items] == ["1", "3"]


def test_the_dashboard_of_an_unknown_pacticipant_returns_404(three: Api) -> None:
    answer = three.get("/dashboard/provider/nobody/consumer/Till")
    assert (answer.status, answer.json()) == (404, {"error": "No provider with name 'nobody' found"})
    assert three.get("/dashboard/provider/Ledger/consumer/nobody").status == 404
