"""Shared parts of the commands that work on a server's database, so that they need no credentials."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from functools import wraps
from typing import TYPE_CHECKING, Any, Final

import click

from treaty.cli.program import Failure
from treaty.errors import Invalid, TreatyError
from treaty.settings import read_settings

if TYPE_CHECKING:
    from collections.abc import Callable


def with_settings(command: Callable[..., None]) -> Callable[..., None]:
    """Add the option for the database to a command, call it with the settings, and print its errors to stderr."""

    @wraps(command)
    def run(database_url: str | None, **values: Any) -> None:
        try:
            command(read_settings({"database_url": database_url}), **values)
        except Invalid as error:
            fail("; ".join(f"{'.'.join(map(str, problem.path))} {problem.text}" for problem in error.problems))
        except TreatyError as error:
            fail(str(error))

    return click.option("--database-url", metavar="URL", help="The server's database (default as for `treaty serve`).")(
        run
    )


def fail(text: str) -> None:
    click.echo(f"{command_path()}: {text}", err=True)
    sys.exit(1)


def command_path() -> str:
    """Return the name of the command in errors and in the audit trail, such as `treaty user add`."""
    return click.get_current_context().command_path


def current_time() -> datetime:
    return datetime.now(UTC)


FORM_OPTION: Final = click.option(
    "--output", "form", type=click.Choice(["table", "json"]), default="table", help="The output format."
)


def read_secret(title: str, *, is_piped: bool, option: str) -> str:
    """Read a secret from stdin or a prompt; an argument would be visible in the process list and shell history.

    Raises Failure without a terminal, with the `option` that pipes it in.
    """
    if is_piped:
        return sys.stdin.readline().rstrip("\r\n")
    if not sys.stdin.isatty():
        raise Failure(f"There is no terminal to prompt for a {title.lower()}. Pipe it in with {option}.")
    return str(click.prompt(title, hide_input=True, confirmation_prompt=True, err=True))
