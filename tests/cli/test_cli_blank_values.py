"""Empty and blank values of every option, argument and variable of both command lines."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click
import pytest
from click.testing import CliRunner

from treaty.cli import _BETA, PACT_BROKER, TREATY
from treaty.cli.program import Command, Program

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from click.testing import Result

    from .conftest import OtherBroker, Run

BETA = Program("beta", _BETA, text="Commands that PACT_BROKER_FEATURES enables.")


@dataclass(frozen=True)
class Called:
    """A command of a program, and the words that call it."""

    program: click.Command
    words: tuple[str, ...]
    command: click.Command

    def __str__(self) -> str:
        return " ".join((self.program.name or "", *self.words))

    def __call__(self, *words: str, **variables: str) -> Result:
        return CliRunner().invoke(self.program, [*self.words, *words], env=variables)

    @property
    def usage_error(self) -> int:
        return self.command.failure_exit_code if isinstance(self.command, Command) else 2

    @property
    def is_repeated(self) -> bool:
        """Whether the command also belongs to `treaty`, whose tests try all of its options."""
        return self.program is not TREATY and any(
            other.program is TREATY and other.command is self.command for other in CALLED
        )

    @property
    def tried_options(self) -> list[click.Option]:
        """The options to try: all of each command, and the first one for another program that has the command, too."""
        return self.options[:1] if self.is_repeated else self.options

    @property
    def options(self) -> list[click.Option]:
        """The options that take values."""
        return [each for each in self.command.params if isinstance(each, click.Option) and not each.is_flag]

    @property
    def arguments(self) -> list[click.Argument]:
        return [each for each in self.command.params if isinstance(each, click.Argument)]


def commands(program: click.Command, *words: str) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Yield a command and all commands below it, each with its words."""
    yield words, program
    if isinstance(program, click.Group):
        context = click.Context(program)
        for name in program.list_commands(context):
            below = program.get_command(context, name)
            assert below
            yield from commands(below, *words, name)


CALLED = [Called(program, *command) for program in (TREATY, PACT_BROKER, BETA) for command in commands(program)]
every_command = pytest.mark.parametrize("called", CALLED, ids=str)
every_distinct_command = pytest.mark.parametrize("called", [each for each in CALLED if not each.is_repeated], ids=str)


