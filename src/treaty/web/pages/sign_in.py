"""Signing in and out, and the page behind the link that makes the first administrator."""

from typing import Final
from urllib.parse import quote

from treaty.actions import admitting, issuing
from treaty.actions.admitting import NewAccount
from treaty.errors import Conflict, Invalid, Throttled, Unauthenticated
from treaty.model import password
from treaty.model.access import Caller, Credential, Role
from treaty.store.vault import vault_of
from treaty.web import open_access, origins, urls
from treaty.web.auth import Basic, Identified
from treaty.web.pages import problems_by_field, sent_on
from treaty.web.routing import Afterwards, Call, Page, Permission, Redirected, Router

router = Router()

_WRONG: Final = 400
_TOO_MANY: Final = 429


@router.page(urls.SIGN_IN, permission=Permission.SIGN_IN, needs_database=False)
def show_sign_in(call: Call) -> Page:
    """Ask for a name and a password."""
    headers = origins.begin_form(call)
    return _sign_in_page(call, name="", onward=call.option("next") or "", headers=headers)


def _sign_in_page(
    call: Call, *, name: str, onward: str, problem: str = "", status: int = 200, headers: dict[str, str] | None = None
) -> Page:
    facts = {
        "name": name,
        "onward": onward,
        "problem": problem,
        "is_signed_in": call.caller.is_known,
        "closed_because": call.closed_because and open_access.no_users(call.closed_because),
    }
    return Page("sign_in.html", facts, status, headers or {})


@router.form(urls.SIGN_IN, permission=Permission.SIGN_IN, needs_database=False)
def sign_in(call: Call) -> Afterwards:
    """Sign a browser in."""
    origins.check_form(call)
    return Afterwards(lambda: _signed_in(call))


def _signed_in(call: Call) -> Page | Redirected:
    given = Basic(call.form.text("name"), call.form.raw("password"))
    onward = call.form.text("next")
    try:
        secret = call.gate.sign_in(given, call)
    except Unauthenticated as error:
        return _sign_in_page(call, name=given.name, onward=onward, problem=str(error), status=_WRONG)
    except Throttled as error:
        headers = {"retry-after": str(error.seconds)}
        return _sign_in_page(
            call, name=given.name, onward=onward, problem=str(error), status=_TOO_MANY, headers=headers
        )
    return _with_session(call, secret, onward)


def _with_session(call: Call, secret: str, onward: str) -> Redirected:
    lifetime = call.settings.session_lifetime
    led = sent_on(call, local(onward))
    cookie = origins.set_cookie(call, origins.SESSION, secret, seconds=int(lifetime.total_seconds()))
    return Redirected(led.location, led.status, {"set-cookie": cookie})


def local(onward: str) -> str:
    """Make sure that a place to go on to is one of this server; any other is its first page."""
    is_path = onward.startswith("/") and not onward.startswith(("//", "/\\"))
    if not is_path or "\\" in onward or not onward.isprintable():
        return "/"
    return quote(onward, safe="/?&=%:@!$'()*+,;~[]-._")


@router.form(urls.SIGN_OUT, permission=Permission.SIGN_IN)
def sign_out(call: Call) -> Redirected:
    """End the session of a browser."""
    if call.caller.kind is Credential.SESSION and call.caller.credential:
        issuing.end_session(call.db, call.caller.credential, user=str(call.caller.user))
    return Redirected(
        sent_on(call, "/").location, 303, {"set-cookie": origins.set_cookie(call, origins.SESSION, "", seconds=0)}
    )


# The first administrator


@router.page(urls.SETUP, permission=Permission.SIGN_IN)
def show_setup(call: Call) -> Page:
    """Ask who the first administrator is to be, if the link is good."""
    link = call.option("link") or ""
    admitting.check_setup_link(call.db, link, vault=vault_of(call.settings), now=call.now)
    headers = origins.begin_form(call)
    return Page("setup.html", {"link": link, "name": "", "email": "", "problems": {}}, headers=headers)


@router.form(urls.SETUP, permission=Permission.SIGN_IN, needs_database=False)
def set_up(call: Call) -> Afterwards:
    """Make the first administrator, and sign the browser in."""
    origins.check_form(call)
    return Afterwards(lambda: _set_up(call))


def _set_up(call: Call) -> Page | Redirected:
    form = call.form
    name, email, chosen = form.text("name"), form.text("email"), form.raw("password")
    call.gate.check_setup_link(form.text("link"), call)
    try:
        first = _first(call, name, email, chosen)
    except (Invalid, Conflict) as error:
        facts = {"link": form.text("link"), "name": name, "email": email, "problems": problems_by_field(error)}
        return Page("setup.html", facts, _WRONG)
    call.changes_access = True
    secret = call.gate.open_session(first, Basic(name, chosen), call)
    return _with_session(call, secret, urls.ACCOUNT.fill() + "?done=first")


def _first(call: Call, name: str, email: str, chosen: str) -> Identified:
    its_hash = hashed(chosen, call.form.raw("again"), (name, email))
    draft = NewAccount(name=name, role=Role.ADMINISTRATOR, email=email, password=its_hash)
    vault = vault_of(call.settings)
    account = call.gate.database.write(
        lambda db: admitting.add_first(db, draft, link=call.form.text("link"), vault=vault, now=call.now)
    )
    caller = Caller(kind=Credential.BASIC, role=account.role, user=account.name, account=account.uuid)
    return Identified(caller, its_hash)


def hashed(chosen: str, again: str, known: tuple[str, str]) -> str:
    """Hash a password that was chosen. Raises Invalid for a weak one, and one that was not repeated."""
    weakness = password.weakness(chosen, known)
    if weakness:
        raise Invalid.member("password", weakness)
    if chosen != again:
        raise Invalid.member("again", "must be the same password")
    return password.hashed(chosen)
