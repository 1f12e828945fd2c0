"""Telemetry options of commands. OpenTelemetry is loaded only if a command uses one of them."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, Final

import click

from treaty.cli import output
from treaty.cli.command_telemetry import NO_TELEMETRY, CommandTelemetry, TelemetryOptions
from treaty.cli.program import Failure
from treaty.distribution import install_hint

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_EXPORTERS: Final = {"otlp", "stdout", "console"}
_PROTOCOLS: Final = {"http", "http/protobuf"}
_NOT_INSTALLED: Final = (
    f"WARN: No telemetry is sent, because OpenTelemetry is not installed. Install it: {install_hint('otel')}"
)


def telemetry_options() -> list[Callable[[Callable[..., None]], Callable[..., None]]]:
    """Return the telemetry options, which have the names and variables of the Rust client's."""
    return [
        click.option(
            "--enable-otel", is_flag=True, help="Send traces of the command and its requests to OpenTelemetry."
        ),
        click.option("--enable-otel-traces", is_flag=True, help="Same as --enable-otel."),
        click.option(
            "--enable-otel-logs",
            is_flag=True,
            help="Send the lines that --verbose shows to OpenTelemetry, without request and response bodies.",
        ),
        click.option(
            "--otel-exporter",
            metavar="otlp|stdout|console",
            envvar="OTEL_TRACES_EXPORTER",
            help="Where to send telemetry: to a collector, stdout or stderr; separate several with commas.",
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
            help="The collector's protocol; both values mean the same.",
        ),
    ]


def record_if_enabled(command: str, options: Mapping[str, Any]) -> AbstractContextManager[CommandTelemetry]:
    """Record a command while the context lasts, if its options enable telemetry. Raises Failure for invalid options."""
    traces = options["enable_otel"] or options["enable_otel_traces"]
    if not traces and not options["enable_otel_logs"]:
        return nullcontext(NO_TELEMETRY)
    parsed_options = _parse_options(options, traces=traces)
    try:
        from treaty.cli.command_spans import record_command  # noqa: PLC0415 - slow to load, and rarely used
    except ImportError:
        # Missing telemetry must not fail a deployment.
        output.print_warning(_NOT_INSTALLED)
        return nullcontext(NO_TELEMETRY)
    return record_command(command, parsed_options)


def _parse_options(options: Mapping[str, Any], *, traces: bool) -> TelemetryOptions:
    exporters = [name.strip() for name in (options["otel_exporter"] or "otlp").split(",")]
    for name in exporters:
        if name not in _EXPORTERS:
            raise Failure(f"Invalid --otel-exporter '{name}' (OTEL_TRACES_EXPORTER). Use otlp, stdout or console.")
    protocol = options["otel_exporter_protocol"] or "http"
    if protocol not in _PROTOCOLS:
        text = f"Invalid --otel-exporter-protocol '{protocol}' (OTEL_EXPORTER_OTLP_PROTOCOL)."
        raise Failure(f"{text} Use http or http/protobuf, and the collector's port for HTTP, often 4318.")
    return TelemetryOptions(
        traces=traces,
        logs=options["enable_otel_logs"],
        exporters=exporters,
        endpoint=options["otel_exporter_endpoint"],
    )
