"""Reads request headers and bodies from ASGI, and sends responses."""

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
    """Return headers by lower-case name. Repeated headers are joined with a comma."""
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in raw}
    return headers if len(headers) == len(raw) else _join_repeated(raw)


def _join_repeated(raw: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    values: dict[bytes, list[bytes]] = {}
    for name, value in raw:
        values.setdefault(name, []).append(value)
    return {name.decode("latin-1"): b", ".join(texts).decode("latin-1") for name, texts in values.items()}


class ClientDisconnected(TreatyError):
    """The client disconnected before it had sent the whole request."""


MAX_PUBLIC_BODY: Final = 16 * 1024
"""Bytes that unauthenticated clients may send, and that public forms accept from anyone."""


class BodyReader:
    """The body of a request. It is read at most once, within a limit."""

    def __init__(self, receive: Receive, headers: Mapping[str, str]) -> None:
        self._receive = receive
        self._headers = headers
        self._is_whole = False
        self._awaits_continue = True

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
        """Discard the rest of the body after an early response.

        Closing the connection at once would reset it, and many clients would report that instead of the response. Ends
        after `limit` bytes or DISCARD_TIMEOUT. A client that waits for `100 Continue` will not send a body.
        """
        if self._awaits_continue and self._headers.get("expect", "").lower() == "100-continue":
            return
        with suppress(ClientDisconnected, TimeoutError):
            async with asyncio.timeout(DISCARD_TIMEOUT):
                async for piece in self._pieces():
                    limit -= len(piece)
                    if limit < 0:
                        return

    async def wait_for_disconnect(self) -> None:
        """Return when the client has disconnected, after its whole request has arrived."""
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def _pieces(self) -> AsyncIterator[bytes]:
        self._awaits_continue = False
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
# Most responses depend on the caller, at least in the links for which a permission is missing.
_DEFAULTS: Final = {"cache-control": "private, no-cache", "vary": "Accept, Authorization, Cookie"}
_WITH_DEFAULTS: Final = [*_USUAL, *((name.encode(), value.encode()) for name, value in _DEFAULTS.items())]


async def send_response(
    send: Send, request: Request, response: Response, body: BodyReader, *, discard_limit: int
) -> None:
    """Send a response, in parts if it is streamed.

    After an early response to a request whose body was not read, the connection is closed.
    """
    headers = _headers(response, request)
    content_type = response.content_type
    if content_type is not None:
        headers.append((b"content-type", _encoded(content_type)))
    if response.status not in _STATUSES_WITHOUT_LENGTH and response.parts is None:
        headers.append((b"content-length", str(len(response.body)).encode()))
    headers.append((b"x-request-id", request.request_id.encode()))
    is_early = body.is_unread
    if is_early:
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    if response.parts is not None and request.method != "HEAD":
        async for part in response.parts:
            await send({"type": "http.response.body", "body": part, "more_body": True})
    content = b"" if request.method == "HEAD" else response.body
    if is_early:
        await send({"type": "http.response.body", "body": content, "more_body": True})
        await body.discard(discard_limit)
        content = b""
    await send({"type": "http.response.body", "body": content})


def _headers(response: Response, request: Request) -> list[tuple[bytes, bytes]]:
    own_headers: Mapping[str, str] = response.headers
    if response.is_bare:
        headers = list(_ALWAYS)
    elif own_headers.keys().isdisjoint(_DEFAULTS):
        headers = list(_WITH_DEFAULTS)
    else:
        headers, own_headers = list(_USUAL), _add_defaults(own_headers, request)
    if request.base_url.startswith("https:") and (max_age := request.settings.hsts_max_age):
        headers.append((b"strict-transport-security", _encoded(f"max-age={max_age.total_seconds():.0f}")))
    headers += [(_encoded(name), value.encode("latin-1", "replace")) for name, value in own_headers.items()]
    return headers


def _add_defaults(headers: Mapping[str, str], request: Request) -> Mapping[str, str]:
    """Add the usual headers to a response that has one of them. Its own `vary` has additional names only."""
    cache_control, vary = headers.get("cache-control"), _DEFAULTS["vary"]
    if cache_control is None:
        cache_control = _DEFAULTS["cache-control"]
    elif request.caller.is_known and not cache_control.startswith(("public", "no-store")):
        # A shared cache must not return to others what an authenticated caller got, such as a badge.
        cache_control = f"private, {cache_control}"
    else:
        vary = "Accept"
    return {**headers, "cache-control": cache_control, "vary": ", ".join(filter(None, (vary, headers.get("vary"))))}


@lru_cache(maxsize=256)
def _encoded(text: str) -> bytes:
    """Encode header names and values, which repeat from response to response."""
    return text.encode("latin-1")


_STATUSES_WITHOUT_LENGTH: Final = {204, 304}
