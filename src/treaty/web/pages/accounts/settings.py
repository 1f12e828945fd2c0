"""Settings: one's own account and sessions, tokens, and users."""

from dataclasses import replace
from datetime import timedelta
from typing import Final

from sqlalchemy import Connection

from treaty.actions.accounts import accounts as account_actions
from treaty.actions.accounts import credentials
from treaty.actions.accounts.accounts import AccountDraft
from treaty.actions.accounts.credentials import IssuedToken, TokenDraft
from treaty.errors import Conflict, Forbidden, Invalid, NotFound, Throttled, Unauthenticated
from treaty.model.accounts.access import Account, CredentialType, Role, Token
from treaty.settings import Settings
from treaty.store.accounts import accounts, sessions, tokens
from treaty.store.engine.vault import get_vault
from treaty.web import urls
from treaty.web.http.request import Request
from treaty.web.http.results import AfterCommit, HtmlPage, Redirect
from treaty.web.http.router import Router
from treaty.web.pages import problems_by_field, redirect
from treaty.web.pages.accounts.sign_in import hash_chosen_password
from treaty.web.security import csrf
from treaty.web.security.authentication import BasicCredentials, get_authenticator
from treaty.web.security.permissions import Permission

router = Router()

Problems = dict[str, list[str]]

_WRONG: Final = 400
_TOO_MANY: Final = 429
_LASTS: Final = {"30": "30 days", "90": "90 days", "365": "a year", "": "until it is revoked"}


@router.page(urls.SETTINGS, permission=Permission.USE_OWN_ACCOUNT, needs_database=False)
def show_settings(call: Request) -> Redirect:
    """Lead to the first of the settings."""
    return redirect(call, urls.ACCOUNT.fill())


def _person(call: Request) -> Account:
    """Find the account of who signed in with a password. Raises Forbidden where there is none."""
    if call.caller.kind is CredentialType.TOKEN:
        raise Forbidden("Tokens cannot change settings. Sign in with a name and a password.")
    if call.caller.account is None:
        raise Forbidden(
            "There is no account to change here: you are not signed in, or as a user of the server's settings. "
            "`treaty user add NAME` makes one."
        )
    return account_actions.get_account_by_uuid(call.db, call.caller.account)


# One's own account


@router.page(urls.ACCOUNT, permission=Permission.USE_OWN_ACCOUNT)
def show_account(call: Request) -> HtmlPage:
    """Show who is signed in, and where."""
    return _account_page(call, _own(call))


def _own(call: Request) -> Account | None:
    return accounts.find(call.db, call.caller.account) if call.caller.account else None


def _account_page(
    call: Request, one: Account | None, problems: Problems | None = None, *, status: int = 200
) -> HtmlPage:
    found = sessions.list_of_account(call.db, one.uuid) if one else []
    open_ones = [
        each
        for each in found
        if not get_authenticator(call).is_session_expired(each.created_at, each.seen_at, call.now)
    ]
    facts = {"one": one, "sessions": open_ones, "problems": problems or {}, "current": call.caller.credential}
    return HtmlPage("settings_account.html", facts, status)


@router.form(urls.ACCOUNT, permission=Permission.USE_OWN_ACCOUNT)
def change_password(call: Request) -> AfterCommit:
    """Change one's own password, which ends one's other sessions."""
    one = _person(call)
    return AfterCommit(lambda: _password_changed(call, one))


def _password_changed(call: Request, account: Account) -> HtmlPage | Redirect:
    but = call.caller.credential if call.caller.kind is CredentialType.SESSION else None
    try:
        old = _verified_hash(call, account)
        new = hash_chosen_password(
            call.form.raw("password"), call.form.raw("again"), (account.name, account.email or "")
        )
        get_authenticator(call).database.write(
            lambda db: account_actions.change_own_password(
                db, account, old=old, new=new, kept_session=but, now=call.now
            )
        )
    except Unauthenticated:
        return _account_again(call, account, {"current": ["is wrong"]})
    except Throttled as error:
        page = _account_again(call, account, {"current": [str(error)]}, status=_TOO_MANY)
        return replace(page, headers={"retry-after": str(error.seconds)})
    except (Invalid, Conflict) as error:
        return _account_again(call, account, problems_by_field(error, "current"))
    return redirect(call, urls.ACCOUNT.fill(), done="password")


def _verified_hash(call: Request, account: Account) -> str:
    """Verify the current password in the form, and return its hash. Raises Unauthenticated and Throttled."""
    identified = get_authenticator(call).authenticate_password(
        BasicCredentials(account.name, call.form.raw("current")), call
    )
    if identified.password is None or identified.caller.account != account.uuid:
        raise Unauthenticated("This is the password of a user of the server's settings.")
    return identified.password


