"""Signing in and out, and the page behind the link that makes the first administrator."""

from typing import Final
from urllib.parse import quote

from treaty.actions.accounts import accounts, credentials
from treaty.actions.accounts.accounts import AccountDraft
from treaty.errors import Conflict, Invalid, Throttled, Unauthenticated
from treaty.model.accounts import passwords
from treaty.model.accounts.access import Caller, CredentialType, Role
from treaty.store.engine.vault import get_vault
from treaty.web import urls
from treaty.web.http.request import Request
from treaty.web.http.results import AfterCommit, HtmlPage, Redirect
from treaty.web.http.router import Router
from treaty.web.pages import problems_by_field, redirect
from treaty.web.security import csrf, open_access
from treaty.web.security.authentication import AuthenticatedCaller, BasicCredentials, get_authenticator
from treaty.web.security.permissions import Permission

router = Router()

_WRONG: Final = 400
_TOO_MANY: Final = 429


@router.page(urls.SIGN_IN, permission=Permission.SIGN_IN, needs_database=False)
def show_sign_in(call: Request) -> HtmlPage:
    """Ask for a name and a password."""
    headers = csrf.issue_form_token(call)
    return _sign_in_page(call, name="", onward=call.option("next") or "", headers=headers)


def _sign_in_page(
    call: Request,
    *,
    name: str,
    onward: str,
    problem: str = "",
    status: int = 200,
    headers: dict[str, str] | None = None,
) -> HtmlPage:
    facts = {
        "name": name,
        "onward": onward,
        "problem": problem,
        "is_signed_in": call.caller.is_known,
        "closed_because": call.open_access_obstacle and open_access.explain_obstacle(call.open_access_obstacle),
    }
    return HtmlPage("sign_in.html", facts, status, headers or {})


@router.form(urls.SIGN_IN, permission=Permission.SIGN_IN, needs_database=False)
def sign_in(call: Request) -> AfterCommit:
    """Sign a browser in."""
    csrf.check_form_token(call)
    return AfterCommit(lambda: _signed_in(call))


def _signed_in(call: Request) -> HtmlPage | Redirect:
    given = BasicCredentials(call.form.text("name"), call.form.raw("password"))
    onward = call.form.text("next")
    try:
        secret = get_authenticator(call).sign_in(given, call)
    except Unauthenticated as error:
        return _sign_in_page(call, name=given.name, onward=onward, problem=str(error), status=_WRONG)
    except Throttled as error:
        headers = {"retry-after": str(error.seconds)}
        return _sign_in_page(
            call, name=given.name, onward=onward, problem=str(error), status=_TOO_MANY, headers=headers
        )
    return _with_session(call, secret, onward)


def _with_session(call: Request, secret: str, onward: str) -> Redirect:
    lifetime = call.settings.session_lifetime
    led = redirect(call, local_path(onward))
    cookie = csrf.build_set_cookie(call, csrf.SESSION_COOKIE, secret, seconds=int(lifetime.total_seconds()))
    return Redirect(led.location, led.status, {"set-cookie": cookie})


def local_path(onward: str) -> str:
    """Make sure that a place to go on to is one of this server; any other is its first page."""
    is_path = onward.startswith("/") and not onward.startswith(("//", "/\\"))
    if not is_path or "\\" in onward or not onward.isprintable():
        return "/"
    return quote(onward, safe="/?&=%:@!$'()*+,;~[]-._")


@router.form(urls.SIGN_OUT, permission=Permission.SIGN_IN)
def sign_out(call: Request) -> Redirect:
    """End the session of a browser."""
    if call.caller.kind is CredentialType.SESSION and call.caller.credential:
        credentials.end_session(call.db, call.caller.credential, user=str(call.caller.user))
    return Redirect(
        redirect(call, "/").location,
        303,
        {"set-cookie": csrf.build_set_cookie(call, csrf.SESSION_COOKIE, "", seconds=0)},
    )


# The first administrator


@router.page(urls.SETUP, permission=Permission.SIGN_IN)
def show_setup(call: Request) -> HtmlPage:
    """Ask who the first administrator is to be, if the link is good."""
    link = call.option("link") or ""
    accounts.check_setup_link(call.db, link, vault=get_vault(call.settings), now=call.now)
    headers = csrf.issue_form_token(call)
    return HtmlPage("setup.html", {"link": link, "name": "", "email": "", "problems": {}}, headers=headers)


@router.form(urls.SETUP, permission=Permission.SIGN_IN, needs_database=False)
def set_up(call: Request) -> AfterCommit:
    """Make the first administrator, and sign the browser in."""
    csrf.check_form_token(call)
    return AfterCommit(lambda: _set_up(call))


def _set_up(call: Request) -> HtmlPage | Redirect:
    form = call.form
    name, email, chosen = form.text("name"), form.text("email"), form.raw("password")
    get_authenticator(call).check_setup_link(form.text("link"), call)
    try:
        first = _first(call, name, email, chosen)
    except (Invalid, Conflict) as error:
        facts = {"link": form.text("link"), "name": name, "email": email, "problems": problems_by_field(error)}
        return HtmlPage("setup.html", facts, _WRONG)
    call.has_ended_open_access = True
    secret = get_authenticator(call).open_session(first, BasicCredentials(name, chosen), call)
    return _with_session(call, secret, urls.ACCOUNT.fill() + "?done=first")


def _first(call: Request, name: str, email: str, chosen: str) -> AuthenticatedCaller:
    its_hash = hash_chosen_password(chosen, call.form.raw("again"), (name, email))
    draft = AccountDraft(name=name, role=Role.ADMINISTRATOR, email=email, password=its_hash)
    vault = get_vault(call.settings)
    account = get_authenticator(call).database.write(
        lambda db: accounts.add_first_administrator(db, draft, link=call.form.text("link"), vault=vault, now=call.now)
    )
    caller = Caller(kind=CredentialType.BASIC, role=account.role, user=account.name, account=account.uuid)
    return AuthenticatedCaller(caller, its_hash)


def hash_chosen_password(chosen: str, again: str, known: tuple[str, str]) -> str:
    """Hash a password that was chosen. Raises Invalid for a weak one, and one that was not repeated."""
    weakness = passwords.find_weakness(chosen, known)
    if weakness:
        raise Invalid.member("password", weakness)
    if chosen != again:
        raise Invalid.member("again", "must be the same password")
    return passwords.hash_password(chosen)
