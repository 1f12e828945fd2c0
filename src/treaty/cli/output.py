"""Output of the command line: colours, notices, tables, progress and failures."""

from __future__ import annotations

import contextlib
import io
import os
import re
import sys
from typing import TYPE_CHECKING, Any, Final

import click

from treaty.errors import ClientError, Refused, TreatyError
from treaty.exact_json import parse_json, serialize, serialize_indented, serialize_spaced

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from contextlib import AbstractContextManager

    from treaty.client import HalResource, Json

_COLOURS: Final = {
    "warning": "yellow",
    "warn": "yellow",
    "prompt": "yellow",
    "error": "red",
    "danger": "red",
    "success": "green",
    "info": None,
}
"""Colours by the type of a notice."""
_LOG_COLOURS: Final = _COLOURS | {"info": "green"}
_MAX_CELL_WIDTH: Final = 30
_NEEDS_QUOTES: Final = re.compile(
    r"\d{4}-\d\d-\d\d.*|[-+]?[\d.]+|true|false|yes|no|on|off|null|~|[-?:,\[\]{}#&*!|>'\"%@`].*|.*: .*|.* #.*|",
    re.IGNORECASE,
)


def is_coloured() -> bool:
    """Whether to print colours: FORCE_COLOR, CLICOLOR_FORCE and NO_COLOR take precedence over the terminal."""
    if any(os.environ.get(name, "0") != "0" for name in ("FORCE_COLOR", "CLICOLOR_FORCE")):
        return True
    return not os.environ.get("NO_COLOR") and sys.stdout.isatty()


def replace_unencodable_characters() -> None:
    """Print `?` for characters that the terminal's encoding lacks, instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def print_line(text: str = "") -> None:
    click.echo(text)


def print_if_any(text: str) -> None:
    if text:
        click.echo(text)


def print_error(text: str) -> None:
    click.echo(text, err=True)


def green(text: str) -> str:
    return click.style(text, fg="green")


def red(text: str) -> str:
    return click.style(text, fg="red")


def yellow(text: str) -> str:
    return click.style(text, fg="yellow")


def print_warning(text: str) -> None:
    print_error(yellow(text))


def broker_name(resource: HalResource) -> str:
    """Return the broker's name as it appears in messages; `resource` is its index."""
    return "PactFlow" if resource.is_pactflow else "the Pact Broker"


def format_notices(body: Json) -> str:
    """Format the broker's notices in their colours: `notices`, or the `logs` of older brokers."""
    if body.get("notices"):
        notices = body["notices"]
        return "\n".join(_format_notice(notice["text"], _COLOURS.get(notice.get("type", ""))) for notice in notices)
    logs = body.get("logs") or []
    return "\n".join(_format_notice(log["message"], _LOG_COLOURS.get(log.get("level", ""))) for log in logs)


def format_publication(response: HalResource | Refused) -> str:
    """Format the notices of a publication; for a refused one without notices, its response body."""
    body = parse_if_json(response.body)
    text = format_notices(body) if isinstance(body, dict) else ""
    return text or (red(response.body or str(response)) if isinstance(response, Refused) else "")


# Brokers fill in the tags of a version, of which there may be none.
_UNTAGGED_WITH_GAP: Final = "same as previous versions with tags  and no new tags were applied"
_UNTAGGED: Final = "same as that of the previous untagged version"


def _format_notice(text: str, colour: str | None) -> str:
    complete_text = text.replace(_UNTAGGED_WITH_GAP, _UNTAGGED)
    text_with_links = re.sub(r"https?://\S+", lambda url: click.style(url[0], fg="magenta"), complete_text)
    return click.style(text_with_links, fg=colour) if colour else text_with_links


