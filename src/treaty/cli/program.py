"""How the programs read their arguments: as the `pact-broker` of old did, so that scripts keep working."""

from __future__ import annotations

import glob
import importlib
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
from click.shell_completion import get_completion_class

from treaty import distribution
from treaty.cli import output
from treaty.cli.blank_values import RefusesBlankValues
from treaty.distribution import install_hint
from treaty.errors import TreatyError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

WORDS_KEY: Final = "treaty.cli.words"
_SWALLOW_STRAY_WORDS: Final = {
    "can-i-deploy",
    "can-i-merge",
    "create-or-update-pacticipant",
    "create-or-update-version",
    "list-latest-pact-versions",
}
_COMPLAIN_ON_STDERR: Final = {"publish", "create-webhook", "create-or-update-webhook", "create-version-tag"}
_ADVICE: Final = {
    "--broker-base-url": "Give the broker's address as --broker-base-url, or set PACT_BROKER_BASE_URL.",
}
_BAD_PATHS: Final = (FileNotFoundError, FileExistsError, IsADirectoryError, NotADirectoryError, PermissionError)
_ALIKE: Final = 0.75
"""How alike words have to be, up to 1, for one to be meant by the other."""
_BEGINNING: Final = 3
"""How many letters are the beginning of a name that may be meant."""
_LONG_DASH: Final = (
    "The argument '{}' contains an em dash (the long dash you get in Microsoft Word when you type two short dashes in "
    "a row). Please replace it with a normal dash and try again."
)
_UNKNOWN_IS_A_WARNING: Final = (
    "This is a warning rather than an error so as not to break backwards compatibility. To raise an error for unknown "
    "options set PACT_BROKER_ERROR_ON_UNKNOWN_OPTION=true"
)


class Failure(click.ClickException):
    """A command that was called in a way it cannot work with."""

    def show(self, file: Any = None) -> None:
        click.echo(self.message, file=file, err=True)


class ListOption(click.Option):
    """An option that takes several words, or is repeated."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"multiple": True, **kwargs})


class Flag(click.Option):
    """An option that is on or off. What turns it off need not be told to people."""

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        record = super().get_help_record(ctx)
        return record and (record[0].partition(" / ")[0], record[1])


class Command(RefusesBlankValues):
    """A command that is lenient where scripts count on it, and whose errors of use end in 1."""

    ignore_unknown_options = True
    allow_extra_args = True

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        reject_long_dashes(args, ctx)
        words = list(_spread(self, _asking_for_help(args)))
        ctx.meta[WORDS_KEY] = words
        try:
            rest = super().parse_args(ctx, list(words))
        except click.UsageError as error:
            raise Failure(_explained(self, ctx, words, error)) from None
        if not ctx.resilient_parsing:
            _check_rest(self, ctx)
        return rest

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except TreatyError as error:
            as_json = ctx.params.get("form") in {"json", "pretty"}
            output.print_failure(error, as_json=as_json, on_stderr=self.name in _COMPLAIN_ON_STDERR)
            ctx.exit(1)
        except _BAD_PATHS as error:
            raise Failure(f"{error.filename}: {error.strerror}\nGive a path that can be used.") from error


class ServerCommand(RefusesBlankValues):
    """A command that works on the server's database or runs the server; its usage errors exit with 2."""


def normalize_name(name: str) -> str:
    """Spell a name of a command or option as it is declared: `to_environment`, `skip-production`."""
    return re.sub(r"^skip-", "no-", name.replace("_", "-"))


def reject_long_dashes(args: Sequence[str], ctx: click.Context) -> None:
    for word in args:
        if "\N{EM DASH}" in word:
            output.print_line(_LONG_DASH.format(word))
            ctx.exit(1)


def _asking_for_help(args: list[str]) -> list[str]:
    """Read `-h` as a call for help where it is the last word; elsewhere it may be an option."""
    return [*args[:-1], "--help"] if args[-1:] == ["-h"] else args


