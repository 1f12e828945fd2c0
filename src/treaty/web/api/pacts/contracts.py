"""Publishing all pacts of a consumer's version together."""

import base64
import binascii
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Any, Final

from pydantic import BeforeValidator
from pydantic_core import PydanticCustomError
from typing_extensions import TypedDict

from treaty.actions.pacts import publications
from treaty.actions.pacts.publications import PublishedContracts
from treaty.errors import Invalid, Malformed, Problem
from treaty.model.pacts import content
from treaty.model.pacts import notices as notice_texts
from treaty.model.pacts.content import Document
from treaty.model.pacts.notices import Notice, PublishedContract
from treaty.model.pacts.pacts import Contract, ContractBatch
from treaty.web import urls
from treaty.web.hal import represent
from treaty.web.hal.documents import Hal, Link
from treaty.web.hal.shapes import Named, NoticeDocument, Numbered
from treaty.web.http import bodies
from treaty.web.http.bodies import (
    Body,
    Line,
    NonEmptyText,
    NotBlankLine,
    RequiredNonBlankLine,
    RequiredNonBlankText,
    with_example,
)
from treaty.web.http.request import Request
from treaty.web.http.router import MAX_QUICK_ITEMS, Router, link_to
from treaty.web.security.permissions import Permission

router = Router()


def _one_of(*words: str) -> BeforeValidator:
    def check(value: Any) -> Any:
        if value in (None, ""):
            raise PydanticCustomError("filled", "must be filled")
        if value not in words:
            raise PydanticCustomError("one_of", "must be one of: {words}", {"words": ", ".join(words)})
        return value

    return BeforeValidator(check)


class ContractBody(Body):
    consumer_name: RequiredNonBlankText
    provider_name: RequiredNonBlankText
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

    pacticipant_name: RequiredNonBlankText
    pacticipant_version_number: RequiredNonBlankLine
    branch: NotBlankLine = None
    tags: list[RequiredNonBlankText] | None = None
    build_url: Line = None
    contracts: list[ContractBody]


@dataclass(frozen=True, slots=True)
class Publication:
    """Contracts that were published, and the base URL that the notices' addresses begin with."""

    published: PublishedContracts
    base_url: str


MAX_CONTRACTS: Final = 500


MAX_TAGS: Final = 100


"""Limits of a request. Each tag is looked up for each contract."""


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


@router.post(
    urls.PUBLISH_CONTRACTS,
    permission=Permission.PUBLISH_PACT,
    consumes=["*json*"],
    is_strict=True,
    max_quick_items=MAX_QUICK_ITEMS,
    body=PublishBody,
    response=PublishedContractsDocument,
    errors=("409",),
    links=_LINKS,
)
def publish_contracts(call: Request) -> Publication:
    """Publish the pacts of a consumer's version, with its branch and tags."""
    published = publications.publish_contracts(
        call.db, _contracts(call), base_url=call.base_url, now=call.now, settings=call.settings
    )
    call.has_queued = any(one.triggered for one in published.contracts)
    return Publication(published, call.base_url)


def _contracts(call: Request) -> ContractBatch:
    raw = call.body(dict)
    bodies.check_sizes(raw, {"contracts": MAX_CONTRACTS, "tags": MAX_TAGS})
    problems: list[Problem] = []
    body: PublishBody | None = None
    try:
        body = bodies.validate(raw, PublishBody)
    except Invalid as error:
        problems = [_within_contract(problem) for problem in error.problems]
    documents, more = _documents(raw)
    problems += more
    if body is None or problems:
        raise Invalid(*_in_order(problems))
    if not body.contracts:
        raise Invalid.member("contracts", "size cannot be less than 1")
    return ContractBatch(
        pacticipant=body.pacticipant_name,
        version=body.pacticipant_version_number,
        branch=body.branch,
        tags=tuple(dict.fromkeys(body.tags or ())),
        build_url=body.build_url,
        contracts=tuple(
            _contract(one, body, document) for one, document in zip(body.contracts, documents, strict=True)
        ),
    )


def _contract(one: ContractBody, body: PublishBody, document: Document) -> Contract:
    return Contract(
        consumer=one.consumer_name,
        version=body.pacticipant_version_number,
        provider=one.provider_name,
        document=document,
        content=content.build_content(document),
        is_merge=one.on_conflict == "merge",
    )


def _within_contract(problem: Problem) -> Problem:
    """Keep a contract's member in the text, as the original points at the contract as a whole."""
    match problem.path:
        case ("contracts", int(index), *rest) if rest:
            return Problem(("contracts", index), f"{'.'.join(map(str, rest))} {problem.text}")
        case _:
            return problem


def _in_order(problems: Iterable[Problem]) -> list[Problem]:
    """Put a contract's problems together, those of its members first."""
    return sorted(problems, key=_index)


