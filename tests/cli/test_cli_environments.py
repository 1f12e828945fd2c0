"""Environments, against another broker."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from .conftest import OtherBroker, Run

LIST = "/elsewhere/environments"
TEST: dict[str, Any] = {
    "uuid": "16926ef3-590f-4e3f-838e-719717aa88c9",
    "name": "test",
    "displayName": "Test",
    "production": False,
    "createdAt": "2026-01-02T03:04:05+00:00",
    "contacts": [{"name": "Team A", "details": {"emailAddress": "a@example.org"}}],
    "_links": {"self": {"href": "http://broker/1"}},
}
ONE = f"{LIST}/{TEST['uuid']}"
UUID = ["--uuid", TEST["uuid"]]


def test_an_environment_is_created(run: Run, broker: OtherBroker) -> None:
    broker.answer(f"POST {LIST}", TEST, status=201)
    contact = ["--contact-name", "Team A", "--contact-email-address", "a@b.c"]
    result = run("create-environment", "--name", "uat", "--display-name", "UAT", *contact, FORCE_COLOR="1")
    assert result.stdout == (f"\x1b[32mCreated uat environment in the Pact Broker with UUID {TEST['uuid']}\x1b[0m\n")
    assert broker.last.json == {
        "name": "uat",
        "displayName": "UAT",
        "production": False,
        "contacts": [{"name": "Team A", "details": {"emailAddress": "a@b.c"}}],
    }
    assert broker.last.headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    ("flags", "production"),
    [([], False), (["--production"], True), (["--no-production"], False), (["--skip-production"], False)],
)
def test_production_is_always_sent(run: Run, broker: OtherBroker, flags: list[str], production: object) -> None:
    broker.answer(f"POST {LIST}", TEST, status=201)
    run("create-environment", "--name", "uat", *flags)
    assert broker.last.json == {"name": "uat", "production": production}


def test_a_contact_without_a_name_is_unknown(run: Run, broker: OtherBroker) -> None:
    broker.answer(f"POST {LIST}", TEST, status=201)
    run("create-environment", "--name", "uat", "--contact-email-address", "a@b.c")
    assert broker.last.json["contacts"] == [{"name": "unknown", "details": {"emailAddress": "a@b.c"}}]


def test_answers_are_printed_as_json_or_only_the_uuid(run: Run, broker: OtherBroker) -> None:
    broker.answer(f"POST {LIST}", TEST, status=201)
    create = ["create-environment", "--name", "uat", "-o"]
    assert run(*create, "json").stdout == json.dumps(TEST) + "\n"
    assert run(*create, "pretty").stdout == json.dumps(TEST, indent=2) + "\n"
    assert run(*create, "id").stdout == TEST["uuid"] + "\n"


def test_refusals_are_printed_on_stdout(run: Run, broker: OtherBroker) -> None:
    broker.answer(f"POST {LIST}", '{"errors":{"name":["taken"]}}', status=400)
    create = ["create-environment", "--name", "uat"]
    result = run(*create, FORCE_COLOR="1")
    text = f"Error making request to {broker.url}{LIST} status=400: name taken."
    assert (result.exit_code, result.stdout) == (1, f"\x1b[31m{text}\x1b[0m\n")
    assert run(*create, "-o", "json").stdout == '{"errors":{"name":["taken"]}}\n'


def test_pactflow_is_called_by_its_name(run: Run, broker: OtherBroker) -> None:
    broker.answer_index(headers={"X-PactFlow-Sha": "1"})
    broker.answer(f"POST {LIST}", TEST, status=201)
    assert "uat environment in PactFlow with" in run("create-environment", "--name", "uat").stdout


@pytest.mark.parametrize(
    ("headers", "text"),
    [
        (
            {},
            "This version of the Pact Broker does not support environments. Please upgrade to version 2.80.0 or later.",
        ),
        (
            {"X-Pactflow-Sha": "1"},
            (
                "This version of PactFlow does not support environments or you do not have the required permission to "
                "read them. Please upgrade to the latest version if using PactFlow On-Premises and ensure the user has "
                "the environment read permission."
            ),
        ),
    ],
)
def test_a_broker_without_environments_is_reported_as_too_old(
    run: Run, broker: OtherBroker, headers: dict[str, str], text: str
) -> None:
    broker.answer_index("pb:environments", headers=headers)
    result = run("create-environment", "--name", "uat")
    assert (result.exit_code, result.stdout) == (1, f"{text}\n")
    result = run("list-environments", "-o", "json")
    assert json.loads(result.stdout) == {"error": {"message": text}}


def test_an_update_keeps_fields_without_an_option(run: Run, broker: OtherBroker) -> None:
    existing = TEST | {"production": True}
    broker.answer(f"GET {ONE}", existing)
    broker.answer(f"PUT {ONE}", existing)
    result = run("update-environment", *UUID, "--display-name", "Tests")
    assert result.stdout == "Updated test environment in the Pact Broker\n"
    assert broker.last.json == {
        "name": "test",
        "displayName": "Tests",
        "production": True,
        "contacts": TEST["contacts"],
    }


def test_an_update_can_take_production_back(run: Run, broker: OtherBroker) -> None:
    broker.answer(f"GET {ONE}", TEST | {"production": True})
    broker.answer(f"PUT {ONE}", TEST)
    run("update-environment", *UUID, "--no-production")
    assert broker.last.json["production"] is False


def test_an_environment_is_described_in_words(run: Run, broker: OtherBroker) -> None:
    broker.answer(f"GET {ONE}", TEST)
    assert run("describe-environment", *UUID).stdout == (
        "Uuid: 16926ef3-590f-4e3f-838e-719717aa88c9\n"
        "Name: test\n"
        "Display Name: Test\n"
        "Production: false\n"
        "Created At: '2026-01-02T03:04:05+00:00'\n"
        "Contacts:\n"
        "- Name: Team A\n"
        "  Details:\n"
        "    Email Address: a@example.org\n"
    )


def test_environments_are_listed_by_name(run: Run, broker: OtherBroker) -> None:
    prod = {"uuid": "2", "name": "Prod", "displayName": "P" * 31, "production": True}
    broker.answer(f"GET {LIST}", {"_embedded": {"environments": [TEST, prod]}})
    assert run("list-environments").stdout == (
        "UUID                                 | NAME | DISPLAY NAME                    | PRODUCTION\n"
        "-------------------------------------|------|---------------------------------|-----------\n"
        "2                                    | Prod | PPPPPPPPPPPPPPPPPPPPPPPPPPPPPPP | true      \n"
        "16926ef3-590f-4e3f-838e-719717aa88c9 | test | Test                            | false     \n"
    )


def test_no_environments_make_no_table(run: Run, broker: OtherBroker) -> None:
    broker.answer(f"GET {LIST}", {"_embedded": {"environments": []}})
    assert run("list-environments").stdout == ""


def test_an_environment_is_deleted(run: Run, broker: OtherBroker) -> None:
    broker.answer(f"GET {ONE}", TEST)
    broker.answer(f"DELETE {ONE}", status=204)
    assert run("delete-environment", *UUID).stdout == "Deleted environment test from the Pact Broker\n"
    assert broker.last.line == f"DELETE {ONE}"
    assert run("delete-environment", *UUID, "-o", "json").stdout == "\n"


def test_an_unknown_environment_is_reported_as_the_broker_does(run: Run, broker: OtherBroker) -> None:
    result = run("delete-environment", "--uuid", "nope")
    text = f"Error making request to {broker.url}{LIST}/nope status=404: Nothing is here.\n"
    assert (result.exit_code, result.stdout) == (1, text)
