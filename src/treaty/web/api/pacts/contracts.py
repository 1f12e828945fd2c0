"""Publication of all pacts of a consumer version together (`POST /contracts/publish`)."""

import base64
import binascii
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final

from pydantic import BeforeValidator
from pydantic_core import PydanticCustomError
from typing_extensions import TypedDict

from treaty.actions.pacts import publications
from treaty.actions.pacts.publications import PublishedContracts
from treaty.errors import BYTE_ORDER_MARK, Invalid, Malformed, Problem
from treaty.model.accounts.scopes import Scope
from treaty.model.pacts import content
from treaty.model.pacts.documents import Document
from treaty.model.pacts.notices import Notice, PublishedContract, build_contract_notices, build_version_notices
from treaty.model.pacts.pacts import Contract, ContractBatch
from treaty.model.versions import Version
from treaty.web import urls
from treaty.web.api.pacts.pacts import ALLOW_SIMILAR_NAMES
from treaty.web.hal import represent
from treaty.web.hal.documents import Hal, Link
from treaty.web.hal.shapes import Named, NoticeDocument, Numbered
from treaty.web.http import bodies
from treaty.web.http.bodies import (
    Body,
    Line,
    NonEmptyText,
    NotBlankName,
    RequiredNonBlankName,
    with_example,
)
from treaty.web.http.request import Request
from treaty.web.http.router import MAX_QUICK_ITEMS, Router, link_to
from treaty.web.security.permissions import Permission

router = Router()


def _one_of(*choices: str) -> BeforeValidator:
    def check(value: Any) -> Any:
        if value in (None, ""):
            raise PydanticCustomError("filled", "must be filled")
        if value not in choices:
            raise PydanticCustomError("one_of", "must be one of: {choices}", {"choices": ", ".join(choices)})
        return value

    return BeforeValidator(check)


class ContractBody(Body):
    consumer_name: RequiredNonBlankName
    provider_name: RequiredNonBlankName
    specification: Annotated[str, _one_of("pact")]
    content_type: Annotated[str, _one_of("application/json")]
    content: NonEmptyText
    on_conflict: Annotated[str, _one_of("overwrite", "merge")] = "overwrite"


class PublishBody(Body):
    model_config = with_example(
        {
            "pacticipantName": "Example App",
            "pacticipantVersionNumber": "1.0.0",
            "branch": "main",
            "tags": ["main"],
            "buildUrl": "https://ci.example.org/builds/17",
            "contracts": [
                {
                    "consumerName": "Example App",
                    "providerName": "Example API",
                    "specification": "pact",
                    "contentType": "application/json",
                    "content": "eyJpbnRlcmFjdGlvbnMiOiBbXX0=",
                }
            ],
        }
    )

    pacticipant_name: RequiredNonBlankName
    pacticipant_version_number: RequiredNonBlankName
    branch: NotBlankName = None
    tags: list[RequiredNonBlankName] | None = None
    build_url: Line = None
    contracts: list[ContractBody]


@dataclass(frozen=True, slots=True)
class Publication:
    """Published contracts, and the base URL for the addresses in their notices."""

    published: PublishedContracts
    base_url: str
    misspelt: Sequence[str]
    """Sentences about misspelt members of the request."""


MAX_CONTRACTS: Final = 500
"""Contracts in a request."""
MAX_TAGS: Final = 100
"""Tags in a request: each tag is looked up for each contract."""


class LogLine(TypedDict):
    level: str
    message: str
    deprecationWarning: str


class PublishedVersion(TypedDict):
    pacticipant: Named
    version: Numbered


PublishedContractsLinks = TypedDict(
    "PublishedContractsLinks",
    {
        "pb:pacticipant": Link,
        "pb:pacticipant-version": Link,
        "pb:pacticipant-version-tags": list[Link],
        "pb:contracts": list[Link],
    },
)


class PublishedContractsDocument(TypedDict):
    logs: list[LogLine]
    notices: list[NoticeDocument]
    _embedded: PublishedVersion
    _links: PublishedContractsLinks


_PROVIDER: Final = {"provider": "$request.body#/contracts/0/providerName"}

_PAIR: Final = {**_PROVIDER, "consumer": "$request.body#/pacticipantName"}

_LINKS: Final = (
    *link_to(
        {**_PAIR, "version": "$request.body#/pacticipantVersionNumber"},
        *("get_pact", "patch_pact", "get_previous_distinct_pact", "compare_with_previous", "delete_pact", "put_pact"),
    ),
    *link_to(_PAIR, "get_latest_pact", "get_pacts"),
    *link_to(_PROVIDER, "select_pacts_for_verification", "get_provider_pacts"),
)


