"""Integrations: listing, drawing and removing them."""

from datetime import UTC, datetime

import pytest

from tests.api.client import Answer, Api, Clock
from tests.api.history import History


@pytest.fixture
def shop(api: Api) -> Api:
    """Till consumes Ledger and Bank, Ledger consumes Bank; nothing connects them with Far and Away."""
    api.publish("Till", "1", "Ledger", 1, branch="main", tags=["dev"])
    api.publish("Till", "2", "Bank", 2)
    api.publish("Ledger", "7", "Bank", 3)
    api.publish("Far", "1", "Away", 4)
    return api


def pairs(answer: Answer) -> list[str]:
    items = answer.json()["_embedded"]["integrations"]
    return [f"{integration['consumer']['name']}-{integration['provider']['name']}" for integration in items]


def verify(api: Api, consumer: str, version: str, provider: str, provider_version: str) -> Answer:
    pact = api.get(f"/pacts/provider/{provider}/consumer/{consumer}/version/{version}")
    result = {"success": True, "providerApplicationVersion": provider_version}
    return api.post(pact.link("pb:publish-verification-results"), result)


def test_integrations_are_listed_by_their_last_change(api: Api, clock: Clock) -> None:
    for day, consumer in enumerate(("A", "B", "C"), start=1):
        clock.now = datetime(2024, 1, day, tzinfo=UTC)
        api.publish(consumer, "1", "P", consumer)
    clock.now = datetime(2024, 1, 4, tzinfo=UTC)
    verify(api, "B", "1", "P", "1")
    assert pairs(api.get("/integrations")) == ["B-P", "C-P", "A-P"]


def test_an_integration_links_to_its_dashboard_and_its_deletion(shop: Api) -> None:
    links = shop.get("/integrations?q=away").json()["_embedded"]["integrations"][0]["_links"]
    assert links["pb:dashboard"]["href"] == "http://localhost/dashboard/provider/Away/consumer/Far"
    assert links["pb:delete_integration"] == {
        "title": "Delete the integration between Far and Away",
        "href": "http://localhost/integrations/provider/Away/consumer/Far",
    }


def test_integrations_are_found_by_a_part_of_either_name(shop: Api) -> None:
    assert sorted(pairs(shop.get("/integrations?q=LEDG"))) == ["Ledger-Bank", "Till-Ledger"]
    assert pairs(shop.get("/integrations?q=L_dger")) == []


def test_integrations_are_paged(shop: Api) -> None:
    first = shop.get("/integrations?page=1&size=3").json()
    assert first["page"] == {"number": 1, "size": 3, "totalElements": 4, "totalPages": 2}
    second = shop.get(first["_links"]["next"]["href"])
    assert len(pairs(second)) == 1
    assert second.json()["_links"]["previous"]["href"] == "http://localhost/integrations?size=3&page=1"


def test_a_search_that_finds_nothing_has_no_page(shop: Api) -> None:
    assert "page" not in shop.get("/integrations?q=nothing&page=1").json()


@pytest.mark.parametrize("query", ["page=0", "size=x"])
def test_a_page_that_cannot_be_is_refused(api: Api, query: str) -> None:
    assert api.get(f"/integrations?{query}").status == 400


@pytest.mark.parametrize("accept", ["", "*/*", "text/vnd.graphviz"])
def test_integrations_are_a_graph_by_default(api: Api, accept: str) -> None:
    api.publish("Web Shop", "1", "Ledger")
    answer = api.get("/integrations", accept=accept, type=None)
    assert answer.headers["content-type"] == "text/vnd.graphviz;charset=utf-8"
    assert answer.text == (
        "digraph { ranksep=3; ratio=auto; overlap=false; node [  shape = plaintext, fontname = Helvetica ];\n"
        "  Web_Shop -> Ledger\n"
        "}\n"
    )


@pytest.mark.parametrize("accept", ["", "*/*"])
@pytest.mark.parametrize("content_type", ["application/json", "application/json;charset=utf-8"])
def test_a_client_of_json_that_accepts_everything_gets_integrations_as_json(
    api: Api, accept: str, content_type: str
) -> None:
    api.publish("Web Shop", "1", "Ledger")
    answer = api.get("/integrations", accept=accept, type=content_type)
    assert answer.headers["content-type"] == "application/hal+json;charset=utf-8"
    assert [integration["consumer"]["name"] for integration in answer.json()["_embedded"]["integrations"]] == [
        "Web Shop"
    ]


