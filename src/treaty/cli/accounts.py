"""Commands that manage the users and tokens of a server. They work on its database, so they need no credentials."""

from __future__ import annotations

import re
import shlex
from datetime import datetime, timedelta
from functools import wraps
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from treaty import app
from treaty.actions.accounts.accounts import (
    AccountDraft,
    add_account,
    disable_account,
    enable_account,
    set_limits,
)
from treaty.actions.accounts.accounts import get_account as get_existing_account
from treaty.actions.accounts.accounts import set_password as set_account_password
from treaty.actions.accounts.accounts import set_role as set_account_role
from treaty.actions.accounts.credentials import TokenDraft, add_token, revoke_all_credentials
from treaty.actions.accounts.credentials import revoke_token as revoke_account_token
from treaty.actions.accounts.second_factors import remove_second_factor
from treaty.cli import output
from treaty.cli.database_commands import FORM_OPTION, command_path, current_time, read_secret, with_settings
from treaty.cli.program import Failure, ServerCommand
from treaty.errors import Invalid, NotFound
from treaty.model.accounts import passwords
from treaty.model.accounts.access import Account, Role, Token
from treaty.model.accounts.scopes import SCOPES_BY_BUILD, BuildKind, Limits, Scope, build_limits, list_limits
from treaty.settings import Settings
from treaty.spelling import suggest_names
from treaty.store.accounts import accounts, tokens

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy import Connection

T = TypeVar("T")

_ROLES: Final = [role.value for role in Role]


def get_account(db: Connection, name: str) -> Account:
    """Find an account by its name. Raises NotFound, with similar names."""
    try:
        return get_existing_account(db, name)
    except NotFound as error:
        suggestion = suggest_names(name, [account.name for account in accounts.list_all(db)])
        raise NotFound(f"{error} {suggestion or '`treaty user list` shows the existing ones.'}") from error


def _write(settings: Settings, work: Callable[[Connection], T]) -> T:
    return app.write_database(settings, work, name=command_path())


_PASSWORD_OPTION: Final = click.option(
    "--password-stdin", "is_piped", is_flag=True, help="Read the password from standard input instead of asking."
)


_SCOPES: Final = [scope.value for scope in Scope]
_BUILD_KINDS: Final = [kind.value for kind in BuildKind]


