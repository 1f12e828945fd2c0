"""Refuses empty and blank values on the command line and in the variables that stand for options.

A CI job that passes a variable which is not set (`--pacticipant "$APP"`) must not have its question or its write
widened to every pacticipant. The check runs on the raw words of a command, before any value is converted or handed to a
callback, so it covers every parameter of every command that uses `RefusesBlankValues`.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

import click

if TYPE_CHECKING:
    from collections.abc import Iterator

_ORIGINAL_NAMES: Final = {
    ("can-i-deploy", "pacticipant"): "Pacticipant name",
    ("can-i-deploy", "to_environment"): "The environment name",
    ("create-or-update-pacticipant", "name"): "Pacticipant name",
    ("create-or-update-version", "pacticipant"): "Pacticipant name",
    ("create-or-update-version", "version"): "Pacticipant version",
    ("create-or-update-version", "branch"): "Version branch",
    ("create-or-update-version", "tags"): "Version tag",
    ("publish", "branch"): "Branch",
}
"""Names that the original client uses in these messages, by command and parameter."""


class BlankValue(click.UsageError):
    """A parameter that has an empty or blank value, or none where it needs one."""


class RefusesBlankValues(click.Command):
    """Mixin for commands and groups: an empty or blank value is a usage error that names the parameter."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not ctx.resilient_parsing:
            _check(self, ctx, args)
        return super().parse_args(ctx, args)


def _check(command: click.Command, ctx: click.Context, args: list[str]) -> None:
    """Raise BlankValue for the first parameter with a blank value."""
    raw_values, _, _ = command.make_parser(ctx).parse_args(list(args))
    parameters = command.get_params(ctx)
    if any(parameter.is_eager and parameter.name in raw_values for parameter in parameters):
        return  # --help and --version exit before anything else has an effect
    switches = {name for parameter in parameters for name in (*parameter.opts, *parameter.secondary_opts)}
    for parameter in parameters:
        values = list(_strings(raw_values.get(parameter.name or "")))
        for value in values:
            _check_value(parameter, value, switches, ctx)
        if not values:
            _check_variable(parameter, ctx)


def _strings(raw_value: object) -> Iterator[str]:
    """Yield the words of a raw value; click's placeholders for missing ones are not strings."""
    if isinstance(raw_value, str):
        yield raw_value
    elif isinstance(raw_value, list | tuple):
        for value in raw_value:
            yield from _strings(value)


def _check_value(parameter: click.Parameter, value: str, switches: set[str], ctx: click.Context) -> None:
    name = _name(parameter)
    if not value.strip():
        subject = _ORIGINAL_NAMES.get((ctx.command.name or "", parameter.name or ""), name)
        raise BlankValue(f"{subject} cannot be blank\n{name} was given an empty value: {_advice(parameter)}", ctx)
    if isinstance(parameter, click.Option) and value in switches:
        # An unquoted variable that is empty leaves nothing behind the option, which then takes the next option's name.
        raise BlankValue(f"No value provided for option '{name}'\n{value} follows it: {_advice(parameter)}", ctx)


def _check_variable(parameter: click.Parameter, ctx: click.Context) -> None:
    """Check the variable that click would read: the first that is not empty. An empty variable counts as not set."""
    names = [parameter.envvar] if isinstance(parameter.envvar, str) else [*(parameter.envvar or ())]
    name = next((name for name in names if os.environ.get(name)), None)
    if name and not os.environ[name].strip():
        raise BlankValue(f"The variable {name} is blank. Give it a value, or unset it.", ctx)


def _name(parameter: click.Parameter) -> str:
    return max(parameter.opts, key=len) if isinstance(parameter, click.Option) else parameter.human_readable_name


def _advice(parameter: click.Parameter) -> str:
    leave_out = "" if parameter.required else ", or leave it out"
    return f"give it a value{leave_out}. If the value comes from a variable, check that the variable is set."
