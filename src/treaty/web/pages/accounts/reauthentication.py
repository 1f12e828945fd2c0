"""The page on which the user of a session enters the password again."""

from typing import Final

from treaty.errors import Throttled, Unauthenticated
from treaty.model.accounts.access import CredentialType
from treaty.web import urls
from treaty.web.http.request import Request
from treaty.web.http.results import AfterCommit, HtmlPage, Redirect
from treaty.web.http.router import Router
from treaty.web.pages import redirect
from treaty.web.pages.accounts.sign_in import restrict_to_local
from treaty.web.security.permissions import Permission
from treaty.web.security.reauthentication import CODE_FIELD, PASSWORD_FIELD, FormToResume, reauthenticate

router = Router()

_FORBIDDEN: Final = 403
_TOO_MANY_REQUESTS: Final = 429


@router.page(urls.REAUTHENTICATE, permission=Permission.SECURE_OWN_ACCOUNT, needs_database=False)
def show_reauthentication(request: Request) -> HtmlPage | Redirect:
    """Ask the user of a session for the password."""
    next_path = request.option("next") or ""
    if request.caller.kind is not CredentialType.SESSION:
        return redirect(request, restrict_to_local(next_path))
    return _build_page(next_path)


def _build_page(next_path: str, *, problem: str = "", seconds: int | None = None) -> HtmlPage:
    context = {
        "action": urls.REAUTHENTICATE.fill(),
        "form": FormToResume([("next", next_path)] if next_path else [], ()),
        "problem": problem,
        "button": "Continue",
    }
    status = _TOO_MANY_REQUESTS if seconds else _FORBIDDEN if problem else 200
    return HtmlPage("reauthenticate.html", context, status, {"retry-after": str(seconds)} if seconds else {})


@router.form(urls.REAUTHENTICATE, permission=Permission.SECURE_OWN_ACCOUNT, needs_database=False)
def enter_password_again(request: Request) -> AfterCommit | Redirect:
    """Verify the password, and continue at the page that required it."""
    if request.caller.kind is not CredentialType.SESSION:
        return redirect(request, restrict_to_local(request.form.text("next")))
    return AfterCommit(lambda: _enter_password_again(request))


def _enter_password_again(request: Request) -> HtmlPage | Redirect:
    form = request.form
    next_path = form.text("next")
    try:
        reauthenticate(request, form.raw(PASSWORD_FIELD), form.raw(CODE_FIELD))
    except Throttled as error:
        return _build_page(next_path, problem=str(error), seconds=error.seconds)
    except Unauthenticated as error:
        return _build_page(next_path, problem=str(error))
    return redirect(request, restrict_to_local(next_path))