def _find_publishing_applications(request: Request, _names: Sequence[str]) -> Sequence[str]:
    batch = _read_batch(request)
    return [batch.pacticipant, *(contract.consumer for contract in batch.contracts)]


@router.post(
    urls.PUBLISH_CONTRACTS,
    permission=Permission.PUBLISH_PACT,
    scopes={Scope.PUBLISH_PACTS},
    application=_find_publishing_applications,
    consumes=["*json*"],
    is_strict=True,
    max_quick_items=MAX_QUICK_ITEMS,
    body=PublishBody,
    query=(ALLOW_SIMILAR_NAMES,),
    response=PublishedContractsDocument,
    errors=("409",),
    links=_LINKS,
)
def publish_contracts(request: Request) -> Publication:
    """Publish the pacts of a consumer version, with its branch and tags."""
    raw_body = request.body(dict)
    batch = _parse_batch(request, raw_body)
    published = publications.publish_contracts(
        request.db, batch, base_url=request.base_url, now=request.now, settings=request.settings
    )
    request.has_queued = any(contract.triggered or contract.is_compared for contract in published.contracts)
    return Publication(published, request.base_url, _list_misspelt(raw_body))


def _list_misspelt(raw_body: dict[str, Any]) -> list[str]:
    texts = bodies.list_misspelt(raw_body, PublishBody)
    for index, contract in enumerate(raw_body["contracts"]):
        texts += bodies.list_misspelt(contract, ContractBody, f"contracts[{index}].")
    return texts


def _read_batch(request: Request) -> ContractBatch:
    return _parse_batch(request, request.body(dict))


def _parse_batch(request: Request, raw_body: dict[str, Any]) -> ContractBatch:
    bodies.check_sizes(raw_body, {"contracts": MAX_CONTRACTS, "tags": MAX_TAGS})
    problems: list[Problem] = []
    body: PublishBody | None = None
    try:
        body = bodies.validate(raw_body, PublishBody)
    except Invalid as error:
        problems = [_move_to_contract(problem) for problem in error.problems]
    # The contents are checked even if the body is invalid, so that the user sees all problems at once.
    documents, content_problems = _read_documents(raw_body)
    problems += content_problems
    if body is None or problems:
        raise Invalid(*sorted(problems, key=_contract_index))
    if not body.contracts:
        raise Invalid.member("contracts", "size cannot be less than 1")
    return ContractBatch(
        pacticipant=body.pacticipant_name,
        version=body.pacticipant_version_number,
        branch=body.branch,
        tags=tuple(dict.fromkeys(body.tags or ())),
        build_url=body.build_url,
        allows_similar_names=request.flag("allowSimilarNames"),
        contracts=tuple(
            _build_contract(contract, body.pacticipant_version_number, document)
            for contract, document in zip(body.contracts, documents, strict=True)
        ),
    )


def _build_contract(body: ContractBody, version: str, document: Document) -> Contract:
    return Contract(
        consumer=body.consumer_name,
        version=version,
        provider=body.provider_name,
        document=document,
        content=content.build_content(document),
        is_merge=body.on_conflict == "merge",
    )


def _move_to_contract(problem: Problem) -> Problem:
    """Move the member of a contract from the path into the text: the original's paths end at the contract."""
    match problem.path:
        case ("contracts", int(index), *rest) if rest:
            return Problem(("contracts", index), f"{'.'.join(map(str, rest))} {problem.text}")
        case _:
            return problem


def _contract_index(problem: Problem) -> int:
    """Return the key by which the problems of a contract are grouped; problems of other members come first."""
    match problem.path:
        case (_, int(index), *_):
            return index
        case _:
            return -1


def _read_documents(raw_body: dict[str, Any]) -> tuple[list[Document], list[Problem]]:
    """Read the content of each contract; return the documents, and the problems of contents and names."""
    documents: list[Document] = []
    content_problems, name_problems = [], []
    contracts = raw_body.get("contracts")
    for index, contract in enumerate(contracts if isinstance(contracts, list) else []):
        if isinstance(contract, dict):
            path = ("contracts", index)
            content_problems += [Problem(path, text) for text in _read_content(contract, documents)]
            name_problems += [
                Problem(path, text) for text in _check_consumer(contract, raw_body.get("pacticipantName"))
            ]
    return documents, [*content_problems, *name_problems]


