"""Pending pacts and trends as JSON; their contents are tested with their pages."""

from datetime import timedelta
from urllib.parse import urlsplit

import pytest

from tests.api.client import Api, Clock


@pytest.fixture
def shop(api: Api, clock: Clock) -> Api:
    """Two pending pacts of Till, one of them failed, and a head of a feature branch."""
    for name in ("Ledger", "Stock"):
        api.put(f"/pacticipants/{name}/branches/main/versions/9", {})
        assert api.publish("Till", "1", name, name, branch="main").status == 200
        clock.now += timedelta(hours=1)
    pact = api.get("/pacts/provider/Stock/consumer/Till/version/1")
    body = {"success": False, "providerApplicationVersion": "9"}
    assert api.post(pact.link("pb:publish-verification-results"), body).status == 201
    clock.now += timedelta(days=10)
    assert api.publish("Till", "2", "Ledger", "new", branch="feat").status == 200
    return api


def test_pending_pacts_are_listed_by_the_page_with_their_newest_result(shop: Api) -> None:
    listed = shop.get("/pending?size=1").json()
    assert (listed["view"], "days" in listed) == ("pending", False)
    (pact,) = listed["pacts"]
    assert (pact["consumer"], pact["consumerVersion"], pact["provider"]) == ("Till", "1", "Ledger")
    assert (pact["branch"], pact["providerBranch"], pact["latestResult"]) == ("main", "main", None)
    assert shop.get(pact["_links"]["pb:pact-version"]["href"]).status == 200
    assert listed["page"] == {"number": 1, "size": 1, "totalElements": 2, "totalPages": 2}

    following = shop.get(listed["_links"]["next"]["href"]).json()
    (pact,) = following["pacts"]
    assert pact["provider"] == "Stock"
    assert (pact["latestResult"]["success"], pact["latestResult"]["providerVersion"]) == (False, "9")
    assert "next" not in following["_links"]
    assert [pact["provider"] for pact in shop.get("/pending?q=sto").json()["pacts"]] == ["Stock"]
    assert shop.get("/").link("pb:pending").endswith("/pending")


def test_work_in_progress_and_stale_integrations_are_listed_for_so_many_days(shop: Api, clock: Clock) -> None:
    in_progress = shop.get("/pending?wip=5").json()
    assert (in_progress["view"], in_progress["days"]) == ("wip", 5)
    assert [(pact["consumerVersion"], pact["branch"]) for pact in in_progress["pacts"]] == [("2", "feat")]
    assert shop.get("/pending?stale=20").json()["integrations"] == []

    clock.now += timedelta(days=15)
    stale = shop.get("/pending?stale=20&size=1").json()
    assert (stale["view"], stale["days"]) == ("stale", 20)
    (integration,) = stale["integrations"]
    assert (integration["provider"], integration["consumerVersion"], integration["providerVersion"]) == (
        "Stock",
        "1",
        "9",
    )
    assert shop.get("/pending?wip=5").json()["pacts"] == []


def test_trends_count_each_of_the_last_days_and_weeks(shop: Api) -> None:
    trends = shop.get("/trends").json()
    days = trends["days"]
    assert len(days) == 30
    assert (sum(day["passed"] for day in days), sum(day["failed"] for day in days)) == (0, 1)
    assert (days[-1]["integrations"], days[-1]["healthyIntegrations"], days[-1]["newContents"]) == (2, 0, 1)
    assert (days[-11]["newContents"], days[-11]["newContentsWithResult"]) == (2, 1)
    assert trends["medianSecondsUntilResult"] == days[-11]["medianSecondsUntilResult"] == 3600
    assert sum(week["deployments"] for week in trends["weeks"]) == 0

    of_pair = shop.get("/trends?consumer=Till&provider=Ledger").json()
    assert sum(day["failed"] for day in of_pair["days"]) == 0
    assert of_pair["days"][-1]["integrations"] == 1
    assert urlsplit(of_pair["_links"]["self"]["href"]).query == "consumer=Till&provider=Ledger"
    assert shop.get("/trends?application=Nobody").status == 404
    assert shop.get("/").link("pb:trends").endswith("/trends")