def _account_again(call: Request, account: Account, problems: Problems, *, status: int = _WRONG) -> HtmlPage:
    def page(db: Connection) -> HtmlPage:
        call.set_transaction(db)
        return _account_page(call, account, problems, status=status)

    return get_authenticator(call).database.read(page)


@router.form(urls.END_SESSIONS, permission=Permission.USE_OWN_ACCOUNT)
def end_sessions(call: Request) -> Redirect:
    """Sign out everywhere."""
    credentials.end_sessions(call.db, _person(call))
    cookie = csrf.build_set_cookie(call, csrf.SESSION_COOKIE, "", seconds=0)
    return Redirect(redirect(call, "/").location, 303, {"set-cookie": cookie})


# Tokens


@router.page(urls.TOKENS, permission=Permission.USE_OWN_ACCOUNT)
def show_tokens(call: Request) -> HtmlPage:
    """Show one's tokens; to administrators those of system accounts, too."""
    return _tokens_page(call)


def _tokens_page(
    call: Request, issued: IssuedToken | None = None, problems: Problems | None = None, *, status: int = 200
) -> HtmlPage:
    one = _own(call)
    owners = [one] if one else []
    if call.has_permission(Permission.MANAGE_USER):
        owners += [each for each in accounts.list_all(call.db) if each.is_system and each.is_active]
    facts = {
        "one": one,
        "groups": [(owner, tokens.list_of_account(call.db, owner.uuid)) for owner in owners],
        "lasts": _LASTS,
        "issued": issued,
        "address": call.base_url,
        "problems": problems or {},
        "given": call.form if call.method == "POST" else None,
        "kept": {credentials.READ_ONLY_TOKEN_NAME, credentials.READ_WRITE_TOKEN_NAME},
    }
    return HtmlPage("settings_tokens.html", facts, status)


@router.form(urls.NEW_TOKEN, permission=Permission.USE_OWN_ACCOUNT)
def make_token(call: Request) -> HtmlPage:
    """Make a token, and show it this once."""
    _person(call)
    try:
        owner = _owner(call, call.form.text("owner"))
        issued = credentials.add_token(call.db, owner, _new_token(call), vault=get_vault(call.settings), now=call.now)
    except (Invalid, Conflict) as error:
        return _tokens_page(call, problems=problems_by_field(error, "name"), status=_WRONG)
    return _tokens_page(call, issued)


def _owner(call: Request, uuid: str) -> Account:
    """Find for whom a token is made: oneself, or a system account if one may. Raises NotFound."""
    one = account_actions.get_account_by_uuid(call.db, uuid or str(call.caller.account))
    if one.uuid == call.caller.account or (one.is_system and call.has_permission(Permission.MANAGE_USER)):
        return one
    raise NotFound("There is no such user whose tokens you may manage.")


def _new_token(call: Request) -> TokenDraft:
    days, may = call.form.text("days"), call.form.text("may")
    if days not in _LASTS:
        raise Invalid.member("days", "must be one of those that are offered")
    if may not in {Role.READ_ONLY, Role.READ_WRITE}:
        raise Invalid.member("may", "must be one of those that are offered")
    expires_at = call.now + timedelta(days=int(days)) if days else None
    return TokenDraft(name=call.form.text("name"), role=Role(may), expires_at=expires_at)


@router.form(urls.RENEW_TOKEN, permission=Permission.USE_OWN_ACCOUNT)
def renew_token(call: Request, uuid: str) -> HtmlPage:
    """Give a token another text, and show it this once."""
    token = _token(call, uuid)
    issued = credentials.regenerate_token(call.db, uuid, account=token.account, vault=get_vault(call.settings))
    return _tokens_page(call, issued)


@router.form(urls.REVOKE_TOKEN, permission=Permission.USE_OWN_ACCOUNT)
def revoke_token(call: Request, uuid: str) -> Redirect:
    """Revoke a token."""
    credentials.revoke_token(call.db, _token(call, uuid))
    return redirect(call, urls.TOKENS.fill(), done="revoked")


def _token(call: Request, uuid: str) -> Token:
    _person(call)
    found = tokens.find(call.db, uuid)
    if found is None:
        raise NotFound(f"There is no token with the uuid '{uuid}'.")
    _owner(call, found.account)
    return found


# Users


@router.page(urls.USERS, permission=Permission.MANAGE_USER)
def show_users(call: Request) -> HtmlPage:
    """Show who may use the broker."""
    return _users_page(call.db, call)


