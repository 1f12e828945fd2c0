"""A command as a span with one for each of its requests, and its lines as log records, sent with OpenTelemetry."""

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
from treaty.cli.telemetry import CommandTelemetry, TelemetryOptions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import httpx

    from treaty.client import HttpSend

_SECONDS: Final = 3
"""How long a collector is waited for: nobody's deployment should wait for its own story."""
_FAILED: Final = 400
_W3C: Final = TraceContextTextMapPropagator()


@contextmanager
def record_command(command: str, wanted: TelemetryOptions) -> Iterator[CommandTelemetry]:
    """Tell of a command while it runs, and send at its end what was not sent yet."""
    logging.getLogger("opentelemetry").propagate = False
    logging.getLogger("opentelemetry").addHandler(logging.NullHandler())  # what fails is told in our own words
    resource = Resource.create({} if "OTEL_SERVICE_NAME" in os.environ else {"service.name": command.partition(" ")[0]})
    with ExitStack() as stack:
        tracer = _tracer(wanted, resource, stack)
        log = _log(wanted, resource, stack)
        with (
            tracer.start_as_current_span(
                command, _asked_by(), record_exception=False, set_status_on_exception=False
            ) as span,
            _ending_told(span),
        ):
            yield CommandTelemetry(log=log, wrap_send=lambda send: _sending(send, tracer))


@contextmanager
def _ending_told(span: Span) -> Iterator[None]:
    try:
        yield
    except (SystemExit, Exit) as ended:
        code = ended.code if isinstance(ended, SystemExit) else ended.exit_code
        span.set_attribute("process.exit.code", code if isinstance(code, int) else int(code is not None))
        if code:
            span.set_status(Status(StatusCode.ERROR))
        raise
    except Exception as error:
        span.set_attribute("error.type", type(error).__name__)
        span.set_status(Status(StatusCode.ERROR, str(error).partition("\n")[0]))
        raise


def _asked_by() -> Context:
    """Find the span that this command belongs to, where a CI system hands it on in the environment."""
    names = ("traceparent", "tracestate")
    return _W3C.extract({name: os.environ[name.upper()] for name in names if name.upper() in os.environ})


def _tracer(wanted: TelemetryOptions, resource: Resource, stack: ExitStack) -> Tracer:
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    stack.callback(provider.shutdown)
    for name in wanted.exporters if wanted.traces else ():
        provider.add_span_processor(BatchSpanProcessor(_SpansTold(_span_exporter(name, wanted))))
    return provider.get_tracer("treaty")


def _span_exporter(name: str, wanted: TelemetryOptions) -> SpanExporter:
    if name == "otlp":
        return OTLPSpanExporter(_at(wanted.endpoint, "traces"), timeout=_SECONDS)
    return ConsoleSpanExporter(out=_stream(name))


def _log(wanted: TelemetryOptions, resource: Resource, stack: ExitStack) -> Callable[[str], None]:
    provider = LoggerProvider(resource=resource, shutdown_on_exit=False)
    stack.callback(provider.shutdown)
    for name in wanted.exporters if wanted.logs else ():
        provider.add_log_record_processor(BatchLogRecordProcessor(_LogsTold(_log_exporter(name, wanted))))
    logger = provider.get_logger("treaty")

    def log(text: str) -> None:
        """Take the first line: bodies hold passwords of webhooks."""
        severity = SeverityNumber.ERROR if text.startswith("ERROR") else SeverityNumber.INFO
        logger.emit(severity_number=severity, severity_text=severity.name, body=text.partition("\n")[0])

    return log


def _log_exporter(name: str, wanted: TelemetryOptions) -> LogRecordExporter:
    if name == "otlp":
        return OTLPLogExporter(_at(wanted.endpoint, "logs"), timeout=_SECONDS)
    return ConsoleLogRecordExporter(out=_stream(name))


def _at(endpoint: str | None, signal: str) -> str | None:
    """Give the address for a kind of signal below a collector's."""
    return endpoint and f"{endpoint.rstrip('/').removesuffix('/v1/traces')}/v1/{signal}"


def _stream(name: str) -> Any:
    return sys.stdout if name == "stdout" else sys.stderr


class _SpansTold(SpanExporter):
    """Says once if spans cannot be sent."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter

    def export(self, spans: Sequence[Any]) -> SpanExportResult:
        result = self._exporter.export(spans)
        if result is not SpanExportResult.SUCCESS:
            _tell_failure("traces")
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()


class _LogsTold(LogRecordExporter):
    """Says once if log records cannot be sent."""

    def __init__(self, exporter: LogRecordExporter) -> None:
        self._exporter = exporter

    def export(self, batch: Sequence[Any]) -> LogRecordExportResult:
        result = self._exporter.export(batch)
        if result is not LogRecordExportResult.SUCCESS:
            _tell_failure("logs")
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()  # type: ignore[no-untyped-call]  # theirs has no types

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        return self._exporter.force_flush(timeout_millis)


def _tell_failure(what: str) -> None:
    output.print_warning(
        f"WARN: The {what} could not be sent to OpenTelemetry's collector; the command itself is not concerned. "
        "Check --otel-exporter-endpoint."
    )


def _sending(send: HttpSend, tracer: Tracer) -> HttpSend:
    """Let a way of sending make a span for each attempt, and hand the trace on to the broker."""

    def traced(request: httpx.Request) -> httpx.Response:
        with tracer.start_as_current_span(request.method, kind=SpanKind.CLIENT, attributes=_described(request)) as span:
            _W3C.inject(request.headers)
            answer = send(request)
            _tell_status(span, answer.status_code)
        return answer

    return traced


def _described(request: httpx.Request) -> dict[str, str | int]:
    url = request.url
    return {
        "http.request.method": request.method,
        "url.full": str(url.copy_with(userinfo=b"")),
        "server.address": url.host,
        "server.port": url.port or (443 if url.scheme == "https" else 80),
    }


def _tell_status(span: Span, status: int) -> None:
    span.set_attribute("http.response.status_code", status)
    if status >= _FAILED:
        span.set_attribute("error.type", str(status))
        span.set_status(Status(StatusCode.ERROR))
