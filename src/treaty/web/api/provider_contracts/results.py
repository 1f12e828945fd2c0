"""The contracts of a provider version, its self-verifications, and the results of comparing it with pacts."""

from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple

from typing_extensions import TypedDict

from treaty.errors import NotFound
from treaty.model.compare.findings import Severity
from treaty.model.pacts.pacts import PactKey
from treaty.model.provider_contracts.comparisons import VERIFIER, ComparisonDetails, PairKey
from treaty.model.provider_contracts.contracts import ProviderContract, SelfVerification
from treaty.model.provider_contracts.results import ProviderVersionResults, Status, VerifiedPair, to_status
from treaty.store.provider_contracts import results
from treaty.store.provider_contracts.missing import note_missing
from treaty.web import urls
from treaty.web.hal import represent
from treaty.web.hal.documents import Hal, Link
from treaty.web.hal.shapes import Omittable
from treaty.web.http.request import Request
from treaty.web.http.router import Router
from treaty.web.security.permissions import Permission

router = Router()


class ProviderContractDocument(TypedDict):
    name: Omittable[str]
    specification: str
    contentType: str
    content: str
    sha: str
    operations: list[dict[str, str]]
    createdAt: datetime


class SelfVerificationDocument(TypedDict):
    contract: Omittable[str]
    success: bool
    content: Omittable[str]
    contentType: Omittable[str]
    format: Omittable[str]
    verifier: Omittable[str]
    verifierVersion: Omittable[str]
    verificationDate: datetime


class ComparedPact(TypedDict):
    consumer: str
    consumerVersion: str
    pactVersionSha: str


PactLinks = TypedDict("PactLinks", {"pb:pact-version": Link})


class ComparedPactDocument(ComparedPact):
    _links: PactLinks


class PactVerificationDocument(ComparedPact):
    verificationStatus: str
    verificationDate: Omittable[datetime]
    _links: PactLinks


class FindingsDocument(TypedDict, total=False):
    errors: list[dict[str, Any]]
    warnings: list[dict[str, Any]]
    infos: list[dict[str, Any]]
    notes: list[dict[str, Any]]
    deprecated: list[dict[str, Any]]
    failureReason: str


ResultLinks = TypedDict("ResultLinks", {"self": Link, "pf:ui": Link})
ComparisonLinks = TypedDict("ComparisonLinks", {"self": Link, "pf:ui": Link, "pb:pact-version": Link})


class ComparisonDocument(ComparedPact):
    verificationStatus: str
    success: Omittable[bool]
    results: Omittable[FindingsDocument]
    compared: Omittable[int]
    interactions: Omittable[int]
    profile: Omittable[str]
    verificationDate: Omittable[datetime]
    verifier: str
    verifierVersion: Omittable[str]
    _links: ComparisonLinks


class _Results(TypedDict):
    verificationStatus: str
    _actions: list[Any]


class EmbeddedContracts(TypedDict):
    contracts: list[ProviderContractDocument]


class EmbeddedSelfVerifications(TypedDict):
    results: list[SelfVerificationDocument]


class EmbeddedPacts(TypedDict):
    contracts: list[ComparedPactDocument]


class EmbeddedPactVerifications(TypedDict):
    results: list[PactVerificationDocument]


class EmbeddedComparisons(TypedDict):
    results: list[ComparisonDocument]


BidirectionalLinks = TypedDict(
    "BidirectionalLinks",
    {
        "self": Link,
        "pf:ui": Link,
        "pf:provider-contract": Link,
        "pf:provider-contract-verification-results": Link,
        "pf:consumer-contract": Link,
        "pf:consumer-contract-verification-results": Link,
        "pf:cross-contract-verification-results": Link,
        "pb:coverage": Link,
        "pb:pacticipant-version": Link,
    },
)


class ProviderContractsDocument(_Results):
    _embedded: EmbeddedContracts
    _links: BidirectionalLinks


class SelfVerificationsDocument(_Results):
    _embedded: EmbeddedSelfVerifications
    _links: BidirectionalLinks


