"""Responses that are errors, or not what a broker returns, described in sentences."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from html import unescape
from http import HTTPStatus
from typing import Any, Final

_MAX_TEXT: Final = 200
"""Characters of a response to quote; --verbose shows it completely."""
_MAX_PLAIN_TEXT: Final = 4000
_ERROR_NOTICES: Final = {"error", "danger"}


def describe_refusal(text: str, content_type: str) -> str:
    """Describe the body of an error response: the broker's reason, or what the body is instead."""
    reasons = list(dict.fromkeys(_list_reasons(_parse_object(text))))
    if not reasons and content_type.startswith("text/plain") and text.strip():
        reasons = [text.strip()[:_MAX_PLAIN_TEXT]]  # some reasons of the original broker have several lines
    return " ".join(map(_end_sentence, reasons)) if reasons else f"The response {describe_content(text, content_type)}."


def describe_content(text: str, content_type: str) -> str:
    """Describe a body that is not what a broker returns, as the predicate of a sentence."""
    content = text.strip()
    if not content:
        return "is empty"
    if re.match(r"<(!doctype html|html|head|body)\b", content, re.IGNORECASE) or "html" in content_type:
        return f"is an HTML page{_quote_title(content)}, probably of a proxy or of another server"
    if is_json(content):
        return f"gives no reason that this command understands: {_shorten(content)}"
    if "json" in content_type:
        return f"is not valid JSON: {_shorten(content)}"
    return f"is a text: {_shorten(content)}"


def is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def find_request_id(headers: Mapping[str, str], text: str) -> str:
    """Return the id by which the broker's log has the request, or an empty text."""
    error = _parse_object(text).get("error")
    reference = error.get("reference") if isinstance(error, dict) else None
    return str(reference or headers.get("x-request-id") or "")


def describe_status(status: int) -> str:
    try:
        return f"status={status} {HTTPStatus(status).phrase}"
    except ValueError:
        return f"status={status}"


def _parse_object(text: str) -> dict[str, Any]:
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return body if isinstance(body, dict) else {}


def _list_reasons(body: Mapping[str, Any]) -> Iterator[str]:
    """Yield the reasons in the forms of the original broker, of PactFlow, and of problem documents (RFC 9457)."""
    reasons = [*_list_notices(body.get("notices")), *_list_texts(body.get("errors"))]
    for name in ("error", "detail", "message", "title"):
        # The title of a problem document only repeats its status.
        reasons = reasons or list(_list_texts(body.get(name)))
    yield from reasons


def _list_notices(notices: object) -> Iterator[str]:
    for notice in notices if isinstance(notices, list) else ():
        if isinstance(notice, dict) and notice.get("type") in _ERROR_NOTICES:
            yield str(notice.get("text", ""))


def _list_texts(value: Any) -> Iterator[str]:
    """Yield the texts in a value: a text, a list, an object with a text, or texts by the names of their members."""
    match value:
        case str() if value.strip():
            yield value.strip()
        case list():
            for item in value:
                yield from _list_texts(item)
        case {"message": str(text)} | {"detail": str(text)}:
            # The pointer of a problem document leads to the member.
            yield f"{str(value.get('pointer') or '').strip('/')} {text}".strip()
        case dict():
            for name, texts in value.items():
                # Some texts begin with the name already, such as "name 'x' is already used".
                yield from (text if text.startswith(name) else f"{name} {text}" for text in _list_texts(texts))


def _end_sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?", ":")) else f"{text}."


def _quote_title(html: str) -> str:
    match = re.search(r"<(title|h1)[^>]*>(.*?)</\1>", html, re.IGNORECASE | re.DOTALL)
    title = _shorten(unescape(re.sub(r"<[^>]*>", " ", match[2]))) if match else ""
    return f' ("{title}")' if title else ""


def _shorten(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _MAX_TEXT else f"{line[: _MAX_TEXT - 3]}..."