def _index(problem: Problem) -> int:
    match problem.path:
        case (_, int(index), *_):
            return index
        case _:
            return -1


def _documents(raw: dict[str, Any]) -> tuple[list[Document], list[Problem]]:
    """Read the content of each contract, and say what is wrong with it and with its names."""
    documents: list[Document] = []
    problems, others = [], []
    given = raw.get("contracts")
    for index, one in enumerate(given if isinstance(given, list) else []):
        if isinstance(one, dict):
            texts = _content_texts(one, documents)
            problems += [Problem(("contracts", index), text) for text in texts]
            others += [Problem(("contracts", index), text) for text in _strangers(one, raw.get("pacticipantName"))]
    return documents, [*problems, *others]


def _content_texts(contract: dict[str, Any], documents: list[Document]) -> list[str]:
    is_json = contract.get("contentType") == "application/json"
    try:
        text = _decoded(contract)
        if not is_json:
            return []
        document = _document(text)
    except binascii.Error:
        return ["is not valid Base64", *(["content could not be parsed as application/json"] if is_json else [])]
    except Malformed as error:
        return [str(error)]
    documents.append(document)
    return list(_disagreements(contract, document))


def _decoded(contract: dict[str, Any]) -> bytes:
    encoded = contract.get("content")
    if not isinstance(encoded, str) or not encoded.isascii():
        raise binascii.Error
    return base64.b64decode(encoded, validate=True)


def _document(text: bytes) -> Document:
    try:
        return content.parse_document(text)
    except Malformed as error:
        reason = str(error)
        if "non UTF-8" in reason:
            raise Malformed("contract content" + reason.removeprefix("Request body")) from error
        if "but found " in reason:
            kind = reason.rpartition(" ")[2]
            raise Malformed(f"parsed content was expected to be a Hash but was a {kind}") from error
        raise Malformed("content could not be parsed as application/json") from error


def _disagreements(contract: dict[str, Any], document: Document) -> Iterable[str]:
    names = content.find_names(document)
    for role, in_content in zip(("consumer", "provider"), names, strict=True):
        given = contract.get(f"{role}Name")
        if in_content is not None and isinstance(given, str) and in_content != given:
            yield (
                f"{role} name in contract content ('{in_content}') must match {role}Name in contract params ('{given}')"
            )


def _strangers(contract: dict[str, Any], pacticipant: object) -> Iterable[str]:
    consumer = contract.get("consumerName")
    if isinstance(consumer, str) and isinstance(pacticipant, str) and consumer != pacticipant:
        yield f"consumerName ('{consumer}') must match pacticipantName ('{pacticipant}')"


@represent.register
def publication(publication: Publication) -> Hal:
    published = publication.published
    version = published.version
    pacticipant = urls.PACTICIPANT.fill(pacticipant=version.pacticipant)
    number = urls.VERSION.fill(pacticipant=version.pacticipant, version=version.number)
    notices = _notices(publication)
    return Hal(
        state={
            "logs": [_log(one) for one in notices],
            "notices": [{"type": one.type, "text": one.text} for one in notices],
        },
        embedded={
            "pacticipant": Hal({"name": version.pacticipant}, links={"self": Link(pacticipant)}),
            "version": Hal({"number": version.number}, links={"self": Link(number, "Version", name=version.number)}),
        },
        links={
            "pb:pacticipant": Link(pacticipant, "Pacticipant", name=version.pacticipant),
            "pb:pacticipant-version": Link(number, "Pacticipant version", name=version.number),
            "pb:pacticipant-version-tags": [_tag(version.pacticipant, version.number, one) for one in published.tags],
            "pb:contracts": [_contract_state(one) for one in published.contracts],
        },
    )


def _notices(publication: Publication) -> list[Notice]:
    published, base_url = publication.published, publication.base_url
    version = published.version
    notices = notice_texts.build_version_notices(
        version.pacticipant, version.number, is_new=published.is_new, branch=published.branch, tags=published.tags
    )
    for one in published.contracts:
        logs = base_url + urls.TRIGGERED_WEBHOOK_LOGS.fill()
        notices += notice_texts.build_contract_notices(one, pact_url=base_url + _pact(one), logs_url=logs)
    return notices


def _log(one: Notice) -> LogLine:
    return {"level": one.type, "message": one.text, "deprecationWarning": "Replaced by notices"}


def _pact(one: PublishedContract) -> str:
    return urls.PACT.fill(provider=one.provider, consumer=one.consumer, version=one.version)


def _tag(pacticipant: str, version: str, tag: str) -> Link:
    return Link(urls.VERSION_TAG.fill(pacticipant=pacticipant, version=version, tag=tag), "Tag", name=tag)


def _contract_state(one: PublishedContract) -> Link:
    return Link(_pact(one), "Pact", name=f"Pact between {one.consumer} ({one.version}) and {one.provider}")
