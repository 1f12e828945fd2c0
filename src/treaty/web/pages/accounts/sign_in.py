"""Pages to sign in and out, and the page behind the setup link, which creates the first administrator."""

from typing import Final
from urllib.parse import quote

from treaty.actions.accounts import accounts, credentials
from treaty.actions.accounts.accounts import AccountDraft
from treaty.errors import Conflict, Invalid, Throttled, Unauthenticated
from treaty.model.accounts import passwords
from treaty.model.accounts.access import Caller, CredentialType, Role
from treaty.store.engine.vault import get_vault
from treaty.web import urls
from treaty.web.http.forms import Form
from treaty.web.http.request import Request
from treaty.web.http.results import AfterCommit, HtmlPage, Redirect
from treaty.web.http.router import Router
from treaty.web.pages import problems_by_field, redirect
from treaty.web.security import csrf, open_access
from treaty.web.security.authentication import get_authenticator
from treaty.web.security.passwords import AuthenticatedCaller
from treaty.web.security.permissions import Permission
from treaty.web.security.request_credentials import BasicCredentials

router = Router()

_BAD_REQUEST: Final = 400
_TOO_MANY_REQUESTS: Final = 429


@router.page(urls.SIGN_IN, permission=Permission.SIGN_IN, needs_database=False)
def show_sign_in(request: Request) -> HtmlPage:
    """Ask for a name and a password."""
    headers = csrf.issue_form_token(request)
    return _build_sign_in_page(request, name="", next_path=request.option("next") or "", headers=headers)


def _build_sign_in_page(
    request: Request,
    *,
    name: str,
    next_path: str,
    problem: str = "",
    status: int = 200,
    headers: dict[str, str] | None = None,
) -> HtmlPage:
    obstacle = request.open_access_obstacle
    context = {
        "name": name,
        "next_path": next_path,
        "problem": problem,
        "is_signed_in": request.caller.is_known,
        "closed_because": obstacle and open_access.explain_obstacle(obstacle),
    }
    return HtmlPage("sign_in.html", context, status, headers or {})


@router.form(urls.SIGN_IN, permission=Permission.SIGN_IN, needs_database=False)
def sign_in(request: Request) -> AfterCommit:
    """Sign a browser in."""
    csrf.check_form_token(request)
    return AfterCommit(lambda: _sign_in(request))


def _sign_in(request: Request) -> HtmlPage | Redirect:
    presented = BasicCredentials(request.form.text("name"), request.form.raw("password"))
    next_path = request.form.text("next")
    authenticator = get_authenticator(request)
    try:
        authenticated = authenticator.passwords.verify(presented, request)
        secret = authenticator.sessions.open(authenticated, presented, request)
    except (Unauthenticated, Throttled) as error:
        retry_after = str(error.seconds) if isinstance(error, Throttled) else None
        return _build_sign_in_page(
            request,
            name=presented.name,
            next_path=next_path,
            problem=str(error),
            status=_TOO_MANY_REQUESTS if retry_after else _BAD_REQUEST,
            headers={"retry-after": retry_after} if retry_after else None,
        )
    return _redirect_with_session(request, secret, next_path)


def _redirect_with_session(request: Request, secret: str, next_path: str) -> Redirect:
    lifetime = request.settings.session_lifetime
    redirection = redirect(request, restrict_to_local(next_path))
    cookie = csrf.build_set_cookie(request, csrf.SESSION_COOKIE, secret, seconds=int(lifetime.total_seconds()))
    return Redirect(redirection.location, redirection.status, {"set-cookie": cookie})


def restrict_to_local(path: str) -> str:
    """Return a path of this server to continue at, percent-encoded; `/` for anything that may lead elsewhere.

    The path comes from the query, and a link to the sign-in page could name a phishing site in it (open redirect).
    Browsers follow `//host` to another host, also with a backslash for a slash or with control characters inside.
    """
    is_path = path.startswith("/") and not path.startswith(("//", "/\\"))
    if not is_path or "\\" in path or not path.isprintable():
        return "/"
    return quote(path, safe="/?&=%:@!$'()*+,;~[]-._")


@router.form(urls.SIGN_OUT, permission=Permission.SIGN_IN)
def sign_out(request: Request) -> Redirect:
    """End the session of a browser."""
    caller = request.caller
    if caller.kind is CredentialType.SESSION and caller.credential:
        credentials.end_session(request.db, caller.credential, user=str(caller.user))
    expired_cookie = csrf.build_set_cookie(request, csrf.SESSION_COOKIE, "", seconds=0)
    return Redirect(redirect(request, "/").location, 303, {"set-cookie": expired_cookie})


# The first administrator


@router.page(urls.SETUP, permission=Permission.SIGN_IN)
def show_setup(request: Request) -> HtmlPage:
    """Show the form for the first administrator, if the link is valid."""
    link = request.option("link") or ""
    accounts.check_setup_link(request.db, link, vault=get_vault(request.settings), now=request.now)
    headers = csrf.issue_form_token(request)
    return HtmlPage("setup.html", {"link": link, "name": "", "email": "", "problems": {}}, headers=headers)


@router.form(urls.SETUP, permission=Permission.SIGN_IN, needs_database=False)
def set_up(request: Request) -> AfterCommit:
    """Create the first administrator, and sign the browser in."""
    csrf.check_form_token(request)
    return AfterCommit(lambda: _set_up(request))


def _set_up(request: Request) -> HtmlPage | Redirect:
    form, authenticator = request.form, get_authenticator(request)
    name, email, link = form.text("name"), form.text("email"), form.text("link")
    # Before the password is hashed, so that requests without a valid link cost little.
    authenticator.check_setup_link(link, request)
    try:
        administrator = _add_first_administrator(request, name, email, link)
    except (Invalid, Conflict) as error:
        context = {"link": link, "name": name, "email": email, "problems": problems_by_field(error)}
        return HtmlPage("setup.html", context, _BAD_REQUEST)
    request.has_ended_open_access = True
    secret = authenticator.sessions.open(administrator, BasicCredentials(name, form.raw("password")), request)
    return _redirect_with_session(request, secret, urls.ACCOUNT.fill() + "?done=first")


def _add_first_administrator(request: Request, name: str, email: str, link: str) -> AuthenticatedCaller:
    password_hash = hash_chosen_password(request.form, (name, email))
    draft = AccountDraft(name=name, role=Role.ADMINISTRATOR, email=email, password=password_hash)
    vault = get_vault(request.settings)
    account = get_authenticator(request).database.write(
        lambda db: accounts.add_first_administrator(db, draft, link=link, vault=vault, now=request.now)
    )
    caller = Caller(kind=CredentialType.BASIC, role=account.role, user=account.name, account=account.uuid)
    return AuthenticatedCaller(caller, password_hash)


def hash_chosen_password(form: Form, public_words: tuple[str, str]) -> str:
    """Hash the new password of a form. Raises Invalid for a weak password or one that differs from its repetition."""
    password = form.raw("password")
    weakness = passwords.find_weakness(password, public_words)
    if weakness:
        raise Invalid.member("password", weakness)
    if password != form.raw("again"):
        raise Invalid.member("again", "must be the same password")
    return passwords.hash_password(password)
