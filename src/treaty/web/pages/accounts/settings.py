"""Settings pages: the user's own account, sessions and tokens, and (for administrators) the users.

Forms with a password hash it in `AfterCommit` work, in a thread: hashing takes long and must not hold a transaction.
"""

from dataclasses import replace
from datetime import timedelta
from typing import Final

from sqlalchemy import Connection

from treaty.actions.accounts import credentials
from treaty.actions.accounts.accounts import (
    AccountDraft,
    add_account,
    change_own_password,
    check_administrator,
    disable_account,
    enable_account,
    get_account_by_uuid,
    set_limits,
    set_password,
    set_role,
)
from treaty.actions.accounts.credentials import IssuedToken, TokenDraft
from treaty.actions.accounts.second_factors import remove_second_factor
from treaty.errors import Conflict, Forbidden, Invalid, NotFound, Throttled, Unauthenticated
from treaty.model.accounts.access import Account, CredentialType, Role, Token
from treaty.model.accounts.scopes import SCOPES_BY_BUILD, BuildKind, Limits, Scope, build_limits
from treaty.settings import Settings
from treaty.store.accounts import accounts, sessions, tokens
from treaty.store.engine.vault import get_vault
from treaty.store.maintenance import backup_status
from treaty.web import urls
from treaty.web.http.forms import Form
from treaty.web.http.request import Request
from treaty.web.http.results import AfterCommit, HtmlPage, Redirect
from treaty.web.http.router import Router
from treaty.web.pages import problems_by_field, redirect
from treaty.web.pages.accounts.sign_in import hash_chosen_password
from treaty.web.security import csrf
from treaty.web.security.authentication import get_authenticator
from treaty.web.security.permissions import Permission
from treaty.web.security.request_credentials import BasicCredentials

router = Router()

Problems = dict[str, list[str]]

_BAD_REQUEST: Final = 400
_TOO_MANY_REQUESTS: Final = 429
_TOKEN_LIFETIMES: Final = {"30": "in 30 days", "90": "in 90 days", "365": "in a year", "": "never"}
"""The lifetimes that the form offers, in days, with their labels."""
_SCOPE_LABELS: Final = {
    Scope.READ: "Read",
    Scope.PUBLISH_PACTS: "Publish pacts",
    Scope.PUBLISH_RESULTS: "Publish verification results",
    Scope.RECORD_DEPLOYMENTS: "Record deployments and releases",
    Scope.OVERRIDE_DECISIONS: "Override decisions",
}
_NOT_OFFERED: Final = "must be one of the options"


@router.page(urls.SETTINGS, permission=Permission.USE_OWN_ACCOUNT, needs_database=False)
def show_settings(request: Request) -> Redirect:
    """Redirect to the first settings page."""
    return redirect(request, urls.ACCOUNT.fill())


def get_own_account(request: Request) -> Account:
    """Return the account of a user who signed in with a password. Raises Forbidden.

    A token may not change settings: a leaked one could otherwise create further tokens that outlive its revocation.
    """
    if request.caller.kind is CredentialType.TOKEN:
        raise Forbidden("Tokens cannot change settings. Sign in with a name and a password.")
    if request.caller.account is None:
        raise Forbidden(
            "You have no account to change: you are not signed in, or as a user of the server's settings. "
            "Add one with `treaty user add NAME`."
        )
    return get_account_by_uuid(request.db, request.caller.account)


def _find_own_account(request: Request) -> Account | None:
    return accounts.find(request.db, request.caller.account) if request.caller.account else None


# The user's own account


@router.page(urls.ACCOUNT, permission=Permission.USE_OWN_ACCOUNT)
def show_account(request: Request) -> HtmlPage:
    """Show the user's account and sessions."""
    return _build_account_page(request, _find_own_account(request))


def _build_account_page(
    request: Request, account: Account | None, problems: Problems | None = None, *, status: int = 200
) -> HtmlPage:
    is_expired = get_authenticator(request).sessions.is_expired
    context = {
        "account": account,
        # Expired sessions stay in the database until the next sign-in deletes them.
        "sessions": [
            session
            for session in (sessions.list_of_account(request.db, account.uuid) if account else ())
            if not is_expired(session.created_at, session.seen_at, request.now)
        ],
        "problems": problems or {},
        "current": request.caller.credential,
    }
    return HtmlPage("settings_account.html", context, status)


