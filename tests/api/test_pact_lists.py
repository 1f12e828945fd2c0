"""Lists of pacts, and removing pacts."""

import pytest

from tests.api.client import Answer, Api
from tests.api.history import History, fill_ledger

PAIR = "/pacts/provider/Ledger/consumer/Till"
PROVIDER = "/pacts/provider/Ledger"


@pytest.fixture
def history(api: Api) -> History:
    """The pacts of a till with a ledger, and another consumer."""
    filled_history = fill_ledger(api)
    filled_history.publish("apron", "7", "Ledger", 9, branch="main", tags=["dev"])
    return filled_history


def numbers(answer: Answer) -> list[str]:
    """The consumer versions in a list of a pair."""
    assert answer.status == 200, answer.text
    return [pact["_embedded"]["consumerVersion"]["number"] for pact in answer.json()["_embedded"]["pacts"]]


def named(answer: Answer) -> list[tuple[str, str]]:
    """The consumers and versions in a list of a provider."""
    assert answer.status == 200, answer.text
    links = answer.json()["_links"]
    assert [link["href"] for link in links["pacts"]] == [link["href"] for link in links["pb:pacts"]]
    return [(link["name"], link["href"].rpartition("/")[2]) for link in links["pb:pacts"]]


@pytest.mark.usefixtures("history")
@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/versions", ["5", "4", "3", "2", "1"]),
        ("/tag/dev", ["5", "2"]),
        ("/tag/none", []),
        ("/branch/main", ["1", "2"]),
        ("/branch/feat%2Fx", ["4"]),
        ("/branch/none", []),
        ("/branch/versions", ["1", "2"]),
        ("/branch/main/latest/versions", ["2"]),
        ("/branch/latest/versions", ["2"]),
    ],
)
def test_a_pair_has_lists_by_tag_and_branch(api: Api, path: str, expected: list[str]) -> None:
    listed = api.get(PAIR + path)
    assert numbers(listed) == expected
    assert listed.link("self") == PAIR + path


@pytest.mark.usefixtures("history")
def test_a_list_of_a_pair_links_to_its_pacts(api: Api) -> None:
    links = api.get(f"{PAIR}/versions").json()["_links"]
    assert links["self"]["title"] == "All versions of the pact between Till and Ledger"
    assert (links["consumer"]["name"], links["provider"]["name"]) == ("Till", "Ledger")
    newest = {"title": "Pact", "name": "Version 5 - 06/05/2024", "href": f"http://localhost{PAIR}/version/5"}
    assert links["pact-versions"][0] == newest


@pytest.mark.usefixtures("history")
def test_a_list_by_tag_names_its_relations_otherwise(api: Api) -> None:
    links = api.get(f"{PAIR}/tag/dev").json()["_links"]
    assert links["self"]["title"] == "All versions of the pact between Till and Ledger with tag dev"
    assert {"pb:consumer", "pb:provider", "pb:pact-versions"} <= links.keys()
    assert links["pb:pact-versions"][0]["title"] == "Pact version"


def test_a_head_without_a_pact_has_none_to_list(api: Api, history: History) -> None:
    history.branch("Till", "6", "main")
    assert numbers(api.get(f"{PAIR}/branch/latest/versions")) == []
    assert named(api.get(f"{PROVIDER}/branch/latest")) == [("apron", "7")]
    assert api.get(f"{PAIR}/branch/main/latest").headers["x-pact-consumer-version"] == "2"


@pytest.mark.usefixtures("history")
@pytest.mark.parametrize("path", ["/versions", "/tag/dev", "/branch/main", "/branch/latest/versions"])
@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_the_missing_pacticipant_of_a_pair_is_named(api: Api, method: str, path: str) -> None:
    gone = api.request(method, f"/pacts/provider/nobody/consumer/no-one{path}")
    assert (gone.status, gone.json()) == (404, {"error": "No consumer with name 'no-one' found"})
    gone = api.request(method, f"/pacts/provider/nobody/consumer/Till{path}")
    assert (gone.status, gone.json()) == (404, {"error": "No provider with name 'nobody' found"})


@pytest.mark.usefixtures("history")
@pytest.mark.parametrize(
    ("path", "title", "expected"),
    [
        ("", "All pact versions for the provider Ledger", ["a7", "T1", "T2", "T3", "T4", "T5"]),
        ("/tag/dev", "All pact versions for the provider Ledger with consumer version tag 'dev'", ["a7", "T2", "T5"]),
        ("/latest", "Latest pact versions for the provider Ledger", ["a7", "T5"]),
        (
            "/latest/prod",
            "Latest pact versions for the provider Ledger with consumer version tag 'prod'",
            ["T1"],
        ),
        ("/branch", "All pact versions for the provider Ledger", ["a7", "T1", "T2"]),
        (
            "/branch/feat%2Fx",
            "All pact versions for the provider Ledger with consumer version branch 'feat/x'",
            ["T4"],
        ),
        ("/branch/latest", "Latest pact versions for the provider Ledger", ["a7", "T2"]),
        (
            "/branch/main/latest",
            "Latest pact versions for the provider Ledger with consumer version branch 'main'",
            ["a7", "T2"],
        ),
    ],
)
def test_a_provider_has_lists_by_tag_and_branch(api: Api, path: str, title: str, expected: list[str]) -> None:
    listed = api.get(PROVIDER + path)
    assert [consumer[0] + version for consumer, version in named(listed)] == expected
    assert listed.json()["_links"]["self"] == {"title": title, "href": f"http://localhost{PROVIDER}{path}"}


