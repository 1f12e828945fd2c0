"""Chooses the base URL of the links in a response."""

from treaty.settings import Settings
from treaty.web.http.hosts import Host
from treaty.web.http.proxies import ClientConnection


class BaseUrls:
    """The configured base URLs; without any, the address that the request itself uses."""

    def __init__(self, settings: Settings) -> None:
        self._configured = settings.base_urls

    def choose(self, scheme: str, host: Host, client: ClientConnection, forwarded_host: Host | None) -> str:
        """Choose the base URL of a request. Reports of trusted proxies win over its own scheme and host."""
        if len(self._configured) == 1:
            return self._configured[0]
        forwarded = (forwarded_host or host).base_url(client.scheme or scheme)
        if not self._configured:
            return forwarded
        return next((url for url in (forwarded, host.base_url(scheme)) if url in self._configured), self._configured[0])
