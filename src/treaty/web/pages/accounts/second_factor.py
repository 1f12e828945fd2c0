"""The page on which users set up and remove their second factor."""

from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit

from sqlalchemy import Connection

from treaty.actions.accounts.second_factors import (
    confirm_set_up,
    find_pending_secret,
    remove_second_factor,
    replace_recovery_codes,
    start_set_up,
)
from treaty.errors import Conflict, Forbidden, Throttled, Unauthenticated
from treaty.model.accounts.access import Account, CredentialType
from treaty.model.accounts.second_factors import build_uri
from treaty.store.accounts import accounts, second_factors
from treaty.store.engine.vault import get_vault
from treaty.web import urls
from treaty.web.http.request import Request
from treaty.web.http.results import AfterCommit, HtmlPage, Redirect
from treaty.web.http.router import Router
from treaty.web.pages import redirect
from treaty.web.pages.accounts.settings import get_own_account
from treaty.web.security.authentication import get_authenticator
from treaty.web.security.permissions import Permission
from treaty.web.security.reauthentication import CODE_FIELD, PASSWORD_FIELD, reauthenticate

router = Router()

_BAD_REQUEST: Final = 400
_FORBIDDEN: Final = 403
_TOO_MANY_REQUESTS: Final = 429
_TEMPLATE: Final = "settings_second_factor.html"


@router.page(urls.SECOND_FACTOR, permission=Permission.SECURE_OWN_ACCOUNT)
def show_second_factor(request: Request) -> HtmlPage:
    """Show whether the user has a second factor, with forms to change that."""
    uuid = request.caller.account
    account = accounts.find(request.db, uuid) if uuid else None
    return _build_page(request.db, account)


def _build_page(
    db: Connection,
    account: Account | None,
    *,
    problem: str = "",
    status: int = 200,
    headers: dict[str, str] | None = None,
) -> HtmlPage:
    context = {
        "account": account,
        "problem": problem,
        "secret": None,
        "codes": (),
        "code_count": second_factors.count_recovery_codes(db, account.uuid) if account else 0,
    }
    return HtmlPage(_TEMPLATE, context, status, headers or {})


@router.form(urls.SET_UP_SECOND_FACTOR, permission=Permission.SECURE_OWN_ACCOUNT, is_sensitive=True)
def set_up_second_factor(request: Request) -> HtmlPage:
    """Generate a secret for an authenticator app, and show it."""
    account = get_own_account(request)
    try:
        secret = start_set_up(request.db, account, vault=get_vault(request.settings), now=request.now)
    except Conflict as error:
        return _build_page(request.db, account, problem=str(error), status=_BAD_REQUEST)
    return _build_secret_page(request, account, secret)


def _build_secret_page(request: Request, account: Account, secret: str, *, problem: str = "") -> HtmlPage:
    import segno  # noqa: PLC0415 - needed a few times in the life of an account

    # Apps read the issuer up to the first colon.
    host = (urlsplit(request.base_url).hostname or "").replace(":", "-")
    uri = build_uri(secret, user=account.name, issuer=f"Treaty {host}")
    # A white border, which scanners need, also if the page is dark.
    qr_code = segno.make(uri, error="m").svg_data_uri(scale=5, border=4, light="#fff")
    context = {"account": account, "problem": problem, "secret": secret, "qr_code": qr_code, "codes": ()}
    return HtmlPage(_TEMPLATE, context, _BAD_REQUEST if problem else 200)


@router.form(urls.CONFIRM_SECOND_FACTOR, permission=Permission.SECURE_OWN_ACCOUNT, is_sensitive=True)
def confirm_second_factor(request: Request) -> HtmlPage:
    """Require codes from now on, if the user's app has shown the right one, and show the recovery codes this once."""
    account, vault = get_own_account(request), get_vault(request.settings)
    code, kept_session = request.form.text("code"), _get_session(request)
    try:
        codes = confirm_set_up(request.db, account, code, kept_session=kept_session, vault=vault, now=request.now)
    except Conflict as error:
        return _build_page(request.db, account, problem=str(error), status=_BAD_REQUEST)
    except Unauthenticated as error:
        # The secret is shown again: it may not have been scanned, and does not count yet.
        secret = find_pending_secret(request.db, account, vault=vault)
        return _build_secret_page(request, account, str(secret), problem=str(error))
    return _build_codes_page(account, codes, is_new=True)


def _get_session(request: Request) -> str | None:
    return request.caller.credential if request.caller.kind is CredentialType.SESSION else None


def _build_codes_page(account: Account, codes: Sequence[str], *, is_new: bool) -> HtmlPage:
    context = {"account": account, "problem": "", "secret": None, "codes": codes, "is_new": is_new}
    return HtmlPage(_TEMPLATE, context)


@router.form(urls.RECOVERY_CODES, permission=Permission.SECURE_OWN_ACCOUNT, is_sensitive=True)
def create_recovery_codes(request: Request) -> HtmlPage:
    """Replace the recovery codes, and show the new ones this once."""
    account = get_own_account(request)
    try:
        codes = replace_recovery_codes(request.db, account)
    except Conflict as error:
        return _build_page(request.db, account, problem=str(error), status=_BAD_REQUEST)
    return _build_codes_page(account, codes, is_new=False)


@router.form(urls.REMOVE_SECOND_FACTOR, permission=Permission.SECURE_OWN_ACCOUNT)
def remove_own_second_factor(request: Request) -> AfterCommit | HtmlPage:
    """Let the user sign in with the password alone. The form contains both the password and a code."""
    account = get_own_account(request)
    if not account.has_second_factor:
        return _build_page(request.db, account, problem="You have no second factor.", status=_BAD_REQUEST)
    return AfterCommit(lambda: _remove(request, account))


def _remove(request: Request, account: Account) -> HtmlPage | Redirect:
    database, form = get_authenticator(request).database, request.form
    headers: dict[str, str] = {}
    try:
        reauthenticate(request, form.raw(PASSWORD_FIELD), form.raw(CODE_FIELD))
        database.write(
            lambda db: remove_second_factor(db, account, kept_session=_get_session(request), now=request.now)
        )
    except Throttled as error:
        problem, status, headers = str(error), _TOO_MANY_REQUESTS, {"retry-after": str(error.seconds)}
    except (Unauthenticated, Forbidden) as error:
        problem, status = str(error), _FORBIDDEN
    except Conflict as error:
        problem, status = str(error), _BAD_REQUEST
    else:
        return redirect(request, urls.SECOND_FACTOR.fill(), done="factor-removed")
    return database.read(lambda db: _build_page(db, account, problem=problem, status=status, headers=headers))
