"""Warnings: those in the broker's responses, and those about variables that are not known."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

import treaty
from treaty.cli import TREATY
from treaty.cli.variables import CLIENT_VARIABLES
from treaty.settings import list_variables

if TYPE_CHECKING:
    from .conftest import OtherBroker, Run

CREATE = ["create-or-update-pacticipant", "--name", "Foo"]
PACTICIPANT = "/elsewhere/pacticipants/Foo"
IGNORED = "The field `nmae` is not known and was ignored. Did you mean name?"


@pytest.mark.parametrize("form", ["text", "json", "pretty"])
def test_warnings_of_a_response_are_printed_once_each(run: Run, broker: OtherBroker, form: str) -> None:
    links = {"self": {"href": PACTICIPANT}}
    broker.answer(f"GET {PACTICIPANT}", {"_links": links, "warnings": [IGNORED]})
    broker.answer(f"PATCH {PACTICIPANT}", {"warnings": [IGNORED, "Another one."]})
    result = run(*CREATE, "-o", form)
    assert result.exit_code == 0
    assert result.stderr == f"Warning: {IGNORED}\nWarning: Another one.\n"
    assert "Warning:" not in result.stdout


@pytest.mark.parametrize("warnings", [None, "text", {"a": 1}, [1, None, {}]])
def test_other_members_of_that_name_are_not_warnings(run: Run, broker: OtherBroker, warnings: object) -> None:
    broker.answer(f"GET {PACTICIPANT}", {"_links": {"self": {"href": PACTICIPANT}}, "warnings": warnings})
    broker.answer(f"PATCH {PACTICIPANT}", {})
    result = run(*CREATE)
    assert (result.exit_code, result.stderr) == (0, "")


@pytest.mark.parametrize(
    ("name", "suggestion"),
    [
        ("PACT_BROKER_BASE_ULR", " Did you mean PACT_BROKER_BASE_URL or PACT_BROKER_BASE_URLS?"),
        ("PACT_BROKER_TOKN", " Did you mean PACT_BROKER_TOKEN?"),
        ("PACT_BROKER_PASSWROD", " Did you mean PACT_BROKER_PASSWORD?"),
        ("PACT_BROKER_HTTP_RETRYS", " Did you mean PACT_BROKER_HTTP_RETRIES?"),
        ("PACT_BROKER_SOMETHING_ELSE", ""),
    ],
)
def test_an_unknown_variable_is_named(run: Run, broker: OtherBroker, name: str, suggestion: str) -> None:
    broker.answer("GET /elsewhere/environments", {})
    result = run("list-environments", **{name: "x"})
    assert result.exit_code == 0
    assert result.stderr == f"Warning: Treaty does not read the variable {name}, so it has no effect.{suggestion}\n"


def test_an_unknown_variable_is_named_if_the_address_is_missing(run: Run) -> None:
    result = run("list-environments", PACT_BROKER_BASE_URL="", PACT_BROKER_BASE_ULR="http://broker")
    assert result.exit_code == 1
    assert "Did you mean PACT_BROKER_BASE_URL" in result.stderr.splitlines()[0]


@pytest.mark.parametrize(
    "name",
    [
        "PACT_BROKER_DATABASE_URL",
        "PACT_BROKER_DATABASE_PASSWORD",
        "PACT_BROKER_PORT_ENVIRONMENT_VARIABLE_NAME",
        "PACT_BROKER_WEBHOOK_CERTIFICATES__0__CONTENT",
        "PACT_BROKER_WEBHOOK_SCHEME_WHITELIST",
        "PACT_BROKER_PUBLISH_VERIFICATION_RESULTS",
        "PACT_BROKER_SERVICE_HOST",
        "PACT_BROKER_SERVICE_PORT_HTTP",
        "PACT_BROKER_PORT",
        "PACT_BROKER_PORT_9292_TCP",
        "PACT_BROKER_PORT_9292_TCP_ADDR",
        "PACT_BROKER_DB_SERVICE_HOST",
    ],
)
def test_variables_of_servers_kubernetes_and_other_programs_are_known(run: Run, broker: OtherBroker, name: str) -> None:
    broker.answer("GET /elsewhere/environments", {})
    assert run("list-environments", **{name: "9292"}).stderr == ""


def test_a_server_that_starts_names_unknown_variables() -> None:
    # The server does not start, as one of its settings is not valid.
    variables = {"PACT_BROKER_DATABSE_URL": "x", "PACT_BROKER_LOG_LEVEL": "info", "TREATY_WORKERS": "many"}
    result = CliRunner().invoke(TREATY, ["serve"], env=variables)
    assert result.exit_code == 1
    assert result.stderr.splitlines()[0] == (
        "Warning: Treaty does not read the variable PACT_BROKER_DATABSE_URL, so it has no effect. "
        "Did you mean PACT_BROKER_DATABASE_URL or PACT_BROKER_DATABASE_PORT?"
    )
    assert "PACT_BROKER_LOG_LEVEL" not in result.stderr


def test_the_help_does_not_warn(run: Run) -> None:
    assert run("list-environments", "--help", PACT_BROKER_BASE_ULR="x").stderr == ""


def test_every_variable_that_the_program_reads_is_known() -> None:
    """The variables in the source, apart from prefixes (`PACT_BROKER_DATABASE_`)."""
    files = Path(treaty.__file__).parent.rglob("*.py")
    read = {name for file in files for name in re.findall(r"PACT_BROKER_[A-Z_]*[A-Z]", file.read_text("utf-8"))}
    assert read - CLIENT_VARIABLES - list_variables("PACT_BROKER_") == {"PACT_BROKER_DATABASE"}
