"""Where to report vulnerabilities of this server, for people and scanners (RFC 9116)."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from treaty.errors import NotFound
from treaty.web import urls
from treaty.web.http.media_types import TEXT
from treaty.web.http.request import Request
from treaty.web.http.results import RawBody
from treaty.web.http.router import Router
from treaty.web.security.permissions import Permission

router = Router()

_VALIDITY: Final = timedelta(days=182)
"""The RFC recommends less than a year."""


# Those who have found a vulnerability seldom have credentials. The permission is the one that everyone has.
@router.get(urls.SECURITY_TXT, permission=Permission.SIGN_IN, produces=(), needs_database=False, errors=("404",))
def show_security_contacts(request: Request) -> RawBody:
    """Return where to report vulnerabilities of this server, as the settings say."""
    if not request.settings.security_contacts:
        raise NotFound(
            "This server names no contact for reports of vulnerabilities. Its operator can set security_contacts."
        )
    return RawBody("".join(f"{line}\n" for line in _lines(request)).encode(), TEXT)


def _lines(request: Request) -> Iterator[str]:
    settings = request.settings
    yield from (f"Contact: {contact}" for contact in settings.security_contacts)
    expires = settings.security_txt_expires or request.today + _VALIDITY
    yield f"Expires: {expires:%Y-%m-%dT%H:%M:%SZ}"
    if settings.security_policy:
        yield f"Policy: {settings.security_policy}"
    # Only configured addresses: others come from the request.
    yield from (f"Canonical: {url}{urls.SECURITY_TXT.fill()}" for url in settings.base_urls if url.startswith("https:"))
