"""Parsing of arguments, with the leniency and the messages of the original client, so that scripts keep working."""

from __future__ import annotations

import glob
import os
import re
from dataclasses import dataclass
from errno import EDQUOT, EFBIG, ENOSPC
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn

import click
from click.shell_completion import get_completion_class

from treaty import distribution
from treaty.cli import output, variables
from treaty.cli.blank_values import RefusesBlankValues
from treaty.cli.output_files import write_file
from treaty.distribution import install_hint
from treaty.errors import ClientError, TreatyError
from treaty.loading import load_module
from treaty.spelling import suggest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

WORDS_KEY: Final = "treaty.cli.words"
"""Key in `click.Context.meta` for a command's arguments, which commands need whose options depend on their order."""
SHARED_OPTIONS: Final[Mapping[str, frozenset[str]]] = {
    "Broker options": frozenset(
        {
            "broker_base_url",
            "broker_username",
            "broker_password",
            "broker_token",
            "custom_header",
            "retries",
            "ssl_certificate",
            "skip_ssl_verification",
            "ssl_trust_store",
            "verbose",
            "log_level",
        }
    ),
    "Telemetry options": frozenset(
        {
            "enable_otel",
            "enable_otel_logs",
            "enable_otel_traces",
            "otel_exporter",
            "otel_exporter_endpoint",
            "otel_exporter_protocol",
        }
    ),
}
"""Parameters of all commands that connect to a broker, by the heading below which the help lists them."""
SHARED_PARAMETERS: Final = frozenset[str]().union(*SHARED_OPTIONS.values())
_IGNORES_STRAY_WORDS: Final = {
    "can-i-deploy",
    "can-i-merge",
    "create-or-update-pacticipant",
    "create-or-update-version",
    "list-latest-pact-versions",
}
"""Commands that ignore positional arguments, as in the original client."""
_FAILS_ON_STDERR: Final = {"publish", "create-webhook", "create-or-update-webhook", "create-version-tag"}
"""Commands that print failures to stderr; the others print them to stdout, as in the original client."""
_NEXT_STEPS: Final = {
    "--broker-base-url": "Give the broker's address as --broker-base-url, or set PACT_BROKER_BASE_URL.",
}
_PATH_ERRORS: Final = (FileNotFoundError, FileExistsError, IsADirectoryError, NotADirectoryError, PermissionError)
_NO_SPACE: Final = (ENOSPC, EDQUOT, EFBIG)
_NO_FAULTS: Final = (click.ClickException, click.exceptions.Exit, click.Abort)
"""Exceptions with which commands end as intended."""
_EM_DASH_MESSAGE: Final = (
    "The argument '{}' contains an em dash (the long dash you get in Microsoft Word when you type two short dashes in "
    "a row). Please replace it with a normal dash and try again."
)
_UNKNOWN_IS_A_WARNING: Final = (
    "This is a warning rather than an error so as not to break backwards compatibility. To raise an error for unknown "
    "options set PACT_BROKER_ERROR_ON_UNKNOWN_OPTION=true"
)


class Failure(click.ClickException):
    """Arguments that a command cannot work with. Exits with 1, as in the original client; click would exit with 2."""

    def show(self, file: Any = None) -> None:
        click.echo(self.message, file=file, err=True)


