"""The comparison of a pact with the documents of a provider version."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from treaty.model.compare.asyncapi import AsyncApi, compare_message
from treaty.model.compare.documents import ComparisonInterrupted, Document
from treaty.model.compare.findings import Comparison, DeprecatedUse, DocumentPlace, Finding, Severity
from treaty.model.compare.http import compare_http
from treaty.model.compare.interactions import HttpInteraction, MessageInteraction, mapping, read_interactions
from treaty.model.compare.openapi import OpenApi
from treaty.model.compare.profiles import Profile, switches_for


@dataclass(eq=False)
class CompiledDocument:
    """A document that is prepared for comparisons. Schemas are compiled when an interaction reaches them, once."""

    document: Document
    profile: Profile
    openapi: OpenApi | None = field(init=False, default=None)
    asyncapi: AsyncApi | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        content = mapping(self.document.content)
        if self.document.specification == "oas":
            self.openapi = OpenApi(self.document.name, content, switches_for(self.profile, content))
        else:
            self.asyncapi = AsyncApi(self.document.name, content, switches_for(self.profile, content))


def compile_document(document: Document, profile: Profile) -> CompiledDocument:
    """Prepare a document for comparisons with many pacts.

    Raises:
        UnusableDocument: It is neither an OpenAPI document of version 2.0 or 3 nor an AsyncAPI document of version 3.
    """
    return CompiledDocument(document, profile)


def compare(
    pact: Mapping[str, Any],
    documents: Sequence[Document | CompiledDocument],
    profile: Profile = Profile.STRICT,
    *,
    is_expired: Callable[[], bool] = lambda: False,
) -> Comparison:
    """Compare a pact with the documents of a provider version. An interaction has to fit one of the documents.

    Compiled documents have been compiled for a profile, which `profile` does not change. `is_expired` is called before
    each interaction.

    Raises:
        ComparisonInterrupted: `is_expired` returned true.
        UnusableDocument: A document is of no known kind or version.
        UnusablePact: An HTTP interaction lacks its method, path or numeric status.
    """
    compiled = [
        document if isinstance(document, CompiledDocument) else CompiledDocument(document, profile)
        for document in documents
    ]
    interactions, total = read_interactions(pact)
    used: list[DeprecatedUse] = []
    findings: list[Finding] = []
    compared = 0
    for interaction in interactions:
        if is_expired():
            raise ComparisonInterrupted
        own = _compare_interaction(compiled, interaction, used)
        if own is not None:
            findings += own
            compared += not any(finding.code.endswith(".unvalidatable") for finding in own)
    prepared = [document.openapi or document.asyncapi for document in compiled]
    notes = [note for document in prepared if document for note in document.notes]
    return Comparison(
        findings=tuple(findings), compared=compared, interactions=total, notes=tuple(notes), used=tuple(used)
    )


def _compare_interaction(
    documents: Sequence[CompiledDocument], interaction: HttpInteraction | MessageInteraction, used: list[DeprecatedUse]
) -> list[Finding] | None:
    """Compare one interaction; None if none of the documents is of its kind, so that nothing is claimed about it."""
    if not documents:
        return [_without_document(interaction)]
    if isinstance(interaction, HttpInteraction):
        return _compare_http([document.openapi for document in documents if document.openapi], interaction, used)
    return compare_message([document.asyncapi for document in documents if document.asyncapi], interaction)


def _compare_http(
    documents: Sequence[OpenApi], interaction: HttpInteraction, used: list[DeprecatedUse]
) -> list[Finding] | None:
    """Compare with each document until one fits. Otherwise, one that has the operation explains best why not."""
    results: list[tuple[list[Finding], list[DeprecatedUse]]] = []
    for document in documents:
        own_uses: list[DeprecatedUse] = []
        results.append((compare_http(document, interaction, own_uses), own_uses))
        if not _errors(results[-1][0]):
            break
    if not results:
        return None
    findings, uses = min(results, key=lambda result: _preference(result[0]))
    used += uses
    return findings


def _errors(findings: Sequence[Finding]) -> list[Finding]:
    return [finding for finding in findings if finding.type is Severity.ERROR]


def _preference(findings: Sequence[Finding]) -> tuple[bool, bool]:
    errors = _errors(findings)
    return bool(errors), any(error.code == "request.path-or-method.unknown" for error in errors)


def _without_document(interaction: HttpInteraction | MessageInteraction) -> Finding:
    is_http = isinstance(interaction, HttpInteraction)
    kind = "an OpenAPI" if is_http else "an AsyncAPI"
    return Finding(
        code="request.spec.missing" if is_http else "message.spec.missing",
        type=Severity.ERROR,
        message=f"There is no document to compare the interaction with. Publish {kind} document of the provider.",
        pact=interaction.place("", interaction.description),
        document=DocumentPlace(location="[root]", specification="oas" if is_http else "asyncapi"),
    )
