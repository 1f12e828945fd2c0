"""What a report contains: decisions, changes of pacts, findings about documents, and annotations of lines."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class Verdict(StrEnum):
    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"
    """Results are missing, or the broker gave no answer."""


class Level(StrEnum):
    """Severity of an annotation."""

    FAILURE = "failure"
    WARNING = "warning"


@dataclass(frozen=True, kw_only=True, slots=True)
class Destination:
    """Where a version is to go: an environment, a branch of the other applications, or else their main branches."""

    environment: str | None = None
    branch: str | None = None

    @property
    def name(self) -> str:
        return self.environment or self.branch or "the main branches"

    @property
    def is_merge(self) -> bool:
        return self.environment is None


@dataclass(frozen=True, kw_only=True, slots=True)
class Obstacle:
    """A cause of an answer that is not yes, and the step that changes it."""

    subject: str
    problem: str
    details: tuple[str, ...] = ()
    """Sentences: since when, and who has to act."""
    step: str = ""
    command: str = ""
    url: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Decision:
    """The broker's answer for one destination."""

    destination: Destination
    verdict: Verdict
    obstacles: tuple[Obstacle, ...] = ()
    hidden: int = 0
    """Number of obstacles that the response counts, but does not name."""
    remarks: tuple[str, ...] = ()
    """Warnings, which do not prevent a yes."""
    is_exempt: bool = False
    """Whether the answer depends on an override, or on the policy for first deployments."""
    failure: str = ""
    """Why the broker gave no answer."""
    url: str = ""
    """The page with all results."""


InteractionName = tuple[str, tuple[str, ...]]
"""Description and states of an interaction, which identify it in any version of the pact."""


def format_name(name: InteractionName) -> str:
    description, states = name
    return f"{description} (given {', '.join(states)})" if states else description


@dataclass(frozen=True, kw_only=True, slots=True)
class InteractionChange:
    """`kind` is added, changed or removed."""

    kind: str
    name: InteractionName


@dataclass(frozen=True, kw_only=True, slots=True)
class PactChange:
    """The difference between a version's pact with a provider and that of the main branch."""

    provider: str
    changes: tuple[InteractionChange, ...]
    counts: Mapping[str, int]
    """Numbers of changes by their kind; `changes` has only the first of many."""
    is_new: bool = False
    is_removed: bool = False
    url: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class DocumentFinding:
    """A difference between a provider's document and the pact of a consumer."""

    consumer: str
    code: str
    message: str
    level: Level
    path: str
    lines: tuple[int, int] | None
    """The first and the last line of the part of the document."""
    key: str
    """Identifies the finding, also when lines move."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Annotation:
    """A remark about a part of a file. `path` is relative to the root of the repository."""

    path: str
    lines: tuple[int, int]
    """The first and the last line of the part."""
    level: Level
    title: str
    message: str
    key: str

    @property
    def line(self) -> int:
        return self.lines[0]

    @property
    def fingerprint(self) -> str:
        """A hash that stays the same when lines move."""
        parts = (self.path, self.title, self.key)
        return hashlib.sha256("\n".join(parts).encode(errors="replace")).hexdigest()


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    pacticipant: str
    version: str
    decisions: tuple[Decision, ...]
    pact_changes: tuple[PactChange, ...] = ()
    findings: tuple[DocumentFinding, ...] = ()
    annotations: tuple[Annotation, ...] = ()
    notes: tuple[str, ...] = ()
    """Sentences about what the report could not find out."""
    failure: str = ""
    """Why the documents could not be compared."""

    @property
    def verdict(self) -> Verdict:
        """The worst of the answers. A document that breaks a consumer is a no."""
        verdicts = {decision.verdict for decision in self.decisions}
        if Verdict.NO in verdicts or any(finding.level is Level.FAILURE for finding in self.findings):
            return Verdict.NO
        return Verdict.UNKNOWN if Verdict.UNKNOWN in verdicts or self.failure else Verdict.YES

    @property
    def failures(self) -> list[str]:
        """The reasons why answers are missing."""
        failures = [*(decision.failure for decision in self.decisions), self.failure]
        return list(dict.fromkeys(filter(None, failures)))

    @property
    def url(self) -> str:
        """The page of the first decision that is not yes."""
        ranked = sorted(self.decisions, key=lambda decision: decision.verdict is Verdict.YES)
        return next((decision.url for decision in ranked if decision.url), "")


def select_changed(
    annotations: Sequence[Annotation], changed_lines: Mapping[str, frozenset[int]] | None
) -> list[Annotation]:
    """Return the annotations of parts with changed lines, at the first of these lines.

    All are returned as they are if it is not known which lines changed.
    """
    if changed_lines is None:
        return list(annotations)
    moved = (move_to_change(item, changed_lines) for item in annotations)
    return [item for item in moved if item is not None]


def move_to_change(annotation: Annotation, changed_lines: Mapping[str, frozenset[int]]) -> Annotation | None:
    """Move an annotation to the first changed line of its part; None if the part has none."""
    first, last = annotation.lines
    lines = (line for line in changed_lines.get(annotation.path, ()) if first <= line <= last)
    line = min(lines, default=None)
    return None if line is None else replace(annotation, lines=(line, last))
