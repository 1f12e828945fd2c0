"""The answer of a matrix as text: the verdict, what was verified, and why the answer is what it is."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import click

from treaty.cli import output

if TYPE_CHECKING:
    from collections.abc import Sequence

    from treaty.client import Json

_HEADINGS: Final = ["CONSUMER", "C.VERSION", "PROVIDER", "P.VERSION", "SUCCESS?", "RESULT#"]
_YES: Final = "Computer says yes \\o/ "
_NO: Final = "Computer says no ¯\\_(ツ)_/¯"
_UNKNOWN: Final = "???"
_VERSION: Final = 60
_CANNOT_IGNORE: Final = (
    "WARN: This version of the Pact Broker does not support ignoring pacticipants. Please upgrade your Broker to "
    ">= 2.80.0"
)
_DRY_RUN: Final = "[dry-run] "


@dataclass(frozen=True, kw_only=True, slots=True)
class VerdictRow:
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
    found: Json = body.get("summary") or {}
    return found


def describe(body: Json, *, ignores_pacticipants: bool) -> str:
    table, results = _tables(_rows(body))
    parts = [
        *_warning(body, ignores_pacticipants=ignores_pacticipants),
        _verdict(body),
        table,
        _rows_left_out(body),
        results,
        _reasons(body),
    ]
    return "\n\n".join(part for part in parts if part)


def describe_without_colors(body: Json) -> str:
    """Give the table and what there is to tell, without warnings and colours."""
    table, _ = _tables(_rows(body))
    told = [line for line in click.unstyle(_reasons(body)).split("\n") if "WARN:" not in line]
    return "\n\n".join(part for part in (table, _rows_left_out(body), "\n".join(told)) if part)


def describe_dry_run(text: str, *, deployable: bool | None) -> str:
    """Mark every line, so that nobody takes what is said for what happened."""
    lines = click.unstyle(text).split("\n")
    if deployable is not None:
        at = next((number for number, line in enumerate(lines) if line.startswith("Computer says")), 0)
        lines[at] = _remark(deployable=deployable)
    marked = [output.yellow(_DRY_RUN) + line for line in [*lines, ""]]
    return "\n".join([*marked, output.yellow(_DRY_RUN) + output.green("Dry run enabled - ignoring any failures")])


def _remark(*, deployable: bool) -> str:
    if deployable:
        return _YES + "(and maybe you don't need to enable dry run)"
    return _NO + " (but you're ignoring this by enabling dry run)"


def _warning(body: Json, *, ignores_pacticipants: bool) -> list[str]:
    unsupported = ignores_pacticipants and not isinstance(get_summary(body).get("ignored"), int)
    return [output.yellow(_CANNOT_IGNORE)] if unsupported else []


def _verdict(body: Json) -> str:
    return output.green(_YES) if is_deployable(body) else output.red(_NO)


def _reasons(body: Json) -> str:
    reason = str(get_summary(body).get("reason") or "")
    colour = output.green if is_deployable(body) else output.red
    return output.format_notices(body) or (colour(reason) if reason else "")


def _rows_left_out(body: Json) -> str:
    """Say how many rows a limit left out. Only Treaty counts them."""
    count = body.get("rows") or {}
    shown, total = count.get("shown"), count.get("total")
    if not isinstance(shown, int) or not isinstance(total, int) or shown >= total:
        return ""
    return f"{shown} of {total} rows are shown; the answer depends on all of them."


def _rows(body: Json) -> list[VerdictRow]:
    return sorted((_row(each) for each in body.get("matrix") or []), key=lambda row: row.sort_key)


def _row(row: Json) -> VerdictRow:
    consumer, provider, result = (row.get(part) or {} for part in ("consumer", "provider", "verificationResult"))
    return VerdictRow(
        consumer=consumer.get("name") or _UNKNOWN,
        consumer_version=_number(consumer),
        provider=provider.get("name") or _UNKNOWN,
        provider_version=_number(provider),
        success=_success(result.get("success")) + (" [ignored]" if row.get("ignored") else ""),
        result=((result.get("_links") or {}).get("self") or {}).get("href"),
    )


def _number(participant: Json) -> str:
    return (participant.get("version") or {}).get("number") or _UNKNOWN


def _success(success: Any) -> str:
    return _UNKNOWN if success is None else str(success).lower()


def _tables(rows: Sequence[VerdictRow]) -> list[str]:
    numbers = _numbered(rows)
    cells = [[*_cells(row), number] for row, number in zip(rows, numbers, strict=True)]
    return [output.format_table(_HEADINGS, cells, max_widths=dict.fromkeys(_HEADINGS)), _results(rows, numbers)]


def _numbered(rows: Sequence[VerdictRow]) -> list[str]:
    counts = iter(range(1, len(rows) + 1))
    return [str(next(counts)) if row.result else "" for row in rows]


def _cells(row: VerdictRow) -> list[str]:
    return [row.consumer, _short(row.consumer_version), row.provider, _short(row.provider_version), row.success]


def _short(version: str) -> str:
    """Shorten a commit, also one within a version; and whatever is too long to read."""
    short = re.sub(r"(?<![0-9a-zA-Z])([0-9a-zA-Z]{7})[0-9a-zA-Z]{33}(?![0-9a-zA-Z])", r"\1...", version)
    return short if len(short) <= _VERSION else short[:_VERSION] + "..."


def _results(rows: Sequence[VerdictRow], numbers: Sequence[str]) -> str:
    title = "VERIFICATION RESULTS"
    lines = [f"{number}. {_result(row)}" for row, number in zip(rows, numbers, strict=True) if number]
    return "\n".join([title, "-" * len(title), *lines]) if lines else ""


def _result(row: VerdictRow) -> str:
    return f"{row.result} ({'success' if row.success.startswith('true') else 'failure'})"
