"""Commands that manage the secrets that webhooks use by name. They work on the server's database."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from treaty import app
from treaty.actions.webhooks import named_secrets as secret_actions
from treaty.actions.webhooks.named_secrets import SecretDraft
from treaty.cli import output
from treaty.cli.database_commands import FORM_OPTION, command_path, current_time, read_secret, with_settings
from treaty.cli.program import Failure, ServerCommand
from treaty.errors import NotFound
from treaty.spelling import suggest_names
from treaty.store.engine.vault import get_vault
from treaty.store.webhooks import named_secrets

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection

    from treaty.model.webhooks.named_secrets import NamedSecret, SecretUse
    from treaty.settings import Settings
    from treaty.store.engine.vault import Vault

_VALUE_OPTIONS: Final = (
    click.option(
        "--value-stdin", "is_piped", is_flag=True, help="Read the value from standard input instead of asking."
    ),
    click.option(
        "--value-file",
        "path",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="Read the value from a file.",
    ),
)
_PROPERTY_OPTIONS: Final = (
    click.option("--description", help="What the secret is for."),
    click.option(
        "--origin",
        "origins",
        multiple=True,
        metavar="ORIGIN",
        help="A server that it may be sent to, such as https://ci.example.org. May be repeated.",
    ),
)


def _add_options(*options: Callable[..., Any]) -> Callable[..., Any]:
    def add(command: Callable[..., None]) -> Callable[..., None]:
        for option in reversed(options):
            command = option(command)
        return command

    return add


@click.command("create", cls=ServerCommand)
@click.argument("name")
@_add_options(*_PROPERTY_OPTIONS, *_VALUE_OPTIONS)
@with_settings
def create_secret(
    settings: Settings,
    name: str,
    path: Path | None,
    description: str | None,
    *,
    origins: tuple[str, ...],
    is_piped: bool,
) -> None:
    """Create a secret, which webhooks use as ${user.NAME}.

    It is sent only to the servers of --origin, and to those of webhooks that an administrator saves with it.
    """
    value = _read_value(path, is_piped=is_piped)
    draft = SecretDraft(name=name, value=value, description=description, origins=origins)
    _write(settings, lambda db, vault: secret_actions.add_secret(db, draft, vault=vault, now=current_time()))
    output.print_line(f"Created {name}. Webhooks use it as ${{user.{name}}}.")
    if not origins:
        output.print_error("It has no --origin, so only an administrator can save the first webhook that uses it.")


@click.command("update", cls=ServerCommand)
@click.argument("name")
@click.option("--rename", metavar="NAME", help="The new name. Webhooks must not use the former name any more.")
@click.option("--value", "asks_value", is_flag=True, help="Ask for a new value.")
@_add_options(*_PROPERTY_OPTIONS, *_VALUE_OPTIONS)
@with_settings
def update_secret(
    settings: Settings,
    name: str,
    rename: str | None,
    path: Path | None,
    description: str | None,
    *,
    origins: tuple[str, ...],
    asks_value: bool,
    is_piped: bool,
) -> None:
    """Change a secret: its value, description, servers or name. Other properties stay unchanged.

    --origin replaces all servers that it may be sent to.
    """
    has_value = asks_value or is_piped or path is not None
    if not has_value and rename is None and description is None and not origins:
        raise Failure("There is nothing to change. Give --value, --value-stdin, --origin, --description or --rename.")
    draft = SecretDraft(
        name=rename,
        value=_read_value(path, is_piped=is_piped) if has_value else None,
        description=description,
        keeps_description=description is None,
        origins=origins or None,
    )
    _write(
        settings,
        lambda db, vault: secret_actions.change_secret(db, _get_uuid(db, name), draft, vault=vault, now=current_time()),
    )
    output.print_line(f"Changed {name}.")


@click.command("list", cls=ServerCommand)
@FORM_OPTION
@with_settings
def list_secrets(settings: Settings, form: str) -> None:
    """List the secrets and the webhooks that use them. Values are never shown."""
    vault = get_vault(settings)
    secrets, uses = app.read_database(
        settings, lambda db: (named_secrets.list_all(db), secret_actions.list_uses(db, vault))
    )
    if form == "json":
        listed = [_secret_json(secret, uses.get(secret.name, [])) for secret in secrets]
        output.print_line(output.format_indented(listed))
        return
    rows = [
        (
            secret.name,
            secret.description,
            " ".join(secret.origins),
            ", ".join(use.title for use in uses.get(secret.name, [])),
        )
        for secret in secrets
    ]
    headings = ["NAME", "DESCRIPTION", "MAY BE SENT TO", "USED BY"]
    output.print_line(output.format_table(headings, rows) or "There are no secrets.")


def _secret_json(secret: NamedSecret, uses: list[SecretUse]) -> dict[str, object]:
    return {
        "uuid": secret.uuid,
        "name": secret.name,
        "description": secret.description,
        "allowedOrigins": list(secret.origins),
        "webhooks": [use.webhook for use in uses],
        "createdAt": secret.created_at.isoformat(),
        "updatedAt": secret.updated_at.isoformat(),
    }


@click.command("delete", cls=ServerCommand)
@click.argument("name")
@click.option("--force", "is_forced", is_flag=True, help="Delete it even if webhooks use it, which then fail.")
@with_settings
def delete_secret(settings: Settings, name: str, *, is_forced: bool) -> None:
    """Delete a secret that no webhook uses."""
    _write(
        settings,
        lambda db, vault: secret_actions.remove_secret(db, _get_uuid(db, name), vault=vault, is_forced=is_forced),
    )
    output.print_line(f"Deleted {name}.")


def _read_value(path: Path | None, *, is_piped: bool) -> str:
    if path is not None:
        return path.read_text("utf-8").rstrip("\r\n")
    return read_secret("Value", is_piped=is_piped, option="--value-stdin or --value-file")


def _write(settings: Settings, work: Callable[[Connection, Vault], object]) -> None:
    app.write_encrypted(settings, work, name=command_path(), report=output.print_error)


def _get_uuid(db: Connection, name: str) -> str:
    secret = named_secrets.find_by_name(db, name)
    if secret is None:
        suggestion = suggest_names(name, [secret.name for secret in named_secrets.list_all(db)])
        advice = suggestion or "`treaty secret list` shows the existing ones."
        raise NotFound(f"There is no secret with the name '{name}'. {advice}")
    return secret.uuid
