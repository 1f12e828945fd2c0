"""What would break in an environment if it were changed (`POST /decisions/what-if`). Nothing is stored."""

import base64
import binascii
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal, NotRequired

from pydantic import Field
from sqlalchemy import Connection
from typing_extensions import TypedDict

from treaty.errors import Invalid, Malformed, Problem
from treaty.model.compare.documents import UnusableDocument
from treaty.model.compare.reading import read_document
from treaty.model.decisions import reasons as reason_texts
from treaty.model.decisions.what_if import (
    NEEDS_VERSION,
    TAKES_INSTANCE,
    Change,
    ChangeKind,
    Effect,
    ImpossibleChange,
    PairChange,
    WhatIfFacts,
    WhatIfVerdict,
    assess,
)
from treaty.model.pacticipants.pacticipants import describe_missing
from treaty.model.pacts.content import build_content, find_names
from treaty.model.pacts.documents import parse_document
from treaty.model.provider_contracts.assumptions import (
    AssumedContract,
    AssumedPact,
    PendingComparison,
    compare_pending,
)
from treaty.model.provider_contracts.comparisons import NamedBody
from treaty.model.provider_contracts.contracts import hash_document, hash_documents
from treaty.store.decisions import selectors, what_if
from treaty.store.decisions.selectors import NamedIds
from treaty.store.decisions.what_if import Assumptions
from treaty.store.pacticipants import former_names
from treaty.web import urls
from treaty.web.api.decisions.matrix import ReasonDocument, render_reason
from treaty.web.hal import represent
from treaty.web.hal.documents import Hal, Link
from treaty.web.http import bodies
from treaty.web.http.bodies import Body, NonEmptyText, NotBlankName, RequiredNonBlankName, with_example
from treaty.web.http.request import Request
from treaty.web.http.results import AfterCommit
from treaty.web.http.router import Router
from treaty.web.security.permissions import Permission

router: Final = Router()

MAX_CHANGES: Final = 20
MAX_PACTS: Final = 50
MAX_DOCUMENTS: Final = 10
"""Limits of a request; pacts and documents are those of a change."""


class AssumedDocumentBody(Body):
    """A document that a version is assumed to publish. Its kind is found in it, unless it is given."""

    name: NotBlankName = None
    content: NonEmptyText
    specification: Literal["oas", "asyncapi"] | None = None


class ChangeBody(Body):
    """A change. Pacts and documents are those that the deployed version is assumed to have published."""

    change: Literal["deploy", "rollBack", "undeploy", "release", "endSupport", "retire"]
    pacticipant: RequiredNonBlankName
    version: NotBlankName = None
    application_instance: NotBlankName = None
    pacts: list[dict[str, Any]] | None = None
    documents: list[AssumedDocumentBody] | None = None
    self_verified: bool = True


class WhatIfBody(Body):
    """An environment, and the changes to make to it, one after the other."""

    model_config = with_example(
        {
            "environment": "production",
            "changes": [
                {"change": "undeploy", "pacticipant": "prices", "applicationInstance": "blue"},
                {"change": "deploy", "pacticipant": "web-shop", "version": "2.0.0"},
            ],
        }
    )

    environment: RequiredNonBlankName
    changes: Annotated[list[ChangeBody], Field(min_length=1)]


class ChangeDocument(TypedDict):
    change: str
    pacticipant: str
    version: str | None
    removed: list[str]
    text: str
    applicationInstance: NotRequired[str]


class PairChangeDocument(TypedDict):
    consumer: str
    provider: str
    reasons: list[ReasonDocument]


WhatIfLinks = TypedDict("WhatIfLinks", {"pb:pacticipant": list[Link]})


class WhatIfDocument(TypedDict):
    safe: bool
    changes: list[ChangeDocument]
    breaks: list[PairChangeDocument]
    repairs: list[PairChangeDocument]
    stillBroken: list[PairChangeDocument]
    _links: WhatIfLinks


@dataclass(frozen=True, slots=True)
class _Prepared:
    """The body, with its pacts and documents as they would be stored."""

    body: WhatIfBody
    assumptions: Assumptions