def graph(answer: Answer) -> dict[str, list[str]]:
    """Read which providers each pacticipant is connected with, in a graph of rows of numbers."""
    lines = [line.split(",") for line in answer.text.splitlines()]
    assert [int(line[5]) for line in lines] == list(range(1, len(lines) + 1))
    assert all(line[2:5] == ["1", "1", "0"] for line in lines)
    assert len({len(line) for line in lines}) <= 1
    names = {line[0]: line[1] for line in lines}
    return {line[1]: [names[abbreviation] for abbreviation in line[6:] if abbreviation != "0"] for line in lines}


@pytest.mark.parametrize("name", ["Till", "Ledger", "Bank"])
def test_a_group_is_all_that_is_connected_through_whatever_chain(shop: Api, name: str) -> None:
    expected = {"Till": ["Ledger", "Bank"], "Ledger": ["Bank"], "Bank": []}
    assert graph(shop.get(f"/groups/{name}", accept="text/csv")) == expected
    assert graph(shop.get(f"/groups/{name}.csv")) == expected


def test_a_group_grows_until_it_has_enough(api: Api) -> None:
    for consumer, provider in (("A", "B"), ("B", "C"), ("C", "D")):
        api.publish(consumer, "1", provider, consumer)
    assert set(graph(api.get("/groups/A?maxPacticipants=2", accept="*/*"))) == {"A", "B"}
    assert set(graph(api.get("/groups/A?maxPacticipants=3", accept="*/*"))) == {"A", "B", "C"}
    assert set(graph(api.get("/groups/A?maxPacticipants=many", accept="*/*"))) == {"A", "B", "C", "D"}


def test_a_pacticipant_without_integrations_has_an_empty_group(api: Api) -> None:
    api.post("/pacticipants", {"name": "Lone"})
    answer = api.get("/groups/Lone", accept="text/csv")
    assert (answer.status, answer.headers["content-type"], answer.body) == (200, "text/csv;charset=utf-8", b"")


def test_the_group_of_an_unknown_pacticipant_returns_404(api: Api) -> None:
    answer = api.get("/groups/nobody", accept="text/csv")
    assert (answer.status, answer.json()) == (404, {"error": "No pacticipant with name 'nobody' found"})
    assert api.get("/groups/nobody").status == 406


def test_a_name_with_a_comma_stays_one_cell(api: Api) -> None:
    api.publish("A, B", "1", "C")
    assert '"A, B",1,1,0,1,' in api.get("/relationships", accept="text/csv").text


def test_relationships_are_between_all_that_have_pacts(shop: Api) -> None:
    assert graph(shop.get("/relationships", accept="text/csv")) == {
        "Far": ["Away"],
        "Away": [],
        "Ledger": ["Bank"],
        "Bank": [],
        "Till": ["Bank", "Ledger"],
    }


def test_taking_an_integration_away_leaves_the_others(shop: Api) -> None:
    assert shop.delete("/integrations/provider/Bank/consumer/Till").status == 204
    assert sorted(pairs(shop.get("/integrations"))) == ["Far-Away", "Ledger-Bank", "Till-Ledger"]
    assert shop.get("/pacts/provider/Bank/consumer/Till/latest").status == 404
    assert shop.get("/pacts/provider/Bank/consumer/Ledger/latest").status == 200


def test_versions_that_are_idle_then_go_too(shop: Api) -> None:
    verify(shop, "Till", "2", "Bank", "10")
    verify(shop, "Ledger", "7", "Bank", "11")
    shop.delete("/integrations/provider/Bank/consumer/Till")
    assert shop.get("/pacticipants/Till/versions/2").status == 404
    assert shop.get("/pacticipants/Till/versions/1").status == 200
    assert shop.get("/pacticipants/Bank/versions/10").status == 404
    assert shop.get("/pacticipants/Bank/versions/11").status == 200


def test_pacticipants_that_are_idle_then_go_too(shop: Api) -> None:
    shop.delete("/integrations/provider/Away/consumer/Far")
    assert shop.get("/pacticipants/Far").status == 404
    assert shop.get("/pacticipants/Away").status == 404


def test_tags_do_not_keep_an_idle_version(shop: Api) -> None:
    shop.put("/pacticipants/Till/versions/1/tags/live", {})
    shop.delete("/integrations/provider/Ledger/consumer/Till")
    assert shop.get("/pacticipants/Till/versions/1").status == 404


