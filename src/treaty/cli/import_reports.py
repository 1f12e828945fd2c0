"""The report of an import: what was copied, what was not, and why."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

from treaty.cli import output

if TYPE_CHECKING:
    from collections.abc import Sequence

KINDS: Final = {
    "pacticipants": "applications",
    "versions": "versions",
    "environments": "environments",
    "pacts": "pacts",
    "results": "verification results",
    "provider-contracts": "contracts of providers",
    "deployments": "deployments",
    "releases": "releases",
    "webhooks": "webhooks",
}
_NEVER_COPIED: Final = {
    "deliveries of webhooks": "no broker returns them",
    "secrets of webhooks": "no broker returns them; the notes below name the webhooks that need them",
    "users, teams and tokens": "no broker returns them",
}
_NOT_RETURNED: Final = {
    "former deployments and releases": "only Treaty returns them",
    "overwritten pacts without results": "only Treaty returns them",
}
_MAX_REASONS: Final = 20
"""Maximum number of names with their reasons in the report for people; `-o json` has all of them."""


class Omission(NamedTuple):
    """A resource that was not copied."""

    kind: str
    name: str
    reason: str

    def __str__(self) -> str:
        return f"{self.name}: {self.reason}"


@dataclass(slots=True)
class CopyReport:
    """Counts and messages for the final report. `existing` counts what the target already had."""

    copied: Counter[str] = field(default_factory=Counter)
    existing: Counter[str] = field(default_factory=Counter)
    refusals: list[Omission] = field(default_factory=list)
    """What the source did not return, or the target did not accept."""
    omissions: list[Omission] = field(default_factory=list)
    """What was left out because the target's data was changed or removed since an earlier import."""
    notes: list[str] = field(default_factory=list)
    is_exported: bool = False
    """Whether the source is a Treaty with an export, which contains more than other brokers return."""

    @property
    def refused(self) -> list[str]:
        return [str(refusal) for refusal in self.refusals]

    @property
    def left(self) -> list[str]:
        return [str(omission) for omission in self.omissions]

    def refuse(self, kind: str, name: str, reason: str) -> None:
        self.refusals.append(Omission(kind, name, reason))

    def leave(self, kind: str, name: str, reason: str) -> None:
        self.omissions.append(Omission(kind, name, reason))


def format_report(report: CopyReport, *, is_dry: bool) -> str:
    """Format the report as two tables: counts of each kind, and what was not copied with the reasons."""
    refused, left = (
        Counter(omission.kind for omission in omissions) for omissions in (report.refusals, report.omissions)
    )
    counts = [
        (name, report.copied[kind], report.existing[kind], left[kind], refused[kind]) for kind, name in KINDS.items()
    ]
    headings = ("Data", "Would copy" if is_dry else "Copied", "Already there", "Left out", "Not copied")
    never_copied = _NEVER_COPIED if report.is_exported else {**_NOT_RETURNED, **_NEVER_COPIED}
    reasons = [
        *_format_reasons("Not copied", report.refusals),
        *_format_reasons("Left out", report.omissions),
        *(("Not copied", name, reason) for name, reason in never_copied.items()),
    ]
    tables = [
        output.format_table(headings, counts),
        "",
        output.format_table(("Outcome", "Data", "Why"), reasons, whole=("Data", "Why")),
    ]
    return "\n".join([*tables, *(f"\n{output.yellow(note)}" for note in report.notes)])


def _format_reasons(outcome: str, omissions: Sequence[Omission]) -> list[tuple[str, str, str]]:
    rows = [(outcome, omission.name, omission.reason) for omission in omissions[:_MAX_REASONS]]
    more = len(omissions) - _MAX_REASONS
    return [*rows, (outcome, f"{more} more", "-o json lists all of them")] if more > 0 else rows


def report_json(report: CopyReport) -> dict[str, object]:
    return {
        "copied": {kind: report.copied[kind] for kind in KINDS},
        "found": {kind: report.existing[kind] for kind in KINDS},
        "refused": report.refused,
        "left": report.left,
        "notes": report.notes,
    }
