"""Entity tags, conditional requests and compression."""

import gzip
from dataclasses import replace
from functools import lru_cache
from hashlib import sha256
from typing import Final

from treaty.web.http.request import Request
from treaty.web.http.response import Response

MIN_COMPRESSED_BYTES: Final = 16 * 1024
"""Bytes. Compressing smaller bodies costs more time than it saves on the network."""


def add_etag(response: Response, request: Request) -> Response:
    """Add an `ETag` to the response of a read."""
    if response.status == 200 and request.method in {"GET", "HEAD"}:  # noqa: PLR2004 - OK
        response.headers["etag"] = (_cached_etag if response.has_stable_body else _etag)(
            response.etag_source or response.body
        )
        if len(response.body) >= MIN_COMPRESSED_BYTES:
            response.headers["vary"] = "Accept-Encoding"
    return response


def reduce_body(response: Response, request: Request) -> Response:
    """Return 304 if the client has the tagged body already; otherwise compress a large body."""
    tag = response.headers.get("etag")
    if tag is None:
        return response
    known_tags = request.headers.get("if-none-match")
    if known_tags is not None and _includes(known_tags, tag):
        return replace(response, status=304, body=b"", media_type=None)
    if len(response.body) >= MIN_COMPRESSED_BYTES and _accepts_gzip(request.headers.get("accept-encoding", "")):
        compressed = gzip.compress(response.body, 5, mtime=0)
        return replace(response, body=compressed, headers={**response.headers, "content-encoding": "gzip"})
    return response


def _etag(source: bytes) -> str:
    # SHA-256 is the fastest of hashlib here, because processors have instructions for it.
    return f'W/"{sha256(source, usedforsecurity=False).hexdigest()[:24]}"'


_cached_etag: Final = lru_cache(maxsize=1024)(_etag)


def _includes(known_tags: str, tag: str) -> bool:
    tags = {known_tag.strip().removeprefix("W/") for known_tag in known_tags.split(",")}
    return "*" in tags or tag.removeprefix("W/") in tags


def _accepts_gzip(encodings: str) -> bool:
    for encoding in encodings.lower().split(","):
        name, _, quality = encoding.partition(";")
        if name.strip() in {"gzip", "*"}:
            return quality.replace(" ", "") not in {"q=0", "q=0.0", "q=0.00", "q=0.000"}
    return False