def _spread(command: click.Command, args: Sequence[str]) -> Iterator[str]:
    """Repeat the option before each word of a list: `-t a b` means `-t a -t b`."""
    lists = {name for option in command.params if isinstance(option, ListOption) for name in option.opts}
    option, has_value = "", False
    for word in args:
        if word.startswith("-") and len(word) > 1:
            name, equals, _ = word.partition("=")
            option, has_value = (name if _declared(name) in lists else ""), bool(equals)
        elif option and has_value and not _stands_alone(word):
            yield option
        else:
            has_value = True
        yield word


def _declared(option: str) -> str:
    return "--" + normalize_name(option[2:]) if option.startswith("--") else option


def _stands_alone(word: str) -> bool:
    """Tell a file, a pattern or a URL from one more word of a list."""
    return os.path.exists(word) or glob.has_magic(word) or re.match(r"https?://", word) is not None  # noqa: PTH110 - a word need not be a path


def _explained(command: click.Command, ctx: click.Context, words: list[str], error: click.UsageError) -> str:
    if not isinstance(error, click.MissingParameter):
        return f"{error.format_message()}\n{_see_help(ctx)}"
    names = [max(parameter.opts, key=len) for parameter in _missing(command, ctx, words)]
    advice = [_ADVICE[name] for name in names if name in _ADVICE] or [_see_help(ctx)]
    quoted = ", ".join(f"'{name}'" for name in names)
    return "\n".join([f"No value provided for required options {quoted}", *advice])


def _missing(command: click.Command, ctx: click.Context, words: list[str]) -> list[click.Parameter]:
    """Find all that is missing: click stops at the first."""
    given, _, _ = command.make_parser(ctx).parse_args(list(words))
    required = [parameter for parameter in command.params if parameter.required]
    return [each for each in required if each.value_is_missing(each.consume_value(ctx, given)[0])]


def _see_help(ctx: click.Context) -> str:
    parent = ctx.parent.command_path if ctx.parent else ctx.command_path
    return f"See `{parent} help {ctx.info_name}`."


def _check_rest(command: click.Command, ctx: click.Context) -> None:
    """Warn of switches that nobody knows; words that no command takes are an error."""
    unknown = [word for word in ctx.args if word.startswith("-")]
    if unknown:
        known = [name for option in command.params for name in (*option.opts, *option.secondary_opts)]
        _warn_of_unknown(unknown, "".join(_meant(_declared(word.partition("=")[0]), known) for word in unknown))
    if ctx.args and command.name not in _SWALLOW_STRAY_WORDS:
        program = f"{ctx.find_root().info_name} {(command.name or '').replace('-', '_')}"
        words = ", ".join(f'"{word}"' for word in ctx.args)
        raise Failure(f'ERROR: "{program}" was called with arguments [{words}]\n{command.get_usage(ctx)}')


def _warn_of_unknown(switches: list[str], meant: str) -> None:
    text = "Unknown switches " + ", ".join(f'"{switch}"' for switch in switches)
    if os.environ.get("PACT_BROKER_ERROR_ON_UNKNOWN_OPTION") == "true":
        raise Failure(f"{text}\n{meant}".rstrip())
    output.print_warning(text)
    output.print_warning(_UNKNOWN_IS_A_WARNING)
    output.print_error(meant)


def _meant(word: str, known: Iterable[str]) -> str:
    """Ask whether something was meant that is written nearly the same; say nothing if there is no such thing."""
    from difflib import get_close_matches  # noqa: PLC0415 - for those who err only

    names = [name for name in known if len(name) > len("-x")]
    letters = word.replace("-", "")
    begun = [name for name in names if name.replace("-", "").startswith(letters)] if len(letters) >= _BEGINNING else []
    found = dict.fromkeys([*begun, *get_close_matches(word, names, cutoff=_ALIKE)])
    return f"Did you mean {' or '.join(list(found)[:3])}?\n" if found else ""


@dataclass(frozen=True, slots=True)
class CommandEntry:
    """Where a command is found, as `module:name`, and what it does in a few words."""

    target: str
    text: str


