"""Comparisons of pacts with the documents of provider versions, and the verdicts about pairs that follow from them.

A pair of versions is compatible if three conditions hold: no finding of the comparison is an error, the provider's
self-verification succeeded, and an ordinary verification of the pair, if there is one, did not fail. Without a
comparison or a self-verification the verdict is unknown.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

import orjson

from treaty.model.compare.documents import Document, Specification, UnusableDocument, UnusablePact
from treaty.model.compare.engine_version import ENGINE_VERSION
from treaty.model.compare.profiles import Profile

if TYPE_CHECKING:
    from treaty.model.compare.engine import CompiledDocument

VERIFIER: Final = "Treaty"
"""Name of the verifier in results of comparisons."""


class PairKey(NamedTuple):
    """A pact's content and a provider version, by their names."""

    consumer: str
    provider: str
    sha: str
    provider_version: str


class NamedBody(NamedTuple):
    """A document of a provider version, as JSON."""

    name: str
    specification: str
    body: bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class ComparisonInputs:
    """What a comparison depends on."""

    pact: bytes
    documents: Sequence[NamedBody]
    documents_sha: str
    profile: str


@dataclass(frozen=True, kw_only=True, slots=True)
class NewComparison:
    """Result of comparing a pact's content with a set of documents."""

    documents_sha: str
    engine: str
    profile: str
    is_compatible: bool
    is_complete: bool
    """Whether the documents describe each kind of interaction in the pact. The others need a verification."""
    details: bytes
    """JSON: findings, notes and counts."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredComparison:
    """A comparison, without its details."""

    id: int
    is_compatible: bool
    is_complete: bool
    announced_success: bool | None


@dataclass(frozen=True, kw_only=True, slots=True)
class ComparisonDetails:
    """A comparison with its findings."""

    consumer: str
    provider: str
    sha: str
    engine: str
    profile: str
    is_compatible: bool
    is_complete: bool
    created_at: datetime
    details: bytes

    @property
    def content(self) -> Mapping[str, Any]:
        return cast("Mapping[str, Any]", orjson.loads(self.details))


def decide_pair(*, is_compatible: bool, is_complete: bool, is_self_verified: bool | None) -> bool | None:
    """Decide whether a comparison verifies a pair; None while something is missing that could still fail."""
    if not is_compatible or is_self_verified is False:
        return False
    return True if is_complete and is_self_verified else None


def compare_contents(inputs: ComparisonInputs, *, is_expired: Callable[[], bool] = lambda: False) -> NewComparison:
    """Compare a pact with the documents of a provider version.

    A document that is neither OpenAPI nor AsyncAPI, or a pact that cannot be read, is compatible with nothing. Raises
    ComparisonInterrupted if `is_expired`, which is called before each interaction, returns true.
    """
    # Takes 3 MiB, which servers without documents of providers do not need.
    from treaty.model.compare.engine import compare  # noqa: PLC0415

    pact = orjson.loads(inputs.pact)
    try:
        result = compare(pact, compile_documents(inputs), Profile(inputs.profile), is_expired=is_expired)
    except (UnusableDocument, UnusablePact) as error:
        is_compatible, details = False, _describe_unusable(str(error), pact)
    else:
        is_compatible, details = result.is_compatible, result.as_json()
    return NewComparison(
        documents_sha=inputs.documents_sha,
        engine=ENGINE_VERSION,
        profile=inputs.profile,
        is_compatible=is_compatible,
        is_complete=_is_complete(pact, {document.specification for document in inputs.documents}),
        details=orjson.dumps(details, default=str, option=orjson.OPT_NON_STR_KEYS),
    )


def compile_documents(inputs: ComparisonInputs) -> "Sequence[CompiledDocument]":
    """Parse and compile the documents of a comparison, unless they are cached. Raises UnusableDocument."""
    names = tuple(document.name for document in inputs.documents)
    return _compile_documents(_CompilationKey(inputs.documents_sha, inputs.profile, names, inputs))


@dataclass(frozen=True, slots=True)
class _CompilationKey:
    """The inputs of a comparison, which are equal if their compiled documents are."""

    documents_sha: str
    profile: str
    names: tuple[str, ...]
    inputs: ComparisonInputs = field(compare=False)


# The documents of a version are compared with many pacts in a row. A large one takes some ten megabytes.
@lru_cache(maxsize=4)
def _compile_documents(key: _CompilationKey) -> "Sequence[CompiledDocument]":
    from treaty.model.compare.engine import compile_document  # noqa: PLC0415 - see compare_contents

    profile = Profile(key.inputs.profile)
    return [
        compile_document(
            Document(document.name, cast("Specification", document.specification), orjson.loads(document.body)), profile
        )
        for document in key.inputs.documents
    ]


def _describe_unusable(reason: str, pact: Any) -> dict[str, Any]:
    number = sum(1 for _ in _list_interactions(pact))
    return {"success": False, "findings": [], "compared": 0, "interactions": number, "notes": [], "failure": reason}


_HTTP: Final = "Synchronous/HTTP"


def _is_complete(pact: Any, specifications: set[str]) -> bool:
    """Whether there is a document for each kind of interaction: OpenAPI for HTTP, AsyncAPI for messages."""
    kinds = {kind == _HTTP for kind in _list_interactions(pact)}
    return (True not in kinds or "oas" in specifications) and (False not in kinds or "asyncapi" in specifications)


def _list_interactions(pact: Any) -> Iterable[str]:
    """Yield the type of each interaction; messages of older pacts have a list of their own."""
    if isinstance(pact, Mapping):
        for item in _items(pact.get("interactions")):
            yield str(item.get("type") or _HTTP)
        for _ in _items(pact.get("messages")):
            yield "Asynchronous/Messages"


def _items(value: object) -> Iterable[Mapping[str, Any]]:
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []
