"""The broker as an ASGI application."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from contextvars import copy_context
from datetime import UTC, datetime
from functools import partial
from operator import attrgetter
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol, TypeVar

import structlog
from sqlalchemy import Connection
from starlette.applications import Starlette
from starlette.types import Lifespan, Receive, Scope, Send

from treaty.errors import Malformed, TreatyError
from treaty.loading import prepare_collections
from treaty.model.accounts.access import ANONYMOUS_CALLER
from treaty.settings import Settings
from treaty.store import audit
from treaty.store.engine.database import Busy, Database, Unavailable
from treaty.store.engine.database_faults import explain_error
from treaty.store.engine.health import DATABASE_ERRORS, log_failure
from treaty.store.provider_contracts.missing import collect_missing
from treaty.telemetry.metrics import ServerMetrics
from treaty.web.event_feed import EventFeed, EventQuery
from treaty.web.heavy_work import HeavyWork
from treaty.web.http import asgi
from treaty.web.http.base_paths import BasePaths
from treaty.web.http.decoded_slashes import may_have_decoded_slash
from treaty.web.http.etags import add_etag, reduce_body
from treaty.web.http.media_types import ANY, HTML, is_page_requested
from treaty.web.http.protocol import CONNECTIONS_KEY, Connections
from treaty.web.http.request import Request
from treaty.web.http.response import Response
from treaty.web.http.results import AfterCommit, StreamedBody
from treaty.web.http.router import Endpoint, Route
from treaty.web.http.termination import delay_termination
from treaty.web.pactflow_features import explain_pactflow_path
from treaty.web.response_cache import ResponseCache
from treaty.web.responses import (
    build_error_response,
    build_internal_error,
    build_not_found,
    build_response,
    create_request_id,
    explain_decoded_slash,
)
from treaty.web.routers import build_route_table
from treaty.web.security import csrf, open_access
from treaty.web.security.authentication import AuthenticateInTransaction, Authenticator, PasswordCheckRequired
from treaty.web.security.authorization import needs_reauthentication
from treaty.web.security.denied_requests import DeniedRequests, is_denied
from treaty.web.security.permissions import PERMISSIONS_BY_ROLE, Permission
from treaty.web.security.reauthentication import reauthenticate_by_form
from treaty.web.security.request_sources import RequestSources
from treaty.web.transactions import NotAcceptable, UnsupportedMediaType, run_handler

if TYPE_CHECKING:
    from treaty.model.provider_contracts.comparisons import PairKey

T = TypeVar("T")

COMPARED_BYTES_PER_SECOND: Final = 16_000_000
"""Bytes of a pact and documents that are parsed and compiled in a second, at least on usual machines."""
HTTP_METHODS: Final = {"GET", "HEAD", "POST", "PUT", "DELETE", "TRACE", "CONNECT", "OPTIONS", "PATCH"}
LARGE_BODY_BYTES: Final = 256 * 1024
"""A larger body is processed in a thread, so that it does not block the event loop. A few are prepared at a time."""
HEARTBEAT_AUTHENTICATION_SECONDS: Final = 3.0
"""After this time the heartbeat answers anyone: that a database does not respond is no reason to restart a server."""
REAUTHENTICATE_AFTER: Final = 1.0
"""Seconds. A client whose body takes longer to arrive is authenticated again."""

log = structlog.get_logger("treaty.web")


class BackgroundWorker(Protocol):
    """Work that runs beside the requests, from start to stop, and can be woken when there is something to do."""

    def start(self) -> None: ...

    def wake(self) -> None: ...

    def stop(self) -> None: ...


def build_application(
    settings: Settings,
    database: Database,
    *,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    worker: BackgroundWorker | None = None,
    metrics: ServerMetrics | None = None,
) -> "Server":
    """Build the ASGI application for a database, with a worker that runs as long as the application does."""
    handler = RequestHandler(settings, database, clock, worker, metrics=metrics)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        database.forbid_waiting()
        if worker:
            worker.start()
        prepare_collections()
        delay_termination(settings.shutdown_delay, handler.begin_draining)
        yield
        if worker:
            await asyncio.to_thread(worker.stop)
        handler.close()

    return Server(handler, lifespan)


class Server(Starlette):
    """The ASGI application. Starlette handles its lifespan; a RequestHandler handles all requests."""

    def __init__(self, handler: "RequestHandler", lifespan: Lifespan[Starlette]) -> None:
        super().__init__(lifespan=lifespan)
        self._handler = handler

    @property
    def waiting_clients(self) -> int:
        """Number of clients that wait for an event."""
        return self._handler.waiting_clients

    def end_waiting(self) -> None:
        """End the waiting of all clients, which get a response without events."""
        self._handler.end_waiting()

    def begin_draining(self) -> None:
        """Report that the server is no longer ready, and close connections after their next response."""
        self._handler.begin_draining()

    def close(self) -> None:
        """Close an application that was never started."""
        self._handler.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._handler.handle(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)


class RequestHandler:
    """Handles requests: routes, authenticates, runs the handler, and sends the response.

    Starlette's router is not used, because it matches decoded paths (see `http.router`).
    """

    def __init__(
        self,
        settings: Settings,
        database: Database,
        clock: Callable[[], datetime],
        worker: BackgroundWorker | None = None,
        *,
        metrics: ServerMetrics | None = None,
    ) -> None:
        self._settings = settings
        self._database = database
        self._clock = clock
        self._worker = worker
        self._routes = build_route_table(settings)
        self._base_paths = BasePaths(settings.base_urls, self._routes.has_route)
        self._authenticator = Authenticator(settings, database)
        self._sources = RequestSources(settings)
        self._denied_requests = DeniedRequests(database)
        self._metrics = metrics or ServerMetrics(database.engine)
        self._log = log.bind()
        self._cache = ResponseCache[_CachedResponse](settings.response_cache_bytes, attrgetter("size"))
        self._heavy_work = HeavyWork()
        self._connections: Connections | None = None
        self._is_draining = False
        self._event_feed = EventFeed(self._read_in_thread, self._write_in_thread)
        self._writes_in_threads = 0
        self._threads = ThreadPoolExecutor(settings.database_max_connections, thread_name_prefix="treaty")

    @property
    def waiting_clients(self) -> int:
        """Number of clients that wait for an event."""
        return self._event_feed.waiting_clients

    def end_waiting(self) -> None:
        """End the waiting of all clients, which get a response without events."""
        self._event_feed.close()

    def begin_draining(self) -> None:
        """Report that the server is no longer ready, and close connections after their next response."""
        self._is_draining = True
        if self._connections is not None:
            self._connections.is_draining = True

    def close(self) -> None:
        """Wait for running work, and close the database."""
        self._event_feed.close()
        self._threads.shutdown()
        self._heavy_work.close()
        self._denied_requests.close()
        self._database.close()

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request, and count and log it."""
        started = time.perf_counter()
        request = self._build_request(scope)
        body = asgi.BodyReader(receive, request.headers)
        self._watch_shutdown(scope)
        response = await self._respond(request, body)
        if is_denied(request, response.status):
            await asyncio.get_running_loop().run_in_executor(
                self._threads, self._denied_requests.note, request, response.status
            )
        scope["treaty.route"] = request.route
        await asgi.send_response(send, request, response, body, discard_limit=self._settings.max_body_bytes)
        seconds = time.perf_counter() - started
        self._metrics.count_request(request.method, request.route, response.status, seconds)
        self._log.info(
            "request",
            request_id=request.request_id,
            method=request.method,
            path=request.path,
            status=response.status,
            ms=round(seconds * 1000, 2),
        )

    def _watch_shutdown(self, scope: Scope) -> None:
        """End all waiting when the server shuts down, since it closes the application only after the last response."""
        if self._connections is None and (connections := scope.get(CONNECTIONS_KEY)):
            self._connections = connections
            connections.is_draining = self._is_draining
            connections.on_shutdown(self.end_waiting)

    def _build_request(self, scope: Scope) -> Request:
        headers = asgi.decode_headers(scope["headers"])
        path, base_path = self._base_paths.split(scope["raw_path"].decode("latin-1"))
        source = self._sources.of(scope, headers, base_path)
        return Request(
            method=scope["method"],
            path=path,
            query_string=scope["query_string"].decode("latin-1"),
            headers=headers,
            accept=headers.get("accept", ""),
            base_url=source.base_url,
            settings=self._settings,
            now=self._clock(),
            request_id=create_request_id(),
            server_metrics=self._metrics,
            authenticator=self._authenticator,
            address=source.address,
            source=source,
            is_shutting_down=self._is_draining,
        )

    async def _respond(self, request: Request, body: asgi.BodyReader) -> Response:
        try:
            return await self._route(request, body)
        except asgi.ClientDisconnected:
            return Response(400)
        except (TreatyError, UnsupportedMediaType, NotAcceptable, Busy) as error:
            if isinstance(error, Unavailable):
                self._log_unavailable(error, request)
            return build_error_response(error, request)
        except Exception:
            log.exception("failure", request_id=request.request_id, method=request.method, path=request.path)
            return build_internal_error(request, problems="problem+json" in request.accept)

    def _log_unavailable(self, error: Unavailable, request: Request) -> None:
        reason = str(explain_error(error, self._database.engine.url))
        log.error("database", request_id=request.request_id, path=request.path, reason=reason)

    async def _route(self, request: Request, body: asgi.BodyReader) -> Response:
        if request.source.problem is not None:
            raise Malformed(request.source.problem)
        template, names, accept = self._routes.match(request.path)
        request.accept = accept or request.accept
        endpoint = None if template is None else self._routes.find_loaded(template) or await self._load(template)
        route = None
        if endpoint is not None:
            request.route = endpoint.url.template
            request.is_for_page = _is_for_page(endpoint, request)
            route = _find_route(endpoint, request)
        csrf.check_site(request)
        # Unknown paths and methods require authentication, too: they must not reveal which resources exist.
        authenticate = await self._authenticate(request, route)
        if endpoint is None:
            return build_not_found("", request, self._find_not_found_hint(request))
        if route is None:
            return _respond_without_route(endpoint, request)
        if request.method not in {"GET", "HEAD"}:
            await self._read_body(request, route, body)
            csrf.check_csrf(request)
            if needs_reauthentication(request, route):
                await self._run_in_thread(partial(reauthenticate_by_form, request))
        outcome = await self._run(route, request, names, authenticate)
        return await self._follow_events(outcome, route, request, body) if isinstance(outcome, EventQuery) else outcome

    async def _load(self, template: str) -> Endpoint:
        """Load the routes of a URL, in a thread, because that would delay other requests."""
        return await self._run_in_thread(partial(self._routes.load, template))

    async def _authenticate(self, request: Request, route: Route | None) -> AuthenticateInTransaction | None:
        """Begin to authenticate the caller. The heartbeat does not wait for the database, since it reports liveness."""
        is_heartbeat = route is not None and not route.needs_database and route.permission is Permission.READ_HEARTBEAT
        if is_heartbeat and self._settings.public_heartbeat:
            return None
        authentication = self._authenticator.begin(
            request,
            route,
            run_in_thread=self._run_in_thread,
            may_block=not self._writes_in_threads,
            may_defer=route is not None and self._authenticates_in_transaction(route),
        )
        if not is_heartbeat:
            return await authentication
        try:
            return await asyncio.wait_for(authentication, HEARTBEAT_AUTHENTICATION_SECONDS)
        except (Busy, TimeoutError):
            return None

    def _find_not_found_hint(self, request: Request) -> str:
        """Explain a path that matches no URL: it is another product's, or a proxy may have changed it. "" otherwise."""
        if feature := explain_pactflow_path(request.path):
            return feature
        if not open_access.is_behind_proxy(request.settings, request.headers):
            return ""
        # A path that begins like that of a base URL may be Treaty's own, after a proxy has removed the other.
        base_path = request.source.base_path
        for path, prefix in ((request.path, base_path), (base_path + request.path, "")):
            if may_have_decoded_slash(path, self._routes.templates):
                return explain_decoded_slash(request, prefix + path, has_prefix=bool(prefix))
        return ""

    def _authenticates_in_transaction(self, route: Route) -> bool:
        """Whether the caller is authenticated within the read's own transaction, which saves a round trip."""
        if self._database.is_local:
            return False
        return route.method == "GET" and route.needs_database and route.database_failure_result is None

    async def _read_body(self, request: Request, route: Route, body: asgi.BodyReader) -> None:
        """Read the body. After a slow one, authenticate again, as if the request had arrived only now.

        Otherwise a client could hold back its body and write long after its token was revoked or its user disabled.
        """
        started = time.monotonic()
        request.raw_body = await body.read(*self._body_limit(route, request))
        if time.monotonic() - started > REAUTHENTICATE_AFTER:
            await self._authenticate_again(route, request)

    def _body_limit(self, route: Route, request: Request) -> tuple[int, str]:
        """Return the maximum size of the body in bytes, with its reason. It is low where anyone may send a body."""
        maximum = self._settings.max_body_bytes
        if request.caller.role is None or route.permission in PERMISSIONS_BY_ROLE[None]:
            return min(maximum, asgi.MAX_PUBLIC_BODY), "Larger ones are taken from authenticated clients, by the API."
        return maximum, "The setting max_body_bytes says how large it may be."

    async def _run(
        self, route: Route, request: Request, names: Sequence[str], authenticate: AuthenticateInTransaction | None
    ) -> Response | EventQuery:
        """Run the handler. With `authenticate`, the caller is authenticated within the handler's transaction."""
        if route.prepare is not None:
            request.prepared = await self._prepare(request, partial(route.prepare, request))
        work = partial(self._run_handler, route, request, names, authenticate)
        with collect_missing() as missing:
            outcome = await self._run_work(route, request, work)
            if missing:
                await self._run_in_thread(partial(self._compare_missing, request, list(missing)))
                request.has_compared = True
                outcome = await self._run_work_in_thread(route, work)
        if request.has_queued and self._worker:
            self._worker.wake()
        if not route.is_read_only:
            self._event_feed.wake()
        match outcome:
            case AfterCommit():
                return await self._run_after_commit(outcome, request)
            case StreamedBody():
                return self._stream(outcome)
            case _:
                return outcome

    async def _prepare(self, request: Request, prepare: Callable[[], object]) -> object:
        is_heavy = len(request.raw_body) > LARGE_BODY_BYTES
        return await (self._heavy_work.run(prepare) if is_heavy else self._run_in_thread(prepare))

    def _compare_missing(self, request: Request, pairs: "Sequence[PairKey]") -> None:
        """Compare the pairs that a response lacks within the time that the setting allows, and enqueue the others.

        If the results cannot be stored, the pairs stay unknown.
        """
        # Takes 4 MiB with the engine, which servers without documents of providers do not need.
        from treaty.actions.provider_contracts.comparisons import (  # noqa: PLC0415
            ComparisonBudget,
            compare_pairs,
            enqueue_pairs,
        )

        seconds = self._settings.comparison_budget.total_seconds()
        deadline = time.monotonic() + seconds
        budget = ComparisonBudget(
            is_expired=lambda: time.monotonic() >= deadline, max_bytes=int(seconds * COMPARED_BYTES_PER_SECOND)
        )
        base_url, now = request.base_url, request.now
        try:
            with audit.acting_as(request.actor, at=now):
                remaining = compare_pairs(
                    self._database,
                    pairs,
                    base_url=base_url,
                    now=now,
                    budget=budget,
                )
                if remaining:
                    self._database.write(lambda db: enqueue_pairs(db, remaining, base_url=base_url, now=now))
                    request.has_queued = True
        except DATABASE_ERRORS as error:
            log_failure(log, "compare", error, request_id=request.request_id)

    async def _run_work(self, route: Route, request: Request, work: Callable[[], T]) -> T:
        if not self._needs_thread(route, request):
            try:
                return work()
            except Unavailable:
                raise
            except Busy:
                pass  # another process holds a lock on the SQLite file: wait for it in a thread
        return await self._run_work_in_thread(route, work)

    def _needs_thread(self, route: Route, request: Request) -> bool:
        if not route.needs_database:
            return False
        if not self._database.is_local or route.is_slow:
            return True
        # SQLite runs one write at a time. A write on the event loop would block it until those in threads have ended.
        if self._writes_in_threads and (route.may_write or not route.is_read_only):
            return True
        if route.has_long_query is not None and route.has_long_query(request):
            return True
        raw_body = request.raw_body
        return bool(raw_body) and (len(raw_body) >= LARGE_BODY_BYTES or route.has_long_body(raw_body))

    async def _run_work_in_thread(self, route: Route, work: Callable[[], T]) -> T:
        if (route.is_read_only and not route.may_write) or not self._database.is_local:
            return await self._run_in_thread(work)
        self._writes_in_threads += 1
        try:
            return await self._run_in_thread(work)
        finally:
            self._writes_in_threads -= 1

    async def _run_in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, copy_context().run, work)

    async def _read_in_thread(self, transaction: Callable[[Connection], T]) -> T:
        return await self._run_in_thread(partial(self._database.read, transaction))

    async def _write_in_thread(self, transaction: Callable[[Connection], T]) -> T:
        self._writes_in_threads += 1
        try:
            return await self._run_in_thread(partial(self._database.write, transaction))
        finally:
            self._writes_in_threads -= 1

    def _run_handler(
        self, route: Route, request: Request, names: Sequence[str], authenticate: AuthenticateInTransaction | None
    ) -> Response | AfterCommit | StreamedBody | EventQuery:
        result = self._compute_result(route, request, names, authenticate)
        if isinstance(result, AfterCommit | StreamedBody | EventQuery):
            return result
        cached = result if isinstance(result, _CachedResponse) else self._build_cacheable(result, request)
        if cached.count_decision:
            cached.count_decision()
        return reduce_body(cached.response, request)

    def _compute_result(
        self, route: Route, request: Request, names: Sequence[str], authenticate: AuthenticateInTransaction | None
    ) -> object:
        compute = partial(run_handler, route, request, names, database=self._database, read=self._read)
        if authenticate is None:
            return compute()
        try:
            return compute(authenticate=authenticate)
        except PasswordCheckRequired:
            self._authenticator.authenticate(request, route)
            return compute()
        finally:
            self._authenticator.record_credential_use(request)

    def _read(self, route: Route, request: Request, names: Sequence[str]) -> object:
        """Run a handler that reads, or return its cached response."""
        if not route.is_cacheable:
            return route.handler(request, *names)
        return self._cache.get_or_compute(
            request.db,
            request.cache_key,
            lambda: self._build_cacheable(route.handler(request, *names), request),
            now=request.now,
        )

    def _build_cacheable(self, result: object, request: Request) -> "_CachedResponse":
        response = add_etag(build_response(result, request), request)
        return _CachedResponse(response, self._metrics.decision_counter(result))

    async def _run_after_commit(self, after_commit: AfterCommit, request: Request) -> Response:
        def work() -> Response:
            with audit.acting_as(request.actor, at=request.now):
                return build_response(after_commit.work(), request)

        response = await (self._heavy_work.run(work) if after_commit.is_heavy else asyncio.to_thread(work))
        if request.has_ended_open_access:
            self._authenticator.forget_open_access()
        return response

    async def _follow_events(
        self, query: EventQuery, route: Route, request: Request, body: asgi.BodyReader
    ) -> Response:
        """Respond with events. After waiting for them, authenticate again, since a token may have been revoked."""
        started = time.monotonic()
        page = await self._event_feed.get_page(query, body.wait_for_disconnect)
        if time.monotonic() - started > REAUTHENTICATE_AFTER:
            await self._authenticate_again(route, request)
        return build_response(page, request)

    async def _authenticate_again(self, route: Route, request: Request) -> None:
        request.now, request.caller = self._clock(), ANONYMOUS_CALLER
        await self._run_in_thread(partial(self._authenticator.authenticate, request, route))

    def _stream(self, result: StreamedBody) -> Response:
        async def read_parts() -> AsyncIterator[bytes]:
            loop = asyncio.get_running_loop()
            while part := await loop.run_in_executor(self._threads, self._database.read, result.read_part):
                yield part

        return Response(200, media_type=result.media_type, headers=dict(result.headers), parts=read_parts())