class Program(RefusesBlankValues, click.Group):
    """Commands that are loaded when they are called, so that starting stays quick."""

    def __init__(self, name: str, entries: Mapping[str, CommandEntry], *, text: str) -> None:
        super().__init__(
            name,
            help=text,
            params=[_version_option(), *options_of_every_command()],
            invoke_without_command=True,
            callback=_help_if_nothing_is_asked,
            context_settings={"help_option_names": ["-h", "--help"], "token_normalize_func": normalize_name},
        )
        self.entries = entries

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's own signature
        return list(self.entries)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's own signature
        entry = self.entries.get(normalize_name(cmd_name))
        if entry is None:
            return None
        module, _, name = entry.target.partition(":")
        found: click.Command = getattr(importlib.import_module(module), name)
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's own signature
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.text) for name, entry in self.entries.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        reject_long_dashes(args, ctx)
        if normalize_name(args[0]) not in self.entries and not ctx.resilient_parsing:
            meant = _meant(normalize_name(args[0]), self.entries)
            raise Failure(f'Could not find command "{args[0]}".\n{meant}See `{ctx.command_path} help`.')
        _, command, rest = super().resolve_command(ctx, args)
        return normalize_name(args[0]), command, rest

    def invoke(self, ctx: click.Context) -> Any:
        ctx.color = output.is_coloured()
        try:
            return super().invoke(ctx)
        except ModuleNotFoundError as error:
            if (error.name or "").startswith("treaty"):
                raise
            needs = f"{ctx.command_path} {ctx.invoked_subcommand} needs the server's packages"
            raise Failure(f"{needs}: {install_hint('server')}") from error


def _version_option() -> click.Option:
    text = "Show Treaty's version and exit."
    return click.Option(
        ["-V", "--version"], is_flag=True, is_eager=True, expose_value=False, callback=_tell_version, help=text
    )


def _tell_version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:  # noqa: FBT001 - click's own signature
    if wanted:
        output.print_line(distribution.version())
        ctx.exit()


def options_of_every_command() -> list[click.Option]:
    """Take what the newer client takes everywhere, also before a command's name; commands describe what they use."""
    switches = ("--enable-otel", "--enable-otel-traces", "--enable-otel-logs")
    values = ("--log-level", "--otel-exporter", "--otel-exporter-endpoint", "--otel-exporter-protocol")
    return [
        *(click.Option([name], is_flag=True, hidden=True) for name in switches),
        *(click.Option([name], hidden=True) for name in values),
    ]


def _help_if_nothing_is_asked(**_before: object) -> None:
    context = click.get_current_context()
    if context.invoked_subcommand is None:
        output.print_line(context.get_help())


@click.command("help", cls=Command)
@click.argument("names", nargs=-1, metavar="[COMMAND]")
@click.pass_context
def show_help(ctx: click.Context, names: tuple[str, ...]) -> None:
    """Describe the commands, or one command."""
    context = ctx.parent or ctx
    for name in names:
        group = context.command
        if not isinstance(group, click.Group):
            break
        found, command, _ = group.resolve_command(context, [name])
        context = click.Context(command or group, info_name=found, parent=context)
    output.print_line(context.get_help())


@click.command("completions", cls=Command)
@click.argument("shell", metavar="bash|zsh|fish")
@click.option("-d", "--directory", metavar="DIR", help="Where to write the script, instead of printing it.")
@click.pass_context
def completions(ctx: click.Context, shell: str, directory: str | None) -> None:
    """Print a script that lets a shell complete commands and options."""
    program = ctx.find_root()
    name = str(program.info_name)
    found = get_completion_class(shell)
    if found is None:
        raise Failure(f"There are no completions for {shell}: choose bash, zsh or fish.")
    script = found(program.command, {}, name, f"_{name.replace('-', '_')}_COMPLETE".upper()).source()
    if directory is None:
        output.print_line(script)
    else:
        file = Path(directory) / f"{name}.{shell}"
        file.write_text(script + "\n", encoding="utf-8")
        output.print_line(f"Wrote {file}")


@click.command("version", cls=Command)
def show_version() -> None:
    """Show Treaty's version."""
    output.print_line(distribution.version())
