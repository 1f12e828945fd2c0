"""Publishing all pacts of a consumer's version together."""

import base64
import binascii
from collections.abc import Iterable
from typing import Annotated, Any

from pydantic import BeforeValidator
from pydantic_core import PydanticCustomError

from treaty.actions import publishing
from treaty.errors import Invalid, Malformed, Problem
from treaty.model import content
from treaty.model.content import Document
from treaty.model.pact import Contract, Contracts
from treaty.web import bodies, urls
from treaty.web.bodies import Body, Filled, FilledNotBlank, FilledNotBlankLine, Line, NotBlankLine
from treaty.web.represent.contracts import Publication
from treaty.web.routing import Call, Permission, Router

router = Router()


def _one_of(*words: str) -> BeforeValidator:
    def check(value: Any) -> Any:  # noqa: ANN401 - whatever JSON holds
        if value in (None, ""):
            raise PydanticCustomError("filled", "must be filled")
        if value not in words:
            raise PydanticCustomError("one_of", "must be one of: {words}", {"words": ", ".join(words)})
        return value

    return BeforeValidator(check)


class ContractBody(Body):
    consumer_name: FilledNotBlank
    provider_name: FilledNotBlank
    specification: Annotated[str, _one_of("pact")]
    content_type: Annotated[str, _one_of("application/json")]
    content: Filled
    on_conflict: Annotated[str, _one_of("overwrite", "merge")] = "overwrite"


class PublishBody(Body):
    pacticipant_name: FilledNotBlank
    pacticipant_version_number: FilledNotBlankLine
    branch: NotBlankLine = None
    tags: list[FilledNotBlank] | None = None
    build_url: Line = None
    contracts: list[ContractBody]


@router.post(urls.PUBLISH_CONTRACTS, permission=Permission.PUBLISH_PACT, consumes=["*json*"])
def publish_contracts(call: Call) -> Publication:
    """Publish the pacts of a consumer's version, with its branch and tags."""
    published = publishing.publish_contracts(call.db, _contracts(call), now=call.now, settings=call.settings)
    return Publication(published, call.base_url)


def _contracts(call: Call) -> Contracts:
    raw = call.body(dict)
    problems: list[Problem] = []
    body: PublishBody | None = None
    try:
        body = bodies.checked(raw, PublishBody)
    except Invalid as error:
        problems = [_within_contract(problem) for problem in error.problems]
    documents, more = _documents(raw)
    problems += more
    if body is None or problems:
        raise Invalid(*_in_order(problems))
    if not body.contracts:
        raise Invalid.member("contracts", "size cannot be less than 1")
    return Contracts(
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
        content=content.content_of(document),
        merges=one.on_conflict == "merge",
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
    return sorted(
        problems,
        key=lambda problem: problem.path[1] if len(problem.path) > 1 and isinstance(problem.path[1], int) else -1,
    )


def _documents(raw: dict[str, Any]) -> tuple[list[Document], list[Problem]]:
    documents, problems = [], []
    given = raw.get("contracts")
    for index, one in enumerate(given if isinstance(given, list) else []):
        if not isinstance(one, dict):
            continue
        try:
            document = _decoded(one)
            documents.append(document)
            texts = list(_disagreements(one, document, raw.get("pacticipantName")))
        except Malformed as error:
            texts = [str(error)]
        problems += [Problem(("contracts", index), text) for text in texts]
    return documents, problems


def _decoded(contract: dict[str, Any]) -> Document:
    encoded = contract.get("content")
    try:
        if not isinstance(encoded, str):
            raise Malformed("is not valid Base64")
        text = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Malformed("is not valid Base64") from error
    return _document(text, contract.get("contentType"))


def _document(text: bytes, content_type: object) -> Document:
    try:
        return content.read(text)
    except Malformed as error:
        reason = str(error)
        if "non UTF-8" in reason:
            raise Malformed("contract content" + reason.removeprefix("Request body")) from error
        if "but found " in reason:
            raise Malformed(
                f"parsed content was expected to be a Hash but was a {reason.rpartition(' ')[2]}"
            ) from error
        raise Malformed(f"content could not be parsed as {content_type}") from error


def _disagreements(contract: dict[str, Any], document: Document, pacticipant: object) -> Iterable[str]:
    names = content.names_in(document)
    for role, in_content in zip(("consumer", "provider"), names, strict=True):
        given = contract.get(f"{role}Name")
        if in_content is not None and isinstance(given, str) and in_content != given:
            yield (
                f"{role} name in contract content ('{in_content}') must match {role}Name in contract params ('{given}')"
            )
    consumer = contract.get("consumerName")
    if isinstance(consumer, str) and isinstance(pacticipant, str) and consumer != pacticipant:
        yield f"consumerName ('{consumer}') must match pacticipantName ('{pacticipant}')"
