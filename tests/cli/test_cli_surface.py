"""Every command, option and variable of the clients that scripts were written for is known here too."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
import pytest
from click.testing import CliRunner

from tests.cli.commands import list_commands
from tests.waiting import PATIENCE
from treaty.cli import PACT_BROKER

if TYPE_CHECKING:
    from collections.abc import Iterator

Options = dict[str, str | None]
"""Options and the variable that each also comes from."""

PACT = Path(sys.executable).parent / "pact"
OF_A_CONNECTION = "-b --broker-base-url -u --broker-username -p --broker-password -k --broker-token -v --verbose"
WEBHOOK = (
    "-X --request -H --header -d --data -u --user --consumer --consumer-label --provider --provider-label "
    "--description --contract-content-changed --contract-published --provider-verification-published "
    "--provider-verification-failed --provider-verification-succeeded --contract-requiring-verification-published "
    "--team-uuid"
)
VERDICT = (
    "-a --pacticipant -e --version --ignore -o --output --retry-while-unknown --retry-interval --dry-run --no-dry-run"
)
ENVIRONMENT = "--name --display-name --production --no-production --contact-name --contact-email-address -o --output"
# The Ruby client 1.78, besides how it reaches a broker.
RUBY = {
    "publish": (
        "-a --consumer-app-version -h --branch -r --auto-detect-version-properties -t --tag -g --tag-with-git-branch "
        "--build-url --merge --no-merge -o --output"
    ),
    "list-latest-pact-versions": "-o --output",
    "create-environment": ENVIRONMENT,
    "update-environment": f"--uuid {ENVIRONMENT}",
    "describe-environment": "--uuid -o --output",
    "delete-environment": "--uuid -o --output",
    "list-environments": "-o --output",
    "record-deployment": ("-a --pacticipant -e --version --environment --application-instance --target -o --output"),
    "record-undeployment": "-a --pacticipant --environment --application-instance --target -o --output",
    "record-release": "-a --pacticipant -e --version --environment -o --output",
    "record-support-ended": "-a --pacticipant -e --version --environment -o --output",
    "can-i-deploy": (
        f"{VERDICT} -l --latest --branch --main-branch --no-main-branch --all --to-environment --to --limit"
    ),
    "can-i-merge": VERDICT,
    "create-or-update-pacticipant": "--name --display-name --main-branch --repository-url -o --output",
    "describe-pacticipant": "--name -o --output",
    "list-pacticipants": "-o --output",
    "create-or-update-version": "-a --pacticipant -e --version --branch -t --tag -o --output",
    "describe-version": "-a --pacticipant -e --version -l --latest -o --output",
    "create-version-tag": (
        "-a --pacticipant -e --version -t --tag --auto-create-version --no-auto-create-version -g --tag-with-git-branch"
    ),
    "delete-branch": "-a --pacticipant --branch --error-when-not-found --no-error-when-not-found",
    "create-webhook": WEBHOOK,
    "create-or-update-webhook": f"--uuid {WEBHOOK}",
    "test-webhook": "--uuid",
    "pactflow publish-provider-contract": (
        "--provider -a --provider-app-version -h --branch -t --tag --specification --content-type "
        "--verification-success --no-verification-success --verification-exit-code --verification-results "
        "--verification-results-content-type --verification-results-format --verifier --verifier-version --build-url "
        "-o --output"
    ),
}
# Options with another meaning in the newer client: here they have that of the Ruby client.
OURS = {
    ("create-webhook", "-u"): None,  # the user of the webhook, not of the broker
    ("create-or-update-webhook", "-u"): None,
}
NEGATIONS = {"--skip-main-branch"}  # `--skip-` is read as `--no-` wherever it stands


def command(*names: str) -> click.Command:
    command: click.Command = PACT_BROKER
    for name in names:
        assert isinstance(command, click.Group)
        below = command.get_command(click.Context(command), name)
        assert below, f"there is no {name}"
        command = below
    return command


def list_options(*names: str) -> dict[str, list[str]]:
    """Give the options of a command here, each with its variables."""
    variables_by_option: dict[str, list[str]] = {}
    for option in command(*names).params:
        variables = [option.envvar] if isinstance(option.envvar, str) else [*(option.envvar or [])]
        variables_by_option |= dict.fromkeys([*option.opts, *option.secondary_opts], variables)
    return variables_by_option


@pytest.mark.parametrize("name", RUBY)
def test_the_ruby_clients_options_are_known(name: str) -> None:
    options = f"{RUBY[name]} {OF_A_CONNECTION}".split()
    assert [option for option in options if option not in list_options(*name.split())] == []


def test_the_ruby_clients_variables_are_known() -> None:
    connection = list_options("publish")
    for name in ("base-url", "username", "password", "token"):
        assert f"PACT_BROKER_{name.replace('-', '_').upper()}" in connection[f"--broker-{name}"]
    assert "SSL_CERT_FILE" in connection["--ssl-certificate"]
    assert "PACT_BROKER_DISABLE_SSL_VERIFICATION" in connection["--skip-ssl-verification"]


def test_the_newer_clients_commands_options_and_variables_are_known() -> None:
    lacking = [
        f"{' '.join(names)} {option} {variable or ''}"
        for names, options in newer_commands()
        for option, variable in options.items()
        if (" ".join(names), option) not in OURS and option not in NEGATIONS and not is_known(names, option, variable)
    ]
    assert lacking == []


def is_known(names: tuple[str, ...], option: str, variable: str | None) -> bool:
    options = list_options(*names)
    needs_no_broker = "--broker-base-url" not in options  # so nothing of its environment is of use
    return option in options and (variable is None or needs_no_broker or variable in options[option])


def newer_commands() -> Iterator[tuple[tuple[str, ...], Options]]:
    yield from newer("broker")
    for names, options in newer("pactflow"):
        yield ("pactflow", *names), options


def newer(*names: str) -> Iterator[tuple[tuple[str, ...], Options]]:
    """List the commands of the newer client, except those that install brokers."""
    help_text = subprocess.run(
        [PACT, *names, "--help"], capture_output=True, text=True, check=True, timeout=PATIENCE
    ).stdout
    below = [name for name in subcommands(help_text) if name not in {"help", "ruby", "docker"}]
    for name in below:
        yield from newer(*names, name)
    if not below:
        yield names[1:], dict(options_of(help_text))


def subcommands(help_text: str) -> list[str]:
    section = re.search(r"^Commands:\n(.*?)\n\n", help_text, re.DOTALL | re.MULTILINE)
    return re.findall(r"^  (\w[\w-]*)", section[1], re.MULTILINE) if section else []


def options_of(help_text: str) -> Iterator[tuple[str, str | None]]:
    """Read the options, each followed by its description and its variable."""
    parts = re.split(r"^ {2,6}((?:-\w, )?--[\w-]+|-\w)\b", help_text.partition("\nOptions:\n")[2], flags=re.MULTILINE)
    for spelled, text in zip(parts[1::2], parts[2::2], strict=True):
        variable = re.search(r"\[env: (\w+)=", text)
        for option in spelled.split(", "):
            if option not in {"-h", "--help"}:
                yield option, variable and variable[1]


def test_commands_without_a_broker_accept_the_global_options_of_the_newer_client() -> None:
    words = ["--log-level", "info", "generate-uuid", "--enable-otel", "--log-level", "off"]
    result = CliRunner().invoke(PACT_BROKER, words, prog_name="pact-broker")
    assert (result.exit_code, result.stderr) == (0, "")


@pytest.mark.parametrize("command", [*list_commands()])
def test_the_help_lists_the_options_of_a_command_before_those_that_all_share(command: str) -> None:
    result = CliRunner().invoke(PACT_BROKER, [*command.split(), "--help"], prog_name="pact-broker")
    own, heading, broker = result.stdout.partition("\nBroker options:\n")
    assert "\nOptions:\n" in own
    assert "--broker-" not in own.partition("\nOptions:\n")[2]
    assert heading
    assert "--broker-base-url" in broker
    assert "\nTelemetry options:\n" in broker