@router.form(urls.ACCOUNT, permission=Permission.USE_OWN_ACCOUNT)
def change_password(request: Request) -> AfterCommit:
    """Change the user's own password, and end the user's other sessions."""
    account = get_own_account(request)
    return AfterCommit(lambda: _change_password(request, account))


def _change_password(request: Request, account: Account) -> HtmlPage | Redirect:
    kept_session = request.caller.credential if request.caller.kind is CredentialType.SESSION else None
    try:
        old = _verify_current_password(request, account)
        new = hash_chosen_password(request.form, (account.name, account.email or ""))
        get_authenticator(request).database.write(
            lambda db: change_own_password(db, account, old=old, new=new, kept_session=kept_session, now=request.now)
        )
    except Unauthenticated:
        return _reshow_account(request, account, {"current": ["is wrong"]})
    except Throttled as error:
        page = _reshow_account(request, account, {"current": [str(error)]}, status=_TOO_MANY_REQUESTS)
        return replace(page, headers={"retry-after": str(error.seconds)})
    except (Invalid, Conflict) as error:
        return _reshow_account(request, account, problems_by_field(error, "current"))
    return redirect(request, urls.ACCOUNT.fill(), done="password")


def _verify_current_password(request: Request, account: Account) -> str:
    """Verify the current password in the form, and return its hash. Raises Unauthenticated and Throttled.

    Without it, anyone who finds the browser signed in could take the account over. Guesses are throttled as elsewhere.
    """
    credentials_in_form = BasicCredentials(account.name, request.form.raw("current"))
    authenticated = get_authenticator(request).passwords.verify(credentials_in_form, request)
    # A user of the settings may have the same name; that password does not belong to the account.
    if authenticated.password_hash is None or authenticated.caller.account != account.uuid:
        raise Unauthenticated("This is the password of a user of the server's settings.")
    return authenticated.password_hash


def _reshow_account(request: Request, account: Account, problems: Problems, *, status: int = _BAD_REQUEST) -> HtmlPage:
    def build_page(db: Connection) -> HtmlPage:
        request.set_transaction(db)
        return _build_account_page(request, account, problems, status=status)

    return get_authenticator(request).database.read(build_page)


@router.form(urls.END_SESSIONS, permission=Permission.USE_OWN_ACCOUNT)
def end_sessions(request: Request) -> Redirect:
    """Sign out everywhere."""
    credentials.end_sessions(request.db, get_own_account(request))
    expired_cookie = csrf.build_set_cookie(request, csrf.SESSION_COOKIE, "", seconds=0)
    return Redirect(redirect(request, "/").location, 303, {"set-cookie": expired_cookie})


# Tokens


@router.page(urls.TOKENS, permission=Permission.USE_OWN_ACCOUNT)
def show_tokens(request: Request) -> HtmlPage:
    """Show the user's tokens and, to administrators, those of system accounts."""
    return _build_tokens_page(request)


def _build_tokens_page(
    request: Request, issued: IssuedToken | None = None, problems: Problems | None = None, *, status: int = 200
) -> HtmlPage:
    account = _find_own_account(request)
    owners = [account] if account else []
    if request.has_permission(Permission.MANAGE_USER):
        owners += [owner for owner in accounts.list_all(request.db) if owner.is_system and owner.is_active]
    context = {
        "account": account,
        "groups": [(owner, tokens.list_of_account(request.db, owner.uuid)) for owner in owners],
        "lifetimes": _list_lifetimes(request.settings),
        "max_lifetime": request.settings.token_max_lifetime,
        "scopes": {scope: label for scope, label in _SCOPE_LABELS.items() if scope is not Scope.READ},
        "issued": issued,
        "address": request.base_url,
        "problems": problems or {},
        "form": request.form if request.method == "POST" else None,
        "default_names": credentials.DEFAULT_TOKEN_NAMES,
    }
    return HtmlPage("settings_tokens.html", context, status)


@router.form(urls.NEW_TOKEN, permission=Permission.USE_OWN_ACCOUNT, is_sensitive=True)
def make_token(request: Request) -> HtmlPage:
    """Create a token, and show its text this once."""
    get_own_account(request)
    try:
        owner = _get_token_owner(request, request.form.text("owner"))
        vault = get_vault(request.settings)
        issued = credentials.add_token(
            request.db,
            owner,
            _read_token_draft(request),
            vault=vault,
            now=request.now,
            max_lifetime=request.settings.token_max_lifetime,
        )
    except (Invalid, Conflict) as error:
        return _build_tokens_page(request, problems=problems_by_field(error, "name"), status=_BAD_REQUEST)
    return _build_tokens_page(request, issued)