def _prepare(request: Request) -> _Prepared:
    """Read the body, which takes seconds for large documents. Raises Invalid."""
    body = request.body(WhatIfBody)
    bodies.check_sizes({"changes": body.changes}, {"changes": MAX_CHANGES})
    problems = [problem for index, change in enumerate(body.changes) for problem in list_problems(index, change)]
    if problems:
        raise Invalid(*problems)
    assumptions = Assumptions(
        environment=body.environment,
        changes=[read_change(change) for change in body.changes],
        pacts=[
            _read_pact((index, number), change, pact)
            for index, change in enumerate(body.changes)
            for number, pact in enumerate(change.pacts or ())
        ],
        contracts=[
            _read_contract(request, index, change) for index, change in enumerate(body.changes) if change.documents
        ],
    )
    return _Prepared(body, assumptions)


def list_problems(index: int, change: ChangeBody) -> Iterable[Problem]:
    """Yield contradictions of a change."""
    kind, path = ChangeKind(change.change), ("changes", index)
    if kind in NEEDS_VERSION and change.version is None:
        yield Problem((*path, "version"), "is missing")
    if kind not in NEEDS_VERSION and change.version is not None:
        yield Problem((*path, "version"), f"cannot be combined with the change {kind.value}")
    if kind not in TAKES_INSTANCE and change.application_instance is not None:
        yield Problem((*path, "applicationInstance"), f"cannot be combined with the change {kind.value}")
    limits = {"pacts": (change.pacts, MAX_PACTS), "documents": (change.documents, MAX_DOCUMENTS)}
    for name, (items, limit) in limits.items():
        if items and kind not in {ChangeKind.DEPLOY, ChangeKind.RELEASE}:
            yield Problem((*path, name), f"cannot be combined with the change {kind.value}")
        elif items and len(items) > limit:
            yield Problem((*path, name), f"size cannot be greater than {limit}")


def read_change(change: ChangeBody) -> Change:
    return Change(
        kind=ChangeKind(change.change),
        pacticipant=change.pacticipant,
        version=change.version,
        application_instance=change.application_instance,
    )


def _read_pact(indexes: tuple[int, int], change: ChangeBody, pact: Mapping[str, Any]) -> AssumedPact:
    """Read a pact of a change. Raises Invalid if it is not a pact of the deployed pacticipant."""
    path = ("changes", indexes[0], "pacts", indexes[1])
    raw = json.dumps(pact).encode()
    try:
        document = parse_document(raw)
    except Malformed as error:
        raise Invalid(Problem(path, str(error))) from error
    consumer, provider = find_names(document)
    if consumer != change.pacticipant:
        raise Invalid(Problem(path, f"must be a pact of the consumer '{change.pacticipant}'"))
    if not isinstance(provider, str) or not provider.strip():
        raise Invalid(Problem(path, "must name its provider"))
    content = build_content(document)
    return AssumedPact(
        consumer=change.pacticipant,
        version=change.version or "",
        provider=provider,
        sha=content.sha,
        body=content.body,
    )


def _read_contract(request: Request, index: int, change: ChangeBody) -> AssumedContract:
    """Read the documents of a change. Raises Invalid."""
    documents: list[NamedBody] = []
    shas: list[str] = []
    for number, document in enumerate(change.documents or ()):
        path = ("changes", index, "documents", number, "content")
        try:
            source = base64.b64decode(document.content, validate=True)
            read = read_document(
                source,
                name=document.name or f"document {number + 1}",
                specification=document.specification,
                max_bytes=request.settings.max_document_bytes,
            ).document
        except (binascii.Error, ValueError) as error:
            raise Invalid(Problem(path, "must be Base64 encoded")) from error
        except UnusableDocument as error:
            raise Invalid(Problem(path, str(error))) from error
        text = json.dumps(read.content, ensure_ascii=False, separators=(",", ":"))
        documents.append(NamedBody(read.name, read.specification, text.encode()))
        shas.append(hash_document(read.specification, source))
    return AssumedContract(
        provider=change.pacticipant,
        version=change.version or "",
        documents=documents,
        documents_sha=hash_documents(shas),
        is_self_verified=change.self_verified,
    )


