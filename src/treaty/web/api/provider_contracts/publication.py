"""Publication of the contracts of a provider version, in the three ways in which clients of PactFlow do it.

Documents are parsed before the transaction: large ones take seconds, in which no other request could write.
"""

import base64
import binascii
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, Final, Protocol, cast

from pydantic import BeforeValidator
from pydantic_core import PydanticCustomError
from typing_extensions import TypedDict

from treaty.actions.provider_contracts.contracts import PublishedProviderContracts, publish_provider_contracts
from treaty.errors import Invalid, Problem
from treaty.model.accounts.scopes import Scope
from treaty.model.compare.yaml_documents import UnreadableDocument
from treaty.model.pacts.notices import Notice, build_version_notices
from treaty.model.provider_contracts.contracts import (
    SINGLE,
    SPECIFICATIONS,
    NewContract,
    NewContracts,
    NewSelfVerification,
    Specification,
)
from treaty.model.provider_contracts.coverage import Coverage
from treaty.model.provider_contracts.notices import ContractOutcome, build_contract_notices
from treaty.model.provider_contracts.reading import read_contract
from treaty.model.versions import Version, find_order_problem
from treaty.store.provider_contracts import coverage
from treaty.web import urls
from treaty.web.hal import represent
from treaty.web.hal.documents import Hal, Link
from treaty.web.hal.shapes import Named, NoticeDocument, Numbered
from treaty.web.http import bodies
from treaty.web.http.bodies import Body, Line, NotBlankName, RequiredNonBlankName, RequiredText, with_example
from treaty.web.http.media_types import HAL, JSON, PROBLEM
from treaty.web.http.request import Request
from treaty.web.http.results import Created
from treaty.web.http.router import Router
from treaty.web.security.permissions import Permission

router = Router()

MAX_CONTRACTS: Final = 50
"""Contracts in a request."""
MAX_TAGS: Final = 100
"""Tags in a request."""
MAX_INTERACTIONS: Final = 20_000
"""Interactions of pacts in use up to which a notice names what consumers use. More would take long in a write."""


def _check_specification(value: Any) -> Any:
    if value in (None, ""):
        raise PydanticCustomError("filled", "must be filled")
    if value not in SPECIFICATIONS:
        raise PydanticCustomError("one_of", "must be one of: {choices}", {"choices": ", ".join(SPECIFICATIONS)})
    return value


_CONTENT_TYPES: Final = (
    "application/yaml",
    "application/yml",
    "application/json",
    "text/yaml",
    "application/x-yaml",
    "application/vnd.oai.openapi",
    "application/vnd.oai.openapi+json",
    "application/vnd.aai.asyncapi",
    "application/vnd.aai.asyncapi+json",
    "application/vnd.aai.asyncapi+yaml",
)


def _check_content_type(value: Any) -> Any:
    if value is None:
        # The original client sends one only if it was called with one.
        return None
    kind = value.partition(";")[0].strip().lower() if isinstance(value, str) else value
    if kind not in _CONTENT_TYPES:
        raise PydanticCustomError("one_of", "must be one of: {choices}", {"choices": ", ".join(_CONTENT_TYPES)})
    return value


def _require_boolean(value: Any) -> Any:
    if not isinstance(value, bool):
        raise PydanticCustomError("bool_type", "must be boolean")
    return value


class SelfVerificationBody(Body):
    success: Annotated[bool, BeforeValidator(_require_boolean)]
    content: str | None = None
    content_type: str | None = None
    format: str | None = None
    verifier: str | None = None
    verifier_version: str | None = None


class DocumentBody(Body):
    content: RequiredText
    content_type: Annotated[str | None, BeforeValidator(_check_content_type)] = None
    specification: Annotated[str, BeforeValidator(_check_specification)]
    self_verification_results: SelfVerificationBody | None = None


class NamedDocumentBody(DocumentBody):
    name: RequiredNonBlankName


class BuildBody(Body):
    pacticipant_version_number: RequiredNonBlankName
    branch: NotBlankName = None
    tags: list[RequiredNonBlankName] | None = None
    build_url: Line = None


