"""Requests as bytes, with blanks where each request says something of its own."""

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

OPERATION: Final = "x-operation"
"""The header that tells the floor what is asked for. The real server is sent it too."""
UNIQUE: Final = "#unique#"
"""Stands for the blank in a body."""
LENGTH: Final = 12
"""Of what fills a blank: a multiple of three, so that it stands for itself in Base64 too."""


class Blank(Enum):
    """What is written into a blank: a text, or the same in Base64."""

    TEXT = "text"
    BASE64 = "Base64"


def unique(prefix: str, number: int) -> bytes:
    """Make what fills a blank; no two are alike."""
    return f"{prefix:x<3}{number:09d}".encode()


@dataclass(frozen=True, slots=True)
class Request:
    """A request, ready to be sent but for its blanks."""

    parts: tuple[bytes | Blank, ...]

    def filled(self, text: bytes) -> bytes:
        if len(self.parts) == 1 and isinstance(self.parts[0], bytes):
            return self.parts[0]
        kinds = {Blank.TEXT: text, Blank.BASE64: base64.b64encode(text)}
        return b"".join(kinds[part] if isinstance(part, Blank) else part for part in self.parts)


def request(
    method: str,
    path: str,
    name: str,
    host: str,
    body: tuple[bytes | Blank, ...] = (),
    headers: Sequence[str] = (),
) -> Request:
    """Put a request together. All blanks have the same length, so its own length is known."""
    length = sum(_length(part) for part in body)
    lines = [
        f"{method} {path} HTTP/1.1",
        f"host: {host}",
        "accept: application/hal+json",
        f"{OPERATION}: {name}",
        *headers,
    ]
    if body:
        lines += ["content-type: application/json", f"content-length: {length}"]
    return Request((*_blanks("\r\n".join([*lines, "", ""]).encode()), *body))


def _length(part: bytes | Blank) -> int:
    if isinstance(part, bytes):
        return len(part)
    return LENGTH if part is Blank.TEXT else len(base64.b64encode(bytes(LENGTH)))


def json_body(document: object) -> tuple[bytes | Blank, ...]:
    """Write a document, with blanks where it says UNIQUE."""
    return _blanks(json.dumps(document).encode())


def publication(document: Mapping[str, object], provider: str, pact: bytes) -> tuple[bytes | Blank, ...]:
    """Write the body of a publication. A blank in the pact must stand at a multiple of three bytes."""
    head, _, tail = (
        json.dumps({**document, "contracts": [_contract(document, provider)]}).encode().partition(b"#content#")
    )
    first, blank, rest = pact.partition(UNIQUE.encode())
    content: list[bytes | Blank] = [base64.b64encode(first)]
    if blank:
        assert len(first) % 3 == 0, "the blank does not stand where Base64 begins anew"
        content += [Blank.BASE64, base64.b64encode(rest)]
    return (*_blanks(head), *content, *_blanks(tail))


def _blanks(text: bytes) -> tuple[bytes | Blank, ...]:
    first, *rest = text.split(UNIQUE.encode())
    parts: list[bytes | Blank] = [first]
    for piece in rest:
        parts += [Blank.TEXT, piece]
    return tuple(parts)


def _contract(document: Mapping[str, object], provider: str) -> dict[str, object]:
    return {
        "consumerName": document["pacticipantName"],
        "providerName": provider,
        "specification": "pact",
        "contentType": "application/json",
        "content": "#content#",
    }
