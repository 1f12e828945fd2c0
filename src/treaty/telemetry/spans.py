"""OpenTelemetry spans of requests, statements and deliveries. Imported only if the environment enables traces.

Spans contain no user data, because traces are often sent to a third party: routes instead of paths, names of statements
without parameters, and hosts of webhook receivers without the rest of their URLs, which may contain secrets.
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

from treaty.model.webhooks.deliveries import NoResponse, OutgoingRequest, WebhookResponse
from treaty.settings import Settings
from treaty.telemetry import KNOWN_METHODS, tracing

SendRequest = Callable[[OutgoingRequest, Settings], WebhookResponse | NoResponse]

ROUTE_KEY: Final = "treaty.route"
"""Key of the ASGI scope under which the router stores the route of a request."""
# Clients can send any method, and OpenTelemetry's conventions ask for `_OTHER` instead of unknown ones.
PROPAGATED_HEADERS: Final = (b"traceparent", b"tracestate")
# A 4xx response is the client's error, which by OpenTelemetry's conventions is none of the server's span.
MIN_ERROR_STATUS: Final = 500
_W3C: Final = TraceContextTextMapPropagator()


class SpanRecorder:
    """Creates spans, which a thread of OpenTelemetry exports in batches."""

    def __init__(self, exporter: SpanExporter, environ: Mapping[str, str] = os.environ) -> None:
        self._provider = TracerProvider(resource=Resource.create(resource_attributes(environ)))
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("treaty")

    def start(self) -> None:
        """Do nothing: the thread that exports spans is already running."""

    def wake(self) -> None:
        """Do nothing: spans need not be exported at once."""

    def stop(self) -> None:
        """Export the remaining spans."""
        self._provider.shutdown()

    def trace_requests(self, app: ASGIApp) -> ASGIApp:
        """Wrap an application so that each request has a span, which continues the trace of the client."""

        async def traced(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != "http":
                await app(scope, receive, send)
                return
            with self._request_span(scope) as span:

                async def send_recording_status(message: Message) -> None:
                    if message["type"] == "http.response.start":
                        _record_status(span, message["status"])
                    await send(message)

                await app(scope, receive, send_recording_status)

        return traced

    @contextmanager
    def _request_span(self, scope: Scope) -> Iterator[Span]:
        method = scope["method"] if scope["method"] in KNOWN_METHODS else "_OTHER"
        carrier = {
            name.decode(): value.decode("latin-1") for name, value in scope["headers"] if name in PROPAGATED_HEADERS
        }
        with (
            self._tracer.start_as_current_span(
                method, _W3C.extract(carrier), SpanKind.SERVER, {"http.request.method": method}
            ) as span,
            tracing.use_trace(_trace_parent(span)),
        ):
            yield span
            # The router finds the route only while it handles the request.
            if ROUTE_KEY in scope:
                span.update_name(f"{method} {scope[ROUTE_KEY]}")
                span.set_attribute("http.route", scope[ROUTE_KEY])

    def wrap_send(self, send: SendRequest) -> SendRequest:
        """Wrap a function that sends requests so that each attempt has a span in the trace of the webhook's event."""

        def traced(request: OutgoingRequest, settings: Settings) -> WebhookResponse | NoResponse:
            carrier = {name: value for name, value in request.headers.items() if name == tracing.TRACE_HEADER}
            attributes = {"http.request.method": request.method, "server.address": urlsplit(request.url).hostname or ""}
            with self._tracer.start_as_current_span(
                f"{request.method} webhook", _W3C.extract(carrier), SpanKind.CLIENT, attributes
            ) as span:
                headers = {**request.headers, tracing.TRACE_HEADER: _trace_parent(span)}
                outcome = send(replace(request, headers=headers), settings)
                _record_outcome(span, outcome)
            return outcome

        return traced

    def trace_statements(self, engine: Engine) -> None:
        """Create a span for each statement that belongs to a request.

        Statements reach a database in two ways: through SQLAlchemy, whose events are used, and directly through the
        driver (prepared statements, transactions), whose connection class is replaced.
        """
        if engine.dialect.name == "sqlite":
            event.listen(engine, "do_connect", partial(_use_factory, _sqlite_class(self._statement_span)))
        else:
            event.listen(engine, "do_connect", partial(_connect, _postgresql_class(self._statement_span)))
        event.listen(engine, "before_cursor_execute", self._begin_statement)
        event.listen(engine, "after_cursor_execute", lambda db, *_: _end_statement(db.info))
        event.listen(engine, "handle_error", _end_failed_statement)

    @contextmanager
    def _statement_span(self, sql: str, system: str) -> Iterator[None]:
        # Background work, such as looking for due deliveries, would fill the traces with statements of no request.
        if not trace.get_current_span().get_span_context().is_valid:
            yield
            return
        with self._tracer.start_as_current_span(
            statement_name(sql), kind=SpanKind.CLIENT, attributes={"db.system": system}
        ):
            yield

    def _begin_statement(self, db: Any, _cursor: object, sql: str, *_rest: object) -> None:
        span = self._statement_span(sql, db.dialect.name)
        # SQLAlchemy reports the end of the statement by another event, so the span cannot be a `with` block.
        span.__enter__()
        db.info.setdefault("treaty.telemetry.spans", []).append(span)


