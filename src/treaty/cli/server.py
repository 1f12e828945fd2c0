"""Commands that run the server, check its data, and rotate its key."""

import shlex
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import click

from treaty.cli import variables
from treaty.cli.program import ServerCommand
from treaty.cli.setting_options import ServeCommand, merge_repeated_values, options_of_settings
from treaty.errors import InvalidSetting
from treaty.loading import hidden_package, permanent_objects
from treaty.settings import Settings, read_settings

_OPEN_TO_ALL: Final = "Until there is a user, everyone who can reach this address may read and write."
_OPEN_TO_MACHINE: Final = "Until there is a user, everyone on this machine may read and write."
_CLOSED: Final = (
    "There is no user yet, and requests need credentials: {obstacle}.",
    "TREATY_OPEN_ACCESS=true would give everyone full access.",
)


@click.command(cls=ServeCommand, params=options_of_settings())
def serve(**options: object) -> None:
    """Start the Pact Broker.

    Each setting can be given as an option, as TREATY_<NAME>, with the original broker's name PACT_BROKER_<NAME>, or in
    treaty.toml in the current folder. Passwords and keys have no options, because other users can read the command
    lines of processes.
    """
    # structlog would load rich for tracebacks with colours, which servers do not write.
    with permanent_objects(), hidden_package("rich"):
        from treaty import app  # noqa: PLC0415 - the server's packages are loaded only to serve

    variables.warn_of_unknown()
    try:
        settings = read_settings(merge_repeated_values(options))
        app.serve(settings, announce=lambda addresses: _announce(settings, addresses))
    except InvalidSetting as error:
        click.echo(f"treaty serve: {error}", err=True)
        sys.exit(1)


@click.command(cls=ServerCommand)
@click.option("--database-url", metavar="URL", help="The database to check (default as for `treaty serve`).")
@click.option("--fix", "fixes", is_flag=True, help="Repair what is wrong.")
def doctor(database_url: str | None, *, fixes: bool) -> None:
    """Check the integrity of the data, and repair it with --fix.

    Also reports the age of the latest backup, and what losing the disk now would cost. Exits with 1 if something is
    wrong and was not repaired. Servers may be running.
    """
    from treaty import app  # noqa: PLC0415 - the server's packages are loaded only where they are needed

    try:
        settings = read_settings({"database_url": database_url})
        findings = app.check_integrity(settings, fixes=fixes)
        progress = app.load_index_progress(settings)
        engine = app.load_engine_progress(settings)
        latest_backup = app.load_backup_status(settings)
    except InvalidSetting as error:
        click.echo(f"treaty doctor: {error}", err=True)
        sys.exit(1)
    for finding in findings:
        status = "ok   " if not finding.broken else "fixed" if fixes else "WRONG"
        click.echo(f"{status}  {finding.rule}" + (f": {finding.broken} wrong" if finding.broken else ""))
    if progress.indexed < progress.contents:
        counts = f"{progress.indexed} of {progress.contents}"
        click.echo(f"wait   the usage index covers {counts} contents of pacts; a running server indexes the others")
    if engine.is_noteworthy:
        click.echo(f"wait   {engine.summary}")
    click.echo(f"backup {latest_backup.describe(datetime.now(UTC))}")
    broken = sum(finding.broken for finding in findings)
    if broken and not fixes:
        click.echo(f"{broken} rows are wrong. `treaty doctor --fix` repairs them.", err=True)
        sys.exit(1)


@click.command(cls=ServerCommand)
@click.option("--database-url", metavar="URL", help="The database with the secrets (default as for `treaty serve`).")
@click.option("--finish", "removes_old_keys", is_flag=True, help="Remove former keys that are no longer needed.")
def rotate_key(database_url: str | None, *, removes_old_keys: bool) -> None:
    """Re-encrypt secrets, such as those of webhooks, with a new key.

    Adds a new key to the key file; with secret_key set, uses that key instead. Servers may be running, and the command
    can be repeated after an interruption. Former keys still decrypt old secrets, such as those in backups, until
    --finish.
    """
    from treaty import app  # noqa: PLC0415 - the server's packages are loaded only where they are needed
    from treaty.workers import key_rotation  # noqa: PLC0415 - the server's packages are loaded only where they are needed

    try:
        settings = read_settings({"database_url": database_url})
        app.rotate_key(settings, removes_old_keys=removes_old_keys, report=click.echo)
    except key_rotation.RotationInProgress:
        click.echo("treaty rotate-key: another key rotation is running. Wait until it has finished.", err=True)
        sys.exit(1)
    except (InvalidSetting, key_rotation.UndecryptableSecrets) as error:
        click.echo(f"treaty rotate-key: {error}", err=True)
        sys.exit(1)
    if not removes_old_keys:
        click.echo(_next_step(settings))


def _next_step(settings: Settings) -> str:
    if settings.secret_key is None:
        return "Next, `treaty rotate-key --finish` removes the former key. Backups made until now still need it."
    return (
        "`treaty rotate-key --finish` checks whether previous_secret_keys can be removed. To change to a new key, set "
        "secret_key of each server to it, and add the former key to previous_secret_keys."
    )


def _announce(settings: Settings, addresses: Sequence[str]) -> None:
    """Print the address, and a line for each fact. The link for the first user comes last, where it is seen."""
    address = settings.base_urls[0] if settings.base_urls else addresses[0]
    facts = [
        *(f"and at {other}" for other in addresses[1:] if not settings.base_urls),
        *_describe_data(settings),
        f"Publish a pact: pact-broker publish ./pacts --consumer-app-version 1 --branch main {_target(address)}",
        *_describe_access(settings, address),
    ]
    click.echo("\n".join([f"Treaty is at {address}", *(f"  {fact}" for fact in facts)]), err=True)


def _target(address: str) -> str:
    return f"--broker-base-url {shlex.quote(address)}"


def _describe_data(settings: Settings) -> list[str]:
    if not settings.database_url.startswith("sqlite:///"):
        return []
    return [f"Its data is in {Path(settings.database_url.removeprefix('sqlite:///')).absolute()}"]


def _describe_access(settings: Settings, address: str) -> list[str]:
    """Describe who has access to a server without users, and how to create the first one."""
    from treaty import app  # noqa: PLC0415 - the server's packages are loaded only to serve
    from treaty.store.accounts import accounts  # noqa: PLC0415 - likewise
    from treaty.web.security import open_access  # noqa: PLC0415 - likewise

    if settings.basic_auth_username is not None or app.read_database(settings, accounts.has_any):
        return []
    obstacle = open_access.find_settings_obstacle(settings)
    open_access_text = _OPEN_TO_ALL if settings.open_access else _OPEN_TO_MACHINE
    lines = [open_access_text] if obstacle is None else [line.format(obstacle=obstacle) for line in _CLOSED]
    link = app.create_setup_link(settings, address)
    if link:
        return [*lines, f"Create the first user, an administrator (the link works once, within 24 hours): {link}"]
    return [*lines, "Create the first user, an administrator: treaty user add NAME --role administrator"]
