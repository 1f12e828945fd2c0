"""The broker as an ASGI application: from raw requests to answers."""

import asyncio
import gc
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from contextvars import copy_context
from datetime import UTC, datetime
from functools import partial
from operator import attrgetter
from typing import Final, NamedTuple, Protocol, TypeVar

import structlog
from starlette.applications import Starlette
from starlette.types import Lifespan, Receive, Scope, Send

from treaty.errors import Malformed, Overloaded, TreatyError
from treaty.model.accounts.access import ANONYMOUS_CALLER
from treaty.settings import Settings
from treaty.store import audit
from treaty.store.engine.database import Busy, Database
from treaty.telemetry.metrics import ServerMetrics
from treaty.web.http import asgi
from treaty.web.http.etags import add_etag, reduce_body
from treaty.web.http.media_types import HTML, is_page_requested
from treaty.web.http.request import Request
from treaty.web.http.response import Response
from treaty.web.http.results import AfterCommit, StreamedBody
from treaty.web.http.router import Endpoint, Route, Router
from treaty.web.response_cache import ResponseCache
from treaty.web.responses import (
    build_error_response,
    build_internal_error,
    build_not_found,
    build_response,
    create_request_id,
)
from treaty.web.routers import list_routers
from treaty.web.security import authentication, csrf
from treaty.web.security.authentication import Authenticator, PasswordCheckRequired
from treaty.web.security.denied_requests import DeniedRequests, is_denied
from treaty.web.security.permissions import PERMISSIONS_BY_ROLE
from treaty.web.security.request_sources import RequestSources
from treaty.web.transactions import NotAcceptable, UnsupportedMediaType, run_handler

T = TypeVar("T")

HTTP_METHODS: Final = {"GET", "HEAD", "POST", "PUT", "DELETE", "TRACE", "CONNECT", "OPTIONS", "PATCH"}
LARGE_BODY_BYTES: Final = 256 * 1024
"""Bytes from which on a body is worked on in a thread, so that others need not wait for it."""
MAX_CACHE_BYTES: Final = 16 * 2**20
"""Maximum size of the cached responses of a process."""
REAUTHENTICATE_AFTER: Final = 1.0
"""Seconds after which a client whose body is still arriving has to be admitted again."""
MAX_HEAVY: Final = 2
"""Heavy requests that are processed at the same time."""
MAX_HEAVY_WAITING: Final = 8
"""Heavy requests that wait for their turn; more are refused."""

log = structlog.get_logger("treaty.web")


class BackgroundWorker(Protocol):
    """What works beside the requests, from start to stop, and is woken when there is something to do."""

    def start(self) -> None: ...

    def wake(self) -> None: ...

    def stop(self) -> None: ...


def build_application(
    settings: Settings,
    database: Database,
    *,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    worker: BackgroundWorker | None = None,
    max_cache_bytes: int = MAX_CACHE_BYTES,
) -> "Server":
    """Make the application that answers for a database; with a worker, which runs as long as it does."""
    broker = RequestHandler(settings, database, clock, worker, max_cache_bytes=max_cache_bytes)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        if worker:
            worker.start()
        _settle()
        yield
        if worker:
            await asyncio.to_thread(worker.stop)
        broker.close()

    return Server(broker, lifespan)


def _settle() -> None:
    """Take what is loaded by now out of what is searched for garbage. To search it takes as long as many requests."""
    gc.collect()
    gc.freeze()


class Server(Starlette):
    """Starlette, with a broker for all requests: it routes them, and catches its exceptions, for itself."""

    def __init__(self, broker: "RequestHandler", lifespan: Lifespan[Starlette]) -> None:
        super().__init__(lifespan=lifespan)
        self._broker = broker

    def close(self) -> None:
        """End what was never started."""
        self._broker.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request; what else a server says is Starlette's."""
        if scope["type"] == "http":
            await self._broker.handle(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)