def create_span_recorder(environ: Mapping[str, str]) -> SpanRecorder:
    """Create the recorder for the exporter that the environment selects.

    Raises InvalidSetting for exporters and protocols that are not supported.
    """
    exporter = tracing.exporter_name(environ) or "none"
    tracing.check_exporter(environ, tracing.TRACES, exporter)
    if exporter == "console":
        return SpanRecorder(ConsoleSpanExporter(out=sys.stderr), environ)
    return SpanRecorder(OTLPSpanExporter(), environ)


def resource_attributes(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the default name of the service, unless the environment sets one, which an attribute would override."""
    is_named = "OTEL_SERVICE_NAME" in environ or "service.name=" in environ.get("OTEL_RESOURCE_ATTRIBUTES", "")
    return {} if is_named else {"service.name": "treaty"}


def _trace_parent(span: Span) -> str:
    """Return the value of the `traceparent` header for a span."""
    carrier: dict[str, str] = {}
    _W3C.inject(carrier, trace.set_span_in_context(span))
    return carrier[tracing.TRACE_HEADER]


def _record_status(span: Span, status: int) -> None:
    span.set_attribute("http.response.status_code", status)
    if status >= MIN_ERROR_STATUS:
        span.set_status(Status(StatusCode.ERROR))


def _record_outcome(span: Span, outcome: WebhookResponse | NoResponse) -> None:
    match outcome:
        case WebhookResponse():
            _record_status(span, outcome.status)
        case NoResponse():
            span.set_attribute("error.type", outcome.kind)
            span.set_status(Status(StatusCode.ERROR))


_FIRST_WORD: Final = re.compile(r"\s*(\w+)")
_TABLE: Final = re.compile(r"\b(?:FROM|INTO|UPDATE)\s+\"?(\w+)")


@lru_cache(maxsize=2048)
def statement_name(sql: str) -> str:
    """Return a name for a statement: its first keyword and its first table, such as `SELECT pacticipant`."""
    keyword, table = _FIRST_WORD.match(sql), _TABLE.search(sql)
    return " ".join(match[1] for match in (keyword, table) if match) or "statement"


CreateSpan = Callable[[str, str], AbstractContextManager[None]]


def _sqlite_class(create_span: CreateSpan) -> type[sqlite3.Connection]:
    """Return a class of connections with spans for statements that do not pass through SQLAlchemy."""

    class TracedSqliteConnection(sqlite3.Connection):
        def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
            with create_span(sql, "sqlite"):
                return super().execute(sql, parameters)

    return TracedSqliteConnection


def _use_factory(connection_class: type[sqlite3.Connection], *event_arguments: Any) -> None:
    *_, options = event_arguments
    options["factory"] = connection_class


def _postgresql_class(create_span: CreateSpan) -> Any:
    """Return such a class for PostgreSQL. Its driver is imported only here, because SQLite does not need it."""
    import psycopg  # noqa: PLC0415 - see above

    class TracedPostgresqlConnection(psycopg.Connection[Any]):
        def execute(self, query: Any, params: Any = None, **options: Any) -> psycopg.Cursor[Any]:
            with create_span(str(query), "postgresql"):
                return super().execute(query, params, **options)

    return TracedPostgresqlConnection


def _connect(connection_class: Any, *event_arguments: Any) -> Any:
    *_, arguments, options = event_arguments
    return connection_class.connect(*arguments, **options)


def _end_failed_statement(failure: ExceptionContext) -> None:
    if failure.connection is not None:
        _end_statement(failure.connection.info)


def _end_statement(info: dict[Any, Any]) -> None:
    if spans := info.get("treaty.telemetry.spans"):
        spans.pop().__exit__(None, None, None)