def _read_content(contract: dict[str, Any], documents: list[Document]) -> list[str]:
    """Append the contract's document to the list, and return the texts of its problems."""
    is_json = contract.get("contentType") == "application/json"
    try:
        raw = _decode(contract)
        if not is_json:
            return []
        document = _parse(raw)
    except binascii.Error:
        return ["is not valid Base64", *(["content could not be parsed as application/json"] if is_json else [])]
    except Malformed as error:
        return [str(error)]
    documents.append(document)
    return list(_check_names(contract, document))


def _decode(contract: dict[str, Any]) -> bytes:
    encoded = contract.get("content")
    if not isinstance(encoded, str) or not encoded.isascii():
        raise binascii.Error
    return base64.b64decode(encoded, validate=True)


def _parse(raw: bytes) -> Document:
    try:
        return content.parse_published(raw)
    except Malformed as error:
        # The original words the same faults differently for a pact inside a request.
        reason = str(error)
        if "non UTF-8" in reason:
            raise Malformed("contract content" + reason.removeprefix("Request body")) from error
        if reason == BYTE_ORDER_MARK:
            raise Malformed(f"content could not be parsed as application/json: {_without_class(reason)}") from error
        if "but found " in reason:
            kind = reason.rpartition(" ")[2]
            raise Malformed(f"parsed content was expected to be a Hash but was a {kind}") from error
        raise Malformed("content could not be parsed as application/json") from error


def _without_class(reason: str) -> str:
    return reason.partition(" - ")[2]


def _check_names(contract: dict[str, Any], document: Document) -> Iterable[str]:
    names = content.find_names(document)
    for role, in_content in zip(("consumer", "provider"), names, strict=True):
        in_params = contract.get(f"{role}Name")
        if in_content is not None and isinstance(in_params, str) and in_content != in_params:
            yield (
                f"{role} name in contract content ('{in_content}')"
                f" must match {role}Name in contract params ('{in_params}')"
            )


def _check_consumer(contract: dict[str, Any], pacticipant: object) -> Iterable[str]:
    consumer = contract.get("consumerName")
    if isinstance(consumer, str) and isinstance(pacticipant, str) and consumer != pacticipant:
        yield f"consumerName ('{consumer}') must match pacticipantName ('{pacticipant}')"


@represent.register
def publication(publication: Publication) -> Hal:
    published = publication.published
    version = published.version
    pacticipant_path = urls.PACTICIPANT.fill(pacticipant=version.pacticipant)
    version_path = urls.VERSION.fill(pacticipant=version.pacticipant, version=version.number)
    notices = _build_notices(publication)
    return Hal(
        state={
            "logs": [_represent_log_line(notice) for notice in notices],
            "notices": [{"type": notice.type, "text": notice.text} for notice in notices],
        },
        embedded={
            "pacticipant": Hal({"name": version.pacticipant}, links={"self": Link(pacticipant_path)}),
            "version": Hal(
                {"number": version.number}, links={"self": Link(version_path, "Version", name=version.number)}
            ),
        },
        links={
            "pb:pacticipant": Link(pacticipant_path, "Pacticipant", name=version.pacticipant),
            "pb:pacticipant-version": Link(version_path, "Pacticipant version", name=version.number),
            "pb:pacticipant-version-tags": [_tag_link(version, tag) for tag in published.tags],
            "pb:contracts": [_pact_link(contract) for contract in published.contracts],
        },
    )


def _build_notices(publication: Publication) -> list[Notice]:
    published, base_url = publication.published, publication.base_url
    version = published.version
    notices = build_version_notices(
        version.pacticipant, version.number, is_new=published.is_new, branch=published.branch, tags=published.tags
    )
    notices = [*(Notice("warning", text) for text in publication.misspelt), *notices]
    logs_url = base_url + urls.TRIGGERED_WEBHOOK_LOGS.fill()
    for contract in published.contracts:
        notices += build_contract_notices(contract, pact_url=base_url + _pact_path(contract), logs_url=logs_url)
    return notices


def _represent_log_line(notice: Notice) -> LogLine:
    return {"level": notice.type, "message": notice.text, "deprecationWarning": "Replaced by notices"}


def _pact_path(contract: PublishedContract) -> str:
    return urls.PACT.fill(provider=contract.provider, consumer=contract.consumer, version=contract.version)


def _tag_link(version: Version, tag: str) -> Link:
    path = urls.VERSION_TAG.fill(pacticipant=version.pacticipant, version=version.number, tag=tag)
    return Link(path, "Tag", name=tag)


def _pact_link(contract: PublishedContract) -> Link:
    name = f"Pact between {contract.consumer} ({contract.version}) and {contract.provider}"
    return Link(_pact_path(contract), "Pact", name=name)
