"""`POST /decisions/what-if`: what a change of an environment would break and repair; nothing is stored."""

import base64
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import text

from tests.api.client import Answer, Api, pact
from tests.api.comparisons import publish_contract
from tests.api.contracts import OPENAPI
from tests.api.credentials import bearer
from tests.api.history import History
from tests.api.what_if import add_incompatible_versions
from treaty.actions.accounts.credentials import IssuedToken
from treaty.model.accounts.access import Role
from treaty.store import tables
from treaty.store.engine.database import Database

PATH = "/decisions/what-if"
FITTING, UNFITTING = "prices", "orders"


@pytest.fixture
def history(api: Api) -> History:
    history = History(api)
    history.environment("prod")
    return history


def send(api: Api, *changes: dict[str, Any], environment: str = "prod", **options: Any) -> Answer:
    return api.post(PATH, {"environment": environment, "changes": list(changes)}, **options)


def ask(api: Api, *changes: dict[str, Any]) -> Any:
    answer = send(api, *changes)
    assert answer.status == 200, answer.text
    return answer.json()


def change(kind: str, pacticipant: str, version: str | None = None, **more: Any) -> dict[str, Any]:
    return {"change": kind, "pacticipant": pacticipant, **({"version": version} if version else {}), **more}


def pairs(answer: Any) -> dict[str, list[tuple[str, str, list[str]]]]:
    """The pairs of an answer by their effect, with the kinds of their reasons; without those that have none."""
    pairs_by_effect = {
        effect: [
            (pair["consumer"], pair["provider"], [reason["kind"] for reason in pair["reasons"]])
            for pair in answer[effect]
        ]
        for effect in ("breaks", "repairs", "stillBroken")
    }
    assert answer["safe"] is not bool(pairs_by_effect["breaks"])
    return {effect: list_ for effect, list_ in pairs_by_effect.items() if list_}


def test_deploying_a_version_breaks_the_pairs_it_fails(api: Api, history: History) -> None:
    add_incompatible_versions(history)
    answer = ask(api, change("deploy", "prices", "2"))
    assert pairs(answer) == {"breaks": [("till", "prices", ["failed_verification"])]}
    assert answer["changes"] == [
        {
            "change": "deploy",
            "pacticipant": "prices",
            "version": "2",
            "removed": ["1"],
            "text": "Deploy prices to 2 in prod, instead of 1.",
        }
    ]
    (reason,) = answer["breaks"][0]["reasons"]
    assert reason["text"] == (
        "The verification for the pact between the version of till currently in prod (1) and version 2 of prices failed"
    )


def test_undeploying_a_provider_breaks_its_consumers(api: Api, history: History) -> None:
    add_incompatible_versions(history)
    answer = ask(api, change("undeploy", "prices"))
    assert pairs(answer) == {
        "breaks": [("shop", "prices", ["not_deployed"]), ("till", "prices", ["not_deployed"])],
    }
    assert answer["changes"][0]["text"] == "Undeploy prices (1) from prod."


def test_undeploying_a_consumer_repairs_the_pair_it_broke(api: Api, history: History) -> None:
    add_incompatible_versions(history)
    history.deploy("prices", "2", "prod")
    assert pairs(ask(api, change("undeploy", "till"))) == {"repairs": [("till", "prices", ["failed_verification"])]}


def test_rolling_back_deploys_the_version_before(api: Api, history: History) -> None:
    add_incompatible_versions(history)
    history.deploy("prices", "2", "prod")
    history.deploy("shop", "2", "prod")
    answer = ask(api, change("rollBack", "prices"))
    assert answer["changes"][0]["text"] == "Roll back prices to 1 in prod, instead of 2."
    assert pairs(answer) == {
        "breaks": [("shop", "prices", ["failed_verification"])],
        "repairs": [("till", "prices", ["failed_verification"])],
    }
    assert pairs(ask(api, change("rollBack", "prices"), change("rollBack", "shop"))) == {
        "repairs": [("till", "prices", ["failed_verification"])]
    }


def test_a_pair_that_stays_broken_is_neither_broken_nor_repaired(api: Api, history: History) -> None:
    add_incompatible_versions(history)
    history.deploy("prices", "2", "prod")
    assert pairs(ask(api, change("deploy", "shop", "2"), change("deploy", "prices", "2"))) == {
        "stillBroken": [("till", "prices", ["failed_verification"])]
    }


