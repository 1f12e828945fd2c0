"""Protection against cross-site request forgery (CSRF), and the cookies that it concerns.

A page of another site can have a browser send requests here, and the browser adds its cookies and remembered basic
credentials. There are two defences, because not every browser supports the first one:

1. Browsers report the requesting site in `Sec-Fetch-Site` or at least in `Origin`. Programs send neither.
2. Writes in a session, and forms to sign in, must repeat a token that other sites cannot read.
"""

import hmac
from typing import Final
from urllib.parse import urlsplit

from treaty.errors import Forbidden, Malformed
from treaty.model.accounts.access import CredentialType, generate_secret
from treaty.settings import is_loopback
from treaty.web.http.forms import CSRF_FIELD
from treaty.web.http.hosts import DEFAULT_PORTS
from treaty.web.http.media_types import is_form
from treaty.web.http.request import Request

_SAFE_METHODS: Final = {"GET", "HEAD", "OPTIONS"}
_OWN_SITES: Final = {"same-origin", "none"}
"""Values of `Sec-Fetch-Site` that are accepted. `none`: the user caused the request, for example with a bookmark."""
_TOKEN_HEADER: Final = "x-csrf-token"  # noqa: S105 - the name of a header


def check_site(request: Request) -> None:
    """Reject a write that a page of another site causes, whatever its credentials. Raises Forbidden."""
    if request.method in _SAFE_METHODS or _is_from_own_site(request):
        return
    raise Forbidden(
        "This request was sent by a page of another site, so it was rejected. Open the page here, and send it again. "
        "If it was sent from here, set PACT_BROKER_BASE_URL to the address that the browser shows."
    )


def _is_from_own_site(request: Request) -> bool:
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site in _OWN_SITES
    origin = request.headers.get("origin")
    if origin is None:
        return True
    # Without base URL settings, the `Host` header is the only known name of this server.
    return _read_host(origin) in {_read_host(request.base_url), request.headers.get("host", "").lower()}


def _read_host(url: str) -> str:
    try:
        parts = urlsplit(url)
    except ValueError:
        return url
    # Browsers leave out the scheme's default port, and the base URL of the settings may have it.
    return parts.netloc.lower().removesuffix(f":{DEFAULT_PORTS.get(parts.scheme)}") or url


def check_csrf(request: Request) -> None:
    """Reject a write that is authenticated by a session's cookie but lacks the session's token. Raises Forbidden.

    Other credentials need no token: programs send them on purpose, and `check_site` covers browsers with basic auth.
    """
    if request.method in _SAFE_METHODS or request.caller.kind is not CredentialType.SESSION:
        return
    form_token = request.form.raw(CSRF_FIELD) if is_form(request.content_type) else ""
    if not is_same_secret(request.headers.get(_TOKEN_HEADER) or form_token, request.csrf_token):
        raise Forbidden(
            f"This request lacks the token that the broker's pages send in {CSRF_FIELD} or X-CSRF-Token. Go back, "
            "reload the page, and send it again. Programs authenticate with `Authorization: Bearer TOKEN`."
        )


def is_same_secret(presented: str, expected: str) -> bool:
    """Compare secrets in constant time, so that the duration does not reveal how much matches. Blank ones differ."""
    return bool(expected) and hmac.compare_digest(presented.encode(), expected.encode())


# Forms that are sent before there is a session


_FORM_COOKIE: Final = "treaty-form"


def issue_form_token(request: Request) -> dict[str, str]:
    """Set `request.csrf_token` for a form that is shown without a session; return the headers that set its cookie.

    The form repeats the value of a cookie, which other sites can neither read nor set. Without that, another site could
    sign the browser in as a user of its choice (login CSRF).
    """
    if request.caller.kind is CredentialType.SESSION:
        return {}
    # An existing cookie is reused: otherwise only the page that was opened last could be sent.
    request.csrf_token = find_cookie(request, _FORM_COOKIE) or generate_secret()
    return {"set-cookie": build_set_cookie(request, _FORM_COOKIE, request.csrf_token)}


def check_form_token(request: Request) -> None:
    """Reject a form that does not repeat the value of its cookie. Raises Malformed."""
    if request.caller.kind is CredentialType.SESSION:
        return
    expected = find_cookie(request, _FORM_COOKIE) or ""
    if not is_same_secret(request.form.raw(CSRF_FIELD), expected):
        raise Malformed(
            "The form was sent without the cookie that was set with it. Open the page again, and allow this site to "
            "set cookies."
        )
    request.csrf_token = expected


# Cookies

SESSION_COOKIE: Final = "treaty"
_HOST_PREFIX: Final = "__Host-"
"""Browsers accept a cookie with this prefix only from this host, over a secure connection, and for the path `/`."""
_SECURE_PREFIX: Final = "__Secure-"
"""Browsers accept a cookie with this prefix only over a secure connection."""


def find_cookie(request: Request, name: str) -> str | None:
    """Find a cookie of this server.

    On a secure connection only the name with the prefix counts: one without could come from a sibling domain.
    """
    full_name = _build_name(request, name)
    for pair in request.headers.get("cookie", "").replace(", ", "; ").split(";"):
        key, equals, value = pair.strip().partition("=")
        if equals and key == full_name and value:
            return value
    return None


def build_set_cookie(request: Request, name: str, value: str, *, seconds: int | None = None) -> str:
    """Build a `Set-Cookie` header for a cookie that scripts cannot read and other sites do not send.

    It is for the path of the base URL: other services on the host do not receive it, and another broker there has
    cookies of its own. Without `seconds` the cookie ends with the browser.
    """
    max_age = "" if seconds is None else f"; Max-Age={seconds}"
    secure = "; Secure" if _is_secure(request) else ""
    path = _base_path(request) or "/"
    return f"{_build_name(request, name)}={value}; Path={path}; HttpOnly; SameSite=Lax{secure}{max_age}"


def _build_name(request: Request, name: str) -> str:
    prefix = _SECURE_PREFIX if _base_path(request) else _HOST_PREFIX
    return f"{prefix}{name}" if _is_secure(request) else name


def _base_path(request: Request) -> str:
    return urlsplit(request.base_url).path


def _is_secure(request: Request) -> bool:
    """Whether browsers accept secure cookies: with https, and on this machine."""
    parts = urlsplit(request.base_url)
    return parts.scheme == "https" or is_loopback(parts.hostname or "")
