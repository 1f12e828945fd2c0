"""Reports of comparisons: text for people, SARIF 2.1.0 for code scanning, and annotations for GitHub's workflows."""

from __future__ import annotations

import hashlib
from itertools import groupby
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Final

from treaty import distribution
from treaty.cli import output
from treaty.exact_json import serialize_spaced
from treaty.model.compare.findings import ABSENT, Severity
from treaty.model.compare.reports import Effect, find_positions

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from treaty.model.compare.findings import Finding
    from treaty.model.compare.reports import ComparedPact, ConsumerChange, PositionedFindings, Report, SelectedPact

Json = Any

_MAX_VALUE: Final = 200
_COLOURS: Final = {Severity.ERROR: output.red, Severity.WARNING: output.yellow}
_SARIF_LEVELS: Final = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}
_GITHUB_COMMANDS: Final = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "notice"}


def format_text(report: Report) -> str:
    """Format a report by consumer and interaction."""
    located = find_positions(report.documents, report.findings)
    blocks = ["\n".join(_describe_pact(pact, located)) for pact in report.pacts]
    notes = [f"Note: {note.message} ({note.location})" for note in report.notes]
    return "\n\n".join(filter(None, [*blocks, "\n".join(notes), _summarize(report)]))


def _describe_pact(compared: ComparedPact, located: PositionedFindings) -> Iterator[str]:
    comparison = compared.comparison
    verdict = output.green("compatible") if comparison.is_compatible else output.red("incompatible")
    yield f"{_name_pact(compared.pact)}: {verdict}, {_count(compared)}"
    yield from _describe_findings(comparison.findings, located)
    for use in comparison.used:
        yield f"  Uses the deprecated {use.kind} {use.name} ({use.pact_location})"


def _name_pact(pact: SelectedPact) -> str:
    versions = f" {', '.join(pact.versions)}" if pact.versions else ""
    source = f" ({pact.source})" if pact.source else ""
    return f"{pact.consumer}{versions} -> {pact.provider}{source}"


def _count(compared: ComparedPact) -> str:
    comparison = compared.comparison
    return f"{comparison.compared} of {comparison.interactions} interactions compared"


def _describe_findings(findings: Sequence[Finding], located: PositionedFindings) -> Iterator[str]:
    shown = [finding for finding in findings if finding.type is not Severity.INFO]
    for _, group in groupby(shown, key=lambda finding: finding.interaction_index):
        own = list(group)
        yield f"  {_name_interaction(own[0])}"
        for finding in own:
            yield from _describe_finding(finding, located, "    ")


def _name_interaction(finding: Finding) -> str:
    if finding.pact is None:
        return "The whole pact"
    state = "" if finding.pact.state == "[none]" else f" (given {finding.pact.state})"
    return f"{finding.pact.description or f'Interaction {finding.pact.index}'}{state}"


def _describe_finding(finding: Finding, located: PositionedFindings, indent: str) -> Iterator[str]:
    colour = _COLOURS[finding.type]
    yield f"{indent}{colour(finding.type.value)} {finding.code}: {finding.message}"
    if finding.pact:
        yield f"{indent}  pact      {finding.pact.location}{_value(finding.pact.value)}"
    if finding.document:
        position = located.find(finding)
        place = f"{finding.document.name}:{position.line}:{position.column} " if position else ""
        yield f"{indent}  document  {place}{finding.document.location}{_value(finding.document.value)}"
    if finding.closest_branch:
        yield f"{indent}  closest   {finding.closest_branch}"
    for cause in finding.causes:
        yield from _describe_finding(cause, located, indent + "  ")


def _value(value: object) -> str:
    if value is ABSENT:
        return ""
    text = serialize_spaced(value)
    return f" = {text}" if len(text) <= _MAX_VALUE else f" = {text[:_MAX_VALUE]}…"


def _summarize(report: Report) -> str:
    incompatible = [pact for pact in report.pacts if not pact.comparison.is_compatible]
    compared = sum(pact.comparison.compared for pact in report.pacts)
    interactions = sum(pact.comparison.interactions for pact in report.pacts)
    verdict = f"Pacts that do not fit: {len(incompatible)} of {len(report.pacts)}" if incompatible else "All pacts fit"
    colour = output.red if incompatible else output.green
    counts = f"errors: {report.count(Severity.ERROR)}, warnings: {report.count(Severity.WARNING)}"
    return colour(
        f"{verdict if report.pacts else 'No pacts were compared'} (profile {report.profile.value}); {counts}, "
        f"interactions compared: {compared} of {interactions}"
    )


def format_github(report: Report) -> str:
    """Format errors and warnings as commands of GitHub's workflows, which show them beside lines of the document."""
    located = find_positions(report.documents, report.findings)
    lines = [
        _annotate(pact.pact, finding, located)
        for pact in report.pacts
        for finding in pact.comparison.findings
        if finding.type is not Severity.INFO
    ]
    return "\n".join([*lines, _summarize(report)])


