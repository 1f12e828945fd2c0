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
from treaty.model.access import NOBODY
from treaty.settings import Settings
from treaty.store import audit
from treaty.store.database import Busy, Database
from treaty.web import auth, origins, wire
from treaty.web.auth import Gate, TakesLong
from treaty.web.caching import spared, tagged
from treaty.web.media import HTML, wants_page
from treaty.web.refusals import Refusals, is_refusal
from treaty.web.rendering import Answer, answer, failure, not_found, reference, refusal
from treaty.web.resources import every_router
from treaty.web.response_cache import ResponseCache
from treaty.web.routing import (
    GRANTED,
    Afterwards,
    Call,
    Refused,
    Resource,
    Route,
    Router,
    Streamed,
    Unacceptable,
    result_of,
)
from treaty.web.sources import RequestSources
from treaty.web.telemetry import Telemetry

T = TypeVar("T")

METHODS: Final = {"GET", "HEAD", "POST", "PUT", "DELETE", "TRACE", "CONNECT", "OPTIONS", "PATCH"}
LARGE: Final = 256 * 1024
"""Bytes from which on a body is worked on in a thread, so that others need not wait for it."""
RESPONSE_CACHE_BYTES: Final = 16 * 2**20
"""Maximum size of the cached responses of a process."""
ADMITTED_FOR: Final = 1.0
"""Seconds after which a client whose body is still arriving has to be admitted again."""
MAX_HEAVY: Final = 2
"""Heavy requests that are processed at the same time."""
MAX_HEAVY_WAITING: Final = 8
"""Heavy requests that wait for their turn; more are refused."""

log = structlog.get_logger("treaty.web")


class Background(Protocol):
    """What works beside the requests, from start to stop, and is woken when there is something to do."""

    def start(self) -> None: ...

    def wake(self) -> None: ...

    def stop(self) -> None: ...


def application(
    settings: Settings,
    database: Database,
    *,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    worker: Background | None = None,
    response_cache_bytes: int = RESPONSE_CACHE_BYTES,
) -> "Server":
    """Make the application that answers for a database; with a worker, which runs as long as it does."""
    broker = Broker(settings, database, clock, worker, response_cache_bytes=response_cache_bytes)

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

    def __init__(self, broker: "Broker", lifespan: Lifespan[Starlette]) -> None:
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