def test_an_application_instance_is_changed_by_itself(api: Api, history: History) -> None:
    add_incompatible_versions(history)
    history.deploy("prices", "2", "prod", "blue")
    assert pairs(ask(api, change("undeploy", "prices", applicationInstance="blue"))) == {
        "repairs": [("till", "prices", ["failed_verification"])]
    }
    assert pairs(ask(api, change("undeploy", "prices"))) == {
        "stillBroken": [("till", "prices", ["failed_verification"])]
    }


def test_ending_the_support_of_a_release_repairs_the_pair_that_it_broke(api: Api, history: History) -> None:
    add_incompatible_versions(history)
    history.publish("app", "1", "prices", "app 1")
    history.release("app", "1", "prod")
    assert pairs(ask(api, change("endSupport", "app", "1"))) == {
        "repairs": [("app", "prices", ["missing_verification"])]
    }
    history.version("app", "2")
    assert pairs(ask(api, change("release", "app", "2"))) == {
        "stillBroken": [("app", "prices", ["missing_verification"])]
    }


def test_retiring_an_application_removes_all_of_its_versions(api: Api, history: History) -> None:
    add_incompatible_versions(history)
    history.deploy("prices", "2", "prod", "blue")
    history.release("prices", "1", "prod")
    answer = ask(api, change("retire", "prices"))
    assert answer["changes"][0]["removed"] == ["2", "1"]
    assert pairs(answer) == {
        "breaks": [("shop", "prices", ["not_deployed"])],
        "stillBroken": [("till", "prices", ["not_deployed"])],
    }
    assert pairs(ask(api, *(change("retire", name) for name in ("prices", "shop", "till")))) == {
        "repairs": [("till", "prices", ["failed_verification"])]
    }


def test_a_pact_that_is_not_published_yet_may_be_verified_already(api: Api, history: History) -> None:
    """A new version with the content of an earlier one shares its results."""
    add_incompatible_versions(history)
    same = pact("shop", "prices", "shop 2")
    answer = ask(api, change("deploy", "shop", "3", pacts=[same]))
    assert pairs(answer) == {"breaks": [("shop", "prices", ["failed_verification"])]}
    assert answer["breaks"][0]["reasons"][0]["consumer"] == {"name": "shop", "version": "3"}
    assert pairs(ask(api, change("deploy", "shop", "3", pacts=[same]), change("deploy", "prices", "2"))) == {
        "breaks": [("till", "prices", ["failed_verification"])]
    }
    unverified = pact("shop", "prices", "new")
    assert pairs(ask(api, change("deploy", "shop", "3", pacts=[unverified]))) == {
        "breaks": [("shop", "prices", ["missing_verification"])]
    }


def test_a_question_can_be_about_an_unpublished_consumer(api: Api, history: History) -> None:
    add_incompatible_versions(history)
    answer = ask(api, change("deploy", "new", "1", pacts=[pact("new", "prices"), pact("new", "nobody")]))
    assert pairs(answer) == {
        "breaks": [("new", "nobody", ["not_deployed"]), ("new", "prices", ["missing_verification"])]
    }


def document(source: str = OPENAPI) -> dict[str, str]:
    return {"content": base64.b64encode(source.encode()).decode()}


@pytest.mark.parametrize(("content", "breaks"), [(FITTING, []), (UNFITTING, ["failed_comparison"])])
def test_a_document_that_is_not_published_yet_is_compared_with_the_pacts(
    api: Api, history: History, content: str, breaks: list[str]
) -> None:
    history.publish("Shop", "1", "Prices", content)
    history.verify("Shop", "1", "Prices", "1")
    history.deploy("Shop", "1", "prod")
    history.deploy("Prices", "1", "prod")
    answer = ask(api, change("deploy", "Prices", "2", documents=[document()]))
    assert [kinds for *_, kinds in pairs(answer).get("breaks", [])] == ([breaks] if breaks else [])
    if not breaks:
        failed = ask(api, change("deploy", "Prices", "2", documents=[document()], selfVerified=False))
        assert pairs(failed) == {"breaks": [("Shop", "Prices", ["failed_comparison"])]}