def format_table(
    headings: Sequence[str],
    rows: Sequence[Sequence[object]],
    *,
    max_widths: Mapping[str, int | None] | None = None,
) -> str:
    """Format rows as the original client does, in columns separated by `|`. Without rows, the text is empty.

    Cells are cut to 30 characters, or to the column's width in `max_widths` (None: never).
    """
    if not rows:
        return ""
    limits = [(max_widths or {}).get(heading, _MAX_CELL_WIDTH) for heading in headings]
    cells = [headings] + [[_truncate(cell, limit) for cell, limit in zip(row, limits, strict=True)] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [" | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in cells]
    return "\n".join([lines[0], "-|-".join("-" * width for width in widths), *lines[1:]])


def _truncate(cell: object, limit: int | None) -> str:
    text = "" if cell is None else str(cell)
    return text if limit is None or len(text) <= limit else text[: limit - 3] + "..."


def show(response: HalResource, form: str, text: str) -> None:
    """Print a response in the requested form; `text` is the one for people."""
    match form:
        case "json":
            print_line(response.text)
        case "pretty":
            print_line(format_indented(response.body))
        case "id":
            print_line(str(response.body.get("uuid", "")))
        case _:
            print_if_any(text)


def show_value(value: object, form: str) -> None:
    print_line(format_indented(value) if form == "pretty" else serialize_spaced(value))


def format_array(bodies: Sequence[Json | str], form: str) -> str:
    """Format response bodies, parsed or not, as a JSON array: on one line unless `form` is pretty."""
    values = [parse_if_json(body) for body in bodies]
    return format_indented(values) if form == "pretty" else serialize_spaced(values)


def parse_if_json(body: Json | str) -> Any:
    """Parse a body that is text; return it unchanged if it is not valid JSON. Numbers stay as they are written."""
    try:
        return parse_json(body)[0] if isinstance(body, str) else body
    except (ValueError, RecursionError):
        return body


def format_indented(value: object) -> str:
    return serialize_indented(value)


def format_properties(body: Json) -> str:
    """Format a resource's properties as the original client does: YAML with keys in words (`Display Name`)."""
    properties = {name: value for name, value in body.items() if name not in {"_links", "_embedded"}}
    return "\n".join(_format_mapping(properties))


def _format_mapping(values: Json) -> list[str]:
    return [line for name, value in values.items() for line in _format_entry(_to_words(name), value)]


def _format_entry(name: str, value: Any) -> list[str]:
    if isinstance(value, dict) and value:
        return [f"{name}:", *("  " + line for line in _format_mapping(value))]
    if isinstance(value, list) and value:
        return [f"{name}:", *(line for item in value for line in _format_item(item))]
    return [f"{name}: {_format_scalar(value)}".rstrip()]


def _format_item(value: Any) -> list[str]:
    lines = _format_mapping(value) if isinstance(value, dict) else [_format_scalar(value)]
    return [("  " if number else "- ") + line for number, line in enumerate(lines)]


def _to_words(name: str) -> str:
    spaced_name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|_", " ", name)
    return " ".join(word[:1].upper() + word[1:] for word in spaced_name.split())


def _format_scalar(value: object) -> str:
    if isinstance(value, str):
        return "'{}'".format(value.replace("'", "''")) if _NEEDS_QUOTES.fullmatch(value) else value
    return "" if value is None else serialize(value)


def show_progress(text: str) -> AbstractContextManager[object]:
    """Show a spinner while the context lasts, on terminals only: a log of a CI job should not have one."""
    if not sys.stderr.isatty():
        return contextlib.nullcontext()
    from rich.console import Console  # noqa: PLC0415 - needed on terminals only, and slow to load

    return Console(stderr=True).status(text)


def print_failure(error: TreatyError, *, as_json: bool, on_stderr: bool) -> None:
    """Print an error, in red or as JSON. Its hint is printed to stderr, so that stdout has the original's text only."""
    if as_json and isinstance(error, Refused):
        print_line(error.body or "{}")
    elif as_json:
        print_line(serialize_spaced({"error": {"message": str(error)}}))
    elif on_stderr:
        print_error(str(error))
    else:
        print_line(red(str(error)))
    print_hint(error)


def print_hint(error: TreatyError) -> None:
    if isinstance(error, ClientError) and error.hint:
        print_error(error.hint)
