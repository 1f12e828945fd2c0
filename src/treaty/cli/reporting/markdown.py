"""The comment of a report as Markdown. Names and texts from pacts are untrusted, so all of them are escaped."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from treaty.cli.reporting.facts import Level, Verdict, format_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from treaty.cli.reporting.facts import Decision, DocumentFinding, Obstacle, PactChange, Report

_MAX_OBSTACLES: Final = 20
_MAX_CHANGES: Final = 30
_MAX_FINDINGS: Final = 50
_MAX_TEXT: Final = 1000
"""Characters of a single text."""
_ICONS: Final = {Verdict.YES: "✅", Verdict.NO: "❌", Verdict.UNKNOWN: "⏳"}
_LEVEL_ICONS: Final = {Level.FAILURE: "❌", Level.WARNING: "⚠️"}
_BREAK: Final = "\N{ZERO WIDTH SPACE}"
_REFERENCE: Final = re.compile(r"([@#!~%$&^])(?=[\w\"{(\[])|(?<=://)|(?<=\bwww\.)", re.IGNORECASE)
"""Where services see a mention, a reference (such as #1 or !1) or an address, of which they make links."""
_PUNCTUATION: Final = re.compile(r"[\\`*_\[\]|~$]|^[-+=#]|^\d+(?=[.)])")
"""Markup within a line, and at the beginning of an item of a list."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Dialect:
    """What the Markdown of a service understands, and how long its comments may be."""

    max_bytes: int
    has_html: bool = True

    def marker(self, pacticipant: str) -> str:
        """Return an invisible line by which the comment of an application is found again."""
        # Encoded, so that no name can end the comment or stand for another one.
        name = quote(pacticipant, safe="").replace("-", "%2D").replace("(", "%28").replace(")", "%29")
        return f"<!-- treaty-report: {name} -->" if self.has_html else f"[//]: # (treaty-report: {name})"


GITHUB: Final = Dialect(max_bytes=65_000)
"""GitHub refuses 65,537 characters."""
GITLAB: Final = Dialect(max_bytes=900_000)
BITBUCKET: Final = Dialect(max_bytes=32_000, has_html=False)
PLAIN: Final = Dialect(max_bytes=1_000_000)


def render_comment(report: Report, dialect: Dialect) -> str:
    """Render the whole comment. Sections that would make it too long are left out, and counted."""
    head = f"{dialect.marker(report.pacticipant)}\n\n{_headline(report)}"
    return _join([head, *_list_sections(report, dialect), _footer(report)], dialect.max_bytes, report.url)


def render_summary(report: Report, dialect: Dialect) -> str:
    """Render the report without marker and headline, for places that have a title of their own."""
    return _join([*_list_sections(report, dialect), _footer(report)], dialect.max_bytes, report.url)


def describe_verdict(report: Report) -> str:
    """Describe the verdict in a line of plain text."""
    if report.verdict is Verdict.YES:
        exempt = [decision.destination.name for decision in report.decisions if decision.is_exempt]
        return f"Allowed by an override or a policy: {_list_places(exempt)}" if exempt else "Compatible everywhere"
    names = [decision.destination.name for decision in report.decisions if decision.verdict is report.verdict]
    if not names:
        return "The documents could not be compared" if report.failure else "The documents break consumers"
    return f"{'Not compatible' if report.verdict is Verdict.NO else 'No answer yet'}: {_list_places(names)}"


_MAX_PLACES: Final = 3


def _list_places(names: Sequence[str]) -> str:
    hidden = len(names) - _MAX_PLACES
    return f"{', '.join(names[:_MAX_PLACES])}{f' and {hidden} more' if hidden > 0 else ''}"


def escape(text: str) -> str:
    """Escape a text for a line of Markdown: no markup, HTML, mentions, references or links remain in it."""
    line = " ".join(_remove_controls(text).split())
    shortened = line if len(line) <= _MAX_TEXT else line[: _MAX_TEXT - 1] + "…"
    separated = _REFERENCE.sub(lambda match: match[0] + _BREAK, shortened)
    escaped = _PUNCTUATION.sub(_escape_match, separated)
    return escaped.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _escape_match(match: re.Match[str]) -> str:
    # A number before a dot would begin a numbered list. A digit cannot be escaped, but separated from the dot.
    return match[0] + _BREAK if match[0].isdigit() else f"\\{match[0]}"


def code(text: str) -> str:
    """Quote a text as code within a line, in which nothing is markup. A pipe would end the cell of a table."""
    line = " ".join(_remove_controls(text).split()).replace("|", "¦")
    fence = "`" * (1 + max(map(len, re.findall("`+", line)), default=0))
    padding = " " if line.startswith("`") or line.endswith("`") else ""
    return f"{fence}{padding}{line}{padding}{fence}" if line else ""


def link(text: str, url: str) -> str:
    """Link a text that is Markdown already; without a URL for browsers, it stays as it is."""
    if not re.match(r"https?://", url):
        return text
    escaped = re.sub(r"[<>\s\\|]", lambda match: quote(match[0]), url)
    return f"[{text}](<{escaped}>)"


def _remove_controls(text: str) -> str:
    if text.isprintable():
        return text
    # Cf has marks that reverse the direction of the text after them, and invisible ones.
    kept = (" " if unicodedata.category(letter) == "Cc" else letter for letter in text)
    return "".join(letter for letter in kept if unicodedata.category(letter) not in {"Cf", "Cs", "Co"})


def _code_block(text: str) -> str:
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", text)), default=0))
    return f"{fence}shell\n{_remove_controls(text)}\n{fence}"


def _join(blocks: Sequence[str], max_bytes: int, url: str) -> str:
    """Join blocks as long as they fit. The last one is always shown."""
    *sections, footer = blocks
    note = "**{} sections are left out, since the comment would be too long.** " + link("See all results", url)
    size = len((footer + note).encode()) + 100
    kept: list[str] = []
    for section in sections:
        size += len(section.encode()) + 2
        if size > max_bytes:
            break
        kept.append(section)
    left_out = len(sections) - len(kept)
    return "\n\n".join([*kept, *([note.format(left_out)] if left_out else []), footer]) + "\n"


def _headline(report: Report) -> str:
    return f"### {_ICONS[report.verdict]} Contracts of {code(report.pacticipant)}: {escape(describe_verdict(report))}"


def _footer(report: Report) -> str:
    page = f" · {link('all results', report.url)}" if report.url else ""
    return f"Version {code(report.version)}{page} · written by `treaty report`"


def _list_sections(report: Report, dialect: Dialect) -> Iterator[str]:
    yield _table(["To", "Answer", "Why"], map(_decision_row, report.decisions))
    for decision in report.decisions:
        yield from _describe_decision(decision)
    if report.findings:
        yield from _describe_findings(report.findings)
    if report.pact_changes:
        yield "#### Changed pacts"
    for change in report.pact_changes:
        yield _describe_change(change, dialect)
    if report.failure:
        yield f"**The documents could not be compared**: {escape(report.failure)}"
    for note in report.notes:
        yield f"- {escape(note)}"


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _decision_row(decision: Decision) -> list[str]:
    count = len(decision.obstacles) + decision.hidden
    why = f"{count} {'cause' if count == 1 else 'causes'}, see below" if count else ""
    if decision.failure:
        why = "The broker gave no answer, see below"
    name = decision.destination.name
    place = code(name) if decision.destination.environment or decision.destination.branch else escape(name)
    return [place, link(f"{_ICONS[decision.verdict]} {decision.verdict.value}", decision.url), why]


def _describe_decision(decision: Decision) -> Iterator[str]:
    lines = [f"- {escape(remark)}" for remark in decision.remarks]
    lines += [f"- **No answer**: {escape(decision.failure)}"] if decision.failure else []
    if lines or decision.obstacles:
        verb = "Merging into" if decision.destination.is_merge else "Deploying to"
        yield f"#### {verb} {escape(decision.destination.name)}"
    yield from lines
    for obstacle in decision.obstacles[:_MAX_OBSTACLES]:
        yield _describe_obstacle(obstacle)
    more = max(0, len(decision.obstacles) - _MAX_OBSTACLES) + decision.hidden
    if more:
        yield f"- … and {more} more: {link('see all results', decision.url)}"


def _describe_obstacle(obstacle: Obstacle) -> str:
    subject = f"**{escape(obstacle.subject)}**: " if obstacle.subject else ""
    sentence = " ".join([subject + escape(obstacle.problem), *map(escape, obstacle.details)])
    step = link(escape(obstacle.step), obstacle.url) if obstacle.step else ""
    lines = [f"- {sentence}", *([f"  **Next:** {step}"] if step else [])]
    if obstacle.command:
        lines += ["", *("  " + line for line in _code_block(obstacle.command).splitlines())]
    return "\n".join(lines)


def _describe_findings(findings: Sequence[DocumentFinding]) -> Iterator[str]:
    yield "#### Documents compared with the pacts of consumers"
    rows = [
        [_LEVEL_ICONS[finding.level], code(_place(finding)), code(finding.consumer), escape(finding.message)]
        for finding in findings[:_MAX_FINDINGS]
    ]
    yield _table(["", "Place", "Consumer", "Finding"], rows)
    if len(findings) > _MAX_FINDINGS:
        yield f"… and {len(findings) - _MAX_FINDINGS} more: `treaty compare` lists all of them."


def _place(finding: DocumentFinding) -> str:
    return f"{finding.path}:{finding.lines[0]}" if finding.lines else finding.path


def _describe_change(change: PactChange, dialect: Dialect) -> str:
    counts = change.counts
    parts = [f"{counts[kind]} {kind}" for kind in ("added", "changed", "removed") if counts.get(kind)]
    suffix = " (a new pact)" if change.is_new else " (no longer a pact)" if change.is_removed else ""
    title = f"{code(change.provider)}: interactions {', '.join(parts) or 'unchanged'}{suffix}"
    lines = [f"- {item.kind}: {escape(format_name(item.name))}" for item in change.changes[:_MAX_CHANGES]]
    if (left_out := sum(counts.values()) - len(lines)) > 0:
        lines.append(f"- … and {left_out} more: {link('see the pact', change.url)}")
    if not dialect.has_html:
        return "\n".join([f"- {link(title, change.url)}", *("    " + line for line in lines)])
    # Markdown is not rendered within <summary>, so the name is escaped as HTML there.
    name = _remove_controls(change.provider).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    summary = f"<code>{name}</code>: interactions {', '.join(parts) or 'unchanged'}{suffix}"
    return "\n".join([f"<details><summary>{summary}</summary>", "", *lines, "", "</details>"])
