"""How the programs read arguments, report errors, and start."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from treaty import distribution
from treaty.cli import _BETA, PACT_BROKER, TREATY
from treaty.cli.program import Program
from treaty.distribution import install_hint

if TYPE_CHECKING:
    from .conftest import OtherBroker, Run

BIN = Path(sys.executable).parent
BETA = Program("pact-broker", _BETA, text="Commands that PACT_BROKER_FEATURES enables.")
WARNING = (
    "This is a warning rather than an error so as not to break backwards compatibility. To raise an error for unknown "
    "options set PACT_BROKER_ERROR_ON_UNKNOWN_OPTION=true"
)
TOKEN = {"PACT_BROKER_TOKEN": "abc"}
LIST = "GET /elsewhere/environments"


def call(*words: str, **env: str) -> subprocess.CompletedProcess[str]:
    command = [str(BIN / words[0]), *words[1:]]
    return subprocess.run(command, capture_output=True, text=True, check=False, env={"PATH": "/usr/bin:/bin"} | env)


@pytest.mark.parametrize("words", [[], ["help"], ["--help"], ["-h"]])
def test_commands_are_listed(run: Run, words: list[str]) -> None:
    result = run(*words)
    assert result.exit_code == 0
    assert "\n  can-i-deploy " in result.stdout


@pytest.mark.parametrize("words", [["help", "can-i-deploy"], ["can-i-deploy", "-h"], ["can_i_deploy", "-e", "1", "-h"]])
def test_a_command_is_described(run: Run, words: list[str]) -> None:
    result = run(*words)
    assert result.exit_code == 0
    assert result.stdout.startswith("Usage: pact-broker can-i-deploy [OPTIONS]\n")


def test_a_command_of_a_group_is_described(run: Run) -> None:
    result = run("help", "provider-states", "list")
    assert result.stdout.startswith("Usage: pact-broker provider-states list [OPTIONS]\n")


@pytest.mark.parametrize("name", [*PACT_BROKER.entries, "pactflow publish-provider-contract", "provider-states list"])
def test_every_command_can_be_loaded_and_prints_its_help(run: Run, name: str) -> None:
    result = run("help", *name.split())
    assert result.exit_code == 0
    assert f"\nUsage: pact-broker {name} " in f"\n{result.stdout}"


@pytest.mark.parametrize("words", [["version"], ["--version"], ["-V"]])
def test_the_version_is_printed(run: Run, words: list[str]) -> None:
    assert run(*words).stdout == distribution.version() + "\n"


def test_an_unknown_command_is_an_error(run: Run) -> None:
    result = run("nonsense")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == 'Could not find command "nonsense".\nSee `pact-broker help`.\n'


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (["can-i-deploy", "--pacticipnt", "Foo", "-e", "1"], "--pacticipant"),
        (["create-environment", "--nmae=prod"], "--name"),
        (["publish", "pacts", "--consumer-app-verison", "1"], "--consumer-app-version"),
        (["publish", "--consumer_app_verison=1", "pacts"], "--consumer-app-version"),
        (["publsh"], "publish"),
        (["cani"], "can-i-deploy or can-i-merge"),
        (["record_deploymnt"], "record-deployment or record-undeployment"),
        (["can-i-deploy", "-a", "Foo", "-e", "1", "--to-enviroment", "test"], "--to-environment"),
        (["list-environments", "--broker-url=http://b"], "--broker-base-url or --broker-username"),
    ],
)
def test_similar_options_and_commands_are_proposed(run: Run, words: list[str], meant: str) -> None:
    assert f"Did you mean {meant}?\n" in run(*words).stderr


def test_all_that_is_missing_is_named_at_once(run: Run) -> None:
    result = run("record-deployment", "-a", "Foo")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.splitlines()[0] == "No value provided for required options '--version', '--environment'"


def test_a_missing_address_is_reported_with_the_option_and_the_variable(run: Run) -> None:
    result = run("list-environments", PACT_BROKER_BASE_URL="")
    assert result.stderr == (
        "No value provided for required options '--broker-base-url'\n"
        "Give the broker's address as --broker-base-url, or set PACT_BROKER_BASE_URL.\n"
    )
    assert result.exit_code == 1


def test_an_option_without_its_value_is_an_error_of_use(run: Run) -> None:
    result = run("list-environments", "-b")
    assert result.exit_code == 1
    assert result.stderr.splitlines()[0] == "Option '-b' requires an argument."


def test_underscores_stand_for_dashes(run: Run, broker: OtherBroker) -> None:
    broker.answer(LIST, {})
    result = run("list_environments", "--broker_base_url", broker.url, PACT_BROKER_BASE_URL="http://nowhere")
    assert result.exit_code == 0


def test_unknown_switches_cause_a_warning(run: Run) -> None:
    result = run("can-i-deploy", "-a", "Foo", "-e", "1", "--foo", "stray", FORCE_COLOR="1")
    assert result.stderr.startswith(f'\x1b[33mUnknown switches "--foo"\x1b[0m\n\x1b[33m{WARNING}\x1b[0m\n\n')
    assert "Error retrieving matrix" in result.stdout


def test_unknown_switches_are_an_error_if_so_wished(run: Run, broker: OtherBroker) -> None:
    result = run("can-i-deploy", "-a", "Foo", "-e", "1", "--foo", PACT_BROKER_ERROR_ON_UNKNOWN_OPTION="true")
    assert (result.exit_code, result.stderr) == (1, 'Unknown switches "--foo"\n')
    assert broker.requests == []


def test_stray_words_are_an_error(run: Run, broker: OtherBroker) -> None:
    result = run("list-environments", "--foo")
    assert result.exit_code == 1
    assert 'ERROR: "pact-broker list_environments" was called with arguments ["--foo"]\nUsage: ' in result.stderr
    assert broker.requests == []


@pytest.mark.parametrize("words", [["—help"], ["list-environments", "—x"]])
def test_a_long_dash_is_explained(run: Run, words: list[str]) -> None:
    result = run(*words)
    assert result.exit_code == 1
    assert result.stdout == (
        f"The argument '{words[-1]}' contains an em dash (the long dash you get in Microsoft Word when you type two "
        "short dashes in a row). Please replace it with a normal dash and try again.\n"
    )


def test_a_token_counts_before_a_user(run: Run, broker: OtherBroker) -> None:
    broker.answer(LIST, {})
    run("list-environments", "-u", "me", "-p", "secret")
    assert broker.last.headers["authorization"] == "Basic bWU6c2VjcmV0"
    run("list-environments", "-u", "me", **TOKEN)
    assert broker.last.headers["authorization"] == "Bearer abc"


def test_options_count_before_the_environment(run: Run, broker: OtherBroker) -> None:
    broker.answer(LIST, {})
    run("list-environments", "-k", "mine", **TOKEN)
    assert broker.last.headers["authorization"] == "Bearer mine"


def test_a_user_and_a_token_are_refused_where_they_always_were(run: Run, broker: OtherBroker) -> None:
    both = ["-u", "me", "-k", "abc"]
    result = run("can-i-deploy", "-a", "Foo", "-e", "1", *both)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == (
        "You cannot provide both a username/password and a bearer token. If your Pact Broker uses a bearer token, "
        "please remove the username and password configuration.\n"
    )
    assert broker.requests == []
    broker.answer(LIST, {})
    assert run("list-environments", *both).exit_code == 0


def test_headers_are_added_and_the_last_of_a_name_wins(run: Run, broker: OtherBroker) -> None:
    broker.answer(LIST, {})
    headers = ["X-A: 1", "X-A: 2", "no colon", ": no name", "X-B:"]
    run("list-environments", *(word for header in headers for word in ("--custom-header", header)))
    assert broker.last.headers["x-a"] == "2"
    assert "x-b" not in broker.last.headers


def test_a_path_in_the_address_is_kept(run: Run, broker: OtherBroker) -> None:
    broker.answer_index(at="/ctx")
    broker.answer(LIST, {})
    run("list-environments", "-b", f"{broker.url}/ctx/")
    assert broker.lines == ["GET /ctx", LIST]
    run("describe-version", "-a", "Foo", "-e", "1", "-b", f"{broker.url}/ctx/")
    assert "GET /ctx/pacticipants/Foo/versions/1" in broker.lines
    assert all(line.startswith("GET /ctx/") or line == "GET /ctx" for line in broker.lines[2:])


def test_the_conversation_is_shown_without_the_credentials(run: Run, broker: OtherBroker) -> None:
    broker.answer(LIST, {"a": 1})
    result = run("list-environments", "-v", "-k", "secret")
    assert f"-> {LIST.replace(' ', ' ' + broker.url)}\n<- 200 OK\n" in result.stderr
    assert "secret" not in result.output
    assert run("list-environments", VERBOSE="true").stderr.count("<- 200 OK\n") == result.stderr.count("<- 200 OK\n")


def test_an_html_response_is_recognised_as_another_server(run: Run, broker: OtherBroker) -> None:
    broker.answers.clear()
    broker.answer("GET /", "<html>", headers={"Content-Type": "text/html"})
    result = run("list-environments")
    assert result.exit_code == 1
    text = f"Did not get a valid HAL response body from {broker.url}, content type is 'text/html', status=200: "
    assert result.stdout == f"{text}the response is an HTML page, probably of a proxy or of another server.\n"
    hint = "Is --broker-base-url the address of a Pact Broker, with its path if it has one?"
    assert result.stderr == f"{hint} --verbose shows the whole response.\n"


@pytest.mark.parametrize("url", ["broker.example.org", "ftp://broker", "http://"])
def test_a_bad_address_is_explained(run: Run, url: str) -> None:
    result = run("list-environments", "-b", url)
    assert (result.exit_code, result.exception and type(result.exception)) == (1, SystemExit)
    assert "Give an address like https://broker.example.org as --broker-base-url" in result.stdout


def test_each_failed_attempt_is_logged(run: Run) -> None:
    result = run("list-environments", "--retries", "2", "-b", "http://127.0.0.1:1")
    lines = result.stderr.splitlines()
    assert [line.rpartition(", ")[2] for line in lines[:2]] == ["attempt 1 of 2", "attempt 2 of 2"]
    assert lines[0].startswith("ERROR: Error making request - ConnectError ")
    assert result.stdout == (
        "Error making request to http://127.0.0.1:1: 127.0.0.1:1 refused the connection. "
        "Is the broker running, and is --broker-base-url (PACT_BROKER_BASE_URL) its address?\n"
    )


@pytest.mark.parametrize(
    ("env", "coloured"),
    [
        ({}, False),
        ({"FORCE_COLOR": "1"}, True),
        ({"CLICOLOR_FORCE": "1"}, True),
        ({"CLICOLOR_FORCE": "0"}, False),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, True),
        ({"NO_COLOR": "1"}, False),
    ],
)
def test_colours_are_for_terminals_unless_forced(
    run: Run, broker: OtherBroker, env: dict[str, str], coloured: object
) -> None:
    broker.answer("DELETE /elsewhere/pacticipants/Foo/branches/b", status=204)
    result = run("delete-branch", "-a", "Foo", "--branch", "b", **env)
    assert result.stdout.startswith("\x1b[32m") is coloured


def test_treaty_has_the_server_beside_the_client() -> None:
    result = CliRunner().invoke(TREATY, ["help"])
    assert "\n  serve " in result.stdout
    assert set(PACT_BROKER.entries) < set(TREATY.entries)
    assert "serve" not in PACT_BROKER.entries


def test_serving_without_the_servers_packages_prints_the_command_that_installs_them(tmp_path: Path) -> None:
    """A package that fails to import like a missing one stands for an installation of the client alone."""
    for name in ("starlette", "sqlalchemy", "pydantic", "structlog", "uvicorn", "alembic", "orjson"):
        text = f"raise ModuleNotFoundError('No module named {name}', name='{name}')\n"
        (tmp_path / f"{name}.py").write_text(text)
    result = call("treaty", "serve", "--port", "0", PYTHONPATH=str(tmp_path))
    assert result.stderr.splitlines()[-1] == "treaty serve needs the server's packages: " + install_hint("server")
    assert result.returncode == 1


def test_both_programs_are_installed() -> None:
    for program in ("pact-broker", "treaty"):
        result = call(program, "version")
        assert (result.returncode, result.stdout) == (0, distribution.version() + "\n")


def test_a_terminal_that_lacks_a_character_is_survived(broker: OtherBroker) -> None:
    path = "/matrix?q[][pacticipant]=Foo&q[][version]=1&latestby=cvp&latest=true"
    broker.answer(f"GET {path}", {"summary": {"deployable": False}})
    result = call("pact-broker", "can-i-deploy", "-a", "Foo", "-e", "1", "-b", broker.url, PYTHONIOENCODING="koi8-r")
    assert (result.returncode, result.stdout) == (1, "Computer says no ?\\_(?)_/?\n")


VERIFIED = "/matrix?q[][pacticipant]=Foo&q[][version]=1&latestby=cvpv&environment=test"


@pytest.mark.parametrize(
    ("summary", "code", "text"),
    [
        ({"success": 0, "failed": 0, "unknown": 1}, 0, "Verification is required."),
        ({"success": 0, "failed": 1}, 1, "No verification is required."),
        ({"success": 1, "failed": 0}, 1, "No verification is required."),
        ({"success": 1, "failed": 0, "unknown": 0}, 1, "No verification is required."),
        ({"success": 1, "failed": 0, "unknown": 1}, 0, "Verification is required."),
    ],
)
def test_verification_is_required_where_results_are_missing(
    broker: OtherBroker, summary: dict[str, int], code: int, text: str
) -> None:
    notices = [{"type": "warning", "text": "WARN: x"}, {"type": "error", "text": "Because"}]
    broker.answer(f"GET {VERIFIED}", {"summary": summary, "notices": notices, "matrix": []})
    args = ["verification-required", "-a", "Foo", "-e", "1", "--in-environment", "test", "-b", broker.url]
    result = CliRunner().invoke(BETA, args, prog_name="pact-broker", env={"FORCE_COLOR": "1"})
    assert (result.exit_code, result.stdout) == (code, f"Because\n{text}\n")


def test_verification_is_required_if_the_broker_cannot_answer(broker: OtherBroker) -> None:
    """The command is a feature that the environment enables, so it is started with and without it."""
    args = ["verification-required", "-a", "Foo", "-e", "1", "-b", broker.url]
    assert call("pact-broker", *args).stderr.startswith("Could not find command")
    result = call("pact-broker", *args, PACT_BROKER_FEATURES="verification_required")
    assert result.returncode == 0
    assert result.stdout.startswith("Error determining if a verification already existed (Error making request to ")
    assert result.stdout.endswith(") - verification should run just in case\n")


def test_shells_complete_commands_and_options(run: Run, tmp_path: Path) -> None:
    script = run("completions", "zsh").stdout
    assert "_PACT_BROKER_COMPLETE=zsh_complete" in script
    assert run("completions", "zsh", "-d", str(tmp_path)).stdout == f"Wrote {tmp_path / 'pact-broker.zsh'}\n"
    assert (tmp_path / "pact-broker.zsh").read_text() == script
    variables = {"_PACT_BROKER_COMPLETE": "bash_complete", "COMP_WORDS": "pact-broker can-i", "COMP_CWORD": "1"}
    assert call("pact-broker", **variables).stdout.splitlines() == ["plain,can-i-deploy", "plain,can-i-merge"]
    variables |= {"COMP_WORDS": "pact-broker can-i-deploy --retry-w", "COMP_CWORD": "2"}
    assert call("pact-broker", **variables).stdout.splitlines() == ["plain,--retry-while-unknown"]


def test_a_missing_folder_is_reported(run: Run, tmp_path: Path) -> None:
    result = run("completions", "bash", "-d", str(tmp_path / "new"))
    assert result.exit_code == 1
    file = tmp_path / "new" / "pact-broker.bash"
    assert result.stderr == f"{file}: No such file or directory\nCheck the path, and the permissions of its folder.\n"


@pytest.mark.parametrize(("line", "found"), [("publish --val", "--validate"), ("can-i-d", "can-i-deploy")])
def test_bash_completes_commands_and_options(line: str, found: str) -> None:
    words = f"COMP_WORDS=(pact-broker {line}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))"
    script = f'eval "$(pact-broker completions bash)"; {words}; _pact_broker_completion pact-broker'
    done = subprocess.run(
        ["bash", "-c", f'{script}; echo "${{COMPREPLY[@]}}"'],
        env={"PATH": f"{BIN}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == f"{found}\n", done.stderr


def test_completions_are_for_shells_that_are_known(run: Run) -> None:
    result = run("completions", "cmd")
    assert (result.exit_code, result.stderr) == (1, "There are no completions for cmd: choose bash, zsh or fish.\n")


LOADED = "import sys; from treaty import cli; cli.PACT_BROKER({!r}, standalone_mode=False); print(*sorted(sys.modules))"


@pytest.mark.parametrize(
    ("words", "unwanted"),
    [
        (["help"], {"httpx", "rich", "treaty.client", "treaty.cli.contracts"}),
        (
            ["list-environments", "--retries", "1"],
            {
                "starlette",
                "sqlalchemy",
                "pydantic",
                "orjson",
                "structlog",
                "treaty.model",
                "treaty.store",
                "treaty.web",
            },
        ),
    ],
)
def test_only_the_modules_that_a_command_needs_are_loaded(
    broker: OtherBroker, words: list[str], unwanted: set[str]
) -> None:
    broker.answer(LIST, {})
    result = call("python", "-c", LOADED.format(words), PACT_BROKER_BASE_URL=broker.url)
    assert result.returncode == 0, result.stderr
    assert unwanted.isdisjoint(result.stdout.split())
