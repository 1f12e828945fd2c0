"""Fifteen checks of behaviour that is easily implemented differently: each was observed on the original broker."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.api.client import BASE, Api
from tests.api.history import History
from tests.databases import open_kept
from tests.receiver import Receiver
from treaty.settings import Settings
from treaty.web.parameter_urls import PARAMETER_URLS
from treaty.workers.deliveries import DeliveryWorker

pytestmark = pytest.mark.slow_on_postgresql  # about rules; other tests have the same statements

SINCE = {"includeWipPactsSince": "2020-01-01"}
OPEN: dict[str, Any] = {"webhook_scheme_whitelist": ("http",), "webhook_host_whitelist": ("127.0.0.1",)}
NO_ENVIRONMENT = (
    "WARN: It is recommended to specify the environment into which you are deploying. "
    "Without the environment, this result will not be reliable."
)
NO_VERSION = (
    "WARN: It is recommended to specify the version number (rather than the tag or branch) of the pacticipant you wish "
    "to deploy to avoid race conditions. Without a version number, this result will not be reliable."
)


@pytest.fixture
def history(api: Api) -> History:
    return History(api)


def summarize(answer: Any) -> tuple[Any, str, list[str]]:
    """The verdict, the counts of successes, failures and unknown results, and the reasons."""
    summary = answer["summary"]
    counts = "/".join(str(summary[name]) for name in ("success", "failed", "unknown"))
    return summary["deployable"], counts, [notice["text"] for notice in answer["notices"]]


def providers(answer: Any) -> list[str | None]:
    return [row["provider"]["version"] and row["provider"]["version"]["number"] for row in answer["matrix"]]


def list_pacts_to_verify(api: Api, **body: Any) -> list[dict[str, Any]]:
    answer = api.post("/pacts/provider/Bar/for-verification", body)
    assert answer.status == 200, answer.text
    pacts: list[dict[str, Any]] = answer.json()["_embedded"]["pacts"]
    return pacts


def names(pacts: list[dict[str, Any]]) -> list[str]:
    return [pact["_links"]["self"]["name"].removeprefix("Pact between ").removesuffix(" and Bar") for pact in pacts]


def states(pacts: list[dict[str, Any]]) -> list[tuple[bool | None, bool]]:
    """Whether each is pending, and work in progress."""
    properties = [pact["verificationProperties"] for pact in pacts]
    return [(pact_properties.get("pending"), pact_properties.get("wip", False)) for pact_properties in properties]


def verify(api: Api, pact: dict[str, Any], by: str) -> None:
    """Publish a success through the link that a pact for verification came with."""
    answer = api.get(pact["_links"]["self"]["href"].removeprefix(BASE))
    body = {"success": True, "providerApplicationVersion": by}
    assert api.post(answer.link("pb:publish-verification-results"), body).status == 201


def test_check_01_a_verified_version_in_an_environment_is_not_enough_beside_one_without_a_result(
    api: Api, history: History
) -> None:
    history.publish("Foo", "1", "Bar", 1)
    history.verify("Foo", "1", "Bar", "10")
    history.version("Bar", "11")
    history.deploy("Bar", "10", "prod", "a")
    history.deploy("Bar", "11", "prod", "b")
    answer = api.get("/can-i-deploy?pacticipant=Foo&version=1&environment=prod").json()
    missing = "There is no verified pact between version 1 of Foo and one of the versions of Bar currently in prod (11)"
    assert summarize(answer) == (None, "1/0/1", [missing])
    assert providers(answer) == ["11", "10"]


def test_check_02_can_i_deploy_looks_at_every_version_in_an_environment_and_cvp_at_the_newest(
    api: Api, history: History
) -> None:
    history.publish("Foo", "1", "Bar", 1)
    history.verify("Foo", "1", "Bar", "10")
    history.version("Bar", "11")
    for number, success in (("12", False), ("13", True)):
        history.verify("Foo", "1", "Bar", number, success=success)
    for number, place in zip(("10", "11", "12", "13"), "abcd", strict=True):
        history.deploy("Bar", number, "prod", place)
    answer = api.get("/can-i-deploy?pacticipant=Foo&version=1&environment=prod").json()
    failed = (
        "The verification for the pact between version 1 of Foo and one of the versions of Bar currently in prod (12) "
        "failed"
    )
    missing = failed.replace("The verification for the", "There is no verified").replace("(12) failed", "(11)")
    assert summarize(answer) == (None, "2/1/1", [failed, missing])
    assert providers(answer) == ["13", "12", "11", "10"]
    newest = api.get("/matrix?q[][pacticipant]=Foo&q[][version]=1&latestby=cvp&environment=prod").json()
    assert newest["summary"]["deployable"] is None
    assert providers(newest) == ["13"]


def test_check_03_a_version_that_was_never_seen_is_the_only_reason(api: Api, history: History) -> None:
    history.publish("Foo", "1", "Bar", 1)
    history.deploy("Foo", "1", "prod")
    answer = api.get("/can-i-deploy?pacticipant=Bar&version=99&environment=prod").json()
    reason = "No pacts or verifications have been published for version 99 of Bar"
    assert summarize(answer) == (False, "0/0/1", [reason])
    assert len(answer["matrix"]) == 1


def test_check_04_the_same_reason_is_given_for_each_row(api: Api, history: History) -> None:
    for number in ("1", "2"):
        history.publish("Foo", number, "Bar", int(number))
        history.verify("Foo", number, "Bar", "12", success=False)
    query = "q[][pacticipant]=Foo&q[][pacticipant]=Bar&latestby=cvpv&success=false"
    reason = "The verification for the pact between any version of Foo and any version of Bar failed"
    assert summarize(api.get(f"/matrix?{query}").json()) == (False, "0/2/0", [reason, reason])


def test_check_05_with_one_selector_the_limit_counts_rows_of_the_question(api: Api, history: History) -> None:
    for number in ("1", "2", "3", "4"):
        history.publish("Foo", number, "Bar", int(number))
    answer = api.get("/matrix?q[][pacticipant]=Foo&q[][version]=1&latestby=cvpv&limit=2").json()
    reason = "There is no verified pact between version 1 of Foo and any version of Bar"
    assert [row["consumer"]["version"]["number"] for row in answer["matrix"]] == ["1"]
    assert summarize(answer) == (None, "0/0/1", [NO_ENVIRONMENT, reason])


def test_check_06_a_main_branch_of_false_counts_as_a_destination(api: Api, history: History) -> None:
    history.publish("Foo", "2", "Bar", 2)
    history.environment("test")
    answer = api.get("/matrix?q[][pacticipant]=Foo&q[][version]=2&environment=test&mainBranch=false")
    assert answer.status == 400
    assert answer.json() == {"errors": ["Cannot specify more than one of tag, environment and mainBranch."]}


def test_check_07_a_selector_that_finds_two_versions_counts_as_two(api: Api, history: History) -> None:
    for number in ("1", "2"):
        history.publish("Foo", number, "Bar", int(number), tags=["t"])
    query = "/matrix?q[][pacticipant]=Foo&q[][tag]=t&latestby=cvpv"
    both = api.get(query).json()
    assert both["matrix"] == []
    assert summarize(both) == (True, "0/0/0", [NO_VERSION, "There are no missing dependencies"])
    latest = api.get(f"{query}&q[][latest]=true").json()
    verdict, _, reasons = summarize(latest)
    assert (verdict, reasons[:2]) == (None, [NO_ENVIRONMENT, NO_VERSION])
    assert providers(latest) == [None] * len(latest["matrix"]) != []


def test_check_08_a_head_without_a_pact_hides_earlier_pacts_of_its_branch(api: Api, history: History) -> None:
    history.publish("Foo", "1", "Bar", 1, branch="main")
    history.branch("Foo", "99", "main")
    assert list_pacts_to_verify(api) == []
    (latest,) = list_pacts_to_verify(api, consumerVersionSelectors=[{"latest": True}])
    assert names([latest]) == ["Foo (1)"]
    assert "pending" in latest["verificationProperties"]


def test_check_09_the_head_of_a_branch_is_the_version_that_was_added_last(api: Api, history: History) -> None:
    history.publish("Foo", "1", "Bar", 1)
    history.publish("Foo", "4", "Bar", 4, branch="feat/z")
    history.branch("Foo", "1", "feat/z")
    assert names(list_pacts_to_verify(api, consumerVersionSelectors=[{"branch": "feat/z"}])) == ["Foo (1)"]


def test_check_10_a_success_of_work_in_progress_ends_pending_alone(api: Api, history: History) -> None:
    history.publish("Foo", "2", "Bar", 2, branch="feat/x")
    history.branch("Bar", "p0", "main")
    wip = {"providerVersionBranch": "main", "consumerVersionSelectors": [{"mainBranch": True}], **SINCE}
    (pact,) = list_pacts_to_verify(api, **wip)
    history.branch("Bar", "p1", "main")
    verify(api, pact, "p1")
    assert states(list_pacts_to_verify(api, **wip)) == [(True, True)]
    explicit = list_pacts_to_verify(api, providerVersionBranch="main", consumerVersionSelectors=[{"branch": "feat/x"}])
    assert states(explicit) == [(False, False)]


def test_check_11_a_tag_that_comes_after_the_result_ends_pending_but_not_work_in_progress(
    api: Api, history: History
) -> None:
    history.publish("Foo", "5", "Bar", 5, branch="feat/w")
    history.verify("Foo", "5", "Bar", "t1")
    history.tag("Bar", "t1", "pdev")
    explicit = {"providerVersionTags": ["pdev"], "consumerVersionSelectors": [{"branch": "feat/w"}]}
    wip = {"providerVersionTags": ["pdev"], "consumerVersionSelectors": [{"mainBranch": True}], **SINCE}
    assert states(list_pacts_to_verify(api, **explicit)) == [(False, False)]
    assert states(list_pacts_to_verify(api, **wip)) == [(True, True)]
    history.tag("Bar", "t2", "pdev")
    history.verify("Foo", "5", "Bar", "t2")
    assert list_pacts_to_verify(api, **wip) == []


def test_check_12_one_consumer_with_the_tag_switches_the_fallback_off_for_all(api: Api, history: History) -> None:
    history.publish("Foo", "1", "Bar", 1, tags=["feat"], branch="main")
    history.publish("Baz", "1", "Bar", 2, tags=["prod"], branch="main")
    with_tag = [{"tag": "feat", "latest": True, "fallbackTag": "prod"}]
    assert names(list_pacts_to_verify(api, consumerVersionSelectors=with_tag)) == ["Foo (1)"]
    with_branch = [{"branch": "nope", "fallbackBranch": "main"}]
    assert sorted(names(list_pacts_to_verify(api, consumerVersionSelectors=with_branch))) == ["Baz (1)", "Foo (1)"]


def test_check_13_branches_play_no_part_in_whether_content_has_changed(api: Api, history: History) -> None:
    history.publish("Foo", "1", "Bar", 1)
    notices = api.publish("Foo", "2", "Bar", 1, branch="main").json()["notices"]
    event_notice = next(notice["text"] for notice in notices if "Events detected" in notice["text"])
    comment = "pact content is the same as previous versions with tags  and no new tags were applied"
    assert event_notice == f"  Events detected: contract_published ({comment})"


def test_check_14_a_webhook_that_is_put_keeps_its_secrets_and_nothing_else(
    make_api: Callable[..., Api], receiver: Receiver
) -> None:
    api = make_api(**OPEN)
    events = [{"name": "contract_published"}]
    request = {"method": "POST", "url": receiver.url, "headers": {"Authorization": "secret"}, "body": {"a": 1}}
    response = api.post(
        "/webhooks",
        {"request": {**request, "username": "", "password": "kept"}, "events": events, "enabled": False},
    )
    assert response.json()["enabled"] is False
    again = {"method": "POST", "url": receiver.url, "headers": {"authorization": "**********"}}
    put = api.put(response.link("self"), {"request": again, "events": events})
    assert put.status == 200
    webhook = put.json()
    assert (webhook["enabled"], webhook["request"]["password"]) == (True, "**********")
    assert "body" not in webhook["request"]
    assert api.post(f"{response.link('self')}/execute").json()["success"] is True
    (arrival,) = receiver.wait(1)
    assert (arrival.body, arrival.headers["authorization"]) == (b"", "secret")


@contextmanager
def working(database_url: str) -> Iterator[None]:
    database = open_kept(database_url, connections=2)
    worker = DeliveryWorker(database, Settings(database_url=database_url, log_level="fatal", **OPEN), PARAMETER_URLS)
    worker.start()
    try:
        yield
    finally:
        worker.stop()
        database.close()


def test_check_15_a_delivery_is_queued_for_each_version_that_has_to_verify_and_each_that_was_verified(
    make_api: Callable[..., Api], database_url: str, receiver: Receiver
) -> None:
    api = make_api(**OPEN)
    history = History(api)
    history.publish("Foo", "1", "Bar", 1)
    api.patch("/pacticipants/Bar", {"mainBranch": "main"})
    history.branch("Bar", "b0", "zzz")
    history.branch("Bar", "b1", "main")
    history.deploy("Bar", "b1", "prod")
    history.deploy("Bar", "b0", "test")
    history.release("Bar", "b0", "test")
    parts = ("providerVersionNumber", "providerVersionBranch", "providerVersionDescriptions", "consumerVersionNumber")
    hook = {
        "request": {
            "method": "POST",
            "url": receiver.url,
            "body": " | ".join(f"${{pactbroker.{name}}}" for name in parts),
        },
        "events": [
            {"name": "contract_requiring_verification_published"},
            {"name": "provider_verification_published"},
        ],
    }
    assert api.post("/webhooks", hook).status == 201
    with working(database_url):
        history.publish("Foo", "12", "Bar", 12, tags=["t"])
        published = [arrival.body.decode() for arrival in receiver.wait(2)]
        history.publish("Foo", "13", "Bar", 12, tags=["t"])
        receiver.wait(4)
        (pact,) = list_pacts_to_verify(api, consumerVersionSelectors=[{"tag": "t"}])
        verify(api, pact, "b1")
        verified = [arrival.body.decode() for arrival in receiver.wait(6)][4:]
    assert published == [
        "b1 | main | latest from main branch, deployed in prod | 12",
        "b0 | zzz | deployed in test, released in test | 12",
    ]
    assert verified == ["b1 | main |  | 12", "b1 | main |  | 13"]
