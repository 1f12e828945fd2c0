"""Results of comparing several pacts with the documents of a provider, as the command line and the API report them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from treaty.model.compare import positions
from treaty.model.compare.changes import DocumentChanges
from treaty.model.compare.documents import UnusablePact
from treaty.model.compare.engine import CompiledDocument, compare
from treaty.model.compare.findings import Severity

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from treaty.model.compare.findings import Comparison, Finding, Note
    from treaty.model.compare.positions import Position
    from treaty.model.compare.profiles import Profile
    from treaty.model.compare.reading import ReadDocument

Json = Any


@dataclass(frozen=True, kw_only=True, slots=True)
class SelectedPact:
    """A pact to compare, and where it is from: the path of a file or a URL. `versions` are the consumer's, if known."""

    content: Mapping[str, Json]
    source: str = ""
    versions: tuple[str, ...] = ()

    @property
    def consumer(self) -> str:
        return _name(self.content.get("consumer"))

    @property
    def provider(self) -> str:
        return _name(self.content.get("provider"))


def _name(pacticipant: Json) -> str:
    return str(pacticipant.get("name") or "") if isinstance(pacticipant, dict) else ""


@dataclass(frozen=True, kw_only=True, slots=True)
class ComparedPact:
    """A pact and its comparison."""

    pact: SelectedPact
    comparison: Comparison
    is_reused: bool = False
    """Whether the comparison is that with an earlier version of the documents, whose changes cannot affect it."""

    def as_json(self) -> Json:
        return {
            "consumer": self.pact.consumer,
            "provider": self.pact.provider,
            **({"source": self.pact.source} if self.pact.source else {}),
            **({"consumerVersions": list(self.pact.versions)} if self.pact.versions else {}),
            "success": self.comparison.is_compatible,
            "compared": self.comparison.compared,
            "interactions": self.comparison.interactions,
        }


@dataclass(frozen=True, slots=True)
class PositionedFindings:
    """Positions of findings in the texts of the documents, computed for all of them in one pass."""

    positions: Mapping[tuple[str, str], Position]

    def find(self, finding: Finding) -> Position | None:
        return self.positions.get((finding.document.name, finding.document.location)) if finding.document else None

    def as_json(self, finding: Finding) -> Json:
        """Represent a finding with its position in the document, and those of its causes."""
        document = finding.as_json()
        position = self.find(finding)
        if position:
            document["specDetails"]["position"] = {"line": position.line, "column": position.column}
        if finding.causes:
            document["causes"] = [self.as_json(cause) for cause in finding.causes]
        return document


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """Comparisons of all selected pacts with the documents."""

    pacts: tuple[ComparedPact, ...]
    documents: tuple[ReadDocument, ...]
    profile: Profile

    @property
    def is_compatible(self) -> bool:
        return all(pact.comparison.is_compatible for pact in self.pacts)

    @property
    def findings(self) -> list[Finding]:
        return [finding for pact in self.pacts for finding in pact.comparison.findings]

    @property
    def notes(self) -> list[Note]:
        """Notes about the documents, each once: those of reading have the location in the document."""
        notes = [note for document in self.documents for note in document.notes]
        notes += [note for pact in self.pacts for note in pact.comparison.notes]
        unique_notes: dict[tuple[str, str], Note] = {}
        for note in notes:
            unique_notes.setdefault((note.code, note.message), note)
        return list(unique_notes.values())

    def count(self, severity: Severity) -> int:
        return sum(finding.type is severity for finding in self.findings)

    def as_json(self) -> Json:
        located = find_positions(self.documents, self.findings)
        return {
            "success": self.is_compatible,
            "findings": [
                {"consumer": pact.pact.consumer, **located.as_json(finding)}
                for pact in self.pacts
                for finding in pact.comparison.findings
            ],
            "compared": sum(pact.comparison.compared for pact in self.pacts),
            "interactions": sum(pact.comparison.interactions for pact in self.pacts),
            "profile": self.profile.value,
            "pacts": [pact.as_json() for pact in self.pacts],
            "notes": [note.as_json() for note in self.notes],
            "deprecated": [
                {"consumer": pact.pact.consumer, **use.as_json()} for pact in self.pacts for use in pact.comparison.used
            ],
        }


def compare_pacts(pacts: Iterable[SelectedPact], documents: Sequence[ReadDocument], profile: Profile) -> Report:
    """Compare pacts with the documents of a provider, which are prepared once.

    Raises:
        UnusableDocument: A document is of no known kind or version.
        UnusablePact: An HTTP interaction lacks its method, path or numeric status.
    """
    compiled = [CompiledDocument(document.document, profile) for document in documents]
    compared = tuple(_compare_pact(pact, compiled, profile) for pact in pacts)
    return Report(pacts=compared, documents=tuple(documents), profile=profile)


