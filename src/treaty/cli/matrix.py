"""A matrix as text: the verdict, the table of verification results, and the reasons.

The layout and the wording are the original client's, because CI jobs search for them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import click

from treaty.cli import output

if TYPE_CHECKING:
    from collections.abc import Sequence

    from treaty.client import Json

_HEADINGS: Final = ["CONSUMER", "C.VERSION", "PROVIDER", "P.VERSION", "SUCCESS?", "RESULT#"]
YES: Final = "Computer says yes \\o/ "
NO: Final = "Computer says no ¯\\_(ツ)_/¯"
UNKNOWN: Final = "???"
_MAX_VERSION_LENGTH: Final = 60
_IGNORE_UNSUPPORTED: Final = (
    "WARN: This version of the Pact Broker does not support ignoring pacticipants. Please upgrade your Broker to "
    ">= 2.80.0"
)
_DRY_RUN: Final = "[dry-run] "


@dataclass(frozen=True, kw_only=True, slots=True)
class VerdictRow:
    """A row of the table; `result` is the URL of the verification result, if there is one."""

    consumer: str
    consumer_version: str
    provider: str
    provider_version: str
    success: str
    result: str | None

    @property
    def sort_key(self) -> tuple[str, ...]:
        return self.consumer.lower(), self.provider.lower(), self.consumer_version, self.provider_version


def is_deployable(body: Json) -> bool:
    return get_summary(body).get("deployable") is True


def get_summary(body: Json) -> Json:
    summary: Json = body.get("summary") or {}
    return summary


def describe(body: Json, *, ignores_pacticipants: bool) -> str:
    table, results = _format_rows(_read_rows(body))
    # Brokers before 2.80 ignore the parameter, and decide about the pacticipants that the user wanted to ignore.
    is_ignore_unsupported = ignores_pacticipants and not isinstance(get_summary(body).get("ignored"), int)
    parts = [
        output.yellow(_IGNORE_UNSUPPORTED) if is_ignore_unsupported else "",
        output.green(YES) if is_deployable(body) else output.red(NO),
        table,
        _describe_row_limit(body),
        results,
        _reasons(body),
    ]
    return "\n\n".join(part for part in parts if part)


def describe_without_colors(body: Json) -> str:
    """Return the table and the reasons, without warnings and colours."""
    table, _ = _format_rows(_read_rows(body))
    reasons = [line for line in click.unstyle(_reasons(body)).split("\n") if "WARN:" not in line]
    return "\n\n".join(part for part in (table, _describe_row_limit(body), "\n".join(reasons)) if part)


def describe_dry_run(text: str, *, deployable: bool | None) -> str:
    """Mark every line as a dry run's, so that it cannot be mistaken for a decision that was enforced."""
    lines = click.unstyle(text).split("\n")
    if deployable is not None:
        position = next((number for number, line in enumerate(lines) if line.startswith("Computer says")), 0)
        lines[position] = (
            YES + "(and maybe you don't need to enable dry run)"
            if deployable
            else NO + " (but you're ignoring this by enabling dry run)"
        )
    return mark_dry_run("\n".join([*lines, "", output.green("Dry run enabled - ignoring any failures")]))


def mark_dry_run(text: str) -> str:
    return "\n".join(output.yellow(_DRY_RUN) + line for line in text.split("\n"))


def _reasons(body: Json) -> str:
    # Brokers without notices have a single reason in the summary.
    reason = str(get_summary(body).get("reason") or "")
    colour = output.green if is_deployable(body) else output.red
    return output.format_verdict_notices(body) or (colour(reason) if reason else "")


def _describe_row_limit(body: Json) -> str:
    """State how many rows a limit left out. Only Treaty returns these counts."""
    count = body.get("rows") or {}
    shown, total = count.get("shown"), count.get("total")
    if not isinstance(shown, int) or not isinstance(total, int) or shown >= total:
        return ""
    return f"{shown} of {total} rows are shown; the answer depends on all of them."


def _read_rows(body: Json) -> list[VerdictRow]:
    return sorted(map(_read_row, body.get("matrix") or []), key=lambda row: row.sort_key)


def _read_row(row: Json) -> VerdictRow:
    consumer, provider, result = (row.get(part) or {} for part in ("consumer", "provider", "verificationResult"))
    success = UNKNOWN if result.get("success") is None else str(result["success"]).lower()
    return VerdictRow(
        consumer=consumer.get("name") or UNKNOWN,
        consumer_version=_version_number(consumer),
        provider=provider.get("name") or UNKNOWN,
        provider_version=_version_number(provider),
        success=success + (" [ignored]" if row.get("ignored") else ""),
        result=((result.get("_links") or {}).get("self") or {}).get("href"),
    )


def _version_number(pacticipant: Json) -> str:
    return (pacticipant.get("version") or {}).get("number") or UNKNOWN


def _format_rows(rows: Sequence[VerdictRow]) -> tuple[str, str]:
    """Return the table of rows, and the list of results that its last column refers to."""
    counter = iter(range(1, len(rows) + 1))
    numbers = [str(next(counter)) if row.result else "" for row in rows]
    cells = [
        [
            row.consumer,
            _shorten(row.consumer_version),
            row.provider,
            _shorten(row.provider_version),
            row.success,
            number,
        ]
        for row, number in zip(rows, numbers, strict=True)
    ]
    return output.format_table(_HEADINGS, cells, whole={"SUCCESS?", "RESULT#"}), _format_results(rows, numbers)


def _shorten(version: str) -> str:
    """Shorten a commit, also within a version number, to seven characters, and long version numbers to 60."""
    short = re.sub(r"(?<![0-9a-zA-Z])([0-9a-zA-Z]{7})[0-9a-zA-Z]{33}(?![0-9a-zA-Z])", r"\1...", version)
    return short if len(short) <= _MAX_VERSION_LENGTH else short[:_MAX_VERSION_LENGTH] + "..."


def _format_results(rows: Sequence[VerdictRow], numbers: Sequence[str]) -> str:
    title = "VERIFICATION RESULTS"
    lines = [
        f"{number}. {row.result} ({'success' if row.success.startswith('true') else 'failure'})"
        for row, number in zip(rows, numbers, strict=True)
        if number
    ]
    return "\n".join([title, "-" * len(title), *lines]) if lines else ""
