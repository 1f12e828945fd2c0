"""Media types, and which of them a client takes."""

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
SVG: Final = "image/svg+xml"
GRAPHVIZ: Final = "text/vnd.graphviz"
MERMAID: Final = "text/vnd.mermaid"
HTML: Final = "text/html"
FORM: Final = "application/x-www-form-urlencoded"
CSS: Final = "text/css"
ANY: Final = "*/*"


@lru_cache(maxsize=1024)
def choose_media_type(accept: str, produces: Sequence[MediaType], *, is_strict: bool = False) -> MediaType | None:
    """Choose the media type to answer with, or None. Who takes `application/json` is given HAL, unless strict.

    Ranges are tried by q, then in their order; a range with parameters matches nothing, as nothing here has any.
    """
    if not accept.strip():
        return produces[0]
    offered = (*produces, JSON) if not is_strict and HAL in produces and JSON not in produces else tuple(produces)
    for wanted in _ranges(accept):
        for one in offered:
            if wanted in (one, "*/*") or (wanted.endswith("/*") and one.startswith(wanted[:-1])):
                return one
    return None


def _ranges(accept: str) -> list[str]:
    found: list[tuple[float, str]] = []
    for part in accept.split(","):
        name, *parameters = (piece.strip() for piece in part.split(";"))
        quality, more = _quality(parameters)
        if quality > 0 and not more:
            found.append((quality, "*/*" if name == "*" else name.lower()))
    return [name for _, name in sorted(found, key=lambda one: -one[0])]


def _quality(parameters: Sequence[str]) -> tuple[float, bool]:
    quality, more = 1.0, False
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip().lower() != "q":
            more = more or bool(name)
            continue
        try:
            quality = float(value)
        except ValueError:
            quality = 0.0
    return quality, more


def is_problem_accepted(accept: str) -> bool:
    """Whether errors are to be told as problem documents."""
    return PROBLEM in accept.lower()


def is_page_requested(accept: str, path: str) -> bool:
    """Whether a browser asks, rather than a client of the API."""
    text = accept.lower()
    if not text or any(one in text for one in (HAL, PROBLEM, JSON, CSV, "application/yaml", TEXT)):
        return False
    if text == "*/*":
        return path.endswith((".js", ".woff", ".woff2", ".css", ".png", ".html", ".map", ".ttf", ".ico"))
    return not ("svg" in text and path.endswith(("/badge", "/badge.svg")))


def is_form(content_type: str) -> bool:
    """Whether a body is the fields of a form."""
    return content_type.partition(";")[0].strip().lower() == FORM
