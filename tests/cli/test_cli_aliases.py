"""Aliases of versions from the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .conftest import OtherBroker, Run

VERSION = "/pacticipants/a%2Fb/versions/1"
ALIAS = ("alias", "-a", "a/b", "-e", "1", "--alias", "c2")
PUBLISH = ("publish", "-a", "c2", "--unchanged-since", "1")
DONE = "Version c2 of a/b is an alias of version 1\n"


@pytest.fixture
def monorepo(broker: OtherBroker) -> OtherBroker:
    broker.answer(f"GET {VERSION}", {"number": "1"})
    broker.answer(f"PUT {VERSION}/aliases/c2", {"name": "c2", "version": "1"})
    return broker


@pytest.mark.parametrize("words", [ALIAS, (*PUBLISH, "--pacticipant", "a/b")])
def test_a_version_gets_another_name(run: Run, monorepo: OtherBroker, words: tuple[str, ...]) -> None:
    result = run(*words)
    assert (result.exit_code, result.stdout) == (0, DONE)
    assert [request.line for request in monorepo.requests if request.method != "GET"] == [f"PUT {VERSION}/aliases/c2"]


def test_the_warnings_of_the_broker_are_printed(run: Run, broker: OtherBroker) -> None:
    broker.answer(f"GET {VERSION}", {"number": "1"})
    body = {"name": "c2", "version": "1", "warnings": ["The alias has no effect."]}
    broker.answer(f"PUT {VERSION}/aliases/c2", body)
    result = run(*ALIAS)
    assert (result.exit_code, result.stdout, result.stderr) == (0, DONE, "Warning: The alias has no effect.\n")


def test_an_alias_of_a_missing_version_is_refused(run: Run, broker: OtherBroker) -> None:
    broker.answer(f"GET {VERSION}", {}, status=404)
    result = run(*ALIAS)
    assert result.exit_code == 1
    assert "Could not create alias. Version 1 of a/b does not exist." in result.output
    assert [request.method for request in broker.requests if request.method == "PUT"] == []


def test_aliases_are_removed(run: Run, broker: OtherBroker) -> None:
    broker.answer(f"DELETE {VERSION}/aliases/c2", status=204)
    result = run(*ALIAS, "--delete")
    assert (result.exit_code, result.stdout) == (0, "Removed the alias c2 of version 1 of a/b\n")
    broker.answer(f"DELETE {VERSION}/aliases/c3", {}, status=404)
    missing = run("alias", "-a", "a/b", "-e", "1", "--alias", "c3", "--delete")
    assert (missing.exit_code, "Version 1 of a/b has no alias c3." in missing.output) == (1, True)


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ((), "No value provided for required option '--pacticipant'"),
        (("--pacticipant", "a/b", "pacts"), "With --unchanged-since, no pacts are published"),
    ],
)
def test_an_unchanged_build_names_its_application_and_no_pacts(run: Run, words: tuple[str, ...], text: str) -> None:
    result = run(*PUBLISH, *words)
    assert (result.exit_code, text in result.output) == (1, True), result.output
