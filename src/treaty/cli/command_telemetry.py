"""Types that connect a command with its telemetry. Free of OpenTelemetry, so every command can import them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from treaty.client import HttpSend


@dataclass(frozen=True, kw_only=True, slots=True)
class TelemetryOptions:
    """Signals to send, and their destination. Without an endpoint, OpenTelemetry's own default applies."""

    traces: bool
    logs: bool
    exporters: Sequence[str]
    endpoint: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class CommandTelemetry:
    """Receives each line that --verbose would show, and wraps the function that sends requests."""

    log: Callable[[str], None]
    wrap_send: Callable[[HttpSend], HttpSend]


NO_TELEMETRY: Final = CommandTelemetry(log=lambda _: None, wrap_send=lambda send: send)
