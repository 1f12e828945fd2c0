"""The current trace as a W3C `traceparent` header, by which deliveries belong to the trace of the request before them.

There is a current trace only if OpenTelemetry's own environment variables enable traces. This module imports nothing of
OpenTelemetry, whose import would slow down every start; `treaty.telemetry.spans` creates the spans.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

TRACE_HEADER: Final = "traceparent"
ENDPOINT_VARIABLES: Final = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
# A context variable, so that concurrent requests on the event loop, and threads for them, have their own.
_CURRENT: Final[ContextVar[str | None]] = ContextVar(TRACE_HEADER, default=None)


def exporter_name(environ: Mapping[str, str]) -> str | None:
    """Return the name of the exporter that the environment selects, known or not; None if traces are disabled.

    The variables are OpenTelemetry's own. As there, an endpoint alone enables the exporter `otlp`.
    """
    if environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return None
    default = "otlp" if any(environ.get(name) for name in ENDPOINT_VARIABLES) else "none"
    exporter = environ.get("OTEL_TRACES_EXPORTER") or default
    return None if exporter == "none" else exporter


def current_headers() -> dict[str, str]:
    """Return the header of the current trace; empty without one."""
    trace_parent = _CURRENT.get()
    return {} if trace_parent is None else {TRACE_HEADER: trace_parent}


@contextmanager
def use_trace(trace_parent: str) -> Iterator[None]:
    """Make a trace the current one inside the block."""
    token = _CURRENT.set(trace_parent)
    try:
        yield
    finally:
        _CURRENT.reset(token)