class ListOption(click.Option):
    """An option that is repeated, or followed by several values."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"multiple": True, **kwargs})


class Flag(click.Option):
    """A switch, with a `--no-` form that the help does not show."""

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        record = super().get_help_record(ctx)
        return record and (record[0].partition(" / ")[0], record[1])


class Command(RefusesBlankValues):
    """A command of the client. It only warns of unknown options, and usage errors exit with 1."""

    ignore_unknown_options = True
    allow_extra_args = True
    failure_exit_code = 1

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        reject_long_dashes(args, ctx)
        words = list(_expand_lists(self, _expand_short_help(args)))
        ctx.meta[WORDS_KEY] = words
        if _reads_variables(self) and "--help" not in words and not ctx.resilient_parsing:
            variables.warn_of_unknown()
        try:
            remaining_args = super().parse_args(ctx, list(words))
        except click.UsageError as error:
            raise Failure(_explain_usage_error(self, ctx, words, error)) from None
        if not ctx.resilient_parsing:  # the shell asks for completions of an unfinished line
            _check_remaining_args(self, ctx)
        return remaining_args

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the command's own options first, which readers look for, and then those that commands share."""
        records = {option.name or "": option.get_help_record(ctx) for option in self.get_params(ctx)}
        shared = {
            heading: [record for name in records if name in names and (record := records[name])]
            for heading, names in SHARED_OPTIONS.items()
        }
        own = [record for name, record in records.items() if record and name not in SHARED_PARAMETERS]
        for heading, section in {"Options": own, **shared}.items():
            if section:
                with formatter.section(heading):
                    formatter.write_dl(section)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except TreatyError as error:
            self._fail(ctx, error)
        except _PATH_ERRORS as error:
            raise Failure(
                f"{error.filename}: {error.strerror}\nCheck the path, and the permissions of its folder."
            ) from error
        except _NO_FAULTS:
            raise
        except Exception as error:
            if isinstance(error, BrokenPipeError):  # the reader of the output has ended, which click handles
                raise
            self._fail(ctx, _describe_fault(error))

    def _fail(self, ctx: click.Context, error: TreatyError) -> NoReturn:
        as_json = ctx.params.get("form") in {"json", "pretty"} or bool(ctx.params.get("as_json"))
        output.print_failure(error, as_json=as_json, on_stderr=self.name in _FAILS_ON_STDERR)
        ctx.exit(self.failure_exit_code)


class Check(Command):
    """A command that answers a question: 0 is yes, 1 is no, and whatever prevents an answer exits with 2.

    Only Treaty has such commands, so unknown options need not be accepted.
    """

    ignore_unknown_options = False
    failure_exit_code = 2

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, args)
        except Failure as failure:
            raise _NoAnswer(failure.message) from failure

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except Failure as failure:
            raise _NoAnswer(failure.message) from failure


class _NoAnswer(Failure):
    exit_code = 2


class ServerCommand(RefusesBlankValues):
    """A command that runs the server or opens its database. Usage errors exit with 2, click's default."""


def _reads_variables(command: click.Command) -> bool:
    """Whether a command connects to a broker, which variables describe."""
    return any(parameter.envvar == "PACT_BROKER_BASE_URL" for parameter in command.params)


def _describe_fault(error: Exception) -> ClientError:
    """Describe an unexpected exception: mostly a response in an unexpected form, or a fault of the program."""
    from traceback import extract_tb  # noqa: PLC0415 - needed for faults only

    place = extract_tb(error.__traceback__)[-1]
    text = f"{type(error).__name__}: {error} ({Path(place.filename).name}, line {place.lineno})"
    if isinstance(error, UnicodeError):
        return ClientError(f"An argument or a response is not valid UTF-8: {text}.", hint="Check the names.")
    if isinstance(error, OSError) and error.filename is not None:
        hint = "Free some space on its disk." if error.errno in _NO_SPACE else "Check the disk and its permissions."
        return ClientError(f"The command could not be completed: {error.filename}: {error.strerror}.", hint=hint)
    if isinstance(error, OSError):
        return ClientError(f"The command could not be completed: {text}.", hint="Check the disk and its permissions.")
    return ClientError(
        f"The broker's response has an unexpected form: {text}.",
        hint="Is --broker-base-url the address of a Pact Broker? --verbose shows its responses. If they are as they "
        "should be, this is a fault of the program: please report it with this line.",
    )


def normalize_name(name: str) -> str:
    """Return the declared spelling of a command or option. The original accepts `to_environment` and `skip-x` too."""
    return re.sub(r"^skip-", "no-", name.replace("_", "-"))


def reject_long_dashes(args: Sequence[str], ctx: click.Context) -> None:
    """Exit with the original client's message for a dash that a text editor made of two."""
    for word in args:
        if "\N{EM DASH}" in word:
            output.print_line(_EM_DASH_MESSAGE.format(word))
            ctx.exit(1)


def _expand_short_help(args: list[str]) -> list[str]:
    """Read `-h` as --help where it is the last word; elsewhere it may be an option (--branch)."""
    return [*args[:-1], "--help"] if args[-1:] == ["-h"] else args


