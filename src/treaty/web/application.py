"""The broker as an ASGI application: from raw requests to answers."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, Final

import structlog
from starlette.applications import Starlette
from starlette.routing import BaseRoute, Match
from starlette.types import Receive, Scope, Send

from treaty.errors import TooLarge, TreatyError
from treaty.settings import Settings
from treaty.store.database import Busy, Database
from treaty.web.auth import Gate
from treaty.web.base_urls import BaseUrls
from treaty.web.media import HTML
from treaty.web.rendering import Answer, answer, failure, not_found, reference, refusal
from treaty.web.resources import every_router
from treaty.web.routing import Call, Refused, Resource, Route, Router, Unacceptable, result_of, split

METHODS: Final = {"GET", "HEAD", "POST", "PUT", "DELETE", "TRACE", "CONNECT", "OPTIONS", "PATCH"}
LARGE: Final = 256 * 1024
"""Bytes from which on a body is worked on in a thread, so that others need not wait for it."""

log = structlog.get_logger("treaty.web")


def application(
    settings: Settings, database: Database, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
) -> Starlette:
    """Make the application that answers for a database."""
    broker = Broker(settings, database, clock)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        yield
        broker.close()

    return Starlette(routes=[broker], lifespan=lifespan)


class Broker(BaseRoute):
    """Everything that the broker answers. It routes for itself: names hold slashes, and Starlette decodes paths."""

    def __init__(self, settings: Settings, database: Database, clock: Callable[[], datetime]) -> None:
        self._settings = settings
        self._database = database
        self._clock = clock
        self._router = _table(every_router(settings))
        self._gate = Gate(settings)
        self._base_urls = BaseUrls(settings)
        self._threads = ThreadPoolExecutor(settings.database_max_connections, thread_name_prefix="treaty")

    def close(self) -> None:
        """Let what runs end, and close the database."""
        self._threads.shutdown()
        self._database.close()

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Take every HTTP request."""
        return (Match.FULL, {}) if scope["type"] == "http" else (Match.NONE, {})

    def url_path_for(self, name: str, /, **path_params: Any) -> Any:
        """Name no path: `urls` has them all."""
        raise LookupError(name, path_params)

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        started = time.perf_counter()
        call = self._call(scope)
        reply = await self._reply(call, receive)
        await _send(send, call, reply)
        log.info(
            "request",
            request_id=call.request_id,
            method=call.method,
            path=call.path,
            status=reply.status,
            ms=round((time.perf_counter() - started) * 1000, 2),
        )

    def _call(self, scope: Scope) -> Call:
        headers = _joined(scope["headers"])
        return Call(
            method=scope["method"],
            path=scope["raw_path"].decode("latin-1"),
            query_string=scope["query_string"].decode("latin-1"),
            headers=headers,
            raw_body=b"",
            accept=headers.get("accept", ""),
            base_url=self._base_urls.of(scope, headers),
            settings=self._settings,
            now=self._clock(),
            request_id=reference(),
        )

    async def _reply(self, call: Call, receive: Receive) -> Answer:
        try:
            return await self._routed(call, receive)
        except Gone:
            return Answer(400)
        except (TreatyError, Refused, Unacceptable, Busy) as error:
            return refusal(error, call)
        except Exception:
            log.exception("failure", request_id=call.request_id, method=call.method, path=call.path)
            return failure(call, problems="problem+json" in call.accept)

    async def _routed(self, call: Call, receive: Receive) -> Answer:
        segments, accept = split(call.path)
        call.accept = accept or call.accept
        resource, names = self._router.find(segments) or (None, [])
        route = _route(resource, call) if resource else None
        refused = self._gate.refusal(call, route)
        if refused is not None:
            return refused
        if resource is None:
            return not_found("", call)
        if route is None:
            return _without_handler(resource, call)
        if call.method not in {"GET", "HEAD"}:
            call.raw_body = await _body(receive, self._settings.max_body_bytes)
        return await self._run(route, call, names)

    async def _run(self, route: Route, call: Call, names: list[str]) -> Answer:
        def work() -> Answer:
            return answer(result_of(route, call, names, self._database), call)

        is_short = self._database.is_local and not route.is_slow and len(call.raw_body) < LARGE
        if not route.needs_database or is_short:
            return work()
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)


def _table(routers: Iterable[Router]) -> Router:
    table = Router()
    for router in routers:
        table.include(router)
    return table


def _route(resource: Resource, call: Call) -> Route | None:
    return resource.routes.get("GET" if call.method == "HEAD" else call.method)


def _without_handler(resource: Resource, call: Call) -> Answer:
    if call.method not in METHODS:
        return Answer(501)
    if call.method == "OPTIONS" and resource.offers_options:
        return Answer(200, headers={"access-control-allow-methods": resource.allow})
    return Answer(405, headers={"allow": resource.allow})


def _joined(raw: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for name, value in raw:
        key, text = name.decode("latin-1"), value.decode("latin-1")
        headers[key] = f"{headers[key]}, {text}" if key in headers else text
    return headers


class Gone(TreatyError):
    """A client that left before it had sent its whole request."""


async def _body(receive: Receive, most: int) -> bytes:
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
_USUAL: Final = [*_ALWAYS, (b"x-pact-broker-version", b"2.120.0"), (b"vary", b"Accept")]


async def _send(send: Send, call: Call, reply: Answer) -> None:
    headers = list(
        _ALWAYS if reply.media and not reply.charset and reply.status in {404, 422} and reply.media != HTML else _USUAL
    )
    if "cache-control" not in reply.headers and len(headers) > 1:
        headers.append((b"cache-control", b"no-cache"))
    if reply.content_type is not None:
        headers.append((b"content-type", reply.content_type.encode("latin-1")))
    headers += [(name.encode("latin-1"), value.encode("latin-1", "replace")) for name, value in reply.headers.items()]
    if reply.status not in {204, 304}:
        headers.append((b"content-length", str(len(reply.body)).encode()))
    headers.append((b"x-request-id", call.request_id.encode()))
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if call.method == "HEAD" else reply.body})
