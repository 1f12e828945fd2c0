"""Media types, and content negotiation by the `Accept` header."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

MediaType = str

HAL: Final = "application/hal+json"
JSON: Final = "application/json"
EXTENDED: Final = "application/vnd.pactbrokerextended.v1+json"
PROBLEM: Final = "application/problem+json"
MERGE_PATCH: Final = "application/merge-patch+json"
TEXT: Final = "text/plain"
NDJSON: Final = "application/x-ndjson"
CSV: Final = "text/csv"
PROMETHEUS: Final = "text/plain; version=0.0.4"
OPEN_METRICS: Final = "application/openmetrics-text; version=1.0.0"
SVG: Final = "image/svg+xml"
GRAPHVIZ: Final = "text/vnd.graphviz"
MERMAID: Final = "text/vnd.mermaid"
HTML: Final = "text/html"
FORM: Final = "application/x-www-form-urlencoded"
CSS: Final = "text/css"
ANY: Final = "*/*"
NO_CONTENT_TYPE: Final = ""
"""The media type of a request without a `Content-Type`."""


MAX_CACHED_ACCEPT_LENGTH: Final = 500
"""Length of an `Accept` header up to which decisions are cached, so that clients cannot fill the memory."""


def choose_media_type(accept: str, produces: Sequence[MediaType], *, is_strict: bool = False) -> MediaType | None:
    """Choose the media type of the response; None if the client accepts none of them.

    Clients that accept `application/json` get HAL, unless `is_strict`. Ranges are tried by descending q and then in the
    order of the header. A range with parameters matches nothing, because none of our media types has parameters.
    """
    choose = _choose_cached if len(accept) <= MAX_CACHED_ACCEPT_LENGTH else _choose
    return choose(accept, produces, is_strict=is_strict)


def _choose(accept: str, produces: Sequence[MediaType], *, is_strict: bool) -> MediaType | None:
    if not accept.strip():
        return produces[0]
    offered = (*produces, JSON) if not is_strict and HAL in produces and JSON not in produces else tuple(produces)
    for media_range in _ranges(accept):
        for media_type in offered:
            is_in_range = media_range.endswith("/*") and media_type.startswith(media_range[:-1])
            if media_range in (media_type, "*/*") or is_in_range:
                return media_type
    return None


_choose_cached: Final = lru_cache(maxsize=1024)(_choose)


def prefer_json(produces: Sequence[MediaType], accept: str, content_type: str) -> Sequence[MediaType]:
    """Order the media types of a document for clients that accept all of them and use JSON themselves.

    Clients of PactFlow send `Content-Type: application/json` with every request, and parse each response as JSON, but
    the original broker's first choice for some documents is another type.
    """
    if produces[0] == HAL or HAL not in produces or accept.strip() not in {"", ANY}:
        return produces
    if content_type.partition(";")[0].strip().lower() != JSON:
        return produces
    return (HAL, *(media_type for media_type in produces if media_type != HAL))


def _ranges(accept: str) -> list[str]:
    ranges: list[tuple[float, str]] = []
    for part in accept.split(","):
        name, *parameters = (piece.strip() for piece in part.split(";"))
        quality, has_parameters = _quality(parameters)
        if quality > 0 and not has_parameters:
            ranges.append((quality, "*/*" if name == "*" else name.lower()))
    return [name for _, name in sorted(ranges, key=lambda weighted: -weighted[0])]


def _quality(parameters: Sequence[str]) -> tuple[float, bool]:
    quality, has_parameters = 1.0, False
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip().lower() != "q":
            has_parameters = has_parameters or bool(name)
            continue
        try:
            quality = float(value)
        except ValueError:
            quality = 0.0
    return quality, has_parameters


def is_problem_accepted(accept: str) -> bool:
    """Whether the client accepts problem documents (RFC 7807) for errors."""
    return PROBLEM in accept.lower()


def is_page_requested(accept: str, path: str) -> bool:
    """Whether a browser requests a page, rather than a client of the API a document.

    The rules are the original's: everything but API media types is a page, and `*/*` only for static files.
    """
    is_for_api = _is_for_api_cached if len(accept) <= MAX_CACHED_ACCEPT_LENGTH else _is_for_api
    if is_for_api(accept):
        return False
    text = accept.lower()
    if text == "*/*":
        return path.endswith((".js", ".woff", ".woff2", ".css", ".png", ".html", ".map", ".ttf", ".ico"))
    return not ("svg" in text and path.endswith(("/badge", "/badge.svg")))


def _is_for_api(accept: str) -> bool:
    text = accept.lower()
    return not text or any(media_type in text for media_type in (HAL, PROBLEM, JSON, CSV, "application/yaml", TEXT))


_is_for_api_cached: Final = lru_cache(maxsize=1024)(_is_for_api)


def is_form(content_type: str) -> bool:
    """Whether the content type is that of an HTML form."""
    return content_type.partition(";")[0].strip().lower() == FORM
