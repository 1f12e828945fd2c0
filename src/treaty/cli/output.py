"""Output of the command line: colours, notices, tables, progress and failures."""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import shutil
import sys
from typing import TYPE_CHECKING, Any, Final, TextIO

import click

from treaty.cli import tables
from treaty.errors import ClientError, Refused, TreatyError, Unreachable
from treaty.exact_json import parse_json, serialize, serialize_indented, serialize_spaced

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
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
_NEEDS_QUOTES: Final = re.compile(
    r"\d{4}-\d\d-\d\d.*|[-+]?[\d.]+|true|false|yes|no|on|off|null|~|[-?:,\[\]{}#&*!|>'\"%@`].*|.*: .*|.* #.*|",
    re.IGNORECASE,
)


def is_coloured() -> bool:
    """Whether to print colours: FORCE_COLOR, CLICOLOR_FORCE and NO_COLOR take precedence over the terminal."""
    if any(os.environ.get(name, "0") != "0" for name in ("FORCE_COLOR", "CLICOLOR_FORCE")):
        return True
    return not os.environ.get("NO_COLOR") and is_terminal(sys.stdout)


def is_terminal(stream: TextIO | None) -> bool:
    """Whether a stream is a terminal. A program that was started without stdout or stderr has none."""
    return stream is not None and not stream.closed and stream.isatty()


def replace_unencodable_characters() -> None:
    """Print `?` for characters that the terminal's encoding lacks, instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def print_line(text: str = "") -> None:
    click.echo(text)


def format_command(*words: str) -> str:
    """Return a command of the client, quoted for a shell."""
    return quote_command("pact-broker", *words)


def quote_command(*words: str) -> str:
    # Placeholders such as VERSION need no quotes.
    return shlex.join(words)


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


MAX_EXEMPTIONS: Final = 6
"""Lines that name what makes an answer yes although results are missing or failed."""


def format_verdict_notices(body: Json) -> str:
    """Format the notices of a decision. Of a yes by overrides or policies, which may have many, only the first."""
    reasons = body.get("reasons") or []
    is_exempt = any("override" in reason or "allowedBy" in reason for reason in reasons)
    if not is_exempt or not _is_yes(body):
        return format_notices(body if "notices" in body else {"notices": reasons})
    shown = reasons if len(reasons) <= MAX_EXEMPTIONS else reasons[: MAX_EXEMPTIONS - 1]
    lines = [_format_notice(reason["text"], _COLOURS.get(reason.get("type", ""))) for reason in shown]
    hidden = len(reasons) - len(shown)
    return "\n".join([*lines, *([f"… and {hidden} more, see --output json."] if hidden else [])])


def _is_yes(body: Json) -> bool:
    return (body.get("summary") or body).get("deployable") is True


def format_publication(response: HalResource | Refused) -> str:
    """Format the notices of a publication; for a refused one without notices, its response body."""
    body = parse_if_json(response.body)
    text = format_notices(body) if isinstance(body, dict) else ""
    return text or (red(describe_failure(response)) if isinstance(response, Refused) else "")


# Brokers fill in the tags of a version, of which there may be none.
_UNTAGGED_WITH_GAP: Final = "same as previous versions with tags  and no new tags were applied"
_UNTAGGED: Final = "same as that of the previous untagged version"


def _format_notice(text: str, colour: str | None) -> str:
    complete_text = text.replace(_UNTAGGED_WITH_GAP, _UNTAGGED)
    text_with_links = re.sub(r"https?://\S+", lambda url: click.style(url[0], fg="magenta"), complete_text)
    return click.style(text_with_links, fg=colour) if colour else text_with_links


def format_table(headings: Sequence[str], rows: Sequence[Sequence[object]], *, whole: Collection[str] = ()) -> str:
    """Format rows as the original client does, in columns separated by `|`. Without rows, the text is empty.

    On a terminal, cells are cut so that the table fits, except in the columns `whole`. Elsewhere nothing is cut, since
    logs are searched.
    """
    # COLUMNS takes precedence over the size of the terminal.
    width = shutil.get_terminal_size().columns if is_terminal(sys.stdout) else None
    return tables.format_table(headings, rows, whole=whole, width=width)


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
    if not is_terminal(sys.stderr):
        return contextlib.nullcontext()
    from rich.console import Console  # noqa: PLC0415 - needed on terminals only, and slow to load

    return Console(stderr=True).status(text)


def print_failure(error: TreatyError, *, as_json: bool, on_stderr: bool) -> None:
    """Print an error, in red or as JSON. Its hint is printed to stderr, so that stdout has the original's text only."""
    text = describe_failure(error)
    if as_json:
        print_line(_failure_json(error, text))
    elif on_stderr:
        print_error(text)
    else:
        print_line(red(text))
    if as_json and isinstance(error, Refused) and error.missing_name:
        print_error(error.missing_name)
    print_hint(error)


def describe_failure(error: TreatyError) -> str:
    """Describe an error in a line: for an unreachable broker with the next step."""
    if isinstance(error, Refused) and error.missing_name:
        return error.missing_name
    return f"{error} {error.hint}".rstrip() if isinstance(error, Unreachable) else str(error)


def _failure_json(error: TreatyError, text: str) -> str:
    """Return the broker's response, as the original client does, or else the text as JSON."""
    if isinstance(error, Refused) and (not error.body or isinstance(parse_if_json(error.body), (dict, list))):
        return error.body or "{}"
    return serialize_spaced({"error": {"message": text}})


def print_hint(error: TreatyError) -> None:
    """Print the next step after an error, unless the line about the error has it, or names a misspelt name."""
    has_own_step = isinstance(error, Unreachable) or (isinstance(error, Refused) and error.missing_name)
    if isinstance(error, ClientError) and error.hint and not has_own_step:
        print_error(error.hint)
