"""The server's commands."""

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from treaty.cli.program import ServerCommand
from treaty.errors import InvalidSetting
from treaty.settings import Settings, read_settings

if TYPE_CHECKING:
    from treaty.actions.maintenance.integrity import IntegrityFinding


@click.command(cls=ServerCommand)
@click.option("--host", help="Address to listen on (default 127.0.0.1).")
@click.option("--port", type=int, help="Port to listen on (default 9292; 0 takes a free one).")
@click.option(
    "--database-url",
    metavar="URL",
    help="sqlite:///file.sqlite or postgresql://… (default sqlite:///treaty.sqlite).",
)
@click.option("--workers", type=int, help="Processes that answer requests (default 1).")
@click.option(
    "--base-url",
    "base_urls",
    multiple=True,
    metavar="URL",
    help="Address under which clients see the broker; may be repeated.",
)
@click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warn", "error", "fatal"]),
    help="Least level to log (default info).",
)
@click.option("--log-format", type=click.Choice(["default", "json", "color"]), help="Lines for people, or JSON.")
@click.option("--example-data/--no-example-data", default=None, help="Put example data into an empty database.")
def serve(**options: object) -> None:
    """Start the Pact Broker.

    Each option can also be given as TREATY_<OPTION>, under the original broker's name PACT_BROKER_<OPTION>, or in
    treaty.toml in this folder.
    """
    from treaty import app  # noqa: PLC0415 - the server's packages are loaded only to serve

    options["base_urls"] = options["base_urls"] or None
    try:
        settings = read_settings(options)
        app.serve(settings, announce=lambda address: _announce(settings, address))
    except InvalidSetting as error:
        click.echo(f"treaty serve: {error}", err=True)
        sys.exit(1)


@click.command(cls=ServerCommand)
@click.option("--database-url", metavar="URL", help="The database to look over (default as for `treaty serve`).")
@click.option("--fix", "fixes", is_flag=True, help="Mend what is wrong.")
def doctor(database_url: str | None, *, fixes: bool) -> None:
    """Look the data over: count again what is kept so that answers are quick.

    Ends with 1 when something is wrong and was not mended. It may run while servers do.
    """
    from treaty import app  # noqa: PLC0415 - the server's packages are loaded only where they are needed

    try:
        findings = app.check_integrity(read_settings({"database_url": database_url}), fixes=fixes)
    except InvalidSetting as error:
        click.echo(f"treaty doctor: {error}", err=True)
        sys.exit(1)
    for finding in findings:
        click.echo(f"{'ok   ' if not finding.broken else 'fixed' if fixes else 'WRONG'}  {_told(finding)}")
    broken = sum(finding.broken for finding in findings)
    if broken and not fixes:
        click.echo(f"{broken} rows are wrong. `treaty doctor --fix` mends them.", err=True)
        sys.exit(1)


def _told(finding: "IntegrityFinding") -> str:
    return finding.rule if not finding.broken else f"{finding.rule}: {finding.broken} wrong"


@click.command(cls=ServerCommand)
@click.option("--database-url", metavar="URL", help="The database with the secrets (default as for `treaty serve`).")
@click.option("--finish", "removes_old_keys", is_flag=True, help="Take the older keys away, once nothing needs them.")
def rotate_key(database_url: str | None, *, removes_old_keys: bool) -> None:
    """Change the key that secrets, such as those of webhooks, are sealed with.

    Adds a new key to the key file, and seals all secrets anew; with secret_key set, seals them with it. It may run
    while servers do, and be called again after it was interrupted. Older keys open what they sealed until --finish.
    """
    from treaty import app  # noqa: PLC0415 - the server's packages are loaded only where they are needed
    from treaty.workers import key_rotation  # noqa: PLC0415 - the server's packages are loaded only where they are needed

    try:
        settings = read_settings({"database_url": database_url})
        app.rotate_key(settings, removes_old_keys=removes_old_keys, report=click.echo)
    except key_rotation.RotationInProgress:
        click.echo("treaty rotate-key: the key is being changed already; wait for that to end.", err=True)
        sys.exit(1)
    except (InvalidSetting, key_rotation.UndecryptableSecrets) as error:
        click.echo(f"treaty rotate-key: {error}", err=True)
        sys.exit(1)
    if not removes_old_keys:
        click.echo(_next_step(settings))


def _next_step(settings: Settings) -> str:
    if settings.secret_key is None:
        return "Next, `treaty rotate-key --finish` takes the former key away. Backups made until now need it still."
    return (
        "`treaty rotate-key --finish` says whether previous_secret_keys may go. To change to a new key, give it as "
        "secret_key to each server, and the former one in previous_secret_keys."
    )


def _announce(settings: Settings, address: str) -> None:
    address = settings.base_urls[0] if settings.base_urls else address
    publish = "pact-broker publish ./pacts --consumer-app-version 1 --branch main --broker-base-url"
    lines = [f"Treaty is at {address}", *_about_data(settings), *_about_access(settings, address)]
    lines += [
        "  Publish a pact:",
        f"    {publish} {shlex.quote(address)}",
    ]
    click.echo("\n".join(lines), err=True)


def _about_data(settings: Settings) -> list[str]:
    if not settings.database_url.startswith("sqlite:///"):
        return []
    return [f"  Its data is in {Path(settings.database_url.removeprefix('sqlite:///')).absolute()}"]


def _about_access(settings: Settings, address: str) -> list[str]:
    from treaty import app  # noqa: PLC0415 - the server's packages are loaded only to serve
    from treaty.store.accounts import accounts  # noqa: PLC0415 - likewise
    from treaty.web.security import open_access  # noqa: PLC0415 - likewise

    if settings.basic_auth_username is not None or app.read_database(settings, accounts.has_any):
        return []
    obstacle = open_access.find_settings_obstacle(settings)
    open_to = _OPEN_TO_ALL if settings.open_access else _OPEN_TO_MACHINE
    lines = [open_to if obstacle is None else _CLOSED.format(obstacle=obstacle)]
    link = app.create_setup_link(settings, address)
    if link:
        lines.append("  Make the first one, an administrator, by this link. It works once, within a day:")
        return [*lines, f"    {link}"]
    return [*lines, "  Make the first one, an administrator: treaty user add NAME --role administrator"]


_OPEN_TO_ALL: Final = "  Everybody who reaches this address may read and write, until there is a user."
_OPEN_TO_MACHINE: Final = "  Everybody on this machine may read and write, until there is a user."
_CLOSED: Final = (
    "  Nobody can sign in yet, and requests need credentials: {obstacle}.\n"
    "  TREATY_OPEN_ACCESS=true would let everybody do everything."
)
