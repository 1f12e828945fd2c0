"""The trace that work belongs to, as W3C writes it: what comes with a request is handed on with its deliveries.

There is one only where the environment says that traces are wanted, by OpenTelemetry's own variables. Nothing of
OpenTelemetry is loaded without that; what makes spans is in `treaty.telemetry.spans`.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

TRACE_HEADER: Final = "traceparent"
ENDPOINT_VARIABLES: Final = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_CURRENT: Final[ContextVar[str | None]] = ContextVar(TRACE_HEADER, default=None)


def exporter_name(environ: Mapping[str, str]) -> str | None:
    """Say how traces are to be sent: `otlp`, `console`, or another way; None if not at all."""
    if environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return None
    usual = "otlp" if any(environ.get(name) for name in ENDPOINT_VARIABLES) else "none"
    named = environ.get("OTEL_TRACES_EXPORTER") or usual
    return None if named == "none" else named


def current_headers() -> dict[str, str]:
    """Give the header that says which trace this belongs to; nothing where there is none."""
    written = _CURRENT.get()
    return {} if written is None else {TRACE_HEADER: written}


@contextmanager
def use_trace(written: str) -> Iterator[None]:
    """Let all that is done within belong to a trace."""
    token = _CURRENT.set(written)
    try:
        yield
    finally:
        _CURRENT.reset(token)
