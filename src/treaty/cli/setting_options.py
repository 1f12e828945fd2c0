"""The options of `treaty serve`, derived from the settings."""

import re
from collections.abc import Iterator
from typing import Any, Final, get_args

import click
from pydantic import SecretStr
from pydantic.fields import FieldInfo

from treaty.cli.program import ServerCommand
from treaty.settings import GROUPS, default_of
from treaty.settings.spellings import DAYS, HOURS, SECONDS, OneOf, Range

_METAVARS: Final = {SECONDS: "SECONDS", HOURS: "HOURS", DAYS: "DAYS", None: "NUMBER"}
REPEATED_OPTIONS: Final = {"host": ("--host", "HOST"), "base_urls": ("--base-url", "URL")}
"""Options that are given once for each value, by the name of their setting."""
_LINK: Final = re.compile(r"\[([^]]+)\]\([^)]+\)")


class ServeCommand(ServerCommand):
    """Command that lists the options of settings by group, as docs/configuration.md does."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        records = {option.name: option.get_help_record(ctx) for option in self.get_params(ctx)}
        for group in GROUPS:
            group_records = [record for name in group.model_fields if (record := records.pop(name, None))]
            if group_records:
                with formatter.section(group.heading):
                    formatter.write_dl(group_records)
        with formatter.section("Other options"):
            formatter.write_dl([record for record in records.values() if record])


def options_of_settings() -> list[click.Parameter]:
    """Return an option for each setting that is not a secret: other users can read the command lines of processes."""
    return [
        _create_option(name, field)
        for group in GROUPS
        for name, field in group.model_fields.items()
        if not _contains(field.annotation, SecretStr)
    ]


def _contains(annotation: Any, kind: type) -> bool:
    return annotation is kind or any(_contains(part, kind) for part in get_args(annotation))


def _create_option(name: str, field: FieldInfo) -> click.Option:
    help_text = " ".join(_LINK.sub(r"\1", field.description or "").replace("`", "").split())
    default = default_of(name)
    help_text = f"{help_text} Default: {default}." if default else help_text
    if name in REPEATED_OPTIONS:
        option, metavar = REPEATED_OPTIONS[name]
        return click.Option([name, option], multiple=True, metavar=metavar, help=f"{help_text} Can be repeated.")
    option = f"--{name.replace('_', '-')}"
    if field.annotation is bool:
        return click.Option([name, f"{option}/--no-{option[2:]}"], default=None, help=help_text)
    return click.Option([name, option], help=help_text, **dict(_value_arguments(name, field)))


def _value_arguments(name: str, field: FieldInfo) -> Iterator[tuple[str, Any]]:
    """Yield click's arguments for the type and placeholder of an option's value."""
    kind = next((item for item in _metadata(field) if isinstance(item, Range | OneOf)), None)
    if isinstance(kind, OneOf):
        yield "type", click.Choice(kind.values)
    elif kind is not None:
        yield from (("type", kind.kind), ("metavar", _METAVARS[kind.unit]))
    elif name.endswith("_url"):
        yield "metavar", "URL"
    elif isinstance(field.default, tuple):
        yield "metavar", "LIST"


def _metadata(field: FieldInfo) -> Iterator[Any]:
    """Yield what annotates the type of a field, also if its value is optional."""
    yield from field.metadata
    for part in get_args(field.annotation):
        yield from getattr(part, "__metadata__", ())