def _expand_lists(command: click.Command, args: Sequence[str]) -> Iterator[str]:
    """Repeat the option before each value of a list, as click expects: `-t a b` becomes `-t a -t b`."""
    list_options = {name for option in command.params if isinstance(option, ListOption) for name in option.opts}
    option, has_value = "", False
    for word in args:
        if word.startswith("-") and len(word) > 1:
            name, equals, _ = word.partition("=")
            option, has_value = (name if _normalize_option(name) in list_options else ""), bool(equals)
        elif option and has_value and not _is_positional(word):
            yield option
        else:
            has_value = True
        yield word


def _normalize_option(option: str) -> str:
    return "--" + normalize_name(option[2:]) if option.startswith("--") else option


def _is_positional(word: str) -> bool:
    """Whether a word after a list is an argument rather than a value: `publish -t a b ./pacts` ends with a folder."""
    return os.path.exists(word) or glob.has_magic(word) or re.match(r"https?://", word) is not None  # noqa: PTH110 - a word need not be a path


def _explain_usage_error(command: click.Command, ctx: click.Context, words: list[str], error: click.UsageError) -> str:
    if not isinstance(error, click.MissingParameter):
        return f"{error.format_message()}\n{_help_hint(ctx)}"
    # All missing parameters, as the original client lists them; click's error has the first only.
    values, remaining_words, _ = command.make_parser(ctx).parse_args(list(words))
    names = [
        max(parameter.opts, key=len)
        for parameter in command.params
        if parameter.required and parameter.value_is_missing(parameter.consume_value(ctx, values)[0])
    ]
    next_steps = [_NEXT_STEPS[name] for name in names if name in _NEXT_STEPS] or [_help_hint(ctx)]
    quoted_names = ", ".join(f"'{name}'" for name in names)
    lines = [f"No value provided for required options {quoted_names}", *_explain_unknown(command, remaining_words)]
    return "\n".join([*lines, *next_steps])


def _explain_unknown(command: click.Command, words: Iterable[str]) -> list[str]:
    """Return lines about the unknown options among words, which may be misspelt forms of the missing ones."""
    unknown = [word for word in words if word.startswith("-")]
    return [*([_describe_unknown(unknown)] if unknown else []), *suggest_options(command, unknown).splitlines()]


def _describe_unknown(options: Iterable[str]) -> str:
    return "Unknown switches " + ", ".join(f'"{option}"' for option in options)


def _help_hint(ctx: click.Context) -> str:
    parent = ctx.parent.command_path if ctx.parent else ctx.command_path
    return f"See `{parent} help {ctx.info_name}`."


def _check_remaining_args(command: click.Command, ctx: click.Context) -> None:
    """Warn of unknown options, and raise Failure for positional arguments that the command does not take."""
    unknown = [word for word in ctx.args if word.startswith("-")]
    if unknown:
        _warn_of_unknown_options(unknown, suggest_options(command, unknown))
    if ctx.args and command.name not in _IGNORES_STRAY_WORDS:
        program = f"{ctx.find_root().info_name} {(command.name or '').replace('-', '_')}"
        words = ", ".join(f'"{word}"' for word in ctx.args)
        raise Failure(f'ERROR: "{program}" was called with arguments [{words}]\n{command.get_usage(ctx)}')


def _warn_of_unknown_options(options: list[str], suggestions: str) -> None:
    text = _describe_unknown(options)
    if os.environ.get("PACT_BROKER_ERROR_ON_UNKNOWN_OPTION") == "true":
        raise Failure(f"{text}\n{suggestions}".rstrip())
    output.print_warning(text)
    output.print_warning(_UNKNOWN_IS_A_WARNING)
    output.print_error(suggestions)


def suggest_options(command: click.Command, words: Iterable[str]) -> str:
    """Return a line with suggestions for each unknown option that resembles an option of the command."""
    names = [name for option in command.params for name in (*option.opts, *option.secondary_opts) if name[:2] == "--"]
    suggestions = [suggest(_normalize_option(word.partition("=")[0]), names) for word in words if word[:1] == "-"]
    return "".join(f"{suggestion}\n" for suggestion in suggestions if suggestion)


@dataclass(frozen=True, slots=True)
class CommandEntry:
    """A command's location, as `module:name`, and its line in the list of commands."""

    target: str
    text: str


