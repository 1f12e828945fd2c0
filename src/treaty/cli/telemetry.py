"""What of a command is told to OpenTelemetry, if its options ask for that. OpenTelemetry is loaded only then."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import click

from treaty.cli import output
from treaty.cli.program import Failure
from treaty.distribution import install_hint

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from treaty.client import HttpSend

OPTION_NAMES: Final = {
    "enable_otel",
    "enable_otel_logs",
    "enable_otel_traces",
    "otel_exporter",
    "otel_exporter_endpoint",
    "otel_exporter_protocol",
}
_EXPORTERS: Final = {"otlp", "stdout", "console"}
_PROTOCOLS: Final = {"http", "http/protobuf"}
_NOT_INSTALLED: Final = f"WARN: Nothing is sent to OpenTelemetry, because it is not installed: {install_hint('otel')}"


@dataclass(frozen=True, kw_only=True, slots=True)
class TelemetryOptions:
    """What is to be told, and where. Without an endpoint the one of OpenTelemetry itself counts."""

    traces: bool
    logs: bool
    exporters: Sequence[str]
    endpoint: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class CommandTelemetry:
    """What hears of each line that --verbose would show, and of each request."""

    log: Callable[[str], None]
    wrap_send: Callable[[HttpSend], HttpSend]


NO_TELEMETRY: Final = CommandTelemetry(log=lambda _: None, wrap_send=lambda send: send)


def telemetry_options() -> list[Callable[[Callable[..., None]], Callable[..., None]]]:
    """Give the options by which the newer client knows telemetry too."""
    return [
        click.option("--enable-otel", is_flag=True, help="Tell OpenTelemetry of the command and its requests."),
        click.option("--enable-otel-traces", is_flag=True, help="The same as --enable-otel."),
        click.option("--enable-otel-logs", is_flag=True, help="Tell OpenTelemetry what --verbose shows, less bodies."),
        click.option(
            "--otel-exporter",
            metavar="otlp|stdout|console",
            envvar="OTEL_TRACES_EXPORTER",
            help="Where to: a collector, stdout, or stderr; several are separated by commas.",
        ),
        click.option(
            "--otel-exporter-endpoint",
            metavar="URL",
            envvar="OTEL_EXPORTER_OTLP_ENDPOINT",
            help="The collector's address.",
        ),
        click.option(
            "--otel-exporter-protocol",
            metavar="http|http/protobuf",
            envvar="OTEL_EXPORTER_OTLP_PROTOCOL",
            help="How to speak with it; both mean the same.",
        ),
    ]


def record_if_enabled(command: str, given: Mapping[str, Any]) -> AbstractContextManager[CommandTelemetry]:
    """Tell of a command while it runs, if that is wanted."""
    traces = given["enable_otel"] or given["enable_otel_traces"]
    if not traces and not given["enable_otel_logs"]:
        return nullcontext(NO_TELEMETRY)
    wanted = _wanted(given, traces=traces)
    try:
        from treaty.cli import command_spans  # noqa: PLC0415 - slow to load, and rarely wanted
    except ImportError:
        output.print_warning(_NOT_INSTALLED)
        return nullcontext(NO_TELEMETRY)
    return command_spans.record_command(command, wanted)


def _wanted(given: Mapping[str, Any], *, traces: bool) -> TelemetryOptions:
    exporters = [name.strip() for name in (given["otel_exporter"] or "otlp").split(",")]
    for name in exporters:
        if name not in _EXPORTERS:
            raise Failure(f"Invalid --otel-exporter '{name}' (OTEL_TRACES_EXPORTER). Use otlp, stdout or console.")
    protocol = given["otel_exporter_protocol"] or "http"
    if protocol not in _PROTOCOLS:
        text = f"Invalid --otel-exporter-protocol '{protocol}' (OTEL_EXPORTER_OTLP_PROTOCOL)."
        raise Failure(f"{text} Use http or http/protobuf, and the collector's port for HTTP, often 4318.")
    return TelemetryOptions(
        traces=traces,
        logs=given["enable_otel_logs"],
        exporters=exporters,
        endpoint=given["otel_exporter_endpoint"],
    )
