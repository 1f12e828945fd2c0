"""Findings of stored comparisons, as pages show them: by interaction, with both sides at the location."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final

import orjson

from treaty.model.compare import locations, positions
from treaty.model.compare.findings import Severity
from treaty.model.compare.positions import Position
from treaty.model.provider_contracts.excerpts import (
    Excerpt,
    decode_source,
    excerpt_document,
    excerpt_pact,
    excerpt_value,
    split_lines,
)

Json = Any

MAX_LOCATED_BYTES: Final = 3_000_000
"""Bytes of a document in whose text locations are looked up: reading larger ones as tokens takes seconds."""
_RANKS: Final = {Severity.ERROR: 0, Severity.WARNING: 1, Severity.INFO: 2}


@dataclass(frozen=True, slots=True)
class StoredFinding:
    """A finding as it was stored, in the shape that clients read."""

    content: Mapping[str, Json]

    @property
    def severity(self) -> Severity:
        return Severity(self.content["type"])

    @property
    def code(self) -> str:
        return str(self.content["code"])

    @property
    def message(self) -> str:
        return str(self.content["message"])

    @property
    def pact_location(self) -> str:
        return str(self._pact.get("location", locations.ROOT))

    @property
    def document_location(self) -> str | None:
        """The location in the document; None if the finding is about none."""
        return self._document.get("location")

    @property
    def document_name(self) -> str:
        return str(self._document.get("documentName", ""))

    @property
    def closest_branch(self) -> str | None:
        return self.content.get("closestBranch")

    @property
    def causes(self) -> "Sequence[StoredFinding]":
        return [StoredFinding(cause) for cause in self.content.get("causes", ())]

    @property
    def description(self) -> str:
        return str(self._pact.get("interactionDescription") or "(no description)")

    @property
    def operation(self) -> str | None:
        """The operation of an OpenAPI document: `GET /orders/{id}`."""
        key = self.operation_key
        return f"{key[1].upper()} {key[0]}" if key else None

    @property
    def operation_key(self) -> tuple[str, str] | None:
        """The path and the method of the operation, as the document has them."""
        path, method = self._document.get("pathName"), self._document.get("pathMethod")
        return (path, method) if path and method else None

    @property
    def interaction(self) -> tuple[str, int]:
        """The list of the pact that has the interaction, and its index there."""
        name = "messages" if self.pact_location.startswith(f"{locations.ROOT}.messages") else "interactions"
        return name, int(self.content.get("interactionIndex") or 0)

    @property
    def _pact(self) -> Mapping[str, Json]:
        return self.content.get("mockDetails") or {}

    @property
    def _document(self) -> Mapping[str, Json]:
        return self.content.get("specDetails") or {}


def read_findings(content: Mapping[str, Json]) -> list[StoredFinding]:
    """Read the findings of a comparison: errors first, then warnings, each in the order of the interactions."""
    findings = [StoredFinding(finding) for finding in content["findings"]]
    return sorted(findings, key=lambda finding: (_RANKS[finding.severity], finding.interaction))


@dataclass(frozen=True, kw_only=True, slots=True)
class LocatedFinding:
    """A finding with the parts of the pact and of the document that it is about."""

    finding: StoredFinding
    pact: Excerpt
    document: Excerpt | None
    closest_line: int | None
    """The line of the closest branch in the document."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FindingsOfInteraction:
    """The findings of one severity about an interaction."""

    severity: Severity
    interaction: tuple[str, int]
    findings: Sequence[LocatedFinding]

    @property
    def first(self) -> StoredFinding:
        return self.findings[0].finding


@dataclass(frozen=True, kw_only=True, slots=True)
class DocumentText:
    """A document of a provider version: its text as published, and its value as JSON."""

    source: bytes
    body: bytes


def locate_findings(
    findings: Sequence[StoredFinding], pact: Mapping[str, Json], documents: Mapping[str, DocumentText]
) -> list[FindingsOfInteraction]:
    """Show both sides of findings, grouped by severity and interaction. Documents are given by their names."""
    by_name = {
        name: _LocatedDocument(document, _list_locations(findings, name)) for name, document in documents.items()
    }
    located = [_locate(finding, pact, by_name.get(finding.document_name)) for finding in findings]
    groups = groupby(located, key=lambda each: (each.finding.severity, each.finding.interaction))
    return [
        FindingsOfInteraction(severity=severity, interaction=interaction, findings=list(group))
        for (severity, interaction), group in groups
    ]


def _list_locations(findings: Iterable[StoredFinding], name: str) -> set[str]:
    own = [finding for finding in findings if finding.document_name == name]
    locations = (location for finding in own for location in (finding.document_location, finding.closest_branch))
    return {location for location in locations if location is not None}


def _locate(finding: StoredFinding, pact: Mapping[str, Json], document: "_LocatedDocument | None") -> LocatedFinding:
    return LocatedFinding(
        finding=finding,
        pact=excerpt_pact(pact, finding.pact_location),
        document=document.excerpt(finding.document_location) if document else None,
        closest_line=document.find_line(finding.closest_branch) if document else None,
    )


class _LocatedDocument:
    """A document in which some locations have been looked up."""

    def __init__(self, document: DocumentText, queries: set[str]) -> None:
        self._content: Json = orjson.loads(document.body) if queries else None
        self._lines: Sequence[str] = ()
        self._positions: Mapping[str, Position] = {}
        if queries and len(document.source) <= MAX_LOCATED_BYTES:
            text = decode_source(document.source)
            self._lines = split_lines(text)
            self._positions = positions.locate(text, self._content, queries)

    def excerpt(self, location: str | None) -> Excerpt | None:
        if location is None:
            return None
        position = self._positions.get(location)
        if position is None:
            return excerpt_value(self._content, locations.resolve(self._content, location))
        return excerpt_document(self._lines, position)

    def find_line(self, location: str | None) -> int | None:
        position = self._positions.get(location) if location else None
        return position.line if position else None
