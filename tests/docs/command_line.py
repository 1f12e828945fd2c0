"""The commands of docs/command-line.md, made from the programs: arguments, options and what they mean."""

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
"""A command that reaches a broker as most do."""

Named = tuple[str, click.Command]


def part() -> str:
    """Describe how a broker is reached, then every command."""
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
    """Find the options that every command which reaches a broker has."""
    names = [{str(one.name) for one in command.params} for _, command in commands]
    return set.intersection(*(one for one in names if "broker_base_url" in one))


def _shared(command: click.Command, connecting: set[str]) -> list[click.Option]:
    return [one for one in _options(command) if one.name in connecting]


def _options(command: click.Command) -> list[click.Option]:
    return [one for one in command.params if isinstance(one, click.Option) and not one.hidden]


def _described(name: str, command: click.Command, connecting: set[str]) -> str:
    usage = " ".join([name, *command.collect_usage_pieces(click.Context(command))])
    own = [one for one in _options(command) if one.name not in connecting]
    parts = [f"## `{name}`", inspect.cleandoc(command.help or "").replace("<", "\\<"), f"```text\n{usage}\n```"]
    if isinstance(command, ServeCommand):
        return "\n\n".join([*parts, "The options are listed with the [settings](configuration.md#the-server)."])
    return "\n\n".join([*parts, *([_options_table(own)] if own else []), *_note(command, own, connecting)])


def _note(command: click.Command, own: list[click.Option], connecting: set[str]) -> Iterator[str]:
    """Point at the options for reaching a broker, less the letters that mean something else here."""
    shared = _shared(command, connecting)
    if shared:
        usual = {name for one in _shared(_PUBLISH, connecting) for name in one.opts}
        taken = sorted(usual & {name for one in own for name in one.opts})
        but = f", but `{'`, `'.join(taken)}` is its own" if taken else ""
        yield f"It also takes the options for [reaching a broker](#reaching-a-broker){but}."


def _options_table(options: list[click.Option]) -> str:
    return table(["Option", "Meaning"], [_row(one) for one in options])


def _row(option: click.Option) -> list[str]:
    spelled = sorted(option.opts, key=len) + ([] if isinstance(option, Flag) else option.secondary_opts)
    takes = "" if option.is_flag else f" `{option.make_metavar(click.Context(click.Command(None)))}`"
    return [", ".join(f"`{name}`" for name in spelled) + takes, " ".join([(option.help or "").strip(), *_more(option)])]


def _more(option: click.Option) -> Iterator[str]:
    if option.required:
        yield "Required."
    if option.show_default and option.default is not None:
        yield f"Default: `{str(option.default).lower() if isinstance(option.default, bool) else option.default}`."
    variables = [option.envvar] if isinstance(option.envvar, str) else option.envvar or []
    if variables:
        yield "Environment: " + ", ".join(f"`{variable}`" for variable in variables) + "."
