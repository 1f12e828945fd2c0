"""Spans of a command and its requests, and log records of its verbose output, sent with OpenTelemetry."""

from __future__ import annotations

import logging
import os
import sys
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, Final

from click.exceptions import Exit
from opentelemetry._logs import SeverityNumber
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import (
    BatchLogRecordProcessor,
    ConsoleLogRecordExporter,
    LogRecordExporter,
    LogRecordExportResult,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SpanExporter, SpanExportResult
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from treaty.cli import output
from treaty.cli.command_telemetry import CommandTelemetry, TelemetryOptions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import httpx

    from treaty.client import HttpSend

_EXPORT_TIMEOUT: Final = 3
"""Seconds to wait for a collector, short because a deployment should not wait for its telemetry."""
_MIN_ERROR_STATUS: Final = 400
_TRACE_CONTEXT: Final = TraceContextTextMapPropagator()


@contextmanager
def record_command(command: str, options: TelemetryOptions) -> Iterator[CommandTelemetry]:
    """Record a command as a span, and send what is still queued when it ends."""
    # The SDK would print a traceback for each failed export; a warning of our own replaces it.
    logging.getLogger("opentelemetry").propagate = False
    logging.getLogger("opentelemetry").addHandler(logging.NullHandler())
    resource = Resource.create({} if "OTEL_SERVICE_NAME" in os.environ else {"service.name": command.partition(" ")[0]})
    with ExitStack() as stack:
        tracer = _create_tracer(options, resource, stack)
        log = _create_log(options, resource, stack)
        with (
            tracer.start_as_current_span(
                command, _parent_context(), record_exception=False, set_status_on_exception=False
            ) as span,
            _record_outcome(span),
        ):
            yield CommandTelemetry(log=log, wrap_send=lambda send: _trace_requests(send, tracer))


@contextmanager
def _record_outcome(span: Span) -> Iterator[None]:
    """Set the span's exit code or error. Commands end with exceptions, even successful ones such as --help."""
    try:
        yield
    except (SystemExit, Exit) as end:
        code = end.code if isinstance(end, SystemExit) else end.exit_code
        span.set_attribute("process.exit.code", code if isinstance(code, int) else int(code is not None))
        if code:
            span.set_status(Status(StatusCode.ERROR))
        raise
    except Exception as error:
        span.set_attribute("error.type", type(error).__name__)
        # Later lines may quote a response body, which may hold secrets.
        span.set_status(Status(StatusCode.ERROR, str(error).partition("\n")[0]))
        raise


def _parent_context() -> Context:
    """Return the context of the span that started this command; CI systems pass it as TRACEPARENT and TRACESTATE."""
    names = ("traceparent", "tracestate")
    return _TRACE_CONTEXT.extract({name: os.environ[name.upper()] for name in names if name.upper() in os.environ})


def _create_tracer(options: TelemetryOptions, resource: Resource, stack: ExitStack) -> Tracer:
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    stack.callback(provider.shutdown)
    for name in options.exporters if options.traces else ():
        exporter: SpanExporter = (
            OTLPSpanExporter(_signal_url(options.endpoint, "traces"), timeout=_EXPORT_TIMEOUT)
            if name == "otlp"
            else ConsoleSpanExporter(out=_stream(name))
        )
        provider.add_span_processor(BatchSpanProcessor(_WarningSpanExporter(exporter)))
    return provider.get_tracer("treaty")


def _create_log(options: TelemetryOptions, resource: Resource, stack: ExitStack) -> Callable[[str], None]:
    provider = LoggerProvider(resource=resource, shutdown_on_exit=False)
    stack.callback(provider.shutdown)
    for name in options.exporters if options.logs else ():
        exporter: LogRecordExporter = (
            OTLPLogExporter(_signal_url(options.endpoint, "logs"), timeout=_EXPORT_TIMEOUT)
            if name == "otlp"
            else ConsoleLogRecordExporter(out=_stream(name))
        )
        provider.add_log_record_processor(BatchLogRecordProcessor(_WarningLogExporter(exporter)))
    logger = provider.get_logger("treaty")

    def log(text: str) -> None:
        severity = SeverityNumber.ERROR if text.startswith("ERROR") else SeverityNumber.INFO
        # Only the first line: the others are the body, which may hold passwords of webhooks.
        logger.emit(severity_number=severity, severity_text=severity.name, body=text.partition("\n")[0])

    return log


def _signal_url(endpoint: str | None, signal: str) -> str | None:
    """Return the URL for a signal. The endpoint may be a collector's, or the one that it has for traces."""
    return endpoint and f"{endpoint.rstrip('/').removesuffix('/v1/traces')}/v1/{signal}"


def _stream(name: str) -> Any:
    return sys.stdout if name == "stdout" else sys.stderr


class _WarningSpanExporter(SpanExporter):
    """Exporter of spans that prints a warning if they cannot be sent."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter

    def export(self, spans: Sequence[Any]) -> SpanExportResult:
        result = self._exporter.export(spans)
        if result is not SpanExportResult.SUCCESS:
            _warn_of_failure("traces")
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()


class _WarningLogExporter(LogRecordExporter):
    """Exporter of log records that prints a warning if they cannot be sent."""

    def __init__(self, exporter: LogRecordExporter) -> None:
        self._exporter = exporter

    def export(self, batch: Sequence[Any]) -> LogRecordExportResult:
        result = self._exporter.export(batch)
        if result is not LogRecordExportResult.SUCCESS:
            _warn_of_failure("logs")
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()  # type: ignore[no-untyped-call]  # the SDK's method has no types

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        return self._exporter.force_flush(timeout_millis)


def _warn_of_failure(signal: str) -> None:
    output.print_warning(
        f"WARN: The {signal} could not be sent to the OpenTelemetry collector; the command itself is not affected. "
        "Check --otel-exporter-endpoint."
    )


def _trace_requests(send: HttpSend, tracer: Tracer) -> HttpSend:
    """Wrap a send function: each attempt has a span of its own, and the broker continues the trace."""

    def send_traced(request: httpx.Request) -> httpx.Response:
        attributes = _request_attributes(request)
        with tracer.start_as_current_span(request.method, kind=SpanKind.CLIENT, attributes=attributes) as span:
            _TRACE_CONTEXT.inject(request.headers)
            response = send(request)
            span.set_attribute("http.response.status_code", response.status_code)
            if response.status_code >= _MIN_ERROR_STATUS:
                span.set_attribute("error.type", str(response.status_code))
                span.set_status(Status(StatusCode.ERROR))
        return response

    return send_traced


def _request_attributes(request: httpx.Request) -> dict[str, str | int]:
    """Return the attributes of OpenTelemetry's semantic conventions for HTTP clients, without credentials."""
    url = request.url
    return {
        "http.request.method": request.method,
        "url.full": str(url.copy_with(userinfo=b"")),
        "server.address": url.host,
        "server.port": url.port or (443 if url.scheme == "https" else 80),
    }
