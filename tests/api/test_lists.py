"""Resources are the same in lists as alone, for any name; and lists are up to date."""

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest

from tests.api.client import Api

HOSTILE = [
    "Till",
    'a "b" \\c/ {d}',
    "100%",
    "%(number)s %s",
    "kafé ☕",
    "a.b!",
    "\x02versions\x02",
    "\x01number\x01",
    "u0000versions!",
]


def segment(name: str) -> str:
    return quote(name, safe="")


@pytest.fixture(params=HOSTILE)
def name(request: pytest.FixtureRequest) -> str:
    """A name that could be mistaken for something else."""
    pacticipant: str = request.param
    return pacticipant


@pytest.fixture
def named(api: Api, name: str) -> Api:
    """Nearly everything has this name. A provider's ends with `'`, and a newer version's with 2."""
    path = f"/pacticipants/{segment(name)}"
    body = {"branch": name, "tags": [name], "buildUrl": f"http://ci.test/{segment(name)}"}
    api.publish(name, name, f"{name}'", **body)
    api.publish(name, f"{name}2", f"{name}'")
    api.put(f"{path}/labels/{segment(name)}", {})
    api.patch(path, {"displayName": name, "repositoryName": name})
    live = api.post("/environments", {"name": "live", "displayName": name, "production": True}).json()["uuid"]
    api.post(f"{path}/versions/{segment(name)}/deployed-versions/environment/{live}", {"applicationInstance": name})
    api.post(f"{path}/versions/{segment(name)}/released-versions/environment/{live}", {})
    return api


def hrefs(links: Any) -> list[str]:
    return [link["href"] for link in links]


def without(links: dict[str, Any], *relations: str) -> dict[str, Any]:
    return {relation: link for relation, link in links.items() if relation not in relations}


def test_a_version_is_the_same_in_a_list_as_alone(named: Api, name: str) -> None:
    listed = named.get(f"/pacticipants/{segment(name)}/versions").json()
    newest, older = listed["_embedded"]["versions"]
    alone = named.get(f"/pacticipants/{segment(name)}/versions/{segment(name)}").json()
    recorded = ("pb:record-deployment", "pb:record-release")
    assert older == {**alone, "_links": without(alone["_links"], *recorded)}
    assert older["_links"]["pb:deployed-environments"][0]["application_instance"] == name
    assert newest["number"] == f"{name}2"
    assert "pb:deployed-environments" not in newest["_links"]
    selves = [version["_links"]["self"]["href"] for version in (newest, older)]
    assert [hrefs(listed["_links"][relation]) for relation in ("pb:versions", "versions")] == [selves, selves]
    assert listed["_links"]["pb:versions"][1]["title"] == f"Version {name} - 06/05/2024"


def test_a_pacticipant_is_the_same_in_a_list_as_alone(named: Api, name: str) -> None:
    listed = named.get("/pacticipants").json()
    in_list = next(pacticipant for pacticipant in listed["_embedded"]["pacticipants"] if pacticipant["name"] == name)
    alone = named.get(f"/pacticipants/{segment(name)}").json()
    # Which links to actions a client may follow is found out for the resource alone.
    assert in_list == {**alone, "_links": without(alone["_links"], "pb:deployed-environments", "pb:rename")}
    twice = next(pacticipant for pacticipant in listed["pacticipants"] if pacticipant["name"] == name)
    assert without(twice, "title") == in_list
    selves = [pacticipant["_links"]["self"]["href"] for pacticipant in listed["_embedded"]["pacticipants"]]
    assert [hrefs(listed["_links"][relation]) for relation in ("pb:pacticipants", "pacticipants")] == [selves, selves]
    assert [link["name"] for link in listed["_links"]["pb:pacticipants"]] == [name, f"{name}'"]


def test_an_integration_and_its_pact_are_shown_with_their_names(named: Api, name: str) -> None:
    (integration,) = named.get("/integrations").json()["_embedded"]["integrations"]
    assert [integration[role]["name"] for role in ("consumer", "provider")] == [name, f"{name}'"]
    path = f"/provider/{segment(name + chr(39))}/consumer/{segment(name)}"
    assert integration["_links"]["pb:delete_integration"] == {
        "title": f"Delete the integration between {name} and {name}'",
        "href": f"http://localhost/integrations{path}",
    }
    for item in named.get("/dashboard").json()["items"]:
        assert item["_links"]["pb:webhook-status"]["href"] == f"http://localhost/pacts{path}/webhooks/status"


