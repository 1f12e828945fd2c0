"""HTTP requests as bytes, with placeholders for values that must be unique in each request."""

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

OPERATION_HEADER: Final = "x-operation"
"""Header with the name of the operation, by which the floor finds its recording. Treaty receives and ignores it."""
UNIQUE: Final = "#unique#"
"""Marks a placeholder in a path or a body."""
UNIQUE_LENGTH: Final = 12
"""Bytes of a unique value.

The length is fixed, so that `content-length` does not depend on the value, and a multiple of three, so that the value
can be encoded in Base64 apart from the text around it.
"""


class Placeholder(Enum):
    """Encoding of a unique value: as it is, or in Base64."""

    TEXT = "text"
    BASE64 = "Base64"


def build_unique_value(prefix: str, number: int) -> bytes:
    """Return a value that no other number has with this prefix, which has three letters at most."""
    return f"{prefix:x<3}{number:09d}".encode()


@dataclass(frozen=True, slots=True)
class Request:
    """A request: its bytes, split at its placeholders."""

    parts: tuple[bytes | Placeholder, ...]

    def render(self, unique_value: bytes) -> bytes:
        """Fill in the placeholders."""
        if len(self.parts) == 1 and isinstance(self.parts[0], bytes):
            return self.parts[0]
        values = {Placeholder.TEXT: unique_value, Placeholder.BASE64: base64.b64encode(unique_value)}
        return b"".join(values[part] if isinstance(part, Placeholder) else part for part in self.parts)


def encode_request(
    method: str,
    path: str,
    name: str,
    host: str,
    body: tuple[bytes | Placeholder, ...] = (),
    headers: Sequence[str] = (),
) -> Request:
    """Build a request. `name` is that of its operation, and `host` its address."""
    length = sum(_count_bytes(part) for part in body)
    lines = [
        f"{method} {path} HTTP/1.1",
        f"host: {host}",
        "accept: application/hal+json",
        f"{OPERATION_HEADER}: {name}",
        *headers,
    ]
    if body:
        lines += ["content-type: application/json", f"content-length: {length}"]
    return Request((*_split_at_placeholders("\r\n".join([*lines, "", ""]).encode()), *body))


def _count_bytes(part: bytes | Placeholder) -> int:
    if isinstance(part, bytes):
        return len(part)
    return UNIQUE_LENGTH if part is Placeholder.TEXT else len(base64.b64encode(bytes(UNIQUE_LENGTH)))


def build_json_body(document: object) -> tuple[bytes | Placeholder, ...]:
    """Render a document as JSON, with a placeholder wherever it contains `UNIQUE`."""
    return _split_at_placeholders(json.dumps(document).encode())


def build_publication_body(
    document: Mapping[str, object], provider: str, pact: bytes
) -> tuple[bytes | Placeholder, ...]:
    """Build the body of `POST /contracts/publish`.

    Base64 encodes three bytes at a time, so a placeholder in the pact must begin at a multiple of three bytes.
    """
    head, _, tail = (
        json.dumps({**document, "contracts": [_build_contract(document, provider)]}).encode().partition(b"#content#")
    )
    first, placeholder, rest = pact.partition(UNIQUE.encode())
    content: list[bytes | Placeholder] = [base64.b64encode(first)]
    if placeholder:
        assert len(first) % 3 == 0, "the placeholder does not begin at a multiple of three bytes"
        content += [Placeholder.BASE64, base64.b64encode(rest)]
    return (*_split_at_placeholders(head), *content, *_split_at_placeholders(tail))


def _split_at_placeholders(text: bytes) -> tuple[bytes | Placeholder, ...]:
    first, *rest = text.split(UNIQUE.encode())
    parts: list[bytes | Placeholder] = [first]
    for following in rest:
        parts += [Placeholder.TEXT, following]
    return tuple(parts)


def _build_contract(document: Mapping[str, object], provider: str) -> dict[str, object]:
    return {
        "consumerName": document["pacticipantName"],
        "providerName": provider,
        "specification": "pact",
        "contentType": "application/json",
        "content": "#content#",
    }
