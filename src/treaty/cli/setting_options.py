"""The options of `treaty serve`, derived from the settings."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

import click

from treaty.cli.program import ServerCommand
from treaty.settings import GROUPS, Setting, default_of, list_settings
from treaty.settings.spellings import (
    DAYS,
    HOURS,
    SECONDS,
    Boolean,
    Duration,
    Items,
    Number,
    OneOf,
    SecretText,
    read_items,
)

_METAVARS: Final = {SECONDS: "SECONDS", HOURS: "HOURS", DAYS: "DAYS"}
_LIST_OPTIONS: Final = {"host": ("--host", "HOST"), "base_urls": ("--base-url", "URL")}
"""Names and placeholders of options for lists that are named after a single value, by the name of their setting."""
_LINK: Final = re.compile(r"\[([^]]+)\]\([^)]+\)")


class ServeCommand(ServerCommand):
    """Command that lists the options of settings by group, as docs/configuration.md does."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        records = {option.name: option.get_help_record(ctx) for option in self.get_params(ctx)}
        for group in GROUPS:
            group_records = [record for setting in list_settings(group) if (record := records.pop(setting.name, None))]
            if group_records:
                with formatter.section(group.heading):
                    formatter.write_dl(group_records)
        with formatter.section("Other options"):
            formatter.write_dl([record for record in records.values() if record])


def options_of_settings() -> list[click.Parameter]:
    """Return an option for each setting that is not a secret: other users can read the command lines of processes."""
    return [_create_option(setting) for group in GROUPS for setting in list_settings(group) if not _is_secret(setting)]


def merge_repeated_values(options: Mapping[str, object]) -> dict[str, object]:
    """Return the options with a list of all values for those that can be repeated, and None for those not given."""
    return {name: _merge(value) if isinstance(value, tuple) else value for name, value in options.items()}


def _merge(values: tuple[str, ...]) -> list[object] | None:
    """Join the values of a repeated option. Each may contain several, as in a variable."""
    return [item for value in values for item in read_items(value)] if values else None


def _is_secret(setting: Setting) -> bool:
    spelling = setting.spelling
    return isinstance(spelling.item if isinstance(spelling, Items) else spelling, SecretText)


def _create_option(setting: Setting) -> click.Option:
    name = setting.name
    help_text = _LINK.sub(r"\1", setting.meaning).replace("`", "")
    default = default_of(setting)
    help_text = f"{help_text} Default: {default}." if default else help_text
    option = f"--{name.replace('_', '-')}"
    if isinstance(setting.spelling, Items):
        option, metavar = _LIST_OPTIONS.get(name, (option, "LIST"))
        return click.Option([name, option], multiple=True, metavar=metavar, help=f"{help_text} Can be repeated.")
    if isinstance(setting.spelling, Boolean):
        return click.Option([name, f"{option}/--no-{option[2:]}"], default=None, help=help_text)
    return click.Option([name, option], help=help_text, **dict(_value_arguments(setting)))


def _value_arguments(setting: Setting) -> Iterator[tuple[str, Any]]:
    """Yield click's arguments for the type and placeholder of an option's value."""
    match setting.spelling:
        case OneOf(values=values):
            yield "type", click.Choice(values)
        case Number():
            yield from (("type", int), ("metavar", "NUMBER"))
        case Duration(unit=unit, kind=kind):
            yield from (("type", kind), ("metavar", _METAVARS[unit]))
        case _ if setting.name.endswith("_url"):
            yield "metavar", "URL"
