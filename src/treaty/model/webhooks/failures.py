"""Why a delivery has failed, in a few words for lists; the log of each attempt has the details."""

import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

_ERROR_LINE: Final = re.compile(r"ERROR: Error executing webhook \S+ (\w+) - (.*)")
_CODE: Final = re.compile(r"^(?:\[(?:Errno -?\d+|SSL: \w+)\] )+")
"""Codes of the system and of OpenSSL before a text that says the same."""
_HIDDEN: Final = "the response details are not logged"
_MAX_LENGTH: Final = 160
_STATUSES: Final = {status.value: status.phrase for status in HTTPStatus}
_KINDS: Final = {
    "Refused": "Not sent",
    "UnusableValue": "Not sent",
    "WrongKey": "Not sent",
    "ProxyError": "Proxy error",
}
_TEXTS: Final = (
    (re.compile("SSL|TLS|certificate", re.IGNORECASE), "TLS error"),
    (re.compile("Errno 111|refused", re.IGNORECASE), "Connection refused"),
    (re.compile("gaierror|Errno -[0-9]|Name or service|not known|nodename", re.IGNORECASE), "Host not found"),
    (re.compile("reset|disconnected|closed", re.IGNORECASE), "Connection lost"),
)
"""Parts of the texts of errors, which depend on the system, and what they mean."""


@dataclass(frozen=True, slots=True)
class DeliveryFailure:
    """The outcome of the last attempt of a delivery that has not succeeded."""

    summary: str
    """Contains nothing secret: the status of the response, or the kind of error."""
    detail: str = ""
    """The text of the error, for those who may manage webhooks: it can contain a URL."""


def describe_failure(status: int | None, log: str | None) -> DeliveryFailure:
    """Describe a failed attempt by the status of its response, or else by the error in its log."""
    if status is not None:
        return DeliveryFailure(f"{status} {_STATUSES.get(status, '')}".strip())
    match = _ERROR_LINE.search(log or "")
    if match is not None:
        kind, reason = match[1], match[2].strip()
        summary, detail = _summarize(kind, reason), _CODE.sub("", reason or kind)
        return DeliveryFailure(summary, "" if detail.lower() == summary.lower() else _shorten(detail))
    if _HIDDEN in (log or ""):
        return DeliveryFailure("Response hidden", "Add the host to the setting webhook_host_whitelist to show it.")
    return DeliveryFailure("No response")


def _summarize(kind: str, reason: str) -> str:
    if kind.endswith(("Timeout", "TimeoutError")):
        return "Timed out"
    by_text = (summary for pattern, summary in _TEXTS if pattern.search(f"{kind} {reason}"))
    return _KINDS.get(kind) or next(by_text, "No response")


def _shorten(text: str) -> str:
    return text if len(text) <= _MAX_LENGTH else f"{text[:_MAX_LENGTH]}…"