class ConsumerContractsDocument(_Results):
    _embedded: EmbeddedPacts
    _links: BidirectionalLinks


class ConsumerVerificationsDocument(_Results):
    _embedded: EmbeddedPactVerifications
    _links: BidirectionalLinks


class ComparisonsDocument(_Results):
    _embedded: EmbeddedComparisons
    _links: BidirectionalLinks


@dataclass(frozen=True, slots=True)
class BidirectionalPart:
    """One of the five documents about a provider version."""

    part: str
    path: str
    """The path of the version, or of the pair, without the part."""
    results: ProviderVersionResults
    is_of_pair: bool = False


class _Part(NamedTuple):
    response: type
    description: str
    get_status: Callable[[ProviderVersionResults], Status]
    embed: Callable[[ProviderVersionResults], Mapping[str, object]]


def _add_routes(name: str, part: _Part) -> None:
    @router.get(urls.BIDIRECTIONAL + f"/{name}", permission=Permission.READ, response=part.response, is_slow=True)
    def get_part_of_version(request: Request, provider: str, version: str) -> BidirectionalPart:
        loaded = _require(results.load_of_version(request.db, provider, version))
        return BidirectionalPart(name, urls.BIDIRECTIONAL.fill(provider=provider, version=version), loaded)

    get_part_of_version.__doc__ = f"Return {part.description} of a provider version."

    @router.get(urls.BIDIRECTIONAL_PAIR + f"/{name}", permission=Permission.READ, response=part.response, is_slow=True)
    def get_part_of_pair(
        request: Request, provider: str, version: str, consumer: str, consumer_version: str
    ) -> BidirectionalPart:
        pact = PactKey(consumer=consumer, version=consumer_version, provider=provider)
        loaded = _require(results.load_of_pair(request.db, provider, version, pact))
        note_missing(_list_missing(loaded))
        path = urls.BIDIRECTIONAL_PAIR.fill(
            provider=provider, version=version, consumer=consumer, consumerVersion=consumer_version
        )
        return BidirectionalPart(name, path, loaded, is_of_pair=True)

    get_part_of_pair.__doc__ = f"Return {part.description} of a provider version, for a consumer version."


def _require(loaded: ProviderVersionResults | None) -> ProviderVersionResults:
    if loaded is None:
        raise NotFound
    return loaded


def _list_missing(loaded: ProviderVersionResults) -> list[PairKey]:
    return [pair.key for pair in loaded.pairs if pair.comparison is None]


def _embed_contracts(loaded: ProviderVersionResults) -> Mapping[str, object]:
    return {"contracts": [_represent_contract(contract) for contract in loaded.contracts]}


def _represent_contract(contract: ProviderContract) -> Hal:
    return Hal(
        {
            "name": contract.name or None,
            "specification": contract.specification,
            "contentType": contract.content_type,
            "content": b64encode(contract.source).decode(),
            "sha": contract.sha,
            "operations": contract.operations,
            "createdAt": contract.created_at,
        }
    )


def _embed_self_verifications(loaded: ProviderVersionResults) -> Mapping[str, object]:
    verified = [(contract, contract.self_verification) for contract in loaded.contracts]
    return {"results": [_represent_result(contract, result) for contract, result in verified if result is not None]}


def _represent_result(contract: ProviderContract, result: SelfVerification) -> Hal:
    return Hal(
        {
            "contract": contract.name or None,
            "success": result.success,
            "content": None if result.content is None else b64encode(result.content).decode(),
            "contentType": result.content_type,
            "format": result.format,
            "verifier": result.verifier,
            "verifierVersion": result.verifier_version,
            "verificationDate": result.created_at,
        }
    )


def _embed_pacts(loaded: ProviderVersionResults) -> Mapping[str, object]:
    return {"contracts": [Hal(_identify(pair), links=_link_pact(pair)) for pair in loaded.pairs]}


def _identify(pair: VerifiedPair) -> dict[str, object]:
    return {
        "consumer": pair.key.consumer,
        "consumerVersion": pair.consumer_version,
        "pactVersionSha": pair.key.sha,
    }


