"""How the command line says things: colours, notices, tables, progress and failures."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import sys
from typing import TYPE_CHECKING, Any, Final

import click

from treaty.errors import ClientError, Refused, TreatyError

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
_LEVELS: Final = _COLOURS | {"info": "green"}
_CELL: Final = 30
_LOOKS_LIKE_NO_TEXT: Final = re.compile(
    r"\d{4}-\d\d-\d\d.*|[-+]?[\d.]+|true|false|yes|no|on|off|null|~|[-?:,\[\]{}#&*!|>'\"%@`].*|.*: .*|.* #.*|",
    re.IGNORECASE,
)


def is_coloured() -> bool:
    """Follow the terminal, unless the environment knows better."""
    if any(os.environ.get(name, "0") != "0" for name in ("FORCE_COLOR", "CLICOLOR_FORCE")):
        return True
    return not os.environ.get("NO_COLOR") and sys.stdout.isatty()


def replace_unencodable_characters() -> None:
    """Show `?` for what a terminal's character set lacks, instead of failing."""
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
    """Name the broker as its index shows it to be."""
    return "PactFlow" if resource.is_pactflow else "the Pact Broker"


def format_notices(body: Json) -> str:
    """Give what the broker has to tell, in its colours: `notices`, or the `logs` of older brokers."""
    if body.get("notices"):
        return "\n".join(_notice(each["text"], _COLOURS.get(each.get("type", ""))) for each in body["notices"])
    logs = body.get("logs") or []
    return "\n".join(_notice(each["message"], _LEVELS.get(each.get("level", ""))) for each in logs)


def format_publication(answer: HalResource | Refused) -> str:
    """Give what there is to tell of a publication; of one that was refused, at least the bare answer."""
    body = parse_if_json(answer.body)
    text = format_notices(body) if isinstance(body, dict) else ""
    return text or (red(answer.body or str(answer)) if isinstance(answer, Refused) else "")


def _notice(text: str, colour: str | None) -> str:
    marked = re.sub(r"https?://\S+", lambda url: click.style(url[0], fg="magenta"), text)
    return click.style(marked, fg=colour) if colour else marked


def format_table(
    headings: Sequence[str],
    rows: Sequence[Sequence[object]],
    *,
    max_widths: Mapping[str, int | None] | None = None,
) -> str:
    """Lay out rows; cells are cut to 30 characters unless `widest` says otherwise (None: never). No rows, no table."""
    if not rows:
        return ""
    limits = [(max_widths or {}).get(heading, _CELL) for heading in headings]
    cells = [headings] + [[_cut(cell, limit) for cell, limit in zip(row, limits, strict=True)] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [" | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in cells]
    return "\n".join([lines[0], "-|-".join("-" * width for width in widths), *lines[1:]])


def _cut(cell: object, limit: int | None) -> str:
    text = "" if cell is None else str(cell)
    return text if limit is None or len(text) <= limit else text[: limit - 3] + "..."


def show(answer: HalResource, form: str, text: str) -> None:
    """Show an answer in the form that was asked for; `text` is what people read."""
    match form:
        case "json":
            print_line(answer.text)
        case "pretty":
            print_line(format_indented(answer.body))
        case "id":
            print_line(str(answer.body.get("uuid", "")))
        case _:
            print_if_any(text)


def show_value(value: object, form: str) -> None:
    print_line(format_indented(value) if form == "pretty" else json.dumps(value, ensure_ascii=False))


def format_array(bodies: Sequence[Json | str], form: str) -> str:
    """Write several answers as one array: on a line, unless `form` is pretty. A text is an answer yet unread."""
    values = [parse_if_json(body) for body in bodies]
    return format_indented(values) if form == "pretty" else json.dumps(values, ensure_ascii=False)


def parse_if_json(body: Json | str) -> Any:
    """Read a body that is still text, if it can be read."""
    try:
        return json.loads(body) if isinstance(body, str) else body
    except ValueError:
        return body


def format_indented(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)


def format_properties(body: Json) -> str:
    """Write a resource's properties for people, in the manner of YAML."""
    shown = {name: value for name, value in body.items() if name not in {"_links", "_embedded"}}
    return "\n".join(_mapping(shown))


def _mapping(values: Json) -> list[str]:
    return [line for name, value in values.items() for line in _entry(_words(name), value)]


def _entry(name: str, value: Any) -> list[str]:
    if isinstance(value, dict) and value:
        return [f"{name}:", *("  " + line for line in _mapping(value))]
    if isinstance(value, list) and value:
        return [f"{name}:", *(line for item in value for line in _item(item))]
    return [f"{name}: {_scalar(value)}".rstrip()]


def _item(value: Any) -> list[str]:
    lines = _mapping(value) if isinstance(value, dict) else [_scalar(value)]
    return [("  " if number else "- ") + line for number, line in enumerate(lines)]


def _words(name: str) -> str:
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|_", " ", name)
    return " ".join(word[:1].upper() + word[1:] for word in spaced.split())


def _scalar(value: object) -> str:
    if isinstance(value, str):
        return "'{}'".format(value.replace("'", "''")) if _LOOKS_LIKE_NO_TEXT.fullmatch(value) else value
    return "" if value is None else json.dumps(value)


def show_progress(text: str) -> AbstractContextManager[object]:
    """Show that something goes on, where somebody watches."""
    if not sys.stderr.isatty():
        return contextlib.nullcontext()
    from rich.console import Console  # noqa: PLC0415 - needed on terminals only, and slow to load

    return Console(stderr=True).status(text)


def print_failure(error: TreatyError, *, as_json: bool, on_stderr: bool) -> None:
    """Report what went wrong: to people in red, to programs as JSON; what to do next goes to stderr."""
    if as_json:
        print_line(_failure_json(error))
    elif on_stderr:
        print_error(str(error))
    else:
        print_line(red(str(error)))
    print_hint(error)


def print_hint(error: TreatyError) -> None:
    if isinstance(error, ClientError) and error.hint:
        print_error(error.hint)


def _failure_json(error: TreatyError) -> str:
    if isinstance(error, Refused):
        return error.body or "{}"
    return json.dumps({"error": {"message": str(error)}}, ensure_ascii=False)