_EXAMPLE_BUILD: Final = {
    "pacticipantVersionNumber": "1.0.0",
    "branch": "main",
    "tags": ["main"],
    "buildUrl": "https://ci.example.org/builds/17",
}
_EXAMPLE_DOCUMENT: Final = {
    "content": "b3BlbmFwaTogMy4xLjAKaW5mbzoge3RpdGxlOiBPcmRlcnMsIHZlcnNpb246IDEuMC4wfQpwYXRoczoge30K",
    "contentType": "application/yaml",
    "specification": "oas",
    "selfVerificationResults": {
        "success": True,
        "content": "YWxsIHRlc3RzIHBhc3NlZA==",
        "contentType": "text/plain",
        "format": "text",
        "verifier": "schemathesis",
        "verifierVersion": "4.0.0",
    },
}


class PublishProviderContractBody(BuildBody):
    model_config = with_example({**_EXAMPLE_BUILD, "contract": _EXAMPLE_DOCUMENT})

    contract: DocumentBody


class PublishProviderContractsBody(BuildBody):
    model_config = with_example({**_EXAMPLE_BUILD, "contracts": [{"name": "orders", **_EXAMPLE_DOCUMENT}]})

    contracts: list[NamedDocumentBody]


class PutProviderContractBody(Body):
    """The body of the older way, in which some members have other names."""

    model_config = with_example(
        {
            "content": _EXAMPLE_DOCUMENT["content"],
            "contentType": "application/yaml",
            "contractType": "oas",
            "verificationResults": _EXAMPLE_DOCUMENT["selfVerificationResults"],
        }
    )

    content: RequiredText
    content_type: Annotated[str | None, BeforeValidator(_check_content_type)] = None
    contract_type: Annotated[str, BeforeValidator(_check_specification)]
    verification_results: SelfVerificationBody | None = None


# Reading the documents of a request


class _Document(Protocol):
    @property
    def content(self) -> str: ...
    @property
    def content_type(self) -> str | None: ...


Path = tuple[str | int, ...]


