"""What another site makes a browser send, and how it is told from what our own pages send.

Browsers send cookies, and basic credentials that they remember, along with whatever a page of another site has them
send. They say so, though: in `Sec-Fetch-Site`, or at least in `Origin`. Programs send neither.
"""

import hmac
from typing import Final
from urllib.parse import urlsplit

from treaty.errors import Forbidden, Malformed
from treaty.model.accounts.access import CredentialType, generate_secret
from treaty.settings import is_loopback
from treaty.web.http.forms import CSRF_FIELD
from treaty.web.http.media_types import is_form
from treaty.web.http.request import Request

_SAFE: Final = {"GET", "HEAD", "OPTIONS"}
_OURS: Final = {"same-origin", "none"}
_HEADER: Final = "x-csrf-token"


def check_site(call: Request) -> None:
    """Refuse what another site has a browser send, whoever is signed in there. Raises Forbidden."""
    if call.method in _SAFE or _is_own(call):
        return
    raise Forbidden(
        "This was sent from another site, so nothing was done. Open its page here, and send it again. "
        "If that was the page, set PACT_BROKER_BASE_URL to the address that browsers show."
    )


def _is_own(call: Request) -> bool:
    site = call.headers.get("sec-fetch-site")
    if site is not None:
        return site in _OURS
    origin = call.headers.get("origin")
    if origin is None:
        return True
    return _host(origin) in {_host(call.base_url), call.headers.get("host", "").lower()}


def _host(url: str) -> str:
    try:
        return urlsplit(url).netloc.lower() or url
    except ValueError:
        return url


def check_csrf(call: Request) -> None:
    """Refuse a write that a session's cookie came with, and nothing that only our pages know. Raises Forbidden."""
    if call.method in _SAFE or call.caller.kind is not CredentialType.SESSION:
        return
    given = call.headers.get(_HEADER) or (call.form.raw(CSRF_FIELD) if is_form(call.content_type) else "")
    if not is_same_secret(given, call.csrf_token):
        raise Forbidden(
            f"This request came without the token that the broker's pages send in {CSRF_FIELD} or X-CSRF-Token. "
            "Go back, load the page again, and send it once more. Programs sign in with `Authorization: Bearer TOKEN`."
        )


def is_same_secret(given: str, expected: str) -> bool:
    """Whether two secrets are the same; blank ones are not."""
    return bool(expected) and hmac.compare_digest(given.encode(), expected.encode())


# Forms of those who are not signed in yet


_FORM_COOKIE: Final = "treaty-form"


def issue_form_token(call: Request) -> dict[str, str]:
    """Begin a form that no session stands behind: what it must send along stands in a cookie, too."""
    if call.caller.kind is CredentialType.SESSION:
        return {}
    call.csrf_token = find_cookie(call, _FORM_COOKIE) or generate_secret()
    return {"set-cookie": build_set_cookie(call, _FORM_COOKIE, call.csrf_token)}


def check_form_token(call: Request) -> None:
    """Refuse such a form if its cookie does not come with it. Raises Malformed."""
    if call.caller.kind is CredentialType.SESSION:
        return
    expected = find_cookie(call, _FORM_COOKIE) or ""
    if not is_same_secret(call.form.raw(CSRF_FIELD), expected):
        raise Malformed(
            "The form came without the cookie that was set with it. Open its page again, and let this site set cookies."
        )
    call.csrf_token = expected


# Cookies

SESSION_COOKIE: Final = "treaty"
_PREFIX: Final = "__Host-"


def find_cookie(call: Request, name: str) -> str | None:
    """Find a cookie of ours. Where cookies are safe, only one that cannot come from elsewhere counts."""
    wanted = _named(call, name)
    for part in call.headers.get("cookie", "").replace(", ", "; ").split(";"):
        found, is_there, value = part.strip().partition("=")
        if is_there and found == wanted and value:
            return value
    return None


def build_set_cookie(call: Request, name: str, value: str, *, seconds: int | None = None) -> str:
    """Write a cookie that scripts cannot read and other sites do not send; with no seconds it ends with the browser."""
    lasting = "" if seconds is None else f"; Max-Age={seconds}"
    secure = "; Secure" if _is_secure(call) else ""
    return f"{_named(call, name)}={value}; Path=/; HttpOnly; SameSite=Lax{secure}{lasting}"


def _named(call: Request, name: str) -> str:
    return f"{_PREFIX}{name}" if _is_secure(call) else name


def _is_secure(call: Request) -> bool:
    """Whether browsers take cookies here that they keep to themselves: with https, and on this machine."""
    parts = urlsplit(call.base_url)
    return parts.scheme == "https" or is_loopback(parts.hostname or "")
