"""Reading the document of a contract that is published."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from treaty.model.compare import reading
from treaty.model.compare.reading import UnknownKind
from treaty.model.provider_contracts.contracts import (
    NewContract,
    NewSelfVerification,
    Specification,
    describe_name,
    list_operations,
)
from treaty.model.provider_contracts.outline import outline_document
from treaty.model.provider_contracts.shown_operations import read_shown
from treaty.model.usage.documents import index_document

_NO_KIND: Final = (
    "The {label} was stored, but it is neither an OpenAPI nor an AsyncAPI document: it has no member 'openapi',"
    " 'swagger' or 'asyncapi' with a version. Every comparison with a pact will fail until a version has such a"
    " document."
)


def read_contract(
    source: bytes,
    *,
    name: str,
    specification: Specification,
    content_type: str,
    self_verification: NewSelfVerification | None,
    max_bytes: int,
) -> NewContract:
    """Parse the document of a contract and the report about it, which takes seconds for large YAML.

    An object that is not an OpenAPI or AsyncAPI document is accepted with a warning: PactFlow accepts it, too, and
    clients test with such documents. Raises UnreadableDocument for others.
    """
    warnings = []
    try:
        read = reading.read_document(source, name=name, specification=specification, max_bytes=max_bytes)
        content = read.document.content
        warnings = [f"{note.location}: {note.message}" for note in read.notes]
    except UnknownKind as error:
        content = error.content
        warnings = [_NO_KIND.format(label=describe_name(name))]
    return NewContract(
        name=name,
        specification=specification,
        content_type=content_type,
        source=source,
        body=json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode(),
        operations=list_operations(specification, content),
        index=index_document(content),
        self_verification=_read_report(self_verification, specification, content) if self_verification else None,
        warnings=warnings,
    )


def _read_report(
    result: NewSelfVerification, specification: Specification, content: Mapping[str, Any]
) -> NewSelfVerification:
    if result.content is None:
        return result
    shown = read_shown(result.content, outline_document(specification, content), hints=result.hints)
    return replace(result, report=shown.as_json())
