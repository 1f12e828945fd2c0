"""Between ASGI and the broker: a request's headers and body, and an answer on its way out."""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Final

from starlette.types import Receive, Send

from treaty.errors import TooLarge, TreatyError
from treaty.web.rendering import Answer
from treaty.web.routing import Call


def joined_headers(raw: Sequence[tuple[bytes, bytes]]) -> dict[str, str]:
    """Read headers by their names in lower case; repeated ones are joined with a comma."""
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in raw}
    return headers if len(headers) == len(raw) else _joined(raw)


def _joined(raw: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for name, value in raw:
        key, text = name.decode("latin-1"), value.decode("latin-1")
        headers[key] = f"{headers[key]}, {text}" if key in headers else text
    return headers


class Gone(TreatyError):
    """A client that left before it had sent its whole request."""


async def read_body(receive: Receive, most: int) -> bytes:
    """Read a request's body. Raises TooLarge for one of more than `most` bytes, and Gone."""
    pieces: list[bytes] = []
    size, is_whole = 0, False
    while not is_whole:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Gone
        pieces.append(message.get("body", b""))
        size += len(pieces[-1])
        if size > most:
            text = f"The request body is larger than {most} bytes. The setting max_body_bytes says how large it may be."
            raise TooLarge(text)
        is_whole = not message.get("more_body", False)
    return b"".join(pieces) if len(pieces) > 1 else pieces[0]


_ALWAYS: Final = [(b"x-content-type-options", b"nosniff")]
_USUAL: Final = [*_ALWAYS, (b"x-pact-broker-version", b"2.120.0")]
_DEFAULTS: Final = {"cache-control": "no-cache", "vary": "Accept"}
_WITH_DEFAULTS: Final = [*_USUAL, *((name.encode(), value.encode()) for name, value in _DEFAULTS.items())]


async def write(send: Send, call: Call, reply: Answer) -> None:
    """Send an answer, whole or by its parts. A bare one, for a path that names nothing, has no usual headers."""
    headers = _headers(reply)
    content_type = reply.content_type
    if content_type is not None:
        headers.append((b"content-type", _encoded(content_type)))
    if reply.status not in _WITHOUT_LENGTH and reply.parts is None:
        headers.append((b"content-length", str(len(reply.body)).encode()))
    headers.append((b"x-request-id", call.request_id.encode()))
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    if reply.parts is not None and call.method != "HEAD":
        async for part in reply.parts:
            await send({"type": "http.response.body", "body": part, "more_body": True})
    await send({"type": "http.response.body", "body": b"" if call.method == "HEAD" else reply.body})


def _headers(reply: Answer) -> list[tuple[bytes, bytes]]:
    given: Mapping[str, str] = reply.headers
    if reply.is_bare:
        headers = list(_ALWAYS)
    elif given.keys().isdisjoint(_DEFAULTS):
        headers = list(_WITH_DEFAULTS)
    else:
        headers, given = list(_USUAL), {**_DEFAULTS, **given}
    headers += [(_encoded(name), value.encode("latin-1", "replace")) for name, value in given.items()]
    return headers


@lru_cache(maxsize=256)
def _encoded(text: str) -> bytes:
    """Encode what many answers have."""
    return text.encode("latin-1")


_WITHOUT_LENGTH: Final = {204, 304}