def _link_pact(pair: VerifiedPair) -> dict[str, Link]:
    key = pair.key
    path = urls.PACT_VERSION.fill(provider=key.provider, consumer=key.consumer, sha=key.sha)
    return {"pb:pact-version": Link(path, "Pact", name=f"{key.consumer} ({pair.consumer_version})")}


def _embed_verifications(loaded: ProviderVersionResults) -> Mapping[str, object]:
    return {"results": [_represent_verification(pair) for pair in loaded.pairs]}


def _represent_verification(pair: VerifiedPair) -> Hal:
    status = to_status(pair.verified_success)
    return Hal(
        {**_identify(pair), "verificationStatus": status.value, "verificationDate": pair.verified_at},
        links=_link_pact(pair),
    )


def _embed_comparisons(loaded: ProviderVersionResults) -> Mapping[str, object]:
    return {"results": [_represent_comparison(pair) for pair in loaded.pairs]}


def _represent_comparison(pair: VerifiedPair) -> Hal:
    comparison = pair.comparison
    links = {**_link_comparison(pair), **_link_pact(pair)}
    if comparison is None:
        state = {**_identify(pair), "verificationStatus": Status.PENDING.value, "verifier": VERIFIER}
        return Hal(state, links=links)
    content = comparison.content
    return Hal(
        {
            **_identify(pair),
            "verificationStatus": to_status(comparison.is_compatible).value,
            "success": comparison.is_compatible,
            "results": _represent_findings(comparison),
            "compared": content["compared"],
            "interactions": content["interactions"],
            "profile": comparison.profile,
            "verificationDate": comparison.created_at,
            "verifier": VERIFIER,
            "verifierVersion": comparison.engine,
        },
        links=links,
    )


def _link_comparison(pair: VerifiedPair) -> ResultLinks:
    path = comparison_path(pair.key)
    # For browsers, the same address is a page.
    return {"self": Link(path, "Result of the comparison"), "pf:ui": Link(path, "Page of the comparison")}


def comparison_path(key: PairKey) -> str:
    """Return the path of the result of comparing a pair."""
    return urls.COMPARISON.fill(provider=key.provider, version=key.provider_version, consumer=key.consumer, sha=key.sha)


def _represent_findings(comparison: ComparisonDetails) -> dict[str, object]:
    content = comparison.content
    findings: Sequence[Mapping[str, Any]] = content["findings"]
    by_type = {
        f"{severity.value}s": [finding for finding in findings if finding["type"] == severity.value]
        for severity in Severity
    }
    more = {name: content[name] for name in ("notes", "deprecated") if content.get(name)}
    return {**by_type, **more, **_explain_failure(comparison, len(by_type["errors"]))}


def _explain_failure(comparison: ComparisonDetails, number: int) -> dict[str, str]:
    if comparison.is_compatible:
        return {}
    reason = comparison.content.get("failure")
    count = "1 expectation" if number == 1 else f"{number} expectations"
    return {"failureReason": reason or f"The provider contract does not satisfy {count} of the pact; see the errors."}


_PARTS: Final[Mapping[str, _Part]] = {
    "provider-contract": _Part(
        ProviderContractsDocument,
        "the contracts",
        lambda loaded: loaded.self_verification_status,
        _embed_contracts,
    ),
    "provider-contract-verification-results": _Part(
        SelfVerificationsDocument,
        "the newest self-verifications",
        lambda loaded: loaded.self_verification_status,
        _embed_self_verifications,
    ),
    "consumer-contract": _Part(
        ConsumerContractsDocument,
        "the pacts that were compared with the contracts",
        lambda loaded: loaded.verification_status,
        _embed_pacts,
    ),
    "consumer-contract-verification-results": _Part(
        ConsumerVerificationsDocument,
        "the results of verifying pacts with a verifier",
        lambda loaded: loaded.verification_status,
        _embed_verifications,
    ),
    "cross-contract-verification-results": _Part(
        ComparisonsDocument,
        "the comparisons with pacts",
        lambda loaded: loaded.comparison_status,
        _embed_comparisons,
    ),
}


