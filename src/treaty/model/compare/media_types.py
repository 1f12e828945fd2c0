"""Choice of a media type, and the standard headers."""

import re
from collections.abc import Callable, Sequence
from typing import Final

_QUALITY: Final = re.compile(r";q=([01]\.?\d*)")
_BLANKS: Final = re.compile(r"\s+")

JSON: Final = "application/json"
FORM: Final = "application/x-www-form-urlencoded"
MULTIPART: Final = "multipart/form-data"

STANDARD_REQUEST_HEADERS: Final = frozenset(
    {
        *("accept", "accept-charset", "accept-datetime", "accept-encoding", "accept-language", "authorization"),
        *("cache-control", "connection", "content-length", "content-md5", "content-type", "cookie", "date"),
        *("expect", "forwarded", "from", "host", "if-match", "if-modified-since", "if-none-match", "if-range"),
        *("if-unmodified-since", "max-forwards", "origin", "pragma", "proxy-authorization", "range", "referer"),
        *("te", "upgrade", "user-agent", "via", "warning"),
    }
)

STANDARD_RESPONSE_HEADERS: Final = (
    *("access-control-allow-origin", "accept-patch", "accept-ranges", "age", "allow", "alt-svc"),
    *("cache-control", "connection", "content-disposition", "content-encoding", "content-language"),
    *("content-length", "content-location", "content-md5", "content-range", "date", "etag", "expires"),
    *("last-modified", "link", "location", "p3p", "pragma", "proxy-authenticate", "public-key-pins"),
    *("refresh", "retry-after", "server", "set-cookie", "status", "strict-transport-security", "trailer"),
    *("transfer-encoding", "tsv", "upgrade", "vary", "via", "warning", "www-authenticate", "x-frame-options"),
)


def best_match(header: str, available: Sequence[str]) -> str | None:
    """Choose the available media type that fits a header such as `Accept` best; None if none fits.

    The first hit wins: exact with parameters; without parameters; subtypes equal after their `+`; a wildcard among
    those available; a wildcard in the header. Lists are tried by descending quality.
    """
    accepted = sorted((_normalize(part) for part in header.split(",")), key=_quality, reverse=True)
    accepted = [_QUALITY.sub("", part) for part in accepted]
    offered = [_normalize(part) for part in available]
    exact = _first(accepted, offered, lambda accept, offer: accept == offer)
    if exact is not None:
        return available[exact]
    accepted = [part.split(";")[0] for part in accepted]
    offered = [part.split(";")[0] for part in offered]
    for fits in (_are_equal, _are_akin, _offers_any_subtype, _offers_anything, _accepts_any_subtype, _accepts_anything):
        index = _first(accepted, offered, fits)
        if index is not None:
            return available[index]
    return None


def can_be_validated(media_type: str, *, multipart: bool = True) -> bool:
    """Whether bodies of the type can be checked against a schema: JSON, forms and multipart forms."""
    return best_match(media_type, (JSON, FORM, MULTIPART) if multipart else (JSON, FORM)) is not None


def _first(accepted: Sequence[str], offered: Sequence[str], fits: Callable[[str, str], bool]) -> int | None:
    return next((index for accept in accepted for index, offer in enumerate(offered) if fits(accept, offer)), None)


def _normalize(media_type: str) -> str:
    return _BLANKS.sub("", media_type).lower()


def _quality(media_type: str) -> float:
    match = _QUALITY.search(media_type)
    return float(match[1]) if match else 1.0


def _split(media_type: str) -> tuple[str, str | None]:
    kind, separator, rest = media_type.partition("/")
    return kind, rest.split("/")[0].split("+")[-1] if separator else None


def _are_equal(accept: str, offer: str) -> bool:
    return accept == offer


def _are_akin(accept: str, offer: str) -> bool:
    return _split(accept) == _split(offer)


def _offers_any_subtype(accept: str, offer: str) -> bool:
    return _split(offer)[1] == "*" and _split(offer)[0] == _split(accept)[0]


def _offers_anything(_accept: str, offer: str) -> bool:
    return offer == "*/*"


def _accepts_any_subtype(accept: str, offer: str) -> bool:
    return _split(accept)[1] == "*" and _split(offer)[0] == _split(accept)[0]


def _accepts_anything(accept: str, _offer: str) -> bool:
    return accept == "*/*"