def _with_limit_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options for scopes and applications to a command, which receives them as `limits`."""

    @click.option(
        "--scope", "scopes", type=click.Choice(_SCOPES), multiple=True, help="Limit it to this scope; can be repeated."
    )
    @click.option(
        "--for",
        "builds",
        type=click.Choice(_BUILD_KINDS),
        multiple=True,
        help="Limit it to what such a build does: `read`, and `publish-pacts` or `publish-verification-results`.",
    )
    @click.option(
        "--application",
        "applications",
        multiple=True,
        metavar="NAME",
        help="Let it write only for this application; can be repeated. Reads are not limited.",
    )
    @wraps(command)
    def run(
        settings: Settings,
        *,
        scopes: tuple[str, ...],
        builds: tuple[str, ...],
        applications: tuple[str, ...],
        **values: Any,
    ) -> None:
        of_builds = [scope for build in builds for scope in SCOPES_BY_BUILD[BuildKind(build)]]
        command(settings, limits=build_limits([*map(Scope, scopes), *of_builds], applications), **values)

    return run


# Users


@click.command("add", cls=ServerCommand)
@click.argument("name")
@click.option(
    "--role", type=click.Choice(_ROLES), default=Role.READ_WRITE.value, show_default=True, help="The user's role."
)
@click.option("--email", help="The user's e-mail address.")
@click.option("--system", "is_system", is_flag=True, help="Add a system account, with tokens instead of a password.")
@_PASSWORD_OPTION
@with_settings
@_with_limit_options
def add_user(
    settings: Settings,
    name: str,
    role: str,
    email: str | None,
    *,
    limits: Limits | None,
    is_system: bool,
    is_piped: bool,
) -> None:
    """Add a user.

    Once there is a user, the server requires credentials. The scopes and applications of a system account limit all of
    its tokens.
    """
    password_hash = None
    if not is_system:
        password_hash = passwords.hash_password(_read_password((name, email or ""), is_piped=is_piped))
    draft = AccountDraft(
        name=name, role=Role(role), email=email, password=password_hash, is_system=is_system, limits=limits
    )
    # The database may not exist yet: a first user added before the server starts means that it is never open to all.
    account = app.write_database(
        settings, lambda db: add_account(db, draft, now=current_time()), name=command_path(), may_create=True
    )
    output.print_line(f"Added {account.name}, {account.role.value}.")
    if is_system:
        output.print_error(f"Create a token for it: treaty token create --user {shlex.quote(account.name)} --name NAME")


def _read_password(personal_words: tuple[str, str], *, is_piped: bool) -> str:
    """Read a password from stdin or a prompt; an argument would be visible in the process list and shell history.

    Raises Invalid for a weak password, such as one with the user's `personal_words`, and Failure without a terminal.
    """
    password = read_secret("Password", is_piped=is_piped, option="--password-stdin")
    weakness = passwords.find_weakness(password, personal_words)
    if weakness:
        raise Invalid.member("password", weakness)
    return password


@click.command("list", cls=ServerCommand)
@FORM_OPTION
@with_settings
def list_users(settings: Settings, form: str) -> None:
    """List the users."""
    users = app.read_database(settings, accounts.list_all)
    if form == "json":
        output.print_line(output.format_indented([_user_json(user) for user in users]))
        return
    rows = [
        (user.name, _describe_access(user), _describe_kind(user), user.email, _format_time(user.signed_in_at))
        for user in users
    ]
    output.print_line(
        output.format_table(["NAME", "ROLE", "KIND", "E-MAIL", "LAST SIGN-IN"], rows) or "There are no users."
    )


def _describe_access(owner: Account | Token) -> str:
    return owner.limits.describe() if owner.limits else owner.role.value


def _describe_kind(user: Account) -> str:
    return ("system account" if user.is_system else "person") + ("" if user.is_active else ", disabled")


def _user_json(user: Account) -> dict[str, object]:
    return {
        "uuid": user.uuid,
        "name": user.name,
        "email": user.email,
        "role": user.role.value,
        "active": user.is_active,
        "system": user.is_system,
        "createdAt": user.created_at.isoformat(),
        "lastLogin": user.signed_in_at.isoformat() if user.signed_in_at else None,
        **list_limits(user.limits),
        "secondFactor": user.has_second_factor,
    }


def _format_time(time: datetime | None) -> str:
    """Format a time in UTC."""
    return time.strftime("%Y-%m-%d %H:%M") if time else "never"


@click.command("disable", cls=ServerCommand)
@click.argument("name")
@with_settings
def disable_user(settings: Settings, name: str) -> None:
    """Disable a user: their sessions end, and their password and tokens are refused at once."""
    _write(settings, lambda db: disable_account(db, get_account(db, name), now=current_time()))
    output.print_line(f"Disabled {name}.")


@click.command("enable", cls=ServerCommand)
@click.argument("name")
@with_settings
def enable_user(settings: Settings, name: str) -> None:
    """Enable a user again. Their former tokens work again, too."""
    _write(settings, lambda db: enable_account(db, get_account(db, name), now=current_time()))
    output.print_line(f"Enabled {name}.")


@click.command("password", cls=ServerCommand)
@click.argument("name")
@_PASSWORD_OPTION
@with_settings
def set_password(settings: Settings, name: str, *, is_piped: bool) -> None:
    """Set a user's password. This ends the user's sessions."""
    account = app.read_database(settings, lambda db: get_account(db, name))
    # Hashing is slow on purpose, so it is done before the transaction.
    password_hash = passwords.hash_password(_read_password((account.name, account.email or ""), is_piped=is_piped))
    _write(settings, lambda db: set_account_password(db, get_account(db, name), password_hash, now=current_time()))
    output.print_line(f"Set the password of {account.name}.")


@click.command("role", cls=ServerCommand)
@click.argument("name")
@click.argument("role", type=click.Choice(_ROLES))
@with_settings
def set_role(settings: Settings, name: str, role: str) -> None:
    """Change a user's role."""
    _write(settings, lambda db: set_account_role(db, get_account(db, name), Role(role), now=current_time()))
    output.print_line(f"Changed the role of {name} to {role}.")


@click.command("limit", cls=ServerCommand)
@click.argument("name")
@with_settings
@_with_limit_options
def limit_user(settings: Settings, name: str, *, limits: Limits | None) -> None:
    """Limit a system account to scopes and applications.

    The options replace its limits; without any, the limits are lifted. All of its tokens follow at once.
    """
    account = _write(settings, lambda db: set_limits(db, get_account(db, name), limits, now=current_time()))
    output.print_line(
        f"Limited {account.name} to {limits.describe()}." if limits else f"Lifted the limits of {account.name}."
    )


@click.command("reset-second-factor", cls=ServerCommand)
@click.argument("name")
@with_settings
def reset_second_factor(settings: Settings, name: str) -> None:
    """Remove a user's second factor, for a user who has lost the device and the recovery codes.

    The password alone is then enough to sign in. This ends the user's sessions.
    """
    _write(settings, lambda db: remove_second_factor(db, get_account(db, name), now=current_time()))
    output.print_line(f"Removed the second factor of {name}.")


# Tokens


_AGE: Final = re.compile(r"(\d{1,5})([dhm])")
_UNITS: Final = {"d": "days", "h": "hours", "m": "minutes"}


def _parse_age(text: str | None) -> timedelta | None:
    if text is None:
        return None
    match = _AGE.fullmatch(text)
    if match is None:
        raise click.BadParameter("must be a number of days, hours or minutes, such as 90d, 12h or 30m")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


