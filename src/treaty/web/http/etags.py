"""Sparing the wire: answers that the client has already, and large ones made smaller."""

import gzip
from dataclasses import replace
from functools import lru_cache
from hashlib import sha256
from typing import Final

from treaty.web.http.request import Request
from treaty.web.http.response import Response

MIN_COMPRESSED_BYTES: Final = 16 * 1024
"""Bytes from which on it pays to compress an answer."""


def add_etag(reply: Response, call: Request) -> Response:
    """Give an answer to a read its tag."""
    if reply.status == 200 and call.method in {"GET", "HEAD"}:  # noqa: PLR2004 - OK
        reply.headers["etag"] = (_kept_tag if reply.has_stable_body else _tag)(reply.etag_source or reply.body)
        if len(reply.body) >= MIN_COMPRESSED_BYTES:
            reply.headers["vary"] = "Accept, Accept-Encoding"
    return reply


def reduce_body(reply: Response, call: Request) -> Response:
    """Leave the body of a tagged answer out if the client has it, and compress it if it is large."""
    tag = reply.headers.get("etag")
    if tag is None:
        return reply
    known = call.headers.get("if-none-match")
    if known is not None and _has(known, tag):
        return replace(reply, status=304, body=b"", media_type=None)
    if len(reply.body) >= MIN_COMPRESSED_BYTES and _takes_gzip(call.headers.get("accept-encoding", "")):
        smaller = gzip.compress(reply.body, 5, mtime=0)
        return replace(reply, body=smaller, headers={**reply.headers, "content-encoding": "gzip"})
    return reply


def _tag(known_by: bytes) -> str:
    return f'W/"{sha256(known_by, usedforsecurity=False).hexdigest()[:24]}"'  # processors have instructions for it


_kept_tag: Final = lru_cache(maxsize=1024)(_tag)


def _has(known: str, tag: str) -> bool:
    tags = {one.strip().removeprefix("W/") for one in known.split(",")}
    return "*" in tags or tag.removeprefix("W/") in tags


def _takes_gzip(encodings: str) -> bool:
    for one in encodings.lower().split(","):
        name, _, quality = one.partition(";")
        if name.strip() in {"gzip", "*"}:
            return quality.replace(" ", "") not in {"q=0", "q=0.0", "q=0.00", "q=0.000"}
    return False
