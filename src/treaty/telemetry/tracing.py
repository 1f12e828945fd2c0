"""The current trace as a W3C `traceparent` header, by which deliveries belong to the trace of the request before them.

There is a current trace only if OpenTelemetry's own environment variables enable traces. This module imports nothing of
OpenTelemetry, whose import would slow down every start; `treaty.telemetry.spans` creates the spans, and
`treaty.telemetry.metric_export` exports the metrics.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final, NamedTuple

from treaty.errors import InvalidSetting

TRACE_HEADER: Final = "traceparent"


class Signal(NamedTuple):
    """A kind of telemetry, and the variables of OpenTelemetry that enable it."""

    name: str
    exporter: str
    endpoint: str
    protocol: str


TRACES: Final = Signal(
    "traces", "OTEL_TRACES_EXPORTER", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"
)
METRICS: Final = Signal(
    "metrics", "OTEL_METRICS_EXPORTER", "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL"
)
# A context variable, so that concurrent requests on the event loop, and threads for them, have their own.
_CURRENT: Final[ContextVar[str | None]] = ContextVar(TRACE_HEADER, default=None)


def exporter_name(environ: Mapping[str, str], signal: Signal = TRACES) -> str | None:
    """Return the name of the exporter that the environment selects, known or not; None if the signal is disabled.

    The variables are OpenTelemetry's own. As there, an endpoint alone enables the exporter `otlp`.
    """
    if environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return None
    has_endpoint = environ.get(signal.endpoint) or environ.get("OTEL_EXPORTER_OTLP_ENDPOINT")
    exporter = environ.get(signal.exporter) or ("otlp" if has_endpoint else "none")
    return None if exporter == "none" else exporter


def check_exporter(environ: Mapping[str, str], signal: Signal, exporter: str) -> None:
    """Raise InvalidSetting for an exporter or a protocol that is not supported."""
    if exporter not in {"otlp", "console"}:
        raise InvalidSetting(f"{signal.exporter}: must be one of otlp, console, none, but is '{exporter}'")
    protocol = environ.get(signal.protocol) or environ.get("OTEL_EXPORTER_OTLP_PROTOCOL")
    if exporter == "otlp" and protocol not in {None, "", "http/protobuf"}:
        raise InvalidSetting(f"OTEL_EXPORTER_OTLP_PROTOCOL: must be http/protobuf, but is '{protocol}'")


def current_headers() -> dict[str, str]:
    """Return the header of the current trace; empty without one."""
    trace_parent = _CURRENT.get()
    return {} if trace_parent is None else {TRACE_HEADER: trace_parent}


def current_exemplar() -> dict[str, str] | None:
    """Return the ids of the current trace and span, as an exemplar of a metric; None without one."""
    trace_parent = _CURRENT.get()
    if trace_parent is None:
        return None
    _version, trace_id, span_id, _flags = trace_parent.split("-")
    return {"trace_id": trace_id, "span_id": span_id}


@contextmanager
def use_trace(trace_parent: str) -> Iterator[None]:
    """Make a trace the current one inside the block."""
    token = _CURRENT.set(trace_parent)
    try:
        yield
    finally:
        _CURRENT.reset(token)
