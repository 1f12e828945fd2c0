"""The commands that say who may use a server: its users and their tokens. They work on its database."""

from __future__ import annotations

import re
import shlex
import sys
from datetime import UTC, datetime, timedelta
from functools import wraps
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from treaty import app
from treaty.actions.accounts import accounts as account_actions
from treaty.actions.accounts import credentials
from treaty.cli import output
from treaty.cli.program import Failure, ServerCommand
from treaty.errors import Invalid, NotFound, TreatyError
from treaty.model.accounts import passwords
from treaty.model.accounts.access import Account, Role, Token
from treaty.settings import Settings, read_settings
from treaty.store.accounts import accounts, tokens

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection

T = TypeVar("T")

_ROLES: Final = [role.value for role in Role]


def _working(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command its database, and tell its failures on stderr."""

    @wraps(command)
    def work(database_url: str | None, **given: Any) -> None:
        try:
            command(read_settings({"database_url": database_url}), **given)
        except Invalid as error:
            _fail("; ".join(f"{'.'.join(map(str, one.path))} {one.text}" for one in error.problems))
        except TreatyError as error:
            _fail(str(error))

    return click.option("--database-url", metavar="URL", help="The server's database (default as for `treaty serve`).")(
        work
    )


def _fail(text: str) -> None:
    click.echo(f"{_name()}: {text}", err=True)
    sys.exit(1)


def _name() -> str:
    """Name the command, as failures and the audit trail have it."""
    return click.get_current_context().command_path


def _write(settings: Settings, work: Callable[[Connection], T]) -> T:
    return app.write_database(settings, work, name=_name())


def _now() -> datetime:
    return datetime.now(UTC)


_AS: Final = click.option("--output", "form", type=click.Choice(["table", "json"]), default="table", help="The form.")
_FROM_STDIN: Final = click.option(
    "--password-stdin", "is_piped", is_flag=True, help="Read the password from standard input instead of asking."
)


# Users


@click.command("add", cls=ServerCommand)
@click.argument("name")
@click.option("--role", type=click.Choice(_ROLES), default=Role.READ_WRITE.value, show_default=True, help="What for.")
@click.option("--email", help="An e-mail address.")
@click.option("--system", "is_system", is_flag=True, help="A system account: it has tokens, and no password.")
@_FROM_STDIN
@_working
def add_user(settings: Settings, name: str, role: str, email: str | None, *, is_system: bool, is_piped: bool) -> None:
    """Add a user.

    From the first user on, the server asks everybody who they are.
    """
    its_hash = None if is_system else passwords.hash_password(_password((name, email or ""), is_piped=is_piped))
    draft = account_actions.AccountDraft(
        name=name, role=Role(role), email=email, password=its_hash, is_system=is_system
    )
    # The first user may come before the server, which is then never open: so the database need not exist yet.
    one = app.write_database(
        settings, lambda db: account_actions.add_account(db, draft, now=_now()), name=_name(), may_create=True
    )
    output.print_line(f"Added {one.name}, {one.role.value}.")
    if is_system:
        output.print_error(f"Make it a token: treaty token create --user {shlex.quote(one.name)} --name NAME")


def _password(known: tuple[str, str], *, is_piped: bool) -> str:
    """Read a password from where it is not seen. Raises Invalid for a weak one."""
    if is_piped:
        given = sys.stdin.readline().rstrip("\r\n")
    elif sys.stdin.isatty():
        given = click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    else:
        raise Failure("There is no terminal to ask for a password: pipe it in, with --password-stdin.")
    weakness = passwords.find_weakness(given, known)
    if weakness:
        raise Invalid.member("password", weakness)
    return given


@click.command("list", cls=ServerCommand)
@_AS
@_working
def list_users(settings: Settings, form: str) -> None:
    """List the users."""
    found = app.read_database(settings, accounts.list_all)
    if form == "json":
        output.print_line(output.format_indented([_user(one) for one in found]))
    else:
        rows = [(one.name, one.role.value, _kind(one), one.email, _day(one.signed_in_at)) for one in found]
        output.print_line(
            output.format_table(["NAME", "ROLE", "KIND", "E-MAIL", "LAST SIGN-IN"], rows) or "There are no users."
        )


def _kind(one: Account) -> str:
    return ("system account" if one.is_system else "person") + ("" if one.is_active else ", disabled")


def _user(one: Account) -> dict[str, object]:
    return {
        "uuid": one.uuid,
        "name": one.name,
        "email": one.email,
        "role": one.role.value,
        "active": one.is_active,
        "system": one.is_system,
        "createdAt": one.created_at.isoformat(),
        "lastLogin": one.signed_in_at.isoformat() if one.signed_in_at else None,
    }


def _day(at: datetime | None) -> str:
    return at.strftime("%Y-%m-%d %H:%M") if at else "never"


@click.command("disable", cls=ServerCommand)
@click.argument("name")
@_working
def disable_user(settings: Settings, name: str) -> None:
    """Shut a user out: sessions end, and passwords and tokens are refused at once."""
    _write(settings, lambda db: account_actions.disable_account(db, account_actions.get_account(db, name), now=_now()))
    output.print_line(f"Disabled {name}.")


@click.command("enable", cls=ServerCommand)
@click.argument("name")
@_working
def enable_user(settings: Settings, name: str) -> None:
    """Let a user in again."""
    _write(settings, lambda db: account_actions.enable_account(db, account_actions.get_account(db, name), now=_now()))
    output.print_line(f"Enabled {name}.")


@click.command("password", cls=ServerCommand)
@click.argument("name")
@_FROM_STDIN
@_working
def set_password(settings: Settings, name: str, *, is_piped: bool) -> None:
    """Give a user another password. It ends the user's sessions."""
    one = app.read_database(settings, lambda db: account_actions.get_account(db, name))
    its_hash = passwords.hash_password(_password((one.name, one.email or ""), is_piped=is_piped))
    _write(
        settings,
        lambda db: account_actions.set_password(db, account_actions.get_account(db, name), its_hash, now=_now()),
    )
    output.print_line(f"{one.name} has another password.")


@click.command("role", cls=ServerCommand)
@click.argument("name")
@click.argument("role", type=click.Choice(_ROLES))
@_working
def set_role(settings: Settings, name: str, role: str) -> None:
    """Let a user do more, or less."""
    _write(
        settings, lambda db: account_actions.set_role(db, account_actions.get_account(db, name), Role(role), now=_now())
    )
    output.print_line(f"{name} is {role} now.")


# Tokens


_AGE: Final = re.compile(r"(\d{1,5})([dhm])")
_UNITS: Final = {"d": "days", "h": "hours", "m": "minutes"}


def _lasting(text: str | None) -> timedelta | None:
    if text is None:
        return None
    found = _AGE.fullmatch(text)
    if found is None:
        raise click.BadParameter("must be a number of days, hours or minutes, such as 90d, 12h or 30m")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


@click.command("create", cls=ServerCommand)
@click.option("--user", required=True, help="Whose token it is: a user, or a system account.")
@click.option("--name", required=True, help="A name to know it by.")
@click.option("--read-only", "is_reader", is_flag=True, help="Let it read only, whatever its user may.")
@click.option("--expires", metavar="AGE", help="How long it is good for: 90d, 12h or 30m (default: until revoked).")
@_working
def create_token(settings: Settings, user: str, name: str, expires: str | None, *, is_reader: bool) -> None:
    """Make a token, and print it this once.

    Clients take it as PACT_BROKER_TOKEN, or send it as `Authorization: Bearer TOKEN`.
    """
    lasts, now = _lasting(expires), _now()
    draft = credentials.TokenDraft(
        name=name,
        role=Role.READ_ONLY if is_reader else Role.READ_WRITE,
        expires_at=None if lasts is None else now + lasts,
    )
    issued = app.write_encrypted(
        settings,
        lambda db, vault: credentials.add_token(db, account_actions.get_account(db, user), draft, vault=vault, now=now),
        name=_name(),
        report=output.print_error,
    )
    output.print_line(issued.text)
    output.print_error("Keep it now: it is not shown again.")


@click.command("list", cls=ServerCommand)
@click.option("--user", help="Whose tokens (default: everybody's).")
@_AS
@_working
def list_tokens(settings: Settings, user: str | None, form: str) -> None:
    """List tokens: whose they are, and when they were used last. Their texts are shown to nobody."""
    found = [one for one in app.read_database(settings, tokens.list_all) if user in (None, one.user)]
    if form == "json":
        output.print_line(output.format_indented([_token(one) for one in found]))
        return
    headings = ["UUID", "USER", "NAME", "MAY", "EXPIRES", "LAST USED", "FROM"]
    rows = [
        (one.uuid, one.user, one.name, one.role.value, _day(one.expires_at), _day(one.used_at), one.used_from)
        for one in found
        if one.ending
    ]
    output.print_line(output.format_table(headings, rows, max_widths={"UUID": None}) or "There are no tokens.")


def _token(one: Token) -> dict[str, object]:
    return {
        "uuid": one.uuid,
        "user": one.user,
        "name": one.name,
        "role": one.role.value,
        "value": one.masked,
        "createdAt": one.created_at.isoformat(),
        "expiresAt": one.expires_at.isoformat() if one.expires_at else None,
        "lastUsedAt": one.used_at.isoformat() if one.used_at else None,
        "lastUsedFrom": one.used_from,
    }


@click.command("revoke", cls=ServerCommand)
@click.argument("uuid", required=False)
@click.option("--all", "is_all", is_flag=True, help="Revoke every token, and end every session.")
@_working
def revoke_token(settings: Settings, uuid: str | None, *, is_all: bool) -> None:
    """Revoke a token, by its UUID. It is refused at once, by every process of the server."""
    if is_all:
        count = _write(settings, credentials.revoke_all_credentials)
        output.print_line(f"Revoked all tokens ({count}), and ended all sessions.")
        return
    if uuid is None:
        raise Failure("Which token? `treaty token list` shows their UUIDs; --all revokes every one.")
    _write(settings, lambda db: credentials.revoke_token(db, _found(tokens.find(db, uuid), uuid)))
    output.print_line("Revoked.")


def _found(one: Token | None, uuid: str) -> Token:
    if one is None:
        raise NotFound(f"There is no token with the UUID '{uuid}'. `treaty token list` shows them.")
    return one
