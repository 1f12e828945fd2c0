"""Decides which values of webhooks are secrets, and which server they were entered for."""

import re
from dataclasses import replace
from typing import Final
from urllib.parse import unquote, urlsplit

from treaty.model.webhooks import hosts
from treaty.model.webhooks.webhooks import MASK, Webhook, is_mask

HARMLESS_HEADERS: Final = frozenset(
    {
        "accept",
        "accept-charset",
        "accept-encoding",
        "accept-language",
        "cache-control",
        "connection",
        "content-disposition",
        "content-encoding",
        "content-language",
        "content-length",
        "content-type",
        "date",
        "expect",
        "from",
        "host",
        "if-match",
        "if-modified-since",
        "if-none-match",
        "max-forwards",
        "origin",
        "pragma",
        "prefer",
        "traceparent",
        "tracestate",
        "transfer-encoding",
        "upgrade",
        "user-agent",
        "via",
        # Treaty's own: the signature is no use without the key, and expires.
        "x-treaty-delivery",
        "x-treaty-signature-256",
        "x-treaty-timestamp",
    }
)
"""Lower-case names of headers that never contain a credential."""
_CREDENTIAL_WORD: Final = re.compile(
    "access|auth|bearer|cert|cookie|cred|hmac|jwt|key|login|otp|pass|priv|pwd|secret|session|sig|token", re.IGNORECASE
)
_SCHEME: Final = r"(?:apikey|basic|bearer|digest|key|negotiate|token)\s+"
"""Names of authentication schemes, which precede the credential in a header."""
_CREDENTIAL: Final = re.compile(rf"{_SCHEME}\S", re.IGNORECASE)
_PLACEHOLDERS: Final = re.compile(rf"(?:{_SCHEME})?(?:\$\{{(?:pactbroker|user|secret)\.[^}}]*\}}\s*)+", re.IGNORECASE)
MIN_MASK_LENGTH: Final = 3
"""Shorter texts of asterisks are values, such as `If-Match: *`."""


def is_secret_header(name: str, value: str) -> bool:
    """Whether the value of a header must be encrypted, by its lower-case name and its text.

    Names are no sure sign of a credential (`Circle-Token`, `Api-Key`, `Deploy`), so only harmless values are visible:
    those of well-known headers, of `X-` headers whose name suggests no credential, and mere placeholders.
    """
    if not is_secret(value) or name.lower() in HARMLESS_HEADERS:
        return False
    return not name.lower().startswith("x-") or suggests_credential(name) or bool(_CREDENTIAL.match(value))


def is_secret(value: str) -> bool:
    """Whether a value that could be a credential is one. Placeholders are not: their values are stored elsewhere."""
    return bool(value) and not _PLACEHOLDERS.fullmatch(value)


def suggests_credential(name: str) -> bool:
    """Whether a word in the name of a header suggests that its value is a credential."""
    return bool(_CREDENTIAL_WORD.search(name))


def is_full_mask(value: str) -> bool:
    """Whether a value is the mask of a secret, and neither empty nor a single asterisk."""
    return is_mask(value) and len(value) >= MIN_MASK_LENGTH


# Origins


def read_origin(url: str) -> str:
    """Return the scheme, host and port of a URL, in the form in which equal origins are equal texts.

    A final dot of the host is preserved: a resolver may find another server for the name without it.
    """
    try:
        split = urlsplit(url)
        scheme, port = split.scheme.lower(), split.port
    except ValueError:
        return url
    host = hosts.encode_host(split.hostname or "")
    named = f"[{host}]" if ":" in host else host
    is_default = port is None or port == _DEFAULT_PORTS.get(scheme)
    return f"{scheme}://{named}" if is_default else f"{scheme}://{named}:{port}"


_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


def mask_url(url: str) -> str:
    """Return a URL whose path and query are masked, because services such as Slack authenticate by them."""
    return f"{read_origin(url)}/{MASK}"


def hide_request(webhook: Webhook) -> Webhook:
    """Return a webhook as it is shown to users who may not manage webhooks.

    Its URL, body and user name could contain credentials.
    """
    request = webhook.request
    hidden = replace(
        request,
        url=mask_url(request.url),
        body=None if request.body is None else MASK,
        username=None if request.username is None else MASK,
    )
    return replace(webhook, request=hidden)


def remove_user(url: str) -> tuple[str, str | None, str | None]:
    """Return a URL without the user name and password in it, and both of them."""
    authority = urlsplit(url).netloc
    user, at, host = authority.rpartition("@")
    if not at:
        return url, None, None
    name, colon, password = user.partition(":")
    return url.replace(authority, host, 1), unquote(name), unquote(password) if colon else None
