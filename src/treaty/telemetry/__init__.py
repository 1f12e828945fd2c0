"""Telemetry: traces, spans and metrics. OpenTelemetry is imported only where the environment asks for traces."""
