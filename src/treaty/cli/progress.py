"""Progress of long commands: one line that changes on a terminal, and a line every few seconds elsewhere."""

from __future__ import annotations

import sys
import time
from typing import Final

import click

from treaty.cli import output

_INTERVAL: Final = 5.0
"""Seconds between two lines in a log."""
_TERMINAL_INTERVAL: Final = 0.5
_MINUTE: Final = 60
_HOUR: Final = 3600
_CLEAR_LINE: Final = "\r\x1b[K"


class Progress:
    """Prints the progress of the steps of a command, with their rate and remaining time."""

    def __init__(self, steps: int) -> None:
        self._steps, self._step = steps, 0
        self._subject, self._total, self._done = "", 0, 0
        self._began_at = self._printed_at = time.monotonic()
        self._is_terminal = sys.stderr.isatty()

    def plan(self, steps: int) -> None:
        """Change the number of steps, which may depend on the first ones."""
        self._steps = steps

    def begin(self, subject: str, total: int) -> None:
        """Begin the next step, with its number of items."""
        self.end()
        self._step += 1
        self._subject, self._total, self._done = subject, total, 0
        self._began_at = self._printed_at = time.monotonic()

    def advance(self, count: int = 1) -> None:
        """Count items of the step as done, and print the progress if it was not printed lately."""
        self._done += count
        now = time.monotonic()
        if now - self._printed_at >= (_TERMINAL_INTERVAL if self._is_terminal else _INTERVAL):
            self._printed_at = now
            self._print(format_progress(self._done, self._total, seconds=now - self._began_at), is_final=False)

    def end(self) -> None:
        """End the step, and print how long it took."""
        if self._subject:
            duration = format_duration(time.monotonic() - self._began_at)
            self._print(f"{self._done:,} in {duration}", is_final=True)
        self._subject = ""

    def _print(self, text: str, *, is_final: bool) -> None:
        line = f"[{self._step}/{self._steps}] {self._subject}: {text}"
        if self._is_terminal:
            click.echo(_CLEAR_LINE + line, err=True, nl=is_final)
        else:
            output.print_error(line)


def format_progress(done: int, total: int, *, seconds: float) -> str:
    """Describe how much of a step is done, after some seconds, and how long the rest will take at the same rate."""
    rate = done / max(seconds, 0.001)
    remaining = f"about {format_duration(max(total - done, 0) / rate)} left" if done else "remaining time unknown"
    percentage = 100 * done // max(total, 1)
    rate_text = f"{rate:,.0f}" if rate >= 10 or not rate else f"{rate:.1f}"  # noqa: PLR2004 - two digits are enough
    return f"{done:,} of {total:,} ({percentage} %), {rate_text} per second, {remaining}"


def format_duration(seconds: float) -> str:
    """Write a duration in its two largest units."""
    rounded = round(seconds)
    if rounded < _MINUTE:
        return f"{rounded} s"
    if rounded < _HOUR:
        return f"{rounded // _MINUTE} min {rounded % _MINUTE} s"
    return f"{rounded // _HOUR} h {rounded % _HOUR // _MINUTE} min"