def _users_page(db: Connection, call: Request, problems: Problems | None = None, *, status: int = 200) -> HtmlPage:
    facts = {
        "users": accounts.list_all(db),
        "roles": list(Role),
        "problems": problems or {},
        "given": call.form if call.method == "POST" else None,
        "others": _of_settings(call.settings),
    }
    return HtmlPage("settings_users.html", facts, status)


def _of_settings(settings: Settings) -> list[tuple[str, str]]:
    found = (
        (settings.basic_auth_username, Role.READ_WRITE.value),
        (settings.basic_auth_read_only_username, Role.READ_ONLY.value),
    )
    return [(name, role) for name, role in found if name]


@router.form(urls.NEW_USER, permission=Permission.MANAGE_USER)
def add_user(call: Request) -> AfterCommit:
    """Add a user, or a system account."""
    _person(call)
    return AfterCommit(lambda: _user_added(call))


def _user_added(call: Request) -> HtmlPage | Redirect:
    try:
        draft = _new_user(call)
        one = get_authenticator(call).database.write(lambda db: _added(db, call, draft))
    except (Invalid, Conflict) as error:
        problems = problems_by_field(error, "name")
        return get_authenticator(call).database.read(lambda db: _users_page(db, call, problems, status=_WRONG))
    return redirect(call, urls.USER_PAGE.fill(uuid=one.uuid), done="created")


def _added(db: Connection, call: Request, draft: AccountDraft) -> Account:
    account_actions.check_administrator(db, call.caller.account)
    return account_actions.add_account(db, draft, now=call.now)


def _new_user(call: Request) -> AccountDraft:
    name, email = call.form.text("name"), call.form.text("email")
    is_system = call.form.text("kind") == "system"
    return AccountDraft(
        name=name,
        email=email,
        role=_role(call),
        is_system=is_system,
        password=None
        if is_system
        else hash_chosen_password(call.form.raw("password"), call.form.raw("again"), (name, email)),
    )


def _role(call: Request) -> Role:
    try:
        return Role(call.form.text("role"))
    except ValueError as error:
        raise Invalid.member("role", "must be one of those that are offered") from error


@router.page(urls.USER_PAGE, permission=Permission.MANAGE_USER)
def show_user_page(call: Request, uuid: str) -> HtmlPage:
    """Show a user, and what may be changed."""
    return _user_page(call.db, account_actions.get_account_by_uuid(call.db, uuid))


def _user_page(db: Connection, one: Account, problems: Problems | None = None, *, status: int = 200) -> HtmlPage:
    facts = {
        "one": one,
        "roles": list(Role),
        "problems": problems or {},
        "sessions": sessions.list_of_account(db, one.uuid),
        "tokens": [token for token in tokens.list_of_account(db, one.uuid) if token.ending],
    }
    return HtmlPage("settings_user.html", facts, status)


@router.form(urls.USER_PAGE, permission=Permission.MANAGE_USER)
def change_user(call: Request, uuid: str) -> AfterCommit:
    """Change what a user may do, let in or shut out, or give another password."""
    _person(call)
    account_actions.get_account_by_uuid(call.db, uuid)
    return AfterCommit(lambda: _user_changed(call, uuid))


def _user_changed(call: Request, uuid: str) -> HtmlPage | Redirect:
    database = get_authenticator(call).database
    one = database.read(lambda db: account_actions.get_account_by_uuid(db, uuid))
    try:
        its_hash = (
            hash_chosen_password(call.form.raw("password"), call.form.raw("again"), (one.name, one.email or ""))
            if call.form.text("do") == "password"
            else ""
        )
        database.write(lambda db: _change(db, call, account_actions.get_account_by_uuid(db, uuid), its_hash))
    except (Invalid, Conflict) as error:
        problems = problems_by_field(error)
        return database.read(
            lambda db: _user_page(db, account_actions.get_account_by_uuid(db, uuid), problems, status=_WRONG)
        )
    return redirect(call, urls.USER_PAGE.fill(uuid=uuid), done="saved")


def _change(db: Connection, call: Request, one: Account, its_hash: str) -> None:
    account_actions.check_administrator(db, call.caller.account)
    match call.form.text("do"):
        case "role":
            account_actions.set_role(db, one, _role(call), now=call.now)
        case "disable":
            account_actions.disable_account(db, one, now=call.now)
        case "enable":
            account_actions.enable_account(db, one, now=call.now)
        case "password":
            account_actions.set_password(db, one, its_hash, now=call.now)
        case _:
            raise Invalid.member("", "the form does not say what is to be done")