class Broker:
    """Everything that the broker answers. It routes for itself: names hold slashes, and Starlette decodes paths."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        clock: Callable[[], datetime],
        worker: Background | None = None,
        *,
        response_cache_bytes: int = RESPONSE_CACHE_BYTES,
    ) -> None:
        self._settings = settings
        self._database = database
        self._clock = clock
        self._worker = worker
        self._router = _table(every_router(settings))
        self._gate = Gate(settings, database)
        self._sources = RequestSources(settings)
        self._refusals = Refusals(database)
        self._telemetry = Telemetry(database.engine)
        self._log = log.bind()
        self._responses = ResponseCache[_Made](response_cache_bytes, attrgetter("size"))
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
        body = wire.Body(receive, call.headers)
        reply = await self._reply(call, body)
        if is_refusal(call, reply.status):
            await asyncio.get_running_loop().run_in_executor(self._threads, self._refusals.note, call, reply.status)
        scope["treaty.route"] = call.route
        await wire.write(send, call, reply, body, discard_limit=self._settings.max_body_bytes)
        seconds = time.perf_counter() - started
        self._telemetry.request(call.method, call.route, reply.status, seconds)
        self._log.info(
            "request",
            request_id=call.request_id,
            method=call.method,
            path=call.path,
            status=reply.status,
            ms=round(seconds * 1000, 2),
        )

    def _call(self, scope: Scope) -> Call:
        headers = wire.joined_headers(scope["headers"])
        source = self._sources.of(scope, headers)
        return Call(
            method=scope["method"],
            path=scope["raw_path"].decode("latin-1"),
            query_string=scope["query_string"].decode("latin-1"),
            headers=headers,
            accept=headers.get("accept", ""),
            base_url=source.base_url,
            settings=self._settings,
            now=self._clock(),
            request_id=reference(),
            telemetry=self._telemetry,
            gate=self._gate,
            address=source.address,
            source=source,
        )

    async def _reply(self, call: Call, body: wire.Body) -> Answer:
        try:
            return await self._routed(call, body)
        except wire.Gone:
            return Answer(400)
        except (TreatyError, Refused, Unacceptable, Busy) as error:
            return refusal(error, call)
        except Exception:
            log.exception("failure", request_id=call.request_id, method=call.method, path=call.path)
            return failure(call, problems="problem+json" in call.accept)

    async def _routed(self, call: Call, body: wire.Body) -> Answer:
        if call.source.problem is not None:
            raise Malformed(call.source.problem)
        resource, names, accept = self._router.find(call.path)
        call.accept = accept or call.accept
        route = None
        if resource is not None:
            call.route = resource.url.template
            call.is_for_page = _is_for_page(resource, call)
            route = _route(resource, call)
        origins.check_site(call)
        credential = auth.credential_of(call)
        with self._gate.arriving(credential, call):
            if not self._writes_in_threads and self._gate.is_quick(call, credential):
                await self._admit_at_once(call, route, credential)
            elif route is not None and self._admits_within(route):
                return await self._run(route, call, names, partial(self._gate.admit, call, route, credential))
            else:
                await self._in_thread(partial(self._gate.admit, call, route, credential))
        if resource is None:
            return not_found("", call)
        if route is None:
            return _without_handler(resource, call)
        if call.method not in {"GET", "HEAD"}:
            await self._read_body(call, route, credential, body)
            origins.check_csrf(call)
        return await self._run(route, call, names)

    async def _read_body(self, call: Call, route: Route, credential: auth.Presented, body: wire.Body) -> None:
        """Read the body. One that took long is worked on as if the request had only arrived now.

        Otherwise a client that holds its body back could write long after its token was revoked, its user disabled.
        """
        started = time.monotonic()
        call.raw_body = await body.read(*self._body_limit(route, call))
        if time.monotonic() - started > ADMITTED_FOR:
            call.now, call.caller = self._clock(), NOBODY
            await self._in_thread(partial(self._gate.admit, call, route, credential))

    def _body_limit(self, route: Route, call: Call) -> tuple[int, str]:
        """How large a body may be, and why: little before it is known who sends it, and where all may send."""
        largest = self._settings.max_body_bytes
        if call.caller.role is None or route.permission in GRANTED[None]:
            return min(largest, wire.MAX_PUBLIC_BODY), "Larger ones are taken from authenticated clients, by the API."
        return largest, "The setting max_body_bytes says how large it may be."

    async def _admit_at_once(self, call: Call, route: Route | None, credential: auth.Presented) -> None:
        try:
            self._gate.admit(call, route, credential, may_wait=False)
        except TakesLong:
            await self._in_thread(partial(self._gate.admit, call, route, credential))

    async def _run(
        self, route: Route, call: Call, names: Sequence[str], admit: Callable[..., None] | None = None
    ) -> Answer:
        """Do the work; whoever is not admitted yet is so within its transaction."""
        if self._takes_thread(route, call):
            done = await self._worked_in_thread(route, partial(self._work, route, call, names, admit))
        else:
            done = self._work(route, call, names, admit)
        if call.owes and self._worker:
            self._worker.wake()
        if isinstance(done, Answer):
            return done
        return self._streamed(done) if isinstance(done, Streamed) else await self._afterwards(done, call)

    def _work(
        self, route: Route, call: Call, names: Sequence[str], admit: Callable[..., None] | None
    ) -> Answer | Afterwards | Streamed:
        result = self._result(route, call, names, admit)
        if isinstance(result, Afterwards | Streamed):
            return result
        made = result if isinstance(result, _Made) else self._made(result, call)
        if made.counts:
            made.counts()
        return spared(made.answer, call)

    def _admits_within(self, route: Route) -> bool:
        """Whether who asks is found out where the answer is: on the way there and back that a read takes anyway."""
        is_reading = route.method == "GET" and route.needs_database and route.without_answer is None
        return is_reading and not self._database.is_local

    def _result(self, route: Route, call: Call, names: Sequence[str], admit: Callable[..., None] | None) -> object:
        ask = partial(result_of, route, call, names, database=self._database, read=self._read)
        if admit is None:
            return ask()
        try:
            return ask(admit=lambda db: admit(db=db))
        except TakesLong:
            admit()
            return ask()
        finally:
            self._gate.note_use(call)

    def _read(self, route: Route, call: Call, names: Sequence[str]) -> object:
        if not route.is_cached:
            return route.handler(call, *names)
        return self._responses.get_or_compute(
            call.db, call.cache_key, lambda: self._made(route.handler(call, *names), call)
        )

    def _made(self, result: object, call: Call) -> "_Made":
        return _Made(tagged(answer(result, call), call), self._telemetry.counter(result))

    def _takes_thread(self, route: Route, call: Call) -> bool:
        if not route.needs_database:
            return False
        if not self._database.is_local or route.is_slow:
            return True
        # SQLite lets one write at a time: a short one would keep the event loop waiting until a long one is done.
        if self._writes_in_threads and not route.is_reading:
            return True
        if route.has_long_query is not None and route.has_long_query(call):
            return True
        raw_body = call.raw_body
        return bool(raw_body) and (len(raw_body) >= LARGE or route.is_long(raw_body))

    async def _worked_in_thread(self, route: Route, work: Callable[[], T]) -> T:
        if route.is_reading or not self._database.is_local:
            return await self._in_thread(work)
        self._writes_in_threads += 1
        try:
            return await self._in_thread(work)
        finally:
            self._writes_in_threads -= 1

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, copy_context().run, work)

    async def _afterwards(self, done: Afterwards, call: Call) -> Answer:
        work = partial(_done_by, call, done)
        reply = await (self._heavy.run(work) if done.is_heavy else asyncio.to_thread(work))
        if call.changes_access:
            self._gate.look_again()
        return reply

    def _streamed(self, result: Streamed) -> Answer:
        async def parts() -> AsyncIterator[bytes]:
            loop = asyncio.get_running_loop()
            while part := await loop.run_in_executor(self._threads, self._database.read, result.part):
                yield part

        return Answer(200, media=result.media, headers=dict(result.headers), parts=parts())


class _Made(NamedTuple):
    """An answer, and what counts it if it is a decision."""

    answer: Answer
    counts: Callable[[], None] | None

    @property
    def size(self) -> int:
        return len(self.answer.body)


def _done_by(call: Call, afterwards: Afterwards) -> Answer:
    with audit.by(call.actor, at=call.now):
        return answer(afterwards.work(), call)


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


def _route(resource: Resource, call: Call) -> Route | None:
    method = "GET" if call.method == "HEAD" else call.method
    if call.is_for_page:
        return {"GET": resource.page, "POST": resource.form}.get(method)
    return resource.routes.get(method)


def _is_for_page(resource: Resource, call: Call) -> bool:
    if resource.form and call.method == "POST":
        return True
    if resource.page and resource.page.is_for_all and call.method in {"GET", "HEAD"}:
        return True
    if resource.page is None or not wants_page(call.accept, call.path):
        return False
    return resource.page.is_original or (call.method in {"GET", "HEAD"} and HTML in call.accept.lower())


def _without_handler(resource: Resource, call: Call) -> Answer:
    if call.method not in METHODS:
        return Answer(501)
    if call.is_for_page:
        return Answer(405, media=HTML, headers={"allows": "GET, HEAD"})
    if not resource.routes:
        return not_found("", call)
    if call.method == "OPTIONS" and resource.offers_options:
        return Answer(200, headers={"access-control-allow-methods": resource.allow})
    return Answer(405, headers={"allow": resource.allow})
