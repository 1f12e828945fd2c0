"""Chooses the base URL of the links in a response."""

from typing import NamedTuple

from treaty.settings import Settings
from treaty.web.http.base_paths import split_base_url
from treaty.web.http.hosts import DEFAULT_PORTS, Host
from treaty.web.http.proxies import ClientConnection


class _BaseUrl(NamedTuple):
    text: str
    origin: str
    """Scheme, host and port, as `Host.base_url` writes them, in lower case."""
    path: str


class BaseUrls:
    """The configured base URLs; without any, the address that the request itself uses."""

    def __init__(self, settings: Settings) -> None:
        self._configured = [_parse(url) for url in settings.base_urls]

    def choose(
        self, scheme: str, host: Host, client: ClientConnection, forwarded_host: Host | None, base_path: str
    ) -> str:
        """Choose the base URL of a request. Reports of trusted proxies win over its own scheme and host.

        `base_path` is the path of a base URL that the request's path began with. It counts most, as the client chose it
        and few proxies change it. Without it, `X-Forwarded-Prefix` may name the path that a proxy has removed.
        """
        if len(self._configured) == 1:
            return self._configured[0].text
        forwarded = (forwarded_host or host).base_url(client.scheme or scheme)
        if not self._configured:
            return forwarded
        origins = forwarded.lower(), host.base_url(scheme).lower()
        prefix = base_path or (client.prefix or "").rstrip("/")

        def rank(url: _BaseUrl) -> tuple[bool, ...]:
            has_same_path = url.path == prefix
            is_same_origin = [url.origin == origin for origin in origins]
            return (has_same_path and prefix != "", *is_same_origin, has_same_path and any(is_same_origin))

        return max(self._configured, key=rank).text  # the first one of equal rank


def _parse(url: str) -> _BaseUrl:
    origin, path = split_base_url(url)
    default_port = f":{DEFAULT_PORTS.get(origin.partition('://')[0])}"
    return _BaseUrl(url, origin.lower().removesuffix(default_port), path)