def _get_token_owner(request: Request, uuid: str) -> Account:
    """Return the account whose tokens the user may manage: their own, or a system account. Raises NotFound."""
    owner = get_account_by_uuid(request.db, uuid or str(request.caller.account))
    is_managed = owner.is_system and request.has_permission(Permission.MANAGE_USER)
    if owner.uuid == request.caller.account or is_managed:
        return owner
    # Administrators manage users, but cannot create tokens with which they would act in the name of a person.
    raise NotFound("There is no such user whose tokens you may manage.")


def _read_token_draft(request: Request) -> TokenDraft:
    days = request.form.text("days")
    if days not in _list_lifetimes(request.settings):
        raise Invalid.member("days", _NOT_OFFERED)
    role, limits = _read_token_permission(request.form)
    expires_at = request.now + timedelta(days=int(days)) if days else None
    return TokenDraft(name=request.form.text("name"), role=role, expires_at=expires_at, limits=limits)


def _list_lifetimes(settings: Settings) -> dict[str, str]:
    """List the lifetimes that the form offers, up to the maximum, in days with their labels."""
    maximum = settings.token_max_lifetime.days
    if not maximum:
        return _TOKEN_LIFETIMES
    shorter = {days: label for days, label in _TOKEN_LIFETIMES.items() if days and int(days) < maximum}
    return {**shorter, str(maximum): f"in {maximum} days"}


def _read_token_permission(form: Form) -> tuple[Role, Limits | None]:
    """Read the role and the limits of a token: the scopes of a build, or reading, and those that are ticked."""
    permission, scopes, applications = form.text("may"), _read_scopes(form), form.lines("applications")
    match permission:
        case BuildKind.CONSUMER | BuildKind.PROVIDER:
            return Role.READ_WRITE, build_limits(SCOPES_BY_BUILD[BuildKind(permission)] | scopes, applications)
        case Role.READ_ONLY if scopes or applications:
            return Role.READ_WRITE, build_limits(scopes | {Scope.READ}, applications)
        case Role.READ_WRITE if scopes:
            raise Invalid.member("may", "permits everything already: choose a build or read only, to add to it")
        case Role.READ_ONLY | Role.READ_WRITE:
            return Role(permission), build_limits((), applications)
        case _:
            raise Invalid.member("may", _NOT_OFFERED)


def _read_scopes(form: Form) -> frozenset[Scope]:
    ticked = form.texts("scopes")
    return frozenset(scope for scope in Scope if scope.value in ticked)


@router.form(urls.RENEW_TOKEN, permission=Permission.USE_OWN_ACCOUNT, is_sensitive=True)
def renew_token(request: Request, uuid: str) -> HtmlPage:
    """Replace the text of a token, and show the new one this once."""
    token = _get_token(request, uuid)
    vault = get_vault(request.settings)
    return _build_tokens_page(
        request,
        credentials.regenerate_token(
            request.db,
            uuid,
            account=token.account,
            vault=vault,
            now=request.now,
            max_lifetime=request.settings.token_max_lifetime,
        ),
    )


@router.form(urls.REVOKE_TOKEN, permission=Permission.USE_OWN_ACCOUNT, is_sensitive=True)
def revoke_token(request: Request, uuid: str) -> Redirect:
    """Revoke a token."""
    credentials.revoke_token(request.db, _get_token(request, uuid))
    return redirect(request, urls.TOKENS.fill(), done="revoked")


def _get_token(request: Request, uuid: str) -> Token:
    """Return a token that the user may manage. Raises Forbidden and NotFound."""
    get_own_account(request)
    token = tokens.find(request.db, uuid)
    if token is None:
        raise NotFound(f"There is no token with the uuid '{uuid}'.")
    _get_token_owner(request, token.account)
    return token


# Users


@router.page(urls.USERS, permission=Permission.MANAGE_USER)
def show_users(request: Request) -> HtmlPage:
    """Show the users and system accounts."""
    return _build_users_page(request.db, request)


def _build_users_page(
    db: Connection, request: Request, problems: Problems | None = None, *, status: int = 200
) -> HtmlPage:
    context = {
        "users": accounts.list_all(db),
        "problems": problems or {},
        "form": request.form if request.method == "POST" else None,
        "settings_users": _list_settings_users(request.settings),
        "backed_up_at": backup_status.find_time(db),
    }
    return HtmlPage("settings_users.html", context, status)


