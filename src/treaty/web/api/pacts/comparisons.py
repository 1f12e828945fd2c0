"""Comparison of OpenAPI and AsyncAPI documents with pacts, without publishing them (`POST /contracts/compare`)."""

import base64
import binascii
import json
import time
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import Annotated, Any, Final, Literal, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from treaty.errors import Invalid, Problem, TimeLimitExceeded
from treaty.model.compare.documents import UnusableDocument, UnusablePact
from treaty.model.compare.profiles import Profile
from treaty.model.compare.reading import ReadDocument, read_document
from treaty.model.compare.reports import Report, SelectedPact, compare_pacts
from treaty.model.pacts.lists import PactsInEnvironment, PactsOnBranch
from treaty.settings import Settings
from treaty.store import deployments
from treaty.store.pacticipants import pacticipants
from treaty.store.pacts import lists
from treaty.web import urls
from treaty.web.hal import represent
from treaty.web.hal.documents import Hal
from treaty.web.http import bodies
from treaty.web.http.bodies import Body, NonEmptyText, NotBlankName, with_example
from treaty.web.http.request import Request
from treaty.web.http.results import AfterCommit
from treaty.web.http.router import Router
from treaty.web.security.permissions import Permission

router = Router()

MAX_DOCUMENTS: Final = 50
MAX_PACTS: Final = 500
"""Limits of a request."""


class ComparedDocumentBody(Body):
    """A document. Its kind is found in it; `specification` is checked if it is present."""

    name: NotBlankName = None
    content: NonEmptyText
    content_type: str | None = None
    specification: Literal["oas", "asyncapi"] | None = None


class CompareBody(Body):
    """Documents, and either pacts or the provider whose consumers' pacts are compared with them."""

    model_config = with_example(
        {
            "documents": [
                {"name": "api.yaml", "content": "b3BlbmFwaTogMy4xLjAK", "contentType": "application/yaml"},
            ],
            "pacts": [
                {"consumer": {"name": "Example App"}, "provider": {"name": "Example API"}, "interactions": []},
            ],
            "profile": "strict",
        }
    )

    documents: Annotated[list[ComparedDocumentBody], Field(min_length=1)]
    pacts: list[dict[str, Any]] | None = None
    provider: NotBlankName = None
    environment: NotBlankName = None
    main_branch: bool | None = None
    profile: Literal["strict", "pactflow", "reference"] = "strict"


class MockDetails(TypedDict):
    interactionDescription: str | None
    interactionState: str
    location: str
    mockFile: str
    value: NotRequired[Any]


class PositionDocument(TypedDict):
    line: int
    column: int


class SpecDetails(TypedDict):
    location: str
    pathMethod: str | None
    pathName: str | None
    specFile: str
    documentName: NotRequired[str]
    position: NotRequired[PositionDocument]
    value: NotRequired[Any]


class FindingDocument(TypedDict):
    code: str
    type: str
    message: str
    source: str
    consumer: NotRequired[str]
    mockDetails: NotRequired[MockDetails]
    interactionIndex: NotRequired[int | None]
    specDetails: NotRequired[SpecDetails]
    closestBranch: NotRequired[str]
    causes: NotRequired[list[Any]]


class ComparedPactDocument(TypedDict):
    consumer: str
    provider: str
    success: bool
    compared: int
    interactions: int


class NoteDocument(TypedDict):
    code: str
    message: str
    location: str


class DeprecatedUseDocument(TypedDict):
    consumer: str
    kind: str
    name: str
    mockLocation: str
    specLocation: str
    interactionIndex: int


class ComparisonReportDocument(TypedDict):
    success: bool
    findings: list[FindingDocument]
    compared: int
    interactions: int
    profile: str
    pacts: list[ComparedPactDocument]
    notes: list[NoteDocument]
    deprecated: list[DeprecatedUseDocument]


@router.post(
    urls.COMPARE_CONTRACTS,
    permission=Permission.READ,
    is_read_only=True,
    is_slow=True,
    body=CompareBody,
    response=ComparisonReportDocument,
    errors=("404", "408", "503"),
)
def compare_contracts(request: Request) -> AfterCommit:
    """Compare OpenAPI and AsyncAPI documents with pacts. Nothing is stored."""
    raw_body: dict[str, Any] = request.body(dict)
    bodies.check_sizes(raw_body, {"documents": MAX_DOCUMENTS, "pacts": MAX_PACTS})
    body = bodies.validate(raw_body, CompareBody)
    _check_names(body)
    pacts = [SelectedPact(content=pact) for pact in body.pacts] if body.pacts is not None else _select(request, body)
    return AfterCommit(partial(_compare, body, pacts, request.settings), is_heavy=True)


def _check_names(body: CompareBody) -> None:
    """Raise Invalid if two documents have the same name, by which findings refer to them."""
    names = [document.name for document in body.documents if document.name is not None]
    for index, document in enumerate(body.documents):
        if names.count(document.name or "") > 1:
            raise Invalid(Problem(("documents", index, "name"), f"'{document.name}' is the name of two documents"))


def _select(request: Request, body: CompareBody) -> list[SelectedPact]:
    """Load the pacts of a provider with the consumers in an environment or on main branches.

    Raises Invalid if the body does not say which, and NotFound if the broker does not have a name.
    """
    if body.provider is None or bool(body.environment) == bool(body.main_branch):
        raise Invalid(
            Problem(
                (),
                "give either pacts, or a provider with environment or mainBranch, whose pacts are compared then",
            )
        )
    pacticipants.get(request.db, body.provider, "provider")
    pact_filter = PactsOnBranch(name=None, is_head=True) if body.main_branch else _in_environment(request, body)
    listed = lists.list_bodies_of_provider(request.db, body.provider, pact_filter)
    return [SelectedPact(content=json.loads(content)) for _, content in listed]


def _in_environment(request: Request, body: CompareBody) -> PactsInEnvironment:
    name = str(body.environment)
    if not (deployments.find_by_name(request.db, name) or deployments.find(request.db, name)):
        raise Invalid.member("environment", f"there is no environment with the name or UUID '{name}'")
    return PactsInEnvironment(name=name)


def _compare(body: CompareBody, pacts: Sequence[SelectedPact], settings: Settings) -> Report:
    documents = [_read(index, document, settings) for index, document in enumerate(body.documents)]
    limit = settings.document_comparison_timeout.total_seconds()
    try:
        return compare_pacts(_until(time.monotonic() + limit, limit, pacts), documents, Profile(body.profile))
    except UnusablePact as error:
        raise Invalid.member("pacts", str(error)) from error
    except UnusableDocument as error:
        raise Invalid.member("documents", str(error)) from error


def _until(deadline: float, limit: float, pacts: Iterable[SelectedPact]) -> Iterator[SelectedPact]:
    """Yield pacts until the deadline has passed, which is checked before each of them."""
    for pact in pacts:
        if time.monotonic() > deadline:
            raise TimeLimitExceeded(f"The comparison was not finished within {limit:g} seconds. Compare fewer pacts.")
        yield pact


def _read(index: int, document: ComparedDocumentBody, settings: Settings) -> ReadDocument:
    try:
        raw = base64.b64decode(document.content, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Invalid(Problem(("documents", index, "content"), "must be Base64 encoded")) from error
    name = document.name or f"document {index + 1}"
    try:
        return read_document(
            raw, name=name, specification=document.specification, max_bytes=settings.max_document_bytes
        )
    except UnusableDocument as error:
        raise Invalid(Problem(("documents", index, "content"), str(error))) from error


@represent.register
def comparison_report(report: Report) -> Hal:
    return Hal(report.as_json())