@pytest.mark.parametrize(
    ("kind", "end"),
    [("deployed-versions", {"currentlyDeployed": False}), ("released-versions", {"currentlySupported": False})],
)
def test_an_idle_version_stays_while_it_is_live(shop: Api, kind: str, end: dict[str, bool]) -> None:
    uuid = shop.post("/environments", {"name": "live", "production": True}).json()["uuid"]
    recorded = [
        shop.post(f"/pacticipants/{name}/versions/{number}/{kind}/environment/{uuid}", {})
        for name, number in (("Far", "1"), ("Till", "1"))
    ]
    shop.delete("/integrations/provider/Away/consumer/Far")
    assert shop.get("/pacticipants/Far/versions/1").status == 200
    assert len(shop.get("/pacticipants/Far/versions").json()["_embedded"]["versions"]) == 1
    assert shop.patch(recorded[1].link("self"), end).status == 200


def test_tags_and_past_deployments_do_not_keep_an_idle_version(shop: Api) -> None:
    history = History(shop)
    history.deploy("Till", "1", "live")
    history.deploy("Till", "2", "live")
    shop.delete("/integrations/provider/Ledger/consumer/Till")
    assert shop.get("/pacticipants/Till/versions/1").status == 404


@pytest.mark.parametrize(("role", "name"), [("consumer", "Far"), ("provider", "Away")])
def test_a_webhook_keeps_its_pacticipant(shop: Api, role: str, name: str) -> None:
    request = {"method": "POST", "url": "https://example.org"}
    body = {role: {"name": name}, "events": [{"name": "contract_published"}], "request": request}
    assert shop.post("/webhooks", body).status == 201
    shop.delete("/integrations/provider/Away/consumer/Far")
    assert shop.get(f"/pacticipants/{name}").status == 200


def test_webhooks_between_the_two_go_with_their_integration(shop: Api) -> None:
    body = {"events": [{"name": "contract_published"}], "request": {"method": "POST", "url": "https://example.org"}}
    path = shop.post("/webhooks/provider/Away/consumer/Far", body).link("self")
    assert shop.get(path).status == 200
    shop.delete("/integrations/provider/Away/consumer/Far")
    assert shop.get(path).status == 404
    assert shop.get("/pacticipants/Far").status == 404


def test_the_branchs_head_is_a_version_that_is_left(api: Api) -> None:
    api.publish("Till", "1", "Ledger", 1, branch="main", tags=["dev"])
    api.publish("Till", "2", "Bank", 2, branch="main", tags=["dev"])
    api.delete("/integrations/provider/Bank/consumer/Till")
    assert api.get("/pacticipants/Till/branches/main/latest-version").json()["number"] == "1"
    assert api.get("/pacts/provider/Ledger/consumer/Till/latest/dev").status == 200


def test_removing_an_integration_of_an_unknown_pacticipant_returns_404(shop: Api) -> None:
    answer = shop.delete("/integrations/provider/nobody/consumer/Till")
    assert (answer.status, answer.json()) == (404, {"error": "No provider with name 'nobody' found"})
    answer = shop.delete("/integrations/provider/nobody/consumer/noone")
    assert answer.json() == {"error": "No consumer with name 'noone' found"}


def test_removing_all_integrations_keeps_environments_only(shop: Api) -> None:
    uuid = shop.post("/environments", {"name": "live", "production": True}).json()["uuid"]
    shop.post(f"/pacticipants/Till/versions/1/deployed-versions/environment/{uuid}", {})
    verify(shop, "Till", "1", "Ledger", "7")
    assert shop.delete("/integrations", accept="*/*").status == 204
    assert pairs(shop.get("/integrations")) == []
    assert shop.get("/pacticipants/Till").status == 404
    assert shop.get(f"/environments/{uuid}").status == 200
    page = shop.get(f"/environments/{uuid}/deployed-versions/currently-deployed").json()
    assert page["_embedded"]["deployedVersions"] == []


def test_removing_an_integration_keeps_deployed_and_supported_versions(api: Api) -> None:
    history = History(api)
    for number in ("1", "2", "3"):
        history.publish("Till", number, "Ledger", number)
    history.verify("Till", "1", "Ledger", "9")
    history.deploy("Till", "1", "live")
    history.release("Till", "2", "shops")
    history.deploy("Ledger", "9", "live")
    assert api.delete("/integrations/provider/Ledger/consumer/Till").status == 204
    for name, number, status in (("Till", "1", 200), ("Till", "2", 200), ("Till", "3", 404), ("Ledger", "9", 200)):
        assert api.get(f"/pacticipants/{name}/versions/{number}").status == status
    event = api.get("/audit?type=integration_removal").json()["events"][0]
    assert event["before"] == {
        "pacts": 3,
        "contents": 3,
        "results": 1,
        "deliveries": 0,
        "webhooks": [],
        "versions": {"Till": ["3"], "Ledger": []},
        "pacticipants": [],
    }
