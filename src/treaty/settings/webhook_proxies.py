"""The proxies through which webhooks are sent."""

from treaty.outbound_proxies import OutboundProxies
from treaty.settings import Settings


def read_proxies(settings: Settings) -> OutboundProxies:
    """Return the proxies of webhooks."""
    http, https = (
        secret.get_secret_value() if secret else None
        for secret in (settings.webhook_http_proxy, settings.webhook_https_proxy)
    )
    return OutboundProxies(http, https, settings.webhook_no_proxy)