def _read(
    document: _Document,
    path: Path,
    *,
    name: str,
    specification: str,
    result: SelfVerificationBody | None,
    max_bytes: int,
) -> NewContract:
    """Decode and parse the document of a contract. Raises Invalid, with the path of the contract in the body."""
    try:
        source = base64.b64decode(document.content, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Invalid(Problem((*path, "content"), "is not valid Base64")) from error
    try:
        return read_contract(
            source,
            name=name,
            specification=cast("Specification", specification),
            content_type=document.content_type or _guess_content_type(source),
            self_verification=None if result is None else _read_result(result),
            max_bytes=max_bytes,
        )
    except UnreadableDocument as error:
        raise Invalid(Problem((*path, "content"), f"cannot be used: {error}")) from error


def _guess_content_type(source: bytes) -> str:
    return "application/json" if source.lstrip()[:1] == b"{" else "application/yaml"


def _read_result(body: SelfVerificationBody) -> NewSelfVerification:
    return NewSelfVerification(
        success=body.success,
        content=None if body.content is None else _decode_result(body.content),
        content_type=body.content_type,
        format=body.format,
        verifier=body.verifier,
        verifier_version=body.verifier_version,
    )


def _decode_result(content: str) -> bytes:
    """Decode the output of a tool. Some clients send it as plain text, which is stored as it is."""
    try:
        return base64.b64decode(content, validate=True)
    except (binascii.Error, ValueError):
        return content.encode()


def _check_version(request: Request, number: str, member: str = "pacticipantVersionNumber") -> None:
    problem = None if request.settings.order_versions_by_date else find_order_problem(number)
    if problem is not None:
        raise Invalid.member(member, problem)


def _check_build(request: Request, body: BuildBody) -> None:
    bodies.check_sizes({"tags": body.tags}, {"tags": MAX_TAGS})
    _check_version(request, body.pacticipant_version_number)


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A request whose documents have been parsed."""

    build: BuildBody | None
    contracts: Sequence[NewContract]


def _accept_hal(request: Request) -> None:
    """Let clients that accept only problem details have HAL for a success, as they expect."""
    if PROBLEM in request.accept:
        request.accept += f",{HAL}"


def _prepare_single(request: Request) -> _Prepared:
    _accept_hal(request)
    body = request.body(PublishProviderContractBody)
    _check_build(request, body)
    return _Prepared(body, [_read_document(request, body.contract, SINGLE, ("contract",))])


def _prepare_several(request: Request) -> _Prepared:
    _accept_hal(request)
    body = request.body(PublishProviderContractsBody)
    bodies.check_sizes({"contracts": body.contracts}, {"contracts": MAX_CONTRACTS})
    _check_build(request, body)
    names = [contract.name for contract in body.contracts]
    if not names:
        raise Invalid.member("contracts", "size cannot be less than 1")
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise Invalid.member("contracts", f"must have different names, but several have the name '{repeated[0]}'")
    return _Prepared(
        body,
        [
            _read_document(request, contract, contract.name, ("contracts", index))
            for index, contract in enumerate(body.contracts)
        ],
    )


def _read_document(request: Request, body: DocumentBody, name: str, path: Path) -> NewContract:
    result, max_bytes = body.self_verification_results, request.settings.max_document_bytes
    return _read(body, path, name=name, specification=body.specification, result=result, max_bytes=max_bytes)


def _prepare_put(request: Request) -> _Prepared:
    _accept_hal(request)
    body = request.body(PutProviderContractBody)
    result, max_bytes = body.verification_results, request.settings.max_document_bytes
    contract = _read(body, (), name=SINGLE, specification=body.contract_type, result=result, max_bytes=max_bytes)
    return _Prepared(None, [contract])


# Handlers


@dataclass(frozen=True, slots=True)
class Publication:
    """Published contracts, with what their notices need."""

    published: PublishedProviderContracts
    coverage: Coverage | None
    lists_names: bool = False
    """Whether the response lists the names of the contracts."""


class PublishedProviderVersion(TypedDict):
    pacticipant: Named
    version: Numbered


PublishedProviderContractsLinks = TypedDict(
    "PublishedProviderContractsLinks",
    {
        "pf:provider-contract": Link,
        "pf:ui": Link,
        "pb:pacticipant": Link,
        "pb:pacticipant-version": Link,
        "pb:pacticipant-version-tags": list[Link],
        "pb:branch-version": Link,
    },
    total=False,
)


class PublishedProviderContractDocument(TypedDict):
    notices: list[NoticeDocument]
    _embedded: PublishedProviderVersion
    _links: PublishedProviderContractsLinks


class PublishedProviderContractsDocument(PublishedProviderContractDocument):
    contracts: list[str]


def _declare(prepare: Callable[[Request], _Prepared], body: type, response: type) -> dict[str, Any]:
    """Build the options that the three routes share."""
    return {
        "permission": Permission.PUBLISH_PACT,
        # A provider's contract is published by the builds that publish its results.
        "scopes": {Scope.PUBLISH_PACTS, Scope.PUBLISH_RESULTS},
        "application": "provider",
        "produces": (HAL, JSON),
        "consumes": ("*json*",),
        "prepare": prepare,
        "body": body,
        "response": response,
        "errors": ("409",),
    }


@router.post(
    urls.PUBLISH_PROVIDER_CONTRACT,
    **_declare(_prepare_single, PublishProviderContractBody, PublishedProviderContractDocument),
)
def publish_provider_contract(request: Request, provider: str) -> Publication:
    """Publish the contract of a provider version, with its branch and tags."""
    return _publish_build(request, provider)


@router.post(
    urls.PUBLISH_PROVIDER_CONTRACTS,
    **_declare(_prepare_several, PublishProviderContractsBody, PublishedProviderContractsDocument),
)
def publish_several_provider_contracts(request: Request, provider: str) -> Publication:
    """Publish several contracts of a provider version, one for each of its APIs."""
    return replace(_publish_build(request, provider), lists_names=True)


@router.put(
    urls.PROVIDER_CONTRACT, **_declare(_prepare_put, PutProviderContractBody, PublishedProviderContractDocument)
)
def put_provider_contract(request: Request, provider: str, version: str) -> Publication | Created:
    """Publish the contract of a provider version, whose branch and tags have been recorded before."""
    _check_version(request, version, "version")
    prepared = cast("_Prepared", request.prepared)
    publication = _publish(
        request,
        NewContracts(
            provider=provider, version=version, branch=None, tags=(), build_url=None, contracts=prepared.contracts
        ),
    )
    is_new = any(contract.outcome is ContractOutcome.NEW for contract in publication.published.contracts)
    return Created(publication, None) if is_new else publication


def _publish_build(request: Request, provider: str) -> Publication:
    prepared = cast("_Prepared", request.prepared)
    build = cast("BuildBody", prepared.build)
    new = NewContracts(
        provider=provider,
        version=build.pacticipant_version_number,
        branch=build.branch,
        tags=tuple(dict.fromkeys(build.tags or ())),
        build_url=build.build_url,
        contracts=prepared.contracts,
    )
    return _publish(request, new)


def _publish(request: Request, new: NewContracts) -> Publication:
    request.has_queued = True
    published = publish_provider_contracts(
        request.db, new, base_url=request.base_url, now=request.now, settings=request.settings
    )
    has_report = any(contract.self_verification and contract.self_verification.report for contract in new.contracts)
    return Publication(published, _load_coverage(request, new) if has_report else None)


def _load_coverage(request: Request, new: NewContracts) -> Coverage | None:
    return coverage.load(request.db, new.provider, new.version, max_interactions=MAX_INTERACTIONS)


# Representation


@represent.register
def publication(publication: Publication) -> Hal:
    published = publication.published
    version = published.version
    notices = _build_notices(publication)
    return Hal(
        state={
            "notices": [{"type": notice.type, "text": notice.text} for notice in notices],
            "contracts": [contract.name for contract in published.contracts] if publication.lists_names else None,
        },
        embedded={
            "pacticipant": Hal({"name": version.pacticipant}, links={"self": Link(_pacticipant_path(version))}),
            "version": Hal({"number": version.number}, links={"self": Link(_version_path(version))}),
        },
        links={
            "pf:provider-contract": Link(
                urls.BIDIRECTIONAL.fill(provider=version.pacticipant, version=version.number) + "/provider-contract",
                "Provider contract",
                name=f"{version.pacticipant} ({version.number})",
            ),
            # The old API's client reads this relation from any response with links.
            "pf:ui": Link(
                urls.CONTRACT.fill(provider=version.pacticipant, version=version.number), "Page of the contract"
            ),
            "pb:pacticipant": Link(_pacticipant_path(version), "Pacticipant", name=version.pacticipant),
            "pb:pacticipant-version": Link(_version_path(version), "Pacticipant version", name=version.number),
            "pb:pacticipant-version-tags": [_tag_link(version, tag) for tag in published.tags],
            "pb:branch-version": None if published.branch is None else _branch_link(version, published.branch),
        },
    )


def _build_notices(publication: Publication) -> list[Notice]:
    published = publication.published
    version = published.version
    notices = build_version_notices(
        version.pacticipant, version.number, is_new=published.is_new, branch=published.branch, tags=published.tags
    )
    return notices + build_contract_notices(
        version.pacticipant,
        version.number,
        published.contracts,
        is_self_verified=published.is_self_verified,
        coverage=publication.coverage,
    )


def _pacticipant_path(version: Version) -> str:
    return urls.PACTICIPANT.fill(pacticipant=version.pacticipant)


def _version_path(version: Version) -> str:
    return urls.VERSION.fill(pacticipant=version.pacticipant, version=version.number)


def _tag_link(version: Version, tag: str) -> Link:
    path = urls.VERSION_TAG.fill(pacticipant=version.pacticipant, version=version.number, tag=tag)
    return Link(path, "Tag", name=tag)


def _branch_link(version: Version, branch: str) -> Link:
    path = urls.BRANCH_VERSION.fill(pacticipant=version.pacticipant, branch=branch, version=version.number)
    return Link(path, "Branch version", name=branch)