def _list_settings_users(settings: Settings) -> list[tuple[str, str]]:
    users = (
        (settings.basic_auth_username, Role.READ_WRITE.value),
        (settings.basic_auth_read_only_username, Role.READ_ONLY.value),
    )
    return [(name, role) for name, role in users if name]


@router.form(urls.NEW_USER, permission=Permission.MANAGE_USER)
def add_user(request: Request) -> AfterCommit:
    """Add a user or a system account."""
    get_own_account(request)
    return AfterCommit(lambda: _add_user(request))


def _add_user(request: Request) -> HtmlPage | Redirect:
    database = get_authenticator(request).database

    def add(db: Connection) -> Account:
        check_administrator(db, request.caller.account)
        return add_account(db, draft, now=request.now)

    try:
        draft = _read_account_draft(request)
        account = database.write(add)
    except (Invalid, Conflict) as error:
        problems = problems_by_field(error, "name")
        return database.read(lambda db: _build_users_page(db, request, problems, status=_BAD_REQUEST))
    return redirect(request, urls.USER_PAGE.fill(uuid=account.uuid), done="created")


def _read_account_draft(request: Request) -> AccountDraft:
    form = request.form
    name, email = form.text("name"), form.text("email")
    is_system = form.text("kind") == "system"
    return AccountDraft(
        name=name,
        email=email,
        role=_read_role(request),
        is_system=is_system,
        password=None if is_system else hash_chosen_password(form, (name, email)),
    )


def _read_role(request: Request) -> Role:
    try:
        return Role(request.form.text("role"))
    except ValueError as error:
        raise Invalid.member("role", _NOT_OFFERED) from error


@router.page(urls.USER_PAGE, permission=Permission.MANAGE_USER)
def show_user_page(request: Request, uuid: str) -> HtmlPage:
    """Show a user, with forms to change it."""
    return _build_user_page(request.db, get_account_by_uuid(request.db, uuid))


def _build_user_page(db: Connection, user: Account, problems: Problems | None = None, *, status: int = 200) -> HtmlPage:
    context = {
        "user": user,
        "problems": problems or {},
        "sessions": sessions.list_of_account(db, user.uuid),
        "tokens": [token for token in tokens.list_of_account(db, user.uuid) if token.ending],
        "scopes": _SCOPE_LABELS,
    }
    return HtmlPage("settings_user.html", context, status)


@router.form(urls.USER_PAGE, permission=Permission.MANAGE_USER)
def change_user(request: Request, uuid: str) -> AfterCommit:
    """Change a user's role or password, or disable or enable the user."""
    get_own_account(request)
    get_account_by_uuid(request.db, uuid)
    return AfterCommit(lambda: _change_user(request, uuid))


def _change_user(request: Request, uuid: str) -> HtmlPage | Redirect:
    database = get_authenticator(request).database
    user = database.read(lambda db: get_account_by_uuid(db, uuid))
    is_new_password = request.form.text("do") == "password"
    try:
        password_hash = hash_chosen_password(request.form, (user.name, user.email or "")) if is_new_password else ""
        database.write(lambda db: _apply_change(db, request, uuid, password_hash))
    except (Invalid, Conflict) as error:
        problems = problems_by_field(error)
        return database.read(
            lambda db: _build_user_page(db, get_account_by_uuid(db, uuid), problems, status=_BAD_REQUEST)
        )
    return redirect(request, urls.USER_PAGE.fill(uuid=uuid), done="saved")


def _apply_change(db: Connection, request: Request, uuid: str, password_hash: str) -> None:
    # Checked again in this transaction: the administrator may have been demoted while the password was hashed.
    check_administrator(db, request.caller.account)
    user = get_account_by_uuid(db, uuid)
    match request.form.text("do"):
        case "role":
            set_role(db, user, _read_role(request), now=request.now)
        case "limits":
            limits = build_limits(_read_scopes(request.form), request.form.lines("applications"))
            set_limits(db, user, limits, now=request.now)
        case "disable":
            disable_account(db, user, now=request.now)
        case "enable":
            enable_account(db, user, now=request.now)
        case "password":
            set_password(db, user, password_hash, now=request.now)
        case "second-factor":
            remove_second_factor(db, user, now=request.now)
        case _:
            raise Invalid.member("", "the form contains no known action")
