"""The generated part of docs/command-line.md: commands, arguments and options of the programs."""

import importlib
import inspect
from collections.abc import Collection, Iterator
from typing import Final

import click

from tests.docs.generated import ROOT, table
from treaty.cli import PACT_BROKER, TREATY
from treaty.cli.contracts import publish
from treaty.cli.program import Flag, Program
from treaty.cli.setting_options import ServeCommand

DOCUMENT: Final = ROOT / "docs" / "command-line.md"
_PUBLISH: Final[click.Command] = publish
"""A command with the usual options for connecting to a broker."""

Named = tuple[str, click.Command]


def part() -> str:
    """Render the options for connecting to a broker, then every command."""
    commands = list(_commands("pact-broker", PACT_BROKER, PACT_BROKER.entries))
    servers = list(_commands("treaty", TREATY, TREATY.entries.keys() - PACT_BROKER.entries.keys()))
    connecting = _connecting(commands)
    reach = _options_table(_shared(_PUBLISH, connecting))
    return "\n\n".join(
        [f"## Reaching a broker\n\n{reach}"]
        + [_described(name, command, connecting) for name, command in [*commands, *servers]]
    )


def _commands(prefix: str, program: Program, names: Collection[str]) -> Iterator[Named]:
    for name, entry in program.entries.items():
        module, _, attribute = entry.target.partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        if isinstance(command, Program):
            yield from _commands(f"{prefix} {name}", command, command.entries)
        elif name in names:
            yield f"{prefix} {name}", command


def _connecting(commands: list[Named]) -> set[str]:
    """List the options that all commands share which connect to a broker."""
    names_by_command = [{str(param.name) for param in command.params} for _, command in commands]
    return set.intersection(*(names for names in names_by_command if "broker_base_url" in names))


def _shared(command: click.Command, connecting: set[str]) -> list[click.Option]:
    return [option for option in _options(command) if option.name in connecting]


def _options(command: click.Command) -> list[click.Option]:
    return [param for param in command.params if isinstance(param, click.Option) and not param.hidden]


def _described(name: str, command: click.Command, connecting: set[str]) -> str:
    usage = " ".join([name, *command.collect_usage_pieces(click.Context(command))])
    own = [option for option in _options(command) if option.name not in connecting]
    parts = [f"## `{name}`", inspect.cleandoc(command.help or "").replace("<", "\\<"), f"```text\n{usage}\n```"]
    if isinstance(command, ServeCommand):
        return "\n\n".join([*parts, "The options are listed with the [settings](configuration.md#the-server)."])
    return "\n\n".join([*parts, *([_options_table(own)] if own else []), *_note(command, own, connecting)])


def _note(command: click.Command, own: list[click.Option], connecting: set[str]) -> Iterator[str]:
    """Refer to the options for connecting to a broker, except the letters that have another meaning here."""
    shared = _shared(command, connecting)
    if shared:
        usual = {name for option in _shared(_PUBLISH, connecting) for name in option.opts}
        redefined = sorted(usual & {name for option in own for name in option.opts})
        but = f", but `{'`, `'.join(redefined)}` is its own" if redefined else ""
        yield f"It also takes the options for [reaching a broker](#reaching-a-broker){but}."


def _options_table(options: list[click.Option]) -> str:
    return table(["Option", "Meaning"], [_row(option) for option in options])


def _row(option: click.Option) -> list[str]:
    spellings = sorted(option.opts, key=len) + ([] if isinstance(option, Flag) else option.secondary_opts)
    value = "" if option.is_flag else f" `{option.make_metavar(click.Context(click.Command(None)))}`"
    return [
        ", ".join(f"`{name}`" for name in spellings) + value,
        " ".join([(option.help or "").strip(), *_more(option)]),
    ]


def _more(option: click.Option) -> Iterator[str]:
    if option.required:
        yield "Required."
    if option.show_default and option.default is not None:
        yield f"Default: `{str(option.default).lower() if isinstance(option.default, bool) else option.default}`."
    variables = [option.envvar] if isinstance(option.envvar, str) else option.envvar or []
    if variables:
        yield "Environment: " + ", ".join(f"`{variable}`" for variable in variables) + "."
