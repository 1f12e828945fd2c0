"""Renaming applications from the command line, and commands that still have the old name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .conftest import OtherBroker, Run

FOO = "/elsewhere/pacticipants/Foo"
BAR = "/elsewhere/pacticipants/Bar"
CHANGE = ["create-or-update-pacticipant", "--name", "Foo"]


def test_an_application_is_renamed(run: Run, broker: OtherBroker) -> None:
    broker.answer("POST /pacticipants/a%2Fb/rename", {"name": "c d"})
    result = run("rename", "a/b", "c d")
    assert (result.exit_code, result.stdout) == (0, 'Pacticipant "a/b" renamed to "c d" in the Pact Broker\n')
    assert [request.json for request in broker.requests if request.method == "POST"] == [{"name": "c d"}]
    assert run("rename", "a/b", "c d", "-o", "json").stdout == '{"name": "c d"}\n'
    broker.answer("POST /pacticipants/a%2Fb/rename?allowSimilarNames=true", {"name": "c d"})
    assert run("rename", "a/b", "c d", "--allow-similar-names").exit_code == 0


def test_both_names_have_to_be_given(run: Run) -> None:
    for names in ([], ["a"], ["a", "b", "c"]):
        assert run("rename", *names).exit_code == 1


def test_the_reason_of_a_refusal_is_printed(run: Run, broker: OtherBroker) -> None:
    text = "There is another application with the name 'Bar', so nothing was renamed."
    broker.answer("POST /pacticipants/Foo/rename", {"error": text}, status=409)
    result = run("rename", "Foo", "Bar")
    assert result.exit_code == 1
    assert text in result.output


@pytest.fixture
def renamed(broker: OtherBroker) -> OtherBroker:
    """A broker where Foo has been renamed to Bar."""
    broker.answer(f"GET {FOO}", status=308, headers={"Location": f"{broker.url}{BAR}"})
    broker.answer(f"GET {BAR}", {"name": "Bar", "_links": {"self": {"href": f"{broker.url}{BAR}"}}})
    return broker


def test_a_change_under_the_old_name_changes_nothing(run: Run, renamed: OtherBroker) -> None:
    result = run(*CHANGE, "--main-branch", "main")
    assert result.exit_code == 1
    assert 'The pacticipant "Foo" has been renamed to "Bar", so nothing was changed.' in result.output
    assert "--reuse-former-name" in result.output
    assert {request.method for request in renamed.requests} == {"GET"}


def test_the_old_name_can_be_given_to_a_new_application(run: Run, renamed: OtherBroker) -> None:
    renamed.answer("POST /elsewhere/pacticipants", {"name": "Foo"}, status=201)
    result = run(*CHANGE, "--reuse-former-name")
    assert result.stdout == 'Pacticipant "Foo" created in the Pact Broker\n'
    assert renamed.last.json == {"name": "Foo"}


def test_an_application_is_described_under_its_old_name(run: Run, renamed: OtherBroker) -> None:
    assert renamed.url
    assert "Name: Bar" in run("describe-pacticipant", "--name", "Foo").stdout


def test_an_application_has_a_contact(run: Run, broker: OtherBroker) -> None:
    broker.answer("POST /elsewhere/pacticipants", {"name": "Foo"}, status=201)
    contact = [
        "--contact-name",
        "Team",
        "--contact-email",
        "a@b.c",
        "--contact-chat",
        "#t",
        "--contact-url",
        "http://t",
    ]
    run(*CHANGE, *contact)
    details = {"emailAddress": "a@b.c", "chat": "#t", "url": "http://t"}
    assert broker.last.json == {"name": "Foo", "contacts": [{"name": "Team", "details": details}]}
    run(*CHANGE, "--contact-email-address", "a@b.c")
    assert broker.last.json["contacts"] == [{"name": "unknown", "details": {"emailAddress": "a@b.c"}}]
