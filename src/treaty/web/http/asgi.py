"""Between ASGI and the broker: a request's headers and body, and an answer on its way out."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from typing import Final

from starlette.types import Receive, Send

from treaty.errors import TooLarge, TreatyError
from treaty.web.http.request import Request
from treaty.web.http.response import Response


def decode_headers(raw: Sequence[tuple[bytes, bytes]]) -> dict[str, str]:
    """Read headers by their names in lower case; repeated ones are joined with a comma."""
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in raw}
    return headers if len(headers) == len(raw) else _joined(raw)


def _joined(raw: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    values: dict[bytes, list[bytes]] = {}
    for name, value in raw:
        values.setdefault(name, []).append(value)
    return {name.decode("latin-1"): b", ".join(texts).decode("latin-1") for name, texts in values.items()}


class ClientDisconnected(TreatyError):
    """A client that left before it had sent its whole request."""


MAX_PUBLIC_BODY: Final = 16 * 1024
"""Bytes that clients may send which are not authenticated, and everyone to forms that are open to all."""


class BodyReader:
    """The body of a request: read once, within a limit, or not at all."""

    def __init__(self, receive: Receive, headers: Mapping[str, str]) -> None:
        self._receive = receive
        self._headers = headers
        self._is_whole = False
        self._waits_for_leave = True

    @property
    def is_unread(self) -> bool:
        """Whether a part of the body is still to come."""
        headers = self._headers
        has_any = "content-length" in headers or "transfer-encoding" in headers
        return has_any and not self._is_whole and headers.get("content-length") != "0"

    async def read(self, limit: int, reason: str) -> bytes:
        """Read the whole body.

        Raises TooLarge, with the reason for the limit, for a body of more than `limit` bytes: before anything is read
        if the client announces it. Raises Gone.
        """
        declared = self._headers.get("content-length", "")
        if declared.isdecimal() and int(declared) > limit:
            raise _too_large(limit, reason)
        pieces: list[bytes] = []
        size = 0
        async for piece in self._pieces():
            pieces.append(piece)
            size += len(piece)
            if size > limit:
                raise _too_large(limit, reason)
        return b"".join(pieces) if len(pieces) > 1 else pieces[0]

    async def discard(self, limit: int) -> None:
        """Read and forget what a client still sends that was answered early.

        Closing the connection at once would reset it, and many clients would report that instead of the response. Ends
        after `limit` bytes or DISCARD_TIMEOUT. A client that waits for leave to send its body sends none.
        """
        if self._waits_for_leave and self._headers.get("expect", "").lower() == "100-continue":
            return
        with suppress(ClientDisconnected, TimeoutError):
            async with asyncio.timeout(DISCARD_TIMEOUT):
                async for piece in self._pieces():
                    limit -= len(piece)
                    if limit < 0:
                        return

    async def _pieces(self) -> AsyncIterator[bytes]:
        self._waits_for_leave = False
        while not self._is_whole:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise ClientDisconnected
            self._is_whole = not message.get("more_body", False)
            yield message.get("body", b"")


DISCARD_TIMEOUT: Final = 30.0
"""Seconds."""


def _too_large(limit: int, reason: str) -> TooLarge:
    return TooLarge(f"The request body is larger than {limit} bytes. {reason}")


_ALWAYS: Final = [(b"x-content-type-options", b"nosniff")]
_USUAL: Final = [*_ALWAYS, (b"x-pact-broker-version", b"2.120.0")]
_DEFAULTS: Final = {"cache-control": "no-cache", "vary": "Accept"}
_WITH_DEFAULTS: Final = [*_USUAL, *((name.encode(), value.encode()) for name, value in _DEFAULTS.items())]


async def send_response(send: Send, call: Request, reply: Response, body: BodyReader, *, discard_limit: int) -> None:
    """Send an answer, whole or by its parts. A bare one, for a path that names nothing, has no usual headers.

    After an early answer to a request whose body was not read, the connection is closed.
    """
    headers = _headers(reply)
    content_type = reply.content_type
    if content_type is not None:
        headers.append((b"content-type", _encoded(content_type)))
    if reply.status not in _WITHOUT_LENGTH and reply.parts is None:
        headers.append((b"content-length", str(len(reply.body)).encode()))
    headers.append((b"x-request-id", call.request_id.encode()))
    is_early = body.is_unread
    if is_early:
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    if reply.parts is not None and call.method != "HEAD":
        async for part in reply.parts:
            await send({"type": "http.response.body", "body": part, "more_body": True})
    content = b"" if call.method == "HEAD" else reply.body
    if is_early:
        await send({"type": "http.response.body", "body": content, "more_body": True})
        await body.discard(discard_limit)
        content = b""
    await send({"type": "http.response.body", "body": content})


def _headers(reply: Response) -> list[tuple[bytes, bytes]]:
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
