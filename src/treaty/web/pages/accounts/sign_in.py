"""Pages to sign in and out, and the page behind the setup link, which creates the first administrator."""

from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import quote

from treaty.actions.accounts import accounts, credentials
from treaty.actions.accounts.accounts import AccountDraft
from treaty.errors import Conflict, Invalid, NotFound, Throttled, Unauthenticated
from treaty.model.accounts import passwords
from treaty.model.accounts.access import OPEN_ACCESS_CALLER, Caller, CredentialType, Role
from treaty.model.accounts.second_factors import PENDING_SIGN_IN_LIFETIME
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
_NOT_FOUND: Final = 404
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
        "has_no_users": obstacle is not None or request.caller == OPEN_ACCESS_CALLER,
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
        if authenticated.has_second_factor:
            return _redirect_to_code(request, authenticator.sessions.start_sign_in(authenticated, request), next_path)
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


# The code of a second factor

_PENDING_COOKIE: Final = "treaty-code"


def _redirect_to_code(request: Request, secret: str, next_path: str) -> Redirect:
    """Redirect to the form for the code, with a cookie that proves that the password was right."""
    query = {"next": next_path} if next_path else {}
    redirection = redirect(request, urls.SIGN_IN_CODE.fill(), **query)
    seconds = int(PENDING_SIGN_IN_LIFETIME.total_seconds())
    cookie = csrf.build_set_cookie(request, _PENDING_COOKIE, secret, seconds=seconds)
    return Redirect(redirection.location, redirection.status, {"set-cookie": cookie})


@router.page(urls.SIGN_IN_CODE, permission=Permission.SIGN_IN, needs_database=False)
def show_code(request: Request) -> HtmlPage:
    """Ask for a code, after the password."""
    headers, next_path = csrf.issue_form_token(request), request.option("next") or ""
    if csrf.find_cookie(request, _PENDING_COOKIE) is None:
        return _build_sign_in_page(request, name="", next_path=next_path, problem=_CODE_IS_LATE, headers=headers)
    return HtmlPage("sign_in_code.html", {"next_path": next_path, "problem": ""}, headers=headers)


_CODE_IS_LATE: Final = "The time to enter the code is over. Enter your name and password again."


@router.form(urls.SIGN_IN_CODE, permission=Permission.SIGN_IN, needs_database=False)
def enter_code(request: Request) -> AfterCommit:
    """Sign a browser in whose user has entered the right password."""
    csrf.check_form_token(request)
    return AfterCommit(lambda: _complete_sign_in(request))


def _complete_sign_in(request: Request) -> HtmlPage | Redirect:
    authenticator, next_path = get_authenticator(request), request.form.text("next")
    secret = csrf.find_cookie(request, _PENDING_COOKIE)
    pending = authenticator.sessions.find_pending(secret, request) if secret else None
    if pending is None:
        return _build_sign_in_page(request, name="", next_path=next_path, problem=_CODE_IS_LATE, status=_BAD_REQUEST)
    request.failed_login_user = pending.user
    try:
        authenticator.second_factors.verify(pending.account, request.form.raw("code"), request)
        session_secret = authenticator.sessions.complete_sign_in(pending, request)
    except Throttled as error:
        headers = {"retry-after": str(error.seconds)}
        context = {"next_path": next_path, "problem": str(error)}
        return HtmlPage("sign_in_code.html", context, _TOO_MANY_REQUESTS, headers)
    except Unauthenticated as error:
        return HtmlPage("sign_in_code.html", {"next_path": next_path, "problem": str(error)}, _BAD_REQUEST)
    return _redirect_with_session(request, session_secret, next_path)


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
    """Show the form for the first administrator, if a link is valid.

    The secret of the link is in the fragment of the URL, which browsers send neither to this server nor to others: a
    script copies it into the form. So it is in no log and no `Referer`.
    """
    if request.option("link"):
        raise NotFound(_OUTDATED_LINK)
    accounts.check_setup_possible(request.db, now=request.now)
    return _build_setup_page({}, headers=csrf.issue_form_token(request))


_OUTDATED_LINK: Final = (
    "This link was printed by an earlier version of this server, and no longer works. "
    "The newest link is in the server's output; restart the server to get another one."
)


def _build_setup_page(
    values: Mapping[str, str],
    problems: Mapping[str, Sequence[str]] | None = None,
    *,
    status: int = 200,
    headers: dict[str, str] | None = None,
) -> HtmlPage:
    context = {"link": "", "name": "", "email": "", **values, "problems": problems or {}}
    return HtmlPage("setup.html", context, status, headers or {})


@router.form(urls.SETUP, permission=Permission.SIGN_IN, needs_database=False)
def set_up(request: Request) -> AfterCommit:
    """Create the first administrator, and sign the browser in."""
    csrf.check_form_token(request)
    return AfterCommit(lambda: _set_up(request))


def _set_up(request: Request) -> HtmlPage | Redirect:
    form, authenticator = request.form, get_authenticator(request)
    values = {name: form.text(name) for name in ("name", "email", "link")}
    # The whole link may have been pasted.
    values["link"] = values["link"].rpartition("#")[2]
    try:
        # Before the password is hashed, so that requests without a valid link cost little.
        authenticator.check_setup_link(values["link"], request)
        administrator = _add_first_administrator(request, **values)
    except NotFound as error:
        return _build_setup_page({**values, "link": ""}, {"link": [str(error)]}, status=_NOT_FOUND)
    except (Invalid, Conflict) as error:
        return _build_setup_page(values, problems_by_field(error), status=_BAD_REQUEST)
    request.has_ended_open_access = True
    presented = BasicCredentials(values["name"], form.raw("password"))
    secret = authenticator.sessions.open(administrator, presented, request)
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
