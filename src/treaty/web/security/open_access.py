"""Open access: whether a broker without users serves a request without credentials.

A broker that listens on the loopback address is open to the programs and browsers of its machine. A reverse proxy on
the machine, or a web page whose own host name resolves to 127.0.0.1 (DNS rebinding), connects from the machine too, but
on behalf of others. So everything about the settings and the request has to be local. An obstacle is a reason why it is
not, worded to follow "This broker requires authentication, but has no users yet:".
"""

from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from treaty.settings import Settings, is_loopback
from treaty.web.http.hosts import Host

_LOCAL_HOSTS: Final = {"localhost", "127.0.0.1", "[::1]"}
_PROXY_HEADERS: Final = frozenset(
    {
        "forwarded",
        "via",
        # In no standard, but reverse proxies add them, and no program sends them to its own machine by itself.
        "client-ip",
        "x-client-ip",
        "x-cluster-client-ip",
        "x-envoy-external-address",
        "x-original-host",
        "x-real-ip",
        "true-client-ip",
        "cf-connecting-ip",
        "fastly-client-ip",
    }
)
_FORWARDED_PREFIX: Final = "x-forwarded-"
_OWN_SITE: Final = {"same-origin", "none"}


def find_settings_obstacle(settings: Settings) -> str | None:
    """Describe why the settings exclude open access; None if they do not."""
    if settings.open_access:
        return None
    public_host = next((host for host in settings.host if not is_loopback(host)), None)
    if public_host is not None:
        return f"it listens on {public_host}, which other machines may reach"
    if settings.trusted_proxies:
        return "its setting trusted_proxies names a proxy, so others can reach it"
    remote = next((url for url in settings.base_urls if not _is_loopback_url(url)), None)
    return None if remote is None else f"its base URL {remote} is that of another machine or a proxy"


def _is_loopback_url(url: str) -> bool:
    try:
        return is_loopback(urlsplit(url).hostname or "")
    except ValueError:
        return False


def find_connection_obstacle(address: str | None, host: Host, *, is_http_1_0: bool) -> str | None:
    """Describe why the connection or the host of a request is not local; None if they are.

    The host defeats DNS rebinding: the browser connects to 127.0.0.1, but sends the attacker's host name.
    """
    if address is None or not is_loopback(address):
        return f"this request comes from {address or 'an unknown address'}"
    if host.name.lower() not in _LOCAL_HOSTS:
        return f"this request is for the host {host.name}; use localhost or 127.0.0.1"
    if is_http_1_0:
        return "this request uses HTTP/1.0, as reverse proxies do; use HTTP/1.1"
    return None


def find_header_obstacle(headers: Mapping[str, str]) -> str | None:
    """Describe why the headers of a request show that it is not local; None if none does."""
    if _has_proxy_header(headers):
        name = next(name for name in headers if name in _PROXY_HEADERS or _FORWARDED_PREFIX in name)
        return f"this request came through a proxy, as its header {name.title()} shows"
    if _is_from_other_site(headers):
        return "this request was sent by a page of another site; open its address in a tab of its own"
    return None


def is_behind_proxy(settings: Settings, headers: Mapping[str, str]) -> bool:
    """Whether the settings or the headers of a request suggest that it came through a reverse proxy."""
    return bool(settings.base_urls or settings.trusted_proxies) or _has_proxy_header(headers)


def _has_proxy_header(headers: Mapping[str, str]) -> bool:
    # Joining the names and searching once is faster than checking each name; this runs for every request.
    return not _PROXY_HEADERS.isdisjoint(headers) or _FORWARDED_PREFIX in "\n".join(headers)


def _is_from_other_site(headers: Mapping[str, str]) -> bool:
    """Whether a browser reports that a page of another site causes the request. Following a link to here is allowed."""
    site = headers.get("sec-fetch-site")
    if site is None or site in _OWN_SITE:
        return False
    return (headers.get("sec-fetch-mode"), headers.get("sec-fetch-dest")) != ("navigate", "document")


def explain_obstacle(obstacle: str) -> str:
    """Explain why a broker without users is closed to a request, and how to change that."""
    return (
        f"This broker requires authentication, but has no users yet: {obstacle}. Create the first administrator with "
        "the link that the server prints when it starts, or with `treaty user add NAME --role administrator` on its "
        "machine. To let everyone read and write without credentials, set TREATY_OPEN_ACCESS=true."
    )
