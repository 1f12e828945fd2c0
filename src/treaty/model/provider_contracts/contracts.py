"""Contracts of provider versions: OpenAPI and AsyncAPI documents, with the results of testing against them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any, Final, Literal

from treaty.model.usage.documents import IndexedDocument

Specification = Literal["oas", "asyncapi"]
SPECIFICATIONS: Final[tuple[str, ...]] = ("oas", "asyncapi")

SINGLE: Final = ""
"""Name of the contract of a version that has only one, and was published without a name."""


@dataclass(frozen=True, kw_only=True, slots=True)
class NewSelfVerification:
    """Result of testing a provider version against its own contract, as published."""

    success: bool
    content: bytes | None
    """The output of the tool, in its own format."""
    content_type: str | None
    format: str | None
    verifier: str | None
    verifier_version: str | None
    report: str | None = None
    """What the output says about operations, as `ShownOperations.as_json` returns it."""

    @property
    def hints(self) -> tuple[str | None, ...]:
        """Names that may say which tool has written the output."""
        return self.verifier, self.format, self.content_type


@dataclass(frozen=True, kw_only=True, slots=True)
class NewContract:
    """A contract to publish."""

    name: str
    specification: Specification
    content_type: str
    source: bytes
    """The document as it was published."""
    body: bytes
    """The value of the document, as JSON."""
    operations: Sequence[Mapping[str, str]]
    self_verification: NewSelfVerification | None
    index: IndexedDocument
    """Its names, for search."""
    warnings: Sequence[str] = ()
    """Sentences about parts of the document that cannot be compared."""

    @property
    def sha(self) -> str:
        return hash_document(self.specification, self.source)

    @property
    def label(self) -> str:
        return describe_name(self.name)


@dataclass(frozen=True, kw_only=True, slots=True)
class NewContracts:
    """The contracts of a provider version to publish together, with the version's branch and tags."""

    provider: str
    version: str
    branch: str | None
    tags: tuple[str, ...]
    build_url: str | None
    contracts: Sequence[NewContract]


@dataclass(frozen=True, kw_only=True, slots=True)
class SelfVerification:
    """The newest result of testing a provider version against one of its contracts."""

    success: bool
    content: bytes | None
    content_type: str | None
    format: str | None
    verifier: str | None
    verifier_version: str | None
    created_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class ProviderContract:
    """A contract of a provider version."""

    name: str
    specification: Specification
    content_type: str
    sha: str
    source: bytes
    operations: Sequence[Mapping[str, str]]
    created_at: datetime
    self_verification: SelfVerification | None

    @property
    def is_json(self) -> bool:
        """Whether the text is JSON; otherwise it is YAML."""
        return self.source[:100].removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == b"{"


def describe_name(name: str) -> str:
    """Return the words for a contract in a sentence after "the": its name, if it has one."""
    return f"provider contract '{name}'" if name else "provider contract"


def hash_document(specification: str, source: bytes) -> str:
    """Hash a document. The same text of another specification is another document."""
    return sha256(specification.encode() + b"\n" + source, usedforsecurity=False).hexdigest()


def hash_documents(shas: Iterable[str]) -> str:
    """Hash the set of the documents that a provider version has, whatever their order."""
    return sha256("\n".join(sorted(set(shas))).encode(), usedforsecurity=False).hexdigest()


def combine_successes(successes: Iterable[bool | None]) -> bool | None:
    """Combine the self-verifications of a version's contracts: any failure counts, and then any missing result."""
    results = list(successes)
    if False in results:
        return False
    return None if None in results or not results else True


_METHODS: Final = ("get", "put", "post", "delete", "options", "head", "patch", "trace", "query")


def list_operations(specification: str, content: Mapping[str, Any]) -> list[dict[str, str]]:
    """List the operations that a document describes: method and path, or action and channel."""
    return list(_list_messages(content) if specification == "asyncapi" else _list_http_operations(content))


def _list_http_operations(content: Mapping[str, Any]) -> Iterable[dict[str, str]]:
    for path, item in _members(content.get("paths")):
        own = [(method, operation) for method, operation in _members(item) if method.lower() in _METHODS]
        # OpenAPI 3.2
        additional = _members(item.get("additionalOperations")) if isinstance(item, Mapping) else []
        for method, operation in (*own, *additional):
            if isinstance(operation, Mapping):
                yield {"method": method.upper(), "path": path, **_texts(operation, "operationId", "summary")}


def _list_messages(content: Mapping[str, Any]) -> Iterable[dict[str, str]]:
    for name, operation in _members(content.get("operations")):
        if isinstance(operation, Mapping):
            channel = operation.get("channel")
            reference = channel.get("$ref") if isinstance(channel, Mapping) else None
            channel_name = {"channel": reference.rpartition("/")[2]} if isinstance(reference, str) else {}
            yield {"name": name, **_texts(operation, "action", "summary"), **channel_name}


def _members(value: object) -> Iterable[tuple[str, Any]]:
    """Return the members of an object; a document may have anything in its place."""
    return [(str(name), member) for name, member in value.items()] if isinstance(value, Mapping) else []


def _texts(operation: Mapping[str, Any], *names: str) -> dict[str, str]:
    return {name: value for name in names if isinstance(value := operation.get(name), str)}