class Program(RefusesBlankValues, click.Group):
    """A group of commands. Each is imported when it is called, so that `help` does not load httpx or a server."""

    def __init__(self, name: str, entries: Mapping[str, CommandEntry], *, text: str) -> None:
        super().__init__(
            name,
            help=text,
            params=[_version_option(), *options_of_every_command()],
            invoke_without_command=True,
            callback=_show_help_by_default,
            context_settings={"help_option_names": ["-h", "--help"], "token_normalize_func": normalize_name},
        )
        self.entries = entries

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's own signature
        return list(self.entries)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        entry = self.entries.get(normalize_name(cmd_name))
        if entry is None:
            return None
        module, _, name = entry.target.partition(":")
        try:
            command: click.Command = getattr(load_module(module), name)
        except ModuleNotFoundError as error:
            _raise_if_server_packages_are_missing(f"{ctx.command_path} {normalize_name(cmd_name)}", error)
            raise
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's own signature
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.text) for name, entry in self.entries.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        reject_long_dashes(args, ctx)
        if normalize_name(args[0]) not in self.entries and not ctx.resilient_parsing:
            suggestion = suggest(normalize_name(args[0]), self.entries)
            lines = [f'Could not find command "{args[0]}".', suggestion, f"See `{ctx.command_path} help`."]
            raise Failure("\n".join(filter(None, lines)))
        _, command, remaining_args = super().resolve_command(ctx, args)
        return normalize_name(args[0]), command, remaining_args

    def invoke(self, ctx: click.Context) -> Any:
        ctx.color = output.is_coloured()
        try:
            return super().invoke(ctx)
        except ModuleNotFoundError as error:
            _raise_if_server_packages_are_missing(f"{ctx.command_path} {ctx.invoked_subcommand}", error)
            raise


def _raise_if_server_packages_are_missing(command_path: str, error: ModuleNotFoundError) -> None:
    """Raise Failure if a package is missing: an installation without extras has the client's packages only."""
    if not (error.name or "").startswith("treaty"):  # a missing module of our own is a fault
        raise Failure(f"{command_path} needs the server's packages: {install_hint('server')}") from error


def _version_option() -> click.Option:
    text = "Show Treaty's version and exit."
    return click.Option(
        ["-V", "--version"], is_flag=True, is_eager=True, expose_value=False, callback=_print_version, help=text
    )


def _print_version(ctx: click.Context, _: click.Parameter, is_requested: bool) -> None:  # noqa: FBT001 - click's own signature
    if is_requested:
        output.print_line(distribution.version())
        ctx.exit()


def options_of_every_command() -> list[click.Option]:
    """Return the options that the Rust client accepts everywhere, also before a command's name.

    They are hidden here, because the help of each command that uses them describes them.
    """
    switches = ("--enable-otel", "--enable-otel-traces", "--enable-otel-logs")
    values = ("--log-level", "--otel-exporter", "--otel-exporter-endpoint", "--otel-exporter-protocol")
    return [
        *(click.Option([name], is_flag=True, hidden=True) for name in switches),
        *(click.Option([name], hidden=True) for name in values),
    ]


def _show_help_by_default(**_options: object) -> None:
    ctx = click.get_current_context()
    if ctx.invoked_subcommand is None:
        output.print_line(ctx.get_help())


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
        resolved_name, command, _ = group.resolve_command(context, [name])
        context = click.Context(command or group, info_name=resolved_name, parent=context)
    output.print_line(context.get_help())


@click.command("completions", cls=Command)
@click.argument("shell", metavar="bash|zsh|fish")
@click.option("-d", "--directory", metavar="DIR", help="Write the script to a file in this folder instead.")
@click.pass_context
def completions(ctx: click.Context, shell: str, directory: str | None) -> None:
    """Print a shell's completion script for commands and options."""
    program = ctx.find_root()
    name = str(program.info_name)
    completion_class = get_completion_class(shell)
    if completion_class is None:
        raise Failure(f"There are no completions for {shell}: choose bash, zsh or fish.")
    # click's own name for the variable, which the script sets and the program reads.
    variable = f"_{name.replace('-', '_')}_COMPLETE".upper()
    script = completion_class(program.command, {}, name, variable).source()
    if directory is None:
        output.print_line(script)
    else:
        file = Path(directory) / f"{name}.{shell}"
        write_file(file, script + "\n")
        output.print_line(f"Wrote {file}")


@click.command("version", cls=Command)
def show_version() -> None:
    """Show Treaty's version."""
    output.print_line(distribution.version())