class _CachedResponse(NamedTuple):
    """A response, and a function that counts its decision in the metrics, which a cached decision must do as well."""

    response: Response
    count_decision: Callable[[], None] | None

    @property
    def size(self) -> int:
        return len(self.response.body)


def _find_route(endpoint: Endpoint, request: Request) -> Route | None:
    method = "GET" if request.method == "HEAD" else request.method
    if request.is_for_page:
        return {"GET": endpoint.page, "POST": endpoint.form}.get(method)
    return endpoint.routes.get(method)


def _is_for_page(endpoint: Endpoint, request: Request) -> bool:
    if endpoint.form and request.method == "POST":
        return True
    is_read = request.method in {"GET", "HEAD"}
    if endpoint.page and endpoint.page.is_for_any_media_type and is_read:
        return True
    if endpoint.page is None:
        return False
    if not endpoint.routes and is_read and request.accept.strip() in {"", ANY}:
        return True  # the page is the only representation
    if not is_page_requested(request.accept, request.path):
        return False
    return endpoint.page.is_original or (is_read and HTML in request.accept.lower())


def _respond_without_route(endpoint: Endpoint, request: Request) -> Response:
    if request.method not in HTTP_METHODS:
        return Response(501)
    if request.is_for_page:
        # The original's header really has this name.
        return Response(405, media_type=HTML, headers={"allows": "GET, HEAD"})
    if not endpoint.routes:
        return build_not_found("", request)
    if request.method == "OPTIONS" and endpoint.has_options:
        return Response(200, headers={"access-control-allow-methods": endpoint.allow})
    return Response(405, headers={"allow": endpoint.allow})