@pytest.fixture
def folder(broker: OtherBroker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder, beside a broker that the environment names."""
    for name in [name for name in os.environ if name.startswith(("PACT_BROKER_", "TREATY_", "SSL_", "OTEL_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PACT_BROKER_BASE_URL", broker.url)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def switch(option: click.Parameter) -> str:
    return max(option.opts, key=len)


def blank_spellings(option: click.Option) -> Iterator[Sequence[str]]:
    for name in option.opts:
        yield name, ""
        yield name, " \t "
    yield (f"{switch(option)}=",)
    yield (f"{switch(option)}= ",)
    if option.multiple:
        yield switch(option), "x", switch(option), ""


def test_the_table_has_every_program() -> None:
    names = {f"{called} {name}" for called in CALLED for each in called.command.params for name in each.opts}
    assert {
        "treaty record-undeployment --pacticipant",
        "pact-broker can-i-deploy --to",
        "treaty user add name",
        "treaty clean --keep",
        "pact-broker --log-level",
        "beta verification-required --in-environment",
    } <= names


@every_command
def test_an_option_with_a_blank_value_is_a_usage_error(called: Called, broker: OtherBroker, folder: Path) -> None:
    for option in called.tried_options:
        for words in blank_spellings(option):
            result = called(*words)
            assert (result.exit_code, result.stdout) == (called.usage_error, ""), words
            assert f"{switch(option)} was given an empty value" in result.stderr, words
    assert (broker.requests, list(folder.iterdir())) == ([], [])


@every_command
def test_an_argument_with_a_blank_value_is_a_usage_error(called: Called, broker: OtherBroker, folder: Path) -> None:
    for position, argument in enumerate(called.arguments):
        for blank in ("", "  "):
            result = called(*["read-write"] * position, blank)
            assert (result.exit_code, result.stdout) == (called.usage_error, ""), argument.name
            assert f"{argument.human_readable_name} was given an empty value" in result.stderr
    assert (broker.requests, list(folder.iterdir())) == ([], [])


@every_command
def test_an_option_does_not_take_the_next_options_name_as_its_value(
    called: Called, broker: OtherBroker, folder: Path
) -> None:
    names = [option.opts[-1] for option in called.command.params if isinstance(option, click.Option)]
    for option in called.tried_options:
        if switch(option) == "--latest":
            continue  # its value is optional, so another option may follow it
        result = called(switch(option), names[0], "x")
        assert result.exit_code == called.usage_error, option.name
        assert f"No value provided for option '{switch(option)}'" in result.stderr
    assert (broker.requests, list(folder.iterdir())) == ([], [])


@every_distinct_command  # its values are read without the program
def test_an_empty_variable_counts_as_not_set_and_a_blank_one_is_an_error(
    called: Called, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PACT_BROKER_BASE_URL")
    required = {each.name: each for each in called.command.params if each.required}
    for parameter in called.command.params:
        words = [word for each in required.values() for word in filled(each)]
        others = [word for each in required.values() if each is not parameter for word in filled(each)]
        for variable in [parameter.envvar] if isinstance(parameter.envvar, str) else parameter.envvar or ():
            without = values(called.command, words)
            monkeypatch.setenv(variable, "")
            assert values(called.command, words) == without
            monkeypatch.setenv(variable, " ")
            with pytest.raises(click.ClickException, match=f"The variable {variable} is blank"):
                values(called.command, others)
            monkeypatch.delenv(variable)
    assert list(folder.iterdir()) == []


def values(command: click.Command, words: list[str]) -> dict[str, object]:
    return command.make_context(command.name, list(words)).params


def filled(parameter: click.Parameter) -> list[str]:
    return ["x"] if isinstance(parameter, click.Argument) else [parameter.opts[-1], "x"]


def test_empty_credentials_beside_an_address_on_the_command_line_leave_a_job_working(
    run: Run, broker: OtherBroker
) -> None:
    broker.answer("GET /elsewhere/pacticipants", {"_embedded": {"pacticipants": []}})
    empty = dict.fromkeys(
        ("PACT_BROKER_BASE_URL", "PACT_BROKER_TOKEN", "PACT_BROKER_USERNAME", "PACT_BROKER_PASSWORD"), ""
    )
    assert run("list-pacticipants", "-b", broker.url, **empty).exit_code == 0
    assert "authorization" not in broker.last.headers


def test_help_is_shown_whatever_the_other_values_are(run: Run) -> None:
    result = run("record-undeployment", "-a", "", "--help")
    assert (result.exit_code, "Usage:" in result.stdout) == (0, True)


def test_a_tag_of_commas_alone_is_blank(run: Run, broker: OtherBroker, tmp_path: Path) -> None:
    pact = tmp_path / "pact.json"
    pact.write_text('{"consumer":{"name":"Foo"},"provider":{"name":"Bar"},"interactions":[]}')
    result = run("publish", str(pact), "-a", "1", "--tag", " ,")
    assert (result.exit_code, result.stderr.splitlines()[0]) == (1, "--tag cannot be blank")
    assert broker.requests == []


@pytest.mark.parametrize("number", ["-5", "-e5"])
def test_a_value_that_begins_with_a_dash_does_not_widen_the_ignored_versions(
    run: Run, broker: OtherBroker, number: str
) -> None:
    run("can-i-deploy", "-a", "Foo", "-e", "1", "--ignore", "Bar", "--version", number, "--to-environment", "test")
    assert f"ignore[][pacticipant]=Bar&ignore[][version]={number}" in broker.last.path


def test_a_stray_empty_word_hides_nothing_behind_it(run: Run, broker: OtherBroker) -> None:
    run("can-i-deploy", "-a", "Foo", "-e", "1", "", "-a", "Bar", "-e", "2", "--to-environment", "test")
    assert "q[][pacticipant]=Bar&q[][version]=2" in broker.last.path