def _annotate(pact: SelectedPact, finding: Finding, located: PositionedFindings) -> str:
    position = located.find(finding)
    place = {"file": finding.document.name} if finding.document and position else {}
    if position:
        place |= {"line": str(position.line), "col": str(position.column)}
    place["title"] = f"{pact.consumer}: {finding.code}"
    properties = ",".join(f"{name}={_escape_property(value)}" for name, value in place.items())
    return f"::{_GITHUB_COMMANDS[finding.type]} {properties}::{_escape(describe_with_causes(finding))}"


def describe_with_causes(finding: Finding) -> str:
    """Describe a finding with its interaction, and its causes in lines of their own."""
    interaction = f"{_name_interaction(finding)}: " if finding.pact else ""
    return "\n".join([interaction + finding.message, *(f"- {cause.message}" for cause in finding.causes)])


def _escape(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _escape_property(text: str) -> str:
    return _escape(text).replace(":", "%3A").replace(",", "%2C")


def build_sarif(report: Report) -> Json:
    """Build a SARIF log with one run."""
    located = find_positions(report.documents, report.findings)
    codes = list(dict.fromkeys(finding.code for finding in report.findings))
    results = [
        _sarif_result(pact, finding, located, codes.index(finding.code))
        for pact in report.pacts
        for finding in pact.comparison.findings
        if finding.type is not Severity.INFO
    ]
    rules = [{"id": code, "shortDescription": {"text": _describe_code(code)}} for code in codes]
    driver = {"name": "Treaty", "version": distribution.version(), "rules": rules}
    return {
        "version": "2.1.0",
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "runs": [{"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}],
    }


def _describe_code(code: str) -> str:
    *subject, reason = code.replace("-", " ").split(".")
    return f"{' '.join(subject).capitalize()}: {reason}"


def _sarif_result(compared: ComparedPact, finding: Finding, located: PositionedFindings, rule: int) -> Json:
    location = _sarif_location(finding, located)
    result: dict[str, Json] = {
        "ruleId": finding.code,
        "ruleIndex": rule,
        "level": _SARIF_LEVELS[finding.type],
        "message": {"text": f"{compared.pact.consumer}: {describe_with_causes(finding)}"},
        "locations": [location],
        "partialFingerprints": {"treaty/v1": _fingerprint(compared.pact, finding)},
    }
    if finding.pact:
        result["properties"] = {"consumer": compared.pact.consumer, "pact": finding.pact.location}
    return result


def _sarif_location(finding: Finding, located: PositionedFindings) -> Json:
    location: dict[str, Json] = {}
    position = located.find(finding)
    if finding.document and finding.document.name:
        place: dict[str, Json] = {"artifactLocation": {"uri": PurePath(finding.document.name).as_posix()}}
        if position:
            place["region"] = {"startLine": position.line, "startColumn": position.column}
        location["physicalLocation"] = place
    if finding.pact:
        location["logicalLocations"] = [{"fullyQualifiedName": finding.pact.location}]
    return location


def _fingerprint(pact: SelectedPact, finding: Finding) -> str:
    """Return a hash that stays the same when lines move, so that code scanning recognizes a finding."""
    places = (finding.pact.location if finding.pact else "", finding.document.location if finding.document else "")
    parts = (pact.consumer, pact.provider, finding.code, *places)
    return hashlib.sha256("\n".join(parts).encode(errors="replace")).hexdigest()


_HEADINGS: Final = {
    Effect.BREAKS: (output.red, "breaks"),
    Effect.WARNS: (output.yellow, "new warnings"),
    Effect.STILL_BROKEN: (output.yellow, "already broken by the old document"),
    Effect.FIXES: (output.green, "fixed by the new document"),
    Effect.NONE: (output.green, "not affected"),
}


def format_changes(changes: Sequence[ConsumerChange], new: Report) -> str:
    """Format the effects of a new document, those that break first."""
    located = find_positions(new.documents, [finding for change in changes for finding in change.findings])
    lines: list[str] = []
    for effect, (colour, heading) in _HEADINGS.items():
        for change in changes:
            if change.effect is effect:
                lines.append(f"{_name_pact(change.pact)}: {colour(heading)}")
                lines += _describe_findings(change.findings, located)
    counts = ", ".join(
        f"{count} {effect.value}"
        for effect in _HEADINGS
        if (count := sum(change.effect is effect for change in changes))
    )
    return "\n".join([*lines, "", f"Consumers: {counts or 'none'}"])


def changes_as_json(changes: Sequence[ConsumerChange], new: Report) -> Json:
    located = find_positions(new.documents, [finding for change in changes for finding in change.findings])
    return {
        "success": all(change.effect is not Effect.BREAKS for change in changes),
        "profile": new.profile.value,
        "comparedPacts": sum(not pact.is_reused for pact in new.pacts),
        "consumers": [
            {
                "consumer": change.pact.consumer,
                "provider": change.pact.provider,
                "source": change.pact.source,
                "consumerVersions": list(change.pact.versions),
                "effect": change.effect.value,
                "findings": [located.as_json(finding) for finding in change.findings],
            }
            for change in changes
        ],
    }