@router.post(
    urls.WHAT_IF,
    permission=Permission.READ,
    is_read_only=True,
    is_slow=True,
    prepare=_prepare,
    body=WhatIfBody,
    response=WhatIfDocument,
    errors=("503",),
)
def ask_what_if(request: Request) -> WhatIfVerdict | AfterCommit:
    """Show which applications would no longer work together if an environment were changed. Nothing is stored."""
    assert isinstance(request.prepared, _Prepared)  # noqa: S101 - for type checkers
    facts, pending = load_what_if(request, request.prepared.assumptions)
    if not pending:
        return assess(facts)
    return AfterCommit(lambda: assess(compare_pending(facts, pending)), is_heavy=True)


def load_what_if(request: Request, assumptions: Assumptions) -> tuple[WhatIfFacts, list[PendingComparison]]:
    """Load the facts of changes, and the comparisons to make before they are assessed. Raises Invalid."""
    named = selectors.load_named_ids(request.db, assumptions.selectors, assumptions.environment)
    _check(request.db, assumptions, named)
    try:
        return what_if.load_facts(request.db, assumptions, named, now=request.now)
    except ImpossibleChange as error:
        raise Invalid(Problem(("changes", error.index), error.text)) from error


def _check(db: Connection, assumptions: Assumptions, named: NamedIds) -> None:
    """Reject unknown names, unless a change has the pacts or documents of the version. Raises Invalid."""
    published = {(pact.consumer, pact.version) for pact in assumptions.pacts}
    published |= {(contract.provider, contract.version) for contract in assumptions.contracts}
    problems = []
    for index, change in enumerate(assumptions.changes):
        path = ("changes", index)
        pacticipant_id = named.pacticipants.get(change.pacticipant)
        if (change.pacticipant, change.version or "") in published:
            continue
        if pacticipant_id is None:
            current_names = former_names.find_current_names(db, [change.pacticipant])
            text = f"'{change.pacticipant}' {describe_missing(current_names.get(change.pacticipant))}"
            problems.append(Problem((*path, "pacticipant"), text))
        elif change.version is not None and (pacticipant_id, change.version) not in named.versions:
            text = (
                f"'{change.version}' of '{change.pacticipant}' does not exist. Publish it first, or give its pacts or "
                "documents"
            )
            problems.append(Problem((*path, "version"), text))
    if not named.environments:
        problems.append(Problem(("environment",), f"with name '{assumptions.environment}' does not exist"))
    if problems:
        raise Invalid(*problems)


@represent.register
def what_if_verdict(verdict: WhatIfVerdict) -> Hal:
    names = sorted({effect.change.pacticipant for effect in verdict.effects})
    return Hal(
        {
            "safe": not verdict.breaks,
            "changes": [_render_effect(effect, verdict.environment) for effect in verdict.effects],
            "breaks": [_render_pair(pair) for pair in verdict.breaks],
            "repairs": [_render_pair(pair) for pair in verdict.repairs],
            "stillBroken": [_render_pair(pair) for pair in verdict.still_broken],
        },
        links={"pb:pacticipant": [Link(urls.PACTICIPANT.fill(pacticipant=name), name=name) for name in names]},
    )


def _render_effect(effect: Effect, environment: str) -> ChangeDocument:
    change = effect.change
    rendered: ChangeDocument = {
        "change": change.kind.value,
        "pacticipant": change.pacticipant,
        "version": effect.added,
        "removed": list(effect.removed),
        "text": effect.describe(environment),
    }
    instance = change.application_instance
    return rendered if instance is None else {**rendered, "applicationInstance": instance}


def _render_pair(pair: PairChange) -> PairChangeDocument:
    reasons = [render_reason(reason, reason_texts.describe_reason(reason)) for reason in pair.reasons]
    return {"consumer": pair.consumer, "provider": pair.provider, "reasons": reasons}
