"""Telemetry: traces, spans and metrics. OpenTelemetry is imported only where the environment asks for traces."""

from typing import Final

KNOWN_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
"""Methods that spans and metrics name. Clients could otherwise create any number of names."""
