"""Provider states that the pacts of consumers ask for."""

import pytest

from tests.api.client import Api, pact
from tests.api.history import History

PATH = "/pacts/provider/Ledger/provider-states"


def asking(api: Api, consumer: str, version: str, branch: str | None, **parts: object) -> None:
    """Publish a pact with parts of its own, on a branch."""
    path = f"/pacts/provider/Ledger/consumer/{consumer}/version/{version}"
    content = {key: value for key, value in pact(consumer, "Ledger").items() if key != "interactions"}
    assert api.put(path, {**content, **parts}).status == 201
    if branch:
        api.put(f"/pacticipants/{consumer}/branches/{branch}/versions/{version}", {})


def states(api: Api, path: str = "") -> list[dict[str, object]]:
    answer = api.get(PATH + path)
    assert answer.status == 200, answer.text
    assert answer.json().keys() == {"providerStates"}
    provider_states: list[dict[str, object]] = answer.json()["providerStates"]
    return provider_states


@pytest.fixture
def history(api: Api) -> History:
    asking(api, "Till", "1", "main", interactions=[{"providerState": "old"}])
    asking(api, "Till", "2", "main", interactions=[{"providerState": "zebras"}, {"providerState": "apples"}])
    asking(api, "Till", "3", "feat%2Fy", interactions=[{"providerState": "on a branch"}])
    message_states = [{"name": "apples"}, {"name": "pears", "params": {"n": 2}}, {"name": "pears", "params": {"n": 3}}]
    asking(
        api,
        "Apron",
        "1",
        "main",
        messages=[{"providerStates": message_states}],
        interactions=[{"providerState": "pears"}],
    )
    return History(api)


@pytest.mark.usefixtures("history")
def test_states_of_the_main_branches_are_grouped_by_name_and_parameters(api: Api) -> None:
    assert states(api) == [
        {"name": "apples", "consumers": ["Apron", "Till"]},
        {"name": "pears", "consumers": ["Apron"]},
        {"name": "pears", "params": {"n": 2}, "consumers": ["Apron"]},
        {"name": "pears", "params": {"n": 3}, "consumers": ["Apron"]},
        {"name": "zebras", "consumers": ["Till"]},
    ]


@pytest.mark.usefixtures("history")
def test_states_of_other_branches_are_found_by_name(api: Api) -> None:
    assert states(api, "/branch/feat%2Fy") == [{"name": "on a branch", "consumers": ["Till"]}]
    assert states(api, "/branch/none") == []


def test_states_of_an_environment_are_found_by_its_name_and_uuid(api: Api, history: History) -> None:
    history.deploy("Till", "3", "test")
    history.release("Apron", "1", "test")
    names = ["apples", "on a branch", "pears", "pears", "pears"]
    for environment in ("test", history.environment("test")):
        assert [state["name"] for state in states(api, f"/environment/{environment}")] == names
    history.deploy("Till", "1", "test")
    assert "on a branch" not in [state["name"] for state in states(api, "/environment/test")]
    assert states(api, "/environment/none") == []


def test_parameters_are_returned_as_they_were_written(api: Api) -> None:
    body = (
        b'{"interactions": [{"providerStates": [{"name": "n", "params":'
        b' {"b": 1.10, "a": [12345678901234567890123, 1e2, "\\ud800"]}}]}]}'
    )
    api.put("/pacts/provider/Ledger/consumer/Till/version/1", body)
    api.put("/pacticipants/Till/branches/main/versions/1", {})
    assert b'{"a":[12345678901234567890123,1e2,"\\ud800"],"b":1.10}' in api.get(PATH).body


@pytest.mark.parametrize(
    "interactions", [{}, ["text"], [{"providerState": 5}], [{"providerStates": "x"}], [{"providerStates": [5, {}]}]]
)
def test_malformed_provider_states_are_ignored(api: Api, interactions: object) -> None:
    asking(api, "Till", "1", "main", interactions=interactions)
    assert states(api) == []


@pytest.mark.parametrize("path", ["", "/branch/main", "/environment/test"])
def test_an_unknown_provider_has_no_states(api: Api, path: str) -> None:
    gone = api.get(PATH + path)
    assert (gone.status, gone.json()) == (404, {"error": "No provider with name 'Ledger' found"})


@pytest.mark.parametrize("blank", ["", " "])
def test_a_state_with_an_empty_name_is_one_of_its_own(api: Api, blank: str) -> None:
    interactions = [{"description": "d", "providerState": blank}, {"description": "d"}]
    messages = [{"description": "m", "providerStates": [{"name": blank}]}]
    asking(api, "Till", "1", "main", interactions=interactions)
    asking(api, "Apron", "1", "main", messages=messages)
    assert states(api) == [{"name": blank, "consumers": ["Apron", "Till"]}]
    till, apron = (api.get(f"/pacts/provider/Ledger/consumer/{name}/version/1").json() for name in ("Till", "Apron"))
    assert [interaction.get("providerState") for interaction in till["interactions"]] == [blank, None]
    assert apron["messages"][0]["providerStates"] == [{"name": blank}]


def test_interactions_with_an_empty_state_and_without_one_are_not_merged(api: Api) -> None:
    """They differ in their states, so neither replaces the other."""
    path = "/pacts/provider/Ledger/consumer/Till/version/1"
    interaction = pact("Till", "Ledger")["interactions"][0]  # type: ignore[index]  # a list
    assert api.put(path, {"interactions": [interaction]}).status == 201
    merged = api.patch(path, {"interactions": [{**interaction, "providerState": ""}]}, type="application/json")
    assert [interaction.get("providerState") for interaction in merged.json()["interactions"]] == [None, ""]


def test_a_consumer_whose_main_branch_has_no_pact_is_named(api: Api) -> None:
    asking(api, "Apron", "1", "main", interactions=[{"providerState": "apples"}])
    asking(api, "Till", "1", "feat%2Fy", interactions=[{"providerState": "on a branch"}])
    asking(api, "Web Shop", "1", None, interactions=[{"providerState": "nowhere"}])
    document = api.get(PATH).json()
    assert [state["name"] for state in document["providerStates"]] == ["apples"]
    assert [text.partition(",")[0] for text in document["warnings"]] == [
        "The states of Till are left out",
        "The states of Web Shop are left out",
    ]
    api.patch("/pacticipants/Till", {"mainBranch": "feat/y"})
    api.put("/pacticipants/Web%20Shop/branches/main/versions/1", {})
    api.patch("/pacticipants/Web%20Shop", {"mainBranch": "main"})
    assert [state["name"] for state in states(api)] == ["apples", "nowhere", "on a branch"]