@pytest.mark.parametrize(("content", "breaks"), [(FITTING, []), (UNFITTING, ["failed_comparison"])])
def test_a_pact_that_is_not_published_yet_is_compared_with_the_documents(
    api: Api, history: History, content: str, breaks: list[str]
) -> None:
    publish_contract(api)
    history.deploy("Prices", "1", "prod")
    answer = ask(api, change("deploy", "Shop", "1", pacts=[pact("Shop", "Prices", content)]))
    assert [kinds for *_, kinds in pairs(answer).get("breaks", [])] == ([breaks] if breaks else [])


def test_nothing_is_stored(api: Api, history: History, database: Database) -> None:
    """Not even the comparison of a published pact with a published contract, which other decisions store."""
    for name in ("Prices", "prices", "Shop", "shop"):
        assert api.post("/pacticipants", {"name": name}).status == 201
    add_incompatible_versions(history)
    publish_contract(api)
    history.publish("Shop", "1", "Prices", FITTING)
    history.deploy("Prices", "1", "prod")
    before = list_rows(database)
    ask(
        api,
        change("deploy", "Shop", "1"),
        change("deploy", "shop", "3", pacts=[pact("shop", "prices", "new")]),
        change("deploy", "Prices", "2", documents=[document()]),
        change("retire", "till"),
    )
    assert list_rows(database) == before


@pytest.mark.parametrize("path", ["/decisions", PATH])
def test_reading_is_permitted_to_read_only_tokens(api: Api, accounts: Callable[..., IssuedToken], path: str) -> None:
    reader = bearer(accounts(Role.READ_ONLY, token=Role.READ_ONLY))
    assert api.post(path, {}, headers=reader).status == 400
    assert api.post("/pacticipants", {"name": "Till"}, headers=reader).status == 403


def list_rows(database: Database) -> dict[str, list[Any]]:
    """All rows of all tables, as texts."""
    with database.engine.begin() as connection:
        return {
            table.name: sorted(map(repr, connection.execute(text(f'SELECT * FROM "{table.name}"'))))  # noqa: S608 - names of tables
            for table in tables.metadata.sorted_tables
        }


@pytest.mark.slow_on_postgresql  # no other statements
@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        (change("undeploy", "prices", applicationInstance="blue"), "no version of 'prices' is deployed there in the"),
        (change("undeploy", "idle"), "no version of 'idle' is deployed there without an application instance"),
        (change("rollBack", "prices"), "no other version of 'prices' was deployed there before"),
        (change("endSupport", "prices", "1"), "version '1' of 'prices' is not released there, or no longer supported"),
        (change("retire", "idle"), "no version of 'idle' is deployed or released there"),
        (
            change("deploy", "prices", "9"),
            "version '9' of 'prices' does not exist. Publish it first, or give its pacts",
        ),
        (change("deploy", "nobody", "1"), "pacticipant 'nobody' does not match an existing pacticipant"),
        (change("deploy", "prices"), "version is missing"),
        (change("retire", "prices", "1"), "version cannot be combined with the change retire"),
        (change("retire", "prices", applicationInstance="a"), "applicationInstance cannot be combined with the change"),
        (change("retire", "prices", pacts=[{}]), "pacts cannot be combined with the change retire"),
        (change("deploy", "prices", "1", pacts=[pact("shop", "prices")]), "must be a pact of the consumer 'prices'"),
        (change("deploy", "prices", "1", pacts=[{"consumer": {"name": "prices"}}]), "must name its provider"),
        (change("deploy", "prices", "1", documents=[{"content": "%"}]), "must be Base64 encoded"),
        (change("deploy", "prices", "1", documents=[document("a: b")]), "'openapi'"),
        (change("explode", "prices"), "changes"),
    ],
)
def test_impossible_changes_are_refused(api: Api, history: History, changed: dict[str, Any], problem: str) -> None:
    add_incompatible_versions(history)
    history.version("idle", "1")
    answer = send(api, changed)
    assert answer.status == 400, answer.text
    assert problem in answer.text


def test_an_unknown_environment_is_refused(api: Api, history: History) -> None:
    add_incompatible_versions(history)
    answer = send(api, change("retire", "prices"), environment="prdo")
    assert answer.json()["errors"] == {"environment": ["with name 'prdo' does not exist"]}
