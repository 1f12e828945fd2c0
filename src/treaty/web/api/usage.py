"""Who uses a part of a provider, and what its consumers expect, from the usage index."""

from collections.abc import Sequence
from typing import Final

from typing_extensions import TypedDict

from treaty.errors import Invalid, Problem
from treaty.model.usage.expectations import Place
from treaty.model.usage.usage import (
    PARTS,
    ExpectedOperation,
    ExpectedOperations,
    PactInUse,
    Usage,
    UsageBasis,
    UsageQuery,
    UsedExpectation,
    UsingConsumer,
    UsingInteraction,
)
from treaty.store.pacticipants import pacticipants
from treaty.store.usage import queries
from treaty.web import urls
from treaty.web.api.paging import (
    PAGE_PARAMETERS,
    PageLinks,
    PageState,
    filtered_page_links,
    page_state,
    read_page,
)
from treaty.web.hal import represent
from treaty.web.hal.documents import Hal, Link
from treaty.web.hal.shapes import Omittable
from treaty.web.http.queries import QueryParameter
from treaty.web.http.request import Request
from treaty.web.http.router import Router
from treaty.web.security.permissions import Permission

router = Router()

DEFAULT_PAGE: Final = (1, 20)
CRITERIA: Final = (
    QueryParameter("operation", "A path, or a method and a path: `GET /orders/{id}`. Placeholders match any segment."),
    QueryParameter("pointer", "The JSON pointer of a body field: `/items/*/price`. `*` stands for items of arrays."),
    QueryParameter("field", "The name of a body field, a header, a query parameter, or a member of the metadata."),
    QueryParameter("state", "The name of a provider state."),
    QueryParameter("text", "Words, or beginnings of words, in names, paths, provider states and descriptions."),
    QueryParameter("part", f"Where pointers and fields count: {', '.join(f'`{part}`' for part in PARTS)}."),
)
_PROVIDER: Final = QueryParameter("provider", "The name of the provider.")


class UsingVersionDocument(TypedDict):
    number: str
    environments: list[str]
    isOnMainBranch: bool
    isLatest: bool


class UsagePactDocument(TypedDict):
    consumer: str
    version: str


class UsedExpectationDocument(TypedDict):
    place: str
    name: str
    strictness: Omittable[str]
    meaning: Omittable[str]


class UsingInteractionDocument(TypedDict):
    kind: str
    description: str
    operation: str | None
    expectations: list[UsedExpectationDocument]


class UsingConsumerLinks(TypedDict):
    self: Link
    pact: Link


class UsingConsumerDocument(TypedDict):
    name: str
    versions: list[UsingVersionDocument]
    interactionCount: int
    interactions: list[UsingInteractionDocument]
    _links: UsingConsumerLinks


class UsageBasisDocument(TypedDict):
    isComplete: bool
    pactsInUse: int
    contents: int
    indexedContents: int
    waitingPacts: list[UsagePactDocument]
    truncatedPacts: list[UsagePactDocument]
    consumersWithoutPacts: list[str]


class DocumentedNameDocument(TypedDict):
    place: str
    name: str
    version: str | None


class UsingConsumers(TypedDict):
    consumers: list[UsingConsumerDocument]


class UsageLinks(PageLinks):
    self: Link


class UsageDocument(PageState):
    provider: str
    verdict: str
    summary: str
    formerConsumers: list[UsagePactDocument]
    suggestions: list[str]
    documented: list[DocumentedNameDocument]
    basis: UsageBasisDocument
    _embedded: UsingConsumers
    _links: UsageLinks


class ExpectedInteractionDocument(TypedDict):
    description: str
    consumers: list[str]


class ExpectedOperationDocument(TypedDict):
    kind: str
    method: Omittable[str]
    path: str
    consumers: list[str]
    interactions: list[ExpectedInteractionDocument]


class ExpectedOperationsDocument(PageState):
    provider: str
    operations: list[ExpectedOperationDocument]
    basis: UsageBasisDocument
    _links: UsageLinks


@router.get(
    urls.USAGE,
    permission=Permission.READ,
    is_slow=True,
    is_cacheable=True,
    query=(_PROVIDER, *CRITERIA, *PAGE_PARAMETERS),
    response=UsageDocument,
    errors=("400", "404"),
)
def show_usage(request: Request) -> Usage:
    """Show who uses an operation, a field, a provider state, or anything that matches a text, of a provider.

    Consumers count whose pacts are in use: those of versions in environments, on main branches, and the latest ones.
    """
    query = read_query(request, _read_provider(request))
    query.check()
    page = read_page(request, DEFAULT_PAGE)
    pacticipants.get(request.db, query.provider, "provider")
    return queries.find_usage(request.db, query, page)