def _compare_pact(pact: SelectedPact, documents: Sequence[CompiledDocument], profile: Profile) -> ComparedPact:
    try:
        return ComparedPact(pact=pact, comparison=compare(pact.content, documents, profile))
    except UnusablePact as error:
        raise UnusablePact(f"{pact.source}: {error}" if pact.source else str(error)) from error


def compare_new_version(old: Report, documents: Sequence[ReadDocument]) -> Report:
    """Compare the pacts of a report with a new version of its documents. Only pacts that it can affect are compared.

    Raises UnusableDocument and UnusablePact.
    """
    changes = DocumentChanges(_compile_unnamed(old.documents, old.profile), _compile_unnamed(documents, old.profile))
    compiled = [CompiledDocument(document.document, old.profile) for document in documents]
    pacts = (_compare_again(before, compiled, changes, old.profile) for before in old.pacts)
    return Report(pacts=tuple(pacts), documents=tuple(documents), profile=old.profile)


def _compile_unnamed(documents: Iterable[ReadDocument], profile: Profile) -> list[CompiledDocument]:
    """Compile documents without their names, which are those of files: the new version is in another one."""
    return [CompiledDocument(replace(document.document, name=""), profile) for document in documents]


def _compare_again(
    before: ComparedPact, documents: Sequence[CompiledDocument], changes: DocumentChanges, profile: Profile
) -> ComparedPact:
    earlier = before.comparison
    is_clean = not (earlier.findings or earlier.used or earlier.notes)
    # Findings and notes name the old document.
    if is_clean and not changes.affects(before.pact.content, is_clean=True):
        return replace(before, is_reused=True)
    return _compare_pact(before.pact, documents, profile)


def find_positions(documents: Iterable[ReadDocument], findings: Iterable[Finding]) -> PositionedFindings:
    locations: dict[str, set[str]] = {}
    for finding in _with_causes(findings):
        if finding.document:
            locations.setdefault(finding.document.name, set()).add(finding.document.location)
    located: dict[tuple[str, str], Position] = {}
    for document in documents:
        name = document.document.name
        in_document = positions.locate(document.text, document.document.content, locations.get(name, ()))
        located |= {(name, location): position for location, position in in_document.items()}
    return PositionedFindings(located)


def _with_causes(findings: Iterable[Finding]) -> Iterator[Finding]:
    for finding in findings:
        yield finding
        yield from _with_causes(finding.causes)


class Effect(StrEnum):
    """Effect of a new document on a consumer."""

    BREAKS = "breaks"
    WARNS = "warns"
    STILL_BROKEN = "still broken"
    FIXES = "fixes"
    NONE = "not affected"


@dataclass(frozen=True, kw_only=True, slots=True)
class ConsumerChange:
    """Effect of replacing a document on one pact. `findings` are those that the old document did not have."""

    pact: SelectedPact
    effect: Effect
    findings: tuple[Finding, ...]


def compare_changes(old: Report, new: Report) -> list[ConsumerChange]:
    """Compare the reports of the same pacts with an old and a new document."""
    pairs = zip(old.pacts, new.pacts, strict=True)
    return [_change(before.comparison, after) for before, after in pairs]


def _change(before: Comparison, after: ComparedPact) -> ConsumerChange:
    findings = tuple(_new_findings(before.findings, after.comparison.findings))
    types = {finding.type for finding in findings}
    if Severity.ERROR in types:
        effect = Effect.BREAKS
    elif not after.comparison.is_compatible:
        effect = Effect.STILL_BROKEN
    elif not before.is_compatible:
        effect = Effect.FIXES
    else:
        effect = Effect.WARNS if Severity.WARNING in types else Effect.NONE
    return ConsumerChange(pact=after.pact, effect=effect, findings=findings)


def _new_findings(before: Iterable[Finding], after: Iterable[Finding]) -> Iterator[Finding]:
    """Yield the errors and warnings that are more than before, by code, location in the pact and keyword.

    Locations in documents change when schemas are moved, so they do not count.
    """
    remaining = Counter(map(_key, before))
    for finding in after:
        if finding.type is Severity.INFO:
            continue
        if remaining[_key(finding)]:
            remaining[_key(finding)] -= 1
        else:
            yield finding


def _key(finding: Finding) -> tuple[str, str, str]:
    location = finding.document.location if finding.document else ""
    return finding.code, finding.pact.location if finding.pact else "", location.rpartition(".")[2]