def test_the_latest_tagged_pact_is_the_latest_that_has_one(api: Api, history: History) -> None:
    history.tag("Till", "8", "dev")
    assert named(api.get(f"{PROVIDER}/latest/dev")) == [("apron", "7"), ("Till", "5")]
    assert api.get(f"{PAIR}/latest/dev").headers["x-pact-consumer-version"] == "5"


@pytest.mark.parametrize("path", ["", "/latest", "/latest/dev", "/tag/dev", "/branch", "/branch/latest"])
def test_an_unknown_provider_is_named(api: Api, path: str) -> None:
    gone = api.get(f"/pacts/provider/nobody{path}")
    assert (gone.status, gone.json()) == (404, {"error": "No provider with name 'nobody' found"})


@pytest.mark.usefixtures("history")
def test_the_latest_pact_of_each_pair_is_listed(api: Api) -> None:
    listed = api.get("/pacts/latest").json()
    assert [pact["_embedded"]["consumer"]["name"] for pact in listed["pacts"]] == ["apron", "Till"]
    till = listed["pacts"][1]
    assert till["_embedded"]["consumer"]["_embedded"]["version"]["number"] == "5"
    paths = [f"http://localhost{PAIR}/latest", f"http://localhost{PAIR}/version/5"]
    assert [link["href"] for link in till["_links"]["self"]] == paths
    assert listed["_links"]["pb:pacts"][1] == {"title": "Latest pact between Till and Ledger", "href": paths[0]}


@pytest.mark.usefixtures("history")
@pytest.mark.parametrize("spelling", ["/version/5", "/versions/5"])
def test_a_deleted_pact_leaves_its_version_and_the_one_before_becomes_the_latest(api: Api, spelling: str) -> None:
    gone = api.delete(PAIR + spelling)
    assert (gone.status, gone.link("index")) == (200, "")
    assert gone.link("pb:latest-pact-version") == f"{PAIR}/latest"
    assert api.get(f"{PAIR}/latest").headers["x-pact-consumer-version"] == "4"
    assert named(api.get(f"{PROVIDER}/latest")) == [("apron", "7"), ("Till", "4")]
    assert api.get("/pacticipants/Till/versions/5").status == 200
    assert api.delete(PAIR + spelling).status == 404


@pytest.mark.usefixtures("history")
@pytest.mark.parametrize(
    ("path", "left"),
    [
        ("/tag/dev", ["4", "3", "1"]),
        ("/tag/none", ["5", "4", "3", "2", "1"]),
        ("/branch/feat%2Fx", ["5", "3", "2", "1"]),
        ("/branch/main", ["5", "4", "3"]),
        ("/branch/main/latest/versions", ["5", "4", "3"]),
        ("/branch/versions", ["5", "4", "3"]),
        ("/branch/latest/versions", ["5", "4", "3"]),
    ],
)
def test_only_the_pacts_that_are_meant_are_deleted(api: Api, path: str, left: list[str]) -> None:
    gone = api.delete(PAIR + path)
    assert (gone.status, gone.link("pb:latest-pact-version")) == (200, f"{PAIR}/latest")
    assert numbers(api.get(f"{PAIR}/versions")) == left
    assert api.get(f"{PAIR}/latest").headers["x-pact-consumer-version"] == left[0]
    assert named(api.get(f"{PROVIDER}/branch/feat%2Fx")) == ([("Till", "4")] if "4" in left else [])


def test_the_last_pact_leaves_no_link(api: Api) -> None:
    api.publish("Till", "1", "Ledger")
    assert "pb:latest-pact-version" not in api.delete(f"{PAIR}/version/1").json()["_links"]
    assert api.get(f"{PAIR}/latest").status == 404


def test_deleting_the_pacts_of_an_unknown_main_branch_returns_409(api: Api) -> None:
    api.publish("Till", "1", "Ledger", branch="feat/x")
    for path in ("/branch/versions", "/branch/latest/versions"):
        refused = api.delete(PAIR + path)
        assert refused.status == 409
        assert "Till has no main branch" in refused.json()["error"]
    assert numbers(api.get(f"{PAIR}/versions")) == ["1"]


def test_all_pacts_of_a_pair_can_go_and_others_stay(api: Api, history: History) -> None:
    history.publish("Till", "5", "Bank", 4)
    for _ in range(2):
        gone = api.delete(f"{PAIR}/versions")
        assert (gone.status, gone.body) == (204, b"")
    assert numbers(api.get(f"{PAIR}/versions")) == []
    assert named(api.get(PROVIDER)) == [("apron", "7")]
    assert numbers(api.get("/pacts/provider/Bank/consumer/Till/versions")) == ["5"]


def test_the_same_content_published_again_is_verified_already(api: Api, history: History) -> None:
    history.verify("Till", "1", "Ledger", by="9")
    api.delete(f"{PAIR}/versions")
    assert api.get(f"{PAIR}/version/1/verification-results/latest").status == 404
    history.publish("Till", "6", "Ledger", 1)
    result = api.get(f"{PAIR}/version/6/verification-results/latest").json()
    assert (result["providerApplicationVersion"], result["success"]) == ("9", True)


def test_all_revisions_of_a_pact_are_deleted(make_api) -> None:
    api = make_api(allow_dangerous_contract_modification=True)
    for content in (1, 2, 3):
        assert api.publish("Till", "1", "Ledger", content).status == 200
    assert numbers(api.get(f"{PAIR}/versions")) == ["1"]
    api.delete(f"{PAIR}/version/1")
    assert numbers(api.get(f"{PAIR}/versions")) == []
    assert api.get(f"{PAIR}/latest").status == 404