@router.get(
    urls.USAGE_OPERATIONS,
    permission=Permission.READ,
    is_slow=True,
    is_cacheable=True,
    query=(_PROVIDER, *PAGE_PARAMETERS),
    response=ExpectedOperationsDocument,
    errors=("400", "404"),
)
def show_expected_operations(request: Request) -> ExpectedOperations:
    """List what a provider's consumers expect, by path: the operations and messages of pacts in use, with consumers."""
    provider = _read_provider(request)
    page = read_page(request, DEFAULT_PAGE)
    pacticipants.get(request.db, provider, "provider")
    return queries.list_operations(request.db, provider, page)


def _read_provider(request: Request) -> str:
    provider = request.name_parameter("provider")
    if provider is None:
        raise Invalid(Problem(("provider",), "is missing: give the name of the provider"))
    return provider


def read_query(request: Request, provider: str) -> UsageQuery:
    """Read the criteria of a request. Raises Invalid for a blank one, which must not widen the query."""
    values = {parameter.name: request.name_parameter(parameter.name) for parameter in CRITERIA}
    return UsageQuery(provider=provider, **values)


@represent.register
def usage_document(usage: Usage) -> Hal:
    return Hal(
        {
            "provider": usage.query.provider,
            "verdict": usage.verdict.value,
            "summary": usage.summary,
            "formerConsumers": [
                {"consumer": consumer.name, "version": consumer.version} for consumer in usage.former_consumers
            ],
            "suggestions": list(usage.suggestions),
            "documented": [
                {"place": match.name.place, "name": match.name.name, "version": match.version}
                for match in usage.documented
            ],
            "basis": _represent_basis(usage.basis),
            **page_state(usage.consumers),
        },
        {"consumers": [_represent_consumer(consumer, usage.query.provider) for consumer in usage.consumers.items]},
        filtered_page_links(
            usage.consumers, urls.USAGE.fill(), {"provider": usage.query.provider, **_options(usage.query)}
        ),
    )


def _options(query: UsageQuery) -> dict[str, str]:
    return {**query.criteria, **({"part": query.part} if query.part else {})}


def _represent_basis(basis: UsageBasis) -> UsageBasisDocument:
    return {
        "isComplete": basis.is_complete,
        "pactsInUse": basis.pacts_in_use,
        "contents": basis.contents,
        "indexedContents": basis.indexed_contents,
        "waitingPacts": _represent_pacts(basis.waiting_pacts),
        "truncatedPacts": _represent_pacts(basis.truncated_pacts),
        "consumersWithoutPacts": list(basis.consumers_without_pacts),
    }


def _represent_pacts(pacts: Sequence[PactInUse]) -> list[UsagePactDocument]:
    return [{"consumer": pact.consumer, "version": pact.version} for pact in pacts]


def _represent_consumer(consumer: UsingConsumer, provider: str) -> Hal:
    newest = consumer.pacts[-1]
    pact_path = urls.PACT.fill(provider=provider, consumer=consumer.name, version=newest.version)
    return Hal(
        {
            "name": consumer.name,
            "versions": [
                {
                    "number": pact.version,
                    "environments": list(pact.environments),
                    "isOnMainBranch": pact.is_on_main,
                    "isLatest": pact.is_latest,
                }
                for pact in consumer.pacts
            ],
            "interactionCount": consumer.interaction_count,
            "interactions": [_represent_interaction(interaction) for interaction in consumer.interactions],
        },
        links={
            "self": Link(urls.PACTICIPANT.fill(pacticipant=consumer.name), name=consumer.name),
            "pact": Link(pact_path, f"Pact of version {newest.version}"),
        },
    )


def _represent_interaction(interaction: UsingInteraction) -> UsingInteractionDocument:
    return {
        "kind": interaction.kind,
        "description": interaction.description,
        "operation": interaction.operation,
        "expectations": [_represent_expectation(expectation) for expectation in interaction.expectations],
    }


def _represent_expectation(expectation: UsedExpectation) -> UsedExpectationDocument:
    document: UsedExpectationDocument = {"place": expectation.place.value, "name": expectation.name}  # type: ignore[typeddict-item]  # omittable members
    if expectation.place is not Place.DESCRIPTION:
        document["strictness"] = expectation.strictness.label
        document["meaning"] = expectation.strictness.meaning
    return document


@represent.register
def expected_operations_document(expected: ExpectedOperations) -> Hal:
    return Hal(
        {
            "provider": expected.provider,
            "operations": [_represent_operation(operation) for operation in expected.operations.items],
            "basis": _represent_basis(expected.basis),
            **page_state(expected.operations),
        },
        links=filtered_page_links(expected.operations, urls.USAGE_OPERATIONS.fill(), {"provider": expected.provider}),
    )


def _represent_operation(operation: ExpectedOperation) -> ExpectedOperationDocument:
    document: ExpectedOperationDocument = {  # type: ignore[typeddict-item]  # omittable members
        "kind": operation.place.value,
        "path": operation.path,
        "consumers": list(operation.consumers),
        "interactions": [
            {"description": interaction.description, "consumers": list(interaction.consumers)}
            for interaction in operation.interactions
        ],
    }
    if operation.method is not None:
        document["method"] = operation.method
    return document