class RequestHandler:
    """Everything that the broker answers. It routes for itself: names hold slashes, and Starlette decodes paths."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        clock: Callable[[], datetime],
        worker: BackgroundWorker | None = None,
        *,
        max_cache_bytes: int = MAX_CACHE_BYTES,
    ) -> None:
        self._settings = settings
        self._database = database
        self._clock = clock
        self._worker = worker
        self._router = _table(list_routers(settings))
        self._gate = Authenticator(settings, database)
        self._sources = RequestSources(settings)
        self._refusals = DeniedRequests(database)
        self._telemetry = ServerMetrics(database.engine)
        self._log = log.bind()
        self._cache = ResponseCache[_Made](max_cache_bytes, attrgetter("size"))
        self._heavy = HeavyWork()
        self._writes_in_threads = 0
        self._threads = ThreadPoolExecutor(settings.database_max_connections, thread_name_prefix="treaty")

    def close(self) -> None:
        """Let what runs end, and close the database."""
        self._threads.shutdown()
        self._heavy.close()
        self._refusals.close()
        self._database.close()

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        started = time.perf_counter()
        call = self._call(scope)
        body = asgi.BodyReader(receive, call.headers)
        reply = await self._reply(call, body)
        if is_denied(call, reply.status):
            await asyncio.get_running_loop().run_in_executor(self._threads, self._refusals.note, call, reply.status)
        scope["treaty.route"] = call.route
        await asgi.send_response(send, call, reply, body, discard_limit=self._settings.max_body_bytes)
        seconds = time.perf_counter() - started
        self._telemetry.count_request(call.method, call.route, reply.status, seconds)
        self._log.info(
            "request",
            request_id=call.request_id,
            method=call.method,
            path=call.path,
            status=reply.status,
            ms=round(seconds * 1000, 2),
        )

    def _call(self, scope: Scope) -> Request:
        headers = asgi.decode_headers(scope["headers"])
        source = self._sources.of(scope, headers)
        return Request(
            method=scope["method"],
            path=scope["raw_path"].decode("latin-1"),
            query_string=scope["query_string"].decode("latin-1"),
            headers=headers,
            accept=headers.get("accept", ""),
            base_url=source.base_url,
            settings=self._settings,
            now=self._clock(),
            request_id=create_request_id(),
            server_metrics=self._telemetry,
            authenticator=self._gate,
            address=source.address,
            source=source,
        )

    async def _reply(self, call: Request, body: asgi.BodyReader) -> Response:
        try:
            return await self._routed(call, body)
        except asgi.ClientDisconnected:
            return Response(400)
        except (TreatyError, UnsupportedMediaType, NotAcceptable, Busy) as error:
            return build_error_response(error, call)
        except Exception:
            log.exception("failure", request_id=call.request_id, method=call.method, path=call.path)
            return build_internal_error(call, problems="problem+json" in call.accept)

    async def _routed(self, call: Request, body: asgi.BodyReader) -> Response:
        if call.source.problem is not None:
            raise Malformed(call.source.problem)
        resource, names, accept = self._router.match(call.path)
        call.accept = accept or call.accept
        route = None
        if resource is not None:
            call.route = resource.url.template
            call.is_for_page = _is_for_page(resource, call)
            route = _route(resource, call)
        csrf.check_site(call)
        credential = authentication.read_credential(call)
        with self._gate.count_pending(credential, call):
            if not self._writes_in_threads and self._gate.can_run_on_event_loop(call, credential):
                await self._admit_at_once(call, route, credential)
            elif route is not None and self._admits_within(route):
                return await self._run(route, call, names, partial(self._gate.authenticate, call, route, credential))
            else:
                await self._in_thread(partial(self._gate.authenticate, call, route, credential))
        if resource is None:
            return build_not_found("", call)
        if route is None:
            return _without_handler(resource, call)
        if call.method not in {"GET", "HEAD"}:
            await self._read_body(call, route, credential, body)
            csrf.check_csrf(call)
        return await self._run(route, call, names)

    async def _read_body(
        self, call: Request, route: Route, credential: authentication.RequestCredential, body: asgi.BodyReader
    ) -> None:
        """Read the body. One that took long is worked on as if the request had only arrived now.

        Otherwise a client that holds its body back could write long after its token was revoked, its user disabled.
        """
        started = time.monotonic()
        call.raw_body = await body.read(*self._body_limit(route, call))
        if time.monotonic() - started > REAUTHENTICATE_AFTER:
            call.now, call.caller = self._clock(), ANONYMOUS_CALLER
            await self._in_thread(partial(self._gate.authenticate, call, route, credential))

    def _body_limit(self, route: Route, call: Request) -> tuple[int, str]:
        """How large a body may be, and why: little before it is known who sends it, and where all may send."""
        largest = self._settings.max_body_bytes
        if call.caller.role is None or route.permission in PERMISSIONS_BY_ROLE[None]:
            return min(largest, asgi.MAX_PUBLIC_BODY), "Larger ones are taken from authenticated clients, by the API."
        return largest, "The setting max_body_bytes says how large it may be."

    async def _admit_at_once(
        self, call: Request, route: Route | None, credential: authentication.RequestCredential
    ) -> None:
        try:
            self._gate.authenticate(call, route, credential, can_wait=False)
        except PasswordCheckRequired:
            await self._in_thread(partial(self._gate.authenticate, call, route, credential))

    async def _run(
        self, route: Route, call: Request, names: Sequence[str], authenticate: Callable[..., None] | None = None
    ) -> Response:
        """Do the work; whoever is not admitted yet is so within its transaction."""
        if self._takes_thread(route, call):
            done = await self._worked_in_thread(route, partial(self._work, route, call, names, authenticate))
        else:
            done = self._work(route, call, names, authenticate)
        if call.has_queued and self._worker:
            self._worker.wake()
        if isinstance(done, Response):
            return done
        return self._streamed(done) if isinstance(done, StreamedBody) else await self._afterwards(done, call)

    def _work(
        self, route: Route, call: Request, names: Sequence[str], authenticate: Callable[..., None] | None
    ) -> Response | AfterCommit | StreamedBody:
        result = self._result(route, call, names, authenticate)
        if isinstance(result, AfterCommit | StreamedBody):
            return result
        made = result if isinstance(result, _Made) else self._made(result, call)
        if made.counts:
            made.counts()
        return reduce_body(made.answer, call)

    def _admits_within(self, route: Route) -> bool:
        """Whether who asks is found out where the answer is: on the way there and back that a read takes anyway."""
        is_reading = route.method == "GET" and route.needs_database and route.database_failure_result is None
        return is_reading and not self._database.is_local

    def _result(
        self, route: Route, call: Request, names: Sequence[str], authenticate: Callable[..., None] | None
    ) -> object:
        ask = partial(run_handler, route, call, names, database=self._database, read=self._read)
        if authenticate is None:
            return ask()
        try:
            return ask(authenticate=lambda db: authenticate(db=db))
        except PasswordCheckRequired:
            authenticate()
            return ask()
        finally:
            self._gate.note_use(call)

    def _read(self, route: Route, call: Request, names: Sequence[str]) -> object:
        if not route.is_cacheable:
            return route.handler(call, *names)
        return self._cache.get_or_compute(
            call.db, call.cache_key, lambda: self._made(route.handler(call, *names), call)
        )

    def _made(self, result: object, call: Request) -> "_Made":
        return _Made(add_etag(build_response(result, call), call), self._telemetry.decision_counter(result))

    def _takes_thread(self, route: Route, call: Request) -> bool:
        if not route.needs_database:
            return False
        if not self._database.is_local or route.is_slow:
            return True
        # SQLite lets one write at a time: a short one would keep the event loop waiting until a long one is done.
        if self._writes_in_threads and not route.is_read_only:
            return True
        if route.has_long_query is not None and route.has_long_query(call):
            return True
        raw_body = call.raw_body
        return bool(raw_body) and (len(raw_body) >= LARGE_BODY_BYTES or route.has_long_body(raw_body))

    async def _worked_in_thread(self, route: Route, work: Callable[[], T]) -> T:
        if route.is_read_only or not self._database.is_local:
            return await self._in_thread(work)
        self._writes_in_threads += 1
        try:
            return await self._in_thread(work)
        finally:
            self._writes_in_threads -= 1

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, copy_context().run, work)

    async def _afterwards(self, done: AfterCommit, call: Request) -> Response:
        work = partial(_done_by, call, done)
        reply = await (self._heavy.run(work) if done.is_heavy else asyncio.to_thread(work))
        if call.has_ended_open_access:
            self._gate.forget_open_access()
        return reply

    def _streamed(self, result: StreamedBody) -> Response:
        async def parts() -> AsyncIterator[bytes]:
            loop = asyncio.get_running_loop()
            while part := await loop.run_in_executor(self._threads, self._database.read, result.read_part):
                yield part

        return Response(200, media_type=result.media_type, headers=dict(result.headers), parts=parts())


class _Made(NamedTuple):
    """An answer, and what counts it if it is a decision."""

    answer: Response
    counts: Callable[[], None] | None

    @property
    def size(self) -> int:
        return len(self.answer.body)


def _done_by(call: Request, afterwards: AfterCommit) -> Response:
    with audit.acting_as(call.actor, at=call.now):
        return build_response(afterwards.work(), call)


class HeavyWork:
    """Runs what takes seconds of processor time, a little at a time, so that it leaves threads to other requests."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(MAX_HEAVY, thread_name_prefix="treaty-heavy")
        self._count = 0

    async def run(self, work: Callable[[], T]) -> T:
        """Run the work in a thread. Raises Overloaded if too much waits already."""
        if self._count >= MAX_HEAVY + MAX_HEAVY_WAITING:
            raise Overloaded("Several requests about large pacts are being processed. Send the request again.")
        self._count += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, copy_context().run, work)
        finally:
            self._count -= 1

    def close(self) -> None:
        self._threads.shutdown()


def _table(routers: Iterable[Router]) -> Router:
    table = Router()
    for router in routers:
        table.include(router)
    return table


def _route(resource: Endpoint, call: Request) -> Route | None:
    method = "GET" if call.method == "HEAD" else call.method
    if call.is_for_page:
        return {"GET": resource.page, "POST": resource.form}.get(method)
    return resource.routes.get(method)


def _is_for_page(resource: Endpoint, call: Request) -> bool:
    if resource.form and call.method == "POST":
        return True
    if resource.page and resource.page.is_for_any_media_type and call.method in {"GET", "HEAD"}:
        return True
    if resource.page is None or not is_page_requested(call.accept, call.path):
        return False
    return resource.page.is_original or (call.method in {"GET", "HEAD"} and HTML in call.accept.lower())


def _without_handler(resource: Endpoint, call: Request) -> Response:
    if call.method not in HTTP_METHODS:
        return Response(501)
    if call.is_for_page:
        return Response(405, media_type=HTML, headers={"allows": "GET, HEAD"})
    if not resource.routes:
        return build_not_found("", call)
    if call.method == "OPTIONS" and resource.has_options:
        return Response(200, headers={"access-control-allow-methods": resource.allow})
    return Response(405, headers={"allow": resource.allow})