_PAGES: Final = {False: "provider-contract", True: "cross-contract-verification-results"}
"""The parts that are pages for browsers, by whether they are about a pair."""


for _name, _part in _PARTS.items():
    _add_routes(_name, _part)


@represent.register
def bidirectional_part(content: BidirectionalPart) -> Hal:
    part, loaded = _PARTS[content.part], content.results
    version_path = urls.VERSION.fill(pacticipant=loaded.provider, version=loaded.version)
    return Hal(
        {"verificationStatus": part.get_status(loaded).value, "_actions": []},
        part.embed(loaded),
        {
            "self": Link(f"{content.path}/{content.part}", f"{loaded.provider} ({loaded.version})"),
            "pf:ui": Link(f"{content.path}/{_PAGES[content.is_of_pair]}", "Page of the contract or the comparison"),
            **{f"pf:{name}": Link(f"{content.path}/{name}") for name in _PARTS},
            "pb:coverage": Link(urls.COVERAGE.fill(provider=loaded.provider, version=loaded.version), "Coverage"),
            "pb:pacticipant-version": Link(version_path, "Pacticipant version", name=loaded.version),
        },
    )


# The older resource, to which clients link from the rows of can-i-deploy


class ComparisonSummary(TypedDict):
    success: Omittable[bool]


class CrossContractResults(TypedDict):
    success: Omittable[bool]
    results: Omittable[FindingsDocument]
    verificationDate: Omittable[datetime]
    verifier: str
    verifierVersion: Omittable[str]


class ProviderContractResults(TypedDict):
    success: Omittable[bool]
    content: Omittable[str]
    contentType: Omittable[str]
    verifier: Omittable[str]
    verifierVersion: Omittable[str]


class PairComparisonDocument(TypedDict):
    summary: ComparisonSummary
    crossContractVerificationResults: CrossContractResults
    providerContractVerificationResults: ProviderContractResults
    _links: ResultLinks


@dataclass(frozen=True, slots=True)
class PairComparison:
    """The comparison of a pact's content with the contracts of a provider version."""

    results: ProviderVersionResults


@router.get(urls.COMPARISON, permission=Permission.READ, response=PairComparisonDocument, is_slow=True)
def get_comparison(request: Request, provider: str, version: str, consumer: str, sha: str) -> PairComparison:
    """Return the result of comparing a pact with the contracts of a provider version, and of its self-verification."""
    loaded = _require(results.load_of_content(request.db, PairKey(consumer, provider, sha, version)))
    note_missing(_list_missing(loaded))
    return PairComparison(loaded)


@represent.register
def pair_comparison(content: PairComparison) -> Hal:
    loaded = content.results
    (pair,) = loaded.pairs
    return Hal(
        {
            "summary": Hal({"success": pair.decide(is_self_verified=loaded.is_self_verified)}),
            "crossContractVerificationResults": _represent_cross_contract(pair.comparison),
            "providerContractVerificationResults": _represent_provider_results(loaded),
        },
        links=_link_comparison(pair),
    )


def _represent_cross_contract(comparison: ComparisonDetails | None) -> Hal:
    if comparison is None:
        return Hal({"verifier": VERIFIER})
    return Hal(
        {
            "success": comparison.is_compatible,
            "results": _represent_findings(comparison),
            "verificationDate": comparison.created_at,
            "verifier": VERIFIER,
            "verifierVersion": comparison.engine,
        }
    )


def _represent_provider_results(loaded: ProviderVersionResults) -> Hal:
    verified = [contract.self_verification for contract in loaded.contracts]
    # Of several contracts, the one that decides is shown: a failure, or else the first.
    shown = next((result for result in verified if result and not result.success), verified[0])
    success = {"success": loaded.is_self_verified}
    if shown is None:
        return Hal(success)
    return Hal(
        {
            **success,
            "content": None if shown.content is None else b64encode(shown.content).decode(),
            "contentType": shown.content_type,
            "verifier": shown.verifier,
            "verifierVersion": shown.verifier_version,
        }
    )