LISTS = ["/pacticipants", "/pacticipants/Till/versions", "/integrations", "/dashboard"]


@pytest.mark.parametrize("path", LISTS)
def test_links_of_a_list_have_the_host_of_the_request(api: Api, path: str) -> None:
    api.publish("Till", "1", "Ledger")
    first, second = (api.get(path, headers={"host": host}) for host in ("localhost:81", "127.0.0.1"))
    assert "http://localhost:81/" in first.text
    assert second.text == first.text.replace("http://localhost:81", "http://127.0.0.1")
    assert second.headers["etag"] != first.headers["etag"]


@pytest.mark.parametrize(
    ("path", "change"),
    [
        ("/pacticipants", lambda api: api.patch("/pacticipants/Till", {"repositoryUrl": "http://git.test"})),
        ("/pacticipants", lambda api: api.put("/pacticipants/Till/labels/shop", {})),
        ("/pacticipants", lambda api: api.put("/pacticipants/Till/versions/2", {})),
        ("/pacticipants/Till/versions", lambda api: api.put("/pacticipants/Till/versions/1/tags/dev", {})),
        ("/pacticipants/Till/versions", lambda api: api.put("/pacticipants/Till/branches/main/versions/1", {})),
        ("/pacticipants/Till/versions", lambda api: api.publish("Till", "1", "Bank")),
        ("/pacticipants/Till/versions", lambda api: api.publish("Till", "2", "Ledger", branch="feat")),
        (
            "/pacticipants/Till/versions",
            lambda api: api.patch("/pacticipants/Till/versions/1", {"buildUrl": "http://ci"}),
        ),
        ("/integrations", lambda api: api.publish("Till", "1", "Bank")),
        ("/dashboard", lambda api: api.put("/pacticipants/Till/versions/1/tags/dev", {})),
        ("/dashboard", lambda api: api.put("/pacticipants/Till/branches/main/versions/1", {})),
    ],
)
def test_a_change_shows_in_a_list_at_once(api: Api, path: str, change: Callable[[Api], object]) -> None:
    api.publish("Till", "1", "Ledger", branch="feat")
    before, again = (api.get(path) for _ in range(2))
    change(api)
    after = api.get(path)
    assert before.json() == again.json() != after.json()
    assert before.headers["etag"] == again.headers["etag"] != after.headers["etag"]


def test_names_that_differ_in_nothing_but_case_are_each_on_one_page_of_the_dashboard(
    make_api: Callable[..., Api],
) -> None:
    api = make_api(check_for_potential_duplicate_pacticipant_names=False)
    consumers = ["till", "Till", "TILL", "ant"]
    for consumer in consumers:
        for version in ("1", "2"):
            api.publish(consumer, version, "Ledger", consumer + version, tags=[version])

    def page(number: int) -> list[tuple[str, str]]:
        shown = api.get(f"/dashboard?page={number}&size=3").json()["items"]
        return [(entry["consumer"]["name"], entry["consumer"]["version"]["number"]) for entry in shown]

    pages = [page(at) for at in (1, 2, 3)]
    assert [len(entries) for entries in pages] == [3, 3, 2]
    assert {name for name, _ in pages[0]} > {"ant"}
    every = [(consumer, version) for consumer in consumers for version in ("1", "2")]
    assert sorted(entry for entries in pages for entry in entries) == sorted(every)


def test_consumers_without_a_pact_take_no_room_on_the_dashboard(api: Api) -> None:
    for number in range(5):
        api.put(f"/pacticipants/Ant {number}/versions/1".replace(" ", "%20"), {})
        api.publish(f"Bee {number}", "1", f"Ant {number}", number)
    api.delete("/pacts/provider/Ant%200/consumer/Bee%200/version/1")
    assert len(api.get("/dashboard?size=2").json()["items"]) == 2
    assert len(api.get("/dashboard?page=2&size=2").json()["items"]) == 2
    assert api.get("/dashboard?page=3&size=2").json()["items"] == []
