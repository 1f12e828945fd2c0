"""`can-i-deploy --set`: the same decisions on the command line, with the next steps."""

import re
from functools import partial

import pytest

from tests.api.client import Api
from tests.api.commands import Run
from tests.api.history import History
from tests.cli.golden_files import check_golden
from tests.databases import on_sqlite
from treaty.cli import PACT_BROKER, TREATY

pytestmark = on_sqlite

PRODUCTION = ("--to-environment", "production")


@pytest.fixture
def ask(run_command: Run) -> Run:
    return partial(run_command, "can-i-deploy")


@pytest.fixture
def history(api: Api) -> History:
    history = History(api)
    history.publish("@acme/web", "1", "prices", "old")
    history.publish("@acme/web", "2", "prices", "new")
    history.verify("@acme/web", "1", "prices", "1")
    history.verify("@acme/web", "1", "prices", "2")
    history.deploy("@acme/web", "1", "production")
    history.deploy("prices", "1", "production")
    return history


SET = ("--set", "@acme/web@2", "--set", "prices@2", *PRODUCTION)


@pytest.mark.parametrize("program", [PACT_BROKER, TREATY])
def test_a_yes_shows_the_order(ask: Run, history: History, program: object) -> None:
    history.verify("@acme/web", "2", "prices", "2")
    result = ask(*SET, program=program)
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "Computer says yes \\o/ ",
        "",
        "STEP | DEPLOY    | VERSION",
        "-----|-----------|--------",
        "1    | prices    | 2      ",
        "2    | @acme/web | 2      ",
        "",
        "All required verification results are published and successful",
        "Deploy prices (2) before @acme/web (2), which does not work with the versions before",
    ]
    assert result.stderr == ""


def test_a_no_names_the_versions_to_leave_out_and_the_next_steps(ask: Run, history: History) -> None:
    history.verify("@acme/web", "2", "prices", "2", success=False)
    result = ask(*SET)
    assert result.exit_code == 1
    assert result.stdout.splitlines() == [
        "Computer says no ¯\\_(ツ)_/¯",
        "",
        "The verification for the pact between version 2 of @acme/web and version 2 of prices failed",
        "Without @acme/web (2), the other versions can be deployed",
    ]
    check_golden("set", re.sub("http://[0-9.:]+", "http://broker", result.stderr))


@pytest.mark.usefixtures("history")
def test_a_missing_result_is_waited_for(ask: Run) -> None:
    result = ask(*SET, "--retry-while-unknown", "1", "--retry-interval", "0.01")
    assert result.exit_code == 1
    assert result.stderr.splitlines()[0] == (
        "Waiting for 1 verification result to be published (maximum of 0.01 seconds)"
    )


@pytest.mark.usefixtures("history")
def test_a_dry_run_succeeds(ask: Run) -> None:
    result = ask(*SET, "--dry-run")
    assert result.exit_code == 0
    assert result.stdout.startswith("[dry-run] Computer says no ¯\\_(ツ)_/¯ (but you're ignoring this by enabling")


def test_json_is_the_response(ask: Run, history: History) -> None:
    history.verify("@acme/web", "2", "prices", "2")
    result = ask(*SET, "--output", "json")
    assert '"order": [\n    {\n      "pacticipant": "prices",' in result.stdout


def test_versions_without_contracts_can_be_deployed_in_any_order(ask: Run, history: History) -> None:
    history.version("a", "1")
    history.version("b", "1")
    result = ask("--set", "a@1", "--set", "b@1", *PRODUCTION)
    assert "The versions can be deployed in any order." in result.stdout


@pytest.mark.usefixtures("history")
def test_an_unknown_name_gets_a_suggestion(ask: Run) -> None:
    result = ask("--set", "@acme/web@2", "--set", "pries@2", *PRODUCTION)
    assert result.exit_code == 1
    assert "There is no application pries. Did you mean prices?" in result.stdout


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (
            ("--set", "@acme/web", *PRODUCTION),
            "--set @acme/web has no version. Write the name and the version as NAME@VERSION.",
        ),
        (("--set", "web@", *PRODUCTION), "--set web@ has no version. Write the name and the version as NAME@VERSION."),
        (("--set", "web@1"), "--set needs --to-environment ENVIRONMENT, the environment to deploy to."),
        (
            ("--set", "web@1", "-a", "prices", "-e", "2", *PRODUCTION),
            "--set cannot be combined with --pacticipant. Give only --set options, --ignore and --to-environment.",
        ),
        (
            ("--set", "web@1", "--version", "2", "--ignore", "prices", *PRODUCTION),
            "--version is not preceded by a pacticipant. Give --pacticipant NAME before it.",
        ),
        (
            ("--set", "web@1", "--ignore", "prices", "--branch", "main", *PRODUCTION),
            "--set cannot be combined with --branch. Give only --set options, --ignore and --to-environment.",
        ),
    ],
)
def test_wrong_use_is_explained(ask: Run, words: tuple[str, ...], text: str) -> None:
    result = ask(*words)
    assert result.exit_code == 1
    assert result.stderr.splitlines()[0] == text


@pytest.mark.parametrize(
    ("words", "variables"),
    [
        (("--ignore", "prices"), {}),
        (("--ignore", "prices", "--version", "2"), {}),
        ((), {"PACT_BROKER_CAN_I_DEPLOY_IGNORE": "prices"}),
    ],
)
def test_results_can_be_ignored(ask: Run, history: History, words: tuple[str, ...], variables: dict[str, str]) -> None:
    history.verify("@acme/web", "2", "prices", "2", success=False)
    result = ask(*SET, *words, **variables)
    assert result.exit_code == 0, result.stderr
    lines = [line.strip() for line in result.stdout.splitlines()]
    heading = lines.index("CONSUMER  | C.VERSION | PROVIDER | P.VERSION | SUCCESS?")
    assert "@acme/web | 2         | prices   | 2         | false [ignored]" in lines[heading + 2 : heading + 4]


@pytest.mark.usefixtures("history")
def test_next_steps_ignore_the_same_names(ask: Run) -> None:
    result = ask(*SET, "--ignore", "@acme/web", "--version", "1")
    assert result.exit_code == 1
    assert result.stderr.splitlines()[-1] == (
        "Or: pact-broker can-i-deploy --set prices@2 --ignore @acme/web --version 1 --to-environment production"
    )
