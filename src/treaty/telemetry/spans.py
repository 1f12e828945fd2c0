"""Spans of requests, statements and deliveries, for OpenTelemetry. Loaded only where the environment wants traces.

What they say is what happened, never what it was about: routes rather than paths, names of statements without their
parameters, hosts of receivers without the rest of their URLs.
"""

import os
import re
import sqlite3
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from functools import lru_cache, partial
from typing import Any, Final
from urllib.parse import urlsplit

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SpanExporter
from opentelemetry.trace import Span, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from sqlalchemy import Engine, ExceptionContext, event
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from treaty.errors import InvalidSetting
from treaty.model.webhooks.deliveries import NoResponse, OutgoingRequest, WebhookResponse
from treaty.settings import Settings
from treaty.telemetry import tracing

SendRequest = Callable[[OutgoingRequest, Settings], WebhookResponse | NoResponse]

ROUTE_KEY: Final = "treaty.route"
"""Where a request's scope says which route it took."""
KNOWN_METHODS: Final = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
PROPAGATED_HEADERS: Final = (b"traceparent", b"tracestate")
MIN_ERROR_STATUS: Final = 500
_W3C: Final = TraceContextTextMapPropagator()


class SpanRecorder:
    """Makes spans, and sends them from time to time."""

    def __init__(self, exporter: SpanExporter, environ: Mapping[str, str] = os.environ) -> None:
        self._provider = TracerProvider(resource=Resource.create(_named(environ)))
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("treaty")

    def start(self) -> None:
        """Do nothing: spans are sent by a thread that is at work already."""

    def wake(self) -> None:
        """Do nothing: nobody waits for spans."""

    def stop(self) -> None:
        """Send what was not sent yet."""
        self._provider.shutdown()

    def trace_requests(self, app: ASGIApp) -> ASGIApp:
        """Let an application make a span for each request."""

        async def traced(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != "http":
                await app(scope, receive, send)
                return
            with self._request(scope) as span:

                async def told(message: Message) -> None:
                    if message["type"] == "http.response.start":
                        _tell_status(span, message["status"])
                    await send(message)

                await app(scope, receive, told)

        return traced

    @contextmanager
    def _request(self, scope: Scope) -> Iterator[Span]:
        method = scope["method"] if scope["method"] in KNOWN_METHODS else "_OTHER"
        carrier = {
            name.decode(): value.decode("latin-1") for name, value in scope["headers"] if name in PROPAGATED_HEADERS
        }
        with (
            self._tracer.start_as_current_span(
                method, _W3C.extract(carrier), SpanKind.SERVER, {"http.request.method": method}
            ) as span,
            tracing.use_trace(_written(span)),
        ):
            yield span
            if ROUTE_KEY in scope:
                span.update_name(f"{method} {scope[ROUTE_KEY]}")
                span.set_attribute("http.route", scope[ROUTE_KEY])

    def wrap_send(self, send: SendRequest) -> SendRequest:
        """Let a way of sending make a span for each attempt, which belongs to the trace of its event."""

        def traced(request: OutgoingRequest, settings: Settings) -> WebhookResponse | NoResponse:
            carrier = {name: value for name, value in request.headers.items() if name == tracing.TRACE_HEADER}
            attributes = {"http.request.method": request.method, "server.address": urlsplit(request.url).hostname or ""}
            with self._tracer.start_as_current_span(
                f"{request.method} webhook", _W3C.extract(carrier), SpanKind.CLIENT, attributes
            ) as span:
                headers = {**request.headers, tracing.TRACE_HEADER: _written(span)}
                outcome = send(replace(request, headers=headers), settings)
                _tell_outcome(span, outcome)
            return outcome

        return traced

    def trace_statements(self, engine: Engine) -> None:
        """Make a span for each statement that belongs to a request."""
        if engine.dialect.name == "sqlite":
            event.listen(engine, "do_connect", partial(_use, _sqlite_class(self._statement)))
        else:
            event.listen(engine, "do_connect", partial(_connect, _postgresql_class(self._statement)))
        event.listen(engine, "before_cursor_execute", self._begin_statement)
        event.listen(engine, "after_cursor_execute", lambda db, *_: _end(db.info))
        event.listen(engine, "handle_error", _end_failed)

    @contextmanager
    def _statement(self, sql: str, system: str) -> Iterator[None]:
        if not trace.get_current_span().get_span_context().is_valid:
            yield
            return
        with self._tracer.start_as_current_span(
            statement_name(sql), kind=SpanKind.CLIENT, attributes={"db.system": system}
        ):
            yield

    def _begin_statement(self, db: Any, _cursor: object, sql: str, *_rest: object) -> None:
        span = self._statement(sql, db.dialect.name)
        span.__enter__()
        db.info.setdefault("treaty.telemetry.spans", []).append(span)


def create_span_recorder(environ: Mapping[str, str]) -> SpanRecorder:
    """Make spans as the environment wants them. Raises WrongSetting for a way of sending that there is not."""
    named = tracing.exporter_name(environ)
    protocol = environ.get("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL") or environ.get("OTEL_EXPORTER_OTLP_PROTOCOL")
    if named == "console":
        return SpanRecorder(ConsoleSpanExporter(out=sys.stderr), environ)
    if named != "otlp":
        raise InvalidSetting(f"OTEL_TRACES_EXPORTER: must be one of otlp, console, none, but is '{named}'")
    if protocol not in {None, "", "http/protobuf"}:
        raise InvalidSetting(f"OTEL_EXPORTER_OTLP_PROTOCOL: must be http/protobuf, but is '{protocol}'")
    return SpanRecorder(OTLPSpanExporter(), environ)


def _named(environ: Mapping[str, str]) -> dict[str, str]:
    """Name the service, unless the environment does."""
    is_named = "OTEL_SERVICE_NAME" in environ or "service.name=" in environ.get("OTEL_RESOURCE_ATTRIBUTES", "")
    return {} if is_named else {"service.name": "treaty"}


def _written(span: Span) -> str:
    carrier: dict[str, str] = {}
    _W3C.inject(carrier, trace.set_span_in_context(span))
    return carrier[tracing.TRACE_HEADER]


def _tell_status(span: Span, status: int) -> None:
    span.set_attribute("http.response.status_code", status)
    if status >= MIN_ERROR_STATUS:
        span.set_status(Status(StatusCode.ERROR))


def _tell_outcome(span: Span, outcome: WebhookResponse | NoResponse) -> None:
    match outcome:
        case WebhookResponse():
            _tell_status(span, outcome.status)
        case NoResponse():
            span.set_attribute("error.type", outcome.kind)
            span.set_status(Status(StatusCode.ERROR))


_FIRST: Final = re.compile(r"\s*(\w+)")
_TABLE: Final = re.compile(r"\b(?:FROM|INTO|UPDATE)\s+\"?(\w+)")


@lru_cache(maxsize=2048)
def statement_name(sql: str) -> str:
    """Name a statement: what it does, and to which table."""
    first, table = _FIRST.match(sql), _TABLE.search(sql)
    return " ".join(found[1] for found in (first, table) if found) or "statement"


MakeSpan = Callable[[str, str], AbstractContextManager[None]]


def _sqlite_class(span: MakeSpan) -> type[sqlite3.Connection]:
    """Make a kind of connection that makes spans of statements that are given to it without SQLAlchemy."""

    class Traced(sqlite3.Connection):
        def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
            with span(sql, "sqlite"):
                return super().execute(sql, parameters)

    return Traced


def _use(connection: type[sqlite3.Connection], *given: Any) -> None:
    *_, options = given
    options["factory"] = connection


def _postgresql_class(span: MakeSpan) -> Any:
    """Make the same for PostgreSQL, whose driver is loaded where it is used."""
    import psycopg  # noqa: PLC0415 - see above

    class Traced(psycopg.Connection[Any]):
        def execute(self, query: Any, params: Any = None, **options: Any) -> psycopg.Cursor[Any]:
            with span(str(query), "postgresql"):
                return super().execute(query, params, **options)

    return Traced


def _connect(connection: Any, *given: Any) -> Any:
    *_, places, options = given
    return connection.connect(*places, **options)


def _end_failed(failure: ExceptionContext) -> None:
    if failure.connection is not None:
        _end(failure.connection.info)


def _end(info: dict[Any, Any]) -> None:
    if spans := info.get("treaty.telemetry.spans"):
        spans.pop().__exit__(None, None, None)