@click.command("create", cls=ServerCommand)
@click.option("--user", required=True, help="The token's user or system account.")
@click.option("--name", required=True, help="A name to recognize it by.")
@click.option(
    "--read-only", "is_read_only", is_flag=True, help="Allow it to read only, even if its user has more permissions."
)
@click.option("--expires", metavar="AGE", help="Time until it expires, such as 90d, 12h or 30m (default: never).")
@with_settings
@_with_limit_options
def create_token(
    settings: Settings, user: str, name: str, expires: str | None, *, limits: Limits | None, is_read_only: bool
) -> None:
    """Create a token and print it, only this once.

    Clients read it from PACT_BROKER_TOKEN, or send it as `Authorization: Bearer TOKEN`.
    """
    lifetime, now = _parse_age(expires), current_time()
    draft = TokenDraft(
        name=name,
        role=Role.READ_ONLY if is_read_only else Role.READ_WRITE,
        expires_at=None if lifetime is None else now + lifetime,
        limits=limits,
    )
    issued = app.write_encrypted(
        settings,
        lambda db, vault: add_token(
            db, get_account(db, user), draft, vault=vault, now=now, max_lifetime=settings.token_max_lifetime
        ),
        name=command_path(),
        report=output.print_error,
    )
    # The token alone is on stdout, so that a script can read it.
    output.print_line(issued.text)
    output.print_error("Save the token now: it is not shown again.")


@click.command("list", cls=ServerCommand)
@click.option("--user", help="Only the tokens of this user.")
@FORM_OPTION
@with_settings
def list_tokens(settings: Settings, user: str | None, form: str) -> None:
    """List tokens with their users and last use. The tokens themselves are never shown.

    Notes mark tokens that expire within a week, that have not been used for 90 days, and that are valid for longer than
    `token_max_lifetime` permits for new tokens.
    """
    now = current_time()
    listed = [token for token in app.read_database(settings, tokens.list_all) if user in (None, token.user)]
    if user is not None and not listed:
        app.read_database(settings, lambda db: get_account(db, user))  # raises NotFound for a misspelt name
    if form == "json":
        output.print_line(output.format_indented([_token_json(token, now) for token in listed]))
        return
    headings = ["UUID", "USER", "NAME", "MAY", "EXPIRES", "LAST USED", "FROM", "NOTES"]
    # A token without an ending cannot be used: it was revoked, or not generated yet.
    rows = [_token_row(token, settings, now) for token in listed if token.ending]
    output.print_line(output.format_table(headings, rows, whole={"UUID"}) or "There are no tokens.")


def _token_row(token: Token, settings: Settings, now: datetime) -> tuple[str | None, ...]:
    return (
        token.uuid,
        token.user,
        token.name,
        _describe_access(token),
        _format_time(token.expires_at),
        _format_time(token.used_at),
        token.used_from,
        "; ".join(_list_notes(token, settings, now)),
    )


def _list_notes(token: Token, settings: Settings, now: datetime) -> Iterator[str]:
    if token.is_expired(now):
        yield "expired"
        return
    if token.expires_soon(now):
        yield "expires within a week"
    if token.is_unused(now):
        yield "unused for 90 days"
    if token.exceeds(settings.token_max_lifetime, now):
        yield f"valid for more than {settings.token_max_lifetime.days} days"


def _token_json(token: Token, now: datetime) -> dict[str, object]:
    return {
        "uuid": token.uuid,
        "user": token.user,
        "name": token.name,
        "role": token.role.value,
        "value": token.masked,
        "createdAt": token.created_at.isoformat(),
        "expiresAt": token.expires_at.isoformat() if token.expires_at else None,
        "lastUsedAt": token.used_at.isoformat() if token.used_at else None,
        "lastUsedFrom": token.used_from,
        "expiresSoon": token.expires_soon(now),
        "unused": token.is_unused(now),
        **list_limits(token.limits),
    }


@click.command("revoke", cls=ServerCommand)
@click.argument("uuid", required=False)
@click.option("--all", "is_all", is_flag=True, help="Revoke every token, and end every session.")
@with_settings
def revoke_token(settings: Settings, uuid: str | None, *, is_all: bool) -> None:
    """Revoke a token by its UUID. Every process of the server refuses it at once."""
    if is_all:
        count = _write(settings, revoke_all_credentials)
        output.print_line(f"Revoked all tokens ({count}), and ended all sessions.")
        return
    if uuid is None:
        raise Failure("Give the UUID of a token (`treaty token list` shows them), or --all to revoke all tokens.")
    _write(settings, lambda db: revoke_account_token(db, _get_token(db, uuid)))
    output.print_line("Revoked.")


def _get_token(db: Connection, uuid: str) -> Token:
    token = tokens.find(db, uuid)
    if token is None:
        suggestion = suggest_names(uuid, [token.uuid for token in tokens.list_all(db)])
        advice = suggestion or "`treaty token list` shows the existing ones."
        raise NotFound(f"There is no token with the UUID '{uuid}'. {advice}")
    return token
