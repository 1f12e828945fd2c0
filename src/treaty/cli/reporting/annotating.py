"""Annotations of lines: of interactions in pact files, and of parts of documents that pacts do not fit."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from treaty.cli import pactfiles
from treaty.cli.compared_pacts import PactSource, select_pacts
from treaty.cli.comparison_reports import describe_with_causes
from treaty.cli.reporting.changed_lines import find_repository_path
from treaty.cli.reporting.facts import Annotation, DocumentFinding, Level, format_name
from treaty.cli.reporting.gathering import list_failed, name_interaction
from treaty.errors import ClientError
from treaty.model.compare.documents import UnusableDocument, UnusablePact
from treaty.model.compare.findings import Severity
from treaty.model.compare.locations import resolve
from treaty.model.compare.positions import find_extents
from treaty.model.compare.profiles import Profile
from treaty.model.compare.reading import read_document
from treaty.model.compare.reports import compare_pacts
from treaty.model.pacts.documents import Document
from treaty.model.pacts.interactions import read_interactions

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from treaty.cli.reporting.facts import Destination, InteractionName
    from treaty.cli.reporting.gathering import Answer, VersionPacts
    from treaty.client import BrokerClient, Json
    from treaty.model.compare.findings import Finding
    from treaty.model.compare.reading import ReadDocument
    from treaty.model.compare.reports import Report as ComparisonReport
    from treaty.model.compare.reports import SelectedPact

_LEVELS: Final = {Severity.ERROR: Level.FAILURE, Severity.WARNING: Level.WARNING}
_MAX_PROBLEMS: Final = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class PactText:
    """A pact file of the repository, with the first and the last line of each interaction."""

    path: str
    consumer: str
    provider: str
    lines: Mapping[InteractionName, tuple[int, int]]


@dataclass(frozen=True, kw_only=True, slots=True)
class LocalFiles:
    pacts: Sequence[PactText]
    documents: Sequence[ReadDocument]


def read_files(paths: Iterable[str]) -> LocalFiles:
    """Read pacts and documents. Raises ClientError for a file that is neither, and Failure for a missing one."""
    pacts: list[PactText] = []
    documents: list[ReadDocument] = []
    for path in dict.fromkeys(paths):
        files = pactfiles.find_pact_files([path]) if Path(path).is_dir() or not Path(path).exists() else [path]
        for file in files:
            raw = Path(file).read_bytes()
            pact = _read_pact(file, raw)
            if pact is not None:
                pacts.append(pact)
            else:
                documents.append(_read_document(file, raw))
    return LocalFiles(pacts=pacts, documents=documents)


def _read_pact(path: str, raw: bytes) -> PactText | None:
    """Read a pact; None if the file is not one."""
    try:
        text = raw.decode("utf-8-sig")
        tree = json.loads(text)
    except (ValueError, RecursionError):
        return None
    names = [_name(tree, side) for side in ("consumer", "provider")]
    if not all(names):
        return None
    return PactText(path=path, consumer=names[0], provider=names[1], lines=_locate(text, tree))


def _name(tree: Any, side: str) -> str:
    value = tree.get(side) if isinstance(tree, dict) else None
    return str(value.get("name") or "") if isinstance(value, dict) else ""


def _locate(text: str, tree: Json) -> dict[InteractionName, tuple[int, int]]:
    interactions = read_interactions(Document(tree, is_plain=False)) or []
    counts: dict[str, int] = {}
    paths = []
    for interaction in interactions:
        index = counts[interaction.list_name] = counts.get(interaction.list_name, -1) + 1
        paths.append((interaction.list_name, index))
    extents = find_extents(text, set(paths))
    return {
        name_interaction(interaction): extents[path]
        for interaction, path in zip(interactions, paths, strict=True)
        if path in extents
    }


def _read_document(path: str, raw: bytes) -> ReadDocument:
    try:
        return read_document(raw, name=path)
    except UnusableDocument as error:
        hint = "Give pacts, and OpenAPI 2.0 or 3 and AsyncAPI 3 documents, as JSON or YAML."
        raise ClientError(f"{path}: {error}", hint=hint) from error


# Pacts


def annotate_pacts(
    broker: BrokerClient, files: LocalFiles, answers: Iterable[Answer], pacts: VersionPacts
) -> Iterator[Annotation]:
    """Yield an annotation for each interaction that fails, or that has changed and is not verified yet."""
    rows = [row for answer in answers for row in answer.rows if not row.get("ignored")]
    for file in files.pacts:
        path = find_repository_path(file.path)
        own = [
            row for row in rows if _name(row, "consumer") == file.consumer and _name(row, "provider") == file.provider
        ]
        for row in own if path else ():
            yield from _annotate_row(broker, row, file, str(path), pacts)


def _annotate_row(
    broker: BrokerClient, row: Json, file: PactText, path: str, pacts: VersionPacts
) -> Iterator[Annotation]:
    success = (row.get("verificationResult") or {}).get("success")
    provider = _describe_provider(row)
    pact = pacts.pacts.get(file.provider)
    failed = list_failed(broker, row, pact) if success is False and pact else {}
    # Without details of the failure, the changes are its most likely cause.
    problems = failed or dict.fromkeys(pacts.list_changed(file.provider), ())
    for name, texts in problems.items():
        if success is not True and name in file.lines:
            is_failed = success is False
            text = f"{provider} {'fails' if is_failed else 'has not verified'} this interaction: {format_name(name)}"
            yield Annotation(
                path=path,
                lines=file.lines[name],
                level=Level.FAILURE if is_failed else Level.WARNING,
                title=f"{provider}: {'verification failed' if is_failed else 'not verified yet'}",
                message="\n".join([text, *(f"- {problem}" for problem in texts[:_MAX_PROBLEMS])]),
                key=format_name(name),
            )


def _describe_provider(row: Json) -> str:
    provider = row.get("provider") or {}
    number = (provider.get("version") or {}).get("number")
    return f"{provider.get('name')} ({number})" if number else str(provider.get("name"))


# Documents


def compare_documents(
    broker: BrokerClient, files: LocalFiles, provider: str, destinations: Iterable[Destination]
) -> list[DocumentFinding]:
    """Compare the documents with the pacts of the consumers at the destinations. Raises ClientError."""
    if not files.documents:
        return []
    pacts: dict[str, SelectedPact] = {}
    for environment in dict.fromkeys(destination.environment for destination in destinations):
        source = PactSource(pacts=(), environment=environment, main=environment is None, provider=provider)
        pacts |= {pact.source: pact for pact in select_pacts(source, broker)}
    try:
        report = compare_pacts(pacts.values(), files.documents, Profile.STRICT)
    except (UnusableDocument, UnusablePact) as error:
        raise ClientError(str(error)) from error
    located = _locate_findings(report)
    findings = (
        _read_finding(pact.pact.consumer, finding, located)
        for pact in report.pacts
        for finding in pact.comparison.findings
        if finding.type in _LEVELS
    )
    return list(dict.fromkeys(findings))


_Extents = dict[tuple[str, str], tuple[int, int]]
"""The first and the last line by the name of a document and a location in it."""


def _locate_findings(report: ComparisonReport) -> _Extents:
    places = [finding.document for finding in report.findings if finding.document]
    located: _Extents = {}
    for document in report.documents:
        name, content = document.document.name, document.document.content
        paths = {place.location: resolve(content, place.location) for place in places if place.name == name}
        extents = find_extents(document.text, set(paths.values()))
        located |= {(name, location): extents[path] for location, path in paths.items() if path in extents}
    return located


def _read_finding(consumer: str, finding: Finding, located: _Extents) -> DocumentFinding:
    place = finding.document
    locations = (place.location if place else "", finding.pact.location if finding.pact else "")
    return DocumentFinding(
        consumer=consumer,
        code=finding.code,
        message=describe_with_causes(finding),
        level=_LEVELS[finding.type],
        path=place.name if place else "",
        lines=located.get((place.name, place.location)) if place else None,
        key="\n".join(locations),
    )


def annotate_documents(findings: Iterable[DocumentFinding]) -> Iterator[Annotation]:
    for finding in findings:
        path = find_repository_path(finding.path) if finding.path else None
        if path and finding.lines:
            yield Annotation(
                path=path,
                lines=finding.lines,
                level=finding.level,
                title=f"{finding.consumer}: {finding.code}",
                message=finding.message,
                key=finding.key,
            )
